//! Sources wait while memory is short, and nothing else does.

mod script;

use expect_test::expect;
use script::check;

#[test]
fn sources_wait_and_what_is_open_commits() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 a; memory short; memory short; tick 100; ended committed; tick 100; memory room;
         memory room; record 0 1 b; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
            record 0 0 a -> begin
            memory short -> pause 0, pause 1
            memory short
            tick 100 -> commit 0@1#1 [a]
            ended committed -> published 1
            tick 100
            memory room -> resume 0, resume 1
            memory room
            record 0 1 b -> begin
            tick 100 -> commit 0@2#2 [b]
            ended committed -> published 1
            = idle, committed 0:[a b] 1:[]
        "#]],
    );
}

#[test]
fn partitions_that_come_meanwhile_wait_too() {
    check(
        "memory short; assign 0@0#0; revoke 0; memory room; assign 0@0#0",
        expect![[r#"
        memory short
        assign 0@0#0 -> assign 0@0#0, pause 0
        revoke 0 -> unassign 0
        memory room
        assign 0@0#0 -> assign 0@0#0, resume 0
        = idle, committed 0:[]
    "#]],
    );
}

#[test]
fn restores_go_on_and_their_partitions_wait_afterwards() {
    check(
        "stateful; memory short; assign 0@0#0 1@0#0; restored 0; memory room; restored 1",
        expect![[r#"
            stateful
            memory short
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, pause 0, restore 0, pause 1, restore 1
            restored 0
            memory room -> resume 0
            restored 1 -> resume 1
            = idle, committed 0:[] 1:[]
        "#]],
    );
}

#[test]
fn a_stall_and_a_wait_after_a_fault_outlast_it_and_it_outlasts_them() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 stall; memory short; unstalled 0; memory room; record 0 0 stall; memory short;
         memory room; unstalled 0",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
            record 0 0 stall -> pause 0, seek 0@0, stalled 0
            memory short -> pause 1
            unstalled 0
            memory room -> resume 0, resume 1
            record 0 0 stall -> pause 0, seek 0@0, stalled 0
            memory short -> pause 1
            memory room -> resume 1
            unstalled 0 -> resume 0
            = idle, committed 0:[] 1:[]
        "#]],
    );
    check(
        "assign 0@0#0; record 0 0 a; memory short; produce-failed transient; aborted; tick 100; memory room; record 0 0 a;
         tick 100",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            memory short -> pause 0
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            tick 100
            memory room -> resume 0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            = committing, committed 0:[]
        "#]],
    );
    check(
        "assign 0@0#0; record 0 0 a; produce-failed transient; aborted; memory short; memory room; tick 100",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            memory short
            memory room
            tick 100 -> resume 0
            = idle, committed 0:[]
        "#]],
    );
}

/// The last record of the open transaction was refused for its content: it comes again once there is room.
#[test]
fn a_record_that_has_to_come_again_waits() {
    check(
        "assign 0@0#0; record 0 0 a; record 0 1 b; memory short; produce-failed content; aborted; tick 100; memory room;
         record 0 0 a; tick 100; ended committed; record 0 1 b",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            record 0 1 b
            memory short -> pause 0
            produce-failed content -> abort
            aborted -> seek 0@0
            tick 100
            memory room -> resume 0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended committed -> published 1
            record 0 1 b -> begin
            = open, full, committed 0:[a]
        "#]],
    );
}

#[test]
fn timers_fire() {
    check(
        "assign 0@0#0; due 0 0; memory short; tick 0; ended committed",
        expect![[r#"
        assign 0@0#0 -> assign 0@0#0, resume 0
        due 0 0
        memory short -> pause 0
        tick 0 -> begin, commit 0@0#1 [timer]
        ended committed -> published 0
        = idle, committed 0:[]
    "#]],
    );
}

#[test]
fn fenced_under_pressure_takes_partitions_anew_and_does_not_fetch() {
    check(
        "stateful; assign 0@5#2; restored 0; record 0 5 a; memory short; tick 100; ended fenced; assign 0@5#2; restored 0;
         memory room",
        expect![[r#"
            stateful
            assign 0@5#2 -> assign 0@5#2, pause 0, restore 0
            restored 0 -> resume 0
            record 0 5 a -> begin
            memory short -> pause 0
            tick 100 -> commit 0@6#3 [a]
            ended fenced -> rejoin
            assign 0@5#2 -> assign 0@5#2, pause 0, restore 0
            restored 0
            memory room -> resume 0
            = idle, committed 0:[]
        "#]],
    );
}

#[test]
fn whoever_drains_stops_under_pressure() {
    check(
        "assign 0@0#0; record 0 0 a; memory short; drain; ended committed; memory room",
        expect![[r#"
        assign 0@0#0 -> assign 0@0#0, resume 0
        record 0 0 a -> begin
        memory short -> pause 0
        drain -> commit 0@1#1 [a]
        ended committed -> published 1, stop
        memory room -> resume 0
        = stopped, committed 0:[a]
    "#]],
    );
}

/// What the client believes of a partition that it did not fetch from is old: it says nothing about silence.
#[test]
fn a_partition_that_waits_is_not_exhausted_nor_just_afterwards() {
    check(
        "assign 0@0#0; exhausted 0 0; memory short; exhausted 0 100",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            exhausted 0 0
            memory short -> pause 0
            exhausted 0 100
            = idle, committed 0:[], exhausted 0 nothing
        "#]],
    );
    check(
        "assign 0@0#0; memory short; tick 500; memory room; exhausted 0 1499",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            memory short -> pause 0
            tick 500
            memory room -> resume 0
            exhausted 0 1499
            = idle, committed 0:[], exhausted 0 nothing
        "#]],
    );
    check(
        "assign 0@0#0; memory short; tick 500; memory room; exhausted 0 1500",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            memory short -> pause 0
            tick 500
            memory room -> resume 0
            exhausted 0 1500
            = idle, committed 0:[], exhausted 0 1500
        "#]],
    );
}

/// A transaction holds several times what it changes when it ends: it must be small before there is no room for that.
#[test]
fn where_memory_is_tight_transactions_are_small() {
    check(
        "limit 100 16; assign 0@0#0; memory tight; record 0 0 a; tick 0; record 0 1 b; tick 0; ended committed; memory room;
         record 0 2 c; record 0 3 d; tick 0",
        expect![[r#"
            limit 100 16
            assign 0@0#0 -> assign 0@0#0, resume 0
            memory tight
            record 0 0 a -> begin
            tick 0
            record 0 1 b
            tick 0 -> commit 0@2#1 [a b]
            ended committed -> published 2
            memory room
            record 0 2 c -> begin
            record 0 3 d
            tick 0
            = open, committed 0:[a b]
        "#]],
    );
    check(
        "assign 0@0#0; memory short; memory tight; memory room; memory tight",
        expect![[r#"
        assign 0@0#0 -> assign 0@0#0, resume 0
        memory short -> pause 0
        memory tight -> resume 0
        memory room
        memory tight
        = idle, committed 0:[]
    "#]],
    );
}
