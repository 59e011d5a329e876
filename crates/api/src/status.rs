//! What the workers do, for people.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// State of the process: what goes on, and what to do about it. Holds no customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Application id.
    pub application: String,
    /// Tenant.
    pub tenant: String,
    /// Name of this instance.
    pub instance: String,
    /// Model in use, `name@fold.read`.
    pub model_version: String,
    /// When the process started, RFC 3339.
    pub started_at: String,
    /// Whether `/health/ready` passes.
    pub ready: bool,
    /// Customers in the committed view.
    pub customers: u64,
    /// Alerts that are not closed.
    pub alerts_open: u64,
    /// The workers.
    pub workers: Vec<WorkerStatus>,
    /// What stands out, worst first; empty when all is well.
    pub notes: Vec<Note>,
}

/// One worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkerStatus {
    /// Stage.
    pub stage: String,
    /// Number of the worker in its stage.
    pub worker: u32,
    /// Phase of the worker: `idle`, `restoring`, `open`, `committing`, `aborting`, `asking for an outcome`, `stopped`.
    pub phase: String,
    /// Last confirmed commit, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<String>,
    /// Partitions assigned to it.
    pub partitions: Vec<PartitionStatus>,
    /// Bounds and how full they are.
    pub bounds: Vec<BoundStatus>,
}

/// One assigned partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PartitionStatus {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// What it does.
    pub state: PartitionState,
    /// Why it is paused: `schema`, `rejecting`, `refused`, `backpressure`, `fault`; absent while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// Position to resume from, as committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<i64>,
    /// Records between the position and the last stable offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_records: Option<u64>,
    /// Age of the record last read where something is left to read; 0 when caught up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<f64>,
    /// Changelog records still to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_remaining_records: Option<u64>,
    /// How its state is read back; absent while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreStatus>,
    /// Number of its last committed transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txn_seq: Option<u64>,
}

/// How the state of a partition is read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RestoreStatus {
    /// What is read: `waiting` (for an open transaction to end, or for its turn), `warm`, `local_log`, `changelog`.
    pub from: String,
    /// Records read, deletions included.
    pub records: u64,
    /// Bytes of keys and values read.
    pub bytes: u64,
    /// Seconds since the partition was assigned.
    pub seconds: u64,
    /// Seconds left at the rate so far; absent while nothing was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
}

/// What a partition does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartitionState {
    /// Its state is read back.
    Restoring,
    /// Records are processed and queries answered.
    Serving,
    /// Nothing is read from it for a reason.
    Paused,
}

/// A bound and how full it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BoundStatus {
    /// Name of the bound; its unit is its last word: `batch_records`, `overlay_bytes`, `fetch_queue_bytes`,
    /// `producer_queue_records`, `memory_bytes`, `timers`, `local_log_backlog_bytes`, `customer_bytes`, `rejected_percent`.
    pub bound: String,
    /// In use.
    pub used: u64,
    /// At most.
    pub limit: u64,
    /// Whether it holds something back now: a full queue, or sources that wait.
    pub holds: bool,
}

/// Something that stands out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Note {
    /// Code for `throughline explain`; empty where there is no page.
    pub code: String,
    /// What is so.
    pub text: String,
    /// What to do.
    pub action: String,
}
