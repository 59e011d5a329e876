//! What is declared or linked rather than felt: attributes per source, asserted identifiers, consent.

use throughline_model::touchpoint::{Attribute, Identifier};
use throughline_model::{EventTime, Hash128, IdentifierType, Purpose, SourceKind, Trust};

use crate::consent::Consents;

/// Attribute values kept.
pub const ATTRIBUTES_MAX: usize = 32;
/// Links kept, newest first to stay.
pub const LINKS_MAX: usize = 16;

/// What one source says about one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeValue {
    /// Name.
    pub name: Box<str>,
    /// Source system.
    pub source: Box<str>,
    /// Value.
    pub value: Box<str>,
    /// Purpose it may be used for; one that nobody mapped is denied.
    pub purpose: Box<str>,
    /// Attribute time.
    pub valid_from: EventTime,
    /// End of validity.
    pub expires_at: Option<EventTime>,
}

/// An asserted identifier: somebody said it, nobody proved it. It neither routes nor merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Type.
    pub kind: IdentifierType,
    /// Keyed hash.
    pub hash: Hash128,
    /// Feed that last said it.
    pub source: SourceKind,
    /// When it was last said.
    pub last_seen_at: EventTime,
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Nothing changed: something later is known.
    Unchanged,
    /// It is held.
    Changed,
    /// It is held, or it left at once: the oldest had to.
    Displaced,
}

/// The profile part of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// Consent per purpose.
    pub consents: Consents,
    /// Attribute values by (name, source).
    pub attributes: Vec<AttributeValue>,
    /// Links by (type, hash).
    pub links: Vec<Link>,
}

impl Profile {
    /// Takes in a declared value. The latest attribute time of a source holds.
    pub fn declare(&mut self, attribute: &Attribute<'_>, occurred_at: EventTime, source: &str) -> Kept {
        self.keep_attribute(AttributeValue {
            name: attribute.name.as_ref().into(),
            source: source.into(),
            value: attribute.value.as_ref().into(),
            purpose: attribute.purpose.as_ref().into(),
            valid_from: attribute.valid_from.unwrap_or(occurred_at),
            expires_at: attribute.expires_at,
        })
    }

    fn keep_attribute(&mut self, value: AttributeValue) -> Kept {
        let place =
            self.attributes.binary_search_by(|held| (&held.name, &held.source).cmp(&(&value.name, &value.source)));
        match place {
            Ok(at) => {
                let held = &self.attributes[at];
                let later = (value.valid_from, &value.value, value.expires_at, &value.purpose)
                    > (held.valid_from, &held.value, held.expires_at, &held.purpose);
                if later {
                    self.attributes[at] = value;
                }
                if later { Kept::Changed } else { Kept::Unchanged }
            }
            Err(at) => {
                self.attributes.insert(at, value);
                if self.attributes.len() > ATTRIBUTES_MAX {
                    let oldest = (0..self.attributes.len())
                        .min_by_key(|&at| self.attributes[at].valid_from)
                        .expect("there are more than the cap");
                    self.attributes.remove(oldest);
                    return Kept::Displaced;
                }
                Kept::Changed
            }
        }
    }

    /// Notes an identifier if it was asserted.
    pub fn link(&mut self, identifier: &Identifier, source: SourceKind, at: EventTime) -> Kept {
        if identifier.trust != Trust::Asserted {
            return Kept::Unchanged;
        }
        self.keep_link(Link { kind: identifier.kind, hash: identifier.hash, source, last_seen_at: at })
    }

    fn keep_link(&mut self, link: Link) -> Kept {
        match self.links.binary_search_by_key(&(link.kind, link.hash), |held| (held.kind, held.hash)) {
            Ok(at) => {
                let held = &mut self.links[at];
                let later = (link.last_seen_at, link.source) > (held.last_seen_at, held.source);
                if later {
                    *held = link;
                }
                if later { Kept::Changed } else { Kept::Unchanged }
            }
            Err(at) => {
                self.links.insert(at, link);
                if self.links.len() > LINKS_MAX {
                    let oldest = (0..self.links.len())
                        .min_by_key(|&at| (self.links[at].last_seen_at, std::cmp::Reverse(self.links[at].hash)))
                        .expect("there are more than the cap");
                    self.links.remove(oldest);
                    return Kept::Displaced;
                }
                Kept::Changed
            }
        }
    }

    /// Joins another profile.
    pub fn join(&mut self, other: &Self) {
        self.consents.join(&other.consents);
        for value in &other.attributes {
            self.keep_attribute(value.clone());
        }
        for &link in &other.links {
            self.keep_link(link);
        }
    }

    /// The attributes in force at `at`, one a name: the highest source of `priority` that has a value, ties the latest.
    /// The number says how many names have sources that disagree.
    #[must_use]
    pub fn attributes_at(&self, at: EventTime, priority: &[String]) -> (Vec<&AttributeValue>, usize) {
        let rank = |source: &str| priority.iter().position(|name| name == source).unwrap_or(priority.len());
        let mut chosen: Vec<&AttributeValue> = Vec::new();
        let mut conflicts = 0;
        let mut last_conflict: Option<&str> = None;
        for value in self.attributes.iter().filter(|value| value.expires_at.is_none_or(|end| end > at)) {
            let Some(held) = chosen.last_mut().filter(|held| held.name == value.name) else {
                chosen.push(value);
                continue;
            };
            if held.value != value.value && last_conflict != Some(&value.name) {
                conflicts += 1;
                last_conflict = Some(&value.name);
            }
            let better = (std::cmp::Reverse(rank(&value.source)), value.valid_from)
                > (std::cmp::Reverse(rank(&held.source)), held.valid_from);
            if better {
                *held = value;
            }
        }
        (chosen, conflicts)
    }
}

/// The purpose an attribute needs, if anybody mapped it. Nothing said means personalization, which is what attributes are
/// for.
#[must_use]
pub fn purpose_of(attribute: &AttributeValue) -> Option<Purpose> {
    if attribute.purpose.is_empty() { Some(Purpose::Personalization) } else { Purpose::from_name(&attribute.purpose) }
}
