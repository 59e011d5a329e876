//! Touchpoints: each once, with its worth, of one customer.

use std::collections::BTreeMap;

use serde_json::Value;

use super::formulas::{Worth, millis};
use super::input::{Input, Sent};
use super::{Captured, Fault, Verdict};

const TOPIC: &str = "experience.touchpoints";

/// Published worth has no more digits than this distance.
const EQUAL: f64 = 1e-9;

/// What one customer sent, by customer id.
pub(super) type People = BTreeMap<String, Person>;

/// A customer as the outputs name them.
#[derive(Debug, Default)]
pub(super) struct Person {
    pub(super) login: String,
    /// Event time and worth of what is worth anything.
    pub(super) valued: Vec<(i64, Worth)>,
    /// Event times of severe moments.
    pub(super) severe: Vec<i64>,
}

/// Checks the topic, and gathers from the input what each customer id stands for.
pub(super) fn touchpoints(captured: &[Captured], input: &Input, verdict: &mut Verdict) -> People {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut customers: BTreeMap<String, String> = BTreeMap::new();
    for record in captured {
        let value = record.json();
        let (source_id, id) = (text(&value, "source_id"), text(&value, "touchpoint_id"));
        let Some(sent) = input.touchpoints.get(source_id) else {
            verdict.add(Fault::Invented, TOPIC, format!("{source_id:?} at {} was never sent", record.place()));
            continue;
        };
        if let Some(before) = seen.insert(source_id.to_owned(), record.place()) {
            verdict.add(Fault::Doubled, TOPIC, format!("{source_id} at {before} again at {}", record.place()));
            continue;
        }
        if let Some(other) = ids.insert(id.to_owned(), source_id.to_owned()) {
            verdict.add(Fault::Wrong, TOPIC, format!("{source_id} and {other} have one id"));
        }
        if let Some(why) = differs(&value, sent, input) {
            verdict.add(Fault::Wrong, TOPIC, format!("{source_id} at {}: {why}", record.place()));
        }
        let customer = text(&value, "customer_id");
        match customers.get(&sent.login) {
            None => {
                customers.insert(sent.login.clone(), customer.to_owned());
            }
            Some(known) if known == customer => {}
            Some(known) => {
                verdict.add(Fault::Wrong, TOPIC, format!("{source_id}: {} is {customer} and {known}", sent.login));
            }
        }
        if record.key != customer.as_bytes() {
            verdict.add(Fault::Wrong, TOPIC, format!("{source_id} at {} has another key", record.place()));
        }
    }
    for missing in input.touchpoints.keys().filter(|id| !seen.contains_key(*id)) {
        verdict.add(Fault::Missing, TOPIC, missing);
    }
    gather(input, &customers, verdict)
}

/// What each customer sent, whether it came out or not: a missing touchpoint must show in the score too, if it is missing there.
fn gather(input: &Input, customers: &BTreeMap<String, String>, verdict: &mut Verdict) -> People {
    let mut people = People::new();
    for sent in input.touchpoints.values() {
        let Some(customer) = customers.get(&sent.login) else { continue };
        let person = people.entry(customer.clone()).or_default();
        if person.login.is_empty() {
            person.login.clone_from(&sent.login);
        } else if person.login != sent.login {
            let text = format!("{customer} is {} and {}", person.login, sent.login);
            verdict.add(Fault::Wrong, TOPIC, text);
        }
        person.valued.extend(sent.value.map(|worth| (sent.occurred_at, worth)));
        person.severe.extend(sent.severe.then_some(sent.occurred_at));
    }
    people
}

fn differs(value: &Value, sent: &Sent, input: &Input) -> Option<String> {
    let near = |field: &str, expected: Option<f64>| match (value[field].as_f64(), expected) {
        (Some(found), Some(expected)) if (found - expected).abs() < EQUAL => None,
        (None, None) => None,
        (found, expected) => Some(format!("{field} is {found:?}, not {expected:?}")),
    };
    let origin = &value["origin"];
    let place = (origin["partition"].as_i64().unwrap_or(-1) as i32, origin["offset"].as_i64().unwrap_or(-1));
    if !input.places[&sent.source_id].contains(&place) {
        return Some(format!("it does not come from {place:?}"));
    }
    if millis(text(value, "occurred_at")) != Some(sent.occurred_at) {
        return Some(format!("it happened at {}, not at {}", value["occurred_at"], sent.occurred_at));
    }
    if value["severe"].as_bool() != Some(sent.severe) {
        return Some(format!("severe is {}", value["severe"]));
    }
    near("v", sent.value.map(|worth| worth.v)).or_else(|| near("w", sent.value.map(|worth| worth.w)))
}

pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}
