//! The AsyncAPI 3 document: every topic with its record, key, headers and Kafka settings.

use serde_json::{Map, Value, json};
use throughline_codec::dead_letter;
use throughline_codec::headers::{
    ALERT_PAGE, ALERT_SEVERITY, ALERT_TRANSITION, ALERT_TYPE, CONTENT_TYPE, CONTENT_TYPE_AVRO, KIND, TRACE_PARENT,
    TRACE_STATE,
};
use throughline_codec::record::put_string;

use super::samples::indented;
use super::subjects::{Cleanup, RecordRole, TopicSubject, subjects};

const BINDING_VERSION: &str = "0.5.0";
const DEAD_LETTERS: &str = "experience.dead-letters";

/// The document as indented JSON.
pub(super) fn document() -> String {
    let mut channels = Map::new();
    let mut operations = Map::new();
    let mut messages = Map::new();
    for subject in subjects() {
        add(&mut channels, &mut operations, subject);
        messages.insert(subject.topic.to_owned(), message(subject));
    }
    add_dead_letters(&mut channels, &mut operations, &mut messages);
    let document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Throughline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Customer experience as records: touchpoints in, scores and alerts out. Read with \
                isolation.level=read_committed; a null value is a deletion; order holds per key. Names of outputs and \
                commands may start with a configured prefix, names of sources are configured.",
            "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
        },
        "defaultContentType": CONTENT_TYPE_AVRO,
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages },
    });
    let mut out = Vec::new();
    put_sorted(&mut out, &document);
    indented(&out)
}

fn add(channels: &mut Map<String, Value>, operations: &mut Map<String, Value>, subject: &TopicSubject) {
    let mut settings = json!({ "max.message.bytes": 1_048_576 });
    match subject.cleanup {
        Cleanup::Compact => {
            settings["cleanup.policy"] = json!(["compact"]);
            settings["delete.retention.ms"] = json!(86_400_000);
        }
        Cleanup::DeleteAfterDays(days) => {
            settings["cleanup.policy"] = json!(["delete"]);
            settings["retention.ms"] = json!(i64::from(days) * 86_400_000);
        }
        Cleanup::Delete => settings["cleanup.policy"] = json!(["delete"]),
    }
    let action = match subject.role {
        RecordRole::Output => "send",
        RecordRole::Source | RecordRole::Command => "receive",
    };
    add_channel(channels, operations, subject.topic, subject.summary, &settings, action);
}

fn add_channel(
    channels: &mut Map<String, Value>,
    operations: &mut Map<String, Value>,
    topic: &str,
    summary: &str,
    settings: &Value,
    action: &str,
) {
    channels.insert(
        topic.to_owned(),
        json!({
            "address": topic,
            "description": summary,
            "messages": { "record": { "$ref": format!("#/components/messages/{topic}") } },
            "bindings": {
                "kafka": { "topic": topic, "topicConfiguration": settings, "bindingVersion": BINDING_VERSION },
            },
        }),
    );
    operations.insert(
        format!("{action}.{topic}"),
        json!({
            "action": action,
            "channel": { "$ref": format!("#/channels/{topic}") },
            "summary": summary,
        }),
    );
}

fn message(subject: &TopicSubject) -> Value {
    let folder = subject.subject();
    json!({
        "name": subject.record,
        "title": subject.record,
        "summary": subject.summary,
        "contentType": CONTENT_TYPE_AVRO,
        "headers": header_schema(headers(subject)),
        "payload": {
            "schemaFormat": "application/vnd.apache.avro+json;version=1.9.0",
            "schema": { "$ref": format!("./{folder}/{}.avsc", subject.version) },
        },
        "bindings": {
            "kafka": {
                "key": { "type": "string", "description": subject.key },
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
                "schemaLookupStrategy": "TopicNameStrategy",
                "bindingVersion": BINDING_VERSION,
            },
        },
    })
}

fn headers(subject: &TopicSubject) -> Vec<(&'static str, &'static str)> {
    let mut headers = vec![
        (CONTENT_TYPE, "application/vnd.confluent.avro or application/json"),
        (TRACE_PARENT, "W3C trace context, where the causing source record carried it"),
        (TRACE_STATE, "W3C trace context, where the causing source record carried it"),
    ];
    match (subject.role, subject.record) {
        (RecordRole::Output, "Alert") => {
            headers.extend([
                (ALERT_TYPE, "as type"),
                (ALERT_SEVERITY, "as severity"),
                (ALERT_TRANSITION, "as transition"),
                (ALERT_PAGE, "as page"),
            ]);
            if subject.topic == "experience.alerts" {
                headers.extend([
                    ("ce_specversion", "1.0"),
                    ("ce_id", "<alert_id>-<seq>"),
                    ("ce_source", "/throughline/<tenant>"),
                    ("ce_type", "throughline.alert.<transition>"),
                    ("ce_time", "changed_at"),
                    ("ce_subject", "subject id"),
                ]);
            }
        }
        (RecordRole::Output, "Change" | "IdentityChange") => headers.push((KIND, "as kind")),
        (RecordRole::Command, _) => headers.push((KIND, "as action")),
        _ => {}
    }
    headers
}

fn header_schema<'n>(headers: impl IntoIterator<Item = (&'n str, &'n str)>) -> Value {
    let properties: Map<_, _> = headers
        .into_iter()
        .map(|(name, meaning)| (name.to_owned(), json!({ "type": "string", "description": meaning })))
        .collect();
    json!({ "type": "object", "properties": properties })
}

fn add_dead_letters(
    channels: &mut Map<String, Value>,
    operations: &mut Map<String, Value>,
    messages: &mut Map<String, Value>,
) {
    const SUMMARY: &str = "Rejected records as they came, with the reason and the origin in headers.";
    let settings =
        json!({ "cleanup.policy": ["delete"], "retention.ms": 7 * 86_400_000, "max.message.bytes": 16_777_216 });
    add_channel(channels, operations, DEAD_LETTERS, SUMMARY, &settings, "send");
    messages.insert(
        DEAD_LETTERS.to_owned(),
        json!({
            "name": "DeadLetter",
            "title": "DeadLetter",
            "summary": SUMMARY,
            "headers": header_schema(dead_letter::HEADERS),
            "payload": { "description": "the original value" },
            "bindings": {
                "kafka": {
                    "key": { "description": "the original key" },
                    "bindingVersion": BINDING_VERSION,
                },
            },
        }),
    );
}

/// Compact JSON with members in the order of their names, whichever map this build of serde_json has.
fn put_sorted(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            out.push(b'{');
            for (at, (name, value)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                put_string(out, name);
                out.push(b':');
                put_sorted(out, value);
            }
            out.push(b'}');
        }
        Value::Array(members) => {
            out.push(b'[');
            for (at, member) in members.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                put_sorted(out, member);
            }
            out.push(b']');
        }
        Value::String(text) => put_string(out, text),
        other => out.extend_from_slice(other.to_string().as_bytes()),
    }
}
