//! Effects of the worker, carried out on librdkafka.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use throughline_model::NextOffset;
use throughline_worker::{CommitOffset, CommitOutcome, Effect, Input, Processor, ProduceFault, TaskId};

use super::membership::read_committed;
use super::metadata::metadata_of;
use super::{CommitTimes, Driver, DriverError, Observer, now};
use crate::classify::{Flags, Reaction, classify, reaction};
use crate::producer::OffsetsError;

/// How long a stalled partition waits before it tries again.
const STALL_RETRY: Duration = Duration::from_millis(500);
/// How long the report of the record that failed first is waited for.
const CAUSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the brokers may take to add offsets to a transaction before they are asked again.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an outcome may stay unreadable before everything is dropped.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(10);

impl<P: Processor, O: Observer<P>> Driver<P, O> {
    /// Carries out effects in order until none is left; what comes of them are further inputs.
    pub(super) fn carry_out(&mut self) -> Result<(), DriverError> {
        while !self.effects.list.is_empty() {
            let effect = self.effects.list.remove(0);
            if let Some(input) = self.effect(effect)? {
                self.tell(input);
            }
        }
        Ok(())
    }

    fn effect(&mut self, effect: Effect) -> Result<Option<Input<'static>>, DriverError> {
        match effect {
            Effect::Begin => self.begin()?,
            Effect::Commit(offsets) => return self.commit(&offsets).map(|outcome| Some(Input::Ended(outcome))),
            Effect::Abort => return Ok(Some(self.abort())),
            Effect::ResolveOutcome(offset) => {
                let read = self.resolve(offset)?;
                return Ok(Some(Input::OutcomeRead(read)));
            }
            Effect::Assign(assignments) => {
                let list = self.list(assignments.iter().map(|at| (at.task, Some(at.next))))?;
                self.consumer.incremental_assign(&list)?;
            }
            Effect::Unassign(tasks) => self.unassign(&tasks)?,
            Effect::Seek(positions) => self.seek(&positions)?,
            Effect::Pause(task) => {
                let list = self.list([(task, None)])?;
                self.consumer.pause(&list)?;
            }
            Effect::Resume(task) => {
                let list = self.list([(task, None)])?;
                self.consumer.resume(&list)?;
            }
            Effect::StartRestore(task) => {
                let continues = self.anchors.get(&task).is_some_and(|(_, txn_seq)| *txn_seq > 0);
                let warm = self.warm.take(task);
                self.restores.begin(task, continues, warm);
            }
            Effect::Stalled(task, stall) => {
                self.stalled.insert(task, (Instant::now() + STALL_RETRY, stall));
            }
            Effect::Rejoin => self.retake()?,
            Effect::Published { records } => {
                self.fenced = 0;
                self.txn_began = None;
                self.told.committed_at = Some(now().as_millis());
                self.told.unanswered_since = None;
                self.logs.committed();
                self.observer.committed(self.worker.processor_mut(), records, self.last_commit);
            }
            Effect::Stop(_) => self.stopped = true,
        }
        Ok(None)
    }

    fn list(
        &self,
        tasks: impl IntoIterator<Item = (TaskId, Option<NextOffset>)>,
    ) -> Result<TopicPartitionList, DriverError> {
        let mut list = TopicPartitionList::new();
        for (task, next) in tasks {
            let topic = &self.options.inputs[usize::from(task.topic)];
            match next {
                Some(next) => list.add_partition_offset(topic, task.partition, Offset::Offset(next.0))?,
                None => {
                    list.add_partition(topic, task.partition);
                }
            }
        }
        Ok(list)
    }

    fn begin(&mut self) -> Result<(), DriverError> {
        self.txn_began = Some(Instant::now());
        self.logs.begun();
        match self.producer.begin() {
            Ok(()) => Ok(()),
            Err(error) => {
                // Nothing was sent in it yet: a new producer may begin in its place.
                self.note_fault(classify(&error), &error);
                self.replace_producer()?;
                Ok(self.producer.begin()?)
            }
        }
    }

    /// Hands what is collected to the producer.
    pub(super) fn send_outputs(&mut self) -> Result<(), DriverError> {
        if let Err(fault) = self.try_send()? {
            self.input(Input::ProduceFailed(fault))?;
        }
        Ok(())
    }

    fn try_send(&mut self) -> Result<Result<(), ProduceFault>, DriverError> {
        let sent = self.producer.send(&self.effects.outputs);
        self.note_sent();
        self.observer.produced(&self.effects.outputs);
        self.logs.collect(&self.effects.outputs);
        self.effects.outputs.clear();
        // A record that is refused at once most often only echoes a delivery that failed before it.
        let code = match sent {
            Ok(()) => self.producer.take_failure(),
            Err(error) => Some(self.producer.take_failure().unwrap_or(error.code)),
        };
        code.map_or(Ok(Ok(())), |code| self.fault_of(code).map(Err))
    }

    /// What a failed output means. It never ends a worker: the transaction is aborted either way.
    fn fault_of(&mut self, code: RDKafkaErrorCode) -> Result<ProduceFault, DriverError> {
        let code = self.cause_of(code);
        let met = reaction(code, Flags::default());
        self.note_fault(met, &code);
        match met {
            Reaction::AbortContent => Ok(ProduceFault::Content),
            // A producer that failed for good refuses every record, whatever the cause; the abort that follows finds out which
            // it was, most often that the coordinator ended its transaction while this process stood still.
            Reaction::Stop if code != RDKafkaErrorCode::Fatal => {
                Err(DriverError::Client(rdkafka::error::KafkaError::MessageProduction(code)))
            }
            _ => Ok(ProduceFault::Transient),
        }
    }

    /// The failure behind an echo: siblings of a failed record are purged, and further records refused, before the report
    /// of the one that failed has been served.
    fn cause_of(&self, code: RDKafkaErrorCode) -> RDKafkaErrorCode {
        let is_echo = |code| {
            matches!(code, RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight | RDKafkaErrorCode::State)
        };
        let deadline = Instant::now() + CAUSE_TIMEOUT;
        let mut cause = code;
        while is_echo(cause) && Instant::now() < deadline {
            if let Some(reported) = self.producer.wait_failure(Duration::from_millis(20)) {
                cause = reported;
            }
        }
        cause
    }

    fn commit(&mut self, offsets: &[CommitOffset]) -> Result<CommitOutcome, DriverError> {
        self.note_size();
        let began = Instant::now();
        let deadline = began + self.options.transaction_age_max;
        if let Err(fault) = self.try_send()? {
            return Ok(CommitOutcome::Abortable(fault));
        }
        while !self.producer.drain(Duration::from_millis(100)) {
            if let Some(code) = self.producer.take_failure() {
                return Ok(CommitOutcome::Abortable(self.fault_of(code)?));
            }
            if Instant::now() > deadline {
                self.note_fault(Reaction::Abort, &"outputs were not acknowledged in time");
                return Ok(CommitOutcome::Abortable(ProduceFault::Transient));
            }
        }
        if let Some(code) = self.producer.take_failure() {
            return Ok(CommitOutcome::Abortable(self.fault_of(code)?));
        }
        let drained = Instant::now();
        self.logs.take_positions();
        if let Some(outcome) = self.send_offsets(offsets, deadline)? {
            return Ok(outcome);
        }
        let sent = Instant::now();
        let outcome = self.end_transaction()?;
        self.last_commit = CommitTimes {
            apply: std::mem::take(&mut self.applying),
            finish: std::mem::take(&mut self.finishing),
            drain: drained - began,
            offsets: sent - drained,
            commit: sent.elapsed(),
            publish: Duration::ZERO,
        };
        Ok(outcome)
    }

    fn send_offsets(
        &mut self,
        offsets: &[CommitOffset],
        deadline: Instant,
    ) -> Result<Option<CommitOutcome>, DriverError> {
        let list = self.list(offsets.iter().map(|offset| (offset.task, Some(offset.next))))?;
        for offset in offsets {
            let topic = &self.options.inputs[usize::from(offset.task.topic)];
            if let Some(mut at) = list.find_partition(topic, offset.task.partition) {
                at.set_metadata(metadata_of(offset.txn_seq, self.sender));
            }
        }
        loop {
            // Read just before it is used: the generation moves with every rebalance.
            let Some(group) = self.consumer.group_metadata() else { return Ok(Some(CommitOutcome::Fenced)) };
            // A consumer that lost its place presents no member id, and perhaps no generation. A group that is empty by now
            // would take that from anybody, and one that still knows the static id would say that another process has it.
            // Nor does one that the group forgot and took in again hold what it held (`expelled.rs`).
            if self.consumer.assignment_lost() || !self.is_member() {
                return Ok(Some(CommitOutcome::Abortable(ProduceFault::Transient)));
            }
            match self.producer.send_offsets(list.clone(), group, OFFSETS_TIMEOUT) {
                Ok(()) => return Ok(None),
                // Not committed, but this producer cannot even abort: the next one settles it.
                Err(error @ OffsetsError::Unanswered) => {
                    self.note_fault(Reaction::Ask, &error);
                    return Ok(Some(CommitOutcome::Indeterminate));
                }
                Err(OffsetsError::Thread(error)) => return Err(DriverError::Thread(error)),
                Err(OffsetsError::Client(error)) => {
                    let met = classify(&error);
                    self.note_fault(met, &error);
                    match met {
                        Reaction::Retry if Instant::now() < deadline => {}
                        Reaction::Retry | Reaction::Ask => return Ok(Some(CommitOutcome::Indeterminate)),
                        Reaction::Abort => return Ok(Some(CommitOutcome::Abortable(ProduceFault::Transient))),
                        Reaction::AbortContent => return Ok(Some(CommitOutcome::Abortable(ProduceFault::Content))),
                        Reaction::Rejoin => return Ok(Some(CommitOutcome::Fenced)),
                        Reaction::Stop => return Err(error.into()),
                    }
                }
            }
        }
    }

    fn end_transaction(&mut self) -> Result<CommitOutcome, DriverError> {
        match self.producer.commit(self.options.transaction_timeout) {
            Ok(()) => Ok(CommitOutcome::Committed),
            Err(error) => {
                let met = classify(&error);
                self.note_fault(met, &error);
                self.observer.ended_otherwise(match met {
                    Reaction::Rejoin => "fenced",
                    Reaction::Abort | Reaction::AbortContent => "aborted",
                    _ => "indeterminate",
                });
                match met {
                    // Timed out: it may have committed. Never a second attempt on this producer (KAFKA-17754).
                    Reaction::Retry | Reaction::Ask => Ok(CommitOutcome::Indeterminate),
                    Reaction::Abort => Ok(CommitOutcome::Abortable(ProduceFault::Transient)),
                    Reaction::AbortContent => Ok(CommitOutcome::Abortable(ProduceFault::Content)),
                    Reaction::Rejoin => Ok(CommitOutcome::Fenced),
                    Reaction::Stop => Err(error.into()),
                }
            }
        }
    }

    fn abort(&mut self) -> Input<'static> {
        self.effects.outputs.clear();
        self.txn_began = None;
        match self.producer.abort(self.options.transaction_timeout) {
            Ok(()) => {
                self.observer.ended_otherwise("aborted");
                Input::Aborted
            }
            Err(error) => {
                self.note_fault(classify(&error), &error);
                Input::AbortFailed
            }
        }
    }

    /// Replaces the producer, which settles the transaction at the coordinator, and reads what was committed.
    fn resolve(&mut self, offset: CommitOffset) -> Result<Option<u64>, DriverError> {
        tracing::warn!(worker = self.options.name, txn_seq = offset.txn_seq, "outcome unknown, asking");
        self.replace_producer()?;
        let deadline = Instant::now() + OUTCOME_TIMEOUT;
        while Instant::now() < deadline && !self.consumer.assignment_lost() {
            match read_committed(&self.consumer, &self.options.inputs, &[offset.task]) {
                Ok(found) => {
                    return Ok(match found[0] {
                        None => Some(0),
                        // The same number from somebody else, or at another position, is another transaction.
                        Some(at)
                            if at.txn_seq == offset.txn_seq && (at.sender != self.sender || at.next != offset.next) =>
                        {
                            None
                        }
                        Some(at) => Some(at.txn_seq),
                    });
                }
                Err(error) => self.note_fault(Reaction::Ask, &error),
            }
        }
        Ok(None)
    }

    fn seek(&mut self, positions: &[(TaskId, NextOffset)]) -> Result<(), DriverError> {
        let list = self.list(positions.iter().map(|(task, next)| (*task, Some(*next))))?;
        let done = self
            .consumer
            .seek_partitions(list, Duration::from_secs(10))
            .and_then(|done| done.elements().iter().try_for_each(|at| at.error()));
        if let Err(error) = done {
            // A partition that is not being fetched cannot be sought in: it is taken again at the position.
            self.note_fault(Reaction::Retry, &error);
            let bare = self.list(positions.iter().map(|(task, _)| (*task, None)))?;
            let again = self.list(positions.iter().map(|(task, next)| (*task, Some(*next))))?;
            self.consumer.incremental_unassign(&bare)?;
            self.consumer.incremental_assign(&again)?;
        }
        Ok(())
    }

    pub(super) fn unassign(&mut self, tasks: &[TaskId]) -> Result<(), DriverError> {
        for task in tasks {
            self.stalled.remove(task);
            self.restores.forget(*task);
            self.logs.close(task.partition);
        }
        let list = self.list(tasks.iter().map(|task| (*task, None)))?;
        // Lost partitions too: a cooperative consumer refuses to let go of everything at once, and without an answer to the
        // notice it never joins again.
        if let Err(error) = self.consumer.incremental_unassign(&list) {
            // A consumer that failed for good holds nothing that could be given back.
            self.note_fault(Reaction::Rejoin, &error);
        }
        Ok(())
    }
}
