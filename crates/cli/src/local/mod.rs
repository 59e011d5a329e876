//! `throughline try` and `throughline test`: records of files through the stages in memory.

mod matching;
pub mod options;
mod print;
mod read;
#[cfg(test)]
mod samples;
pub mod test_cases;
pub mod try_files;

#[cfg(test)]
mod tests;
