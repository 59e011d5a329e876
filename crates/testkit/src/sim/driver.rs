//! Effects of a worker, carried out on the simulated cluster, in the order in which `throughline_kafka::driver` carries
//! them out on librdkafka. Every call is a place where the process can be killed or stand still, and every answer can be
//! lost.

use throughline_model::{NextOffset, ReceivedAt, RecordOffset, Topic};
use throughline_worker::input::NoHeaders;
use throughline_worker::outputs::OutputRecord;
use throughline_worker::{
    CommitOffset, CommitOutcome, Effect, Input, InputRecord, Outputs, Phase, ProduceFault, StopReason, TaskId,
};

use super::cluster::{OffsetsRefused, TRANSACTION_TIMEOUT};
use super::disk::Kept;
use super::group::{Committed, Word};
use super::instance::{Instance, Queued, bit};
use super::item::{PARTITIONS, input_slot, refuses, slot_of};
use super::log::{Fetched, Isolation, Refusal};
use super::mutant::Mutant;
use super::world::{Halt, LateEnd, Turn, World};

/// How long an unknown outcome is asked for.
const OUTCOME_TIMEOUT: i64 = 10_000;
/// How long offsets are tried to be sent.
const OFFSETS_TIMEOUT: i64 = 4_000;
/// How long a stalled partition waits before it tries again.
const STALL_RETRY: i64 = 500;

impl World {
    /// Hands an input to a worker and carries out what it wants.
    pub(super) fn input(&mut self, i: usize, input: Input<'_>) -> Turn {
        let now = self.clock(i);
        let instance = &mut self.instances[i];
        instance.worker.handle(input, now, &mut instance.effects);
        self.carry_out(i)
    }

    fn carry_out(&mut self, i: usize) -> Turn {
        while !self.instances[i].effects.list.is_empty() {
            let effect = self.instances[i].effects.list.remove(0);
            self.note(|| format!("{i}: {effect:?}"));
            if let Some(input) = self.effect(i, effect)? {
                self.note(|| format!("{i}: <- {input:?}"));
                let now = self.clock(i);
                let instance = &mut self.instances[i];
                instance.worker.handle(input, now, &mut instance.effects);
            }
        }
        if std::mem::take(&mut self.instances[i].is_unchecked) {
            self.check_views(i);
        }
        Ok(())
    }

    /// XO-3 and XO-4: what a worker shows as committed.
    fn check_views(&mut self, i: usize) {
        let instance = &self.instances[i];
        let Some(fold) = instance.worker.processor().fold() else { return };
        let group = &self.cluster.groups[1];
        let is_idle = matches!(instance.worker.phase(), Phase::Idle);
        for partition in 0..PARTITIONS {
            if let Some(view) = fold.view(partition) {
                let holds = is_idle
                    && instance.positions[partition].is_some()
                    && !instance.member.is_lost
                    && group.holds(instance.member.credentials, partition);
                self.oracle.check_view(partition, view, holds);
            }
        }
    }

    fn effect(&mut self, i: usize, effect: Effect) -> Turn<Option<Input<'static>>> {
        match effect {
            Effect::Begin => self.begin(i)?,
            Effect::Commit(offsets) => return Ok(Some(Input::Ended(self.commit(i, &offsets)?))),
            Effect::Abort => {
                self.boundary(i)?;
                self.instances[i].is_unchecked = true;
                return Ok(Some(self.abort(i)));
            }
            Effect::ResolveOutcome(offset) => {
                let read = self.resolve(i, offset)?;
                self.instances[i].is_unchecked = true;
                return Ok(Some(Input::OutcomeRead(read)));
            }
            Effect::Assign(assignments) => {
                self.boundary(i)?;
                for at in assignments {
                    self.instances[i].take(at.task, at.next);
                }
            }
            Effect::Unassign(tasks) => {
                self.boundary(i)?;
                tasks.into_iter().for_each(|task| self.instances[i].let_go(task));
            }
            Effect::Seek(positions) => {
                for (task, next) in positions {
                    if !self.is(Mutant::SkipTheSeek) && self.instances[i].positions[task.partition as usize].is_some() {
                        self.instances[i].take(task, next);
                    }
                }
            }
            Effect::Pause(task) => self.instances[i].paused |= bit(task),
            Effect::Resume(task) => self.instances[i].paused &= !bit(task),
            Effect::StartRestore(task) => {
                let instance = &mut self.instances[i];
                let warm = self.mutant == Some(Mutant::RestoreNothing)
                    && instance.worker.processor().fold().is_some_and(|fold| fold.is_warm(task));
                if warm {
                    return Ok(Some(Input::Restored(task)));
                }
                instance.restore_queue.push(task);
            }
            Effect::Stalled(task, _) => {
                let until = self.now + STALL_RETRY;
                self.instances[i].stalled.push((task, until));
            }
            Effect::Rejoin => self.retake(i)?,
            Effect::Published { .. } => self.published(i),
            Effect::Stop(StopReason::Drained) => return Err(Halt::Ends("drained")),
            #[allow(unreachable_patterns, reason = "effects that only the real driver carries out")]
            _ => {}
        }
        Ok(None)
    }

    fn published(&mut self, i: usize) {
        let instance = &mut self.instances[i];
        instance.fenced = 0;
        instance.is_unchecked = true;
        self.log_committed(i);
        let instance = &mut self.instances[i];
        if let Some(fold) = instance.worker.processor_mut().fold_mut() {
            let counts = fold.take_counts();
            self.oracle.check_books(instance.process, counts);
        }
    }

    /// Takes records until the round is full, nothing is there, or the worker wants something done.
    pub(super) fn poll(&mut self, i: usize) -> Turn {
        self.poll_notices(i)?;
        let max = if self.calm { 8 } else { 1 + self.chance.below(6) };
        let first = self.chance.index(PARTITIONS);
        for _ in 0..max {
            let Some((task, entry)) = self.next_record(i, first)? else { break };
            let now = self.clock(i);
            let value = entry.value.map(|value| self.cluster.log.bytes(value));
            let instance = &mut self.instances[i];
            instance.positions[task.partition as usize] = Some(entry.offset + 1);
            let record = InputRecord {
                task,
                offset: RecordOffset(entry.offset),
                received_at: ReceivedAt::from_millis(entry.at),
                key: None,
                value,
                headers: &NoHeaders,
            };
            instance.worker.handle(Input::Record(record), now, &mut instance.effects);
            self.carry_out(i)?;
            if self.instances[i].worker.is_full() {
                break;
            }
        }
        // The driver hands outputs over before the commit where there are many.
        if !self.calm && self.chance.one_in(4) && matches!(self.instances[i].worker.phase(), Phase::Open(_)) {
            self.boundary(i)?;
            if let Err(fault) = self.try_send(i) {
                self.input(i, Input::ProduceFailed(fault))?;
            }
        }
        Ok(())
    }

    fn next_record(&self, i: usize, first: usize) -> Turn<Option<(TaskId, super::log::Entry)>> {
        let instance = &self.instances[i];
        for partition in (first..PARTITIONS).chain(0..first) {
            let Some(position) = instance.positions[partition].filter(|_| instance.paused & (1 << partition) == 0)
            else {
                continue;
            };
            match self.cluster.log.fetch(input_slot(instance.stage, partition), position, Isolation::Committed) {
                Fetched::Record(entry) => {
                    return Ok(Some((TaskId { topic: 0, partition: partition as i32 }, entry)));
                }
                Fetched::End(_) => {}
                Fetched::OutOfRange => return Err(Halt::Ends("its position is gone by retention")),
            }
        }
        Ok(None)
    }

    pub(super) fn unstall(&mut self, i: usize) -> Turn {
        let due: Vec<TaskId> =
            self.instances[i].stalled.iter().filter(|(_, until)| *until <= self.now).map(|(task, _)| *task).collect();
        for task in due {
            self.instances[i].stalled.retain(|(stalled, _)| *stalled != task);
            self.input(i, Input::Unstalled(task))?;
        }
        Ok(())
    }

    fn begin(&mut self, i: usize) -> Turn {
        self.boundary(i)?;
        if self.instances[i].outbox.is_open
            && !self.is(Mutant::SkipTheAbort)
            && !self.is(Mutant::TakeFailedAbortForDone)
        {
            assert!(self.mutant.is_some(), "a transaction is begun inside another");
            self.replace_producer(i)?;
        }
        self.instances[i].outbox.is_open = true;
        self.instances[i].kept.iter_mut().for_each(Kept::begun);
        Ok(())
    }

    /// Hands outputs to the producer, which sends some of them at once.
    fn try_send(&mut self, i: usize) -> Result<(), ProduceFault> {
        let Instance { effects, outbox, kept, .. } = &mut self.instances[i];
        for record in effects.outputs.records() {
            let queued = queue(&mut self.cluster.log, &effects.outputs, record);
            if let (Topic::ExperienceChangelog, Some(partition)) = (record.target.topic, record.target.partition) {
                let key = queued.key.expect("a changelog record has a key");
                kept[partition as usize].collect((key, queued.value));
            }
            if self.mutant == Some(Mutant::FireOutsideTheTransaction) && record.target.topic == Topic::Alerts {
                self.cluster.log.append(queued.slot, queued.key, queued.value, self.now);
            } else {
                outbox.queue.push_back(queued);
            }
        }
        effects.outputs.clear();
        if !self.chance.one_in(self.climate.slow_send) || self.calm {
            let some = 1 + self.chance.index(8);
            self.deliver(i, some);
        }
        self.failure(i)
    }

    fn failure(&mut self, i: usize) -> Result<(), ProduceFault> {
        match self.instances[i].outbox.failed {
            Some(_) if self.is(Mutant::IgnoreFailedOutputs) => Ok(()),
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    /// The cluster gets up to so many records of the queue.
    fn deliver(&mut self, i: usize, max: usize) {
        for _ in 0..max {
            let Some(queued) = self.instances[i].outbox.queue.pop_front() else { return };
            let producer = self.instances[i].outbox.producer.expect("a worker has a registered producer");
            let value = queued.value.map(|value| self.cluster.log.bytes(value));
            if value.is_some_and(|value| refuses(queued.slot, value, self.calm)) {
                return self.fail(i, ProduceFault::Content);
            }
            if !self.calm && self.chance.one_in(self.climate.produce * 4) {
                return self.fail(i, ProduceFault::Transient);
            }
            loop {
                match self.cluster.log.produce(producer, queued.slot, queued.key, queued.value, self.now) {
                    Ok(_) => break,
                    // The client asks again until the markers of the transaction before are written.
                    Err(Refusal::Concurrent) => self.cluster.write_marker(producer.id, self.now, &mut self.chance),
                    Err(_) => return self.fail(i, ProduceFault::Transient),
                }
            }
        }
    }

    /// A record failed; the ones behind it are purged.
    fn fail(&mut self, i: usize, fault: ProduceFault) {
        self.note(|| format!("{i}: an output fails: {fault:?}"));
        let outbox = &mut self.instances[i].outbox;
        outbox.failed.get_or_insert(fault);
        outbox.queue.clear();
    }

    fn commit(&mut self, i: usize, offsets: &[CommitOffset]) -> Turn<CommitOutcome> {
        self.check_views(i);
        self.boundary(i)?;
        let sent = self.try_send(i);
        let half = self.instances[i].outbox.queue.len() / 2;
        self.deliver(i, half);
        self.boundary(i)?;
        if !self.is(Mutant::EndBeforeDrain) {
            self.deliver(i, usize::MAX);
        }
        if let Err(fault) = sent.and_then(|()| self.failure(i)) {
            self.refused(i, fault);
            return Ok(CommitOutcome::Abortable(fault));
        }
        self.boundary(i)?;
        self.take_positions(i);
        if let Some(outcome) = self.send_offsets(i, offsets)? {
            return Ok(outcome);
        }
        self.boundary(i)?;
        if self.is(Mutant::LogBeforeCommit) {
            self.log_committed(i);
        }
        let outcome = self.end_transaction(i)?;
        self.boundary(i)?;
        Ok(outcome)
    }

    /// One of the deliberate mistakes: whatever comes after a record that was refused alone is rejected.
    fn refused(&mut self, i: usize, fault: ProduceFault) {
        let instance = &mut self.instances[i];
        let is_alone = matches!(instance.worker.phase(), Phase::Committing(txn) if txn.records == 1);
        if self.mutant == Some(Mutant::RejectWhateverComesNext)
            && fault == ProduceFault::Content
            && is_alone
            && let Some(fold) = instance.worker.processor_mut().fold_mut()
        {
            fold.reject_next();
        }
    }

    fn send_offsets(&mut self, i: usize, offsets: &[CommitOffset]) -> Turn<Option<CommitOutcome>> {
        let producer = self.instances[i].outbox.producer.expect("a worker has a registered producer");
        let one_back = i64::from(self.is(Mutant::CommitTheRecordsOffset));
        let by = self.instances[i].process;
        let mut list = [(0, Committed::default()); PARTITIONS];
        for (at, offset) in list.iter_mut().zip(offsets) {
            let committed = Committed { next: offset.next.0 - one_back, txn_seq: offset.txn_seq, by };
            *at = (offset.task.partition as usize, committed);
        }
        let list = &list[..offsets.len()];
        let only_timers = matches!(self.instances[i].worker.phase(), Phase::Committing(txn) if txn.records == 0);
        if self.is(Mutant::TimersWithoutOffset) && only_timers {
            return Ok(None);
        }
        // Read just before it is used: the generation moves with every rebalance.
        let member = &self.instances[i].member;
        let credentials = (!self.is(Mutant::OffsetsWithoutGeneration)).then_some(member.credentials);
        if member.is_lost && !self.is(Mutant::CommitWhileLost) {
            return Ok(Some(CommitOutcome::Abortable(ProduceFault::Transient)));
        }
        self.boundary(i)?;
        loop {
            let is_unheard = !self.calm && self.chance.one_in(self.climate.offsets_answer);
            if is_unheard && self.chance.one_in(2) {
                self.elapse(i, false, OFFSETS_TIMEOUT);
                return Ok(Some(CommitOutcome::Indeterminate));
            }
            let taken = self.cluster.send_offsets(producer, credentials, list, self.now);
            self.note(|| format!("{i}: offsets {list:?}: {taken:?}"));
            if is_unheard {
                self.elapse(i, false, OFFSETS_TIMEOUT);
                return Ok(Some(CommitOutcome::Indeterminate));
            }
            return match taken {
                Ok(()) => Ok(None),
                Err(OffsetsRefused::Transaction(Refusal::Concurrent)) => {
                    self.cluster.write_marker(producer.id, self.now, &mut self.chance);
                    continue;
                }
                Err(OffsetsRefused::Transaction(_)) => Ok(Some(CommitOutcome::Fenced)),
                Err(OffsetsRefused::Group(Word::FencedInstance)) => Err(Halt::Superseded),
                Err(OffsetsRefused::Group(_)) => Ok(Some(CommitOutcome::Abortable(ProduceFault::Transient))),
            };
        }
    }

    fn end_transaction(&mut self, i: usize) -> Turn<CommitOutcome> {
        let producer = self.instances[i].outbox.producer.expect("a worker has a registered producer");
        if !self.calm && self.chance.one_in(self.climate.end_refused) {
            return Ok(CommitOutcome::Abortable(ProduceFault::Transient));
        }
        if !self.calm && self.chance.one_in(self.climate.end_answer) {
            match self.chance.below(3) {
                // The request is lost.
                0 => {}
                // Its answer is.
                1 => {
                    let _ = self.cluster.end(producer, true);
                    self.decided();
                }
                // It arrives when nobody expects it any more.
                _ => self.late.push(LateEnd { producer, commits: true }),
            }
            // Now and then the process stands still while it waits, until its session has ended too.
            let freezes = self.chance.one_in(3);
            self.elapse(i, freezes, if freezes { 2 * TRANSACTION_TIMEOUT } else { TRANSACTION_TIMEOUT });
            return Ok(CommitOutcome::Indeterminate);
        }
        let ended = self.cluster.end(producer, true);
        self.decided();
        match ended {
            Ok(()) => {
                self.instances[i].outbox.is_open = false;
                self.instances[i].outbox.failed = None;
                Ok(CommitOutcome::Committed)
            }
            Err(Refusal::Fenced) => Ok(CommitOutcome::Fenced),
            Err(Refusal::Concurrent | Refusal::InvalidState) => Ok(CommitOutcome::Indeterminate),
        }
    }

    fn abort(&mut self, i: usize) -> Input<'static> {
        let instance = &mut self.instances[i];
        instance.effects.outputs.clear();
        instance.outbox.queue.clear();
        instance.outbox.failed = None;
        let producer = instance.outbox.producer.expect("a worker has a registered producer");
        if self.is(Mutant::SkipTheAbort) {
            return Input::Aborted;
        }
        if !self.calm && self.chance.one_in(self.climate.abort) {
            match self.chance.below(3) {
                0 => {}
                1 => drop(self.cluster.end(producer, false)),
                _ => self.late.push(LateEnd { producer, commits: false }),
            }
            return if self.is(Mutant::TakeFailedAbortForDone) { Input::Aborted } else { Input::AbortFailed };
        }
        match self.cluster.end(producer, false) {
            Ok(()) => {
                self.instances[i].outbox.is_open = false;
                Input::Aborted
            }
            Err(_) => Input::AbortFailed,
        }
    }

    /// Replaces the producer, which settles the transaction, and reads what was committed.
    fn resolve(&mut self, i: usize, offset: CommitOffset) -> Turn<Option<u64>> {
        let group = self.instances[i].stage;
        let partition = offset.task.partition as usize;
        if self.is(Mutant::ReuseTheProducer) {
            self.instances[i].outbox.is_open = false;
            return Ok(Some(self.cluster.groups[group].committed_now(partition).map_or(0, |at| at.txn_seq)));
        }
        self.replace_producer(i)?;
        match self.mutant {
            Some(Mutant::IgnoreTxnSeqAndFold) => return Ok(Some(offset.txn_seq)),
            Some(Mutant::IgnoreTxnSeqAndDrop) => return Ok(Some(offset.txn_seq - 1)),
            _ => {}
        }
        let deadline = self.now + OUTCOME_TIMEOUT;
        while self.now < deadline && !self.instances[i].member.is_lost {
            self.boundary(i)?;
            if !self.calm && self.chance.one_in(self.climate.offset_read) {
                let later = self.chance.pick(&[200, 3_000, 11_000]);
                self.elapse(i, false, later);
                continue;
            }
            match self.cluster.groups[group].committed(partition) {
                Err(_) => self.elapse(i, false, 300),
                Ok(None) => return Ok(Some(0)),
                // The same number from another process is somebody else's transaction.
                Ok(Some(at)) if at.txn_seq == offset.txn_seq && !self.is_ours(i, at, offset) => return Ok(None),
                Ok(Some(at)) => return Ok(Some(at.txn_seq)),
            }
        }
        Ok(None)
    }
}

impl World {
    fn is_ours(&self, i: usize, at: Committed, sent: CommitOffset) -> bool {
        let same = self.is(Mutant::IgnoreTheSender) || at.by == self.instances[i].process;
        same && NextOffset(at.next) == sent.next
    }
}

fn queue(log: &mut super::log::FakeLog, outputs: &Outputs, record: &OutputRecord) -> Queued {
    Queued {
        slot: slot_of(record.target.topic, record.target.partition),
        key: outputs.key(record).map(|key| log.keep(key)),
        value: outputs.value(record).map(|value| log.keep(value)),
    }
}
