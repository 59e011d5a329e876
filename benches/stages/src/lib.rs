//! Both processors in one thread, without Kafka: what our own part of the record path costs.
//!
//! **What it does.** [`generator`] makes Segment calls, [`stages`] passes them through both processors and tells CPU seconds;
//! `benches/instructions.rs` counts the instructions of the hot functions, and fails where one needs more than its limit.
//!
//! **What it does not.** It knows no Kafka client, so that it builds in a minute. The whole service is measured by
//! `throughline-benches`.
//!
//! **Invariants.** The same seed gives the same records, so that instruction counts are the same on every run.
//!
//! **Where to start.** [`stages::measure`].

pub mod generator;
pub mod stages;
