//! Duplicates, revisions, retraction, order and joins: state is a fold that does not care how it was reached.

mod support;

use proptest::prelude::*;
use support::{Draft, Story, day, touch, valenced};
use throughline_experience::{Component, Customer, Rules, ScoreView};
use throughline_model::touchpoint::{Attribute, Evidence, Identifier};
use throughline_model::{
    Channel, ConsentStatus, EventTime, EvidenceKind, Fate, Hash128, IdentifierType, LateReason, OwnerKind, Purpose,
    TouchpointType, Trust, Verb, WithheldReason,
};

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * left.abs().max(1.0)
}

/// Published numbers are rounded to 1e-6: two that differ by 1e-9 may round to neighbors.
fn published_close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1.000_1e-6
}

fn assert_same_score(left: &ScoreView, right: &ScoreView) {
    let numbers = |view: &ScoreView| {
        let mut numbers = vec![view.overall, view.moment, view.relationship, view.lifetime, view.uncertainty];
        numbers.extend([view.coverage, view.other, view.prior, view.observed_share]);
        numbers.extend(view.evidence_mix);
        numbers.extend(view.reasons.iter().map(|reason| reason.contribution));
        numbers.extend([view.consistency, view.channel_gap, view.effort_survey].into_iter().flatten());
        numbers.extend(view.baseline.iter().flat_map(|baseline| [baseline.mean, baseline.sd]));
        numbers.extend(view.baseline.and_then(|baseline| baseline.z));
        numbers
    };
    let (first, second) = (numbers(left), numbers(right));
    assert_eq!(first.len(), second.len(), "{left:?} {right:?}");
    for (first, second) in first.into_iter().zip(second) {
        assert!(published_close(first, second), "{first} {second}");
    }
    assert_eq!(left.touchpoints, right.touchpoints);
    assert_eq!(left.channels, right.channels);
    let ids = |view: &ScoreView| view.reasons.iter().map(|reason| reason.touchpoint_id).collect::<Vec<_>>();
    assert_eq!(ids(left), ids(right));
}

/// The order-insensitive list of `experience.md` 4.17, as far as it exists, at one time.
fn assert_same(left: &Customer, right: &Customer, rules: &Rules) {
    let at = day(400.0);
    assert_same_score(&left.score(rules, at), &right.score(rules, at));
    let (first, second) = (left.view(rules, at), right.view(rules, at));
    assert_eq!(first.memories, second.memories);
    assert_eq!(first.surveys, second.surveys);
    assert_eq!(first.links, second.links);
    assert_eq!(first.attributes, second.attributes);
    assert_eq!(first.consent, second.consent);
    let channels = |customer: &Customer| {
        let rows = customer.core.channels.rows.iter().filter(|row| row.count > 0);
        rows.map(|row| (row.channel, row.count, row.sums.mean().expect("has weight"))).collect::<Vec<_>>()
    };
    for (first, second) in channels(left).into_iter().zip(channels(right)) {
        assert_eq!((first.0, first.1), (second.0, second.1));
        assert!(close(first.2, second.2), "{first:?} {second:?}");
    }
    assert_eq!(channels(left).len(), channels(right).len());
    let sums = |customer: &Customer| {
        let sums = customer.core.sums;
        [sums.moment, sums.relationship, sums.lifetime].map(|horizon| (horizon.landmark, horizon.a, horizon.b))
    };
    for ((landmark, a, b), (other, c, d)) in sums(left).into_iter().zip(sums(right)) {
        // The landmark of a retracted later touchpoint stays; at one landmark the sums are equal.
        let scale = if b == 0.0 && d == 0.0 { 1.0 } else { libm::ldexp(1.0, other - landmark) };
        assert!(close(a, c * scale) && close(b, d * scale), "{a} {c} {b} {d}");
    }
}

/// A touchpoint of a small world in which ids, channels and owners often meet.
fn any_draft() -> impl Strategy<Value = Draft> {
    let kinds = prop_oneof![
        Just(TouchpointType::SurveyAnswered),
        Just(TouchpointType::OrderCreated),
        Just(TouchpointType::PartnerTripCancelled),
        Just(TouchpointType::PageViewed),
        Just(TouchpointType::RecoveryMade),
    ];
    let verbs = prop_oneof![3 => Just(Verb::Add), 2 => Just(Verb::Update), 1 => Just(Verb::Remove)];
    // Received within the window of seven days: what comes later is another promise.
    let times = (0.0..6.9f64, 0.0..3.0f64);
    (0..12u32, kinds, times, 0..3usize, verbs, 0..3i64, -10..=10i32).prop_map(
        |(number, kind, (received, age), channel, verb, updated, tenth)| {
            // Whatever is said about one touchpoint in one revision is the same wherever it is said again.
            let mut draft = touch(number, kind, 10.0 + received - age.min(received)).received(10.0 + received);
            draft = draft.channel([Channel::Web, Channel::Store, Channel::Phone][channel]);
            if kind == TouchpointType::SurveyAnswered {
                let score = f64::from(tenth) / 2.0 + 5.0;
                draft = draft.answer(Evidence::new(EvidenceKind::Nps, score));
            }
            draft = draft.with(|body| body.set_owner(OwnerKind::Store, ["north", "south", ""][channel]));
            draft.revision(verb, updated * 1_000)
        },
    )
}

/// The first of every (id, revision) stands for all: a source does not say two things in one revision.
fn consistent(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut known: Vec<Draft> = Vec::new();
    drafts
        .into_iter()
        .map(|mut draft| {
            let key = |draft: &Draft| (draft.header.touchpoint_id, draft.header.revision);
            // An update time is that of the source: milliseconds after the touchpoint happened, or absent.
            if draft.header.revision.updated_at != 0 {
                draft.header.revision.updated_at += support::START;
            }
            match known.iter().find(|other| key(other) == key(&draft)) {
                Some(first) => first.clone(),
                None => {
                    known.push(draft.clone());
                    draft
                }
            }
        })
        .collect()
}

fn play(drafts: &[Draft]) -> Story {
    let mut story = Story::default();
    story.play_all(drafts.iter().cloned());
    story
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_gives_the_same_state(
        drafts in prop::collection::vec(any_draft(), 1..24).prop_map(consistent),
        seed in any::<prop::sample::Index>(),
    ) {
        let mut shuffled = drafts.clone();
        let turn = seed.index(shuffled.len());
        shuffled.rotate_left(turn);
        shuffled.reverse();
        // Every touchpoint comes twice somewhere.
        shuffled.extend(drafts.iter().take(5).cloned());
        let (left, right) = (play(&drafts), play(&shuffled));
        assert_same(&left.customer, &right.customer, &left.rules);
    }

    #[test]
    fn the_highest_revisions_alone_give_the_same_state(
        drafts in prop::collection::vec(any_draft(), 1..24).prop_map(consistent),
    ) {
        let mut highest: Vec<Draft> = Vec::new();
        for draft in &drafts {
            match highest.iter_mut().find(|held| held.header.touchpoint_id == draft.header.touchpoint_id) {
                Some(held) if held.header.revision < draft.header.revision => *held = draft.clone(),
                Some(_) => {}
                None => highest.push(draft.clone()),
            }
        }
        highest.retain(|draft| draft.header.revision.verb != Verb::Remove);
        let (all, only) = (play(&drafts), play(&highest));
        assert_same(&all.customer, &only.customer, &all.rules);
    }

    #[test]
    fn joined_states_are_the_fold_of_the_union(
        drafts in prop::collection::vec(any_draft(), 1..24).prop_map(consistent),
        cut in any::<prop::sample::Index>(),
        shared in 0..4usize,
    ) {
        let cut = cut.index(drafts.len());
        let (left, right) = drafts.split_at(cut);
        let right: Vec<_> = left.iter().take(shared).chain(right).cloned().collect();
        let whole = play(&drafts);
        let mut joined = play(left).customer;
        joined.merge(play(&right).customer, &whole.rules);
        assert_same(&joined, &whole.customer, &whole.rules);
    }

    #[test]
    fn old_touchpoints_in_any_order_give_the_same_state(
        days in prop::collection::vec((0.0..390.0f64, -10..=10i32), 1..200),
        turn in any::<prop::sample::Index>(),
    ) {
        // Received over a year: most entries have left the recent list and live on in the folded part.
        let drafts: Vec<_> = days
            .iter()
            .enumerate()
            .map(|(number, &(at, tenth))| {
                let kind = [EvidenceKind::Csat, EvidenceKind::Sentiment][number % 2];
                let score = f64::from(tenth) / 10.0;
                touch(number as u32, TouchpointType::ContactAnalyzed, at)
                    .answer(Evidence { min: -1.0, max: 1.0, ..Evidence::new(kind, score) })
                    .channel([Channel::Web, Channel::Store][number / 2 % 2])
                    .with(|body| body.set_owner(OwnerKind::Partner, ["a", "b", "c"][number % 3]))
            })
            .collect();
        let mut turned = drafts.clone();
        let by = turn.index(turned.len());
        turned.rotate_left(by);
        let (left, right) = (play(&drafts), play(&turned));
        assert_same(&left.customer, &right.customer, &left.rules);
        assert_eq!(left.customer.core.sums.count as usize, drafts.len());
    }
}

#[test]
fn the_fates_of_copies() {
    let mut story = Story::default();
    let order = || touch(1, TouchpointType::OrderCreated, 0.0);
    assert_eq!(story.play(order()), Fate::Applied);
    assert_eq!(story.play(order()), Fate::Duplicate);
    assert_eq!(story.play(order().received(6.0)), Fate::Duplicate);
    let update = order().revision(Verb::Update, day(1.0).as_millis()).received(1.0);
    assert_eq!(story.play(update.clone()), Fate::Applied);
    assert_eq!(story.play(update), Fate::Duplicate);
    assert_eq!(story.customer.score(&story.rules, day(1.0)).touchpoints, 1);
    let remove = order().revision(Verb::Remove, day(2.0).as_millis()).received(2.0);
    assert_eq!(story.play(remove), Fate::Applied);
    assert_eq!(story.play(order().revision(Verb::Update, 5)), Fate::Duplicate);
    assert!(story.touchpoints.last().is_some_and(|valued| valued.retracted && valued.valuation.v().is_none()));
    assert_eq!(story.touchpoints.len(), 3);
    let score = story.customer.score(&story.rules, day(2.0));
    assert_eq!((score.relationship, score.touchpoints, score.reasons.len()), (60.0, 0, 0));
    assert_eq!(story.customer.core.sums.relationship.a, 0.0);
}

#[test]
fn a_revision_of_the_forgotten_is_late() {
    let mut story = Story::default();
    story.play(touch(1, TouchpointType::OrderCreated, 0.0));
    story.play(touch(2, TouchpointType::OrderCreated, 8.0));
    let late = Fate::Late(LateReason::RevisionExpired);
    let change = |verb| touch(1, TouchpointType::OrderCreated, 0.0).revision(verb, 9).received(8.0);
    assert_eq!(story.play(change(Verb::Update)), late);
    assert_eq!(story.play(change(Verb::Remove)), late);
    let updated = day(7.5).as_millis();
    assert_eq!(
        story.play(touch(3, TouchpointType::OrderCreated, 0.0).revision(Verb::Add, updated).received(8.0)),
        late
    );
    let mut replayed = change(Verb::Update);
    replayed.header.replayed = true;
    assert_eq!(story.play(replayed), Fate::Applied);
    // An old touchpoint that comes for the first time is no revision.
    assert_eq!(story.play(touch(4, TouchpointType::OrderCreated, 1.0).received(9.0)), Fate::Applied);
    assert_eq!(
        story.play(touch(5, TouchpointType::OrderCreated, 0.0).received(1_096.0)),
        Fate::Late(LateReason::MaxAge)
    );
}

#[test]
fn a_denied_customer_is_left_alone_until_they_allow_again() {
    let mut story = Story::default();
    story.play(touch(1, TouchpointType::OrderCreated, 0.0));
    let consent = |number, days, status| touch(number, TouchpointType::ConsentChanged, days).consent("process", status);
    assert_eq!(story.play(consent(2, 1.0, ConsentStatus::Denied)), Fate::Applied);
    let before = story.customer.score(&story.rules, day(5.0));
    let order = |number, days| touch(number, TouchpointType::OrderCreated, days);
    assert_eq!(story.play(order(3, 2.0)), Fate::Withheld(WithheldReason::Consent));
    assert_eq!(story.customer.score(&story.rules, day(5.0)), before);
    // An older grant changes nothing, however late it comes.
    assert_eq!(story.play(consent(4, 0.5, ConsentStatus::Granted)), Fate::Applied);
    assert_eq!(story.play(order(5, 3.0)), Fate::Withheld(WithheldReason::Consent));
    assert_eq!(story.play(consent(6, 4.0, ConsentStatus::Granted)), Fate::Applied);
    assert_eq!(story.play(order(7, 5.0)), Fate::Applied);
}

#[test]
fn unknown_purposes_deny_and_strict_denies_service_too() {
    let mut story = Story::default();
    story.play(touch(1, TouchpointType::PreferenceDeclared, 0.0).with(|body| {
        for purpose in ["", "astrology"] {
            body.attributes.push(Attribute {
                name: format!("diet{purpose}").into(),
                value: "low sodium".into(),
                purpose: purpose.into(),
                valid_from: None,
                expires_at: Some(day(100.0)),
            });
        }
    }));
    let names = |story: &Story, at: EventTime| {
        story.customer.view(&story.rules, at).attributes.iter().map(|held| held.name.to_string()).collect::<Vec<_>>()
    };
    assert!(names(&story, day(1.0)).is_empty());
    story.play(touch(2, TouchpointType::ConsentChanged, 1.0).consent("personalization", ConsentStatus::Granted));
    assert_eq!(names(&story, day(1.0)), ["diet"]);
    assert!(names(&story, day(100.0)).is_empty(), "it has expired");
    assert!(story.customer.allows(Purpose::Service, day(1.0), &story.rules));
    story.rules.deployment.strict_consent = true;
    assert!(!story.customer.allows(Purpose::Service, day(1.0), &story.rules));
    assert!(story.customer.allows(Purpose::Process, day(1.0), &story.rules));
    let emitted = story.touchpoints.len();
    assert_eq!(story.play(touch(3, TouchpointType::OrderCreated, 2.0)), Fate::Applied);
    assert_eq!(story.touchpoints.len(), emitted, "applied, but published nowhere");
}

#[test]
fn asserted_identifiers_become_links() {
    let mut story = Story::default();
    let identifier = |number: u8, trust| Identifier { kind: IdentifierType::Email, hash: Hash128([number; 16]), trust };
    let mut draft = touch(1, TouchpointType::PageViewed, 0.0);
    draft.header.identifiers.push(identifier(1, Trust::Asserted));
    draft.header.identifiers.push(identifier(2, Trust::Authenticated));
    draft.header.identifiers.push(identifier(7, Trust::Asserted));
    story.play(draft);
    let links = story.customer.view(&story.rules, day(0.0)).links;
    assert_eq!(links.iter().map(|link| link.hash).collect::<Vec<_>>(), [Hash128([1; 16])]);
    for number in 20..60 {
        let mut draft = touch(number, TouchpointType::PageViewed, f64::from(number));
        draft.header.identifiers.push(identifier(number as u8, Trust::Asserted));
        story.play(draft);
    }
    assert_eq!(story.customer.view(&story.rules, day(0.0)).links.len(), 16);
    assert_eq!(story.capped, [Component::Links; 41 - 16]);
}

#[test]
fn a_score_is_due_when_a_number_moved_by_a_hundredth() {
    let mut story = Story::default();
    story.play(valenced(1, 0.0, 0.5));
    let score = story.customer.score(&story.rules, day(0.0));
    assert!(story.customer.score_due(&score));
    assert_eq!(story.customer.mark_score_published(&score), 1);
    assert!(!story.customer.score_due(&score));
    story.play(touch(2, TouchpointType::PageViewed, 0.000_1).channel(Channel::Survey));
    let score = story.customer.score(&story.rules, story.customer.as_of());
    assert!(!story.customer.score_due(&score), "a page view a moment later moves nothing");
    let score = story.customer.score(&story.rules, day(3.0));
    assert!(story.customer.score_due(&score), "days do");
    assert_eq!(story.customer.mark_score_published(&score), 2);
}

#[test]
fn what_leaves_a_full_component_is_told_and_what_is_old_is_not() {
    let mut story = Story::default();
    story.play_all((0..40).map(|number| valenced(number, f64::from(number), 0.5)));
    assert!(story.customer.recent.entries.len() < 10, "seven days of one a day");
    assert_eq!(story.capped, []);
    for number in 100..140 {
        let draft = touch(number, TouchpointType::PageViewed, 50.0).with(|body| {
            body.attributes.push(Attribute {
                name: format!("name-{number}").into(),
                value: "x".into(),
                purpose: "service".into(),
                valid_from: None,
                expires_at: None,
            });
        });
        story.play(draft);
    }
    assert_eq!(story.capped, [Component::Attributes; 40 - 32]);
}

#[test]
fn the_recent_list_is_capped() {
    let mut story = Story::default();
    story.play_all((0..200).map(|number| valenced(number, f64::from(number) / 100.0, 0.5)));
    assert_eq!(story.customer.recent.entries.len(), 128);
    assert_eq!(story.capped, [Component::Recent; 200 - 128]);
    let score = story.customer.score(&story.rules, day(2.0));
    assert_eq!((score.touchpoints, score.reasons.len()), (200, 5));
    assert_eq!(score.reasons[0].touchpoint_id, support::id(199), "equal valences: the latest matter most");
}
