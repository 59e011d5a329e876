//! Every phase × every input has a row: what the worker wants, or why the input cannot come in that phase.

mod script;

use expect_test::expect;
use script::check_rows;

const INPUTS: &str = "
    assign 2@7#1
    restored 0
    revoke 0
    revoke 9
    lost 0
    lost 1
    record 0 6 b
    record 9 0 x
    unstalled 0
    unstalled 9
    exhausted 0 7
    memory short
    memory tight
    memory room
    produce-failed transient
    produce-failed content
    ended committed
    ended content
    ended transient
    ended fenced
    ended indeterminate
    aborted
    abort-failed
    read 2
    read 3
    read nothing
    tick 0
    tick 100
    drain";

#[test]
fn idle() {
    check_rows(
        "assign 0@5#2 1@0#0",
        INPUTS,
        expect![[r#"
            assign 2@7#1 -> assign 2@7#1, resume 2 | idle
            restored 0 | idle
            revoke 0 -> unassign 0 | idle
            revoke 9 -> unassign 9 | idle
            lost 0 -> unassign 0 | idle
            lost 1 -> unassign 1 | idle
            record 0 6 b -> begin | open
            record 9 0 x | idle
            unstalled 0 | idle
            unstalled 9 | idle
            exhausted 0 7 | idle
            memory short -> pause 0, pause 1 | idle
            memory tight | idle
            memory room | idle
            produce-failed transient -> panics: an output can only fail inside a transaction
            produce-failed content -> panics: an output can only fail inside a transaction
            ended committed -> panics: an end was reported that nobody asked for
            ended content -> panics: an end was reported that nobody asked for
            ended transient -> panics: an end was reported that nobody asked for
            ended fenced -> panics: an end was reported that nobody asked for
            ended indeterminate -> panics: an end was reported that nobody asked for
            aborted -> panics: an abort was reported that nobody asked for
            abort-failed -> panics: an abort was reported that nobody asked for
            read 2 -> panics: an outcome was reported that nobody asked for
            read 3 -> panics: an outcome was reported that nobody asked for
            read nothing -> panics: an outcome was reported that nobody asked for
            tick 0 | idle
            tick 100 | idle
            drain -> stop | stopped
        "#]],
    );
}

#[test]
fn idle_under_restore() {
    check_rows(
        "stateful; assign 0@5#2 1@0#0",
        INPUTS,
        expect![[r#"
            assign 2@7#1 -> assign 2@7#1, pause 2, restore 2 | idle
            restored 0 -> resume 0 | idle
            revoke 0 -> unassign 0 | idle
            revoke 9 -> unassign 9 | idle
            lost 0 -> unassign 0 | idle
            lost 1 -> unassign 1 | idle
            record 0 6 b -> panics: a record of a partition under restore: TaskId { topic: 0, partition: 0 }
            record 9 0 x | idle
            unstalled 0 | idle
            unstalled 9 | idle
            exhausted 0 7 | idle
            memory short | idle
            memory tight | idle
            memory room | idle
            produce-failed transient -> panics: an output can only fail inside a transaction
            produce-failed content -> panics: an output can only fail inside a transaction
            ended committed -> panics: an end was reported that nobody asked for
            ended content -> panics: an end was reported that nobody asked for
            ended transient -> panics: an end was reported that nobody asked for
            ended fenced -> panics: an end was reported that nobody asked for
            ended indeterminate -> panics: an end was reported that nobody asked for
            aborted -> panics: an abort was reported that nobody asked for
            abort-failed -> panics: an abort was reported that nobody asked for
            read 2 -> panics: an outcome was reported that nobody asked for
            read 3 -> panics: an outcome was reported that nobody asked for
            read nothing -> panics: an outcome was reported that nobody asked for
            tick 0 | idle
            tick 100 | idle
            drain -> stop | stopped
        "#]],
    );
}

#[test]
fn idle_with_a_stall() {
    check_rows(
        "assign 0@5#2 1@0#0; record 0 5 stall",
        INPUTS,
        expect![[r#"
            assign 2@7#1 -> assign 2@7#1, resume 2 | idle
            restored 0 | idle
            revoke 0 -> unassign 0 | idle
            revoke 9 -> unassign 9 | idle
            lost 0 -> unassign 0 | idle
            lost 1 -> unassign 1 | idle
            record 0 6 b -> panics: records were skipped in TaskId { topic: 0, partition: 0 }
            record 9 0 x | idle
            unstalled 0 -> resume 0 | idle
            unstalled 9 | idle
            exhausted 0 7 | idle
            memory short -> pause 1 | idle
            memory tight | idle
            memory room | idle
            produce-failed transient -> panics: an output can only fail inside a transaction
            produce-failed content -> panics: an output can only fail inside a transaction
            ended committed -> panics: an end was reported that nobody asked for
            ended content -> panics: an end was reported that nobody asked for
            ended transient -> panics: an end was reported that nobody asked for
            ended fenced -> panics: an end was reported that nobody asked for
            ended indeterminate -> panics: an end was reported that nobody asked for
            aborted -> panics: an abort was reported that nobody asked for
            abort-failed -> panics: an abort was reported that nobody asked for
            read 2 -> panics: an outcome was reported that nobody asked for
            read 3 -> panics: an outcome was reported that nobody asked for
            read nothing -> panics: an outcome was reported that nobody asked for
            tick 0 | idle
            tick 100 | idle
            drain -> stop | stopped
        "#]],
    );
}

#[test]
fn idle_while_waiting_after_a_fault() {
    check_rows(
        "assign 0@5#2 1@0#0; record 0 5 a; produce-failed transient; aborted",
        INPUTS,
        expect![[r#"
            assign 2@7#1 -> assign 2@7#1, pause 2 | idle
            restored 0 | idle
            revoke 0 -> unassign 0 | idle
            revoke 9 -> unassign 9 | idle
            lost 0 -> unassign 0 | idle
            lost 1 -> unassign 1 | idle
            record 0 6 b -> panics: records were skipped in TaskId { topic: 0, partition: 0 }
            record 9 0 x | idle
            unstalled 0 | idle
            unstalled 9 | idle
            exhausted 0 7 | idle
            memory short | idle
            memory tight | idle
            memory room | idle
            produce-failed transient -> panics: an output can only fail inside a transaction
            produce-failed content -> panics: an output can only fail inside a transaction
            ended committed -> panics: an end was reported that nobody asked for
            ended content -> panics: an end was reported that nobody asked for
            ended transient -> panics: an end was reported that nobody asked for
            ended fenced -> panics: an end was reported that nobody asked for
            ended indeterminate -> panics: an end was reported that nobody asked for
            aborted -> panics: an abort was reported that nobody asked for
            abort-failed -> panics: an abort was reported that nobody asked for
            read 2 -> panics: an outcome was reported that nobody asked for
            read 3 -> panics: an outcome was reported that nobody asked for
            read nothing -> panics: an outcome was reported that nobody asked for
            tick 0 | idle
            tick 100 -> resume 0, resume 1 | idle
            drain -> stop | stopped
        "#]],
    );
}

#[test]
fn idle_under_pressure() {
    check_rows(
        "assign 0@5#2 1@0#0; memory short",
        INPUTS,
        expect![[r#"
            assign 2@7#1 -> assign 2@7#1, pause 2 | idle
            restored 0 | idle
            revoke 0 -> unassign 0 | idle
            revoke 9 -> unassign 9 | idle
            lost 0 -> unassign 0 | idle
            lost 1 -> unassign 1 | idle
            record 0 6 b -> begin | open
            record 9 0 x | idle
            unstalled 0 | idle
            unstalled 9 | idle
            exhausted 0 7 | idle
            memory short | idle
            memory tight -> resume 0, resume 1 | idle
            memory room -> resume 0, resume 1 | idle
            produce-failed transient -> panics: an output can only fail inside a transaction
            produce-failed content -> panics: an output can only fail inside a transaction
            ended committed -> panics: an end was reported that nobody asked for
            ended content -> panics: an end was reported that nobody asked for
            ended transient -> panics: an end was reported that nobody asked for
            ended fenced -> panics: an end was reported that nobody asked for
            ended indeterminate -> panics: an end was reported that nobody asked for
            aborted -> panics: an abort was reported that nobody asked for
            abort-failed -> panics: an abort was reported that nobody asked for
            read 2 -> panics: an outcome was reported that nobody asked for
            read 3 -> panics: an outcome was reported that nobody asked for
            read nothing -> panics: an outcome was reported that nobody asked for
            tick 0 | idle
            tick 100 | idle
            drain -> stop | stopped
        "#]],
    );
}

#[test]
fn open_under_pressure() {
    check_rows(
        "assign 0@5#2 1@0#0; record 0 5 a; memory short",
        INPUTS,
        expect![[r#"
            assign 2@7#1 -> assign 2@7#1, pause 2 | open
            restored 0 | open
            revoke 0 -> commit 0@6#3 [a] | committing
            revoke 9 -> commit 0@6#3 [a] | committing
            lost 0 -> abort | aborting
            lost 1 -> abort | aborting
            record 0 6 b | open
            record 9 0 x | open
            unstalled 0 | open
            unstalled 9 | open
            exhausted 0 7 | open
            memory short | open
            memory tight -> resume 0, resume 1 | open
            memory room -> resume 0, resume 1 | open
            produce-failed transient -> abort | aborting
            produce-failed content -> abort | aborting
            ended committed -> panics: an end was reported that nobody asked for
            ended content -> panics: an end was reported that nobody asked for
            ended transient -> panics: an end was reported that nobody asked for
            ended fenced -> panics: an end was reported that nobody asked for
            ended indeterminate -> panics: an end was reported that nobody asked for
            aborted -> panics: an abort was reported that nobody asked for
            abort-failed -> panics: an abort was reported that nobody asked for
            read 2 -> panics: an outcome was reported that nobody asked for
            read 3 -> panics: an outcome was reported that nobody asked for
            read nothing -> panics: an outcome was reported that nobody asked for
            tick 0 | open
            tick 100 -> commit 0@6#3 [a] | committing
            drain -> commit 0@6#3 [a] | committing
        "#]],
    );
}

#[test]
fn open() {
    check_rows(
        "assign 0@5#2 1@0#0; record 0 5 a",
        INPUTS,
        expect![[r#"
            assign 2@7#1 -> assign 2@7#1, resume 2 | open
            restored 0 | open
            revoke 0 -> commit 0@6#3 [a] | committing
            revoke 9 -> commit 0@6#3 [a] | committing
            lost 0 -> abort | aborting
            lost 1 -> abort | aborting
            record 0 6 b | open
            record 9 0 x | open
            unstalled 0 | open
            unstalled 9 | open
            exhausted 0 7 | open
            memory short -> pause 0, pause 1 | open
            memory tight | open
            memory room | open
            produce-failed transient -> abort | aborting
            produce-failed content -> abort | aborting
            ended committed -> panics: an end was reported that nobody asked for
            ended content -> panics: an end was reported that nobody asked for
            ended transient -> panics: an end was reported that nobody asked for
            ended fenced -> panics: an end was reported that nobody asked for
            ended indeterminate -> panics: an end was reported that nobody asked for
            aborted -> panics: an abort was reported that nobody asked for
            abort-failed -> panics: an abort was reported that nobody asked for
            read 2 -> panics: an outcome was reported that nobody asked for
            read 3 -> panics: an outcome was reported that nobody asked for
            read nothing -> panics: an outcome was reported that nobody asked for
            tick 0 | open
            tick 100 -> commit 0@6#3 [a] | committing
            drain -> commit 0@6#3 [a] | committing
        "#]],
    );
}

#[test]
fn committing() {
    check_rows(
        "assign 0@5#2 1@0#0; record 0 5 a; tick 100",
        INPUTS,
        expect![[r#"
            assign 2@7#1 -> assign 2@7#1, resume 2 | committing
            restored 0 | committing
            revoke 0 | committing
            revoke 9 | committing
            lost 0 | committing
            lost 1 | committing
            record 0 6 b -> panics: records are only read while no transaction is being ended
            record 9 0 x -> panics: records are only read while no transaction is being ended
            unstalled 0 | committing
            unstalled 9 | committing
            exhausted 0 7 | committing
            memory short -> pause 0, pause 1 | committing
            memory tight | committing
            memory room | committing
            produce-failed transient -> panics: an output can only fail inside a transaction
            produce-failed content -> panics: an output can only fail inside a transaction
            ended committed -> published 1 | idle
            ended content -> abort | aborting
            ended transient -> abort | aborting
            ended fenced -> rejoin | idle
            ended indeterminate -> resolve 0@6#3 | unknown
            aborted -> panics: an abort was reported that nobody asked for
            abort-failed -> panics: an abort was reported that nobody asked for
            read 2 -> panics: an outcome was reported that nobody asked for
            read 3 -> panics: an outcome was reported that nobody asked for
            read nothing -> panics: an outcome was reported that nobody asked for
            tick 0 | committing
            tick 100 | committing
            drain | committing
        "#]],
    );
}

#[test]
fn aborting() {
    check_rows(
        "assign 0@5#2 1@0#0; record 0 5 a; produce-failed transient",
        INPUTS,
        expect![[r#"
            assign 2@7#1 -> assign 2@7#1, resume 2 | aborting
            restored 0 | aborting
            revoke 0 | aborting
            revoke 9 | aborting
            lost 0 | aborting
            lost 1 | aborting
            record 0 6 b -> panics: records are only read while no transaction is being ended
            record 9 0 x -> panics: records are only read while no transaction is being ended
            unstalled 0 | aborting
            unstalled 9 | aborting
            exhausted 0 7 | aborting
            memory short -> pause 0, pause 1 | aborting
            memory tight | aborting
            memory room | aborting
            produce-failed transient -> panics: an output can only fail inside a transaction
            produce-failed content -> panics: an output can only fail inside a transaction
            ended committed -> panics: an end was reported that nobody asked for
            ended content -> panics: an end was reported that nobody asked for
            ended transient -> panics: an end was reported that nobody asked for
            ended fenced -> panics: an end was reported that nobody asked for
            ended indeterminate -> panics: an end was reported that nobody asked for
            aborted -> seek 0@5, pause 0, pause 1 | idle
            abort-failed -> resolve 0@6#3 | unknown
            read 2 -> panics: an outcome was reported that nobody asked for
            read 3 -> panics: an outcome was reported that nobody asked for
            read nothing -> panics: an outcome was reported that nobody asked for
            tick 0 | aborting
            tick 100 | aborting
            drain | aborting
        "#]],
    );
}

#[test]
fn unknown_after_a_commit() {
    check_rows(
        "assign 0@5#2 1@0#0; record 0 5 a; tick 100; ended indeterminate",
        INPUTS,
        expect![[r#"
            assign 2@7#1 -> assign 2@7#1, resume 2 | unknown
            restored 0 | unknown
            revoke 0 | unknown
            revoke 9 | unknown
            lost 0 | unknown
            lost 1 | unknown
            record 0 6 b -> panics: records are only read while no transaction is being ended
            record 9 0 x -> panics: records are only read while no transaction is being ended
            unstalled 0 | unknown
            unstalled 9 | unknown
            exhausted 0 7 | unknown
            memory short -> pause 0, pause 1 | unknown
            memory tight | unknown
            memory room | unknown
            produce-failed transient -> panics: an output can only fail inside a transaction
            produce-failed content -> panics: an output can only fail inside a transaction
            ended committed -> panics: an end was reported that nobody asked for
            ended content -> panics: an end was reported that nobody asked for
            ended transient -> panics: an end was reported that nobody asked for
            ended fenced -> panics: an end was reported that nobody asked for
            ended indeterminate -> panics: an end was reported that nobody asked for
            aborted -> panics: an abort was reported that nobody asked for
            abort-failed -> panics: an abort was reported that nobody asked for
            read 2 -> seek 0@5 | idle
            read 3 -> published 1 | idle
            read nothing -> rejoin | idle
            tick 0 | unknown
            tick 100 | unknown
            drain | unknown
        "#]],
    );
}

#[test]
fn unknown_after_an_abort() {
    check_rows(
        "assign 0@5#2 1@0#0; record 0 5 a; produce-failed transient; abort-failed",
        INPUTS,
        expect![[r#"
            assign 2@7#1 -> assign 2@7#1, resume 2 | unknown
            restored 0 | unknown
            revoke 0 | unknown
            revoke 9 | unknown
            lost 0 | unknown
            lost 1 | unknown
            record 0 6 b -> panics: records are only read while no transaction is being ended
            record 9 0 x -> panics: records are only read while no transaction is being ended
            unstalled 0 | unknown
            unstalled 9 | unknown
            exhausted 0 7 | unknown
            memory short -> pause 0, pause 1 | unknown
            memory tight | unknown
            memory room | unknown
            produce-failed transient -> panics: an output can only fail inside a transaction
            produce-failed content -> panics: an output can only fail inside a transaction
            ended committed -> panics: an end was reported that nobody asked for
            ended content -> panics: an end was reported that nobody asked for
            ended transient -> panics: an end was reported that nobody asked for
            ended fenced -> panics: an end was reported that nobody asked for
            ended indeterminate -> panics: an end was reported that nobody asked for
            aborted -> panics: an abort was reported that nobody asked for
            abort-failed -> panics: an abort was reported that nobody asked for
            read 2 -> seek 0@5, pause 0, pause 1 | idle
            read 3 -> rejoin | idle
            read nothing -> rejoin | idle
            tick 0 | unknown
            tick 100 | unknown
            drain | unknown
        "#]],
    );
}

#[test]
fn stopped() {
    check_rows(
        "assign 0@5#2 1@0#0; drain",
        INPUTS,
        expect![[r#"
            assign 2@7#1 -> assign 2@7#1, resume 2 | stopped
            restored 0 | stopped
            revoke 0 -> unassign 0 | stopped
            revoke 9 -> unassign 9 | stopped
            lost 0 -> unassign 0 | stopped
            lost 1 -> unassign 1 | stopped
            record 0 6 b -> panics: records are only read while no transaction is being ended
            record 9 0 x -> panics: records are only read while no transaction is being ended
            unstalled 0 | stopped
            unstalled 9 | stopped
            exhausted 0 7 | stopped
            memory short -> pause 0, pause 1 | stopped
            memory tight | stopped
            memory room | stopped
            produce-failed transient -> panics: an output can only fail inside a transaction
            produce-failed content -> panics: an output can only fail inside a transaction
            ended committed -> panics: an end was reported that nobody asked for
            ended content -> panics: an end was reported that nobody asked for
            ended transient -> panics: an end was reported that nobody asked for
            ended fenced -> panics: an end was reported that nobody asked for
            ended indeterminate -> panics: an end was reported that nobody asked for
            aborted -> panics: an abort was reported that nobody asked for
            abort-failed -> panics: an abort was reported that nobody asked for
            read 2 -> panics: an outcome was reported that nobody asked for
            read 3 -> panics: an outcome was reported that nobody asked for
            read nothing -> panics: an outcome was reported that nobody asked for
            tick 0 | stopped
            tick 100 | stopped
            drain | stopped
        "#]],
    );
}
