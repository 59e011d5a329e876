//! The worker: one consumer's partitions, one producer's transactions.

use std::collections::BTreeMap;

use throughline_model::{NextOffset, Now, RecordOffset};

use crate::backoff::Backoff;
use crate::bisection::Bisection;
use crate::effect::{CommitOffset, Effect, Effects, StopReason};
use crate::input::{Assignment, CommitOutcome, Input, InputRecord, MemoryLevel, ProduceFault, TaskId};
use crate::phase::{Asked, Phase, Txn};
use crate::pressure::Pressure;
use crate::processor::{ProcessContext, Processor, Stall};

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
    /// It waits for something outside.
    stalled: bool,
    /// Already somebody else's: what its committed offset says is no longer about us.
    lost: bool,
    /// First record in the open transaction.
    first: Option<RecordOffset>,
    /// First record to come again after going back; a later one would mean that one was skipped (XO-2).
    again: Option<RecordOffset>,
}

/// Decides what one consumer and one transactional producer do.
#[derive(Debug)]
pub struct Worker<P> {
    options: WorkerOptions,
    processor: P,
    tasks: BTreeMap<TaskId, Task>,
    phase: Phase,
    bisection: Bisection,
    backoff: Backoff,
    /// Partitions to give back once the transaction has ended.
    leaving: Vec<TaskId>,
    pressure: Pressure,
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
            bisection: Bisection::default(),
            backoff: Backoff::default(),
            leaving: Vec::new(),
            pressure: Pressure::default(),
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

    /// What the group remembers of each owned partition: where to resume, and the number of the last transaction.
    pub fn committed_positions(&self) -> impl Iterator<Item = (TaskId, NextOffset, u64)> + '_ {
        self.tasks.iter().map(|(task, at)| (*task, at.committed, at.txn_seq))
    }

    /// How much memory is left, as it was told last.
    pub const fn memory_level(&self) -> MemoryLevel {
        self.pressure.level()
    }

    /// Whether nothing is fetched because memory is short.
    pub const fn is_pressed(&self) -> bool {
        self.pressure.holds()
    }

    /// Whether nothing is fetched for a while after a fault.
    pub const fn is_waiting(&self) -> bool {
        self.backoff.is_waiting()
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
            Input::Unstalled(task) => self.unstalled(task, effects),
            Input::Exhausted(partitions) => self.exhausted(partitions),
            Input::Memory(level) => self.memory(level, now, effects),
            Input::ProduceFailed(fault) => self.produce_failed(fault, effects),
            Input::Ended(outcome) => self.ended(outcome, now, effects),
            Input::Aborted => self.aborted(now, effects),
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
                stalled: false,
                lost: false,
                first: None,
                again: None,
            };
            let before = self.tasks.insert(assignment.task, task);
            assert!(before.is_none(), "a partition was assigned twice: {:?}", assignment.task);
            self.processor.assign(assignment.task);
            // A partition that comes back to the same consumer is still paused if it was when it left.
            effects.push(if restoring || self.fetches_nothing() {
                Effect::Pause(assignment.task)
            } else {
                Effect::Resume(assignment.task)
            });
            if restoring {
                effects.push(Effect::StartRestore(assignment.task));
            }
        }
    }

    fn restored(&mut self, id: TaskId, effects: &mut Effects) {
        // A partition may have been revoked while its changelog was read.
        if let Some(task) = self.tasks.get_mut(&id).filter(|task| task.restoring) {
            task.restoring = false;
            self.processor.restored(id, task.next);
            self.resume(id, effects);
        }
    }

    fn unstalled(&mut self, id: TaskId, effects: &mut Effects) {
        if let Some(task) = self.tasks.get_mut(&id).filter(|task| task.stalled) {
            task.stalled = false;
            self.resume(id, effects);
        }
    }

    /// Tells the processor where nothing is left to read. A partition that is not read, or in which a record has to come
    /// again, is never exhausted, whatever the client believes.
    fn exhausted(&mut self, partitions: &[(TaskId, Option<Now>)]) {
        for (id, at) in partitions {
            if let Some(task) = self.tasks.get(id) {
                let waits = task.restoring || task.stalled || task.again.is_some() || self.leaving.contains(id);
                let waits = waits || self.fetches_nothing();
                self.processor.exhausted(*id, at.filter(|at| !waits && self.pressure.is_past(*at)));
            }
        }
    }

    /// Whether nothing is fetched from any partition: after a fault, or because memory is short.
    const fn fetches_nothing(&self) -> bool {
        self.backoff.is_waiting() || self.pressure.holds()
    }

    /// Memory is short, or there is room again. What is open commits and what is restored goes on: only sources wait.
    fn memory(&mut self, level: MemoryLevel, now: Now, effects: &mut Effects) {
        let before = self.fetches_nothing();
        if !self.pressure.set(level, now) {
            return;
        }
        if self.pressure.holds() && !before {
            self.pause_all(effects);
        } else if !self.pressure.holds() {
            self.tasks.keys().for_each(|id| self.resume(*id, effects));
        }
    }

    /// Fetches the partition again, if nothing else keeps it paused.
    fn resume(&self, id: TaskId, effects: &mut Effects) {
        let pauses = |task: &Task| task.restoring || task.stalled;
        if !self.fetches_nothing() && self.tasks.get(&id).is_some_and(|task| !pauses(task)) {
            effects.push(Effect::Resume(id));
        }
    }

    /// Nothing is fetched for a while: the same batch would meet the same fault.
    fn wait(&mut self, now: Now, effects: &mut Effects) {
        self.backoff.begin(now);
        self.pause_all(effects);
    }

    fn pause_all(&self, effects: &mut Effects) {
        for (id, task) in &self.tasks {
            if !task.restoring && !task.stalled && !self.leaving.contains(id) {
                effects.push(Effect::Pause(*id));
            }
        }
    }

    fn record(&mut self, record: &InputRecord<'_>, now: Now, effects: &mut Effects) {
        assert!(
            matches!(self.phase, Phase::Idle | Phase::Open(_)),
            "records are only read while no transaction is being ended"
        );
        // A record fetched before its partition was given back belongs to the next owner.
        let Some(task) = self.tasks.get_mut(&record.task) else { return };
        assert!(!task.restoring, "a record of a partition under restore: {:?}", record.task);
        assert!(record.offset.0 >= task.next.0, "offset went backwards in {:?}", record.task);
        assert!(task.again.is_none_or(|again| record.offset <= again), "records were skipped in {:?}", record.task);
        let reject = self.bisection.is_condemned(record.task, record.offset);
        match self.processor.process(record, ProcessContext { now, reject }, &mut effects.outputs) {
            Ok(()) => {
                task.next = record.offset.next();
                task.first.get_or_insert(record.offset);
                task.again = None;
                let suspect = self.bisection.is_suspect(record.task, record.offset);
                self.opened(now, effects).count(record.task, suspect);
            }
            Err(stall) => {
                task.again = Some(record.offset);
                task.stalled = true;
                effects.push(Effect::Pause(record.task));
                effects.push(Effect::Seek(vec![(record.task, NextOffset(record.offset.0))]));
                effects.push(Effect::Stalled(record.task, stall));
            }
        }
    }

    /// The open transaction; begun if there is none.
    fn opened(&mut self, now: Now, effects: &mut Effects) -> &mut Txn {
        if matches!(self.phase, Phase::Idle) {
            effects.push(Effect::Begin);
            self.phase = Phase::Open(Txn::new(now));
        }
        match &mut self.phase {
            Phase::Open(txn) => txn,
            phase => unreachable!("a transaction is only begun where none is: {phase:?}"),
        }
    }

    /// Whether the driver must stop handing over records and tick.
    pub fn is_full(&self) -> bool {
        match &self.phase {
            Phase::Open(txn) => {
                txn.records >= self.bisection.records_max(self.options.records_max)
                    || self.processor.uncommitted_bytes() >= self.pressure.bytes_max(self.options.uncommitted_bytes_max)
            }
            _ => false,
        }
    }

    fn tick(&mut self, now: Now, effects: &mut Effects) {
        match &self.phase {
            Phase::Open(txn) => {
                let age = now.as_millis() - txn.began_at.as_millis();
                // A clock that was set back must not keep a transaction open until it has caught up.
                let due = age >= self.options.commit_interval || age < 0;
                if due || self.draining || self.is_full() || self.processor.has_timers_left() {
                    self.end(now, effects);
                }
            }
            Phase::Idle => {
                if self.backoff.end(now) {
                    self.tasks.keys().for_each(|id| self.resume(*id, effects));
                }
                if let Some(task) = self.timers_due(now) {
                    self.opened(now, effects).tasks.insert(task);
                    self.end(now, effects);
                } else if self.draining {
                    self.stop(effects);
                }
            }
            Phase::Committing(_) | Phase::Aborting(_) | Phase::Unknown(_) | Phase::Stopped => {}
        }
    }

    /// An owned, restored partition on which something falls due without a record.
    fn timers_due(&self, now: Now) -> Option<TaskId> {
        let (due, task) = self.processor.next_due()?;
        let owned = self.tasks.get(&task).is_some_and(|task| !task.restoring);
        (due <= now && owned && !self.backoff.is_waiting()).then_some(task)
    }

    /// Asks for the end of the open transaction.
    fn end(&mut self, now: Now, effects: &mut Effects) {
        let Phase::Open(txn) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("only an open transaction is ended")
        };
        assert!(!txn.tasks.is_empty(), "a transaction names an owned partition, or its outcome could not be read");
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
        let Phase::Committing(mut txn) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("an end was reported that nobody asked for")
        };
        match outcome {
            CommitOutcome::Committed => self.committed(&txn, now, effects),
            CommitOutcome::Abortable(fault) => {
                self.note_fault(fault, &mut txn);
                effects.push(Effect::Abort);
                self.phase = Phase::Aborting(txn);
            }
            CommitOutcome::Fenced => self.drop_everything(effects),
            CommitOutcome::Indeterminate => self.ask(txn, true, effects),
        }
    }

    fn committed(&mut self, txn: &Txn, now: Now, effects: &mut Effects) {
        for id in &txn.tasks {
            if let Some(task) = self.tasks.get_mut(id) {
                task.committed = task.next;
                task.txn_seq += 1;
                task.first = None;
                self.bisection.committed(*id, task.committed);
            }
        }
        self.bisection.passed(txn.suspects);
        self.backoff.committed();
        self.processor.commit(now);
        effects.push(Effect::Published { records: txn.records });
        self.settled(effects);
    }

    /// The transaction is dropped: state and positions are those of the last commit.
    fn dropped(&mut self, txn: &Txn, now: Now, effects: &mut Effects) {
        self.processor.abort();
        effects.outputs.clear();
        let mut seeks = Vec::new();
        for id in &txn.tasks {
            if let Some(task) = self.tasks.get_mut(id) {
                task.next = task.committed;
                task.again = task.first.take().or(task.again);
                // Whoever takes a leaving partition over begins at the committed position.
                if !self.leaving.contains(id) {
                    seeks.push((*id, task.committed));
                }
            }
        }
        if !seeks.is_empty() {
            effects.push(Effect::Seek(seeks));
        }
        if let Some(id) = txn.refused.filter(|id| !self.leaving.contains(id))
            && let Some(task) = self.tasks.get_mut(&id)
        {
            task.stalled = true;
            effects.push(Effect::Pause(id));
            effects.push(Effect::Stalled(id, Stall::Refused));
        }
        if txn.blameless {
            self.wait(now, effects);
        }
        self.settled(effects);
    }

    /// No transaction any more: what waited for its end happens now.
    fn settled(&mut self, effects: &mut Effects) {
        self.phase = Phase::Idle;
        self.release_leaving(effects);
        if self.draining {
            self.stop(effects);
        }
    }

    fn stop(&mut self, effects: &mut Effects) {
        self.phase = Phase::Stopped;
        effects.push(Effect::Stop(StopReason::Drained));
    }

    fn release(&mut self, leaving: Vec<TaskId>, effects: &mut Effects) {
        if leaving.is_empty() {
            return;
        }
        for task in &leaving {
            if self.tasks.remove(task).is_some() {
                self.processor.revoke(*task);
                self.bisection.released(*task);
            }
        }
        effects.push(Effect::Unassign(leaving));
    }

    fn revoked(&mut self, tasks: &[TaskId], now: Now, effects: &mut Effects) {
        self.leave(tasks);
        match &self.phase {
            Phase::Open(_) => self.end(now, effects),
            Phase::Idle | Phase::Stopped => self.release_leaving(effects),
            // Released when the transaction has ended.
            Phase::Committing(_) | Phase::Aborting(_) | Phase::Unknown(_) => {}
        }
    }

    fn lost(&mut self, tasks: &[TaskId], effects: &mut Effects) {
        self.leave(tasks);
        for task in tasks {
            if let Some(task) = self.tasks.get_mut(task) {
                task.lost = true;
            }
        }
        match &self.phase {
            Phase::Open(_) => self.abort(effects),
            Phase::Idle | Phase::Stopped => self.release_leaving(effects),
            // The commit that was asked for comes out as it does; its outcome is not read from a lost partition.
            Phase::Committing(_) | Phase::Aborting(_) | Phase::Unknown(_) => {}
        }
    }

    fn leave(&mut self, tasks: &[TaskId]) {
        for task in tasks {
            if !self.leaving.contains(task) {
                self.leaving.push(*task);
            }
        }
    }

    fn release_leaving(&mut self, effects: &mut Effects) {
        let leaving = std::mem::take(&mut self.leaving);
        self.release(leaving, effects);
    }

    /// Asks for the abort of the open transaction.
    fn abort(&mut self, effects: &mut Effects) {
        let Phase::Open(txn) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("only an open transaction is aborted before its end was asked for")
        };
        effects.push(Effect::Abort);
        self.phase = Phase::Aborting(txn);
    }

    fn produce_failed(&mut self, fault: ProduceFault, effects: &mut Effects) {
        let Phase::Open(mut txn) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("an output can only fail inside a transaction")
        };
        self.note_fault(fault, &mut txn);
        effects.push(Effect::Abort);
        self.phase = Phase::Aborting(txn);
    }

    /// Only an error that a record can cause narrows the batch; the network is not the record's fault.
    fn note_fault(&mut self, fault: ProduceFault, txn: &mut Txn) {
        txn.blameless = fault == ProduceFault::Transient || txn.records == 0;
        if txn.blameless {
            return;
        }
        let reached = txn.tasks.iter().filter_map(|id| self.tasks.get(id).map(|task| (*id, task.next)));
        txn.refused = self.bisection.refused(txn.records, reached);
    }

    fn aborted(&mut self, now: Now, effects: &mut Effects) {
        let Phase::Aborting(txn) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("an abort was reported that nobody asked for")
        };
        self.dropped(&txn, now, effects);
    }

    fn abort_failed(&mut self, effects: &mut Effects) {
        let Phase::Aborting(txn) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("an abort was reported that nobody asked for")
        };
        // The new producer's registration aborts the old transaction. It cannot have committed: an abort is only asked
        // for before a commit was tried, or after the broker said that it must be aborted.
        self.ask(txn, false, effects);
    }

    fn ask(&mut self, txn: Txn, may_have_committed: bool, effects: &mut Effects) {
        let asked = txn.tasks.iter().find_map(|id| {
            let task = self.tasks.get(id).filter(|task| !task.lost)?;
            Some(CommitOffset { task: *id, next: task.next, txn_seq: task.txn_seq + 1 })
        });
        match asked {
            Some(offset) => {
                effects.push(Effect::ResolveOutcome(offset));
                self.phase = Phase::Unknown(Asked { txn, offset, may_have_committed });
            }
            None => self.drop_everything(effects),
        }
    }

    fn outcome_read(&mut self, read: Option<u64>, now: Now, effects: &mut Effects) {
        let Phase::Unknown(asked) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("an outcome was reported that nobody asked for")
        };
        let sent = asked.offset.txn_seq;
        // A partition that was lost meanwhile carries the numbers of its next owner.
        let owned = self.tasks.get(&asked.offset.task).is_some_and(|task| !task.lost);
        match read.filter(|_| owned) {
            Some(read) if read == sent && asked.may_have_committed => self.committed(&asked.txn, now, effects),
            Some(read) if read + 1 == sent => self.dropped(&asked.txn, now, effects),
            // Somebody else moved the partition, or nobody can say: what is held here proves nothing.
            _ => self.drop_everything(effects),
        }
    }

    fn drop_everything(&mut self, effects: &mut Effects) {
        self.processor.abort();
        effects.outputs.clear();
        self.leaving.clear();
        self.bisection = Bisection::default();
        for (task, _) in std::mem::take(&mut self.tasks) {
            self.processor.revoke(task);
        }
        self.phase = Phase::Idle;
        // Whoever stops has nothing to join for.
        if self.draining {
            self.stop(effects);
        } else {
            effects.push(Effect::Rejoin);
        }
    }
}
