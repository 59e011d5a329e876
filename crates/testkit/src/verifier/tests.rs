//! The verifier on captured lists: a clean one passes, and each damage is found for what it is.

use serde_json::{Value, json};

use super::*;

const START: i64 = 1_700_000_000_000;

/// Twelve touchpoints of three customers, the first of each severe, one sent twice; one record that is none.
fn capture() -> Capture {
    let mut capture = Capture::default();
    for at in 0..12i64 {
        let (login, score) = (format!("u{}", at % 3), at % 5 + 1);
        let sent = json!({
            "type": "survey.answered", "source_id": format!("s{at}"), "occurred_at": START + at * 60_000,
            "identifiers": [{"type": "login", "value": login}],
            "severity": if at < 3 { "severe" } else { "normal" },
            "evidence": [{"kind": "csat", "score": score}],
        });
        let place = push(&mut capture.sources, "", &sent);
        push(&mut capture.touchpoints, &login, &published(&sent, place));
        push_entry(&mut capture, place);
    }
    let again = capture.sources[4].json();
    let place = push(&mut capture.sources, "", &again);
    push_entry(&mut capture, place);
    capture.sources.push(Captured { offset: 13, value: Some(b"not a record".to_vec()), ..Captured::default() });
    let headers = [("__connect.errors.partition", "0"), ("__connect.errors.offset", "13")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec();
    capture.dead_letters.push(Captured { headers, ..capture.sources[13].clone() });
    for number in 0..3 {
        tell(&mut capture, number);
    }
    capture.seen.insert(Seen { customer: "u1".to_owned(), version: 1, touchpoints: 2 });
    capture
}

/// The customer id is the login: what it is made of is nothing to the verifier.
fn published(sent: &Value, place: i64) -> Value {
    let worth = Sent::read_for_tests(sent).value.expect("it is worth something");
    json!({
        "touchpoint_id": format!("t{}", sent["source_id"]), "source_id": sent["source_id"],
        "customer_id": sent["identifiers"][0]["value"], "origin": {"partition": 0, "offset": place},
        "occurred_at": rfc3339(sent["occurred_at"].as_i64().expect("a time")),
        "severe": sent["severity"] == "severe", "v": worth.v, "w": worth.w,
    })
}

/// Two scores, one single view and an alert with two transitions of a customer.
fn tell(capture: &mut Capture, number: i64) {
    let login = format!("u{number}");
    let sent: Vec<Sent> =
        (0..4).map(|row| Sent::read_for_tests(&capture.sources[(row * 3 + number) as usize].json())).collect();
    for count in [2, 4] {
        let valued: Vec<_> =
            sent[..count].iter().map(|sent| (sent.occurred_at, sent.value.expect("it is worth something"))).collect();
        let at = valued[count - 1].0;
        let mut value =
            json!({"version": count / 2, "as_of": rfc3339(at), "emitted_at": rfc3339(at), "touchpoints": count});
        for (horizon, half_life) in formulas::HORIZONS {
            value[horizon] = json!((formulas::score(&valued, at, half_life) * 1e6).round() / 1e6);
        }
        push(&mut capture.scores, &login, &value);
    }
    push(&mut capture.customers, &login, &json!({"version": 1}));
    for seq in [1, 2] {
        let alert = json!({
            "alert_id": format!("a{number}"), "seq": seq, "customer_id": login, "type": "severe_moment",
            "opened_at": rfc3339(sent[0].occurred_at),
        });
        push(&mut capture.alerts, &login, &alert);
        push(&mut capture.alert_states, &format!("a{number}"), &alert);
    }
}

fn push(list: &mut Vec<Captured>, key: &str, value: &Value) -> i64 {
    let offset = list.len() as i64;
    let (key, value) = (key.as_bytes().to_vec(), Some(value.to_string().into_bytes()));
    list.push(Captured { offset, key, value, ..Captured::default() });
    offset
}

/// A frame with a context, one touchpoint that has it, and an entry of another kind.
fn push_entry(capture: &mut Capture, place: i64) {
    let value = Some(vec![1, 0x7f, 1, 5, 0, 1, 2, 77, place as u8, 1, 0, 1, 9]);
    capture.inbox.push(Captured { offset: place, value, ..Captured::default() });
}

/// Only for times of the day that `START` is in.
fn rfc3339(millis: i64) -> String {
    let rest = millis - 1_699_920_000_000;
    format!(
        "2023-11-14T{:02}:{:02}:{:02}.{:03}Z",
        rest / 3_600_000,
        rest / 60_000 % 60,
        rest / 1_000 % 60,
        rest % 1_000
    )
}

/// Checks that a damage is found as this fault on this topic.
fn check(topic: &str, fault: Fault, damage: impl FnOnce(&mut Capture)) {
    let mut capture = capture();
    damage(&mut capture);
    let verdict = verify(&capture);
    assert!(verdict.found(fault, topic), "{fault:?} on {topic} is not among: {verdict}");
}

/// Changes a field of a record.
fn set(list: &mut [Captured], at: usize, field: &str, to: Value) {
    let mut value = list[at].json();
    value[field] = to;
    list[at].value = Some(value.to_string().into_bytes());
}

#[test]
fn a_clean_capture_passes() {
    let verdict = verify(&capture());
    assert!(verdict.is_clean(), "{verdict}");
    let counts = Counts { records: 14, touchpoints: 12, customers: 3, alerts: 3, rejected: 1, entries: 13, answers: 1 };
    assert_eq!(verdict.counts, counts);
}

#[test]
fn every_tampering_of_the_command_line_is_found() {
    const TOPIC: &str = "experience.touchpoints";
    check(TOPIC, Fault::Missing, |capture| Tamper::Remove.apply(capture));
    check(TOPIC, Fault::Doubled, |capture| Tamper::Double.apply(capture));
    check(TOPIC, Fault::Wrong, |capture| Tamper::Change.apply(capture));
}

#[test]
fn a_touchpoint_that_was_never_sent_is_found() {
    const TOPIC: &str = "experience.touchpoints";
    check(TOPIC, Fault::Invented, |capture| set(&mut capture.touchpoints, 5, "source_id", json!("else")));
    check(TOPIC, Fault::Wrong, |capture| set(&mut capture.touchpoints, 5, "customer_id", json!("u0")));
    check(TOPIC, Fault::Wrong, |capture| set(&mut capture.touchpoints, 5, "origin", json!({"partition": 1})));
}

#[test]
fn a_removed_doubled_or_changed_score_is_found() {
    const TOPIC: &str = "experience.scores";
    check(TOPIC, Fault::Missing, |capture| drop(capture.scores.remove(0)));
    check(TOPIC, Fault::Wrong, |capture| drop(capture.scores.remove(1)));
    check(TOPIC, Fault::Doubled, |capture| capture.scores.push(capture.scores[5].clone()));
    check(TOPIC, Fault::Disordered, |capture| capture.scores.swap(0, 1));
    check(TOPIC, Fault::Wrong, |capture| set(&mut capture.scores, 1, "lifetime", json!(50.0)));
    check(TOPIC, Fault::Wrong, |capture| set(&mut capture.scores, 1, "as_of", json!(rfc3339(START))));
    check(TOPIC, Fault::Wrong, |capture| set(&mut capture.scores, 1, "as_of", json!(rfc3339(START + 7_200_000))));
    check(TOPIC, Fault::Invented, |capture| capture.scores[0].key = b"nobody".to_vec());
    check("experience.customers", Fault::Doubled, |capture| capture.customers.push(capture.customers[2].clone()));
}

#[test]
fn a_removed_doubled_or_changed_alert_is_found() {
    check("experience.alerts", Fault::Missing, |capture| drop(capture.alerts.remove(0)));
    check("experience.alerts", Fault::Doubled, |capture| capture.alerts.push(capture.alerts[5].clone()));
    check("experience.alerts", Fault::Invented, |capture| {
        set(&mut capture.alerts, 1, "opened_at", json!(rfc3339(START + 1)));
    });
    check("experience.alerts", Fault::Missing, |capture| drop(capture.alerts.drain(0..2)));
    check("experience.alerts.state", Fault::Wrong, |capture| drop(capture.alert_states.remove(1)));
    check("experience.alerts.state", Fault::Missing, |capture| drop(capture.alert_states.drain(0..2)));
}

#[test]
fn a_removed_doubled_or_invented_dead_letter_is_found() {
    const TOPIC: &str = "experience.dead-letters";
    check(TOPIC, Fault::Missing, |capture| capture.dead_letters.clear());
    check(TOPIC, Fault::Doubled, |capture| capture.dead_letters.push(capture.dead_letters[0].clone()));
    check(TOPIC, Fault::Wrong, |capture| capture.dead_letters[0].value = None);
    check(TOPIC, Fault::Invented, |capture| capture.dead_letters[0].headers[1].1 = b"3".to_vec());
}

#[test]
fn an_answer_that_was_never_committed_is_found() {
    for (version, touchpoints) in [(1, 3), (3, 4), (0, 1)] {
        let seen = Seen { customer: "u1".to_owned(), version, touchpoints };
        check("/v1/customers", Fault::Invented, |capture| {
            capture.seen.insert(seen);
        });
    }
}

#[test]
fn a_touchpoint_that_normalize_wrote_twice_or_not_is_found() {
    const TOPIC: &str = "throughline.experience.inbox";
    check(TOPIC, Fault::Doubled, |capture| capture.inbox.push(capture.inbox[3].clone()));
    check(TOPIC, Fault::Missing, |capture| drop(capture.inbox.pop()));
    check(TOPIC, Fault::Wrong, |capture| capture.inbox[0].value = Some(vec![1, 0, 1, 1, 9]));
}
