//! From the bytes of a record to the documents in it: limits, framing, CloudEvents, splitting.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use throughline_model::{Rejection, RejectionReason};

use crate::draft::ClaimedTime;
use crate::format::{Headers, Keep};
use crate::json::{self, Str};

/// Longest value in bytes.
pub const VALUE_MAX: usize = 10 << 20;
/// Longest document in bytes: one record may hold many.
pub const TEXT_MAX: usize = 1 << 20;
/// Deepest nesting.
pub const DEPTH_MAX: usize = 64;
/// Most entries of one record.
pub const ENTRIES_MAX: usize = 1_000;

/// Text of a value.
///
/// # Errors
/// `undecodable`.
pub fn text_of(value: &[u8]) -> Result<&str, Rejection> {
    let text = std::str::from_utf8(value).map_err(|error| {
        Rejection::new(RejectionReason::Undecodable, format!("invalid UTF-8 after {} bytes", error.valid_up_to()))
    })?;
    // A byte order mark is no part of the document.
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Checks the limits of one document.
///
/// # Errors
/// `too_large`, `too_deep`.
pub fn check(text: &str) -> Result<(), Rejection> {
    if text.len() > TEXT_MAX {
        return Err(Rejection::new(
            RejectionReason::TooLarge,
            format!("{} bytes of text, at most {TEXT_MAX}", text.len()),
        ));
    }
    if is_too_deep(text) {
        return Err(Rejection::new(RejectionReason::TooDeep, format!("nested deeper than {DEPTH_MAX}")));
    }
    Ok(())
}

/// Whether a JSON text is nested too deep. A text with few brackets cannot be, and most have few.
#[must_use]
pub fn is_too_deep(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Both brackets are one bit apart. Sums of bytes compile to wide instructions, which a search that stops at each
    // bracket does not; a block is small enough for its sum to fit.
    let in_block = |block: &[u8]| usize::from(block.iter().map(|byte| u8::from(byte | 0x20 == b'{')).sum::<u8>());
    let brackets: usize = bytes.chunks(128).map(in_block).sum();
    brackets > DEPTH_MAX && depth(bytes) > DEPTH_MAX
}

fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest): (usize, usize) = (0, 0);
    let mut in_string = false;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    deepest
}

/// The documents of a text.
#[derive(Debug, PartialEq, Eq)]
pub enum Documents<'a> {
    /// One document.
    One(&'a str),
    /// Members of an array, lines of newline-separated JSON, lines of tab-separated text.
    Many(Vec<&'a str>),
}

/// Splits a text into its documents.
///
/// # Errors
/// `undecodable` for an array that is not JSON, `too_many_entries`.
pub fn split(text: &str) -> Result<Documents<'_>, Rejection> {
    let trimmed = text.trim();
    let documents = match trimmed.as_bytes().first() {
        Some(b'[') => members(trimmed)?,
        Some(b'{') => match memchr::memchr(b'\n', trimmed.as_bytes()) {
            Some(end) if is_separated(trimmed, end) => lines(trimmed),
            _ => return Ok(Documents::One(trimmed)),
        },
        // Tab-separated text keeps its outer tabs: empty first and last columns count.
        _ if memchr::memchr(b'\t', text.as_bytes()).is_some()
            && memchr::memchr(b'\n', trimmed.as_bytes()).is_some() =>
        {
            lines(text)
        }
        Some(_) if memchr::memchr(b'\t', text.as_bytes()).is_some() => {
            return Ok(Documents::One(text.trim_matches(['\r', '\n'])));
        }
        _ => return Ok(Documents::One(trimmed)),
    };
    if documents.len() > ENTRIES_MAX {
        return Err(too_many(documents.len()));
    }
    Ok(Documents::Many(documents))
}

/// The rejection of a record with too many entries.
#[must_use]
pub fn too_many(count: usize) -> Rejection {
    Rejection::new(RejectionReason::TooManyEntries, format!("{count} entries, at most {ENTRIES_MAX}"))
}

fn lines(text: &str) -> Vec<&str> {
    text.split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .filter(|line| !line.trim().is_empty())
        .collect()
}

fn members(text: &str) -> Result<Vec<&str>, Rejection> {
    let members: Vec<&RawValue> = json::from_str(text)?;
    Ok(members.into_iter().map(RawValue::get).collect())
}

/// Whether the first line is a document by itself and another one starts below it. A document that merely has line breaks,
/// or something else behind it, is one document: whole or undecodable.
fn is_separated(text: &str, end: usize) -> bool {
    let first = text[..end].trim_end();
    first.ends_with('}')
        && text[end..].trim_start().starts_with('{')
        && serde_json::from_str::<IgnoredAny>(first).is_ok()
}

/// What a CloudEvents envelope says about its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloud<'a> {
    /// `source` and `id`, which together are unique.
    pub source_id: String,
    /// `time`.
    pub time: ClaimedTime<'a>,
    /// `source`: the producer, unless the configuration or the data names one.
    pub producer: Cow<'a, str>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CloudWire<'a> {
    #[serde(borrow)]
    specversion: Str<'a>,
    #[serde(borrow)]
    id: Str<'a>,
    #[serde(borrow)]
    source: Str<'a>,
    #[serde(borrow)]
    time: json::Time<'a>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    data_base64: Str<'a>,
}

/// Attributes of a CloudEvent in binary mode: headers with the prefix `ce_`.
#[must_use]
pub fn binary_cloud<'a>(headers: &'a dyn Headers) -> Option<Cloud<'a>> {
    headers.get("ce_specversion")?;
    let header = |name| headers.get(name).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default();
    let (source, id) = (header("ce_source"), header("ce_id"));
    let time = crate::time::read(Cow::Borrowed(header("ce_time")));
    (!id.is_empty()).then(|| Cloud { source_id: format!("{source}/{id}"), time, producer: Cow::Borrowed(source) })
}

/// Unwraps a CloudEvent in structured mode; none if the text is not one.
///
/// # Errors
/// An envelope without an id or without data.
pub fn structured_cloud<'a>(text: &'a str, keep: &'a Keep) -> Result<Option<(Cloud<'a>, &'a str)>, Rejection> {
    // The one attribute that every envelope has; looking for it costs less than decoding every record twice.
    static MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"specversion\""));
    if MARK.find(text.as_bytes()).is_none() {
        return Ok(None);
    }
    // What is not JSON, or has such a member somewhere inside, is for the formats to judge.
    let Ok(wire) = serde_json::from_str::<CloudWire<'a>>(text) else { return Ok(None) };
    if wire.specversion.is_empty() {
        return Ok(None);
    }
    let missing =
        |field: &'static str| Rejection::field(RejectionReason::MissingField, field, "an envelope without it");
    if wire.id.is_empty() {
        return Err(missing("id"));
    }
    let data = match wire.data.map(RawValue::get) {
        Some("null") | None if !wire.data_base64.is_empty() => {
            let bytes = base64(&wire.data_base64)
                .ok_or_else(|| Rejection::field(RejectionReason::InvalidField, "data_base64", "not base64"))?;
            let text = String::from_utf8(bytes)
                .map_err(|_| Rejection::field(RejectionReason::Undecodable, "data_base64", "not UTF-8 text"))?;
            keep.keep(text)
        }
        Some("null") | None => return Err(missing("data")),
        Some(text) if text.starts_with('"') => keep.keep(json::from_str::<String>(text)?),
        Some(text) => text,
    };
    let cloud = Cloud {
        source_id: format!("{}/{}", &*wire.source, &*wire.id),
        time: wire.time.0,
        producer: wire.source.take(),
    };
    Ok(Some((cloud, data)))
}

/// Standard base64 with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0);
    for symbol in text.trim_end_matches('=').bytes() {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'\r' | b'\n' => continue,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!is_too_deep(&nested(64)));
        assert!(is_too_deep(&nested(65)));
        assert!(!is_too_deep(&format!("{{\"a\":\"{}\\\"{}\"}}", "[".repeat(99), "{".repeat(99))));
        assert!(!is_too_deep(&"[]".repeat(99)));
    }

    #[test]
    fn texts_split_into_documents() {
        let many = |text| match split(text).expect("split") {
            Documents::Many(list) => list,
            Documents::One(text) => panic!("one: {text}"),
        };
        assert_eq!(many(r#"[{"a":1}, 2]"#), [r#"{"a":1}"#, "2"]);
        assert_eq!(many("{\"a\":1}\r\n\n{\"b\":2}\n"), ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(many("\ta\tb\n\tc\td\t\n"), ["\ta\tb", "\tc\td\t"]);
        for whole in ["{\n\"a\": {}\n}", "{\"a\":1}\n// why", "{\"a\":1}\n}", "{\"a\":1} {\"b\":2}"] {
            assert_eq!(split(whole), Ok(Documents::One(whole)));
        }
        assert_eq!(split("a\tb\t\n"), Ok(Documents::One("a\tb\t")));
        assert_eq!(split("[1,").expect_err("torn").reason, RejectionReason::Undecodable);
        let crowd = format!("[{}0]", "0,".repeat(1_000));
        assert_eq!(split(&crowd).expect_err("crowd").reason, RejectionReason::TooManyEntries);
    }

    #[test]
    fn envelopes_are_unwrapped() {
        let keep = Keep::new();
        let data = |text| structured_cloud(text, &keep).map(|found| found.map(|(cloud, data)| (cloud.source_id, data)));
        let found = |id: &str, data| Ok(Some((id.to_owned(), data)));
        assert_eq!(data(r#"{"specversion":"1.0","id":"1","source":"/s","data":{"a":1}}"#), found("/s/1", r#"{"a":1}"#));
        assert_eq!(
            data(r#"{"specversion":"1.0","id":"1","source":"/s","data":"{\"a\":1}"}"#),
            found("/s/1", r#"{"a":1}"#)
        );
        assert_eq!(
            data(r#"{"specversion":"1.0","id":"1","source":"/s","data_base64":"eyJhIjoxfQ=="}"#),
            found("/s/1", r#"{"a":1}"#)
        );
        assert_eq!(data(r#"{"properties":{"specversion":"1.0"}}"#), Ok(None));
        assert_eq!(data(r#"{"specversion":"1.0","id":"1"}"#).expect_err("no data").field, "data");
    }
}
