//! Source payloads to touchpoints or rejections, one module per format.
//!
//! **What it does.** Takes a record of a source topic, splits it into entries, finds the format of each, maps it to a
//! touchpoint, and finishes that: tenant, ids, event time, identifiers, evidence of text, response target.
//!
//! **What it does not.** It reads no clock, no file and no registry, keeps no state between records but its options and the
//! catalog, and knows neither partitions nor customers.
//!
//! **Invariants.** Every entry of a record has exactly one fate: touchpoint, withheld or rejected. The same record, options
//! and catalog give the same entries. Raw identifiers and text never leave this crate.
//!
//! **Where to start.** [`Normalizer::normalize`], then [`format::Format`] and one of the [`formats`].

pub mod normalizer;

pub mod envelope;
pub mod shape;

pub mod draft;
pub mod format;
pub mod formats;
pub mod json;

mod blank;
pub mod catalog;
mod finish;
pub mod identifiers;
pub mod text;
pub mod time;
pub mod trust;

pub use catalog::Catalog;
pub use formats::contract::{ContractSchema, NotOurs};
pub use normalizer::{
    Encoding, Entry, Formats, Lookup, NeedSchema, NoSchemas, NormalizeCounts, NormalizeOptions, Normalizer,
    SchemaSource, SourceOptions, SourceRecord,
};
