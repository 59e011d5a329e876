//! Runs seeds of the simulation: `cargo xtask simulate` builds and starts this.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its user")]

use std::io::IsTerminal;
use std::ops::Range;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use throughline_testkit::sim::campaign::{Outcome, run_range, tell};
use throughline_testkit::sim::{Broken, Mutant};

/// Seeds within which every deliberate mistake must be found.
const MUTANT_SEEDS: u64 = 10_000;

/// What is asked for.
#[derive(Debug)]
enum Task {
    Range(Range<u64>),
    One { seed: u64, traces: bool },
    Mutants,
}

#[derive(Debug)]
struct Arguments {
    task: Task,
    mutant: Option<Mutant>,
    threads: usize,
}

fn main() -> ExitCode {
    let arguments = match read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(2);
        }
    };
    let is_good = match arguments.task {
        Task::Range(seeds) => range(seeds, arguments.threads, arguments.mutant),
        Task::One { seed, traces } => one(seed, traces, arguments.mutant),
        Task::Mutants => mutants(arguments.threads),
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn read(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let (mut seeds, mut seed, mut traces, mut mutants, mut mutant) = (0..100_000, None, false, false, None);
    let mut threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("not a number: {text}"));
        match word.as_str() {
            "--seeds" => {
                let text = value()?;
                let (from, to) = text.split_once("..").ok_or(format!("not a range FROM..TO: {text}"))?;
                seeds = number(from)?..number(to)?;
            }
            "--seed" => seed = Some(number(&value()?)?),
            "--trace" => traces = true,
            "--mutants" => mutants = true,
            "--mutant" => {
                let name = value()?;
                mutant = Some(Mutant::named(&name).ok_or(format!("no deliberate mistake is called {name}"))?);
            }
            "--threads" => threads = number(&value()?)?.max(1) as usize,
            other => return Err(format!("unknown argument: {other}")),
        }
    }
    let task = match seed {
        Some(seed) => Task::One { seed, traces },
        None if mutants => Task::Mutants,
        None => Task::Range(seeds),
    };
    Ok(Arguments { task, mutant, threads })
}

fn range(seeds: Range<u64>, threads: usize, mutant: Option<Mutant>) -> bool {
    let bar = bar(seeds.end.saturating_sub(seeds.start));
    let outcome = run_range(seeds, threads, mutant, |done| {
        bar.set_position(done);
        false
    });
    bar.finish_and_clear();
    if let Some(broken) = &outcome.broken {
        print_broken(broken, mutant);
        return false;
    }
    let Outcome { seeds, tally, .. } = outcome;
    println!(
        "{seeds} seeds, {} turns, {} transactions committed, {} processes killed, nothing broke: {:.0} seeds/s on \
         {threads} threads",
        tally.turns,
        tally.commits,
        tally.kills,
        outcome.rate()
    );
    true
}

fn one(seed: u64, traces: bool, mutant: Option<Mutant>) -> bool {
    match tell(seed, mutant) {
        Ok(tally) => {
            println!("seed {seed}: nothing broke ({} turns, {} commits)", tally.turns, tally.commits);
            true
        }
        Err(broken) => {
            if traces {
                broken.trace.iter().for_each(|line| println!("{line}"));
            }
            print_broken(&broken, mutant);
            false
        }
    }
}

fn mutants(threads: usize) -> bool {
    let mut survivors = 0;
    for mutant in Mutant::ALL {
        let outcome = run_range(0..MUTANT_SEEDS, threads, Some(mutant), |_| false);
        match outcome.broken {
            Some(broken) => {
                let what: String = broken.what.chars().take(90).collect();
                println!("{:<34} seed {:>5}  {what}", mutant.name(), broken.seed);
            }
            None => {
                survivors += 1;
                println!("{:<34} survives {MUTANT_SEEDS} seeds", mutant.name());
            }
        }
    }
    println!("{} deliberate mistakes, {survivors} not found", Mutant::ALL.len());
    survivors == 0
}

/// One line that is enough to see it again.
fn print_broken(broken: &Broken, mutant: Option<Mutant>) {
    let with = mutant.map(|mutant| format!(" --mutant {}", mutant.name())).unwrap_or_default();
    println!("cargo xtask simulate --seed {}{with}  # {}", broken.seed, broken.what.replace('\n', " "));
}

fn bar(seeds: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left");
    ProgressBar::new(seeds).with_style(style.expect("a valid template"))
}
