//! Requirements of the mission, from raw source records to output records; a test's name starts with the requirement's id.

mod local;

use local::{START, answer, node, sentiment, stage, text, touchpoint};
use serde_json::{Value, json};
use throughline_model::{Fate, SourceKind, Topic};

const PARTNER: SourceKind = SourceKind::Partner;

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn close(value: &Value, expected: f64, within: f64) {
    assert!((number(value) - expected).abs() <= within, "{value} is not {expected}");
}

#[test]
fn s0_01_a_late_bus_lowers_the_score_with_the_seller() {
    let mut stage = stage();
    let owners = json!({"partner": "red-line"});
    let refs = json!({"booking_id": "B1", "order_id": "O1"});
    let order =
        json!({"channel": "web", "owners": owners, "refs": refs, "money": {"amount_minor": 2900, "currency": "EUR"}});
    stage.touchpoint(SourceKind::Web, &touchpoint("order.created", "ann", 0.0, order));
    let before = number(&stage.score("ann")["relationship"]);
    let late = json!({"owners": owners, "refs": refs, "evidence": sentiment(-0.9)});
    let pushed = stage.touchpoint(PARTNER, &touchpoint("partner.trip.delayed", "ann", 0.5, late));
    let published = &local::values(&pushed.outputs, Topic::Touchpoints)[0];
    assert_eq!(published["relationship_owner"], "brand");
    assert_eq!(published["operational_owner"], "partner:red-line");
    assert_eq!(published["family"], "co_branding");
    let after = number(&stage.score("ann")["relationship"]);
    assert!(after < before - 5.0, "{before} to {after}");
}

#[test]
fn s0_05_never_again_opens_exit_intent_at_once_without_a_score_threshold() {
    let comment = json!({"object": "page", "entry": [{"id": "77", "time": START / 1_000, "changes": [{"field": "feed",
        "value": {"item": "comment", "verb": "add", "comment_id": "9_5", "post_id": "77_9", "parent_id": "77_9",
            "from": {"id": "501", "name": "N"}, "created_time": START / 1_000,
            "message": "Thank you for nothing, I am never coming back to your shop."}}]}]});
    let mut stage = stage();
    let pushed = stage.push(SourceKind::Social, comment.to_string());
    assert_eq!(pushed.fates[0].fate, Fate::Applied);
    assert_eq!(stage.opened(), ["exit_intent"]);
    let alert = &stage.values(Topic::Alerts)[0];
    assert_eq!((&alert["severity"], &alert["seq"]), (&json!("P1"), &json!(1)));
    let mut stage = local::stage();
    stage.touchpoint(SourceKind::CallCentre, &touchpoint("cancel.requested", "bob", 0.0, json!({"channel": "phone"})));
    assert_eq!(stage.opened(), ["exit_intent"], "a request to cancel says it itself");
}

#[test]
fn s0_11_a_prospect_without_an_order_gets_alerts() {
    let mut stage = stage();
    stage.touchpoint(PARTNER, &touchpoint("partner.trip.cancelled", "ann", 0.0, json!({})));
    stage.touchpoint(PARTNER, &touchpoint("partner.trip.cancelled", "ann", 0.1, json!({})));
    let urgent = json!({"need": {"topic": "ride", "tags": [{"tag": "stranded", "confidence": 0.9}]}});
    stage.touchpoint(SourceKind::CallCentre, &touchpoint("contact.started", "ann", 0.2, urgent));
    stage.touchpoint(SourceKind::CallCentre, &touchpoint("cancel.requested", "ann", 0.3, json!({})));
    let mut opened = stage.opened();
    opened.sort();
    assert_eq!(opened, ["exit_intent", "experience_low", "severe_moment", "urgent_need"]);
}

/// One raw record per channel of the vocabulary, in the shape its source sends.
#[test]
fn s0_12_every_channel_goes_from_raw_topic_to_state() {
    let own = |source, kind: &str, channel: &str| {
        (source, channel.to_owned(), touchpoint(kind, channel, 0.0, json!({"channel": channel})))
    };
    let stamp = "2026-01-05T12:00:00Z";
    let web =
        json!({"type": "page", "messageId": "m1", "userId": "web", "timestamp": stamp, "properties": {"url": "/"}});
    let app = json!({"type": "screen", "messageId": "m2", "userId": "app", "timestamp": stamp, "name": "Home",
        "context": {"device": {"id": "d1", "type": "ios"}}});
    let social = json!({"object": "page", "entry": [{"id": 77, "time": START, "messaging": [{"sender": {"id": "501"},
        "recipient": {"id": "77"}, "timestamp": START, "message": {"mid": "m1", "text": "Where is my bus now please?"}}]}]});
    let phone = json!({"eventType": "INITIATED", "contactId": "c2", "channel": "VOICE", "initiationMethod": "INBOUND",
        "initiationTimestamp": stamp, "customerEndpoint": {"address": "+4917000001", "type": "TELEPHONE_NUMBER"}});
    let survey = json!({"response_id": "r1", "survey_id": "s1", "instrument": "nps", "score": 9, "answered_at": stamp,
        "recipient_customer_id": "K1"});
    let review = json!({"review_id": "v1", "rating": 4, "scale": 5, "author": "sam", "created_at": stamp, "store": "s1",
        "platform": "maps", "text": "Good"});
    let records = [
        (SourceKind::Web, "web".to_owned(), web),
        (SourceKind::Web, "app".to_owned(), app),
        (SourceKind::Social, "social".to_owned(), social),
        (SourceKind::CallCentre, "phone".to_owned(), phone),
        (SourceKind::Survey, "survey".to_owned(), survey),
        (SourceKind::Social, "review".to_owned(), review),
        own(SourceKind::Web, "message.sent", "email"),
        own(SourceKind::CallCentre, "contact.started", "chat"),
        own(SourceKind::Store, "visit.entered", "store"),
        own(PARTNER, "install.completed", "field"),
        own(PARTNER, "partner.trip.arrived", "partner"),
    ];
    let mut channels: Vec<String> = Vec::new();
    for (source, channel, value) in records {
        let mut stage = stage();
        let pushed = stage.touchpoint(source, &value);
        assert_eq!(stage.values(Topic::Touchpoints)[0]["channel"], channel.as_str());
        assert!(pushed.fates[0].customer.is_some(), "{channel} has a customer");
        let score = &stage.values(Topic::Scores)[0];
        assert_eq!(score["version"], 1);
        // Direction `none` marks what happened to a record: it counts for no coverage.
        let seen =
            score["channels"].as_array().is_some_and(|seen| seen.iter().any(|it| it["channel"] == channel.as_str()));
        assert!(seen || channel == "partner", "{channel}: {score}");
        channels.push(channel);
    }
    let mut all: Vec<&str> = throughline_model::Channel::ALL.iter().map(|channel| channel.as_str()).collect();
    channels.sort();
    all.sort_unstable();
    assert_eq!(channels, all, "every channel has a record");
    // Word of mouth has no channel of its own.
    let mut stage = stage();
    stage.touchpoint(SourceKind::Web, &touchpoint("referral.converted", "ann", 0.0, json!({"channel": "web"})));
    assert!(number(&stage.score("ann")["relationship"]) > 60.0);
}

#[test]
fn s0_13_one_severe_touchpoint_is_not_averaged_away() {
    let mut stage = stage();
    for visit in 0..50 {
        let good = json!({"channel": "survey", "evidence": answer(0.6)});
        stage.touchpoint(SourceKind::Survey, &touchpoint("survey.answered", "ann", f64::from(visit), good));
    }
    assert_eq!(stage.opened(), [""; 0]);
    let owners = json!({"owners": {"partner": "red-line"}});
    let pushed = stage.touchpoint(PARTNER, &touchpoint("partner.trip.cancelled", "ann", 50.0, owners));
    assert_eq!(stage.opened(), ["severe_moment"]);
    assert_eq!(local::values(&pushed.outputs, Topic::Touchpoints)[0]["severe"], true);
    assert!(number(&stage.score("ann")["relationship"]) > 60.0);
    let alert = &stage.values(Topic::Alerts)[0];
    assert_eq!(alert["operational_owner"], "partner:red-line");
    let state = &stage.values(Topic::AlertsState)[0];
    assert_eq!(state["alert_id"], alert["alert_id"], "the compacted topic has it too");
}

#[test]
fn s1_02_urgency_sets_priority_and_customer_value_does_not() {
    let need =
        json!({"channel": "phone", "need": {"topic": "insulin", "tags": [{"tag": "medical", "confidence": 0.9}]}});
    let routine = json!({"channel": "phone", "severity": "severe"});
    let mut seen = Vec::new();
    for (urgent, top) in [("new", "top"), ("top", "new")] {
        let mut stage = stage();
        let tier = json!({"loyalty": {"account": "A1", "kind": "tier", "tier": "platinum"}});
        stage.touchpoint(SourceKind::Web, &touchpoint("loyalty.changed", "top", -1.0, tier));
        stage.touchpoint(SourceKind::CallCentre, &touchpoint("contact.abandoned", top, 0.0, routine.clone()));
        stage.touchpoint(SourceKind::CallCentre, &touchpoint("contact.started", urgent, 0.01, need.clone()));
        let mut alerts = stage.values(Topic::Alerts);
        // As a list for people is sorted: severity, then due time.
        alerts.sort_by_key(|alert| (text(&alert["severity"]), alert.get("due_at").is_none(), text(&alert["due_at"])));
        assert_eq!(alerts[0]["type"], "urgent_need");
        assert_eq!(alerts[0]["customer_id"], node(urgent).as_str());
        let due = local::millis(&alerts[0]["due_at"]) - local::millis(&alerts[0]["detected_at"]);
        assert_eq!(due, 30 * 60 * 1_000);
        seen.push((alerts[0]["due_at"].clone(), alerts.len()));
    }
    assert_eq!(seen[0], seen[1], "exchanging the tiers changes nothing");
}

#[test]
fn s1_05_a_customer_without_surveys_has_a_score() {
    let mut stage = stage();
    let order = json!({"money": {"amount_minor": 100, "currency": "EUR"}});
    stage.touchpoint(SourceKind::Web, &touchpoint("order.created", "ann", 0.0, order));
    let score = stage.score("ann");
    assert!(number(&score["relationship"]) > 60.0);
    close(&score["evidence_mix"]["survey"], 0.0, 0.0);
    assert!(number(&score["observed_share"]) > 0.0);
}

#[test]
fn s3_04_every_score_and_alert_says_why() {
    let golden = [(0.0, 0.4), (3.0, -0.6), (10.0, 0.8), (12.0, -1.0), (20.0, 0.5), (21.0, -0.3), (22.0, 0.2)];
    let ids = |score: &Value| -> Vec<(String, String)> {
        let reasons = score["reasons"].as_array().expect("reasons").iter();
        let mut ids: Vec<_> = reasons
            .map(|reason| (text(&reason["touchpoint_id"]), format!("{:.4}", number(&reason["contribution"]))))
            .collect();
        ids.sort();
        ids
    };
    let mut orders = Vec::new();
    for reverse in [false, true] {
        let mut stage = stage();
        let mut golden = golden.to_vec();
        if reverse {
            golden.reverse();
        }
        for (day, v) in golden {
            let value = touchpoint("survey.answered", "ann", day, json!({"evidence": answer(v)}));
            stage.touchpoint(SourceKind::Survey, &value);
        }
        let score = stage.score("ann");
        let reasons = score["reasons"].as_array().expect("reasons");
        assert_eq!(reasons.len(), 5);
        let sum: f64 = reasons.iter().map(|reason| number(&reason["contribution"])).sum();
        let total = 50.0 + number(&score["prior"]) + sum + number(&score["other"]);
        close(&score["relationship"], total, 5e-6);
        orders.push((ids(&score), score["relationship"].clone()));
    }
    assert_eq!(orders[0], orders[1], "the same in any order");
    let mut stage = stage();
    let pushed = stage.touchpoint(PARTNER, &touchpoint("partner.trip.cancelled", "ann", 0.0, json!({})));
    let cause = local::values(&pushed.outputs, Topic::Touchpoints)[0]["touchpoint_id"].clone();
    let alert = &stage.values(Topic::Alerts)[0];
    assert_eq!(alert["reasons"][0]["touchpoint_id"], cause);
}

#[test]
fn s3_12_far_below_the_own_baseline_is_a_drop() {
    let visit = |day: f64, v: f64| touchpoint("survey.answered", "ann", day, json!({"evidence": answer(v)}));
    let mut stage = stage();
    for at in 0..20 {
        let v = [0.75, 0.85, 0.95][at % 3];
        stage.touchpoint(SourceKind::Survey, &visit(10.0 * at as f64, v));
    }
    assert_eq!(stage.opened(), [""; 0], "steady visits never open it");
    stage.touchpoint(SourceKind::Survey, &visit(200.0, 0.3));
    close(&stage.score("ann")["baseline"]["z"], -3.444, 5e-4);
    assert_eq!(stage.opened(), [""; 0], "two of three evaluations");
    stage.touchpoint(SourceKind::Survey, &visit(201.0, 0.3));
    close(&stage.score("ann")["baseline"]["z"], -2.727, 5e-4);
    close(&stage.score("ann")["moment"], 61.9, 0.05);
    assert_eq!(stage.opened(), ["experience_drop"]);
}

#[test]
fn s4_11_a_missing_signal_widens_the_uncertainty_and_moves_no_score() {
    let mut stage = stage();
    let both = |stage: &mut local::Stage, kind: &str, day: f64, more: &Value| {
        for login in ["one", "two"] {
            stage.touchpoint(SourceKind::Web, &touchpoint(kind, login, day, more.clone()));
        }
    };
    stage.touchpoint(SourceKind::Web, &touchpoint("page.viewed", "one", 0.0, json!({"channel": "web"})));
    stage.touchpoint(SourceKind::Web, &touchpoint("page.viewed", "two", 0.0, json!({"channel": "app"})));
    both(&mut stage, "survey.answered", 100.0, &json!({"channel": "web", "evidence": answer(0.5)}));
    let (one, two) = (stage.score("one"), stage.score("two"));
    for horizon in ["relationship", "moment", "lifetime"] {
        assert_eq!(one[horizon], two[horizon], "equal scores");
    }
    close(&one["coverage"], 1.0, 0.0);
    close(&two["coverage"], 0.5, 0.0);
    let wider = (number(&one["uncertainty"]) * 2.0_f64.sqrt()).min(1.0);
    close(&two["uncertainty"], wider, 1e-6);
}
