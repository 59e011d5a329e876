//! Partitions that come and go, outcomes that nobody told, fencing and draining.

mod script;

use expect_test::expect;
use script::check;

#[test]
fn revoked_partitions_are_given_back_after_the_commit() {
    check(
        "assign 0@0#0 1@0#0; record 0 0 a; record 1 0 x; revoke 0; ended committed; record 1 1 y;
         tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
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
        "assign 0@0#0 1@0#0; record 0 0 a; record 1 0 x; revoke 0; ended transient; aborted;
         tick 100; record 1 0 x; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
            record 0 0 a -> begin
            record 1 0 x
            revoke 0 -> commit 0@1#1 1@1#1 [a x]
            ended transient -> abort
            aborted -> seek 1@0, pause 1, unassign 0
            tick 100 -> resume 1
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
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
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
        "stateful; assign 0@0#0; revoke 0; restored 0; unstalled 0; assign 0@4#1; restored 0;
         record 0 4 a; tick 100; ended committed",
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
        "assign 0@0#0 1@0#0; record 0 0 a; record 1 0 x; lost 0; aborted; record 1 0 x; tick 100;
         ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
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
        "assign 0@0#0 1@0#0; record 0 0 a; record 1 0 x; tick 100; lost 0; ended committed;
         record 1 1 y; tick 100",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
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
        "assign 0@0#0 1@0#0; record 0 0 a; record 1 0 x; tick 100; lost 0; ended indeterminate;
         read 0",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
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
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
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
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            lost 0
            ended indeterminate -> rejoin
            = idle, committed 
        "#]],
    );
}

#[test]
fn indeterminate_and_committed() {
    check(
        "assign 0@0#0 1@3#9; record 0 0 a; record 1 3 x; tick 100; ended indeterminate; read 1;
         record 1 4 y; tick 100",
        expect![[r#"
            assign 0@0#0 1@3#9 -> assign 0@0#0 1@3#9, resume 0, resume 1
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
        "assign 0@0#0 1@3#9; record 0 0 a; record 1 3 x; tick 100; ended indeterminate; read 0;
         record 0 0 a; tick 100",
        expect![[r#"
            assign 0@0#0 1@3#9 -> assign 0@0#0 1@3#9, resume 0, resume 1
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
        "assign 0@0#0 1@3#9; record 0 0 a; tick 100; ended indeterminate; read nothing;
         assign 0@1#1; record 0 1 b; tick 100",
        expect![[r#"
            assign 0@0#0 1@3#9 -> assign 0@0#0 1@3#9, resume 0, resume 1
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            ended indeterminate -> resolve 0@1#1
            read nothing -> rejoin
            assign 0@1#1 -> assign 0@1#1, resume 0
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
            assign 0@0#0 -> assign 0@0#0, resume 0
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
        "assign 0@0#0 1@0#0; record 0 0 a; tick 100; revoke 1; ended fenced; assign 0@5#4;
         record 0 5 f; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
            record 0 0 a -> begin
            tick 100 -> commit 0@1#1 [a]
            revoke 1
            ended fenced -> rejoin
            assign 0@5#4 -> assign 0@5#4, resume 0
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
            assign 0@0#0 -> assign 0@0#0, resume 0
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
            assign 0@0#0 -> assign 0@0#0, resume 0
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
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            produce-failed transient -> abort
            drain
            aborted -> seek 0@0, pause 0, stop
            = stopped, committed 0:[]
        "#]],
    );
}

#[test]
fn drain_while_the_outcome_is_read() {
    check(
        "assign 0@0#0; record 0 0 a; tick 100; ended indeterminate; drain; read 1",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
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
            assign 0@0#0 -> assign 0@0#0, resume 0
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
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            drain -> commit 0@1#1 [a]
            revoke 0
            ended committed -> published 1, unassign 0, stop
            = stopped, committed 
        "#]],
    );
}
