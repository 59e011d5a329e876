//! bytes to values and back: tagged fields, frames, Avro and JSON, typed headers

pub mod cloudevents;
pub mod confluent;
pub mod dead_letter;
pub mod entry;
pub mod frame;
pub mod headers;
pub mod progress;
pub mod record;
pub mod wire;
