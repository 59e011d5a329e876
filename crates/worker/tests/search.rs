//! The search for the record whose content the broker refuses.

mod script;

use expect_test::expect;
use script::check;

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
            assign 0@0#0 -> assign 0@0#0, resume 0
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
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
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
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
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
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
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
         record 0 0 a; record 0 1 b; tick 100; ended transient; aborted; tick 100
         record 0 0 a; record 0 1 b; record 0 2 c; tick 0; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            record 0 1 b
            tick 100 -> commit 0@2#1 [a b]
            ended transient -> abort
            aborted -> seek 0@0, pause 0
            tick 100 -> resume 0
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

#[test]
fn the_search_ends_with_everything_dropped() {
    check(
        "assign 0@0#0
         record 0 0 a; record 0 1 BAD; produce-failed content; aborted; record 0 0 a; tick 0;
         ended fenced
         assign 0@0#0; record 0 0 a; record 0 1 BAD; tick 0; tick 100; ended committed",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            record 0 1 BAD
            produce-failed content -> abort
            aborted -> seek 0@0
            record 0 0 a -> begin
            tick 0 -> commit 0@1#1 [a]
            ended fenced -> rejoin
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 a -> begin
            record 0 1 BAD
            tick 0
            tick 100 -> commit 0@2#1 [a BAD]
            ended committed -> published 2
            = idle, committed 0:[a BAD]
        "#]],
    );
}

#[test]
fn a_refused_rejection_of_a_leaving_partition_stalls_nobody() {
    check(
        "assign 0@0#0
         record 0 0 BAD; tick 100; ended content; aborted
         record 0 0 BAD; tick 100; ended content; revoke 0; aborted",
        expect![[r#"
            assign 0@0#0 -> assign 0@0#0, resume 0
            record 0 0 BAD -> begin
            tick 100 -> commit 0@1#1 [BAD]
            ended content -> abort
            aborted -> seek 0@0
            record 0 0 BAD -> begin
            tick 100 -> commit 0@1#1 [rejected(BAD)]
            ended content -> abort
            revoke 0
            aborted -> unassign 0
            = idle, committed 
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
            assign 0@0#0 1@0#0 -> assign 0@0#0 1@0#0, resume 0, resume 1
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
