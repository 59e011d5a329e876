//! Schemas that producers of the contract wrote with.

use std::io::BufRead;

use serde::Deserialize;
use serde_avro_fast::de::read::SliceRead;
use serde_avro_fast::de::{DeserializerConfig, DeserializerState};
use throughline_model::{Rejection, RejectionReason};

/// A writer schema that is a record with a `type` field: whatever else it has is read by name.
#[derive(Debug)]
pub struct ContractSchema(serde_avro_fast::Schema);

/// Why a schema cannot be read as one of the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// Not an Avro schema.
    #[error("not an Avro schema: {0}")]
    Unreadable(String),
    /// An Avro schema of something else.
    #[error("not a record with a field named type")]
    Foreign,
}

impl ContractSchema {
    /// Parses the JSON of a writer schema, as a registry gives it.
    ///
    /// # Errors
    /// Not an Avro schema, or not one of the contract.
    pub fn parse(schema: &str) -> Result<Self, NotOurs> {
        #[derive(Deserialize)]
        struct Outline<'a> {
            #[serde(borrow)]
            r#type: crate::json::Str<'a>,
            #[serde(borrow, default)]
            fields: crate::json::Many<crate::json::Obj<Field<'a>>>,
        }
        #[derive(Deserialize, Default)]
        struct Field<'a> {
            #[serde(borrow, default)]
            name: crate::json::Str<'a>,
        }
        let unreadable = |error: serde_avro_fast::schema::SchemaError| NotOurs::Unreadable(error.to_string());
        let parsed = schema.parse().map_err(unreadable)?;
        let outline: Outline<'_> = serde_json::from_str(schema).map_err(|_| NotOurs::Foreign)?;
        let has_type = outline.fields.iter().any(|field| &*field.name == "type");
        if &*outline.r#type == "record" && has_type { Ok(Self(parsed)) } else { Err(NotOurs::Foreign) }
    }

    /// Decodes a datum that fills all of `bytes`.
    pub(super) fn decode<'a, T: Deserialize<'a>>(&self, bytes: &'a [u8]) -> Result<T, Rejection> {
        let undecodable = |why: String| Rejection::new(RejectionReason::Undecodable, why);
        let mut config = DeserializerConfig::new(&self.0);
        // A list of nothings costs no bytes to write and a gigabyte to read.
        config.max_seq_size = 100_000;
        let mut state = DeserializerState::with_config(SliceRead::new(bytes), config);
        let record = T::deserialize(state.deserializer()).map_err(|error| undecodable(error.to_string()))?;
        let mut reader = state.into_reader();
        let rest = reader.fill_buf().map_err(|error| undecodable(error.to_string()))?;
        if rest.is_empty() { Ok(record) } else { Err(undecodable(format!("{} bytes after the record", rest.len()))) }
    }
}
