//! The headers of a dead letter: one encode function, one decode function.
//!
//! Names are those of Kafka Connect where Connect has one, so that its tools find the origin. Key, value, timestamp and the
//! other headers stay as they came.

use std::borrow::Cow;

use thiserror::Error;
use throughline_model::{Now, Partition, RecordOffset, RejectionReason, Stage};

use crate::headers::SOURCE_ID;
use crate::record::put_rfc3339;

/// Characters kept of a detail.
pub const DETAIL_CHARACTERS_MAX: usize = 1_000;

const TOPIC: &str = "__connect.errors.topic";
const PARTITION: &str = "__connect.errors.partition";
const OFFSET: &str = "__connect.errors.offset";
const CONNECTOR: &str = "__connect.errors.connector.name";
const STAGE: &str = "__connect.errors.stage";
const CLASS: &str = "__connect.errors.exception.class.name";
const MESSAGE: &str = "__connect.errors.exception.message";
const REASON: &str = "throughline_reason";
const CODE: &str = "throughline_code";
const ENTRY: &str = "throughline_entry";
const FIELD: &str = "throughline_field";
const FORMAT: &str = "throughline_format";
const MAPPING: &str = "throughline_mapping";
const PRODUCER: &str = "throughline_producer";
const REJECTED_AT: &str = "throughline_rejected_at";

/// Every header that a dead letter has of its own, with its meaning.
pub const HEADERS: [(&str, &str); 16] = [
    (TOPIC, "topic of the rejected record"),
    (PARTITION, "its partition"),
    (OFFSET, "its offset"),
    (CONNECTOR, "stage that rejected it: normalize, experience, entity"),
    (STAGE, "VALUE_CONVERTER or TRANSFORMATION"),
    (CLASS, "as throughline_reason"),
    (MESSAGE, "what exactly is wrong, at most 1,000 characters"),
    (REASON, "closed reason"),
    (CODE, "code for throughline explain"),
    (ENTRY, "index in the record, from 0"),
    (FIELD, "path of the field"),
    (FORMAT, "format tried"),
    (MAPPING, "version of the mapping"),
    (PRODUCER, "who produced the record, as far as that was readable"),
    (SOURCE_ID, "the source's own id, as far as that was readable"),
    (REJECTED_AT, "when, RFC 3339"),
];

/// Kafka Streams' names of the origin, since 4.2.
const STREAMS: [&str; 3] = ["__streams.errors.topic", "__streams.errors.partition", "__streams.errors.offset"];

/// Whether a dead letter has a header of this name of its own. A record that already carries them (it was a dead letter
/// before) loses them before it gets new ones, so that the same record always gives the same letter.
#[must_use]
pub fn is_dead_letter_header(name: &str) -> bool {
    HEADERS.iter().any(|(known, _)| *known == name)
}

/// Where a rejected record came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Source topic.
    pub topic: Cow<'a, str>,
    /// Source partition.
    pub partition: Partition,
    /// Position in it.
    pub offset: RecordOffset,
}

/// Everything the headers of a dead letter say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    /// Where the record came from.
    pub origin: Origin<'a>,
    /// Stage that rejected it.
    pub stage: Stage,
    /// Closed reason.
    pub reason: RejectionReason,
    /// What exactly is wrong, cut to [`DETAIL_CHARACTERS_MAX`] characters when written.
    pub detail: Cow<'a, str>,
    /// Path of the field, empty if the whole entry is meant.
    pub field: Cow<'a, str>,
    /// Index of the entry in the record or frame, from 0.
    pub entry: u32,
    /// Format that was tried, empty if none was found.
    pub format: Cow<'a, str>,
    /// Version of the mapping, 0 if there is none.
    pub mapping: u32,
    /// Who produced the record, as far as that was readable.
    pub producer: Cow<'a, str>,
    /// The source's own id, as far as that was readable.
    pub source_id: Cow<'a, str>,
    /// The worker's clock.
    pub rejected_at: Now,
}

/// Why headers are not those of a dead letter of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeadLetterError {
    /// A header is not there.
    #[error("header {0} is missing")]
    Missing(&'static str),
    /// A header's text cannot be read.
    #[error("header {name} is not {expected}")]
    Invalid {
        /// Its name.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

impl<'a> DeadLetter<'a> {
    /// Shows every header to `put`, always in the same order; empty ones are left out.
    pub fn encode(&self, mut put: impl FnMut(&'static str, &[u8])) {
        let mut rejected_at = Vec::with_capacity(24);
        put_rfc3339(&mut rejected_at, self.rejected_at.as_millis());
        let mut number = itoa::Buffer::new();
        put(TOPIC, self.origin.topic.as_bytes());
        put(PARTITION, number.format(self.origin.partition.0).as_bytes());
        put(OFFSET, number.format(self.origin.offset.0).as_bytes());
        put(CONNECTOR, self.stage.as_str().as_bytes());
        put(STAGE, connect_stage(self.reason).as_bytes());
        put(CLASS, self.reason.as_str().as_bytes());
        put(MESSAGE, cut(&self.detail).as_bytes());
        put(REASON, self.reason.as_str().as_bytes());
        put(CODE, self.reason.explain_code().as_bytes());
        put(ENTRY, number.format(self.entry).as_bytes());
        if self.mapping > 0 {
            put(MAPPING, number.format(self.mapping).as_bytes());
        }
        for (name, value) in
            [(FIELD, &self.field), (FORMAT, &self.format), (PRODUCER, &self.producer), (SOURCE_ID, &self.source_id)]
        {
            if !value.is_empty() {
                put(name, value.as_bytes());
            }
        }
        put(REJECTED_AT, &rejected_at);
    }

    /// Reads what [`DeadLetter::encode`] wrote; other headers are ignored, of two with one name the last counts.
    pub fn decode<'h: 'a>(headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> Result<Self, DeadLetterError> {
        let found = Found::collect(headers);
        let stage = found.text(CONNECTOR)?;
        let reason = found.text(REASON)?;
        let rejected_at = found.text(REJECTED_AT)?;
        let invalid = |name, expected| move || DeadLetterError::Invalid { name, expected };
        Ok(Self {
            origin: found.origin([TOPIC, PARTITION, OFFSET])?,
            stage: Stage::from_name(stage).ok_or_else(invalid(CONNECTOR, "a stage"))?,
            reason: RejectionReason::from_name(reason).ok_or_else(invalid(REASON, "a reason of this version"))?,
            detail: Cow::Borrowed(found.text(MESSAGE)?),
            field: Cow::Borrowed(found.text_or_empty(FIELD)?),
            entry: found.number(ENTRY)?,
            format: Cow::Borrowed(found.text_or_empty(FORMAT)?),
            mapping: if found.get(MAPPING).is_some() { found.number(MAPPING)? } else { 0 },
            producer: Cow::Borrowed(found.text_or_empty(PRODUCER)?),
            source_id: Cow::Borrowed(found.text_or_empty(SOURCE_ID)?),
            rejected_at: rejected_at
                .parse::<jiff::Timestamp>()
                .map(|at| Now::from_millis(at.as_millisecond()))
                .map_err(|_| invalid(REJECTED_AT, "a time in RFC 3339")())?,
        })
    }
}

impl<'a> Origin<'a> {
    /// The origin alone: of a dead letter of ours, of Kafka Connect, or of Kafka Streams.
    pub fn decode<'h: 'a>(headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> Result<Self, DeadLetterError> {
        let found = Found::collect(headers);
        let names = if found.get(TOPIC).is_some() { [TOPIC, PARTITION, OFFSET] } else { STREAMS };
        found.origin(names)
    }
}

/// Where in Connect's words a rejection happens: while the value is read, or after.
const fn connect_stage(reason: RejectionReason) -> &'static str {
    match reason {
        RejectionReason::Undecodable
        | RejectionReason::UnknownSchema
        | RejectionReason::TooLarge
        | RejectionReason::TooDeep
        | RejectionReason::TooManyEntries => "VALUE_CONVERTER",
        _ => "TRANSFORMATION",
    }
}

fn cut(detail: &str) -> &str {
    detail.char_indices().nth(DETAIL_CHARACTERS_MAX).map_or(detail, |(end, _)| &detail[..end])
}

/// The values of the headers we know.
struct Found<'h> {
    values: [Option<&'h [u8]>; HEADERS.len() + STREAMS.len()],
}

impl<'h> Found<'h> {
    fn collect(headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut found = Self { values: [None; HEADERS.len() + STREAMS.len()] };
        for (name, value) in headers {
            if let Some(at) = Self::place(name) {
                found.values[at] = Some(value);
            }
        }
        found
    }

    fn place(name: &str) -> Option<usize> {
        HEADERS.iter().map(|(known, _)| known).chain(&STREAMS).position(|known| *known == name)
    }

    fn get(&self, name: &'static str) -> Option<&'h [u8]> {
        Self::place(name).and_then(|at| self.values[at])
    }

    fn text(&self, name: &'static str) -> Result<&'h str, DeadLetterError> {
        let value = self.get(name).ok_or(DeadLetterError::Missing(name))?;
        std::str::from_utf8(value).map_err(|_| DeadLetterError::Invalid { name, expected: "UTF-8" })
    }

    fn text_or_empty(&self, name: &'static str) -> Result<&'h str, DeadLetterError> {
        if self.get(name).is_some() { self.text(name) } else { Ok("") }
    }

    fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, DeadLetterError> {
        self.text(name)?.parse().map_err(|_| DeadLetterError::Invalid { name, expected: "a number in range" })
    }

    fn origin(&self, [topic, partition, offset]: [&'static str; 3]) -> Result<Origin<'h>, DeadLetterError> {
        Ok(Origin {
            topic: Cow::Borrowed(self.text(topic)?),
            partition: Partition(self.number(partition)?),
            offset: RecordOffset(self.number(offset)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(letter: &DeadLetter) -> Vec<(&'static str, Vec<u8>)> {
        let mut headers = Vec::new();
        letter.encode(|name, value| headers.push((name, value.to_vec())));
        headers
    }

    fn pairs<'h>(headers: &'h [(&'static str, Vec<u8>)]) -> impl Iterator<Item = (&'h str, &'h [u8])> {
        headers.iter().map(|(name, value)| (*name, value.as_slice()))
    }

    fn letter() -> DeadLetter<'static> {
        DeadLetter {
            origin: Origin {
                topic: Cow::Borrowed("touchpoints.web"),
                partition: Partition(3),
                offset: RecordOffset(17),
            },
            stage: Stage::Normalize,
            reason: RejectionReason::Undecodable,
            detail: Cow::Borrowed("expected value at line 1"),
            field: Cow::Borrowed("batch[2].timestamp"),
            entry: 2,
            format: Cow::Borrowed("segment"),
            mapping: 1,
            producer: Cow::Borrowed("web-team"),
            source_id: Cow::Borrowed("ajs-1"),
            rejected_at: Now::from_millis(1_763_769_600_123),
        }
    }

    #[test]
    fn headers_are_those_of_the_contract() {
        let headers = encoded(&letter());
        let text: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value))).collect();
        expect_test::expect![[r#"
            __connect.errors.topic=touchpoints.web
            __connect.errors.partition=3
            __connect.errors.offset=17
            __connect.errors.connector.name=normalize
            __connect.errors.stage=VALUE_CONVERTER
            __connect.errors.exception.class.name=undecodable
            __connect.errors.exception.message=expected value at line 1
            throughline_reason=undecodable
            throughline_code=TL-R01
            throughline_entry=2
            throughline_mapping=1
            throughline_field=batch[2].timestamp
            throughline_format=segment
            throughline_producer=web-team
            throughline_source_id=ajs-1
            throughline_rejected_at=2025-11-22T00:00:00.123Z"#]]
        .assert_eq(&text.join("\n"));
        assert!(headers.iter().all(|(name, _)| is_dead_letter_header(name)));
        assert!(!is_dead_letter_header("traceparent"));
    }

    #[test]
    fn a_missing_or_foreign_header_is_named() {
        let headers = encoded(&letter());
        let without = headers.iter().filter(|(name, _)| *name != ENTRY);
        let decoded = DeadLetter::decode(without.map(|(name, value)| (*name, value.as_slice())));
        assert_eq!(decoded, Err(DeadLetterError::Missing(ENTRY)));
        let newer = pairs(&headers).chain([(REASON, &b"reason_of_next_year"[..])]);
        assert!(matches!(DeadLetter::decode(newer), Err(DeadLetterError::Invalid { name: REASON, .. })));
    }

    #[test]
    fn the_origin_of_a_streams_letter_is_understood() {
        let headers =
            [(STREAMS[0], &b"orders"[..]), (STREAMS[1], b"0"), (STREAMS[2], b"9"), ("__streams.errors.message", b"x")];
        let origin = Origin { topic: Cow::Borrowed("orders"), partition: Partition(0), offset: RecordOffset(9) };
        assert_eq!(Origin::decode(headers), Ok(origin));
    }

    proptest! {
        #[test]
        fn headers_round_trip(
            texts in proptest::collection::vec("\\PC{0,12}", 6),
            reason in proptest::sample::select(RejectionReason::ALL),
            stage in proptest::sample::select(Stage::ALL),
            (partition, offset, entry, mapping) in (any::<i32>(), any::<i64>(), any::<u32>(), any::<u32>()),
            rejected_at in 0i64..4_000_000_000_000,
        ) {
            let text = |at: usize| Cow::Borrowed(texts[at].as_str());
            let letter = DeadLetter {
                origin: Origin { topic: text(0), partition: Partition(partition), offset: RecordOffset(offset) },
                stage, reason, detail: text(1), field: text(2), entry, format: text(3), mapping, producer: text(4),
                source_id: text(5), rejected_at: Now::from_millis(rejected_at),
            };
            let headers = encoded(&letter);
            prop_assert_eq!(DeadLetter::decode(pairs(&headers)), Ok(letter));
        }

        #[test]
        fn details_are_cut_between_characters(detail in "\\PC{990,1010}") {
            let cut = cut(&detail);
            prop_assert_eq!(cut.chars().count(), detail.chars().count().min(DETAIL_CHARACTERS_MAX));
            prop_assert!(detail.starts_with(cut));
        }
    }
}
