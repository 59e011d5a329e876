//! Sources wait while memory is short, and nothing else does.

mod script;

use expect_test::expect;
use script::check;

#[test]
fn sources_wait_and_what_is_open_commits() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 a; pressure on; pressure on; tick 100; ended committed; tick 100; pressure off;
         pressure off; record 0 1 b; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
            record 0 0 a -> begin
            pressure on -> pause 0, pause 1
            pressure on
            tick 100 -> commit 0@1#1 [a]
            ended committed -> published 1
            tick 100
            pressure off -> resume 0, resume 1
            pressure off
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
        "pressure on; assign 0@0#0; revoke 0; pressure off; assign 0@0#0",
        expect![[r#"
        pressure on
        assign 0@0#0 -> assign 0@0#0, pause 0
        revoke 0 -> unassign 0
        pressure off
        assign 0@0#0 -> assign 0@0#0, resume 0
        = idle, committed 0:[]
    "#]],
    );
}

#[test]
fn restores_go_on_and_their_partitions_wait_afterwards() {
    check(
        "stateful; pressure on; assign 0@0#0 1@0#0; restored 0; pressure off; restored 1",
        expect![[r#"
            stateful
            pressure on
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, pause 0, restore 0, pause 1, restore 1
            restored 0
            pressure off -> resume 0
            restored 1 -> resume 1
            = idle, committed 0:[] 1:[]
        "#]],
    );
}

#[test]
fn a_stall_and_a_wait_after_a_fault_outlast_it_and_it_outlasts_them() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 stall; pressure on; unstalled 0; pressure off; record 0 0 stall; pressure on;
         pressure off; unstalled 0",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
            record 0 0 stall -> pause 0, seek 0@0, stalled 0
            pressure on -> pause 1
            unstalled 0
            pressure off -> resume 0, resume 1
            record 0 0 stall -> pause 0, seek 0@0, stalled 0
            pressure on -> pause 1
            pressure off -> resume 1
            unstalled 0 -> resume 0
            = idle, committed 0:[] 1:[]
        "#]],
    );
    check(
        "assign 0@0#0; record 0 0 a; pressure on; produce-failed transient; aborted; tick 100; pressure off; record 0 0 a;
         tick 100",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            pressure on -> pause 0
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            tick 100
            pressure off -> resume 0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            = committing, committed 0:[]
        "#]],
    );
    check(
        "assign 0@0#0; record 0 0 a; produce-failed transient; aborted; pressure on; pressure off; tick 100",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            pressure on
            pressure off
            tick 100 -> resume 0
            = idle, committed 0:[]
        "#]],
    );
}

/// The last record of the open transaction was refused for its content: it comes again once there is room.
#[test]
fn a_record_that_has_to_come_again_waits() {
    check(
        "assign 0@0#0; record 0 0 a; record 0 1 b; pressure on; produce-failed content; aborted; tick 100; pressure off;
         record 0 0 a; tick 100; ended committed; record 0 1 b",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            record 0 1 b
            pressure on -> pause 0
            produce-failed content -> abort
            aborted -> seek 0@0
            tick 100
            pressure off -> resume 0
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
        "assign 0@0#0; due 0 0; pressure on; tick 0; ended committed",
        expect![[r#"
        assign 0@0#0 -> assign 0@0#0, resume 0
        due 0 0
        pressure on -> pause 0
        tick 0 -> begin, commit 0@0#1 [timer]
        ended committed -> published 0
        = idle, committed 0:[]
    "#]],
    );
}

#[test]
fn fenced_under_pressure_takes_partitions_anew_and_does_not_fetch() {
    check(
        "stateful; assign 0@5#2; restored 0; record 0 5 a; pressure on; tick 100; ended fenced; assign 0@5#2; restored 0;
         pressure off",
        expect![[r#"
            stateful
            assign 0@5#2 -> assign 0@5#2, pause 0, restore 0
            restored 0 -> resume 0
            record 0 5 a -> begin
            pressure on -> pause 0
            tick 100 -> commit 0@6#3 [a]
            ended fenced -> rejoin
            assign 0@5#2 -> assign 0@5#2, pause 0, restore 0
            restored 0
            pressure off -> resume 0
            = idle, committed 0:[]
        "#]],
    );
}

#[test]
fn whoever_drains_stops_under_pressure() {
    check(
        "assign 0@0#0; record 0 0 a; pressure on; drain; ended committed; pressure off",
        expect![[r#"
        assign 0@0#0 -> assign 0@0#0, resume 0
        record 0 0 a -> begin
        pressure on -> pause 0
        drain -> commit 0@1#1 [a]
        ended committed -> published 1, stop
        pressure off -> resume 0
        = stopped, committed 0:[a]
    "#]],
    );
}

/// What the client believes of a partition that it did not fetch from is old: it says nothing about silence.
#[test]
fn a_partition_that_waits_is_not_exhausted_nor_just_afterwards() {
    check(
        "assign 0@0#0; exhausted 0 0; pressure on; exhausted 0 100",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            exhausted 0 0
            pressure on -> pause 0
            exhausted 0 100
            = idle, committed 0:[], exhausted 0 nothing
        "#]],
    );
    check(
        "assign 0@0#0; pressure on; tick 500; pressure off; exhausted 0 1499",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            pressure on -> pause 0
            tick 500
            pressure off -> resume 0
            exhausted 0 1499
            = idle, committed 0:[], exhausted 0 nothing
        "#]],
    );
    check(
        "assign 0@0#0; pressure on; tick 500; pressure off; exhausted 0 1500",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            pressure on -> pause 0
            tick 500
            pressure off -> resume 0
            exhausted 0 1500
            = idle, committed 0:[], exhausted 0 1500
        "#]],
    );
}
