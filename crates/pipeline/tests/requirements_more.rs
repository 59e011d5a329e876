//! More requirements of the mission that need no journeys, promises or merges; names start with the requirement's id.

mod local;

use local::{Stage, answer, node, stage, touchpoint};
use serde_json::{Value, json};
use throughline_model::{Fate, SourceKind, Topic, TouchpointType, WithheldReason};

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn answered(stage: &mut Stage, login: &str, day: f64, v: f64) {
    stage.touchpoint(SourceKind::Survey, &touchpoint("survey.answered", login, day, json!({"evidence": answer(v)})));
}

/// Keys whose latest record on a topic is a deletion.
fn deleted(stage: &Stage, topic: Topic, login: &str) -> bool {
    let node = node(login);
    let mut records = stage.outputs.iter().rev();
    let latest = records.find(|output| output.topic == topic && output.key_text() == Some(&node));
    latest.is_some_and(|output| output.value.is_none())
}

#[test]
fn s0_04_opposite_experiences_of_one_trip_stay_apart() {
    let mut stage = stage();
    for (login, v) in [("ann", 0.8), ("bob", -0.8)] {
        let report = json!({"owners": {"partner": "red-line"}, "refs": {"booking_id": "T1"}, "evidence": answer(v)});
        stage.touchpoint(SourceKind::Partner, &touchpoint("partner.service.reported", login, 0.0, report));
    }
    assert!(number(&stage.score("ann")["relationship"]) > 60.0);
    assert!(number(&stage.score("bob")["relationship"]) < 60.0);
}

#[test]
fn s2_11_the_worst_moment_is_remembered_until_something_was_put_right() {
    let worst = |stage: &Stage| -> f64 {
        let node = node("ann");
        let customers = stage.values(Topic::Customers).into_iter().rev();
        let mut customers = customers.filter(|customer| customer["customer_id"] == node.as_str());
        let customer = customers.next().expect("a customer");
        let memories = customer["memories"].as_array().expect("memories").clone();
        let worst = memories.iter().find(|memory| memory["scope"] == "brand" && memory["kind"] == "worst");
        number(&worst.expect("a worst memory")["magnitude"])
    };
    let cancelled = |stage: &mut Stage| {
        stage.touchpoint(SourceKind::Partner, &touchpoint("partner.trip.cancelled", "ann", 0.0, json!({})));
    };
    let page = |stage: &mut Stage, day: f64| {
        stage.touchpoint(SourceKind::Web, &touchpoint("page.viewed", "ann", day, json!({})));
        let rest = stage.run.finish();
        stage.outputs.extend(rest);
    };
    let mut floor = stage();
    cancelled(&mut floor);
    page(&mut floor, 1_000.0);
    assert!((worst(&floor) - 1.6 * 0.3).abs() < 1e-6, "it keeps thirty percent for years: {}", worst(&floor));
    let mut recovered = stage();
    cancelled(&mut recovered);
    let made = json!({"channel": "phone"});
    recovered.touchpoint(SourceKind::CallCentre, &touchpoint("recovery.made", "ann", 1.0, made));
    page(&mut recovered, 1_000.0);
    assert!(worst(&recovered) < 1.6 * 0.3, "after a recovery it fades: {}", worst(&recovered));
}

#[test]
fn s3_03_a_withdrawn_consent_holds_in_the_commit_that_reads_it() {
    let consent = |day: f64, purpose: &str, status: &str| {
        let at = local::START + (day * local::DAY as f64) as i64;
        let list = json!([{"purpose": purpose, "status": status, "status_at": at}]);
        touchpoint("consent.changed", "ann", day, json!({"consents": list}))
    };
    let mut stage = stage();
    stage.touchpoint(SourceKind::Partner, &touchpoint("partner.trip.cancelled", "ann", 0.0, json!({})));
    assert_eq!(stage.opened(), ["severe_moment"]);
    stage.touchpoint(SourceKind::Web, &consent(1.0, "service", "revoked"));
    assert!(deleted(&stage, Topic::Scores, "ann") && deleted(&stage, Topic::Customers, "ann"));
    let alerts = stage.values(Topic::Alerts);
    let last = alerts.last().expect("an alert");
    assert_eq!((&last["transition"], &last["transition_reason"]), (&json!("closed"), &json!("consent")));
    let before = stage.outputs.len();
    answered(&mut stage, "ann", 2.0, -1.0);
    assert_eq!(stage.outputs.len(), before, "nothing is written about the customer any more");
    stage.touchpoint(SourceKind::Web, &consent(0.5, "service", "granted"));
    answered(&mut stage, "ann", 3.0, 0.5);
    assert_eq!(stage.outputs.len(), before, "an older record changes nothing");
    stage.touchpoint(SourceKind::Web, &consent(4.0, "service", "granted"));
    assert!(!deleted(&stage, Topic::Scores, "ann"), "granted again, the score is back");
    stage.touchpoint(SourceKind::Web, &consent(5.0, "process", "denied"));
    let value = touchpoint("page.viewed", "ann", 6.0, json!({}));
    let pushed = stage.push(SourceKind::Web, value.to_string());
    assert_eq!(pushed.fates[0].fate, Fate::Withheld(WithheldReason::Consent));
    let spoken = pushed.outputs.iter().any(|output| output.topic != Topic::Customers);
    assert!(!spoken, "what may not be processed moves nothing");
}

#[test]
fn s3_09_every_type_has_one_family_and_comes_through() {
    for kind in TouchpointType::ALL {
        let mut stage = stage();
        let value = touchpoint(kind.as_str(), "ann", 0.0, json!({}));
        let pushed = stage.touchpoint(SourceKind::Partner, &value);
        let published = &local::values(&pushed.outputs, Topic::Touchpoints)[0];
        assert_eq!(
            (&published["type"], &published["family"]),
            (&json!(kind.as_str()), &json!(kind.row().family.as_str()))
        );
    }
}

#[test]
fn s1_12_corrections_and_removals_take_back_what_they_correct() {
    let value = |v: f64, more: Value| {
        let mut value = touchpoint("survey.answered", "ann", 1.0, json!({"evidence": answer(v)}));
        for (name, member) in more.as_object().expect("an object") {
            value[name] = member.clone();
        }
        value
    };
    let mut straight = stage();
    answered(&mut straight, "ann", 0.0, 0.4);
    straight.touchpoint(SourceKind::Survey, &value(0.8, json!({"updated_at": local::START + 2})));
    let mut corrected = stage();
    answered(&mut corrected, "ann", 0.0, 0.4);
    corrected.touchpoint(SourceKind::Survey, &value(-1.0, json!({"updated_at": local::START + 1})));
    corrected.touchpoint(SourceKind::Survey, &value(0.8, json!({"verb": "update", "updated_at": local::START + 2})));
    let stale = value(0.1, json!({"updated_at": local::START + 1})).to_string();
    assert_eq!(corrected.push(SourceKind::Survey, stale).fates[0].fate, Fate::Duplicate);
    for horizon in ["relationship", "moment", "lifetime", "touchpoints", "reasons"] {
        assert_eq!(straight.score("ann")[horizon], corrected.score("ann")[horizon], "{horizon}");
    }
    let removal = value(0.8, json!({"verb": "remove", "updated_at": local::START + 2}));
    let pushed = corrected.touchpoint(SourceKind::Survey, &removal);
    assert_eq!(local::values(&pushed.outputs, Topic::Touchpoints)[0]["retracted"], true);
    assert_eq!(corrected.score("ann")["touchpoints"], 1);
}
