//! Names and fixed values of the headers on published records.

/// Format of the value, on all outputs; dead letters keep the original.
pub const CONTENT_TYPE: &str = "content-type";
/// Avro in the Confluent wire format.
pub const CONTENT_TYPE_AVRO: &str = "application/vnd.confluent.avro";
/// JSON.
pub const CONTENT_TYPE_JSON: &str = "application/json";
/// W3C trace context of the causing source record; of several causes, the latest.
pub const TRACE_PARENT: &str = "traceparent";
/// Vendor part of the trace context.
pub const TRACE_STATE: &str = "tracestate";
/// The `kind` or `action` of changes, identity changes and commands, so that a reader filters without decoding.
pub const KIND: &str = "throughline_kind";
/// The alert's `type`.
pub const ALERT_TYPE: &str = "throughline_type";
/// The alert's `severity`.
pub const ALERT_SEVERITY: &str = "throughline_severity";
/// The alert's `transition`.
pub const ALERT_TRANSITION: &str = "throughline_transition";
/// The alert's `page`, `true` or `false`.
pub const ALERT_PAGE: &str = "throughline_page";
/// The original source id on a source record that is sent again.
pub const SOURCE_ID: &str = "throughline_source_id";
/// Why a source record is sent again: [`REPLAY_DLQ`] or [`REPLAY_BACKFILL`].
pub const REPLAY: &str = "throughline_replay";
/// Sent again from the dead letters.
pub const REPLAY_DLQ: &str = "dlq";
/// Sent again by a load of old records.
pub const REPLAY_BACKFILL: &str = "backfill";
