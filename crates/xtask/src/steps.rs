//! Commands as steps: printed, run, timed, their test results counted.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The `cargo` that runs this program, in the root of the workspace.
pub fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(crate::root());
    command
}

/// Prints and runs a command with our standard streams; its exit code becomes ours.
pub fn forward(command: &mut Command) -> Result<ExitCode> {
    println!("$ {}", shown(command));
    let status = command.status().with_context(|| format!("failed to run {}", shown(command)))?;
    Ok(exit_code(status.code()))
}

/// An exit code for ours; a command that was killed has none, which is 1.
pub fn exit_code(code: Option<i32>) -> ExitCode {
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// What the test runners said so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
}

impl Counts {
    /// Adds the figures of a runner's closing line (`test result: ok. 3 passed; 0 failed; ...`); other lines have none.
    pub fn add_line(&mut self, line: &str) {
        let Some((_, figures)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for figure in figures.split(';') {
            match figure.trim().split_once(' ') {
                Some((count, "passed")) => self.passed += count.parse().unwrap_or(0),
                Some((count, "failed")) => self.failed += count.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

/// A run of steps that stops at the first failure.
#[derive(Debug, Default)]
pub struct Steps {
    timed: Vec<(&'static str, Duration)>,
    counts: Counts,
    failed: Option<(&'static str, Option<i32>)>,
}

impl Steps {
    /// Runs a command unless a step has failed. Lines of test runners are counted on their way to the standard output.
    pub fn command(&mut self, name: &'static str, command: &mut Command) -> Result<()> {
        self.step(name, |steps| {
            println!("$ {}", shown(command));
            let mut child =
                command.stdout(Stdio::piped()).spawn().with_context(|| format!("failed to run {}", shown(command)))?;
            let stdout = child.stdout.take().expect("the standard output was asked to be a pipe");
            steps.pass_on(stdout)?;
            let status = child.wait()?;
            Ok(if status.success() { None } else { Some(status.code()) })
        })
    }

    /// Runs a check of ours unless a step has failed.
    pub fn check(&mut self, name: &'static str, check: impl FnOnce() -> Result<bool>) -> Result<()> {
        self.step(name, |_| Ok(if check()? { None } else { Some(Some(1)) }))
    }

    /// True when no step has failed so far.
    pub fn is_green(&self) -> bool {
        self.failed.is_none()
    }

    /// Prints the time of each step, what failed, and as the last line the sum of all tests.
    pub fn close(self) -> ExitCode {
        println!();
        for (name, taken) in &self.timed {
            println!("{:>7.1} s  {name}", taken.as_secs_f64());
        }
        let total: Duration = self.timed.iter().map(|(_, taken)| *taken).sum();
        println!("{:>7.1} s  in all", total.as_secs_f64());
        let code = match self.failed {
            None => ExitCode::SUCCESS,
            Some((name, code)) => {
                println!("failed: {name}");
                exit_code(code)
            }
        };
        println!("{} passed, {} failed", self.counts.passed, self.counts.failed);
        code
    }

    fn step(&mut self, name: &'static str, run: impl FnOnce(&mut Self) -> Result<Option<Option<i32>>>) -> Result<()> {
        if !self.is_green() {
            return Ok(());
        }
        println!("\n== {name}");
        let started = Instant::now();
        let failure = run(self)?;
        self.timed.push((name, started.elapsed()));
        self.failed = failure.map(|code| (name, code));
        Ok(())
    }

    /// Bytes, not lines of text: a test may print what is not UTF-8.
    fn pass_on(&mut self, stdout: impl std::io::Read) -> Result<()> {
        let mut reader = BufReader::new(stdout);
        let mut out = std::io::stdout().lock();
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            out.write_all(&line)?;
            self.counts.add_line(&String::from_utf8_lossy(&line));
            line.clear();
        }
        Ok(())
    }
}

fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_test_runners_add_up() {
        let mut counts = Counts::default();
        counts.add_line(
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n",
        );
        counts.add_line(
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0s\n",
        );
        counts.add_line("test a ... ok: 99 passed; 99 failed\n");
        assert_eq!(counts, Counts { passed: 15, failed: 2 });
    }

    #[test]
    fn nothing_runs_after_a_failure() {
        let mut steps = Steps::default();
        steps.check("first", || Ok(false)).expect("the check ran");
        steps.check("second", || panic!("a step ran after a failure")).expect("nothing ran");
        assert!(!steps.is_green());
        assert_eq!(steps.failed, Some(("first", Some(1))));
    }
}
