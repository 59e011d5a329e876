//! Time through both stages: what moves stream time, and that timers fire once, also across restarts and aborts.

mod local;
mod stages;

use local::{DAY, START, touchpoint};
use proptest::prelude::*;
use serde_json::json;
use stages::{Both, Source};
use throughline_model::alert::RuleMode;
use throughline_model::time::{HOUR, MINUTE, SECOND};
use throughline_model::{SourceKind, StreamTime, Topic};

/// A web and a store partition, both read to their end and silent.
fn two_sources() -> Both {
    Both::new(&[Source::new(SourceKind::Web), Source::new(SourceKind::Store)])
}

/// Opens a severe moment of a customer at `at`, milliseconds after the start.
fn severe(both: &mut Both, source: usize, login: &str, at: i64) {
    let day = at as f64 / DAY as f64;
    both.push(source, &touchpoint("partner.trip.cancelled", login, day, json!({})), START + at);
    both.commit();
}

/// Seconds pass, with everything read and nobody sending.
fn idle(both: &mut Both, from: i64, to: i64) {
    for at in (from..=to).step_by(SECOND as usize) {
        both.now(START + at);
        both.exhausted(&[0, 1], START + at);
        both.tick();
    }
}

#[test]
fn an_alert_expires_without_any_traffic_and_once() {
    let mut both = two_sources();
    both.rules(|rules| rules.read.alerts.severe_moment.expires = throughline_experience::span::Span::minutes(10));
    severe(&mut both, 0, "ann", 0);
    assert_eq!(both.transitions(), ["severe_moment opened"]);
    idle(&mut both, SECOND, 14 * MINUTE);
    assert_eq!(both.transitions(), ["severe_moment opened"], "stores may be five minutes late");
    idle(&mut both, 14 * MINUTE + SECOND, 16 * MINUTE);
    assert_eq!(both.transitions(), ["severe_moment opened", "severe_moment expired"]);
    let expired = both.values(Topic::Alerts)[1].clone();
    assert_eq!(expired["as_of"], "2026-01-05T12:10:00.000Z", "it speaks for the time at which it expired");
    both.restart();
    idle(&mut both, 16 * MINUTE + SECOND, 20 * MINUTE);
    assert_eq!(both.transitions().len(), 2, "XO-6: a restart fires nothing again");
}

#[test]
fn a_timer_that_was_aborted_fires_again_and_one_that_was_committed_does_not() {
    let mut both = two_sources();
    both.rules(|rules| rules.read.alerts.severe_moment.expires = throughline_experience::span::Span::minutes(10));
    severe(&mut both, 0, "ann", 0);
    severe(&mut both, 0, "bob", MINUTE);
    idle(&mut both, MINUTE + SECOND, 15 * MINUTE - SECOND);
    both.abort_next();
    idle(&mut both, 15 * MINUTE, 15 * MINUTE + 3 * SECOND);
    assert_eq!(both.transitions(), ["severe_moment opened", "severe_moment opened", "severe_moment expired"]);
    both.restart();
    both.abort_next();
    idle(&mut both, 15 * MINUTE + 4 * SECOND, 17 * MINUTE);
    both.restart();
    idle(&mut both, 17 * MINUTE + SECOND, 18 * MINUTE);
    assert_eq!(both.transitions().iter().filter(|transition| transition.ends_with("expired")).count(), 2, "XO-6");
}

#[test]
fn a_backlog_raises_nothing_before_it_is_read() {
    let mut both = two_sources();
    both.rules(|rules| rules.read.alerts.severe_moment.expires = throughline_experience::span::Span::minutes(10));
    severe(&mut both, 0, "ann", 0);
    // An hour in which nobody read the sources: a recovery lies unread in the second one.
    both.now(START + HOUR);
    both.exhausted(&[0], START + HOUR);
    both.tick();
    for at in 1..40 {
        both.now(START + HOUR + at * SECOND);
        both.exhausted(&[0], START + HOUR + at * SECOND);
        both.tick();
    }
    assert_eq!(both.transitions(), ["severe_moment opened"], "what is unread may disprove it");
    both.push(1, &touchpoint("recovery.made", "ann", 0.004, json!({})), START + HOUR);
    both.commit();
    assert!(both.transitions().contains(&"severe_moment resolved".to_owned()));
    idle(&mut both, HOUR + 41 * SECOND, HOUR + 2 * MINUTE);
    assert!(!both.transitions().contains(&"severe_moment expired".to_owned()));
}

#[test]
fn a_late_burst_after_silence_is_applied_and_takes_nothing_back() {
    let mut both = two_sources();
    severe(&mut both, 0, "ann", 0);
    idle(&mut both, SECOND, 10 * MINUTE);
    let before = both.stream_times();
    for number in 0..20 {
        let late = touchpoint("page.viewed", "ann", 0.001 + f64::from(number) / 1e5, json!({}));
        both.push(0, &late, START + 10 * MINUTE);
    }
    both.commit();
    idle(&mut both, 10 * MINUTE + SECOND, 11 * MINUTE);
    assert!(both.stream_times() >= before, "stream time never goes back");
    assert_eq!(both.applied(), 21);
}

#[test]
fn progress_is_told_to_every_partition_once_a_second_and_survives_a_restart() {
    let mut both = two_sources();
    idle(&mut both, 0, 60 * SECOND);
    assert_eq!(both.frames(), 61 * i64::from(stages::PARTITIONS));
    let before = both.stream_times();
    assert!(before.iter().all(Option::is_some), "{before:?}");
    both.restart();
    let restored = both.stream_times();
    let behind = |at: Option<StreamTime>, then: Option<StreamTime>| {
        at.zip(then).map(|(at, then)| then.as_millis() - at.as_millis())
    };
    for (at, then) in restored.iter().zip(&before) {
        let behind = behind(*at, *then).expect("watermarks are part of the state");
        assert!((0..=10 * SECOND).contains(&behind), "{behind} ms");
    }
    both.restart_normalize();
    both.now(START + 61 * SECOND);
    both.tick();
    assert_eq!(both.stream_times(), restored, "a normalize worker that knows nothing yet takes nothing back");
}

#[test]
fn one_silent_source_follows_the_clock_beside_a_live_one() {
    let mut both = two_sources();
    both.rules(|rules| rules.read.alerts.severe_moment.expires = throughline_experience::span::Span::minutes(10));
    severe(&mut both, 0, "ann", 0);
    for second in 1..16 * 60 {
        let at = second * SECOND;
        let viewed = touchpoint("page.viewed", "bob", at as f64 / DAY as f64, json!({}));
        both.push(0, &viewed, START + at);
        both.exhausted(&[1], START + at);
        both.commit();
        if at < 15 * MINUTE {
            assert_eq!(both.transitions(), ["severe_moment opened"], "a store may still tell, after {second} s");
        }
    }
    assert_eq!(both.transitions(), ["severe_moment opened", "severe_moment expired"]);
}

#[test]
fn a_single_view_that_waits_survives_a_restart() {
    let mut both = two_sources();
    for second in [0, 1] {
        let viewed =
            touchpoint("survey.answered", "ann", f64::from(second) / 86_400.0, json!({"evidence": local::answer(0.5)}));
        both.push(0, &viewed, START + i64::from(second) * SECOND);
        both.commit();
    }
    assert_eq!(both.values(Topic::Customers).len(), 1, "the second one waits");
    both.restart();
    both.now(START + 9 * SECOND);
    both.tick();
    assert_eq!(both.values(Topic::Customers).len(), 1);
    both.now(START + 11 * SECOND);
    both.tick();
    both.now(START + 30 * SECOND);
    both.tick();
    let views = both.values(Topic::Customers);
    assert_eq!(views.len(), 2, "written ten seconds after the last, and once");
    assert_eq!(views[1]["version"], 2);
}

#[test]
fn many_timers_fire_in_portions_between_which_input_is_read() {
    let mut both = two_sources();
    both.rules(|rules| {
        rules.read.alerts.severe_moment.expires = throughline_experience::span::Span::minutes(10);
        // Some reviews fall into these minutes.
        rules.read.alerts.experience_low.mode = RuleMode::Off;
    });
    for number in 0..5_000 {
        both.push(0, &touchpoint("partner.trip.cancelled", &format!("c{number}"), 0.0, json!({})), START);
    }
    both.commit();
    assert_eq!(both.transitions().len(), 5_000);
    assert!(both.experience().timers_pending() >= 5_000);
    idle(&mut both, SECOND, 15 * MINUTE - SECOND);
    assert_eq!(both.transitions().len(), 5_000);
    both.now(START + 15 * MINUTE);
    both.exhausted(&[0, 1], START + 15 * MINUTE);
    let mut fired = Vec::new();
    while fired.last() != Some(&5_000) {
        assert!(fired.len() < 4, "{fired:?}");
        both.tick();
        fired.push(both.transitions().len() - 5_000);
    }
    // A round is the transaction with the progress, and one more for what is left.
    assert_eq!(fired, [4_000, 5_000]);
}

#[test]
fn invented_times_move_no_watermark() {
    let mut both = two_sources();
    let mut undated = touchpoint("page.viewed", "ann", 0.0, json!({}));
    undated.as_object_mut().expect("an object").remove("occurred_at");
    let future = touchpoint("page.viewed", "ann", 400_000.0, json!({}));
    for source in [0, 1] {
        both.push(source, &undated, START);
        both.push(source, &future, START);
    }
    both.commit();
    // Somebody goes on speaking, so that stream time could exist.
    for second in 1..15 {
        both.now(START + second * SECOND);
        both.tick();
    }
    assert_eq!(both.applied(), 4);
    assert_eq!(both.stream_times(), [None, None]);
    for source in [0, 1] {
        both.push(source, &touchpoint("page.viewed", "bob", 0.0, json!({})), START);
    }
    both.commit();
    both.now(START + 16 * SECOND);
    both.tick();
    assert_eq!(both.stream_times(), [Some(StreamTime::from_millis(START - 5 * MINUTE)); 2]);
}

/// What happens in a story: a second passes, somebody complains, a transaction is aborted, a worker is replaced.
fn steps() -> impl Strategy<Value = Vec<(u8, i64)>> {
    let step = prop_oneof![
        8 => (Just(0), 1i64..120),
        3 => (Just(1), 0i64..1),
        2 => (Just(2), 0i64..1),
        1 => (Just(3), 0i64..1),
        1 => (Just(4), 0i64..1),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn xo_6_every_alert_expires_once_and_not_before_its_time(steps in steps()) {
        let mut both = two_sources();
        both.rules(|rules| {
            rules.read.alerts.severe_moment.expires = throughline_experience::span::Span::minutes(10);
            rules.read.alerts.experience_low.mode = RuleMode::Off;
        });
        let (mut now, mut opened) = (0, Vec::new());
        let expired = |both: &Both| both.transitions().iter().filter(|at| at.ends_with("expired")).count();
        let pass = |both: &mut Both, now: &mut i64, seconds: i64| {
            *now += seconds * SECOND;
            both.now(START + *now);
            both.exhausted(&[0, 1], START + *now);
            both.tick();
        };
        for (what, seconds) in steps {
            match what {
                0 => {
                    pass(&mut both, &mut now, seconds);
                    // Stores may be five minutes late.
                    let due = opened.iter().filter(|at| **at + 15 * MINUTE <= now).count();
                    prop_assert!(expired(&both) <= due, "before its time");
                }
                1 => {
                    severe(&mut both, 0, &format!("c{}", opened.len()), now);
                    opened.push(now);
                }
                2 => both.abort_next(),
                3 => both.restart(),
                _ => both.restart_normalize(),
            }
        }
        for _ in 0..40 {
            pass(&mut both, &mut now, 30);
        }
        prop_assert_eq!(expired(&both), opened.len(), "each once");
    }
}
