//! Restores under way, stepped between polls.

use std::time::Duration;

use throughline_model::Partition;
use throughline_worker::{Input, Processor, StateMismatch, TaskId};

use super::{Driver, DriverError, Observer};
use crate::classify::Reaction;
use crate::restore::{Finished, RestoreFault};

/// How long state is taken over between two polls while other partitions are live: far below the commit interval.
const SLICE_BESIDE: Duration = Duration::from_millis(4);
/// The same while there is nothing else to do.
const SLICE_ALONE: Duration = Duration::from_millis(50);

impl<P: Processor, O: Observer<P>> Driver<P, O> {
    /// Takes over what was read, for a moment.
    pub(super) fn step_restores(&mut self) -> Result<(), DriverError> {
        if self.restores.is_empty() && !self.restores.has_readers() {
            return Ok(());
        }
        let is_alone = self.worker.tasks().all(|(_, restoring)| restoring);
        let (anchors, group) = (&self.anchors, &self.options.group);
        let stepped = self.restores.step(
            if is_alone { SLICE_ALONE } else { SLICE_BESIDE },
            self.worker.processor_mut(),
            |task, value| match value {
                Some(_) if !anchors.contains_key(&task) => Err(StateMismatch(format!(
                    "the changelog holds state, but group {group} has no offset for this partition: the input topic was made \
                     anew, or the offsets were deleted, and nothing is reset silently. Restore the group's offsets \
                     (kafka-consumer-groups.sh --reset-offsets), or choose another application id to rebuild the state from \
                     the sources"
                ))),
                _ => Ok(()),
            },
        );
        for error in std::mem::take(&mut self.restores.faults) {
            self.note_fault(Reaction::Retry, &error);
        }
        for finished in stepped.map_err(|fault| self.restore_failed(fault))? {
            self.restored(finished)?;
        }
        Ok(())
    }

    fn restored(&mut self, finished: Finished) -> Result<(), DriverError> {
        let Finished { task, log, end, progress } = finished;
        if let Some((_, txn_seq)) = self.anchors.get(&task)
            && *txn_seq > 0
        {
            let complete = self.worker.processor().check_restored(task);
            complete.map_err(|why| self.restore_failed(RestoreFault::Mismatch(task, why)))?;
        }
        tracing::info!(
            worker = self.options.name,
            partition = task.partition,
            records = progress.records,
            local_records = progress.local_records,
            warm_records = progress.warm_records,
            seconds = progress.elapsed.as_secs_f64(),
            "restored"
        );
        self.observer.restore(Partition(task.partition), progress, true);
        self.logs.open(task.partition, log, end);
        self.input(Input::Restored(task))
    }

    fn restore_failed(&self, fault: RestoreFault) -> DriverError {
        let topic = self.options.changelog.clone().unwrap_or_default();
        let state = |task: TaskId, why| DriverError::State { topic, partition: task.partition, why };
        match fault {
            RestoreFault::Mismatch(task, why) => state(task, why.0),
            RestoreFault::Client(error) => error.into(),
            RestoreFault::Thread(error) => DriverError::Thread(error),
        }
    }
}
