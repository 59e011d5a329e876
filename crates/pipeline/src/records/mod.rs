//! Published records: what each topic's values are, their schemas, and the files under `schemas/`.
//!
//! Records are plain structs that borrow what they show; the experience stage fills them. Which record belongs to which
//! topic is the table of [`subjects`]. Fields follow the tables of the published contract, in order; a struct's doc comments
//! are the docs of its schema.

mod alert;
mod asyncapi;
mod change;
mod customer;
mod entity;
mod identity;
mod input;
mod interaction;
mod operations;
mod samples;
mod score;
mod shared;
mod subjects;
mod touchpoint;
mod touchpoint_input;

pub use alert::{ActsFor, AlertReason, AlertRecord, ContextValue, NextAction, Recipient};
pub use change::ChangeRecord;
pub use customer::{
    Clock, ConsentState, CustomerAttribute, CustomerNeed, CustomerRecord, CustomerRelation, Exchange, Gates, Given,
    Influence, Journey, Link, Marketing, Member, Memory, OpenAlert, Orders, Pressure, Promise, Received, ScoreCopy,
    Spend, SurveyAnswer,
};
pub use entity::{
    Complaints, Dimension, DriverShare, EntityRecord, FairnessPair, Fit, PromiseKeeping, Rate, Responses,
    SegmentFigures,
};
pub use identity::IdentityRecord;
pub use input::{
    AlertCommand, CatalogInput, ConsentInput, IdentityCommand, MemberHash, MuteScope, OpeningHours, PrivacyCommand,
    ProfileInput, ProfileRelation,
};
pub use interaction::{
    Benefit, Durations, FacetRating, Fact, Intent, Loyalty, Money, Need, NeedTag, Outcome, PromiseMade, Proof, Social,
    Source,
};
pub use operations::{AuditRecord, InstanceRecord, PartitionRecord};
pub use samples::Sample;
pub use score::{Baseline, ChannelSeen, EvidenceMix, Risk, ScoreRecord};
pub use shared::{
    Common, ConsentGiven, DeclaredAttribute, HashedIdentifier, Owners, PlainIdentifier, Preferences, Reason, Refs,
    Subject,
};
pub use subjects::{Cleanup, RecordRole, SubjectSchema, TopicSubject, all_schemas, generate, subjects};
pub use touchpoint::{
    EffortPoints, HashedRelation, JourneyStep, Origin, PromiseState, ResponseClock, Revision, TouchpointRecord,
    ValuedEvidence,
};
pub use touchpoint_input::{JourneyHint, PlainRelation, ScaledEvidence, TouchpointInput, TrustedIdentifier};
