//! A worker, the driver that carries out what it wants, and the broker that remembers what committed. What goes wrong is
//! chosen by a list of bytes; when the list is over nothing goes wrong any more and everything must get done.

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

pub mod broker;
pub mod fold;

use std::collections::{BTreeMap, BTreeSet};

use throughline_model::{NextOffset, Now, ReceivedAt, RecordOffset, Topic};
use throughline_worker::input::NoHeaders;
use throughline_worker::{
    Assignment, CommitOffset, CommitOutcome, Effect, Effects, Input, InputRecord, Phase, Processor, ProduceFault,
    TaskId, Worker, WorkerOptions,
};

use broker::{Broker, Owner, Written};
use fold::{Fold, Kind, value_of};

/// Deliberate mistakes, each of which must be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    CommitTheRecordsOffset,
    FoldBeforeCommitted,
    KeepOverlayAfterAbort,
    SkipTheSeek,
    SkipTheAbort,
    IgnoreTxnSeqAndFold,
    IgnoreTxnSeqAndDrop,
    RejectWhateverComesNext,
    RestoreNothing,
}

const PARTITIONS: i32 = 3;

fn options() -> WorkerOptions {
    WorkerOptions { commit_interval: 100, records_max: 8, uncommitted_bytes_max: 6 }
}

pub struct World {
    broker: Broker,
    mutant: Option<Mutant>,
    choices: std::vec::IntoIter<u8>,
    now: Now,
    worker: Worker<Fold>,
    effects: Effects,
    /// Where the consumer reads on; only partitions that it holds.
    positions: BTreeMap<TaskId, i64>,
    paused: BTreeSet<TaskId>,
    restoring: Vec<TaskId>,
    stalled: Vec<TaskId>,
    /// The group took everything away and the worker does not know yet.
    lost: bool,
}

impl World {
    pub fn new(logs: Vec<Vec<Kind>>, choices: Vec<u8>, mutant: Option<Mutant>) -> Self {
        assert_eq!(logs.len(), PARTITIONS as usize);
        Self {
            broker: Broker::new(logs),
            mutant,
            choices: choices.into_iter(),
            now: Now::from_millis(10_000),
            worker: new_worker(mutant),
            effects: Effects::default(),
            positions: BTreeMap::new(),
            paused: BTreeSet::new(),
            restoring: Vec::new(),
            stalled: Vec::new(),
            lost: false,
        }
    }

    /// Faults first, then everything gets done.
    pub fn run(mut self) {
        while !self.choices.as_slice().is_empty() {
            self.step();
            self.check_state();
        }
        self.broker.faults = false;
        // A poison record costs a few transactions each; the bound is far above what the longest log needs.
        for _ in 0..400 {
            if self.broker.is_done() {
                break;
            }
            self.round();
            self.check_state();
        }
        self.broker.check_outputs();
    }

    /// A number below `below`; 0 when nothing goes wrong any more.
    fn choose(&mut self, below: u8) -> u8 {
        self.choices.next().map_or(0, |byte| byte % below)
    }

    fn step(&mut self) {
        match self.choose(14) {
            0..=3 => self.poll(),
            4 => self.tick(40),
            5 => self.tick(200),
            6 => {
                let later = [-500, 2_000, 10_000][usize::from(self.choose(3))];
                self.tick(later);
            }
            7 => self.revoke(),
            8 => self.take_away(),
            9 => self.rebalance(),
            10 => self.restore(),
            11 => self.unstall(),
            12 => self.produce_failure(),
            _ => match self.choose(4) {
                0 => self.crash(),
                1 => self.input(Input::Drain),
                _ => self.rebalance(),
            },
        }
    }

    /// Everything that moves the work on, without faults.
    fn round(&mut self) {
        self.rebalance();
        while !self.restoring.is_empty() {
            self.restore();
        }
        while !self.stalled.is_empty() {
            self.unstall();
        }
        for _ in 0..PARTITIONS {
            self.poll();
        }
        self.tick(200);
    }

    fn input(&mut self, input: Input<'_>) {
        self.worker.handle(input, self.now, &mut self.effects);
        self.carry_out();
    }

    fn tick(&mut self, later: i64) {
        self.now = self.now.plus_millis(later);
        self.input(Input::Tick);
    }

    fn poll(&mut self) {
        let limit = if self.broker.faults { 1 + self.choose(8) } else { 8 };
        for _ in 0..limit {
            let readable: Vec<TaskId> =
                self.positions.keys().copied().filter(|task| !self.paused.contains(task)).collect();
            let start = usize::from(self.choose(PARTITIONS as u8));
            let found = readable.iter().cycle().skip(start).take(readable.len()).find_map(|task| {
                let at = self.positions[task];
                self.broker.kind(*task, at).map(|kind| (*task, at, kind))
            });
            let Some((task, at, kind)) = found else { break };
            self.positions.insert(task, at + 1);
            self.input(Input::Record(InputRecord {
                task,
                offset: RecordOffset(at),
                received_at: ReceivedAt::from_millis(0),
                key: None,
                value: Some(&value_of(kind)),
                headers: &NoHeaders,
            }));
            if self.worker.is_full() {
                break;
            }
        }
        // The driver hands outputs over before the commit when there are many.
        if self.choose(4) == 1 && matches!(self.worker.phase(), Phase::Open(_)) {
            self.send();
            if self.broker.refuses() {
                self.input(Input::ProduceFailed(ProduceFault::Content));
            }
        }
        self.input(Input::Tick);
    }

    fn revoke(&mut self) {
        let held: Vec<TaskId> = self.positions.keys().copied().collect();
        let at = usize::from(self.choose(PARTITIONS as u8));
        if let Some(task) = held.get(at)
            && !self.lost
        {
            self.input(Input::Revoked(&[*task]));
            let records = self.choose(4);
            self.broker.others_work(*task, records, self.now);
        }
    }

    /// The session ended: others own the partitions and work on them before the worker is told.
    fn take_away(&mut self) {
        for task in self.positions.keys().copied().collect::<Vec<_>>() {
            self.broker.set_owner(task, Owner::Other);
            let records = self.choose(4);
            self.broker.others_work(task, records, self.now);
            self.lost = true;
        }
    }

    /// Tells what was lost, or assigns what nobody owns.
    fn rebalance(&mut self) {
        if self.lost {
            let lost: Vec<TaskId> = self.positions.keys().copied().collect();
            self.input(Input::Lost(&lost));
            self.lost = false;
        }
        let mut assignments = Vec::new();
        for partition in 0..PARTITIONS {
            let task = TaskId { topic: 0, partition };
            if !self.positions.contains_key(&task) && self.choose(3) < 2 {
                let (next, txn_seq) = self.broker.committed(task);
                assignments.push(Assignment { task, next: NextOffset(next), txn_seq });
            }
        }
        if !assignments.is_empty() {
            self.input(Input::Assigned(&assignments));
        }
    }

    fn restore(&mut self) {
        let Some(task) = self.restoring.pop() else { return };
        if let Some(state) = self.broker.changelog(task)
            && self.mutant != Some(Mutant::RestoreNothing)
        {
            self.worker.processor_mut().restore(task, b"state", Some(state.as_bytes())).unwrap();
        }
        self.input(Input::Restored(task));
        let said = self.worker.processor().complete_as_of.get(&task).map(|next| next.0);
        // Whoever does not know yet that the partition is another's reads what the other wrote.
        if !self.lost {
            assert_eq!(
                said,
                Some(self.broker.committed(task).0),
                "the state of {task:?} is complete as of its position"
            );
        }
    }

    fn unstall(&mut self) {
        if let Some(task) = self.stalled.pop() {
            self.input(Input::Unstalled(task));
        }
    }

    fn produce_failure(&mut self) {
        if matches!(self.worker.phase(), Phase::Open(_)) {
            self.send();
            self.input(Input::ProduceFailed(ProduceFault::Transient));
        }
    }

    fn crash(&mut self) {
        self.leave();
        self.effects = Effects::default();
        self.worker = new_worker(self.mutant);
    }

    /// Nothing is held any more, and the registration of the next producer ends what is open.
    fn leave(&mut self) {
        self.broker.abort();
        for task in std::mem::take(&mut self.positions).into_keys() {
            self.broker.set_owner(task, Owner::Nobody);
        }
        self.paused.clear();
        self.restoring.clear();
        self.stalled.clear();
        self.lost = false;
    }

    fn carry_out(&mut self) {
        while !self.effects.list.is_empty() {
            let effect = self.effects.list.remove(0);
            if let Some(input) = self.effect(effect) {
                self.worker.handle(input, self.now, &mut self.effects);
            }
        }
    }

    fn effect(&mut self, effect: Effect) -> Option<Input<'static>> {
        match effect {
            Effect::Begin => self.broker.begin(self.mutant == Some(Mutant::SkipTheAbort)),
            Effect::Commit(offsets) => return Some(Input::Ended(self.commit(offsets))),
            Effect::Abort => return Some(self.abort()),
            Effect::ResolveOutcome(offset) => return Some(Input::OutcomeRead(self.resolve(offset))),
            Effect::Seek(seeks) => self.seek(&seeks),
            Effect::Pause(task) => drop(self.paused.insert(task)),
            Effect::Resume(task) => drop(self.paused.remove(&task)),
            Effect::StartRestore(task) => self.restoring.push(task),
            Effect::Stalled(task, _) => self.stalled.push(task),
            Effect::Published { .. } => {}
            Effect::Assign(assignments) => {
                for assignment in assignments {
                    self.broker.set_owner(assignment.task, Owner::Us);
                    self.positions.insert(assignment.task, assignment.next.0);
                }
            }
            Effect::Unassign(tasks) => {
                for task in tasks {
                    self.positions.remove(&task).expect("only what is held is given back");
                    self.broker.set_owner(task, Owner::Nobody);
                    // As with librdkafka, a partition that comes back to the same consumer is still paused.
                    self.restoring.retain(|other| *other != task);
                    self.stalled.retain(|other| *other != task);
                }
            }
            Effect::Rejoin => self.leave(),
            Effect::Stop(_) => self.crash(),
        }
        None
    }

    fn seek(&mut self, seeks: &[(TaskId, NextOffset)]) {
        for (task, next) in seeks {
            let position = self.positions.get_mut(task).expect("only what is held is read");
            if self.mutant != Some(Mutant::SkipTheSeek) {
                *position = next.0;
            }
        }
    }

    fn send(&mut self) {
        let outputs = &self.effects.outputs;
        for record in outputs.records() {
            let value = String::from_utf8(outputs.value(record).unwrap().to_vec()).unwrap();
            let partition = record.target.partition.unwrap();
            let is_state = record.target.topic == Topic::ExperienceChangelog;
            self.broker.write(Written { partition, is_state, value });
        }
        self.effects.outputs.clear();
    }

    fn commit(&mut self, mut offsets: Vec<CommitOffset>) -> CommitOutcome {
        self.send();
        if self.broker.refuses() {
            if self.mutant == Some(Mutant::RejectWhateverComesNext) && self.broker.records_written() == 1 {
                self.worker.processor_mut().reject_next = true;
            }
            return CommitOutcome::Abortable(ProduceFault::Content);
        }
        if self.mutant == Some(Mutant::CommitTheRecordsOffset) {
            offsets.iter_mut().for_each(|offset| offset.next.0 -= 1);
        }
        let fate = self.choose(8);
        if !self.broker.owns_all() {
            self.broker.abort();
            return if fate == 5 { CommitOutcome::Indeterminate } else { CommitOutcome::Fenced };
        }
        match fate {
            4 => CommitOutcome::Abortable(ProduceFault::Transient),
            5 => {
                self.broker.commit(&offsets);
                CommitOutcome::Indeterminate
            }
            // Settled when the next producer registers.
            6 => CommitOutcome::Indeterminate,
            7 => CommitOutcome::Fenced,
            _ => {
                self.broker.commit(&offsets);
                CommitOutcome::Committed
            }
        }
    }

    fn abort(&mut self) -> Input<'static> {
        self.effects.outputs.clear();
        if self.choose(4) == 3 {
            return Input::AbortFailed;
        }
        if self.mutant != Some(Mutant::SkipTheAbort) {
            self.broker.abort();
        }
        Input::Aborted
    }

    fn resolve(&mut self, offset: CommitOffset) -> Option<u64> {
        self.broker.abort();
        match (self.mutant, self.choose(4)) {
            (Some(Mutant::IgnoreTxnSeqAndFold), _) => Some(offset.txn_seq),
            (Some(Mutant::IgnoreTxnSeqAndDrop), _) => Some(offset.txn_seq - 1),
            (_, 3) => None,
            // A driver that does not know yet that the partition is another's may read the other's number.
            _ => Some(self.broker.committed(offset.task).1),
        }
    }

    /// XO-3 and XO-4: what is held as committed is the fold of the committed input, of nothing else and of nothing less.
    fn check_state(&self) {
        for (task, restoring) in self.worker.tasks() {
            if restoring || self.lost {
                continue;
            }
            let held = &self.worker.processor().table[&task];
            let state = self.broker.changelog(task).map(|text| fold::State::decode(&text)).unwrap_or_default();
            assert_eq!(*held, state, "XO-3: state of {task:?} is that of the changelog");
            let mut records: Vec<i64> = held.applied.iter().chain(&held.rejected).copied().collect();
            records.sort_unstable();
            let consumed: Vec<i64> = (0..self.broker.committed(task).0).collect();
            assert_eq!(records, consumed, "XO-3: state of {task:?} is the fold of the committed input");
        }
    }
}

fn new_worker(mutant: Option<Mutant>) -> Worker<Fold> {
    Worker::new(options(), Fold::new(mutant))
}
