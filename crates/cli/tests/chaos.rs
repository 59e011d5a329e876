//! `cargo xtask chaos`: several processes on a real Kafka of three brokers, under continuous load, in a seeded storm; then calm,
//! and a verifier that shares no code with the program. Not a test of the harness: without arguments it does nothing.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its user")]

mod deployment;
mod disturbed;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use disturbed::Disturbed;
use disturbed::feeder::Feeder;
use disturbed::storm::Storm;
use serde_json::json;
use throughline_testkit::cluster::{Cluster, ClusterOptions};
use throughline_testkit::verifier::{Tamper, Verdict, verify};

/// A storm over several processes and three brokers.
#[derive(Debug, Parser)]
struct Arguments {
    /// Processes to kill before it ends
    #[arg(long)]
    kills: u32,
    /// Decides what happens in which order
    #[arg(long)]
    seed: u64,
    /// Ends the storm after this many minutes, however many kills there were
    #[arg(long)]
    minutes: Option<u64>,
    /// Records a second
    #[arg(long, default_value_t = 200)]
    rate: u64,
    /// Brokers: 1 or 3
    #[arg(long, default_value_t = 3)]
    brokers: u32,
    /// Damage one output by hand before it is judged, which must be found: remove, double, change
    #[arg(long)]
    tamper: Option<String>,
    /// End with one line of JSON
    #[arg(long)]
    json: bool,
}

/// What came of a storm.
struct Outcome {
    counts: BTreeMap<&'static str, u32>,
    reactions: BTreeMap<&'static str, usize>,
    verdict: Verdict,
    took: Duration,
}

fn main() -> ExitCode {
    if std::env::args_os().len() < 2 {
        println!("cargo xtask chaos runs this program with arguments");
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::parse();
    println!("seed {}", arguments.seed);
    let options = ClusterOptions { brokers: arguments.brokers, ..ClusterOptions::default() };
    let mut cluster = match Cluster::start(&options) {
        Ok(cluster) => cluster,
        Err(error) => {
            eprintln!("error: failed to {error}");
            return ExitCode::FAILURE;
        }
    };
    // A failed expectation is a panic, as in every test; its text has been printed when it comes here.
    let outcome = catch_unwind(AssertUnwindSafe(|| run(&arguments, &mut cluster)));
    if let Ok(outcome) = &outcome {
        report(&arguments, outcome);
        if outcome.verdict.is_clean() {
            return ExitCode::SUCCESS;
        }
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{}", arguments.seed));
    let kept = std::fs::create_dir_all(&folder).is_ok() && cluster.keep_logs(&folder).is_ok();
    if kept {
        eprintln!("logs of the brokers: {}", folder.display());
    }
    eprintln!("repeat with: cargo xtask chaos --kills {} --seed {}", arguments.kills, arguments.seed);
    ExitCode::FAILURE
}

fn run(arguments: &Arguments, cluster: &mut Cluster) -> Outcome {
    let began = Instant::now();
    let disturbed = Disturbed::new(cluster, 0, "chaos", arguments.seed);
    println!("logs of the processes: {}", disturbed.deployment.folder().display());
    let feeder = Feeder::start(&cluster.bootstrap(), disturbed.source(), disturbed.load, arguments.rate);
    let mut storm = Storm::begin(cluster, &disturbed, arguments.seed);
    let limit = arguments.minutes.map(|minutes| Duration::from_secs(60 * minutes));
    while storm.kills() < arguments.kills && limit.is_none_or(|limit| began.elapsed() < limit) {
        let before = storm.kills();
        storm.step();
        show(&storm, &feeder, arguments.kills, began.elapsed(), before);
    }
    let counts = storm.counts.clone();
    let (programs, seen) = storm.calm();
    println!("\nthe storm is over, waiting for the rest");
    feeder.stop();
    let mut capture = disturbed.finish(programs);
    capture.seen = seen;
    if let Some(tamper) = arguments.tamper.as_deref().and_then(Tamper::from_name) {
        tamper.apply(&mut capture);
    }
    let verdict = verify(&capture);
    if !verdict.is_clean() {
        disturbed.deployment.keep();
    }
    Outcome { counts, reactions: disturbed.reactions(), verdict, took: began.elapsed() }
}

/// One line that is written over on a terminal, one for every ten kills elsewhere.
fn show(storm: &Storm<'_>, feeder: &Feeder, kills: u32, passed: Duration, before: u32) {
    let others: u32 = storm.counts.iter().filter(|(kind, _)| **kind != "kill").map(|(_, count)| count).sum();
    let (done, sent, seconds) = (storm.kills(), feeder.sent(), passed.as_secs());
    let line = format!("{done} of {kills} kills, {others} other disturbances, {sent} records, {seconds} s");
    if std::io::stderr().is_terminal() {
        eprint!("\r{line}  ");
    } else if done / 10 > before / 10 {
        eprintln!("{line}");
    }
}

fn report(arguments: &Arguments, outcome: &Outcome) {
    let Outcome { counts, reactions, verdict, took } = outcome;
    let shown: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    println!("disturbances in {} s: {}", took.as_secs(), shown.join(", "));
    let shown: Vec<String> = reactions.iter().map(|(said, count)| format!("{said} {count}")).collect();
    println!("what the processes said: {}", shown.join("; "));
    print!("{verdict}");
    if arguments.json {
        let line = json!({
            "seed": arguments.seed, "disturbances": counts, "reactions": reactions, "seconds": took.as_secs(),
            "records": verdict.counts.records, "touchpoints": verdict.counts.touchpoints,
            "customers": verdict.counts.customers, "alerts": verdict.counts.alerts,
            "dead_letters": verdict.counts.rejected, "findings": verdict.findings.len(),
        });
        println!("{line}");
    }
}
