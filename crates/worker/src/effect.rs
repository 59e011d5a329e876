//! What a worker wants done.

use throughline_model::NextOffset;

use crate::input::{Assignment, TaskId};
use crate::outputs::Outputs;
use crate::processor::Stall;

/// An offset to be sent with the transaction, with the number that proves later whether it committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitOffset {
    /// The partition.
    pub task: TaskId,
    /// Where to resume.
    pub next: NextOffset,
    /// Number of this transaction on that partition.
    pub txn_seq: u64,
}

/// Why a worker stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// It was drained.
    Drained,
}

/// Everything a worker can want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Begin a transaction.
    Begin,
    /// Send what is in the outputs, wait until nothing is in flight, send the offsets, commit; answer `Ended`.
    Commit(Vec<CommitOffset>),
    /// Abort the transaction; answer `Aborted` or `AbortFailed`.
    Abort,
    /// Replace the producer (same transactional id), which settles the transaction, then read the committed `txn_seq` of
    /// the partition; answer `OutcomeRead`.
    ResolveOutcome(CommitOffset),
    /// Continue reading these partitions at these positions.
    Seek(Vec<(TaskId, NextOffset)>),
    /// Stop fetching from the partition.
    Pause(TaskId),
    /// Fetch again.
    Resume(TaskId),
    /// Read the partition's changelog into the processor; answer `Restored`.
    StartRestore(TaskId),
    /// The group may have these partitions back.
    Unassign(Vec<TaskId>),
    /// Take these partitions, at these positions.
    Assign(Vec<Assignment>),
    /// Replace the producer and leave and join the group again, with nothing.
    Rejoin,
    /// Committed state changed: what was committed may be shown.
    Published {
        /// Records in the transaction.
        records: u64,
    },
    /// A partition waits for something outside.
    Stalled(TaskId, Stall),
    /// End the thread.
    Stop(StopReason),
}

/// Effects in the order in which they are to be carried out, and the outputs they refer to.
#[derive(Debug, Default)]
pub struct Effects {
    /// In order. Outputs are sent before any effect that ends a transaction.
    pub list: Vec<Effect>,
    /// Output records not yet handed to the producer.
    pub outputs: Outputs,
}

impl Effects {
    pub(crate) fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }
}
