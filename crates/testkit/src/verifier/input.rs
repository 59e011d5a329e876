//! The source records as this verifier reads them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Captured, formulas};

/// A touchpoint of the own contract: `type`, `source_id`, `occurred_at` in milliseconds, one identifier of type `login`,
/// `evidence` of the kinds nps, csat and ces on their usual scales, `severity`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The source's own id; the same again is the same touchpoint.
    pub source_id: String,
    /// Whose it is.
    pub login: String,
    /// Event time, milliseconds.
    pub occurred_at: i64,
    /// Valence and weight, if it is worth anything.
    pub value: Option<formulas::Worth>,
    /// Whether the source says that it is severe.
    pub severe: bool,
}

/// A place in the source topic: partition and offset.
pub(super) type Place = (i32, i64);

/// Everything that was sent.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// By source id.
    pub(super) touchpoints: BTreeMap<String, Sent>,
    /// Where each source id stands; more than once when it was sent again.
    pub(super) places: BTreeMap<String, BTreeSet<Place>>,
    /// Records that are no touchpoints, with their bytes.
    pub(super) rejected: BTreeMap<Place, Option<Vec<u8>>>,
    /// Records that are touchpoints.
    pub(super) accepted: usize,
}

impl Input {
    pub(super) fn read(sources: &[Captured]) -> Self {
        let mut input = Self::default();
        for record in sources {
            let place = (record.partition, record.offset);
            match Sent::read(&record.json()) {
                Some(sent) => {
                    input.accepted += 1;
                    input.places.entry(sent.source_id.clone()).or_default().insert(place);
                    input.touchpoints.insert(sent.source_id.clone(), sent);
                }
                None => {
                    input.rejected.insert(place, record.value.clone());
                }
            }
        }
        input
    }
}

impl Sent {
    #[cfg(test)]
    pub(super) fn read_for_tests(record: &Value) -> Self {
        Self::read(record).expect("a record of the tests")
    }

    fn read(record: &Value) -> Option<Self> {
        let kind = record["type"].as_str()?;
        let severe = record["severity"] == "severe";
        let answers = record["evidence"].as_array().map(Vec::as_slice).unwrap_or_default();
        let answers = answers.iter().map(|answer| Some((answer["kind"].as_str()?, answer["score"].as_f64()?)));
        let answers: Vec<(&str, f64)> = answers.collect::<Option<_>>()?;
        Some(Self {
            source_id: record["source_id"].as_str()?.to_owned(),
            login: record["identifiers"][0]["value"].as_str()?.to_owned(),
            occurred_at: record["occurred_at"].as_i64()?,
            value: formulas::worth(kind, &answers, severe),
            severe,
        })
    }
}
