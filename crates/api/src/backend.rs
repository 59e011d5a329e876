//! What the interface needs from the process around it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use throughline_model::{CustomerId, EventTime, IdentifierType, closed_set};
use throughline_view::{AlertCursor, AlertQuery, CustomerCursor, CustomerQuery, Page};
use utoipa::ToSchema;

use crate::status::Status;

/// Reads of committed state. Called on threads that may block; a panic is contained.
pub trait Queries: Send + Sync + 'static {
    /// A customer; decayed to `at`, or as of its last touchpoint.
    fn customer(&self, id: CustomerId, at: Option<EventTime>) -> Answer<CustomerBody>;

    /// The customer an identifier belongs to. `value` is as the caller wrote it: it is normalized and hashed here and goes
    /// no further.
    fn find(&self, kind: IdentifierType, value: &str, at: Option<EventTime>) -> Answer<CustomerBody>;

    /// Customers by relationship score, lowest first. Costs a scan of the committed table.
    fn customers(&self, query: CustomerQuery) -> Answer<CustomersBody>;

    /// Published records of alerts that are not closed, by severity, then `due_at`.
    fn alerts(&self, query: AlertQuery) -> Answer<Page<Box<RawValue>, AlertCursor>>;

    /// What the workers do and what to do about it.
    fn status(&self) -> Status;
}

/// Answer of a query.
#[derive(Debug)]
pub enum Answer<T> {
    /// There it is.
    Found(T),
    /// Nothing known under that id.
    NotFound,
    /// The partition is being restored, or not assigned yet: ask again.
    Restoring {
        /// How long to wait.
        retry_after: Duration,
    },
    /// It went wrong inside; the cause is for the log only.
    Failed {
        /// The cause, a lowercase fragment.
        cause: String,
    },
}

/// One customer as published.
#[derive(Debug, Serialize, ToSchema)]
pub struct CustomerBody {
    /// Id of the customer: that of the surviving one where the id asked for was merged away.
    pub customer_id: String,
    /// Record of `experience.scores`, decayed to `at` where one was given.
    #[schema(value_type = Object)]
    pub scores: Box<RawValue>,
    /// Record of `experience.customers`, absent where that output is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub customer: Option<Box<RawValue>>,
    /// The committed offset this reflects at least.
    pub reflects: Reflects,
}

/// A page of customers as the backend gives it.
#[derive(Debug)]
pub struct CustomersBody {
    /// Records of `experience.scores` in order, and where to go on.
    pub page: Page<Box<RawValue>, CustomerCursor>,
    /// Committed offsets of the partitions that were looked at.
    pub reflects: Vec<Reflects>,
}

/// Offset of an inbox partition that an answer reflects at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reflects {
    /// Inbox partition.
    pub partition: i32,
    /// Next offset: everything before it is in the answer.
    pub offset: i64,
}

/// Resolves once the audit record is acknowledged by Kafka.
pub type Acknowledged = Pin<Box<dyn Future<Output = Result<(), AuditFailed>> + Send>>;

/// The audit record could not be written; the cause is for the log only.
#[derive(Debug, thiserror::Error)]
#[error("write the audit record: {0}")]
pub struct AuditFailed(pub String);

/// Who looked at whom (`throughline.audit`).
pub trait Audit: Send + Sync + 'static {
    /// Writes one record; the answer to the caller waits for the returned future.
    fn record(&self, record: AuditRecord) -> Acknowledged;
}

/// Value of `throughline.audit`; the key is `customer_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Unique.
    pub audit_id: String,
    /// Clock of the process at the look-up, milliseconds since 1970.
    pub occurred_at_millis: i64,
    /// Name of the token, or `anonymous` where the interface has no tokens.
    pub actor: String,
    /// Role of the token; empty without one.
    pub role: &'static str,
    /// Where it was asked.
    pub interface: AuditInterface,
    /// What was asked.
    pub action: AuditAction,
    /// Whom it was about; empty if nobody was found.
    pub customer_id: String,
    /// Why, as the caller says, at most 200 characters.
    pub purpose: String,
    /// What came of it.
    pub result: AuditResult,
    /// The request.
    pub request_id: String,
}

closed_set! {
    /// Where a look-up was made.
    pub enum AuditInterface {
        /// This interface.
        Http = "http",
        /// The command line.
        Cli = "cli",
        /// The console.
        Console = "console",
    }
}

closed_set! {
    /// What was looked at.
    pub enum AuditAction {
        /// One customer.
        Lookup = "lookup",
        /// The history of one customer.
        Timeline = "timeline",
        /// Everything held about one person.
        Export = "export",
        /// A live tail of a topic.
        Tap = "tap",
        /// The raw bytes of a dead letter.
        DlqShow = "dlq_show",
        /// Why an alert is or is not open.
        ExplainDecision = "explain_decision",
    }
}

closed_set! {
    /// What came of a look-up.
    pub enum AuditResult {
        /// Answered.
        Found = "found",
        /// Nobody by that id.
        NotFound = "not_found",
        /// The role may not look.
        Denied = "denied",
    }
}

/// Whether the process lives, and whether to send it traffic.
pub trait Health: Send + Sync + 'static {
    /// Depends on nothing outside the process.
    fn live(&self) -> Probe;

    /// Own partitions restored, or none owned. Depends on no lag.
    fn ready(&self) -> Probe;
}

/// Answer of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Yes.
    Passed,
    /// No, and why: a lowercase fragment such as `restoring 3 of 16 partitions`.
    Failed(String),
}
