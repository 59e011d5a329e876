//! `cargo xtask chaos`: a storm of kills and faults over several processes on three real brokers, judged from the outside.
//!
//! The program is a test target of the binary's crate, so that it has the binary, the Kafka client and the parts that the short
//! tests of the same kind use (`crates/cli/tests/kafka_chaos.rs`).

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::Args;

use crate::steps::{cargo, forward};

/// What the storm is like.
#[derive(Debug, Args)]
pub struct Storm {
    /// Processes to kill before it ends
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// Decides what happens in which order; a new one each time when absent
    #[arg(long)]
    seed: Option<u64>,
    /// End the storm after this many minutes, however many kills there were
    #[arg(long)]
    minutes: Option<u64>,
    /// Records a second
    #[arg(long, default_value_t = 200)]
    rate: u64,
    /// Damage one output by hand before it is judged: the verifier must find it, and the command fails
    #[arg(long, value_parser = ["remove", "double", "change"])]
    tamper: Option<String>,
    /// End with one line of JSON
    #[arg(long)]
    json: bool,
    /// Build everything in release mode
    #[arg(long)]
    release: bool,
}

/// Runs the storm.
pub fn run(storm: &Storm) -> Result<ExitCode> {
    let mut command = cargo(&["test", "-q", "-p", "throughline", "--test", "chaos"]);
    if storm.release {
        command.arg("--release");
    }
    let seed = storm.seed.unwrap_or_else(fresh_seed).to_string();
    command.args(["--", "--seed", &seed]);
    command.args(["--kills", &storm.kills.to_string(), "--rate", &storm.rate.to_string()]);
    if let Some(minutes) = storm.minutes {
        command.args(["--minutes", &minutes.to_string()]);
    }
    if let Some(tamper) = &storm.tamper {
        command.args(["--tamper", tamper]);
    }
    if storm.json {
        command.arg("--json");
    }
    forward(&mut command)
}

fn fresh_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}
