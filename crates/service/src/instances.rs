//! `throughline.instances`: who is alive, and which state format everybody reads.
//!
//! An instance says so before its workers start and every ten seconds after that; one that was not heard of for a minute is
//! gone. Clocks of the machines may differ by a good part of that minute.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use serde::Deserialize;
use throughline_codec::record::List;
use throughline_kafka::append::Appender;
use throughline_kafka::client::ClientOptions;
use throughline_kafka::table::TableReader;
use throughline_model::{Now, Stage};
use throughline_pipeline::FormatGate;
use throughline_pipeline::records::InstanceRecord;
use throughline_pipeline::state::STATE_FORMAT;

use crate::error::ServiceError;
use crate::observer::now_millis;
use crate::patience::patiently;

const EVERY: Duration = Duration::from_secs(10);
/// An instance that was silent for so long, in milliseconds, is gone.
const SILENT_MILLIS: i64 = 60_000;
/// How long the first complete read may take.
const FIRST_READ: Duration = Duration::from_secs(60);
const KEY_PREFIX: &str = "instance/";

/// Who this is.
#[derive(Debug, Clone)]
pub struct Myself {
    /// Name of the instance.
    pub id: String,
    /// Stages it runs.
    pub stages: Vec<Stage>,
}

/// What is needed of the record of another instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Seen {
    state_format: u32,
    #[serde(deserialize_with = "millis")]
    seen_at: i64,
}

fn millis<'de, D: serde::Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(from)?;
    let at: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
    Ok(at.as_millisecond())
}

/// Says that this instance is there, reads who else is, and goes on with both until `stop`.
///
/// # Errors
/// If the topic cannot be written or read.
pub fn follow(
    client: &ClientOptions,
    topic: &str,
    myself: Myself,
    gate: FormatGate,
    stop: &Arc<AtomicBool>,
) -> Result<(), ServiceError> {
    let unexpected = |error: &dyn std::fmt::Display| ServiceError::Unexpected(format!("{topic}: {error}"));
    let appender = Appender::new(client, "throughline-instances", topic).map_err(|error| unexpected(&error))?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| unexpected(&error))?;
    let started_at = Now::from_millis(now_millis());
    let publish = move || {
        let key = format!("{KEY_PREFIX}{}", myself.id);
        runtime.block_on(appender.append(&key, record(&myself, started_at)))
    };
    // First, so that whoever starts at the same moment sees this one too.
    let unreachable = |error: KafkaError| ServiceError::Unreachable(format!("{topic}: {error}"));
    patiently(&publish).map_err(unreachable)?;
    let open = || TableReader::open(client, "throughline-instances", topic);
    let Some(mut reader) = patiently(open).map_err(unreachable)? else {
        return Ok(());
    };
    let mut seen = BTreeMap::new();
    let deadline = Instant::now() + FIRST_READ;
    while !step(&mut reader, &mut seen)? {
        if Instant::now() > deadline {
            return Err(ServiceError::Unreachable(format!("{topic} cannot be read to its end")));
        }
    }
    judge(&seen, &gate);
    let stop = Arc::clone(stop);
    std::thread::Builder::new()
        .name("instances".to_owned())
        .spawn(move || {
            let mut last = Instant::now();
            while !stop.load(Ordering::Acquire) {
                if let Err(error) = step(&mut reader, &mut seen) {
                    tracing::warn!(%error, "instances not read");
                    std::thread::sleep(Duration::from_millis(500));
                }
                judge(&seen, &gate);
                if last.elapsed() >= EVERY {
                    last = Instant::now();
                    // Said again in ten seconds; a minute of silence is a broker that everybody misses.
                    if let Err(error) = publish() {
                        tracing::warn!(%error, "this instance could not say that it is there");
                    }
                }
            }
        })
        .map_err(|error| unexpected(&error))?;
    Ok(())
}

fn record(myself: &Myself, started_at: Now) -> Vec<u8> {
    let stages: Vec<&str> = myself.stages.iter().map(|stage| stage.as_str()).collect();
    let record = InstanceRecord {
        version: env!("CARGO_PKG_VERSION"),
        state_format: i32::try_from(STATE_FORMAT).unwrap_or(i32::MAX),
        started_at,
        seen_at: Now::from_millis(now_millis()),
        stages: List::from(stages),
    };
    let mut bytes = Vec::with_capacity(256);
    throughline_codec::record::to_json(&record, &mut bytes);
    bytes
}

/// Reads for a moment; whether the end was reached once.
fn step(reader: &mut TableReader, seen: &mut BTreeMap<String, Seen>) -> Result<bool, ServiceError> {
    let read = reader.step(Duration::from_millis(200), |key, value| apply(seen, key, value));
    read.map_err(|error| ServiceError::Unreachable(error.to_string()))
}

fn apply(seen: &mut BTreeMap<String, Seen>, key: &[u8], value: Option<&[u8]>) {
    let Some(id) = std::str::from_utf8(key).ok().and_then(|key| key.strip_prefix(KEY_PREFIX)) else { return };
    match value.map(serde_json::from_slice::<Seen>) {
        Some(Ok(instance)) => {
            seen.insert(id.to_owned(), instance);
        }
        Some(Err(error)) => tracing::warn!(instance = id, %error, "the record of an instance cannot be read"),
        None => {
            seen.remove(id);
        }
    }
}

/// Writes the smallest format of the live ones.
fn judge(seen: &BTreeMap<String, Seen>, gate: &FormatGate) {
    let before = gate.current();
    let now = now_millis();
    let live = seen.values().filter(|instance| now - instance.seen_at < SILENT_MILLIS);
    let (format, is_readable) = gate.set(live.map(|instance| instance.state_format));
    if format != before {
        tracing::info!(format, "state format that every live instance reads");
    }
    if !is_readable {
        tracing::warn!(format, "a live instance is too old to read the state that is written: replace it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(seen_at: i64) -> Vec<u8> {
        let myself = Myself { id: "a-0".to_owned(), stages: vec![Stage::Normalize, Stage::Experience] };
        let text = String::from_utf8(record(&myself, Now::from_millis(0))).expect("JSON is text");
        let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        value["seen_at"] = throughline_api::rfc3339(seen_at).into();
        value.to_string().into_bytes()
    }

    #[test]
    fn instances_come_and_go() {
        let mut seen = BTreeMap::new();
        let now = now_millis();
        apply(&mut seen, b"instance/a-0", Some(&instance(now)));
        apply(&mut seen, b"instance/b-0", Some(&instance(now - 2 * SILENT_MILLIS)));
        apply(&mut seen, b"partition/experience/3", Some(b"{}"));
        apply(&mut seen, b"instance/c-0", Some(b"not json"));
        assert_eq!(seen.len(), 2);
        assert_eq!(seen["a-0"], Seen { state_format: STATE_FORMAT, seen_at: now });
        let gate = FormatGate::default();
        seen.insert("old".to_owned(), Seen { state_format: 0, seen_at: now - 2 * SILENT_MILLIS });
        judge(&seen, &gate);
        assert_eq!(gate.current(), STATE_FORMAT, "who is silent does not count");
        apply(&mut seen, b"instance/a-0", None);
        assert!(!seen.contains_key("a-0"));
    }
}
