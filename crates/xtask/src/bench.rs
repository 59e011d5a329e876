//! `cargo xtask bench`.

use std::process::ExitCode;

use anyhow::Result;

use crate::steps::cargo;

/// Runs the benchmark program with `arguments`.
pub fn run(arguments: &[String]) -> Result<ExitCode> {
    let mut command = cargo(&["run", "--release", "-p", "throughline-benches", "--"]);
    command.args(arguments);
    crate::steps::forward(&mut command)
}
