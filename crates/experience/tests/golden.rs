//! The computed and golden values of 4.1, 4.2 and 4.4.

mod support;

use support::{HOURS, Story, day, touch, valenced};
use throughline_experience::recent::Entry;
use throughline_experience::valuation::TouchpointWeight;
use throughline_experience::{Customer, Rules, valuation};
use throughline_model::touchpoint::{Evidence, Facet, Revision};
use throughline_model::{Channel, Driver, EvidenceKind, OwnerKind, ReceivedAt, Severity, TouchpointType, Verb};

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

/// A contribution of exactly that valence and weight (before lambda).
fn entry(number: u32, days: f64, v: f64, weight: f64) -> Entry {
    let lambda = if v < 0.0 { 2.0 } else { 1.0 };
    Entry {
        id: support::id(number),
        revision: Revision { updated_at: 0, mapping: 1, verb: Verb::Add },
        occurred_at: day(days),
        received_at: ReceivedAt::from_millis(day(days).as_millis()),
        v_units: (v * 10_000.0).round() as i16,
        worst_units: (v * 10_000.0).round() as i16,
        w_units: (weight * lambda * 1_000.0).round() as u16,
        mix: [1_000, 0, 0, 0],
        kind: TouchpointType::SurveyAnswered,
        channel: Channel::Survey,
        weight: TouchpointWeight::Normal,
        contact: true,
        recovery: false,
        store: None,
        partner: None,
        answers: Default::default(),
    }
}

fn customer(contributions: &[(f64, f64, f64)]) -> Customer {
    let rules = Rules::default();
    let mut customer = Customer::new(support::node());
    for (number, &(days, v, weight)) in contributions.iter().enumerate() {
        let entry = entry(number as u32, days, v, weight);
        customer.core.sums.add(&entry, &rules.fold.half_life);
        customer.recent.insert(entry);
    }
    customer
}

fn relationship(contributions: &[(f64, f64, f64)], days: f64) -> f64 {
    customer(contributions).relationship(&Rules::default(), day(days))
}

#[test]
fn answers_become_valences() {
    let rules = Rules::default();
    let valued = |evidence: Evidence| {
        let draft = touch(1, TouchpointType::SurveyAnswered, 0.0).answer(evidence);
        valuation(&draft.build(), &rules).v().expect("is valenced")
    };
    let nps = [-1.0, -0.8833, -0.7667, -0.65, -0.5333, -0.4167, -0.3, 0.0, 0.2, 0.7, 1.0];
    for (answer, expected) in nps.into_iter().enumerate() {
        assert_eq!(valued(Evidence::new(EvidenceKind::Nps, answer as f64)), expected);
    }
    for (stars, expected) in [(1.0, -1.0), (2.0, -0.5), (3.0, 0.0), (4.0, 0.5), (5.0, 1.0)] {
        assert_eq!(valued(Evidence::new(EvidenceKind::Csat, stars)), expected);
        assert_eq!(valued(Evidence::new(EvidenceKind::Stars, stars)), expected);
    }
    for (answer, expected) in [(1.0, -1.0), (4.0, 0.0), (5.0, 0.3333), (7.0, 1.0)] {
        assert_eq!(valued(Evidence::new(EvidenceKind::Ces, answer)), expected);
    }
    let mut hard = Evidence::new(EvidenceKind::Ces, 7.0);
    hard.easy_is_high = false;
    assert_eq!(valued(hard), -1.0);
    let on_five = Evidence { min: -5.0, max: 5.0, ..Evidence::new(EvidenceKind::Sentiment, 2.0) };
    assert_eq!(valued(on_five), 0.4);
    let on_ten = Evidence { min: 0.0, max: 10.0, ..Evidence::new(EvidenceKind::Stars, 10.0) };
    assert_eq!(valued(on_ten), 1.0);
    let on_hundred = Evidence { min: 0.0, max: 100.0, ..Evidence::new(EvidenceKind::Nps, 90.0) };
    assert_eq!(valued(on_hundred), 0.7);
}

#[test]
fn a_touchpoint_counts_once() {
    let draft = touch(1, TouchpointType::AssistEnded, 0.0)
        .with(|body| body.result.resolved = Some(false))
        .answer(Evidence::new(EvidenceKind::Sentiment, 0.4));
    let valued = valuation(&draft.build(), &Rules::default());
    assert_eq!((valued.v(), valued.w(), valued.q), (Some(-0.1833), Some(1.4), 0.7));
    assert_eq!(valued.worst_units, -6_000);
    assert_eq!(valued.mix, [0, 500, 700, 0]);
    assert_eq!(valued.driver, Some(Driver::Service));
    assert_eq!(valued.evidence.len(), 2);

    let nothing = valuation(&touch(1, TouchpointType::PageViewed, 0.0).build(), &Rules::default());
    assert_eq!((nothing.v(), nothing.w()), (None, None));
    let facets = touch(1, TouchpointType::StayReported, 0.0)
        .with(|body| body.facets.push(Facet { facet: "room".into(), score: 1.0, min: 1.0, max: 5.0 }));
    let valued = valuation(&facets.build(), &Rules::default());
    assert_eq!((valued.v(), valued.w(), valued.driver), (Some(-1.0), Some(1.6), Some(Driver::Environment)));
}

#[test]
fn severe_is_what_a_source_a_fact_or_a_code_says() {
    let rules = Rules::default();
    let nps = Evidence::new(EvidenceKind::Nps, 0.0);
    let cases = [
        (touch(1, TouchpointType::PartnerTripCancelled, 0.0), TouchpointWeight::Severe, Some(2.8)),
        (touch(1, TouchpointType::SurveyAnswered, 0.0).answer(nps), TouchpointWeight::Normal, Some(2.0)),
        (touch(1, TouchpointType::MessageReceived, 0.0).code("injury"), TouchpointWeight::Severe, None),
        (
            touch(1, TouchpointType::ProductFailed, 0.0).with(|body| body.severity = Severity::Severe),
            TouchpointWeight::Severe,
            Some(2.8),
        ),
        (
            touch(1, TouchpointType::ProductFailed, 0.0).with(|body| body.severity = Severity::Minor),
            TouchpointWeight::Minor,
            Some(0.7),
        ),
        (touch(1, TouchpointType::ProductFailed, 0.0).code("slow"), TouchpointWeight::Normal, Some(1.4)),
    ];
    for (draft, weight, w) in cases {
        let valued = valuation(&draft.build(), &rules);
        assert_eq!((valued.weight, valued.w()), (weight, w));
    }
}

#[test]
fn the_relationship_table() {
    near(relationship(&[], 0.0), 60.0, 0.0);
    near(relationship(&[(0.0, 1.0, 1.0)], 0.0), 73.33, 0.005);
    for (days, expected) in [(0.0, 30.0), (30.0, 40.0), (90.0, 53.33)] {
        near(relationship(&[(0.0, -1.0, 1.0)], days), expected, 0.005);
    }
    let with = |goods: usize, bads: usize, good: f64, bad: f64| {
        let mut all = vec![(0.0, good, 1.0); goods];
        all.extend(vec![(0.0, bad, 1.0); bads]);
        relationship(&all, 0.0)
    };
    near(with(5, 1, 0.6, -1.0), 57.78, 0.005);
    near(with(10, 1, 0.6, -1.0), 65.71, 0.005);
    near(with(0, 3, 0.6, -0.8), 22.50, 0.005);
    assert_eq!(with(6, 1, 0.6, -1.0), 60.0);
    assert!(with(5, 1, 0.6, -1.0) < 60.0);
    for (days, expected) in [(0.0, 20.0), (30.0, 30.0), (60.0, 40.0), (90.0, 48.0)] {
        near(relationship(&[(0.0, -1.0, 1.0), (0.0, -1.0, 1.0)], days), expected, 0.005);
    }
}

const GOLDEN: [(f64, f64, f64); 5] =
    [(0.0, 0.4, 1.0), (3.0, -0.6, 1.5), (10.0, 0.8, 1.0), (12.0, -1.0, 2.0), (20.0, 0.5, 1.0)];

#[test]
fn the_golden_case_in_any_order() {
    let rules = Rules::default();
    for rotation in 0..5 {
        let mut turned = GOLDEN;
        turned.rotate_left(rotation);
        let score = customer(&turned).score(&rules, day(30.0));
        near(score.relationship, 37.131_539_141, 5e-7);
        near(score.prior, 2.4479, 5e-5);
        for (number, expected) in [1.2239, -5.9030, 3.0841, -16.1500, 2.4286].into_iter().enumerate() {
            let at = turned.iter().position(|contribution| contribution.0 == GOLDEN[number].0).expect("is in it");
            let reason = score.reasons.iter().find(|reason| reason.touchpoint_id == support::id(at as u32));
            near(reason.expect("all five are reasons").contribution, expected, 5e-5);
        }
        let total = 50.0 + score.prior + score.reasons.iter().map(|reason| reason.contribution).sum::<f64>();
        near(total + score.other, score.relationship, 1e-9);
        near(score.other, 0.0, 5e-6);
        assert_eq!(score.reasons[0].touchpoint_id, support::id(((3 + 5 - rotation) % 5) as u32));
    }
}

#[test]
fn orders_without_trouble_never_lower_the_score() {
    let rules = Rules::default();
    let orders = |gap: f64, count: u32| {
        let mut story = Story::default();
        story.play_all((0..count).map(|n| touch(n, TouchpointType::OrderCreated, f64::from(n) * gap)));
        story.customer.relationship(&rules, story.customer.as_of())
    };
    near(orders(7.0, 200), 63.5, 0.05);
    near(orders(91.3, 40), 61.4, 0.05);
    for count in 1..30 {
        assert!(orders(3.0, count) >= 60.0);
    }
}

#[test]
fn s3_12_the_baseline_is_personal() {
    let mut story = Story::default();
    for visit in 0..20u32 {
        let v = [0.75, 0.85, 0.95][visit as usize % 3];
        story.play(valenced(visit, f64::from(visit) * 10.0, v));
        let baseline = story.customer.baseline(&story.rules);
        assert_eq!(baseline.is_some(), visit >= 7);
    }
    near(story.customer.z(&story.rules).expect("exists"), 0.032, 5e-4);
    assert!(story.alerts.is_empty());
    story.play(valenced(20, 200.0, 0.3));
    near(story.customer.z(&story.rules).expect("exists"), -3.444, 5e-4);
    near(story.customer.score(&story.rules, story.customer.as_of()).moment, 61.7, 0.05);
    assert!(story.alerts.is_empty(), "one is not enough");
    story.play(valenced(21, 201.0, 0.3));
    near(story.customer.z(&story.rules).expect("exists"), -2.727, 5e-4);
    near(story.customer.score(&story.rules, story.customer.as_of()).moment, 61.9, 0.05);
    assert_eq!(story.of(throughline_model::alert::AlertType::ExperienceDrop).len(), 1);
}

#[test]
fn s2_11_the_worst_is_remembered_until_somebody_makes_amends() {
    let mut story = Story::default();
    story.play(touch(1, TouchpointType::PartnerTripCancelled, 0.0).with(|body| {
        body.set_owner(OwnerKind::Partner, "red-line");
    }));
    story.play(valenced(2, 1.0, 0.6));
    let worst = |story: &Story, days: f64| {
        let view = story.customer.view(&story.rules, day(days));
        view.memories.into_iter().find(|memory| memory.worst && memory.scope.to_string() == "brand").expect("is kept")
    };
    near(worst(&story, 0.0).magnitude, 1.6, 1e-9);
    let half_a_year = worst(&story, 180.0);
    assert_eq!((half_a_year.touchpoint_id, half_a_year.v), (support::id(1), -0.8));
    near(half_a_year.magnitude, 1.6 * 0.710_5, 1e-3);
    near(worst(&story, 3_000.0).magnitude, 0.48, 1e-9);
    let scopes: Vec<_> =
        story.customer.view(&story.rules, day(2.0)).memories.iter().map(|memory| memory.scope.to_string()).collect();
    assert_eq!(scopes, ["brand", "brand", "partner:red-line"]);

    story.play(touch(3, TouchpointType::RecoveryMade, 40.0));
    let recovered = worst(&story, 3_000.0);
    assert!(recovered.recovered);
    near(recovered.magnitude, 1.6 * libm::exp2(-3_000.0 / 365.0), 1e-6);
}

#[test]
fn s4_11_a_silent_channel_widens_uncertainty_and_moves_nothing() {
    let silent = touch(9, TouchpointType::LoginCompleted, 0.0).channel(Channel::App);
    let orders = || (0..3).map(|n| touch(n, TouchpointType::OrderCreated, 100.0 + f64::from(n)));
    let (mut one, mut two) = (Story::default(), Story::default());
    one.play_all(orders());
    two.play(silent);
    two.play_all(orders());
    let (one, two) = (one.customer.score(&one.rules, day(103.0)), two.customer.score(&two.rules, day(103.0)));
    assert_eq!((one.relationship, one.moment, one.lifetime), (two.relationship, two.moment, two.lifetime));
    assert_eq!((one.coverage, two.coverage), (1.0, 0.5));
    near(two.uncertainty, (one.uncertainty * 2.0f64.sqrt()).min(1.0), 1e-6);
    assert_eq!(two.channels.iter().filter(|channel| channel.seen).count(), 1);
    let nothing = Customer::new(support::node()).score(&Rules::default(), day(0.0));
    assert_eq!((nothing.coverage, nothing.uncertainty, nothing.relationship), (1.0, 1.0, 60.0));
    assert_eq!(nothing.evidence_mix, [0.0; 4]);
}

#[test]
fn the_consistency_table() {
    let score = |channels: &[(Channel, f64, f64)]| {
        let rules = Rules::default();
        let mut customer = Customer::new(support::node());
        for &(channel, v, weight) in channels {
            // The weights of the table are those of the sums, after lambda.
            let mut entry = entry(1, 0.0, v, if v < 0.0 { weight / 2.0 } else { weight });
            entry.channel = channel;
            customer.core.channels.add(&entry, &rules.fold.half_life);
        }
        customer.score(&rules, day(0.0))
    };
    let (web, app, store) = (Channel::Web, Channel::App, Channel::Store);
    near(score(&[(web, 0.6, 4.0), (app, 0.5, 3.0), (store, 0.55, 2.0)]).consistency.expect("exists"), 95.6, 0.05);
    near(score(&[(web, 0.7, 5.0), (store, -0.4, 3.0)]).consistency.expect("exists"), 46.7, 0.05);
    let apart = score(&[(web, 0.7, 2.0), (store, -0.9, 2.0)]);
    near(apart.consistency.expect("exists"), 20.0, 0.05);
    near(apart.channel_gap.expect("exists"), 1.6, 1e-9);
    assert_eq!(score(&[(web, 0.7, 2.0), (Channel::Survey, -0.9, 2.0)]).consistency, None);
    assert_eq!(score(&[(web, 0.7, 2.0), (store, -0.9, 1.4)]).channel_gap, None);
}

#[test]
fn s0_4_opposite_experiences_stay_apart() {
    let rate = |v: f64| {
        let mut story = Story::default();
        story.play(valenced(1, 0.0, v));
        story.relationship()
    };
    assert!(rate(0.8) > 60.0 && rate(-0.8) < 60.0);
}

#[test]
fn s1_5_a_score_needs_no_survey() {
    let mut story = Story::default();
    story.play(touch(1, TouchpointType::OrderCreated, 0.0));
    story.play(touch(2, TouchpointType::PaymentFailed, 1.0).answer(Evidence::new(EvidenceKind::Sentiment, -0.5)));
    let score = story.customer.score(&story.rules, day(1.0));
    assert_eq!(score.evidence_mix[0], 0.0);
    near(score.evidence_mix.iter().sum(), 1.0, 1e-6);
    assert!(score.observed_share > 0.0 && score.evidence_mix[1] > 0.0 && score.evidence_mix[2] > 0.0);
}

#[test]
fn expected_is_the_lifetime_mean_before_the_touchpoint() {
    let mut story = Story::default();
    for number in 0..8 {
        story.play(valenced(number, f64::from(number), 0.5));
    }
    assert!(story.touchpoints.iter().all(|valued| valued.expected.is_none()));
    story.play(valenced(8, 8.0, -0.1));
    let last = story.touchpoints.last().expect("was emitted");
    assert_eq!((last.expected, last.disconfirmation), (Some(0.5), Some(-0.6)));
}

#[test]
fn the_latest_survey_answer_holds() {
    let mut story = Story::default();
    let ces = |number, days: f64, score| {
        touch(number, TouchpointType::SurveyAnswered, days).answer(Evidence::new(EvidenceKind::Ces, score))
    };
    story.play(ces(1, 5.0, 4.0));
    story.play(ces(2, 3.0, 1.0));
    for (days, expected) in [(6.0, Some(50.0)), (34.9, Some(50.0)), (35.1, None)] {
        assert_eq!(story.customer.score(&story.rules, day(days)).effort_survey, expected);
    }
    // Days later both have left the recent list.
    story.play(touch(3, TouchpointType::PageViewed, 20.0 + HOURS));
    let surveys = story.customer.view(&story.rules, day(20.0)).surveys;
    assert_eq!(
        surveys.iter().map(|answer| (answer.instrument, answer.score)).collect::<Vec<_>>(),
        [(EvidenceKind::Ces, 4.0)]
    );
}
