//! The seam between moving records exactly once and what a record means.

use throughline_model::{NextOffset, Now};

use crate::input::{InputRecord, TaskId};
use crate::outputs::Outputs;

/// What a processor needs besides the record.
#[derive(Debug, Clone, Copy)]
pub struct ProcessContext {
    /// The injected clock.
    pub now: Now,
    /// The record's outputs were refused because of their content: reject it instead of applying it.
    pub reject: bool,
}

/// A record cannot be processed yet; its partition pauses, the others go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// The schema with this id is not known yet.
    Schema(u32),
    /// Too many records of the partition were rejected.
    Rejecting,
    /// Even the rejection of a record was refused by the brokers. The worker's own finding; no processor says it.
    Refused,
}

/// Takes key and value of a changelog record of a partition.
pub type DumpSink<'s> = dyn FnMut(TaskId, &[u8], &[u8]) + 's;

/// What records mean. Everything it changes is uncommitted until [`Processor::commit`].
pub trait Processor {
    /// Whether an assigned partition has state to restore before it may be read.
    fn is_stateful(&self) -> bool;

    /// A partition was assigned; its committed state is empty until restored.
    fn assign(&mut self, task: TaskId);

    /// A partition is gone: its state is dropped, uncommitted or not.
    fn revoke(&mut self, task: TaskId);

    /// A changelog record of a partition under restore; no value is a deletion.
    ///
    /// # Errors
    /// If the record was written by a deployment that this one must not continue.
    fn restore(&mut self, task: TaskId, key: &[u8], value: Option<&[u8]>) -> Result<(), StateMismatch>;

    /// Everything there is was restored, for a partition whose input has committed transactions.
    ///
    /// # Errors
    /// If something is missing that every transaction leaves behind.
    fn check_restored(&self, _task: TaskId) -> Result<(), StateMismatch> {
        Ok(())
    }

    /// The state of a partition is complete as of this position.
    fn restored(&mut self, _task: TaskId, _next: NextOffset) {}

    /// Hands the committed state of partitions over as changelog records, of which [`Processor::restore`] makes the same
    /// state. False if it cannot; what it handed over until then is no state.
    fn dump(&self, _tasks: &[TaskId], _sink: &mut DumpSink<'_>) -> bool {
        false
    }

    /// Applies a record to the overlay and writes what can be written at once.
    ///
    /// # Errors
    /// If the record cannot be processed yet. Then nothing was changed by it.
    fn process(
        &mut self,
        record: &InputRecord<'_>,
        context: ProcessContext,
        outputs: &mut Outputs,
    ) -> Result<(), Stall>;

    /// Nothing was left to read in a partition at that time (none: something was, or it is not read for now). Told about
    /// once a second.
    fn exhausted(&mut self, _task: TaskId, _at: Option<Now>) {}

    /// Fires what is due, a bounded number, and writes what is coalesced per transaction: scores, state parts, sealed
    /// frames.
    fn finish(&mut self, now: Now, outputs: &mut Outputs);

    /// The transaction committed: fold the overlay into committed state.
    fn commit(&mut self, now: Now);

    /// The transaction did not commit: drop the overlay.
    fn abort(&mut self);

    /// Bytes held by the overlay.
    fn uncommitted_bytes(&self) -> usize;

    /// When something falls due without further input, if anything does, and on which owned partition.
    fn next_due(&self) -> Option<(Now, TaskId)>;

    /// Whether more was due than the last transaction could fire: the next one is not kept open, so that input and timers
    /// alternate.
    fn has_timers_left(&self) -> bool {
        false
    }
}

/// State that this deployment must not continue: another format, partition count, hash key or fold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StateMismatch(pub String);
