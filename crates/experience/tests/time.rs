//! What time alone does to a customer: expiry and review by stream time, the life of an alert by the clock.

mod support;

use support::{Draft, HOURS, MINUTES, START, Story, day, touch, valenced};
use throughline_model::alert::{AlertState, AlertType, Transition, TransitionReason};
use throughline_model::time::{DAY, MINUTE};
use throughline_model::{Channel, ConsentStatus, Now, TouchpointType};

use AlertType::{ExperienceDrop, ExperienceLow, SevereMoment};
use Transition::{Closed, Expired, Opened, Resolved, Updated};

fn cancelled(number: u32, days: f64) -> Draft {
    touch(number, TouchpointType::PartnerTripCancelled, days).channel(Channel::Partner)
}

/// A customer whose relationship score is low, for a reason that is no severe moment.
fn low() -> Story {
    let mut story = Story::default();
    story.play_all((0..6).map(|number| valenced(number, f64::from(number) * HOURS, -0.5)));
    assert_eq!(story.of(ExperienceLow), [Opened]);
    assert_eq!(story.of(SevereMoment), []);
    story
}

#[test]
fn experience_low_expires_thirty_days_after_it_was_renewed_and_settles_after_three_more() {
    let mut story = low();
    let due = story.list(ExperienceLow)[0].expires_at.expect("it is live");
    let due_days = (due.as_millis() - START) as f64 / DAY as f64;
    assert!(due_days > 30.0 && due_days < 30.5, "{due_days}");
    story.wait(Some(due_days - 0.001), 40.0);
    assert_eq!(story.of(ExperienceLow).last(), Some(&Opened), "not a moment too early, whatever the clock says");
    story.wait(Some(due_days + 1e-7), 40.0);
    let expired = *story.list(ExperienceLow).last().expect("it ended");
    assert_eq!(
        (expired.transition, expired.reason, expired.state),
        (Expired, TransitionReason::Time, AlertState::Expired)
    );
    assert_eq!((expired.as_of, expired.changed_at), (due, Now::from_millis(day(40.0).as_millis())));
    assert_eq!(story.customer.open_alerts(), []);
    let before = story.alerts.len();
    story.wait(Some(400.0), 42.9);
    assert_eq!(story.alerts.len(), before);
    assert_eq!(story.dues(), (None, Some(43.0)));
    story.wait(Some(400.0), 43.0);
    let settled = story.alerts.last().expect("it settled");
    assert_eq!(
        (settled.transition, settled.reason, settled.seq),
        (Closed, TransitionReason::Settled, expired_seq(&story) + 1)
    );
    assert_eq!(story.dues(), (None, None), "nothing is left to wait for");
}

fn expired_seq(story: &Story) -> u32 {
    story.alerts.iter().find(|alert| alert.transition == Expired).expect("it expired").seq
}

#[test]
fn experience_drop_expires_after_seven_days() {
    let mut story = Story::default();
    story.play_all((0..20).map(|visit| valenced(visit, f64::from(visit) * 10.0, 0.8)));
    story.play(valenced(20, 200.0, 0.2));
    story.play(valenced(21, 202.0, 0.2));
    assert_eq!(story.of(ExperienceDrop), [Opened]);
    story.wait(Some(208.9), 208.9);
    assert_eq!(story.of(ExperienceDrop), [Opened]);
    story.wait(Some(209.1), 209.1);
    assert_eq!(story.of(ExperienceDrop), [Opened, Expired]);
}

#[test]
fn a_resolve_inside_the_minimum_open_time_takes_effect_at_its_end() {
    let mut story = Story::default();
    story.play(cancelled(1, 0.0));
    story.play(touch(2, TouchpointType::RecoveryMade, 5.0 * MINUTES));
    assert_eq!(story.dues().1.map(|days| (days / MINUTES).round()), Some(10.0));
    story.wait(None, 9.9 * MINUTES);
    assert_eq!(story.of(SevereMoment), [Opened]);
    story.wait(None, 10.0 * MINUTES);
    assert_eq!(story.of(SevereMoment), [Opened, Resolved]);
    assert_eq!(story.list(SevereMoment)[1].reason, TransitionReason::Recovered);
    story.wait(None, 3.0 + 10.0 * MINUTES);
    assert_eq!(story.of(SevereMoment), [Opened, Resolved, Closed]);
    story.play(cancelled(3, 4.0));
    let last = story.alerts.last().expect("opened again");
    assert_eq!((last.transition, last.episode), (Opened, 2), "after the cooldown, with the episode before remembered");
}

#[test]
fn a_condition_that_came_back_keeps_an_alert_open() {
    let mut story = Story::default();
    story.play(cancelled(1, 0.0));
    story.play(touch(2, TouchpointType::RecoveryMade, 5.0 * MINUTES));
    story.play(cancelled(3, 8.0 * MINUTES));
    story.wait(None, 10.0 * MINUTES);
    assert_eq!(story.of(SevereMoment), [Opened, Updated]);
}

#[test]
fn the_last_count_is_published_without_another_touchpoint() {
    let mut story = Story::default();
    story.play(cancelled(1, 0.0));
    story.play(cancelled(2, 0.5 * MINUTES));
    assert_eq!(story.of(SevereMoment), [Opened]);
    story.wait(None, 1.0 * MINUTES);
    assert_eq!(story.of(SevereMoment), [Opened, Updated]);
    assert_eq!(story.list(SevereMoment)[1].count, 2);
}

#[test]
fn whoever_has_an_open_alert_is_reviewed_daily_and_then_weekly() {
    let mut story = Story::default();
    story.rules.read.alerts.severe_moment.expires = throughline_experience::span::Span::days(300);
    story.rules.read.alerts.experience_low.expires = throughline_experience::span::Span::days(300);
    story.play(cancelled(1, 0.0));
    let mut reviews = Vec::new();
    while let (Some(due), _) = story.dues() {
        if due > 200.0 {
            break;
        }
        story.wait(Some(due + 1e-7), due);
        reviews.push(due);
    }
    assert_eq!(reviews.iter().filter(|due| **due <= 60.0).count(), 60);
    let apart: Vec<f64> = reviews.windows(2).map(|pair| (pair[1] - pair[0]).round()).collect();
    assert!(apart[..59].iter().all(|days| *days == 1.0), "{apart:?}");
    assert!(apart[60..].iter().all(|days| *days == 7.0), "{apart:?}");
    let minutes: Vec<i64> =
        reviews.iter().map(|due| (due * DAY as f64 / MINUTE as f64).round() as i64 % 1_440).collect();
    assert!(minutes.windows(2).all(|pair| pair[0] == pair[1]), "at the same minute of the day");
    assert_eq!(story.of(SevereMoment), [Opened]);
}

#[test]
fn reviews_that_were_missed_are_one() {
    let (mut daily, mut late) = (Story::default(), Story::default());
    for story in [&mut daily, &mut late] {
        story.play(cancelled(1, 0.0));
    }
    for days in 1..=90 {
        daily.wait(Some(f64::from(days)), f64::from(days));
    }
    late.wait(Some(90.0), 90.0);
    let by_stream = |story: &Story| {
        let transitions = story.transitions();
        let transitions = transitions.into_iter().filter(|(_, transition, _)| *transition != Closed);
        (transitions.collect::<Vec<_>>(), story.customer.core.clone())
    };
    assert_eq!(by_stream(&daily), by_stream(&late));
    assert_eq!(late.of(SevereMoment), [Opened, Expired]);
}

#[test]
fn a_review_confirms_what_a_touchpoint_began_and_silence_alone_opens_nothing() {
    let mut story = Story::default();
    story.play_all((0..3).map(|number| valenced(number, f64::from(number) * HOURS, -0.3)));
    let quiet = story.of(ExperienceLow);
    assert_eq!(quiet, []);
    story.wait(Some(20.0), 20.0);
    assert_eq!(story.of(ExperienceLow), [], "nobody without an open alert is reviewed");
    let mut story = Story::default();
    story.play(cancelled(1, 0.0).answer(throughline_model::touchpoint::Evidence {
        kind: throughline_model::EvidenceKind::Csat,
        score: -1.0,
        min: -1.0,
        max: 1.0,
        easy_is_high: true,
    }));
    let held = story.customer.alerts.as_ref().map(|book| book.low_streak);
    assert_eq!((story.of(ExperienceLow), held), (vec![], Some(1)), "one evaluation is not two");
    story.wait(Some(1.5), 1.5);
    assert_eq!(story.of(ExperienceLow), [Opened]);
    let opened = story.list(ExperienceLow)[0];
    assert_eq!((opened.opened_at, opened.reasons[0].touchpoint_id), (day(0.0), support::id(1)));
    assert!(opened.as_of > day(0.0), "it speaks for the time of the review");
    let before = story.alerts.len();
    story.wait(Some(1.5), 1.5);
    assert_eq!(story.alerts.len(), before, "once");
}

#[test]
fn a_customer_who_withdrew_is_left_alone() {
    let mut story = low();
    story.play(touch(90, TouchpointType::ConsentChanged, 1.0).consent("service", ConsentStatus::Denied));
    assert_eq!(story.list(ExperienceLow)[1].reason, TransitionReason::Consent);
    assert_eq!(story.dues(), (None, None));
    let before = story.alerts.len();
    story.wait(Some(100.0), 100.0);
    assert_eq!(story.alerts.len(), before);
}

#[test]
fn a_single_view_that_was_put_off_is_due_ten_seconds_after_the_last() {
    let mut story = Story::default();
    story.play(valenced(1, 0.0, 0.2));
    story.customer.mark_view_published(Now::from_millis(START));
    story.play(valenced(2, 0.00001, 0.2));
    story.customer.put_view_off();
    let seconds = |story: &Story| story.dues().1.map(|days| (days * 86_400.0).round());
    assert_eq!(seconds(&story), Some(10.0));
    assert!(!story.wait(None, 9.0 / 86_400.0).view);
    assert!(story.wait(None, 10.0 / 86_400.0).view);
    assert!(!story.wait(None, 11.0 / 86_400.0).view);
}
