//! The driver: one thread running a worker on rdkafka.
//!
//! **What it does.** Turns librdkafka's callbacks and errors into inputs of the sans-IO worker, and the worker's effects
//! into calls: polling, transactional producing, committing, restoring a changelog, creating topics.
//!
//! **What it does not.** It decides nothing about transactions and knows neither Avro nor customers.
//!
//! **Invariants.** One thread per worker, no lock on the record path. A commit is reported as committed only when the
//! broker confirmed it. An error nobody classified stops the worker: [`classify`] is the only place that judges errors.
//!
//! **Where to start.** [`driver::run`].

pub mod admin;
pub mod append;
pub mod bounds;
pub mod changelog;
pub mod classify;
pub mod client;
mod context;
pub mod driver;
pub mod local_log;
pub mod metrics;
pub mod mock;
pub mod probe;
pub mod producer;
pub mod restore;
pub mod status;
pub mod table;
pub mod tail;
mod topic_id;
pub mod trim;
