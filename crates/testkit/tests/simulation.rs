//! XO-1 to XO-6 hold in every seed, and every deliberate mistake is found. The seeds of the second test are new in every
//! run; `SIMULATION_SEED` names the first one.
#![allow(clippy::print_stdout, reason = "the seed is printed, so that a run can be repeated")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use throughline_testkit::sim::campaign::{Outcome, run_range};
use throughline_testkit::sim::{Mutant, run};

/// Seeds that every run has in common.
const FIXED: u64 = 2_000;
/// How long seeds that nobody has run before are tried.
const BUDGET: Duration = Duration::from_secs(12);
/// Seeds within which every deliberate mistake is found.
const MUTANT_SEEDS: u64 = 10_000;

fn check(outcome: Outcome) {
    assert!(outcome.tally.commits > outcome.seeds, "stories in which nothing is committed show nothing");
    if let Some(broken) = outcome.broken {
        panic!("cargo xtask simulate --seed {}  # {}", broken.seed, broken.what);
    }
}

#[test]
fn every_output_once_and_state_is_the_fold_of_committed_input() {
    check(run_range(0..FIXED, 2, None, |_| false));
}

#[test]
fn the_same_for_seeds_that_nobody_has_run_before() {
    let given = std::env::var("SIMULATION_SEED").ok().and_then(|seed| seed.parse().ok());
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    let first: u64 = given.unwrap_or(since.as_millis() as u64);
    println!("seeds from {first} on");
    let began = Instant::now();
    check(run_range(first..first + 1_000_000_000, 2, None, |_| began.elapsed() > BUDGET));
}

#[test]
fn a_seed_tells_the_same_story_each_time() {
    for seed in 0..20 {
        assert_eq!(run(seed, None, false).ok(), run(seed, None, false).ok());
    }
}

#[test]
fn every_deliberate_mistake_is_found() {
    let survivors: Vec<_> = Mutant::ALL
        .into_iter()
        .filter(|mutant| run_range(0..MUTANT_SEEDS, 2, Some(*mutant), |_| false).broken.is_none())
        .collect();
    assert!(survivors.is_empty(), "not found: {survivors:?}");
}

#[test]
fn every_deliberate_mistake_has_a_name_of_its_own() {
    for mutant in Mutant::ALL {
        assert_eq!(Mutant::named(&mutant.name()), Some(mutant));
    }
}
