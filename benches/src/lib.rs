//! Measurements of the whole service on a real Kafka, side by side with a bare transactional copy of the same records.
//!
//! **What it does.** `throughline-stages` makes Segment calls, [`feed`] writes them to a source topic, [`deployment`] prepares what
//! one run of `throughline run` needs, [`child`] starts it and reads its CPU time and memory from the operating system,
//! [`progress`] tells when it has caught up, [`copy`] is the yardstick, [`measure`] puts them together, and [`peers`] are other
//! engines that do the same job.
//!
//! **What it does not.** It never looks inside the service: figures come from the operating system, from committed
//! offsets and from what a read-committed reader sees. No figure rests on librdkafka's mock cluster.
//!
//! **Invariants.** Both sides read the same records from the same topic of the same broker in the same run, with the same
//! client settings, alternately.
//!
//! **Where to start.** [`measure::score`], then `README.md`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that measures says what it saw")]

pub mod child;
pub mod copy;
pub mod deployment;
pub mod feed;
pub mod measure;
pub mod peers;
pub mod progress;
pub mod report;
