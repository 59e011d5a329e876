//! bytes to values and back: tagged fields, frames, Avro and JSON, typed headers

pub mod entry;
pub mod frame;
pub mod wire;
