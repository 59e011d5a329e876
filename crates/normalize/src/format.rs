//! The seam between record and format: one module per vendor format, found by its name or by the payload's shape.

use throughline_model::touchpoint::Text;
use throughline_model::{Rejection, SourceKind, WithheldReason};

use crate::draft::Draft;

/// A decoded-enough payload: text that was checked for size, depth and UTF-8, and what is known about it.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    /// The text of one record (or of one array member or line of it).
    pub text: &'a str,
    /// Source of the topic.
    pub source: SourceKind,
    /// Configured name of the source, the `source` part of `visit` identifiers.
    pub source_name: &'a str,
    /// Record headers that formats need (Shopify's topic), by name.
    pub headers: &'a dyn Headers,
    /// The deployment's map from names of the source to touchpoint types (`[sources.<name>.names]`).
    pub names: &'a dyn NameMap,
}

/// Headers of a record.
pub trait Headers: std::fmt::Debug {
    /// Value of the first header of that name.
    fn get(&self, name: &str) -> Option<&[u8]>;
}

/// The deployment's map from source names to touchpoint types.
pub trait NameMap: std::fmt::Debug {
    /// Type that the deployment gives to this name.
    fn kind_of(&self, name: &str) -> Option<throughline_model::TouchpointType>;
}

/// One vendor format.
pub trait Format: Sync + Send {
    /// Its name in configuration, dead letters and metrics.
    fn name(&self) -> &'static str;

    /// Version of the mapping; a fix raises it, so that a replay takes effect.
    fn version(&self) -> u32 {
        1
    }

    /// Whether a payload with these facts is of this format. Formats exclude each other: at most one matches.
    fn matches(&self, shape: &crate::shape::Shape<'_>) -> bool;

    /// Splits a payload into entries and maps each.
    ///
    /// # Errors
    /// A rejection of the record as a whole: only a broken envelope. Bad entries go to the sink.
    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection>;
}

/// Receives the entries of one payload in their order; the index counts calls.
pub trait Entries<'a> {
    /// A touchpoint.
    fn touchpoint(&mut self, draft: Draft<'a>);

    /// A known shape without a touchpoint, or a name nobody mapped.
    fn withheld(&mut self, reason: WithheldReason, name: Text<'a>);

    /// A bad entry; its siblings go on.
    fn rejected(&mut self, rejection: Rejection);
}
