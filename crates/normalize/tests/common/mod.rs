//! One way to normalize a record in a test and to read what came out.

#![allow(dead_code)] // Each test binary uses its part.

use throughline_model::{EventTime, IdHasher, IdentifierType, ReceivedAt, SourceKind};
use throughline_normalize::format::{Headers, NoHeaders};
use throughline_normalize::{
    Catalog, Entry, NoSchemas, NormalizeOptions, Normalizer, SchemaSource, SourceOptions, SourceRecord,
};

/// Received time of every record: 2026-06-01T12:00:00Z.
pub const RECEIVED_AT: i64 = 1_780_315_200_000;

/// Headers from a list.
#[derive(Debug, Default)]
pub struct List(pub Vec<(&'static str, String)>);

impl Headers for List {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_bytes())
    }
}

pub fn ids() -> IdHasher {
    IdHasher::new(std::array::from_fn(|at| at as u8), "acme")
}

pub fn web() -> SourceOptions {
    SourceOptions::new("web", SourceKind::Web)
}

pub fn normalizer() -> Normalizer {
    Normalizer::new(NormalizeOptions::default(), ids())
}

pub fn record<'a>(value: Option<&'a [u8]>, headers: &'a dyn Headers) -> SourceRecord<'a> {
    SourceRecord {
        topic: "touchpoints.web",
        partition: 3,
        offset: 7,
        received_at: ReceivedAt::from_millis(RECEIVED_AT),
        key: None,
        value,
        headers,
    }
}

/// Runs one record and shows each entry by `show`.
pub fn run_with(
    source: &SourceOptions,
    record: &SourceRecord<'_>,
    schemas: &dyn SchemaSource,
    show: impl Fn(&Entry<'_>) -> String,
) -> Vec<String> {
    let mut out = Vec::new();
    normalizer()
        .normalize(source, record, schemas, &Catalog::default(), &mut |index, entry| {
            out.push(format!("{index} {}", show(&entry)))
        })
        .expect("schemas are known");
    out
}

pub fn run(source: &SourceOptions, value: &[u8]) -> Vec<String> {
    run_with(source, &record(Some(value), &NoHeaders), &NoSchemas, fate)
}

/// Fate and type, reason or name.
pub fn fate(entry: &Entry<'_>) -> String {
    match entry {
        Entry::Touchpoint(touchpoint) => touchpoint.body().kind.to_string(),
        Entry::Withheld { reason, name, .. } => format!("withheld({reason}) {name}"),
        Entry::Rejected { rejection, .. } if rejection.field.is_empty() => format!("rejected({})", rejection.reason),
        Entry::Rejected { rejection, .. } => format!("rejected({}) {}", rejection.reason, rejection.field),
    }
}

/// Type, channel, source id, event time with its quality, identifiers by type (lower case where asserted), text evidence.
pub fn detail(entry: &Entry<'_>) -> String {
    let Entry::Touchpoint(touchpoint) = entry else { return fate(entry) };
    let (header, body) = (touchpoint.header(), touchpoint.body());
    let identifiers: Vec<String> = header
        .identifiers
        .iter()
        .map(|identifier| match identifier.trust {
            throughline_model::Trust::Authenticated => identifier.kind.as_str().to_uppercase(),
            throughline_model::Trust::Asserted => identifier.kind.to_string(),
        })
        .collect();
    format!(
        "{} {} {} {}{} [{}] -> {}",
        body.kind,
        body.channel,
        body.source_id,
        header.time_quality,
        since(header.occurred_at),
        identifiers.join(" "),
        header.node.map_or("nobody", |node| node.kind().as_str()),
    )
}

fn since(at: EventTime) -> String {
    match at.as_millis() - RECEIVED_AT {
        0 => String::new(),
        apart => format!("{apart:+}"),
    }
}

pub fn is_routed_by(entry: &Entry<'_>, kind: IdentifierType, value: &str) -> bool {
    matches!(entry, Entry::Touchpoint(touchpoint) if touchpoint.header().node == Some(ids().node(kind, value)))
}
