//! `/v1/status`: what the workers do, and for a person what stands out and what to do about it.

use std::collections::BTreeMap;

use throughline_api::{BoundStatus, Note, PartitionState, PartitionStatus, RestoreStatus, WorkerStatus, rfc3339};
use throughline_kafka::bounds::{Bound, BoundReading};
use throughline_kafka::classify::Reaction;
use throughline_kafka::metrics::PauseReason;
use throughline_kafka::restore::RestoreProgress;
use throughline_kafka::status::{TaskStatus, WorkerStatus as Told};
use throughline_model::time::{HOUR, SECOND};

/// How long something that is over is still told of, milliseconds.
const REMEMBERED: i64 = HOUR;
/// Calls that are repeated for less long are what a leader that moves looks like, milliseconds.
const PATIENCE: i64 = 5 * SECOND;

/// The workers with their numbers, and what stands out, worst first.
#[must_use]
pub fn told(workers: &[(u32, Told)], now: i64) -> (Vec<WorkerStatus>, Vec<Note>) {
    let mut notes = Vec::new();
    for (_, told) in workers {
        unanswered(told, now, &mut notes);
        fenced(told, now, &mut notes);
        paused(told, &mut notes);
        restoring(told, &mut notes);
        last_fault(told, now, &mut notes);
    }
    backpressure(workers, &mut notes);
    notes.sort_by_key(|(rank, _)| *rank);
    let workers = workers.iter().map(|(number, told)| worker(*number, told)).collect();
    (workers, notes.into_iter().map(|(_, note)| note).collect())
}

/// How bad something is: what stops everything comes first, what is over comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Stopped,
    Waiting,
    Restoring,
    Over,
}

type Notes = Vec<(Rank, Note)>;

fn note(rank: Rank, code: &str, text: String, action: String, notes: &mut Notes) {
    notes.push((rank, Note { code: code.to_owned(), text, action }));
}

fn unanswered(told: &Told, now: i64, notes: &mut Notes) {
    let Some(since) = told.unanswered_since.filter(|since| now - since >= PATIENCE) else { return };
    let mut text = format!("{}: stalled since {}, brokers do not answer", told.name, rfc3339(since));
    if let Some(fault) = &told.last_fault {
        text += &format!(": {}", fault.text);
    }
    let action = "bring the brokers back, or see with `throughline check --connect` what cannot be reached; nothing is lost, \
                  and it goes on by itself";
    note(Rank::Stopped, "TL-P7", text, action.to_owned(), notes);
}

fn fenced(told: &Told, now: i64, notes: &mut Notes) {
    let Some((at, times)) = told.fenced.filter(|(at, _)| now - at < REMEMBERED) else { return };
    let again = if times > 1 { format!(", {times} times since the start") } else { String::new() };
    let text = format!(
        "{}: fenced at {}{again}: another process used the transactional id {}, or this one stood still longer than its session; \
         what was open was dropped unseen, and partitions are taken anew with their state read back",
        told.name,
        rfc3339(at),
        told.transactional_id
    );
    let action = "nothing, if it does not repeat; if it does, look for a second process with this instance.ordinal, or for \
                  long pauses of this one";
    let settled = told.committed_at.is_some_and(|committed| committed > at);
    note(if settled { Rank::Over } else { Rank::Waiting }, "TL-F3", text, action.to_owned(), notes);
}

/// Partitions that wait for something outside, by reason.
fn paused(told: &Told, notes: &mut Notes) {
    let mut by_reason: BTreeMap<PauseReason, Vec<String>> = BTreeMap::new();
    for task in &told.tasks {
        if let Some(reason) = task.paused {
            by_reason.entry(reason).or_default().push(format!("{}[{}]", task.topic, task.partition));
        }
    }
    for (reason, partitions) in by_reason {
        let (code, what, action) = match reason {
            PauseReason::Schema => (
                "TL-P2",
                "waits for a schema that the registry has not answered for",
                "check that the registry answers; the partition tries again by itself",
            ),
            PauseReason::Rejecting => (
                "TL-P3",
                "is paused because too many of its records were rejected",
                "look at the dead letters, correct the source, then restart this instance",
            ),
            PauseReason::Refused => (
                "TL-P5",
                "waits because the brokers refuse even the dead letter of a record",
                "compare the limits and rights of the dead-letter topic; the partition tries again by itself",
            ),
            PauseReason::Fault => ("TL-P6", "waits a moment after a fault", "nothing, if it passes"),
            // Each has a note of its own.
            PauseReason::Restoring | PauseReason::Backpressure => continue,
        };
        let partitions = some(&partitions);
        note(Rank::Waiting, code, format!("{}: {partitions} {what}", told.name), action.to_owned(), notes);
    }
}

/// The first of a list, and how many more there are.
fn some(names: &[String]) -> String {
    match names {
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more, each", rest.len()),
        [] => String::new(),
    }
}

/// One note for the process: memory is everybody's.
fn backpressure(workers: &[(u32, Told)], notes: &mut Notes) {
    let held: Vec<(&str, BoundReading)> = workers
        .iter()
        .flat_map(|(_, told)| told.bounds.iter().map(|bound| (told.name.as_str(), *bound)))
        .filter(|(_, bound)| bound.holds)
        .collect();
    if let Some((_, memory)) = held.iter().find(|(_, held)| held.bound == Bound::MemoryBytes) {
        let text = format!(
            "memory is short: {} of {} bytes are used, and sources wait (memory_bytes); what is open commits, state is \
             restored and queries are answered",
            memory.used, memory.limit
        );
        let action = "raise limits.memory or start another instance if customers are most of it (throughline_state_bytes), \
                      else lower commit.overlay and the queues under [kafka.client]";
        note(Rank::Waiting, "TL-P4", text, action.to_owned(), notes);
    }
    for (name, bound) in held.iter().filter(|(_, held)| held.bound == Bound::ProducerQueueRecords) {
        let text = format!(
            "{name}: {} outputs wait for acknowledgement, of {} at most ({})",
            bound.used, bound.limit, bound.bound
        );
        let action = "look at the brokers: they take less than is written";
        note(Rank::Waiting, "", text, action.to_owned(), notes);
    }
}

/// What the restores of a worker do, together.
fn restoring(told: &Told, notes: &mut Notes) {
    let restores: Vec<_> = told.tasks.iter().filter_map(|task| task.restore).collect();
    if restores.is_empty() {
        return;
    }
    let (partitions, sum) = (restores.len(), |of: fn(&RestoreProgress) -> u64| restores.iter().map(of).sum::<u64>());
    let (records, remaining) = (sum(|at| at.records), sum(|at| at.remaining));
    let name = &told.name;
    let mut text =
        format!("{name}: restoring {partitions} partitions, {records} records read, at most {remaining} to go");
    if let Some(left) = restores.iter().filter_map(|at| at.left).max() {
        text += &format!(", about {} s left", left.as_secs());
    }
    note(Rank::Restoring, "TL-P1", text, "wait; other partitions go on".to_owned(), notes);
}

fn last_fault(told: &Told, now: i64, notes: &mut Notes) {
    let Some(fault) = told.last_fault.as_ref().filter(|fault| now - fault.at < REMEMBERED) else { return };
    // It is part of what is told of brokers that do not answer.
    if told.unanswered_since.is_some_and(|since| now - since >= PATIENCE) {
        return;
    }
    let (code, met) = match fault.reaction {
        Reaction::Retry => ("TL-F1", "the call was made again"),
        Reaction::Abort => ("TL-F2", "the transaction was aborted and its records were read again"),
        Reaction::AbortContent => ("TL-R18", "the transaction was aborted to find the record that was refused"),
        Reaction::Rejoin => ("TL-F3", "everything was dropped and the partitions were taken anew"),
        Reaction::Ask => ("TL-F4", "the outcome was read from what is committed"),
        Reaction::Stop => ("TL-F5", "the process stops"),
    };
    let text = format!("{}: last fault at {}: {}; {met}", told.name, rfc3339(fault.at), fault.text);
    note(Rank::Over, code, text, "nothing, if it does not repeat".to_owned(), notes);
}

fn worker(number: u32, told: &Told) -> WorkerStatus {
    WorkerStatus {
        stage: told.stage.to_owned(),
        worker: number,
        phase: told.phase.to_owned(),
        committed_at: told.committed_at.map(rfc3339),
        partitions: told.tasks.iter().map(partition).collect(),
        bounds: told.bounds.iter().map(bound).collect(),
    }
}

fn partition(task: &TaskStatus) -> PartitionStatus {
    PartitionStatus {
        topic: task.topic.clone(),
        partition: task.partition,
        state: match task.paused {
            Some(PauseReason::Restoring) => PartitionState::Restoring,
            Some(_) => PartitionState::Paused,
            None => PartitionState::Serving,
        },
        paused: task.paused.filter(|reason| *reason != PauseReason::Restoring).map(|reason| reason.as_str().to_owned()),
        next_offset: Some(task.next.0),
        lag_records: task.lag_records.and_then(|lag| u64::try_from(lag).ok()),
        lag_seconds: task.lag.map(|lag| lag.as_secs_f64()),
        restore_remaining_records: task.restore.map(|restore| restore.remaining),
        restore: task.restore.map(|restore| RestoreStatus {
            from: restore.origin.as_str().to_owned(),
            records: restore.records,
            bytes: restore.bytes,
            seconds: restore.elapsed.as_secs(),
            seconds_left: restore.left.map(|left| left.as_secs()),
        }),
        txn_seq: Some(task.txn_seq).filter(|txn_seq| *txn_seq > 0),
    }
}

fn bound(reading: &BoundReading) -> BoundStatus {
    BoundStatus {
        bound: reading.bound.as_str().to_owned(),
        used: reading.used,
        limit: reading.limit,
        holds: reading.holds,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::{Expect, expect};
    use throughline_kafka::restore::Origin;
    use throughline_kafka::status::FaultStatus;
    use throughline_model::NextOffset;

    use super::*;

    /// 2026-11-20T10:00:00Z.
    const NOW: i64 = 1_795_168_800_000;

    fn task(partition: i32, paused: Option<PauseReason>) -> TaskStatus {
        TaskStatus {
            topic: "inbox".to_owned(),
            partition,
            restoring: paused == Some(PauseReason::Restoring),
            paused,
            next: NextOffset(40),
            txn_seq: 3,
            lag_records: Some(7),
            lag: Some(Duration::from_millis(1_500)),
            restore: None,
        }
    }

    fn calm() -> Told {
        Told {
            name: "experience-0".to_owned(),
            stage: "experience",
            phase: "open",
            tasks: vec![task(0, None), task(1, None)],
            joined: true,
            transactional_id: "app-experience-0-0".to_owned(),
            committed_at: Some(NOW - 100),
            last_fault: None,
            fenced: None,
            unanswered_since: None,
            bounds: vec![BoundReading { bound: Bound::BatchRecords, used: 5, limit: 20_000, holds: false }],
        }
    }

    fn check(workers: &[Told], expected: Expect) {
        let numbered: Vec<(u32, Told)> = workers.iter().map(|told| (0, told.clone())).collect();
        let lines = told(&numbered, NOW)
            .1
            .into_iter()
            .map(|note| format!("[{}] {}\n  -> {}\n", note.code, note.text, note.action));
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn all_that_is_known_of_a_worker_is_told() {
        let mut told_of = calm();
        told_of.tasks[1].paused = Some(PauseReason::Rejecting);
        let (workers, _) = told(&[(2, told_of)], NOW);
        let json = |value: &dyn Fn(&WorkerStatus) -> String| value(&workers[0]);
        assert_eq!(json(&|worker| format!("{:?}", worker.committed_at)), "Some(\"2026-11-20T09:59:59.900Z\")");
        let partition = &workers[0].partitions[1];
        assert_eq!(
            (
                partition.next_offset,
                partition.lag_records,
                partition.lag_seconds,
                partition.txn_seq,
                partition.paused.as_deref()
            ),
            (Some(40), Some(7), Some(1.5), Some(3), Some("rejecting"))
        );
        assert_eq!((workers[0].bounds[0].bound.as_str(), workers[0].bounds[0].used), ("batch_records", 5));
    }

    #[test]
    fn when_all_is_well_nothing_stands_out() {
        check(&[calm()], expect![[r#""#]]);
    }

    #[test]
    fn during_a_restore() {
        let mut told = calm();
        told.tasks[0] = task(0, Some(PauseReason::Restoring));
        told.tasks[0].restore = Some(RestoreProgress {
            origin: Origin::Changelog,
            records: 100,
            local_records: 0,
            warm_records: 0,
            bytes: 9_000,
            remaining: 900,
            elapsed: Duration::from_secs(1),
            left: Some(Duration::from_secs(9)),
        });
        check(
            &[told],
            expect![[r#"
            [TL-P1] experience-0: restoring 1 partitions, 100 records read, at most 900 to go, about 9 s left
              -> wait; other partitions go on
        "#]],
        );
    }

    #[test]
    fn during_backpressure_one_note_says_which_bound_holds() {
        let mut told = calm();
        told.tasks.iter_mut().for_each(|task| task.paused = Some(PauseReason::Backpressure));
        told.bounds.push(BoundReading { bound: Bound::MemoryBytes, used: 930, limit: 1_000, holds: true });
        check(
            &[told.clone(), told],
            expect![[r#"
            [TL-P4] memory is short: 930 of 1000 bytes are used, and sources wait (memory_bytes); what is open commits, state is restored and queries are answered
              -> raise limits.memory or start another instance if customers are most of it (throughline_state_bytes), else lower commit.overlay and the queues under [kafka.client]
        "#]],
        );
    }

    #[test]
    fn after_a_fence() {
        let mut told = calm();
        told.fenced = Some((NOW - 1_000, 2));
        check(
            &[told.clone()],
            expect![[r#"
            [TL-F3] experience-0: fenced at 2026-11-20T09:59:59.000Z, 2 times since the start: another process used the transactional id app-experience-0-0, or this one stood still longer than its session; what was open was dropped unseen, and partitions are taken anew with their state read back
              -> nothing, if it does not repeat; if it does, look for a second process with this instance.ordinal, or for long pauses of this one
        "#]],
        );
        told.fenced = Some((NOW - REMEMBERED, 2));
        check(&[told], expect![[r#""#]]);
    }

    #[test]
    fn while_brokers_do_not_answer_and_afterwards() {
        let mut told = calm();
        let text = "local: all broker connections are down".to_owned();
        told.last_fault = Some(FaultStatus { at: NOW - 200, reaction: Reaction::Retry, text });
        told.unanswered_since = Some(NOW - 30_000);
        check(
            &[told.clone()],
            expect![[r#"
            [TL-P7] experience-0: stalled since 2026-11-20T09:59:30.000Z, brokers do not answer: local: all broker connections are down
              -> bring the brokers back, or see with `throughline check --connect` what cannot be reached; nothing is lost, and it goes on by itself
        "#]],
        );
        told.unanswered_since = None;
        check(
            &[told],
            expect![[r#"
            [TL-F1] experience-0: last fault at 2026-11-20T09:59:59.800Z: local: all broker connections are down; the call was made again
              -> nothing, if it does not repeat
        "#]],
        );
    }

    #[test]
    fn partitions_that_wait_are_told_by_reason_and_what_stops_more_comes_first() {
        let mut told = calm();
        told.tasks = vec![
            task(0, Some(PauseReason::Schema)),
            task(1, Some(PauseReason::Rejecting)),
            task(2, Some(PauseReason::Schema)),
            task(3, Some(PauseReason::Refused)),
            task(4, Some(PauseReason::Fault)),
        ];
        told.unanswered_since = Some(NOW - 30_000);
        told.bounds.push(BoundReading { bound: Bound::ProducerQueueRecords, used: 9, limit: 9, holds: true });
        check(
            &[told],
            expect![[r#"
            [TL-P7] experience-0: stalled since 2026-11-20T09:59:30.000Z, brokers do not answer
              -> bring the brokers back, or see with `throughline check --connect` what cannot be reached; nothing is lost, and it goes on by itself
            [TL-P2] experience-0: inbox[0] and 1 more, each waits for a schema that the registry has not answered for
              -> check that the registry answers; the partition tries again by itself
            [TL-P3] experience-0: inbox[1] is paused because too many of its records were rejected
              -> look at the dead letters, correct the source, then restart this instance
            [TL-P5] experience-0: inbox[3] waits because the brokers refuse even the dead letter of a record
              -> compare the limits and rights of the dead-letter topic; the partition tries again by itself
            [TL-P6] experience-0: inbox[4] waits a moment after a fault
              -> nothing, if it passes
            [] experience-0: 9 outputs wait for acknowledgement, of 9 at most (producer_queue_records)
              -> look at the brokers: they take less than is written
        "#]],
        );
    }
}
