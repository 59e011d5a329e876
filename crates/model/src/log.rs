//! Positions in a log and the logical topics.

use crate::closed_set;

/// A partition number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub i32);

/// Position of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordOffset(pub i64);

impl RecordOffset {
    /// The position to resume from once this record is done.
    #[must_use]
    pub const fn next(self) -> NextOffset {
        NextOffset(self.0 + 1)
    }
}

/// Position to resume from: one past the last record that is done. Only this can be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextOffset(pub i64);

closed_set! {
    /// A stage of the pipeline.
    pub enum Stage {
        /// Source records to touchpoints.
        Normalize = "normalize",
        /// Touchpoints to customer state, scores and alerts.
        Experience = "experience",
        /// What touchpoints caused to scores of partners, stores, teams.
        Entity = "entity",
    }
}

closed_set! {
    /// The logical topics that Throughline writes or owns. Configuration gives each its name under the prefix.
    pub enum Topic {
        /// Resolved and valued touchpoints.
        Touchpoints = "experience.touchpoints",
        /// Scores.
        Scores = "experience.scores",
        /// The single view.
        Customers = "experience.customers",
        /// Changes of stage, promise, journey, gate.
        Changes = "experience.changes",
        /// Every transition of every alert.
        Alerts = "experience.alerts",
        /// Latest transition of every alert.
        AlertsState = "experience.alerts.state",
        /// Merges, splits, links.
        Identity = "experience.identity",
        /// Partner, store, team, process scores.
        Entities = "experience.entities",
        /// Rejected records as they came.
        DeadLetters = "experience.dead-letters",
        /// Commands for alerts.
        AlertsCommands = "experience.alerts.commands",
        /// Commands for identities.
        IdentityCommands = "experience.identity.commands",
        /// Privacy commands.
        PrivacyCommands = "experience.privacy.commands",
        /// Frames keyed by identifier.
        ExperienceInbox = "throughline.experience.inbox",
        /// Frames keyed by entity.
        EntityInbox = "throughline.entity.inbox",
        /// Customer state.
        ExperienceChangelog = "throughline.experience.changelog",
        /// Entity state.
        EntityChangelog = "throughline.entity.changelog",
        /// Who serves which partition.
        Instances = "throughline.instances",
        /// Look-ups of single customers.
        Audit = "throughline.audit",
    }
}

closed_set! {
    /// Default names of the topics that others own; configuration may name others.
    pub enum SourceTopic {
        /// Web and app.
        Web = "touchpoints.web",
        /// Social networks and reviews.
        Social = "touchpoints.social",
        /// Stores and shops.
        Store = "touchpoints.store",
        /// Calls, chats, tickets.
        CallCentre = "touchpoints.call-centre",
        /// Partners.
        Partner = "touchpoints.partner",
        /// Surveys.
        Survey = "touchpoints.survey",
        /// Customer master records.
        Profile = "customers.profile",
        /// Consent records.
        Consent = "customers.consent",
        /// Channel and store catalog.
        Catalog = "channel.catalog",
    }
}
