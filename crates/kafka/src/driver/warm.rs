//! Partitions that were given back a moment ago: their state is kept for some minutes, with the position up to which the
//! changelog is part of it, so that only the difference is read if they return.
//!
//! What another owner committed meanwhile is behind that position, so nothing is missed. A position proves itself as those
//! of the local log do ([`crate::local_log`]); with a local log there is nothing to keep here, because its files do the same.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use throughline_worker::{Processor, TaskId};

use super::local::CommittedLogs;
use crate::local_log::format::{RECORDS_HEAD, RecordsBlock};
use crate::restore::WarmState;
use crate::topic_id::TopicIdentity;

/// Bytes of records in a block.
const BLOCK_BYTES: usize = 256 << 10;

/// State of partitions that were given back.
#[derive(Default)]
pub(super) struct WarmPartitions(BTreeMap<TaskId, (Instant, WarmState)>);

impl WarmPartitions {
    /// Keeps what the processor holds of partitions that are about to be given back, for `time`. Committed state only: what
    /// the open transaction adds is read from the changelog like anything later.
    pub(super) fn keep<P: Processor>(
        &mut self,
        tasks: &[TaskId],
        processor: &P,
        logs: &CommittedLogs,
        identity: Option<&TopicIdentity>,
        time: Duration,
    ) {
        let Some(identity) = identity.filter(|_| !time.is_zero()) else { return };
        let mut states: BTreeMap<TaskId, (RecordsBlock, WarmState)> = BTreeMap::new();
        for task in tasks {
            if let Some(position) = logs.settled(task.partition) {
                let state = WarmState { identity: identity.clone(), position, blocks: Vec::new(), records: 0 };
                states.insert(*task, (RecordsBlock::default(), state));
            }
        }
        let settled: Vec<TaskId> = states.keys().copied().collect();
        if settled.is_empty() {
            return;
        }
        let is_whole = processor.dump(&settled, &mut |task, key, value| {
            let Some((block, state)) = states.get_mut(&task) else { return };
            block.push(key, Some(value));
            state.records += 1;
            if block.len() >= BLOCK_BYTES + RECORDS_HEAD {
                state.blocks.push(std::mem::take(block).payload().to_vec());
            }
        });
        if !is_whole {
            return;
        }
        let until = Instant::now() + time;
        for (task, (block, mut state)) in states {
            if !block.is_empty() {
                state.blocks.push(block.payload().to_vec());
            }
            self.0.insert(task, (until, state));
        }
    }

    /// What was kept of a partition that came back.
    pub(super) fn take(&mut self, task: TaskId) -> Option<WarmState> {
        self.0.remove(&task).filter(|(until, _)| *until > Instant::now()).map(|(_, state)| state)
    }

    /// Forgets everything: its memory is needed.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Forgets what nobody came back for.
    pub(super) fn expire(&mut self) {
        self.0.retain(|_, (until, _)| *until > Instant::now());
    }
}
