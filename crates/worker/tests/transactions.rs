//! When a transaction begins and ends, what it names, and what timers and restores do to it.

mod script;

use expect_test::expect;
use script::check;

#[test]
fn a_transaction_is_committed_by_interval() {
    check(
        "assign 0@0#0; record 0 0 a; tick 99; record 0 1 b; tick 1; ended committed; record 0 2 c;
         tick 100",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            tick 99
            record 0 1 b
            tick 1 -> commit 0@2#1 [a b]
            ended committed -> published 2
            record 0 2 c -> begin
            tick 100 -> commit 0@3#2 [c]
            = committing, committed 0:[a b]
        "#]],
    );
}

#[test]
fn a_transaction_is_committed_by_records() {
    check(
        "limit 2 1000; assign 0@0#0; record 0 0 a; tick 0; record 0 1 b; tick 0; ended committed",
        expect![[r#"
            limit 2 1000
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            tick 0
            record 0 1 b
            tick 0 -> commit 0@2#1 [a b]
            ended committed -> published 2
            = idle, committed 0:[a b]
        "#]],
    );
}

#[test]
fn a_transaction_is_committed_by_bytes() {
    check(
        "limit 100 10; assign 0@0#0; record 0 0 short; tick 0; record 0 1 longer; tick 0;
         ended committed",
        expect![[r#"
            limit 100 10
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 short -> begin
            tick 0
            record 0 1 longer
            tick 0 -> commit 0@2#1 [short longer]
            ended committed -> published 2
            = idle, committed 0:[short longer]
        "#]],
    );
}

#[test]
fn a_transaction_is_committed_after_the_clock_was_set_back() {
    check(
        "assign 0@0#0; record 0 0 a; tick -3600000; ended committed",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            tick -3600000 -> commit 0@1#1 [a]
            ended committed -> published 1
            = idle, committed 0:[a]
        "#]],
    );
}

/// One transaction moves several partitions; only those with a record in it count up.
#[test]
fn txn_seq_rises_by_one_per_commit_and_partition() {
    check(
        "assign 0@5#2 1@0#0; record 0 5 a; record 1 0 x; tick 100; ended committed; record 1 1 y;
         tick 100; ended committed; record 1 2 z; record 0 9 b; tick 100; ended committed",
        expect![[r#"
            assign 0@5#2 1@0#0 -> assign 0@5#2 1@0#0, resume 0, resume 1
            record 0 5 a -> begin
            record 1 0 x
            tick 100 -> commit 0@6#3 1@1#1 [a x]
            ended committed -> published 2
            record 1 1 y -> begin
            tick 100 -> commit 1@2#2 [y]
            ended committed -> published 1
            record 1 2 z -> begin
            record 0 9 b
            tick 100 -> commit 0@10#4 1@3#3 [z b]
            ended committed -> published 2
            = idle, committed 0:[a b] 1:[x y z]
        "#]],
    );
}

#[test]
fn timers_alone_name_an_owned_partition() {
    check(
        "assign 0@5#2 1@8#1; due 1 50; tick 49; tick 1; ended committed; tick 100",
        expect![[r#"
            assign 0@5#2 1@8#1 -> assign 0@5#2 1@8#1, resume 0, resume 1
            due 1 50
            tick 49
            tick 1 -> begin, commit 1@8#2 [timer]
            ended committed -> published 0
            tick 100
            = idle, committed 0:[] 1:[]
        "#]],
    );
}

/// Not owned, or not yet restored.
#[test]
fn timers_of_others_begin_nothing() {
    check(
        "stateful; assign 0@5#2; due 0 0; tick 0; due 7 0; tick 0; due 0 0; restored 0; tick 0",
        expect![[r#"
            stateful
            assign 0@5#2 -> assign 0@5#2, pause 0, restore 0
            due 0 0
            tick 0
            due 7 0
            tick 0
            due 0 0
            restored 0 -> resume 0
            tick 0 -> begin, commit 0@5#3 [timer]
            = committing, committed 0:[]
        "#]],
    );
}

#[test]
fn timers_alone_whose_outcome_is_unknown() {
    check(
        "assign 0@5#2; due 0 0; tick 0; ended indeterminate; read 3; tick 0",
        expect![[r#"
            assign 0@5#2 -> assign 0@5#2, resume 0
            due 0 0
            tick 0 -> begin, commit 0@5#3 [timer]
            ended indeterminate -> resolve 0@5#3
            read 3 -> published 0
            tick 0
            = idle, committed 0:[]
        "#]],
    );
}

#[test]
fn timers_alone_that_were_refused_blame_no_record_and_wait() {
    check(
        "assign 0@5#2; due 0 0; tick 0; ended content; aborted; tick 0; tick 99; tick 1;
         ended committed; record 0 5 a; tick 100",
        expect![[r#"
            assign 0@5#2 -> assign 0@5#2, resume 0
            due 0 0
            tick 0 -> begin, commit 0@5#3 [timer]
            ended content -> abort
            aborted -> seek 0@5, pause 0
            tick 0
            tick 99
            tick 1 -> resume 0, begin, commit 0@5#3 [timer]
            ended committed -> published 0
            record 0 5 a -> begin
            tick 100 -> commit 0@6#4 [a]
            = committing, committed 0:[]
        "#]],
    );
}

#[test]
fn nothing_is_read_before_the_restore_is_done() {
    check(
        "stateful; assign 0@0#0 1@0#0; restored 1; record 1 0 x; tick 100; ended committed;
         restored 0; record 0 0 a; tick 100; ended committed",
        expect![[r#"
            stateful
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, pause 0, restore 0, pause 1, restore 1
            restored 1 -> resume 1
            record 1 0 x -> begin
            tick 100 -> commit 1@1#1 [x]
            ended committed -> published 1
            restored 0 -> resume 0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended committed -> published 1
            = idle, committed 0:[a] 1:[x]
        "#]],
    );
}
