//! Which record the values of a topic are: the one table behind schemas, samples and the AsyncAPI document.

use throughline_codec::record::{NAMESPACE, container, schema_of};

use super::samples::{self, Sample};
use super::{
    AlertCommand, AlertRecord, AuditRecord, CatalogInput, ChangeRecord, ConsentInput, CustomerRecord, EntityRecord,
    IdentityCommand, IdentityRecord, PrivacyCommand, ProfileInput, ScoreRecord, TouchpointInput, TouchpointRecord,
    asyncapi,
};

/// Who writes the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordRole {
    /// Others; configuration names the topic.
    Source,
    /// Throughline; the topic's name starts with the configured prefix.
    Output,
    /// Others; the topic's name starts with the configured prefix.
    Command,
}

/// What becomes of old records of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// The latest record of a key stays.
    Compact,
    /// Records go after so many days.
    DeleteAfterDays(u16),
    /// Records go; when is the owner's choice.
    Delete,
}

/// A topic whose values are records with a schema.
#[derive(Debug)]
pub struct TopicSubject {
    /// Default name without prefix.
    pub topic: &'static str,
    /// Who writes it.
    pub role: RecordRole,
    /// What one record says, for people.
    pub summary: &'static str,
    /// What its keys are.
    pub key: &'static str,
    /// What becomes of old records.
    pub cleanup: Cleanup,
    /// Version of the schema that this program writes or expects, from 1.
    pub version: u32,
    /// Name of the Avro type.
    pub record: &'static str,
    schema: fn() -> String,
    samples: fn() -> Vec<Sample>,
}

impl TopicSubject {
    /// Subject by TopicNameStrategy, without prefix.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{}-value", self.topic)
    }

    /// The schema as text.
    #[must_use]
    pub fn schema(&self) -> String {
        (self.schema)()
    }

    /// Records that show what this topic carries.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        (self.samples)()
    }
}

/// A schema as a registry wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectSchema {
    /// Default name of the topic, without prefix.
    pub topic: &'static str,
    /// Who writes the topic; all but sources are under the configured prefix.
    pub role: RecordRole,
    /// Full name of the Avro type.
    pub record: String,
    /// Version under `schemas/`.
    pub version: u32,
    /// The schema's text.
    pub text: String,
}

/// Every schema of this version of the program.
#[must_use]
pub fn all_schemas() -> Vec<SubjectSchema> {
    subjects()
        .iter()
        .map(|subject| SubjectSchema {
            topic: subject.topic,
            role: subject.role,
            record: format!("{NAMESPACE}.{}", subject.record),
            version: subject.version,
            text: subject.schema(),
        })
        .collect()
}

/// Every generated file under `schemas/`: path relative to that folder, contents. Files of older versions are not among
/// them: they stay as they were released.
#[must_use]
pub fn generate() -> Vec<(String, Vec<u8>)> {
    let mut files = vec![("asyncapi.json".to_owned(), asyncapi::document().into_bytes())];
    for subject in subjects() {
        let folder = subject.subject();
        let schema = subject.schema();
        let in_files = samples::compact(&schema);
        for sample in subject.samples() {
            let stem = format!("{folder}/samples/{}/{}", subject.version, sample.name);
            files.push((format!("{stem}.avro"), container(&in_files, std::slice::from_ref(&sample.avro))));
            files.push((format!("{stem}.json"), samples::indented(&sample.json).into_bytes()));
        }
        files.push((format!("{folder}/{}.avsc", subject.version), schema.into_bytes()));
    }
    files.sort();
    files
}

macro_rules! subject {
    ($topic:literal, $role:ident, $record:ident, $samples:path, $cleanup:expr, key: $key:literal, $summary:literal) => {
        TopicSubject {
            topic: $topic,
            role: RecordRole::$role,
            summary: $summary,
            key: $key,
            cleanup: $cleanup,
            version: 1,
            record: <$record<'static> as throughline_codec::record::Record>::NAME,
            schema: schema_of::<$record<'static>>,
            samples: $samples,
        }
    };
}

/// Every topic with a schema: sources, outputs, commands.
#[must_use]
pub fn subjects() -> &'static [TopicSubject] {
    SUBJECTS
}

static SUBJECTS: &[TopicSubject] = &[
    subject!("touchpoints.web", Source, TouchpointInput, samples::input::web, Cleanup::Delete,
        key: "any or null; not used for routing", "What happened on site and app, in Throughline's own contract."),
    subject!("touchpoints.social", Source, TouchpointInput, samples::input::social, Cleanup::Delete,
        key: "any or null; not used for routing", "What was posted or reviewed, in Throughline's own contract."),
    subject!("touchpoints.store", Source, TouchpointInput, samples::input::store, Cleanup::Delete,
        key: "any or null; not used for routing", "What happened in stores and shops, in Throughline's own contract."),
    subject!("touchpoints.call-centre", Source, TouchpointInput, samples::input::call_centre, Cleanup::Delete,
        key: "any or null; not used for routing", "Calls, chats and tickets, in Throughline's own contract."),
    subject!("touchpoints.partner", Source, TouchpointInput, samples::input::partner, Cleanup::Delete,
        key: "any or null; not used for routing", "What partners did for customers, in Throughline's own contract."),
    subject!("touchpoints.survey", Source, TouchpointInput, samples::input::survey, Cleanup::Delete,
        key: "any or null; not used for routing", "Answers to surveys, in Throughline's own contract."),
    subject!("customers.profile", Source, ProfileInput, samples::input::profile, Cleanup::Compact,
        key: "CRM customer id", "Master records of customers; null withdraws the attributes of that source."),
    subject!("customers.consent", Source, ConsentInput, samples::input::consent, Cleanup::Compact,
        key: "subject, or subject:purpose when a record holds one purpose",
        "Consent given or taken; null makes the purposes unknown."),
    subject!("channel.catalog", Source, CatalogInput, samples::input::catalog, Cleanup::Compact,
        key: "channel/<channel>[/<store>]@<valid_from> or store/<store>@<valid_from>",
        "Channels and stores with hours, targets and zones; null removes the row."),
    subject!("experience.touchpoints", Output, TouchpointRecord, samples::output::touchpoint, Cleanup::DeleteAfterDays(7),
        key: "customer_id, 34 hex digits, else touchpoint_id",
        "One record per applied touchpoint, revision and retraction, resolved and valued."),
    subject!("experience.scores", Output, ScoreRecord, samples::output::score, Cleanup::Compact,
        key: "customer_id, 34 hex digits", "The latest scores of each customer; null deletes."),
    subject!("experience.customers", Output, CustomerRecord, samples::output::customer, Cleanup::Compact,
        key: "customer_id, 34 hex digits", "The single view of each customer; null deletes."),
    subject!("experience.changes", Output, ChangeRecord, samples::output::change, Cleanup::DeleteAfterDays(7),
        key: "customer_id, 34 hex digits", "One record per change of a stage, flag, promise, journey, clock or gate."),
    subject!("experience.alerts", Output, AlertRecord, samples::output::alert, Cleanup::DeleteAfterDays(90),
        key: "subject id: customer_id or entity key", "Every transition of every alert."),
    subject!("experience.alerts.state", Output, AlertRecord, samples::output::alert, Cleanup::Compact,
        key: "alert_id, 32 hex digits", "The latest transition of each alert; null 90 d after closing."),
    subject!("experience.identity", Output, IdentityRecord, samples::output::identity, Cleanup::DeleteAfterDays(90),
        key: "surviving customer_id, 34 hex digits", "Merges, splits, links, erasures."),
    subject!("experience.entities", Output, EntityRecord, samples::output::entity, Cleanup::Compact,
        key: "kind:id[:facet]", "Scores of partners, stores, teams and other causes; null deletes."),
    subject!("throughline.audit", Output, AuditRecord, samples::output::audit, Cleanup::DeleteAfterDays(90),
        key: "customer_id, 34 hex digits, else empty", "Every look-up of one customer, written before it is answered."),
    subject!("experience.alerts.commands", Command, AlertCommand, samples::input::alert_command,
        Cleanup::DeleteAfterDays(7), key: "subject id", "Acknowledge, assign, snooze, resolve, reject, mute."),
    subject!("experience.identity.commands", Command, IdentityCommand, samples::input::identity_command,
        Cleanup::DeleteAfterDays(7), key: "customer_id, 34 hex digits", "Split, block, unblock, unshare."),
    subject!("experience.privacy.commands", Command, PrivacyCommand, samples::input::privacy_command,
        Cleanup::DeleteAfterDays(7), key: "request id", "Erase, restrict, release, object."),
];
