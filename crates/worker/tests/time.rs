//! What a worker does with time: timers alone, timers and input in turns, and what it believes to be exhausted.

mod script;

use expect_test::expect;
use script::check;

#[test]
fn timers_that_do_not_fit_alternate_with_input() {
    check(
        "assign 0@0#0; due 0 0; portion 3; record 0 0 a; tick 0; ended committed; record 0 1 b; tick 0;
         ended committed; tick 0; ended committed; record 0 2 c; tick 0; tick 100",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            due 0 0
            portion 3
            record 0 0 a -> begin
            tick 0 -> commit 0@1#1 [a timer]
            ended committed -> published 1
            record 0 1 b -> begin
            tick 0 -> commit 0@2#2 [b timer]
            ended committed -> published 1
            tick 0 -> begin, commit 0@2#3 [timer]
            ended committed -> published 0
            record 0 2 c -> begin
            tick 0
            tick 100 -> commit 0@3#4 [c]
            = committing, committed 0:[a b]
        "#]],
    );
}

#[test]
fn timers_alone_that_were_fenced_are_dropped_with_everything() {
    check(
        "stateful; assign 0@5#2; restored 0; due 0 0; tick 0; ended fenced; tick 0; assign 0@5#2; restored 0; tick 0;
         ended committed; tick 0",
        expect![[r#"
            stateful
            assign 0@5#2 -> assign 0@5#2, pause 0, restore 0
            restored 0 -> resume 0
            due 0 0
            tick 0 -> begin, commit 0@5#3 [timer]
            ended fenced -> rejoin
            tick 0
            assign 0@5#2 -> assign 0@5#2, pause 0, restore 0
            restored 0 -> resume 0
            tick 0 -> begin, commit 0@5#3 [timer]
            ended committed -> published 0
            tick 0
            = idle, committed 0:[]
        "#]],
    );
}

#[test]
fn timers_alone_whose_outcome_was_an_abort_fire_again() {
    check(
        "assign 0@5#2; due 0 0; tick 0; ended indeterminate; read 2; tick 0; ended committed; tick 0",
        expect![[r#"
            assign 0@5#2 -> assign 0@5#2, resume 0
            due 0 0
            tick 0 -> begin, commit 0@5#3 [timer]
            ended indeterminate -> resolve 0@5#3
            read 2 -> seek 0@5
            tick 0 -> begin, commit 0@5#3 [timer]
            ended committed -> published 0
            tick 0
            = idle, committed 0:[]
        "#]],
    );
}

#[test]
fn only_a_partition_that_is_read_can_be_exhausted() {
    check(
        "assign 0@0#0; exhausted 0 500",
        expect![[r#"
        assign 0@0#0 -> assign 0@0#0, resume 0
        exhausted 0 500
        = idle, committed 0:[], exhausted 0 500
    "#]],
    );
    check(
        "assign 0@0#0; exhausted 0 500; exhausted 0 nothing",
        expect![[r#"
        assign 0@0#0 -> assign 0@0#0, resume 0
        exhausted 0 500
        exhausted 0 nothing
        = idle, committed 0:[], exhausted 0 nothing
    "#]],
    );
    check(
        "stateful; assign 0@0#0; exhausted 0 500",
        expect![[r#"
        stateful
        assign 0@0#0 -> assign 0@0#0, pause 0, restore 0
        exhausted 0 500
        = idle, committed 0:[], exhausted 0 nothing
    "#]],
    );
    check(
        "assign 0@0#0; record 0 0 stall; exhausted 0 500",
        expect![[r#"
        assign 0@0#0 -> assign 0@0#0, resume 0
        record 0 0 stall -> pause 0, seek 0@0, stalled 0
        exhausted 0 500
        = idle, committed 0:[], exhausted 0 nothing
    "#]],
    );
    check(
        "assign 0@0#0; exhausted 7 500",
        expect![[r#"
        assign 0@0#0 -> assign 0@0#0, resume 0
        exhausted 7 500
        = idle, committed 0:[]
    "#]],
    );
}

/// The client has read to the end; the record that comes again after an abort is not applied yet.
#[test]
fn a_record_that_has_to_come_again_is_something_left_to_read() {
    check(
        "assign 0@0#0; record 0 0 a; tick 100; ended transient; aborted; exhausted 0 100; tick 100; exhausted 0 200",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended transient -> abort
            aborted -> seek 0@0, pause 0
            exhausted 0 100
            tick 100 -> resume 0
            exhausted 0 200
            = idle, committed 0:[], exhausted 0 nothing
        "#]],
    );
    check(
        "assign 0@0#0; record 0 0 a; tick 100; ended transient; aborted; tick 100; record 0 0 a; exhausted 0 300",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended transient -> abort
            aborted -> seek 0@0, pause 0
            tick 100 -> resume 0
            record 0 0 a -> begin
            exhausted 0 300
            = open, committed 0:[], exhausted 0 300
        "#]],
    );
}
