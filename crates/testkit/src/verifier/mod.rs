//! Judges a deployment from the outside: from what went into its source topics and what a read-committed reader finds in its
//! outputs. It shares no code with what it judges: its own reading of JSON and frames, its own formulas.
//!
//! Inputs are records of the own contract ([`Sent`] says which fields it understands) and anything else, which must become a
//! dead letter. Retention and compaction must not have taken anything yet: a run under an hour.

mod formulas;
mod input;
mod internal;
mod outputs;
mod people;
mod tamper;

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

pub use input::Sent;
pub use tamper::Tamper;

/// A committed record as a client read it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Captured {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Key; empty without one.
    pub key: Vec<u8>,
    /// Value; absent for a deletion.
    pub value: Option<Vec<u8>>,
    /// Headers that have a value, in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Captured {
    fn json(&self) -> Value {
        self.value.as_deref().and_then(|value| serde_json::from_slice(value).ok()).unwrap_or(Value::Null)
    }

    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().rfind(|(known, _)| known == name);
        found.and_then(|(_, value)| std::str::from_utf8(value).ok()).unwrap_or_default()
    }

    fn place(&self) -> String {
        format!("partition {} offset {}", self.partition, self.offset)
    }
}

/// What a query answered about a customer while all went on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Customer id.
    pub customer: String,
    /// Version of the score; 0 when none was published yet.
    pub version: i64,
    /// Touchpoints that the score speaks of.
    pub touchpoints: i64,
}

/// Everything that is committed on the topics of a deployment, each in the order of its partitions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capture {
    /// The only source topic.
    pub sources: Vec<Captured>,
    /// Frames between both stages.
    pub inbox: Vec<Captured>,
    /// `experience.touchpoints`.
    pub touchpoints: Vec<Captured>,
    /// `experience.scores`.
    pub scores: Vec<Captured>,
    /// `experience.customers`.
    pub customers: Vec<Captured>,
    /// `experience.alerts`.
    pub alerts: Vec<Captured>,
    /// `experience.alerts.state`.
    pub alert_states: Vec<Captured>,
    /// `experience.dead-letters`.
    pub dead_letters: Vec<Captured>,
    /// Answers of queries.
    pub seen: BTreeSet<Seen>,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// An output is there twice (XO-1).
    Doubled,
    /// An output is not there (XO-2).
    Missing,
    /// An output has no input, or an answer was never committed (XO-4).
    Invented,
    /// An output does not say what the input gives (XO-3).
    Wrong,
    /// Outputs of one key are not in their order.
    Disordered,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub fault: Fault,
    /// On which topic, without the prefix.
    pub topic: &'static str,
    /// What exactly.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} on {}: {}", self.fault, self.topic, self.text)
    }
}

/// What the verifier says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Everything that is wrong; nothing when the outputs are those of the input.
    pub findings: Vec<Finding>,
    /// What was compared.
    pub counts: Counts,
}

/// How much was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Source records.
    pub records: usize,
    /// Different touchpoints among them.
    pub touchpoints: usize,
    /// Customers whose last score was recomputed.
    pub customers: usize,
    /// Alerts whose transitions were followed.
    pub alerts: usize,
    /// Records that must be dead letters.
    pub rejected: usize,
    /// Touchpoints between both stages.
    pub entries: usize,
    /// Different answers of queries.
    pub answers: usize,
}

impl Verdict {
    fn add(&mut self, fault: Fault, topic: &'static str, text: impl Into<String>) {
        self.findings.push(Finding { fault, topic, text: text.into() });
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether something of this kind is wrong on this topic.
    #[must_use]
    pub fn found(&self, fault: Fault, topic: &str) -> bool {
        self.findings.iter().any(|finding| finding.fault == fault && finding.topic == topic)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        let Counts { records, touchpoints, customers, alerts, rejected, entries, answers } = self.counts;
        writeln!(
            out,
            "{records} records, {touchpoints} touchpoints ({entries} between the stages), {customers} customers, \
             {alerts} alerts, {rejected} dead letters, {answers} answers of queries: {} findings",
            self.findings.len()
        )?;
        for finding in self.findings.iter().take(SHOWN) {
            writeln!(out, "  {finding}")?;
        }
        if self.findings.len() > SHOWN {
            writeln!(out, "  and {} more", self.findings.len() - SHOWN)?;
        }
        Ok(())
    }
}

/// Judges what was captured when nothing moved any more.
#[must_use]
pub fn verify(capture: &Capture) -> Verdict {
    let input = input::Input::read(&capture.sources);
    let mut verdict = Verdict::default();
    verdict.counts.records = capture.sources.len();
    verdict.counts.touchpoints = input.touchpoints.len();
    verdict.counts.rejected = input.rejected.len();
    internal::entries(&capture.inbox, &input, &mut verdict);
    internal::dead_letters(&capture.dead_letters, &input, &mut verdict);
    let people = outputs::touchpoints(&capture.touchpoints, &input, &mut verdict);
    people::scores(&capture.scores, &people, &mut verdict);
    people::versions("experience.customers", &capture.customers, &people, &mut verdict);
    people::alerts(capture, &people, &mut verdict);
    people::answers(capture, &mut verdict);
    verdict
}

#[cfg(test)]
mod tests;
