//! Sample records: a late bus, a hotel stay, and what became of them. Every version of a schema keeps its own.

pub(super) mod input;
pub(super) mod output;

use throughline_codec::record::{Record, to_avro, to_json};
use throughline_model::time::{HOUR, MINUTE};
use throughline_model::{EventTime, Now};

/// A record as it is written, in both encodings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Name of the file without its ending.
    pub name: &'static str,
    /// The Avro datum, without framing.
    pub avro: Vec<u8>,
    /// The JSON object, on one line.
    pub json: Vec<u8>,
}

/// 2026-11-20T00:00:00Z in milliseconds: the day on which all of this happened.
const THE_DAY: i64 = 1_795_132_800_000;

const CUSTOMER: &str = "035911e87a810d8f9571835e716a1330ea";
const DELAY: &str = "7d1a4f0c9b3e25868d40f1c2a6e79b05";
const COMPLAINT: &str = "c4e8027b5f913ad66b0d8e7f2a51c390";
const ALERT: &str = "91b6d3f08a2c47e5b90f6c1d3e8a7254";

const fn event_time(hour: i64, minute: i64) -> EventTime {
    EventTime::from_millis(THE_DAY + hour * HOUR + minute * MINUTE)
}

const fn now(hour: i64, minute: i64) -> Now {
    Now::from_millis(THE_DAY + hour * HOUR + minute * MINUTE + 180)
}

fn sample<R: Record>(name: &'static str, record: &R) -> Sample {
    let mut sample = Sample { name, avro: Vec::new(), json: Vec::new() };
    to_avro(record, &mut sample.avro);
    to_json(record, &mut sample.json);
    sample
}

/// JSON without the space between its tokens.
pub(super) fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    json.chars()
        .filter(|&character| {
            let is_kept = in_string || !character.is_ascii_whitespace();
            if character == '"' && !escaped {
                in_string = !in_string;
            }
            escaped = character == '\\' && !escaped;
            is_kept
        })
        .collect()
}

/// Compact JSON on many lines, members in their order, with a newline at the end.
pub(super) fn indented(json: &[u8]) -> String {
    let mut out = Vec::with_capacity(json.len() * 2);
    let mut depth = 0;
    let (mut in_string, mut escaped) = (false, false);
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.resize(out.len() + 2 * depth, b' ');
    };
    for (at, &byte) in json.iter().enumerate() {
        if in_string {
            out.push(byte);
            in_string = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b'{' | b'[' => {
                out.push(byte);
                depth += 1;
                if !matches!(json.get(at + 1), Some(b'}' | b']')) {
                    line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth -= 1;
                if !matches!(json.get(at.wrapping_sub(1)), Some(b'{' | b'[')) {
                    line(&mut out, depth);
                }
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ => {
                in_string = byte == b'"';
                out.push(byte);
            }
        }
    }
    out.push(b'\n');
    String::from_utf8(out).expect("JSON is text")
}
