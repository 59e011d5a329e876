//! Scripts of what happens to a worker, each with what it wants at every step.

mod script;

use expect_test::expect;
use script::check;

#[test]
fn a_transaction_is_committed_by_interval() {
    check(
        "assign 0@0#0; record 0 0 a; tick 99; record 0 1 b; tick 1; ended committed; record 0 2 c; tick 100",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
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
            assign 0@0#0 -> assign 0@0#0
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
        "limit 100 10; assign 0@0#0; record 0 0 short; tick 0; record 0 1 longer; tick 0; ended committed",
        expect![[r#"
            limit 100 10
            assign 0@0#0 -> assign 0@0#0
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
            assign 0@0#0 -> assign 0@0#0
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
        "assign 0@5#2 1@0#0; record 0 5 a; record 1 0 x; tick 100; ended committed; record 1 1 y; tick 100; ended committed; record 1 2 z; record 0 9 b; tick 100; ended committed",
        expect![[r#"
            assign 0@5#2 1@0#0 -> assign 0@5#2 1@0#0
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
fn revoked_partitions_are_given_back_after_the_commit() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 a; record 1 0 x; revoke 0; ended committed; record 1 1 y; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0
            record 0 0 a -> begin
            record 1 0 x
            revoke 0 -> commit 0@1#1 1@1#1 [a x]
            ended committed -> published 2, unassign 0
            record 1 1 y -> begin
            tick 100 -> commit 1@2#2 [y]
            ended committed -> published 1
            = idle, committed 1:[x y]
        "#]],
    );
}

/// The partition that stays goes back to its committed position, the other one is its next owner's.
#[test]
fn revoked_partitions_are_given_back_after_an_abort() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 a; record 1 0 x; revoke 0; ended transient; aborted; record 1 0 x; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0
            record 0 0 a -> begin
            record 1 0 x
            revoke 0 -> commit 0@1#1 1@1#1 [a x]
            ended transient -> abort
            aborted -> seek 1@0, unassign 0
            record 1 0 x -> begin
            tick 100 -> commit 1@1#1 [x]
            ended committed -> published 1
            = idle, committed 1:[x]
        "#]],
    );
}

#[test]
fn partitions_revoked_while_committing_wait_for_the_end() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 a; tick 100; revoke 0; revoke 0; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            revoke 0
            revoke 0
            ended committed -> published 1, unassign 0
            = idle, committed 1:[]
        "#]],
    );
}

/// Its late restore and the stall of a former owner change nothing.
#[test]
fn a_partition_revoked_under_restore_is_given_back_at_once() {
    check(
        "stateful; assign 0@0#0; revoke 0; restored 0; unstalled 0; assign 0@4#1; restored 0; record 0 4 a; tick 100; ended committed",
        expect![[r#"
            stateful
            assign 0@0#0 -> assign 0@0#0, pause 0, restore 0
            revoke 0 -> unassign 0
            restored 0
            unstalled 0
            assign 0@4#1 -> assign 0@4#1, pause 0, restore 0
            restored 0 -> resume 0
            record 0 4 a -> begin
            tick 100 -> commit 0@5#2 [a]
            ended committed -> published 1
            = idle, committed 0:[a]
        "#]],
    );
}

#[test]
fn lost_while_open_commits_nothing() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 a; record 1 0 x; lost 0; aborted; record 1 0 x; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0
            record 0 0 a -> begin
            record 1 0 x
            lost 0 -> abort
            aborted -> seek 1@0, unassign 0
            record 1 0 x -> begin
            tick 100 -> commit 1@1#1 [x]
            ended committed -> published 1
            = idle, committed 1:[x]
        "#]],
    );
}

#[test]
fn lost_while_committing_takes_the_outcome_as_it_comes() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 a; record 1 0 x; tick 100; lost 0; ended committed; record 1 1 y; tick 100",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0
            record 0 0 a -> begin
            record 1 0 x
            tick 100 -> commit 0@1#1 1@1#1 [a x]
            lost 0
            ended committed -> published 2, unassign 0
            record 1 1 y -> begin
            tick 100 -> commit 1@2#2 [y]
            = committing, committed 1:[x]
        "#]],
    );
}

/// The numbers of a lost partition are its next owner's and prove nothing.
#[test]
fn lost_while_committing_and_indeterminate_asks_a_partition_that_is_still_owned() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 a; record 1 0 x; tick 100; lost 0; ended indeterminate; read 0",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0
            record 0 0 a -> begin
            record 1 0 x
            tick 100 -> commit 0@1#1 1@1#1 [a x]
            lost 0
            ended indeterminate -> resolve 1@1#1
            read 0 -> seek 1@0, unassign 0
            = idle, committed 1:[]
        "#]],
    );
}

/// The next owner's first transaction has the number that ours would have had.
#[test]
fn lost_while_the_only_partition_is_asked_for_drops_everything() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 a; tick 100; ended indeterminate; lost 0; read 1",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended indeterminate -> resolve 0@1#1
            lost 0
            read 1 -> rejoin
            = idle, committed 
        "#]],
    );
}

#[test]
fn lost_with_nothing_left_to_ask_drops_everything() {
    check(
        "assign 0@0#0; record 0 0 a; tick 100; lost 0; ended indeterminate",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            lost 0
            ended indeterminate -> rejoin
            = idle, committed 
        "#]],
    );
}

#[test]
fn a_failed_output_goes_back_to_the_committed_positions() {
    check(
        "assign 0@0#0 1@7#3; record 0 0 a; tick 100; ended committed; record 0 1 b; record 1 8 x; produce-failed transient; aborted; record 0 1 b; record 1 8 x; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@7#3 -> assign 0@0#0 1@7#3
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended committed -> published 1
            record 0 1 b -> begin
            record 1 8 x
            produce-failed transient -> abort
            aborted -> seek 0@1 1@7
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
        "assign 0@0#0; record 0 3 a; record 0 4 b; produce-failed transient; aborted; record 0 4 b",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
            record 0 3 a -> begin
            record 0 4 b
            produce-failed transient -> abort
            aborted -> seek 0@0
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
            assign 0@0#0 -> assign 0@0#0
            record 0 3 a -> begin
            record 0 3 a -> panics: offset went backwards in TaskId { topic: 0, partition: 0 }
            = open, committed 0:[]
        "#]],
    );
}

#[test]
fn a_failed_abort_is_resolved_by_a_new_producer() {
    check(
        "assign 0@0#0; record 0 0 a; produce-failed transient; abort-failed; read 0; record 0 0 a; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
            record 0 0 a -> begin
            produce-failed transient -> abort
            abort-failed -> resolve 0@1#1
            read 0 -> seek 0@0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended committed -> published 1
            = idle, committed 0:[a]
        "#]],
    );
}

#[test]
fn indeterminate_and_committed() {
    check(
        "assign 0@0#0 1@3#9; record 0 0 a; record 1 3 x; tick 100; ended indeterminate; read 1; record 1 4 y; tick 100",
        expect![[r#"
            assign 0@0#0 1@3#9 -> assign 0@0#0 1@3#9
            record 0 0 a -> begin
            record 1 3 x
            tick 100 -> commit 0@1#1 1@4#10 [a x]
            ended indeterminate -> resolve 0@1#1
            read 1 -> published 2
            record 1 4 y -> begin
            tick 100 -> commit 1@5#11 [y]
            = committing, committed 0:[a] 1:[x]
        "#]],
    );
}

#[test]
fn indeterminate_and_not_committed() {
    check(
        "assign 0@0#0 1@3#9; record 0 0 a; record 1 3 x; tick 100; ended indeterminate; read 0; record 0 0 a; tick 100",
        expect![[r#"
            assign 0@0#0 1@3#9 -> assign 0@0#0 1@3#9
            record 0 0 a -> begin
            record 1 3 x
            tick 100 -> commit 0@1#1 1@4#10 [a x]
            ended indeterminate -> resolve 0@1#1
            read 0 -> seek 0@0 1@3
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            = committing, committed 0:[] 1:[]
        "#]],
    );
}

#[test]
fn indeterminate_and_unreadable() {
    check(
        "assign 0@0#0 1@3#9; record 0 0 a; tick 100; ended indeterminate; read nothing; assign 0@1#1; record 0 1 b; tick 100",
        expect![[r#"
            assign 0@0#0 1@3#9 -> assign 0@0#0 1@3#9
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended indeterminate -> resolve 0@1#1
            read nothing -> rejoin
            assign 0@1#1 -> assign 0@1#1
            record 0 1 b -> begin
            tick 100 -> commit 0@2#2 [b]
            = committing, committed 0:[]
        "#]],
    );
}

#[test]
fn indeterminate_and_moved_by_somebody_else() {
    check(
        "assign 0@0#0; record 0 0 a; tick 100; ended indeterminate; read 2",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended indeterminate -> resolve 0@1#1
            read 2 -> rejoin
            = idle, committed 
        "#]],
    );
}

#[test]
fn fenced_drops_everything() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 a; tick 100; revoke 1; ended fenced; assign 0@5#4; record 0 5 f; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            revoke 1
            ended fenced -> rejoin
            assign 0@5#4 -> assign 0@5#4
            record 0 5 f -> begin
            tick 100 -> commit 0@6#5 [f]
            ended committed -> published 1
            = idle, committed 0:[f]
        "#]],
    );
}

#[test]
fn drain_commits_what_is_open_and_stops() {
    check(
        "assign 0@0#0; record 0 0 a; drain; ended committed; tick 100",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
            record 0 0 a -> begin
            drain -> commit 0@1#1 [a]
            ended committed -> published 1, stop
            tick 100
            = stopped, committed 0:[a]
        "#]],
    );
}

#[test]
fn drain_while_committing() {
    check(
        "assign 0@0#0; record 0 0 a; tick 100; drain; drain; ended committed",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            drain
            drain
            ended committed -> published 1, stop
            = stopped, committed 0:[a]
        "#]],
    );
}

#[test]
fn drain_while_aborting() {
    check(
        "assign 0@0#0; record 0 0 a; produce-failed transient; drain; aborted",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
            record 0 0 a -> begin
            produce-failed transient -> abort
            drain
            aborted -> seek 0@0, stop
            = stopped, committed 0:[]
        "#]],
    );
}

#[test]
fn drain_while_the_outcome_is_read() {
    check(
        "assign 0@0#0; record 0 0 a; tick 100; ended indeterminate; drain; read 1",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended indeterminate -> resolve 0@1#1
            drain
            read 1 -> published 1, stop
            = stopped, committed 0:[a]
        "#]],
    );
}

#[test]
fn drain_and_fenced_joins_nothing() {
    check(
        "assign 0@0#0; record 0 0 a; drain; ended fenced",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
            record 0 0 a -> begin
            drain -> commit 0@1#1 [a]
            ended fenced -> stop
            = stopped, committed 
        "#]],
    );
}

#[test]
fn drain_under_restore() {
    check(
        "stateful; assign 0@0#0; drain",
        expect![[r#"
            stateful
            assign 0@0#0 -> assign 0@0#0, pause 0, restore 0
            drain -> stop
            = stopped, committed 0:[]
        "#]],
    );
}

#[test]
fn drain_gives_back_what_was_revoked() {
    check(
        "assign 0@0#0; record 0 0 a; drain; revoke 0; ended committed",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
            record 0 0 a -> begin
            drain -> commit 0@1#1 [a]
            revoke 0
            ended committed -> published 1, unassign 0, stop
            = stopped, committed 
        "#]],
    );
}

/// A stall alone begins no transaction.
#[test]
fn a_stalled_partition_waits_and_the_others_go_on() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 stall; tick 100; record 1 0 x; tick 100; ended committed; unstalled 0; record 0 0 a; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0
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
        "assign 0@0#0; record 0 0 a; record 0 1 stall; tick 100; ended committed; unstalled 0; record 0 1 b; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
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
        "assign 0@0#0; record 0 0 a; record 0 1 stall; produce-failed transient; aborted; unstalled 0; record 0 0 a; record 0 1 b; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
            record 0 0 a -> begin
            record 0 1 stall -> pause 0, seek 0@1, stalled 0
            produce-failed transient -> abort
            aborted -> seek 0@0
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
            assign 0@0#0 -> assign 0@0#0
            record 0 0 stall -> pause 0, seek 0@0, stalled 0
            record 0 1 b -> panics: records were skipped in TaskId { topic: 0, partition: 0 }
            = idle, committed 0:[]
        "#]],
    );
}

#[test]
fn timers_alone_name_an_owned_partition() {
    check(
        "assign 0@5#2 1@8#1; due 1 50; tick 49; tick 1; ended committed; tick 100",
        expect![[r#"
            assign 0@5#2 1@8#1 -> assign 0@5#2 1@8#1
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
            assign 0@5#2 -> assign 0@5#2
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
        "assign 0@5#2; due 0 0; tick 0; ended content; aborted; tick 0; tick 999; tick 1; ended committed; record 0 5 a; tick 100",
        expect![[r#"
            assign 0@5#2 -> assign 0@5#2
            due 0 0
            tick 0 -> begin, commit 0@5#3 [timer]
            ended content -> abort
            aborted -> seek 0@5
            tick 0
            tick 999
            tick 1 -> begin, commit 0@5#3 [timer]
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
        "stateful; assign 0@0#0 1@0#0; restored 1; record 1 0 x; tick 100; ended committed; restored 0; record 0 0 a; tick 100; ended committed",
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

/// Of four records the third is refused. Afterwards batches have their normal size again.
#[test]
fn the_refused_record_is_found_by_halving() {
    check(
        "assign 0@0#0
         record 0 0 a; record 0 1 b; record 0 2 BAD; record 0 3 d; tick 100; ended content; aborted
         record 0 0 a; record 0 1 b; tick 0; ended committed
         record 0 2 BAD; tick 0; ended content; aborted
         record 0 2 BAD; record 0 3 d; record 0 4 e; tick 0; tick 100; ended committed
         record 0 5 BAD; record 0 6 g; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
            record 0 0 a -> begin
            record 0 1 b
            record 0 2 BAD
            record 0 3 d
            tick 100 -> commit 0@4#1 [a b BAD d]
            ended content -> abort
            aborted -> seek 0@0
            record 0 0 a -> begin
            record 0 1 b
            tick 0 -> commit 0@2#1 [a b]
            ended committed -> published 2
            record 0 2 BAD -> begin
            tick 0 -> commit 0@3#2 [BAD]
            ended content -> abort
            aborted -> seek 0@2
            record 0 2 BAD -> begin
            record 0 3 d
            record 0 4 e
            tick 0
            tick 100 -> commit 0@5#2 [rejected(BAD) d e]
            ended committed -> published 3
            record 0 5 BAD -> begin
            record 0 6 g
            tick 100 -> commit 0@7#3 [BAD g]
            ended committed -> published 2
            = idle, committed 0:[a b rejected(BAD) d e BAD g]
        "#]],
    );
}

#[test]
fn a_record_of_another_partition_is_not_rejected_in_its_place() {
    check(
        "assign 0@0#0 1@0#0
         record 0 0 BAD; tick 100; ended content; aborted
         record 1 0 x; record 0 0 BAD; record 0 1 b; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0
            record 0 0 BAD -> begin
            tick 100 -> commit 0@1#1 [BAD]
            ended content -> abort
            aborted -> seek 0@0
            record 1 0 x -> begin
            record 0 0 BAD
            record 0 1 b
            tick 100 -> commit 0@2#1 1@1#1 [x rejected(BAD) b]
            ended committed -> published 3
            = idle, committed 0:[rejected(BAD) b] 1:[x]
        "#]],
    );
}

#[test]
fn records_of_several_partitions_are_searched_together() {
    check(
        "assign 0@0#0 1@0#0
         record 0 0 a; record 1 0 BAD; record 0 1 b; record 1 1 y; tick 100; ended content; aborted
         record 1 0 BAD; record 1 1 y; tick 0; ended content; aborted
         record 0 0 a; tick 0; ended committed
         record 0 1 b; tick 0; tick 100; ended committed
         record 1 0 BAD; tick 0; ended content; aborted
         record 1 0 BAD; record 1 1 y; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0
            record 0 0 a -> begin
            record 1 0 BAD
            record 0 1 b
            record 1 1 y
            tick 100 -> commit 0@2#1 1@2#1 [a BAD b y]
            ended content -> abort
            aborted -> seek 0@0 1@0
            record 1 0 BAD -> begin
            record 1 1 y
            tick 0 -> commit 1@2#1 [BAD y]
            ended content -> abort
            aborted -> seek 1@0
            record 0 0 a -> begin
            tick 0 -> commit 0@1#1 [a]
            ended committed -> published 1
            record 0 1 b -> begin
            tick 0 -> commit 0@2#2 [b]
            tick 100
            ended committed -> published 1
            record 1 0 BAD -> begin
            tick 0 -> commit 1@1#1 [BAD]
            ended content -> abort
            aborted -> seek 1@0
            record 1 0 BAD -> begin
            record 1 1 y
            tick 100 -> commit 1@2#1 [rejected(BAD) y]
            ended committed -> published 2
            = idle, committed 0:[a b] 1:[rejected(BAD) y]
        "#]],
    );
}

#[test]
fn a_rejection_that_is_refused_too_stalls_its_partition() {
    check(
        "assign 0@0#0 1@0#0
         record 0 0 BAD; tick 100; ended content; aborted
         record 0 0 BAD; tick 100; ended content; aborted
         record 1 0 x; tick 100; ended committed
         unstalled 0; record 0 0 BAD; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0
            record 0 0 BAD -> begin
            tick 100 -> commit 0@1#1 [BAD]
            ended content -> abort
            aborted -> seek 0@0
            record 0 0 BAD -> begin
            tick 100 -> commit 0@1#1 [rejected(BAD)]
            ended content -> abort
            aborted -> seek 0@0, pause 0, stalled 0
            record 1 0 x -> begin
            tick 100 -> commit 1@1#1 [x]
            ended committed -> published 1
            unstalled 0 -> resume 0
            record 0 0 BAD -> begin
            tick 100 -> commit 0@1#1 [rejected(BAD)]
            ended committed -> published 1
            = idle, committed 0:[rejected(BAD)] 1:[x]
        "#]],
    );
}

#[test]
fn a_fault_of_the_network_narrows_nothing() {
    check(
        "assign 0@0#0
         record 0 0 a; record 0 1 b; tick 100; ended transient; aborted
         record 0 0 a; record 0 1 b; record 0 2 c; tick 0; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0
            record 0 0 a -> begin
            record 0 1 b
            tick 100 -> commit 0@2#1 [a b]
            ended transient -> abort
            aborted -> seek 0@0
            record 0 0 a -> begin
            record 0 1 b
            record 0 2 c
            tick 0
            tick 100 -> commit 0@3#1 [a b c]
            ended committed -> published 3
            = idle, committed 0:[a b c]
        "#]],
    );
}

/// The next owner searches for itself; here batches are whole again.
#[test]
fn the_search_ends_with_its_partition() {
    check(
        "assign 0@0#0 1@0#0
         record 0 0 a; record 0 1 BAD; produce-failed content; aborted; revoke 0
         record 1 0 x; record 1 1 y; tick 0; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0
            record 0 0 a -> begin
            record 0 1 BAD
            produce-failed content -> abort
            aborted -> seek 0@0
            revoke 0 -> unassign 0
            record 1 0 x -> begin
            record 1 1 y
            tick 0
            tick 100 -> commit 1@2#1 [x y]
            ended committed -> published 2
            = idle, committed 1:[x y]
        "#]],
    );
}
