//! Composition root: build, supervise, shut down.
//!
//! **What it does.** Turns a checked configuration into clients, stages, worker threads and the HTTP interface, watches
//! them, and ends them in order. Reads what a configuration only names: secrets, key files, model files.
//!
//! **What it does not.** It decides nothing about customers and nothing about transactions.
//!
//! **Invariants.** A panic of a worker thread aborts the process: under exactly-once a crash is safe, limping on is not.
//! Every ending has its exit code ([`error::ServiceError`]).
//!
//! **Where to start.** [`run::run`].

pub mod audit;
pub mod catalog;
pub mod connect;
pub mod demo;
pub mod error;
pub mod instances;
pub mod logs;
pub mod memory;
pub mod observer;
mod patience;
pub mod queries;
pub mod registry;
pub mod remote;
pub mod run;
pub mod schemas;
pub mod secrets;
pub mod state;
pub mod status;
pub mod table;
pub mod topics;
pub mod trim;
pub mod wiring;
pub mod workers;

pub use error::ServiceError;
pub use run::{Instance, Restoring, Stages, run};

/// The pages of HTTP error codes, for `throughline explain`.
pub use throughline_api::{ErrorCode, ExplainPage};

/// The model.
pub use throughline_experience::Rules;
