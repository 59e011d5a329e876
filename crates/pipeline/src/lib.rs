//! The topology: processors, logical topics, changelog encoding.
//!
//! **What it does.** Joins the pure crates: [`normalize_stage`] turns source records into frames, [`experience_stage`] folds
//! frames into customers and writes scores, alerts, touchpoints and state. [`publish`] names domain values as the published
//! [`records`]; [`state`] and [`table`] say how a customer is kept.
//!
//! **What it does not.** It moves no records: that is the worker's and its driver's. It knows no Kafka client and no clock.
//!
//! **Invariants.** Everything a record changes is in an overlay until the transaction that passes it has committed; what
//! is committed is exactly what was written to the changelog. Outputs depend on the input and the injected time alone.
//!
//! **Where to start.** [`experience_stage::ExperienceStage`].

pub mod experience_stage;
pub mod normalize_stage;
pub mod time;

pub mod options;
pub mod publish;
pub mod records;

pub mod gate;
pub mod header;
pub mod state;
pub mod table;

pub mod local;

pub use experience_stage::{ExperienceCounts, ExperienceOptions, ExperienceStage};
pub use gate::FormatGate;
pub use header::StateHeader;
pub use normalize_stage::{NormalizeStage, RejectedShare, SourceCounts};
pub use options::{Encodings, HealthLimits, OutputSwitches, StaffOutput, Targets, TouchpointOutput};
pub use table::{LiveAlert, Table};
