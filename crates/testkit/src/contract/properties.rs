//! The properties, each a function of its own.

use super::{Log, Offset, Reader, Refused, Seen};

/// Hands every property with its name to `run`, with the log as the type it is generic over.
#[macro_export]
macro_rules! each_contract_property {
    ($run:ident) => {
        $run!(a_marker_takes_an_offset);
        $run!(an_open_transaction_holds_committed_readers_back);
        $run!(aborted_records_keep_their_offsets_and_are_not_seen);
        $run!(transactions_of_two_producers_end_in_any_order);
        $run!(a_new_producer_of_the_same_id_ends_and_fences_the_one_before);
        $run!(a_transaction_that_takes_too_long_is_given_up);
        $run!(offsets_are_committed_with_their_transaction);
        $run!(offsets_of_an_aborted_transaction_are_forgotten);
        $run!(a_stale_generation_sends_no_offsets);
        $run!(a_static_member_that_comes_back_replaces_the_one_before);
        $run!(a_static_member_that_comes_back_causes_no_rebalance);
        $run!(an_empty_group_takes_offsets_from_anybody);
        $run!(a_group_with_members_takes_no_offsets_from_others);
        $run!(deleted_records_move_the_start);
        $run!(compaction_leaves_gaps_and_the_last_of_each_key);
    };
}
pub use crate::each_contract_property as each_property;

/// Milliseconds of a transaction that nothing gives up.
const LONG: u32 = 60_000;

fn seen(offset: i64, key: &str, value: &str) -> Seen {
    Seen { offset, key: key.to_owned(), value: Some(value.to_owned()) }
}

/// A transaction with one record each for these keys, committed.
fn write<L: Log>(log: &mut L, producer: &mut L::Producer, topic: &str, keys: &[&str]) {
    log.begin(producer);
    for key in keys {
        log.send(producer, topic, key, Some("v"));
    }
    log.commit(producer).expect("a transaction that nothing disturbs commits");
}

/// Waits until it holds.
fn eventually<L: Log>(log: &mut L, what: &str, mut holds: impl FnMut(&mut L) -> bool) {
    for _ in 0..log.patience() {
        if holds(log) {
            return;
        }
        log.pass();
    }
    panic!("never happened: {what}");
}

fn eventually_reads<L: Log>(log: &mut L, topic: &str, expected: &[Seen]) {
    eventually(log, "committed records", |log| log.read(topic, Reader::Committed) == expected);
}

/// The end of a transaction takes an offset in each partition that it wrote, so that the end of a partition is beyond its
/// last record, and nobody may wait for a record at the end.
pub fn a_marker_takes_an_offset<L: Log>(log: &mut L) {
    let topic = log.create("marker", false);
    let mut producer = log.register("marker", LONG);
    write(log, &mut producer, &topic, &["a", "b"]);
    eventually(log, "a marker", |log| log.watermarks(&topic, Reader::Committed) == (0, 3));
    write(log, &mut producer, &topic, &["c"]);
    eventually_reads(log, &topic, &[seen(0, "a", "v"), seen(1, "b", "v"), seen(3, "c", "v")]);
}

/// Nothing behind the first record of an open transaction is seen, not even what is committed; the high watermark goes on.
pub fn an_open_transaction_holds_committed_readers_back<L: Log>(log: &mut L) {
    let topic = log.create("stable", false);
    let (mut open, mut other) = (log.register("stable-open", LONG), log.register("stable-other", LONG));
    write(log, &mut other, &topic, &["before"]);
    eventually(log, "a marker", |log| log.watermarks(&topic, Reader::Committed) == (0, 2));
    log.begin(&mut open);
    log.send(&mut open, &topic, "open", Some("v"));
    write(log, &mut other, &topic, &["behind"]);
    eventually(log, "a marker", |log| log.watermarks(&topic, Reader::Uncommitted) == (0, 5));
    assert_eq!(log.watermarks(&topic, Reader::Committed), (0, 2));
    assert_eq!(log.read(&topic, Reader::Committed), [seen(0, "before", "v")]);
    let all = [seen(0, "before", "v"), seen(2, "open", "v"), seen(3, "behind", "v")];
    assert_eq!(log.read(&topic, Reader::Uncommitted), all);
    log.commit(&mut open).expect("it commits");
    eventually(log, "stable again", |log| log.watermarks(&topic, Reader::Committed) == (0, 6));
    eventually_reads(log, &topic, &all);
}

/// An abort takes an offset too, and its records keep theirs.
pub fn aborted_records_keep_their_offsets_and_are_not_seen<L: Log>(log: &mut L) {
    let topic = log.create("aborted", false);
    let mut producer = log.register("aborted", LONG);
    log.begin(&mut producer);
    log.send(&mut producer, &topic, "gone", Some("v"));
    log.abort(&mut producer).expect("it aborts");
    write(log, &mut producer, &topic, &["stays"]);
    eventually_reads(log, &topic, &[seen(2, "stays", "v")]);
    assert_eq!(log.read(&topic, Reader::Uncommitted), [seen(0, "gone", "v"), seen(2, "stays", "v")]);
}

/// Records stay where they were written, whichever transaction ends first.
pub fn transactions_of_two_producers_end_in_any_order<L: Log>(log: &mut L) {
    let topic = log.create("two", false);
    let (mut first, mut second) = (log.register("two-first", LONG), log.register("two-second", LONG));
    log.begin(&mut first);
    log.send(&mut first, &topic, "a", Some("v"));
    log.begin(&mut second);
    log.send(&mut second, &topic, "b", Some("v"));
    log.send(&mut first, &topic, "c", Some("v"));
    log.commit(&mut second).expect("it commits");
    log.abort(&mut first).expect("it aborts");
    eventually_reads(log, &topic, &[seen(1, "b", "v")]);
}

/// Registration ends what the producer before left open, and that one can do nothing more.
pub fn a_new_producer_of_the_same_id_ends_and_fences_the_one_before<L: Log>(log: &mut L) {
    let topic = log.create("fenced", false);
    let mut before = log.register("fenced", LONG);
    log.begin(&mut before);
    log.send(&mut before, &topic, "gone", Some("v"));
    let mut after = log.register("fenced", LONG);
    eventually(log, "stable", |log| log.watermarks(&topic, Reader::Committed) == (0, 2));
    assert_eq!(log.commit(&mut before), Err(Refused::Fenced));
    write(log, &mut after, &topic, &["stays"]);
    eventually_reads(log, &topic, &[seen(2, "stays", "v")]);
}

/// The coordinator aborts a transaction that is older than its timeout, and its producer cannot commit it any more.
pub fn a_transaction_that_takes_too_long_is_given_up<L: Log>(log: &mut L) {
    let topic = log.create("timeout", false);
    let mut producer = log.register("timeout", 1_000);
    log.begin(&mut producer);
    log.send(&mut producer, &topic, "gone", Some("v"));
    assert_eq!(log.watermarks(&topic, Reader::Committed), (0, 0));
    eventually(log, "given up", |log| log.watermarks(&topic, Reader::Committed) == (0, 2));
    assert!(log.commit(&mut producer).is_err(), "what was given up does not commit");
    assert_eq!(log.read(&topic, Reader::Committed), []);
}

/// While a transaction that moves an offset is open, the offset cannot be read; then both are there.
pub fn offsets_are_committed_with_their_transaction<L: Log>(log: &mut L) {
    let topic = log.create("offsets", false);
    let mut producer = log.register("offsets", LONG);
    let member = log.join("offsets", &topic, "offsets-1");
    assert_eq!(log.committed("offsets", &topic), Offset::Absent);
    for (next, metadata) in [(5, "txn_seq=1"), (9, "txn_seq=2")] {
        log.begin(&mut producer);
        let credentials = log.credentials(&member);
        log.send_offset(&mut producer, &credentials, &topic, next, metadata).expect("a member may");
        assert_eq!(log.committed("offsets", &topic), Offset::Unstable);
        log.commit(&mut producer).expect("it commits");
        let expected = Offset::At(next, metadata.to_owned());
        eventually(log, "a committed offset", |log| log.committed("offsets", &topic) == expected);
    }
    log.kill(member);
}

/// An abort leaves the offset of before.
pub fn offsets_of_an_aborted_transaction_are_forgotten<L: Log>(log: &mut L) {
    let topic = log.create("forgotten", false);
    let mut producer = log.register("forgotten", LONG);
    let member = log.join("forgotten", &topic, "forgotten-1");
    log.begin(&mut producer);
    let credentials = log.credentials(&member);
    log.send_offset(&mut producer, &credentials, &topic, 5, "").expect("a member may");
    log.abort(&mut producer).expect("it aborts");
    eventually(log, "no offset", |log| log.committed("forgotten", &topic) == Offset::Absent);
    log.kill(member);
}

/// When another member joins, the generation moves, and what was presented before is refused.
pub fn a_stale_generation_sends_no_offsets<L: Log>(log: &mut L) {
    let topic = log.create("stale", false);
    let mut producer = log.register("stale", LONG);
    let first = log.join("stale", &topic, "stale-1");
    let stale = log.credentials(&first);
    let second = log.join("stale", &topic, "stale-2");
    log.begin(&mut producer);
    assert_eq!(log.send_offset(&mut producer, &stale, &topic, 5, ""), Err(Refused::StaleMember));
    log.abort(&mut producer).expect("it aborts");
    log.begin(&mut producer);
    let fresh = log.credentials(&first);
    log.send_offset(&mut producer, &fresh, &topic, 5, "").expect("the present generation may");
    log.commit(&mut producer).expect("it commits");
    log.kill(first);
    log.kill(second);
}

/// A process with the static id of another takes its place, and that one is told so.
pub fn a_static_member_that_comes_back_replaces_the_one_before<L: Log>(log: &mut L) {
    let topic = log.create("replaced", false);
    let mut producer = log.register("replaced", LONG);
    let before = log.join("replaced", &topic, "replaced-1");
    let superseded = log.credentials(&before);
    log.kill(before);
    let after = log.join("replaced", &topic, "replaced-1");
    log.begin(&mut producer);
    let refused = log.send_offset(&mut producer, &superseded, &topic, 5, "");
    assert_eq!(refused, Err(Refused::SupersededMember));
    log.abort(&mut producer).expect("it aborts");
    log.kill(after);
}

/// The others keep their generation: partitions that were between two owners stay with nobody until the next rebalance.
pub fn a_static_member_that_comes_back_causes_no_rebalance<L: Log>(log: &mut L) {
    let topic = log.create("quiet", false);
    let mut producer = log.register("quiet", LONG);
    let (before, other) = (log.join("quiet", &topic, "quiet-1"), log.join("quiet", &topic, "quiet-2"));
    // Partitions may still move until both have one.
    let mut kept = log.credentials(&other);
    eventually(log, "a settled group", |log| {
        log.pass();
        log.begin(&mut producer);
        let is_current = log.send_offset(&mut producer, &kept, &topic, 1, "").is_ok();
        log.abort(&mut producer).expect("it aborts");
        if !is_current {
            kept = log.credentials(&other);
        }
        is_current
    });
    log.kill(before);
    let after = log.join("quiet", &topic, "quiet-1");
    log.begin(&mut producer);
    assert_eq!(log.send_offset(&mut producer, &kept, &topic, 5, ""), Ok(()));
    log.commit(&mut producer).expect("it commits");
    log.kill(after);
    log.kill(other);
}

/// Whoever knows no generation may send offsets of a group without members: a consumer that lost its place must not.
pub fn an_empty_group_takes_offsets_from_anybody<L: Log>(log: &mut L) {
    let topic = log.create("empty", false);
    let mut producer = log.register("empty", LONG);
    log.begin(&mut producer);
    let outsider = log.outsider("empty");
    assert_eq!(log.send_offset(&mut producer, &outsider, &topic, 5, "x"), Ok(()));
    log.commit(&mut producer).expect("it commits");
    eventually(log, "an offset", |log| log.committed("empty", &topic) == Offset::At(5, "x".to_owned()));
}

/// With members in it the group refuses that.
pub fn a_group_with_members_takes_no_offsets_from_others<L: Log>(log: &mut L) {
    let topic = log.create("closed", false);
    let mut producer = log.register("closed", LONG);
    let member = log.join("closed", &topic, "closed-1");
    log.begin(&mut producer);
    let outsider = log.outsider("closed");
    assert_eq!(log.send_offset(&mut producer, &outsider, &topic, 5, ""), Err(Refused::StaleMember));
    log.abort(&mut producer).expect("it aborts");
    log.kill(member);
}

/// The end stays where it was.
pub fn deleted_records_move_the_start<L: Log>(log: &mut L) {
    let topic = log.create("deleted", false);
    let mut producer = log.register("deleted", LONG);
    write(log, &mut producer, &topic, &["a", "b", "c"]);
    eventually(log, "a marker", |log| log.watermarks(&topic, Reader::Committed) == (0, 4));
    log.delete_before(&topic, 2);
    eventually(log, "deletion", |log| log.watermarks(&topic, Reader::Committed) == (2, 4));
    assert_eq!(log.read(&topic, Reader::Committed), [seen(2, "c", "v")]);
}

/// Of each key the last record stays, deletions among them; offsets have gaps, and the end stays where it was.
pub fn compaction_leaves_gaps_and_the_last_of_each_key<L: Log>(log: &mut L) {
    let topic = log.create("compacted", true);
    let mut producer = log.register("compacted", LONG);
    write(log, &mut producer, &topic, &["a", "b"]);
    log.begin(&mut producer);
    log.send(&mut producer, &topic, "a", Some("late"));
    log.send(&mut producer, &topic, "b", None);
    log.commit(&mut producer).expect("it commits");
    let expected = [seen(3, "a", "late"), Seen { offset: 4, key: "b".to_owned(), value: None }];
    let mut ticks = 0;
    eventually(log, "compaction", |log| {
        // What was written last is not compacted: something else has to follow.
        ticks += 1;
        if ticks % 8 == 1 {
            write(log, &mut producer, &topic, &["tick"]);
        }
        let records = log.read(&topic, Reader::Committed);
        records.len() >= 2 && records[..2] == expected
    });
    let (start, end) = log.watermarks(&topic, Reader::Committed);
    assert!(start <= 3 && end >= 6, "{start}..{end}");
}
