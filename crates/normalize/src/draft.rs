//! What a format module fills in: a touchpoint as the source tells it, before hashing, clocks and checks.

use std::borrow::Cow;

use smallvec::SmallVec;
use throughline_model::touchpoint::{Body, Text};
use throughline_model::{Channel, EventTime, IdentifierType, RelationKind, SourceKind, TouchpointType, Trust, Verb};

use crate::blank::{is_blank, trim};

/// A touchpoint as the source tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft<'a> {
    /// The fields that need no further work.
    pub body: Body<'a>,
    /// Tenant the record names; empty if none.
    pub tenant: Text<'a>,
    /// What this copy does to earlier ones.
    pub verb: Verb,
    /// The source's last-update time; orders revisions.
    pub updated_at: Option<EventTime>,
    /// When it happened, as far as the source says.
    pub time: ClaimedTime<'a>,
    /// Identifiers as the source writes them.
    pub identifiers: SmallVec<[Mention<'a>; 4]>,
    /// Related people.
    pub relations: Vec<MentionedRelation<'a>>,
    /// The customer's own words, if the record carries them; dropped after evidence was taken.
    pub text: Text<'a>,
    /// Labels of the source already say what the text means (sentiment, intents): the text is not scored.
    pub labeled: bool,
}

impl<'a> Draft<'a> {
    /// A draft of that type with the type's defaults.
    #[must_use]
    pub fn new(kind: TouchpointType, channel: Channel, source: SourceKind) -> Self {
        Self {
            body: Body::new(kind, channel, source),
            tenant: Cow::Borrowed(""),
            verb: Verb::Add,
            updated_at: None,
            time: ClaimedTime::Missing,
            identifiers: SmallVec::new(),
            relations: Vec::new(),
            text: Cow::Borrowed(""),
            labeled: false,
        }
    }

    /// Mentions an identifier unless its value is empty.
    pub fn mention(&mut self, kind: IdentifierType, value: impl Into<Text<'a>>, trust: Trust, field: &'static str) {
        let value = value.into();
        if !is_blank(&value) {
            self.identifiers.push(Mention { kind, value, trust, field });
        }
    }

    /// Mentions a session, visit, call, ticket, booking or order as `source:kind:id`, unless the id is empty; `source` is
    /// the payload's `source_name`, so that feeds that share the numbers meet.
    pub fn visit(&mut self, source: &str, kind: &str, id: &str, trust: Trust, field: &'static str) {
        let id = trim(id);
        if !id.is_empty() {
            let mut value = String::with_capacity(source.len() + kind.len() + id.len() + 2);
            for part in [source, ":", kind, ":", id] {
                value.push_str(part);
            }
            self.mention(IdentifierType::Visit, value, trust, field);
        }
    }

    /// Mentions an account on a platform as `platform:id`, unless the id is empty.
    pub fn handle(&mut self, platform: &str, id: &str, trust: Trust, field: &'static str) {
        let id = trim(id);
        if !id.is_empty() {
            self.mention(IdentifierType::Handle, format!("{platform}:{id}"), trust, field);
        }
    }
}

/// An identifier as the source writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention<'a> {
    /// Type.
    pub kind: IdentifierType,
    /// Value, not yet normalized.
    pub value: Text<'a>,
    /// Trust by the table of the format; configuration may move a field to the other column.
    pub trust: Trust,
    /// Name of the source field, for that configuration.
    pub field: &'static str,
}

/// A related person as the source writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MentionedRelation<'a> {
    /// Kind.
    pub kind: RelationKind,
    /// Type of the related person's identifier.
    pub identifier: IdentifierType,
    /// Value, not yet normalized.
    pub value: Text<'a>,
    /// End of the relation.
    pub until: Option<EventTime>,
}

/// When it happened, as far as the source says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ClaimedTime<'a> {
    /// Nothing said.
    #[default]
    Missing,
    /// The source's own time.
    At(EventTime),
    /// Raw clocks only: created, sent (both by the device), collected (by the collector). All three are needed to correct.
    Raw {
        /// By the device's clock.
        created: EventTime,
        /// By the device's clock.
        sent: Option<EventTime>,
        /// By the collector's clock.
        collected: Option<EventTime>,
    },
    /// Local date and time without a zone; the catalog knows the zone of the store or channel.
    Local(Text<'a>),
    /// A date alone.
    Date(Text<'a>),
    /// A value that cannot be read as a time; rejected with this detail.
    Unreadable(Text<'a>),
}
