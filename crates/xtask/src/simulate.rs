//! `cargo xtask simulate`.

use std::process::ExitCode;

use anyhow::Result;

use crate::steps::cargo;

/// What to simulate.
#[derive(Debug, clap::Args)]
pub struct Simulate {
    /// Seeds to run, FROM..TO
    #[arg(long, default_value = "0..100000")]
    seeds: String,
    /// Run one seed
    #[arg(long)]
    seed: Option<u64>,
    /// Print what happened in the seed
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Find every deliberate mistake, and print the seed that found it
    #[arg(long, conflicts_with_all = ["seed", "mutant"])]
    mutants: bool,
    /// Make this deliberate mistake
    #[arg(long)]
    mutant: Option<String>,
    /// Threads; as many as cores if absent
    #[arg(long)]
    threads: Option<usize>,
}

/// Runs the simulation program in release mode.
pub fn run(wanted: &Simulate) -> Result<ExitCode> {
    let mut command = cargo(&["run", "--release", "--quiet", "-p", "throughline-testkit", "--bin", "simulate", "--"]);
    match wanted.seed {
        Some(seed) => command.args(["--seed", &seed.to_string()]),
        None => command.args(["--seeds", &wanted.seeds]),
    };
    if wanted.trace {
        command.arg("--trace");
    }
    if wanted.mutants {
        command.arg("--mutants");
    }
    if let Some(mutant) = &wanted.mutant {
        command.args(["--mutant", mutant]);
    }
    if let Some(threads) = wanted.threads {
        command.args(["--threads", &threads.to_string()]);
    }
    crate::steps::forward(&mut command)
}
