//! What `throughline demo` tells: source records in the formats that vendors send.

mod background;
mod payloads;
pub mod story;

#[cfg(test)]
mod tests;
