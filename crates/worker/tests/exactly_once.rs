//! XO-1, XO-2, XO-3, XO-4 and XO-6 hold whatever goes wrong, and the checks find every deliberate mistake.

mod world;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use world::fold::Kind;
use world::{Mutant, World};

type Story = (Vec<Vec<Kind>>, Vec<u8>);

fn stories() -> impl Strategy<Value = Story> {
    let kind = prop_oneof![
        6 => Just(Kind::Plain),
        1 => Just(Kind::Arming),
        1 => Just(Kind::Poison),
        1 => Just(Kind::Stubborn),
        1 => Just(Kind::Stalling),
    ];
    let log = prop::collection::vec(kind, 0..24);
    (prop::collection::vec(log, 3), prop::collection::vec(any::<u8>(), 0..300))
}

fn config(cases: u32, max_shrink_iters: u32) -> Config {
    Config { cases, max_shrink_iters, failure_persistence: None, ..Config::default() }
}

fn tell((logs, choices): Story, mutant: Option<Mutant>) -> Result<(), TestCaseError> {
    World::new(logs, choices, mutant).run();
    Ok(())
}

#[test]
fn every_output_once_and_state_is_the_fold_of_committed_input() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let told = TestRunner::new_with_rng(config(2_000, 5_000), rng).run(&stories(), |story| tell(story, None));
    if let Err(why) = told {
        panic!("{why}");
    }
}

proptest! {
    #![proptest_config(config(300, 5_000))]

    #[test]
    fn the_same_for_stories_nobody_has_told_before(story in stories()) {
        tell(story, None)?;
    }
}

#[track_caller]
fn check_found(mutant: Mutant, by: &str) {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let told = TestRunner::new_with_rng(config(500, 0), rng).run(&stories(), |story| tell(story, Some(mutant)));
    let why = told.expect_err("a deliberate mistake was not found").to_string();
    assert!(why.contains(by), "{mutant:?} was found by {why}");
}

#[test]
fn committing_the_offset_of_the_record_is_found() {
    check_found(Mutant::CommitTheRecordsOffset, "XO-3");
}

#[test]
fn folding_before_the_commit_is_known_is_found() {
    check_found(Mutant::FoldBeforeCommitted, "XO-3");
}

#[test]
fn keeping_the_overlay_after_an_abort_is_found() {
    check_found(Mutant::KeepOverlayAfterAbort, "XO-3");
}

#[test]
fn skipping_the_seek_is_found() {
    check_found(Mutant::SkipTheSeek, "records were skipped");
}

#[test]
fn skipping_the_abort_is_found() {
    check_found(Mutant::SkipTheAbort, "XO-");
}

#[test]
fn taking_an_unknown_outcome_for_committed_is_found() {
    check_found(Mutant::IgnoreTxnSeqAndFold, "XO-3");
}

#[test]
fn taking_an_unknown_outcome_for_aborted_is_found() {
    check_found(Mutant::IgnoreTxnSeqAndDrop, "XO-3");
}

#[test]
fn rejecting_whatever_comes_next_is_found() {
    check_found(Mutant::RejectWhateverComesNext, "XO-1");
}

#[test]
fn restoring_nothing_is_found() {
    check_found(Mutant::RestoreNothing, "XO-3");
}
