//! The seam between record and format: one module per vendor format, found by its name or by the payload's shape.

use std::cell::OnceCell;

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
    /// Where text is kept that is decoded while reading (a document inside a string), so that drafts can borrow it.
    pub keep: &'a Keep,
}

/// Keeps decoded text alive as long as the record it came from: a list that only grows.
#[derive(Debug, Default)]
pub struct Keep(OnceCell<Box<(String, Keep)>>);

impl Keep {
    /// An empty list; costs nothing until something is kept.
    #[must_use]
    pub const fn new() -> Self {
        Self(OnceCell::new())
    }

    /// Keeps `text` and lends it out.
    pub fn keep(&self, text: String) -> &str {
        let mut end = self;
        while let Some(next) = end.0.get() {
            end = &next.1;
        }
        &end.0.get_or_init(|| Box::new((text, Self::new()))).0
    }
}

/// No headers; for payloads that come from files.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn get(&self, _: &str) -> Option<&[u8]> {
        None
    }
}

/// An empty map of names.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNames;

impl NameMap for NoNames {
    fn kind_of(&self, _: &str) -> Option<throughline_model::TouchpointType> {
        None
    }
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

    /// Reads a payload without looking at its shape first, if it is certainly of this format; none if that is not certain.
    ///
    /// Only a faster way to the same answer: it may say yes only where [`Format::matches`] would, and must leave the sink
    /// alone where it says none.
    fn read_if_own<'a>(&self, _: &Payload<'a>, _: &mut dyn Entries<'a>) -> Option<Result<(), Rejection>> {
        None
    }

    /// Splits a payload into entries and maps each.
    ///
    /// # Errors
    /// A rejection of the record as a whole: only a broken envelope. Bad entries go to the sink.
    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection>;
}

impl std::fmt::Debug for dyn Format {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

/// Receives the entries of one payload in their order; the index counts calls.
pub trait Entries<'a> {
    /// A touchpoint.
    fn touchpoint(&mut self, draft: Draft<'a>) {
        self.boxed(Box::new(draft));
    }

    /// A touchpoint that is boxed already: a draft is a kilobyte, which busy formats do not move.
    fn boxed(&mut self, draft: Box<Draft<'a>>);

    /// A known shape without a touchpoint, or a name nobody mapped.
    fn withheld(&mut self, reason: WithheldReason, name: Text<'a>);

    /// A bad entry; its siblings go on.
    fn rejected(&mut self, rejection: Rejection);
}
