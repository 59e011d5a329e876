//! bytes to values and back: tagged fields, frames, Avro and JSON, typed headers

pub mod wire;
