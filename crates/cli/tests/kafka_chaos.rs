//! Faults between the processes and a real Kafka, one a test, named by the failure scenario of the engine that it is about: what
//! came out is judged by a verifier that knows nothing of the program. `cargo xtask chaos` does the same for long, with kills,
//! on three brokers.

mod deployment;
mod disturbed;

use std::sync::LazyLock;
use std::time::Duration;

use deployment::program::Program;
use deployment::{LIMIT, PARTITIONS, SESSION_TIMEOUT};
use disturbed::Disturbed;
use throughline_testkit::cluster::{Cluster, ClusterOptions};
use throughline_testkit::proxy::{Action, Api, Fault, Side};

/// A broker for the tests of this file, with a listener for the proxy of each.
static BROKER: LazyLock<Cluster> = LazyLock::new(|| {
    let options = ClusterOptions { brokers: 1, proxied: 12, ..ClusterOptions::default() };
    Cluster::start(&options).expect("a broker starts")
});

/// `[transaction] timeout` of the deployments: an answer that is later comes to nobody.
const LATE: Duration = Duration::from_secs(6);

const RECORDS: u64 = 3_000;

/// One process under load while each of these faults happens once, one after the other.
fn check(listener: usize, name: &str, faults: &[Fault]) {
    let disturbed = Disturbed::new(&BROKER, listener, name, 7);
    let program = disturbed.deployment.start_ready(0);
    let parts = faults.len() as u64 + 1;
    let part = |at: u64| RECORDS * at / parts..RECORDS * (at + 1) / parts;
    for (at, fault) in faults.iter().enumerate() {
        let injected = disturbed.proxy.inject(fault.clone());
        disturbed.feed(part(at as u64));
        assert!(injected.wait_met(LIMIT), "{fault:?} did not happen");
    }
    disturbed.feed(part(parts - 1));
    disturbed.check(vec![program]);
}

#[test]
fn scenario_01_kill_at_each_step_of_the_commit() {
    let disturbed = Disturbed::new(&BROKER, 10, "killed", 7);
    let steps = [Api::AddPartitionsToTxn, Api::Produce, Api::AddOffsetsToTxn, Api::TxnOffsetCommit, Api::EndTxn];
    let sides = [Side::Request, Side::Answer];
    let moments: Vec<_> = steps.into_iter().flat_map(|api| sides.map(|side| (api, side))).collect();
    let parts = moments.len() as u64 + 1;
    let part = |at: u64| RECORDS * at / parts..RECORDS * (at + 1) / parts;
    for (at, (api, side)) in moments.into_iter().enumerate() {
        let program = disturbed.deployment.start_ready(0);
        let held = disturbed.proxy.inject(Fault::once(api, side, Action::Hold).of("experience"));
        disturbed.feed(part(at as u64));
        assert!(held.wait_met(LIMIT), "{api:?} {side:?} does not happen");
        program.kill();
        if at % 4 < 2 {
            // Lost with the process; otherwise it arrives now, when nobody is there any more.
            disturbed.proxy.cut_all();
        }
    }
    let program = disturbed.deployment.start_ready(0);
    disturbed.feed(part(parts - 1));
    disturbed.check(vec![program]);
}

#[test]
fn scenario_04_answer_to_the_end_of_a_transaction_is_lost() {
    let lost = |stage| Fault::once(Api::EndTxn, Side::Answer, Action::Cut).of(stage);
    check(0, "answer-lost", &[lost("normalize"), lost("experience"), lost("experience").times(3)]);
}

/// Single views that wait for their ten seconds come due while no record comes: they make a transaction of their own.
#[test]
fn scenario_04_answer_to_the_end_of_a_transaction_of_timers_alone_is_lost() {
    let disturbed = Disturbed::new(&BROKER, 11, "timers", 7);
    let [normalize, experience] = [(1, "normalize"), (0, "experience")].map(|(ordinal, stage)| {
        let program = disturbed.deployment.start_stage(ordinal, stage);
        program.wait_ready();
        program
    });
    disturbed.feed(0..500);
    disturbed.deployment.wait_for_touchpoints(500);
    disturbed.feed(500..1_000);
    disturbed.deployment.wait_for_touchpoints(1_000);
    normalize.drain();
    experience.wait_until("at the end of its inbox", || disturbed.is_read());
    let before = disturbed.committed();
    let lost = disturbed.proxy.inject(Fault::once(Api::EndTxn, Side::Answer, Action::Hold).of("experience"));
    assert!(lost.wait_met(LIMIT), "single views come due");
    experience.wait_for_line("asking", |line| line.contains("outcome unknown, asking").then_some(()));
    drop(lost);
    let after = disturbed.committed();
    let positions = |at: &[(i64, String)]| at.iter().map(|(position, _)| *position).collect::<Vec<_>>();
    assert_eq!(positions(&before), positions(&after), "it had no records");
    assert_ne!(before, after, "it committed");
    let normalize = disturbed.deployment.start_stage(1, "normalize");
    disturbed.feed(1_000..RECORDS);
    disturbed.check(vec![normalize, experience]);
}

#[test]
fn scenario_04_end_of_a_transaction_never_arrives() {
    let lost = |stage| Fault::once(Api::EndTxn, Side::Request, Action::Cut).of(stage);
    check(1, "end-lost", &[lost("normalize"), lost("experience"), lost("experience").times(3)]);
}

#[test]
fn scenario_04_answer_is_delayed_beyond_the_next_transaction() {
    let late = |stage| Fault::once(Api::EndTxn, Side::Answer, Action::Delay(LATE)).of(stage);
    check(2, "answer-late", &[late("normalize"), late("experience")]);
}

#[test]
fn scenario_05_end_of_a_transaction_arrives_after_its_timeout() {
    let late = |stage| Fault::once(Api::EndTxn, Side::Request, Action::Delay(LATE)).of(stage);
    check(3, "end-late", &[late("normalize"), late("experience")]);
}

#[test]
fn scenario_12_steps_before_the_commit_are_cut() {
    let steps = [Api::AddPartitionsToTxn, Api::Produce, Api::AddOffsetsToTxn, Api::TxnOffsetCommit];
    let cut = |side| move |api| Fault::once(api, side, Action::Cut).of("experience");
    let [requests, answers] = [Side::Request, Side::Answer].map(|side| steps.map(cut(side)));
    check(4, "steps-cut", &[requests, answers].concat());
}

/// Waits until both serve some partitions, and together all of them.
fn wait_shared(first: &Program, second: &Program) {
    first.wait_until("shared by both", || {
        let [one, other] = [first, second].map(|program| program.served("experience"));
        one > 0 && other > 0 && one + other == PARTITIONS as usize
    });
}

#[test]
fn scenario_02_heartbeat_is_held_past_the_session_timeout() {
    let disturbed = Disturbed::new(&BROKER, 5, "heartbeat", 7);
    let (first, second) = (disturbed.deployment.start_ready(0), disturbed.deployment.start_ready(1));
    wait_shared(&first, &second);
    disturbed.feed(0..1_000);
    let held = disturbed.proxy.inject(Fault::once(Api::Heartbeat, Side::Request, Action::Hold).of("experience"));
    assert!(held.wait_met(LIMIT), "there is a heartbeat");
    disturbed.feed(1_000..2_000);
    first.wait_until("served by one of both", || {
        [&first, &second].iter().any(|program| program.served("experience") == PARTITIONS as usize)
    });
    drop(held);
    disturbed.feed(2_000..RECORDS);
    wait_shared(&first, &second);
    disturbed.check(vec![first, second]);
}

#[test]
fn scenario_03_crash_with_an_open_transaction_and_again_in_the_takeover() {
    let disturbed = Disturbed::new(&BROKER, 8, "open", 7);
    let end = || disturbed.proxy.inject(Fault::once(Api::EndTxn, Side::Request, Action::Hold).of("experience"));
    let mut ghosts = Vec::new();
    for life in 0..4 {
        let program = disturbed.deployment.start_ready(0);
        // The end of a life before this one arrives now, when its owner is long gone.
        ghosts.clear();
        let held = end();
        disturbed.feed(life * 500..(life + 1) * 500);
        assert!(held.wait_met(LIMIT), "a transaction is open");
        program.kill();
        if life % 2 == 0 {
            // It never arrives: what is left open must not wait for its timeout.
            disturbed.proxy.cut_all();
        } else {
            ghosts.push(held);
        }
    }
    let program = disturbed.deployment.start_ready(0);
    ghosts.clear();
    disturbed.feed(2_000..RECORDS);
    disturbed.check(vec![program]);
}

/// Others take over while the transaction of a process that was killed is still open, one of them in vain; then its end arrives.
#[test]
fn scenario_03_two_takeovers_while_the_transaction_of_the_first_is_open() {
    // It stays open until its end arrives: this broker does not look for transactions that timed out.
    let never = ("transaction.abort.timed.out.transaction.cleanup.interval.ms".to_owned(), "600000".to_owned());
    let options = ClusterOptions { brokers: 1, properties: vec![never], ..ClusterOptions::default() };
    let cluster = Cluster::start(&options).expect("a broker starts");
    let disturbed = Disturbed::new(&cluster, 0, "handed-on", 7);
    let normalize = disturbed.deployment.start_stage(9, "normalize");
    let first = disturbed.deployment.start_stage(0, "experience");
    disturbed.feed(0..1_000);
    disturbed.deployment.wait_for_touchpoints(1_000);
    let end = disturbed.proxy.inject(Fault::once(Api::EndTxn, Side::Request, Action::Hold).of("experience"));
    disturbed.feed(1_000..2_000);
    assert!(end.wait_met(LIMIT), "a transaction is open");
    first.kill();
    let take_over = |ordinal| {
        let program = disturbed.deployment.start_stage(ordinal, "experience");
        let all = format!("\"partitions\":{PARTITIONS}");
        program.wait_for_line("given all partitions", |line| {
            (line.contains("\"message\":\"assigned\"") && line.contains(&all)).then_some(())
        });
        assert_eq!(program.served("experience"), 0, "nothing is read before that transaction has ended");
        program
    };
    take_over(1).kill();
    let third = take_over(2);
    drop(end);
    third.wait_ready();
    disturbed.feed(2_000..RECORDS);
    disturbed.check(vec![normalize, third]);
}

#[test]
fn scenario_07_revoke_that_cannot_commit_in_its_budget() {
    let disturbed = Disturbed::new(&BROKER, 9, "revoke", 7);
    let first = disturbed.deployment.start_ready(0);
    disturbed.feed(0..1_000);
    let step = Fault::once(Api::TxnOffsetCommit, Side::Request, Action::Hold).of("experience");
    let held = disturbed.proxy.inject(step);
    disturbed.feed(1_000..2_000);
    assert!(held.wait_met(LIMIT), "a commit waits");
    let second = disturbed.deployment.start(1);
    wait_shared(&first, &second);
    drop(held);
    disturbed.feed(2_000..RECORDS);
    disturbed.check(vec![first, second]);
}

#[test]
fn scenario_06_committed_offsets_come_late_or_not_at_first() {
    let disturbed = Disturbed::new(&BROKER, 6, "offsets-late", 7);
    disturbed.feed(0..1_000);
    let program = disturbed.deployment.start_ready(0);
    disturbed.deployment.wait_for_touchpoints(1_000);
    program.kill();
    let late = Action::Delay(Duration::from_secs(3));
    let delayed = disturbed.proxy.inject(Fault::once(Api::OffsetFetch, Side::Answer, late).of("experience"));
    let lost = disturbed.proxy.inject(Fault::once(Api::InitProducerId, Side::Answer, Action::Cut));
    let program = disturbed.deployment.start(0);
    assert!(lost.wait_met(LIMIT), "the producer registers");
    assert!(delayed.wait_met(LIMIT), "offsets are asked for");
    disturbed.feed(1_000..2_000);
    program.wait_ready();
    program.kill();
    let cut =
        disturbed.proxy.inject(Fault::once(Api::OffsetFetch, Side::Answer, Action::Cut).of("experience").times(3));
    let program = disturbed.deployment.start(0);
    assert!(cut.wait_met(LIMIT), "offsets are asked for");
    disturbed.feed(2_000..RECORDS);
    program.wait_ready();
    disturbed.check(vec![program]);
}

/// Nobody reaches a broker for longer than transactions and sessions last. The broker itself stays up: killed in this moment,
/// a Kafka 4.3 of one broker forgets the markers of a transaction that was about to commit (KAFKA-20734), and nothing of it can
/// be read ever after.
#[test]
fn scenario_12_no_broker_can_be_reached_for_some_seconds() {
    let disturbed = Disturbed::new(&BROKER, 7, "down", 7);
    let program = disturbed.deployment.start_ready(0);
    disturbed.feed(0..1_500);
    // Some of it is on its way.
    disturbed.deployment.wait_for_touchpoints(100);
    disturbed.proxy.refuse(true);
    program.runs_for(SESSION_TIMEOUT + Duration::from_secs(1));
    disturbed.proxy.refuse(false);
    disturbed.feed(1_500..RECORDS);
    disturbed.check(vec![program]);
}
