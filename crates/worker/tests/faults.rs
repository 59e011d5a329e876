//! Outputs that fail, waits, records that stall: back to the committed position, and on.

mod script;

use expect_test::expect;
use script::check;

#[test]
fn a_failed_output_goes_back_to_the_committed_positions() {
    check(
        "assign 0@0#0 1@7#3; record 0 0 a; tick 100; ended committed; record 0 1 b; record 1 8 x;
         produce-failed transient; aborted; tick 99; tick 1; record 0 1 b; record 1 8 x; tick 100;
         ended committed",
        expect![[r#"
            assign 0@0#0 1@7#3 -> assign 0@0#0 1@7#3, resume 0, resume 1
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended committed -> published 1
            record 0 1 b -> begin
            record 1 8 x
            produce-failed transient -> abort
            aborted -> seek 0@1 1@7, pause 0, pause 1
            tick 99
            tick 1 -> resume 0, resume 1
            record 0 1 b -> begin
            record 1 8 x
            tick 100 -> commit 0@2#2 1@9#4 [b x]
            ended committed -> published 2
            = idle, committed 0:[a b] 1:[x]
        "#]],
    );
}

#[test]
fn a_record_skipped_after_an_abort_is_a_bug() {
    check(
        "assign 0@0#0; record 0 3 a; record 0 4 b; produce-failed transient; aborted; tick 100;
         record 0 4 b",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 3 a -> begin
            record 0 4 b
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            tick 100 -> resume 0
            record 0 4 b -> panics: records were skipped in TaskId { topic: 0, partition: 0 }
            = idle, committed 0:[]
        "#]],
    );
}

#[test]
fn a_record_read_twice_is_a_bug() {
    check(
        "assign 0@0#0; record 0 3 a; record 0 3 a",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 3 a -> begin
            record 0 3 a -> panics: offset went backwards in TaskId { topic: 0, partition: 0 }
            = open, committed 0:[]
        "#]],
    );
}

#[test]
fn a_failed_abort_is_resolved_by_a_new_producer() {
    check(
        "assign 0@0#0; record 0 0 a; produce-failed transient; abort-failed; read 0; tick 100;
         record 0 0 a; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            produce-failed transient -> abort
            abort-failed -> resolve 0@1#1
            read 0 -> seek 0@0, pause 0
            tick 100 -> resume 0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended committed -> published 1
            = idle, committed 0:[a]
        "#]],
    );
}

/// A stall alone begins no transaction.
#[test]
fn a_stalled_partition_waits_and_the_others_go_on() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 stall; tick 100; record 1 0 x; tick 100; ended committed;
         unstalled 0; record 0 0 a; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
            record 0 0 stall -> pause 0, seek 0@0, stalled 0
            tick 100
            record 1 0 x -> begin
            tick 100 -> commit 1@1#1 [x]
            ended committed -> published 1
            unstalled 0 -> resume 0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended committed -> published 1
            = idle, committed 0:[a] 1:[x]
        "#]],
    );
}

#[test]
fn a_stall_inside_a_transaction_keeps_what_came_before() {
    check(
        "assign 0@0#0; record 0 0 a; record 0 1 stall; tick 100; ended committed; unstalled 0;
         record 0 1 b; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            record 0 1 stall -> pause 0, seek 0@1, stalled 0
            tick 100 -> commit 0@1#1 [a]
            ended committed -> published 1
            unstalled 0 -> resume 0
            record 0 1 b -> begin
            tick 100 -> commit 0@2#2 [b]
            ended committed -> published 1
            = idle, committed 0:[a b]
        "#]],
    );
}

#[test]
fn a_stall_and_an_abort_go_back_to_the_committed_position() {
    check(
        "assign 0@0#0; record 0 0 a; record 0 1 stall; produce-failed transient; aborted; tick 100;
         unstalled 0; record 0 0 a; record 0 1 b; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            record 0 1 stall -> pause 0, seek 0@1, stalled 0
            produce-failed transient -> abort
            aborted -> seek 0@0
            tick 100
            unstalled 0 -> resume 0
            record 0 0 a -> begin
            record 0 1 b
            tick 100 -> commit 0@2#1 [a b]
            ended committed -> published 2
            = idle, committed 0:[a b]
        "#]],
    );
}

#[test]
fn a_record_behind_a_stalled_one_is_a_bug() {
    check(
        "assign 0@0#0; record 0 0 stall; record 0 1 b",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 stall -> pause 0, seek 0@0, stalled 0
            record 0 1 b -> panics: records were skipped in TaskId { topic: 0, partition: 0 }
            = idle, committed 0:[]
        "#]],
    );
}

/// A commit ends the row.
#[test]
fn faults_in_a_row_wait_longer_up_to_ten_seconds() {
    check(
        "assign 0@0#0; record 0 0 a; produce-failed transient; aborted; tick 99; tick 1;
         record 0 0 a; produce-failed transient; aborted; tick 199; tick 1; record 0 0 a;
         produce-failed transient; aborted; tick 399; tick 1; record 0 0 a;
         produce-failed transient; aborted; tick 799; tick 1; record 0 0 a;
         produce-failed transient; aborted; tick 1599; tick 1; record 0 0 a;
         produce-failed transient; aborted; tick 3199; tick 1; record 0 0 a;
         produce-failed transient; aborted; tick 6399; tick 1; record 0 0 a;
         produce-failed transient; aborted; tick 9999; tick 1; record 0 0 a;
         produce-failed transient; aborted; tick 9999; tick 1; record 0 0 a; tick 100;
         ended committed; record 0 1 b; produce-failed transient; aborted; tick 99; tick 1",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            tick 99
            tick 1 -> resume 0
            record 0 0 a -> begin
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            tick 199
            tick 1 -> resume 0
            record 0 0 a -> begin
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            tick 399
            tick 1 -> resume 0
            record 0 0 a -> begin
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            tick 799
            tick 1 -> resume 0
            record 0 0 a -> begin
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            tick 1599
            tick 1 -> resume 0
            record 0 0 a -> begin
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            tick 3199
            tick 1 -> resume 0
            record 0 0 a -> begin
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            tick 6399
            tick 1 -> resume 0
            record 0 0 a -> begin
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            tick 9999
            tick 1 -> resume 0
            record 0 0 a -> begin
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            tick 9999
            tick 1 -> resume 0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended committed -> published 1
            record 0 1 b -> begin
            produce-failed transient -> abort
            aborted -> seek 0@1, pause 0
            tick 99
            tick 1 -> resume 0
            = idle, committed 0:[a]
        "#]],
    );
}

/// A restore that is done, a stall that is over, a partition that is assigned.
#[test]
fn what_comes_while_waiting_stays_paused_until_the_wait_is_over() {
    check(
        "stateful; assign 0@0#0 1@0#0 2@0#0; restored 0; restored 1; record 1 0 stall; record 0 0 a;
         produce-failed transient; aborted; restored 2; unstalled 1; assign 3@0#0; tick 100;
         restored 3",
        expect![[r#"
            stateful
            assign 0@0#0 1@0#0 2@0#0 -> assign 0@0#0 1@0#0 2@0#0, pause 0, restore 0, pause 1, restore 1, pause 2, restore 2
            restored 0 -> resume 0
            restored 1 -> resume 1
            record 1 0 stall -> pause 1, seek 1@0, stalled 1
            record 0 0 a -> begin
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0
            restored 2
            unstalled 1
            assign 3@0#0 -> assign 3@0#0, pause 3, restore 3
            tick 100 -> resume 0, resume 1, resume 2
            restored 3 -> resume 3
            = idle, committed 0:[] 1:[] 2:[] 3:[]
        "#]],
    );
}

#[test]
fn a_partition_that_left_paused_comes_back_unpaused() {
    check(
        "assign 0@0#0; record 0 0 stall; revoke 0; assign 0@0#0; record 0 0 a; tick 100;
         ended committed",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 stall -> pause 0, seek 0@0, stalled 0
            revoke 0 -> unassign 0
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended committed -> published 1
            = idle, committed 0:[a]
        "#]],
    );
}

#[test]
fn a_partition_revoked_while_waiting_is_given_back_at_once() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 a; produce-failed transient; aborted; revoke 0; tick 100;
         drain",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
            record 0 0 a -> begin
            produce-failed transient -> abort
            aborted -> seek 0@0, pause 0, pause 1
            revoke 0 -> unassign 0
            tick 100 -> resume 1
            drain -> stop
            = stopped, committed 1:[]
        "#]],
    );
}
