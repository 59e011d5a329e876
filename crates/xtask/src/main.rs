//! The development commands: test, tidy, generate, bench, and a broker to work with.
//!
//! **What it does.** One command a need, each printing what it runs, so that anybody can run the parts by hand.
//!
//! **What it does not.** Nothing here is part of the product; nothing of the product depends on it.
//!
//! **Invariants.** A command ends with the exit code of the first step that failed. What a check forbids, a test plants.
//!
//! **Where to start.** `test::run` is what a submission is judged by; `tidy` holds the rules of the house.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its user")]

mod bench;
mod chaos;
mod generate;
mod guards;
mod kafka;
mod simulate;
mod steps;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development commands of Throughline.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every check and every test; fetches and starts a real Kafka itself
    Test {
        /// Leave out the tests that need Kafka
        #[arg(long)]
        quick: bool,
    },
    /// Check the rules of the house: arrows between crates, words, lengths, metrics, configuration keys
    Tidy {
        /// Lower the recorded lengths of long files and functions to what they are now
        #[arg(long)]
        update: bool,
    },
    /// Write the generated files
    Generate {
        /// Write nothing; fail when a file is not what would be generated
        #[arg(long)]
        check: bool,
    },
    /// A broker for development on 127.0.0.1, with its topics in target/kafka-dev
    Kafka {
        #[command(subcommand)]
        action: kafka::Action,
    },
    /// Kill, stall and disturb several processes on three real brokers, and judge what came out
    Chaos(chaos::Storm),
    /// Run seeds of the simulation: many workers, everything that goes wrong, no broker
    Simulate(simulate::Simulate),
    /// Take away one guard against failures at a time, and expect its tests to fail
    Guards(guards::Guards),
    /// Run the benchmarks in release mode, passing all arguments on
    Bench {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Test { quick } => test::run(quick),
        Command::Tidy { update } => tidy::run(update),
        Command::Generate { check } => generate::run(check),
        Command::Kafka { action } => kafka::run(&action),
        Command::Chaos(storm) => chaos::run(&storm),
        Command::Simulate(wanted) => simulate::run(&wanted),
        Command::Guards(wanted) => guards::run(&wanted),
        Command::Bench { arguments } => bench::run(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// The root folder of the workspace.
fn root() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in crates/");
    crates.parent().expect("crates/ lies in the workspace").to_owned()
}
