//! Subjects, versions, ids and the compatibility rule.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use serde_json::Value;

/// Which other versions of a subject a new one must agree with, and in which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compatibility {
    /// With none.
    None,
    /// The new one reads what the latest wrote. The registry's default.
    #[default]
    Backward,
    /// The new one reads what every version wrote.
    BackwardTransitive,
    /// The latest reads what the new one writes.
    Forward,
    /// Every version reads what the new one writes.
    ForwardTransitive,
    /// Both directions, latest.
    Full,
    /// Both directions, every version.
    FullTransitive,
}

impl Compatibility {
    const ALL: [(Self, &'static str); 7] = [
        (Self::None, "NONE"),
        (Self::Backward, "BACKWARD"),
        (Self::BackwardTransitive, "BACKWARD_TRANSITIVE"),
        (Self::Forward, "FORWARD"),
        (Self::ForwardTransitive, "FORWARD_TRANSITIVE"),
        (Self::Full, "FULL"),
        (Self::FullTransitive, "FULL_TRANSITIVE"),
    ];

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|&(level, _)| level)
    }

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(level, _)| *level == self).map_or("NONE", |&(_, name)| name)
    }

    fn new_reads_old(self) -> bool {
        matches!(self, Self::Backward | Self::BackwardTransitive | Self::Full | Self::FullTransitive)
    }

    fn old_reads_new(self) -> bool {
        matches!(self, Self::Forward | Self::ForwardTransitive | Self::Full | Self::FullTransitive)
    }

    fn every_version(self) -> bool {
        matches!(self, Self::BackwardTransitive | Self::ForwardTransitive | Self::FullTransitive)
    }
}

/// Why the store says no. [`super::routes`] turns each into its documented code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    SubjectNotFound(String),
    VersionNotFound(u32),
    SchemaNotFound,
    SchemaInvalid(String),
    Incompatible { subject: String, reasons: Vec<String> },
    NotSoftDeleted(String),
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) version: u32,
    pub(super) id: u32,
    pub(super) deleted: bool,
}

#[derive(Debug)]
pub(super) struct Stored {
    pub(super) text: String,
    pub(super) kind: String,
    /// What decides whether two texts are the same schema: JSON without its spacing and key order, else the text.
    canonical: String,
    avro: Option<Schema>,
}

#[derive(Debug, Default)]
pub(super) struct Store {
    schemas: Vec<Stored>,
    subjects: BTreeMap<String, Vec<Entry>>,
    pub(super) global_level: Compatibility,
    pub(super) levels: BTreeMap<String, Compatibility>,
}

impl Store {
    /// The id of the schema, which is the same in every subject; a new version of the subject unless it has it already.
    pub(super) fn register(&mut self, subject: &str, text: &str, kind: &str) -> Result<u32, Refusal> {
        let candidate = parse(text, kind)?;
        let entries = self.subjects.get(subject).map_or(&[][..], Vec::as_slice);
        if let Some(entry) = entries.iter().find(|entry| !entry.deleted && self.is_same(entry.id, &candidate)) {
            return Ok(entry.id);
        }
        let reasons = self.disagreements(subject, &candidate, None);
        if !reasons.is_empty() {
            return Err(Refusal::Incompatible { subject: subject.to_owned(), reasons });
        }
        let version = entries.iter().map(|entry| entry.version).max().unwrap_or(0) + 1;
        let id = self.intern(candidate);
        self.subjects.entry(subject.to_owned()).or_default().push(Entry { version, id, deleted: false });
        Ok(id)
    }

    pub(super) fn schema(&self, id: u32) -> Result<&Stored, Refusal> {
        let index = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        index.and_then(|index| self.schemas.get(index)).ok_or(Refusal::SchemaNotFound)
    }

    pub(super) fn subjects(&self, with_deleted: bool) -> Vec<&str> {
        let visible = |entries: &[Entry]| entries.iter().any(|entry| with_deleted || !entry.deleted);
        self.subjects.iter().filter(|(_, entries)| visible(entries)).map(|(subject, _)| subject.as_str()).collect()
    }

    /// The versions of a subject, oldest first; a subject without any is not found.
    pub(super) fn versions(&self, subject: &str, with_deleted: bool) -> Result<Vec<&Entry>, Refusal> {
        let entries = self.subjects.get(subject).map_or(&[][..], Vec::as_slice);
        let entries: Vec<&Entry> = entries.iter().filter(|entry| with_deleted || !entry.deleted).collect();
        if entries.is_empty() { Err(Refusal::SubjectNotFound(subject.to_owned())) } else { Ok(entries) }
    }

    /// One version; the latest when none is named.
    pub(super) fn version(&self, subject: &str, version: Option<u32>) -> Result<&Entry, Refusal> {
        let entries = self.versions(subject, false)?;
        match version {
            None => Ok(entries.last().expect("versions are never empty")),
            Some(number) => {
                entries.into_iter().find(|entry| entry.version == number).ok_or(Refusal::VersionNotFound(number))
            }
        }
    }

    /// Every (subject, version) that uses the schema.
    pub(super) fn uses(&self, id: u32) -> Vec<(&str, u32)> {
        let live = |entry: &&Entry| entry.id == id && !entry.deleted;
        self.subjects
            .iter()
            .flat_map(|(subject, entries)| {
                entries.iter().filter(live).map(move |entry| (subject.as_str(), entry.version))
            })
            .collect()
    }

    /// The version under which a subject has the schema.
    pub(super) fn find(&self, subject: &str, text: &str, kind: &str) -> Result<&Entry, Refusal> {
        let candidate = parse(text, kind)?;
        let entries = self.versions(subject, false)?;
        entries.into_iter().find(|entry| self.is_same(entry.id, &candidate)).ok_or(Refusal::SchemaNotFound)
    }

    /// Marks the versions of a subject deleted, or with `permanent` forgets those that were marked before.
    pub(super) fn delete(&mut self, subject: &str, permanent: bool) -> Result<Vec<u32>, Refusal> {
        let live = self.versions(subject, false).is_ok();
        if permanent {
            if live {
                return Err(Refusal::NotSoftDeleted(subject.to_owned()));
            }
            let entries = self.subjects.remove(subject).ok_or_else(|| Refusal::SubjectNotFound(subject.to_owned()))?;
            return Ok(entries.iter().map(|entry| entry.version).collect());
        }
        let numbers = self.versions(subject, false)?.iter().map(|entry| entry.version).collect();
        for entry in self.subjects.get_mut(subject).into_iter().flatten() {
            entry.deleted = true;
        }
        Ok(numbers)
    }

    pub(super) fn level(&self, subject: &str) -> Compatibility {
        self.levels.get(subject).copied().unwrap_or(self.global_level)
    }

    /// Why the schema does not agree with one version (`against`), or with those that the subject's level names.
    pub(super) fn check(
        &self,
        subject: &str,
        text: &str,
        kind: &str,
        against: Option<u32>,
    ) -> Result<Vec<String>, Refusal> {
        Ok(self.disagreements(subject, &parse(text, kind)?, against))
    }

    fn disagreements(&self, subject: &str, candidate: &Stored, against: Option<u32>) -> Vec<String> {
        let level = self.level(subject);
        let entries = self.versions(subject, false).unwrap_or_default();
        let first = if level.every_version() || against.is_some() { 0 } else { entries.len().saturating_sub(1) };
        let mut reasons = Vec::new();
        for entry in &entries[first..] {
            if against.is_some_and(|version| version != entry.version) {
                continue;
            }
            let Ok(Stored { avro: Some(old), .. }) = self.schema(entry.id) else { continue };
            let Some(new) = &candidate.avro else { continue };
            for (asked, writer, reader) in [(level.new_reads_old(), old, new), (level.old_reads_new(), new, old)] {
                if let (true, Err(error)) = (asked, SchemaCompatibility::can_read(writer, reader)) {
                    reasons.push(format!("version {}: {error}", entry.version));
                }
            }
        }
        reasons
    }

    fn is_same(&self, id: u32, candidate: &Stored) -> bool {
        self.schema(id).is_ok_and(|stored| stored.kind == candidate.kind && stored.canonical == candidate.canonical)
    }

    fn intern(&mut self, candidate: Stored) -> u32 {
        let known = (1..).zip(&self.schemas).map(|(id, _)| id).find(|&id| self.is_same(id, &candidate));
        known.unwrap_or_else(|| {
            self.schemas.push(candidate);
            u32::try_from(self.schemas.len()).expect("a test registers fewer than 2^32 schemas")
        })
    }
}

fn parse(text: &str, kind: &str) -> Result<Stored, Refusal> {
    let avro = match kind {
        "AVRO" => Some(Schema::parse_str(text).map_err(|error| Refusal::SchemaInvalid(error.to_string()))?),
        "JSON" | "PROTOBUF" => None,
        other => return Err(Refusal::SchemaInvalid(format!("unknown schema type {other}"))),
    };
    let canonical = serde_json::from_str::<Value>(text).map_or_else(|_| text.to_owned(), |value| value.to_string());
    Ok(Stored { text: text.to_owned(), kind: kind.to_owned(), canonical, avro })
}
