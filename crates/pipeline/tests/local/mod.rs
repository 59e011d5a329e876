//! A run of both stages for the tests of this folder: push records, read what would be on the topics.
#![allow(dead_code)] // Not every test file needs all of it.

use serde_json::{Value, json};
use throughline_model::{EventTime, Fate, IdHasher, Now, ReceivedAt, SourceKind, Topic};
use throughline_normalize::NoSchemas;
use throughline_normalize::draft::ClaimedTime;
use throughline_pipeline::local::{LocalOptions, LocalRecord, LocalRun, Output, Pushed};

/// 2026-01-05, a Monday, noon: the start of every test.
pub const START: i64 = 1_767_614_400_000;
/// A day in milliseconds.
pub const DAY: i64 = throughline_model::time::DAY;

/// A run and everything it wrote.
pub struct Stage {
    pub run: LocalRun<NoSchemas>,
    pub outputs: Vec<Output>,
}

/// Options as the service has them: received times are those of the records.
pub fn service_options() -> LocalOptions {
    let ids = IdHasher::new([7; 32], "acme");
    let mut options = LocalOptions::new(ids, Now::from_millis(START));
    options.normalize.received_at_event_time = false;
    options
}

/// A stage driver with received time = event time.
pub fn stage() -> Stage {
    let mut options = service_options();
    options.normalize.received_at_event_time = true;
    Stage { run: LocalRun::new(options), outputs: Vec::new() }
}

/// A stage driver as the service is.
pub fn service() -> Stage {
    Stage { run: LocalRun::new(service_options()), outputs: Vec::new() }
}

impl Stage {
    /// Pushes a value that was received at its own time or at [`START`]; keeps the outputs.
    pub fn push(&mut self, source: SourceKind, value: impl Into<Vec<u8>>) -> Pushed {
        let received_at = Some(ReceivedAt::from_millis(START));
        self.record(source, &LocalRecord { received_at, ..LocalRecord::of(value) })
    }

    /// Pushes a record; keeps the outputs.
    pub fn record(&mut self, source: SourceKind, record: &LocalRecord) -> Pushed {
        let source = self.run.options().source(source).expect("a source of the defaults");
        let pushed = self.run.push(source, record).expect("no registry, no unknown schema");
        self.outputs.extend(pushed.outputs.iter().cloned());
        pushed
    }

    /// Pushes a touchpoint of the contract that must be applied; returns what it wrote.
    pub fn touchpoint(&mut self, source: SourceKind, value: &Value) -> Pushed {
        let pushed = self.push(source, value.to_string());
        assert_eq!(pushed.fates.iter().map(|fate| fate.fate).collect::<Vec<_>>(), [Fate::Applied], "{value}");
        pushed
    }

    /// Values of a topic so far.
    pub fn values(&self, topic: Topic) -> Vec<Value> {
        values(&self.outputs, topic)
    }

    /// Types of the alerts that were opened, in order.
    pub fn opened(&self) -> Vec<String> {
        let alerts = self.values(Topic::Alerts).into_iter();
        alerts.filter(|alert| alert["transition"] == "opened").map(|alert| text(&alert["type"])).collect()
    }

    /// The latest score of the customer with that login.
    pub fn score(&self, login: &str) -> Value {
        let node = node(login);
        let mut scores = self.values(Topic::Scores).into_iter().rev();
        scores.find(|score| score["customer_id"] == node.as_str()).expect("a score")
    }
}

/// Customer id of a login.
pub fn node(login: &str) -> String {
    let ids = IdHasher::new([7; 32], "acme");
    ids.node(throughline_model::IdentifierType::Login, login).to_string()
}

/// Values of a topic.
pub fn values(outputs: &[Output], topic: Topic) -> Vec<Value> {
    outputs.iter().filter(|output| output.topic == topic).filter_map(Output::json).collect()
}

/// A JSON string.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A touchpoint of the contract, of a customer with a login, so many days after [`START`].
pub fn touchpoint(kind: &str, login: &str, day: f64, more: Value) -> Value {
    let at = START + (day * DAY as f64) as i64;
    let mut value = json!({
        "type": kind,
        "source_id": format!("{kind}-{login}-{day}"),
        "occurred_at": at,
        "identifiers": [{"type": "login", "value": login, "trust": "authenticated"}],
    });
    for (name, member) in more.as_object().expect("an object") {
        value[name] = member.clone();
    }
    value
}

/// Sentiment of that strength as the source labels it: v = sentiment.
pub fn sentiment(v: f64) -> Value {
    json!([{"kind": "sentiment", "score": v}])
}

/// An answer on the scale -1..1: v = answer, q = 1.
pub fn answer(v: f64) -> Value {
    json!([{"kind": "csat", "score": v, "min": -1.0, "max": 1.0}])
}

/// Milliseconds of an output's time.
pub fn millis(value: &Value) -> i64 {
    match throughline_normalize::time::read(value.as_str().expect("a time").into()) {
        ClaimedTime::At(at) => at.as_millis(),
        other => panic!("{other:?} is not RFC 3339"),
    }
}

/// Event time on a day.
pub fn day(day: i64) -> EventTime {
    EventTime::from_millis(START + day * DAY)
}
