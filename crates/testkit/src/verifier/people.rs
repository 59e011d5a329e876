//! What is published about each customer: scores, single views, alerts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::formulas::{HORIZONS, millis, score};
use super::outputs::{People, Person, text};
use super::{Capture, Captured, Fault, Seen, Verdict};

const SCORES: &str = "experience.scores";
const ALERTS: &str = "experience.alerts";
const STATES: &str = "experience.alerts.state";
const QUERIES: &str = "/v1/customers";

/// Published numbers are rounded to six decimals on both sides of the comparison.
const EQUAL: f64 = 2e-6;

/// Versions of every key rise by one from 1 in the order of its partition, of known customers only. Returns the last value of
/// each key.
pub(super) fn versions<'a>(
    topic: &'static str,
    captured: &'a [Captured],
    people: &People,
    verdict: &mut Verdict,
) -> BTreeMap<&'a str, Value> {
    let mut last: BTreeMap<&str, Value> = BTreeMap::new();
    for record in captured {
        let key = std::str::from_utf8(&record.key).unwrap_or_default();
        if !people.contains_key(key) {
            verdict.add(Fault::Invented, topic, format!("{key} at {}", record.place()));
            continue;
        }
        let value = record.json();
        let number = |value: &Value| value["version"].as_i64().unwrap_or(i64::MIN);
        let (before, now) = (last.get(key).map_or(0, number), number(&value));
        let fault = match now {
            _ if now == before + 1 => None,
            _ if now == before => Some(Fault::Doubled),
            _ if now > before => Some(Fault::Missing),
            _ => Some(Fault::Disordered),
        };
        if let Some(fault) = fault {
            verdict.add(fault, topic, format!("version {now} of {key} at {} after {before}", record.place()));
        }
        last.insert(key, value);
    }
    last
}

/// The last score of every customer is the one of all that they sent, and none goes back in time.
pub(super) fn scores(captured: &[Captured], people: &People, verdict: &mut Verdict) {
    let mut latest: BTreeMap<&[u8], (i64, i64)> = BTreeMap::new();
    for record in captured {
        let value = record.json();
        let at = (millis(text(&value, "as_of")).unwrap_or(i64::MIN), value["touchpoints"].as_i64().unwrap_or(-1));
        let before = latest.insert(&record.key, at).unwrap_or((i64::MIN, 0));
        if at.0 < before.0 || at.1 < before.1 {
            let text = format!("{at:?} after {before:?} at {}", record.place());
            verdict.add(Fault::Disordered, SCORES, text);
        }
    }
    let last = versions(SCORES, captured, people, verdict);
    for (customer, person) in people.iter().filter(|(_, person)| !person.valued.is_empty()) {
        verdict.counts.customers += 1;
        match last.get(customer.as_str()) {
            None => verdict.add(Fault::Missing, SCORES, format!("{} ({customer}) has none", person.login)),
            Some(value) => {
                if let Some(why) = differs(value, person) {
                    verdict.add(Fault::Wrong, SCORES, format!("{} ({customer}): {why}", person.login));
                }
            }
        }
    }
}

fn differs(value: &Value, person: &Person) -> Option<String> {
    if value["touchpoints"].as_u64() != Some(person.valued.len() as u64) {
        return Some(format!("it speaks of {} touchpoints, not {}", value["touchpoints"], person.valued.len()));
    }
    let at = millis(text(value, "as_of"))?;
    // A timer may have read it again later, but not before it was due.
    let valued_at = person.valued.iter().map(|(at, _)| *at).max().unwrap_or(at);
    let emitted_at = millis(text(value, "emitted_at"))?;
    if at < valued_at || at > emitted_at {
        return Some(format!("it speaks for {at}, not for {valued_at} to {emitted_at}"));
    }
    HORIZONS.iter().find_map(|(horizon, half_life)| {
        let (found, expected) = (value[horizon].as_f64(), score(&person.valued, at, *half_life));
        let equal = found.is_some_and(|found| (found - expected).abs() < EQUAL);
        (!equal).then(|| format!("{horizon} is {found:?}, not {expected:.6}"))
    })
}

/// Transitions of every alert are numbered from 1 without gap; both topics tell the same; and severe moments, whose rule is
/// simple, are recomputed: one alert for a customer with severe touchpoints, none for another.
pub(super) fn alerts(capture: &Capture, people: &People, verdict: &mut Verdict) {
    let told = sequences(ALERTS, &capture.alerts, verdict);
    let kept = sequences(STATES, &capture.alert_states, verdict);
    verdict.counts.alerts = told.len();
    for (alert, value) in &told {
        match kept.get(alert) {
            None => verdict.add(Fault::Missing, STATES, alert),
            Some(other) if other != value => verdict.add(Fault::Wrong, STATES, format!("{alert} differs")),
            Some(_) => {}
        }
    }
    for alert in kept.keys().filter(|alert| !told.contains_key(*alert)) {
        verdict.add(Fault::Missing, ALERTS, alert);
    }
    let mut severe: BTreeMap<&str, i64> = BTreeMap::new();
    for value in told.values() {
        let customer = text(value, "customer_id");
        let Some(person) = people.get(customer) else {
            verdict.add(Fault::Invented, ALERTS, format!("{} of {customer}", text(value, "alert_id")));
            continue;
        };
        if text(value, "type") == "severe_moment" {
            *severe.entry(customer).or_insert(0) += 1;
            let opened_at = millis(text(value, "opened_at")).unwrap_or(i64::MIN);
            if !person.severe.contains(&opened_at) {
                let why = format!("{} was nothing severe at {opened_at}", person.login);
                verdict.add(Fault::Invented, ALERTS, why);
            }
        }
    }
    for (customer, person) in people {
        let (found, expected) = (severe.get(customer.as_str()).copied(), !person.severe.is_empty());
        match found {
            None if expected => verdict.add(Fault::Missing, ALERTS, format!("severe_moment of {}", person.login)),
            Some(count @ 2..) => verdict.add(Fault::Doubled, ALERTS, format!("{count} of {}", person.login)),
            _ => {}
        }
    }
}

/// Every answer of a query speaks of a committed score: the same touchpoints at the same version.
pub(super) fn answers(capture: &Capture, verdict: &mut Verdict) {
    verdict.counts.answers = capture.seen.len();
    let committed: BTreeSet<(&[u8], i64, i64)> = capture
        .scores
        .iter()
        .map(|record| {
            let value = record.json();
            let number = |field: &str| value[field].as_i64().unwrap_or(-1);
            (record.key.as_slice(), number("version"), number("touchpoints"))
        })
        .collect();
    for Seen { customer, version, touchpoints } in &capture.seen {
        // A customer whose touchpoints are worth nothing has no score to publish.
        let is_blank = *version == 0 && *touchpoints == 0;
        if !is_blank && !committed.contains(&(customer.as_bytes(), *version, *touchpoints)) {
            let text = format!("version {version} of {customer} with {touchpoints} touchpoints was never committed");
            verdict.add(Fault::Invented, QUERIES, text);
        }
    }
}

fn sequences(topic: &'static str, captured: &[Captured], verdict: &mut Verdict) -> BTreeMap<String, Value> {
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    for record in captured {
        let value = record.json();
        let alert = text(&value, "alert_id").to_owned();
        let number = |value: &Value| value["seq"].as_i64().unwrap_or(i64::MIN);
        let (before, now) = (last.get(&alert).map_or(0, number), number(&value));
        let fault = match now {
            _ if now == before + 1 => None,
            _ if now == before => Some(Fault::Doubled),
            _ if now > before => Some(Fault::Missing),
            _ => Some(Fault::Disordered),
        };
        if let Some(fault) = fault {
            verdict.add(fault, topic, format!("seq {now} of {alert} at {} after {before}", record.place()));
        }
        last.insert(alert, value);
    }
    last
}
