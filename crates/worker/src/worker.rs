//! The worker: one consumer's partitions, one producer's transactions.

use std::collections::{BTreeMap, BTreeSet};

use throughline_model::{NextOffset, Now};

use crate::effect::{CommitOffset, Effect, Effects, StopReason};
use crate::input::{Assignment, CommitOutcome, Input, InputRecord, ProduceFault, TaskId};
use crate::phase::{Phase, Txn};
use crate::processor::{ProcessContext, Processor};

/// Limits of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Milliseconds after its beginning at which a transaction is committed.
    pub commit_interval: i64,
    /// Records at which a transaction is committed.
    pub records_max: u64,
    /// Bytes of uncommitted state at which a transaction is committed.
    pub uncommitted_bytes_max: usize,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { commit_interval: 100, records_max: 20_000, uncommitted_bytes_max: 64 << 20 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Task {
    /// Position inside the open transaction.
    next: NextOffset,
    /// Position that the group remembers.
    committed: NextOffset,
    /// Number of the last transaction that moved this partition.
    txn_seq: u64,
    /// State is being read back.
    restoring: bool,
}

/// Search for the one record whose outputs are refused: half as many records until one is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bisection {
    /// Records allowed in the next transaction.
    records_max: u64,
    /// Records that must commit before the search is over.
    remaining: u64,
    /// The next record is known to be the one.
    reject: bool,
}

/// Decides what one consumer and one transactional producer do.
#[derive(Debug)]
pub struct Worker<P> {
    options: WorkerOptions,
    processor: P,
    tasks: BTreeMap<TaskId, Task>,
    phase: Phase,
    bisection: Option<Bisection>,
    /// Partitions to give back once the transaction has ended.
    leaving: Vec<TaskId>,
    draining: bool,
}

impl<P: Processor> Worker<P> {
    /// A worker with nothing assigned.
    pub fn new(options: WorkerOptions, processor: P) -> Self {
        Self {
            options,
            processor,
            tasks: BTreeMap::new(),
            phase: Phase::Idle,
            bisection: None,
            leaving: Vec::new(),
            draining: false,
        }
    }

    /// The processor.
    pub const fn processor(&self) -> &P {
        &self.processor
    }

    /// The processor, for the restore, which hands it changelog records directly.
    pub const fn processor_mut(&mut self) -> &mut P {
        &mut self.processor
    }

    /// Where the worker stands.
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Partitions owned, with whether each is being restored.
    pub fn tasks(&self) -> impl Iterator<Item = (TaskId, bool)> + '_ {
        self.tasks.iter().map(|(task, at)| (*task, at.restoring))
    }

    /// Takes an input at `now` and says what to do.
    pub fn handle(&mut self, input: Input<'_>, now: Now, effects: &mut Effects) {
        match input {
            Input::Record(record) => self.record(&record, now, effects),
            Input::Tick => self.tick(now, effects),
            Input::Assigned(assignments) => self.assigned(assignments, effects),
            Input::Restored(task) => self.restored(task, effects),
            Input::Revoked(tasks) => self.revoked(tasks, now, effects),
            Input::Lost(tasks) => self.lost(tasks, effects),
            Input::Unstalled(task) => {
                if self.tasks.contains_key(&task) {
                    effects.push(Effect::Resume(task));
                }
            }
            Input::ProduceFailed(fault) => self.produce_failed(fault, effects),
            Input::Ended(outcome) => self.ended(outcome, now, effects),
            Input::Aborted => self.aborted(effects),
            Input::AbortFailed => self.abort_failed(effects),
            Input::OutcomeRead(txn_seq) => self.outcome_read(txn_seq, now, effects),
            Input::Drain => {
                self.draining = true;
                self.tick(now, effects);
            }
        }
    }

    fn assigned(&mut self, assignments: &[Assignment], effects: &mut Effects) {
        effects.push(Effect::Assign(assignments.to_vec()));
        for assignment in assignments {
            let restoring = self.processor.is_stateful();
            let task = Task {
                next: assignment.next,
                committed: assignment.next,
                txn_seq: assignment.txn_seq,
                restoring,
            };
            let before = self.tasks.insert(assignment.task, task);
            assert!(before.is_none(), "a partition was assigned twice: {:?}", assignment.task);
            self.processor.assign(assignment.task);
            if restoring {
                effects.push(Effect::Pause(assignment.task));
                effects.push(Effect::StartRestore(assignment.task));
            }
        }
    }

    fn restored(&mut self, id: TaskId, effects: &mut Effects) {
        // A partition may have been revoked while its changelog was read.
        if let Some(task) = self.tasks.get_mut(&id) {
            task.restoring = false;
            effects.push(Effect::Resume(id));
        }
    }

    fn record(&mut self, record: &InputRecord<'_>, now: Now, effects: &mut Effects) {
        if matches!(self.phase, Phase::Idle) {
            effects.push(Effect::Begin);
            self.phase = Phase::Open(Txn { began_at: now, records: 0, tasks: BTreeSet::new() });
        }
        let Phase::Open(txn) = &mut self.phase else {
            unreachable!("records are only read while no transaction is being ended")
        };
        // A record fetched before its partition was given back belongs to the next owner.
        let Some(task) = self.tasks.get_mut(&record.task) else { return };
        assert!(!task.restoring, "a record of a partition under restore: {:?}", record.task);
        assert!(record.offset.0 >= task.next.0, "offset went backwards in {:?}", record.task);
        let reject = self.bisection.is_some_and(|bisection| bisection.reject);
        match self.processor.process(record, ProcessContext { now, reject }, &mut effects.outputs) {
            Ok(()) => {
                task.next = record.offset.next();
                txn.records += 1;
                txn.tasks.insert(record.task);
            }
            Err(_stall) => {
                effects.push(Effect::Pause(record.task));
                effects.push(Effect::Seek(vec![(record.task, NextOffset(record.offset.0))]));
                effects.push(Effect::Stalled(record.task));
            }
        }
    }

    fn records_max(&self) -> u64 {
        self.bisection.map_or(self.options.records_max, |bisection| bisection.records_max)
    }

    /// Whether the driver should stop handing over records and tick.
    pub fn is_full(&self) -> bool {
        match &self.phase {
            Phase::Open(txn) => {
                txn.records >= self.records_max()
                    || self.processor.uncommitted_bytes() >= self.options.uncommitted_bytes_max
            }
            _ => false,
        }
    }

    fn tick(&mut self, now: Now, effects: &mut Effects) {
        if matches!(self.phase, Phase::Idle)
            && let Some((due, task)) = self.processor.next_due()
            && due <= now
            && self.tasks.get(&task).is_some_and(|task| !task.restoring)
        {
            effects.push(Effect::Begin);
            self.phase = Phase::Open(Txn { began_at: now, records: 0, tasks: BTreeSet::from([task]) });
            self.end(now, effects);
            return;
        }
        let due = match &self.phase {
            Phase::Open(txn) => {
                self.draining
                    || !self.leaving.is_empty()
                    || now.as_millis() - txn.began_at.as_millis() >= self.options.commit_interval
                    || self.is_full()
            }
            Phase::Idle if self.draining => {
                self.phase = Phase::Stopped;
                effects.push(Effect::Stop(StopReason::Drained));
                false
            }
            _ => false,
        };
        if due {
            self.end(now, effects);
        }
    }

    /// Asks for the end of the open transaction.
    fn end(&mut self, now: Now, effects: &mut Effects) {
        let Phase::Open(mut txn) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("only an open transaction is ended")
        };
        if txn.tasks.is_empty() {
            // Only records of others, or a stalled one, were seen: nothing happened, but a transaction was begun. It must
            // still name an owned partition, or its outcome could never be read.
            match self.tasks.iter().find(|(_, task)| !task.restoring) {
                Some((task, _)) => {
                    txn.tasks.insert(*task);
                }
                None => {
                    effects.push(Effect::Abort);
                    self.phase = Phase::Aborting(txn);
                    return;
                }
            }
        }
        self.processor.finish(now, &mut effects.outputs);
        let offsets = txn
            .tasks
            .iter()
            .map(|id| {
                let task = &self.tasks[id];
                CommitOffset { task: *id, next: task.next, txn_seq: task.txn_seq + 1 }
            })
            .collect();
        effects.push(Effect::Commit(offsets));
        self.phase = Phase::Committing(txn);
    }

    fn ended(&mut self, outcome: CommitOutcome, now: Now, effects: &mut Effects) {
        let Phase::Committing(txn) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("an end was reported that nobody asked for")
        };
        match outcome {
            CommitOutcome::Committed => self.committed(&txn, now, effects),
            CommitOutcome::Abortable(fault) => {
                self.note_fault(fault, &txn);
                effects.push(Effect::Abort);
                self.phase = Phase::Aborting(txn);
            }
            CommitOutcome::Fenced => self.drop_everything(effects),
            CommitOutcome::Indeterminate => self.ask(txn, effects),
        }
    }

    fn committed(&mut self, txn: &Txn, now: Now, effects: &mut Effects) {
        for id in &txn.tasks {
            if let Some(task) = self.tasks.get_mut(id) {
                task.committed = task.next;
                task.txn_seq += 1;
            }
        }
        self.processor.commit(now);
        if let Some(bisection) = &mut self.bisection {
            bisection.reject = false;
            bisection.remaining = bisection.remaining.saturating_sub(txn.records.max(1));
            if bisection.remaining == 0 {
                self.bisection = None;
            }
        }
        effects.push(Effect::Published { records: txn.records });
        self.settled(effects);
    }

    /// The transaction is dropped: state and positions are those of the last commit.
    fn dropped(&mut self, txn: &Txn, effects: &mut Effects) {
        self.processor.abort();
        effects.outputs.clear();
        let mut seeks = Vec::new();
        for id in &txn.tasks {
            if let Some(task) = self.tasks.get_mut(id) {
                task.next = task.committed;
                seeks.push((*id, task.committed));
            }
        }
        if !seeks.is_empty() {
            effects.push(Effect::Seek(seeks));
        }
        self.settled(effects);
    }

    /// No transaction any more: what waited for its end happens now.
    fn settled(&mut self, effects: &mut Effects) {
        self.phase = Phase::Idle;
        let leaving = std::mem::take(&mut self.leaving);
        self.release(leaving, effects);
        if self.draining {
            self.phase = Phase::Stopped;
            effects.push(Effect::Stop(StopReason::Drained));
        }
    }

    fn release(&mut self, leaving: Vec<TaskId>, effects: &mut Effects) {
        if leaving.is_empty() {
            return;
        }
        for task in &leaving {
            if self.tasks.remove(task).is_some() {
                self.processor.revoke(*task);
            }
        }
        effects.push(Effect::Unassign(leaving));
    }

    fn revoked(&mut self, tasks: &[TaskId], now: Now, effects: &mut Effects) {
        self.leaving.extend_from_slice(tasks);
        match &self.phase {
            Phase::Open(_) => self.end(now, effects),
            Phase::Idle | Phase::Stopped => {
                let leaving = std::mem::take(&mut self.leaving);
                self.release(leaving, effects);
            }
            // Released when the transaction has ended.
            Phase::Committing(_) | Phase::Aborting(_) | Phase::Unknown(_) => {}
        }
    }

    fn lost(&mut self, tasks: &[TaskId], effects: &mut Effects) {
        self.leaving.extend_from_slice(tasks);
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Open(txn) => {
                effects.push(Effect::Abort);
                self.phase = Phase::Aborting(txn);
            }
            Phase::Idle => {
                let leaving = std::mem::take(&mut self.leaving);
                self.release(leaving, effects);
            }
            phase => self.phase = phase,
        }
    }

    fn produce_failed(&mut self, fault: ProduceFault, effects: &mut Effects) {
        if let Phase::Open(txn) = std::mem::replace(&mut self.phase, Phase::Idle) {
            self.note_fault(fault, &txn);
            effects.push(Effect::Abort);
            self.phase = Phase::Aborting(txn);
        } else {
            unreachable!("an output can only fail inside a transaction")
        }
    }

    /// Only an error that a record can cause narrows the batch; the network is not the record's fault.
    fn note_fault(&mut self, fault: ProduceFault, txn: &Txn) {
        if fault != ProduceFault::Content {
            return;
        }
        let records = txn.records.max(1);
        let remaining = self.bisection.map_or(records, |bisection| bisection.remaining.max(records));
        self.bisection = Some(Bisection { records_max: (records / 2).max(1), remaining, reject: records == 1 });
    }

    fn aborted(&mut self, effects: &mut Effects) {
        let Phase::Aborting(txn) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("an abort was reported that nobody asked for")
        };
        self.dropped(&txn, effects);
    }

    fn abort_failed(&mut self, effects: &mut Effects) {
        let Phase::Aborting(txn) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("an abort was reported that nobody asked for")
        };
        // The new producer's registration aborts the old transaction, or shows that it committed.
        self.ask(txn, effects);
    }

    fn ask(&mut self, txn: Txn, effects: &mut Effects) {
        let asked = txn.tasks.iter().find_map(|id| {
            self.tasks.get(id).map(|task| CommitOffset { task: *id, next: task.next, txn_seq: task.txn_seq + 1 })
        });
        match asked {
            Some(offset) => {
                effects.push(Effect::ResolveOutcome(offset));
                self.phase = Phase::Unknown(txn);
            }
            None => self.drop_everything(effects),
        }
    }

    fn outcome_read(&mut self, read: Option<u64>, now: Now, effects: &mut Effects) {
        let Phase::Unknown(txn) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("an outcome was reported that nobody asked for")
        };
        let before = txn.tasks.iter().find_map(|id| self.tasks.get(id)).map(|task| task.txn_seq);
        match (read, before) {
            (Some(read), Some(before)) if read == before + 1 => self.committed(&txn, now, effects),
            (Some(read), Some(before)) if read == before => self.dropped(&txn, effects),
            // Somebody else moved the partition, or nobody can say: what is held here proves nothing.
            _ => self.drop_everything(effects),
        }
    }

    fn drop_everything(&mut self, effects: &mut Effects) {
        self.processor.abort();
        effects.outputs.clear();
        self.leaving.clear();
        for (task, _) in std::mem::take(&mut self.tasks) {
            self.processor.revoke(task);
        }
        self.phase = Phase::Idle;
        effects.push(Effect::Rejoin);
        if self.draining {
            self.phase = Phase::Stopped;
            effects.push(Effect::Stop(StopReason::Drained));
        }
    }
}
