//! HTTP interface: committed customers and alerts, status, health, metrics, and the document that describes them.
//!
//! **What it does.** Serves `/v1` (read only), `/health` and `/metrics` from three traits: [`Queries`] answers out of
//! committed state, [`Audit`] writes who looked, [`Health`] says whether to send traffic. Errors are a closed set
//! ([`ErrorCode`]); their internal causes only reach the log.
//!
//! **What it does not.** It does not know Kafka, workers, or how a customer is encoded: bodies are the published JSON
//! records as they are. It changes nothing: commands go through Kafka topics.
//!
//! **Invariants.** A look-up of one customer is answered only after its audit record was acknowledged. Every answer about
//! customers carries the offsets it reflects. A panic in a query becomes a 500 and nothing else. Without tokens the server
//! listens on loopback only and answers to loopback host names only.
//!
//! **Where to start.** [`Server::start`], then `routes.rs`.

mod access;
mod backend;
mod error;
mod metrics;
mod openapi;
mod parameters;
mod routes;
mod server;
mod status;

pub use access::{Role, Token};
pub use backend::{
    Acknowledged, Answer, Audit, AuditAction, AuditFailed, AuditInterface, AuditRecord, AuditResult, CustomerBody,
    CustomersBody, Health, Probe, Queries, Reflects,
};
pub use error::{ErrorCode, ExplainPage};
pub use metrics::ApiMetrics;
pub use openapi::document as openapi_document;
pub use parameters::rfc3339;
pub use server::{ApiOptions, Server, StartError};
pub use status::{BoundStatus, Note, PartitionState, PartitionStatus, RestoreStatus, Status, WorkerStatus};
