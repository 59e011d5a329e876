//! Joining and leaving: clients made, notices of the group turned into inputs.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use throughline_model::NextOffset;
use throughline_worker::{Assignment, Input, Processor, TaskId};

use super::metadata::Committed;
use super::stranded::Looks;
use super::{Driver, DriverError, DriverOptions, FENCED_MAX, Observer, Start, now};
use crate::bounds::MemoryLevel;
use crate::classify::{Reaction, classify};
use crate::client::ClientOptions;
use crate::context::{Notice, WorkerContext};
use crate::producer::TxnProducer;

const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Transactions that are not ended are long timed out by then.
const UNREADABLE: Duration = Duration::from_secs(30);

/// A broker may complete a transaction without its markers (KAFKA-20734): offsets in it stay pending until somebody ends it.
const NEVER_ENDED: &str = "if the group's coordinator answers, a transaction on these offsets was never ended: find and \
                           abort it with kafka-transactions.sh find-hanging";

/// A registered producer; waits for brokers as long as the first connection may take.
pub(super) fn connect(client: &ClientOptions, options: &DriverOptions) -> Result<TxnProducer, DriverError> {
    let deadline = Instant::now() + options.connect_timeout;
    let mut pause = Duration::from_millis(100);
    loop {
        match new_producer(client, options) {
            Ok(producer) => return Ok(producer),
            Err(error) if classify(&error) != Reaction::Stop && Instant::now() < deadline => {
                tracing::warn!(worker = options.name, %error, "waiting for kafka");
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            Err(error) if classify(&error) == Reaction::Retry => {
                return Err(DriverError::Unreachable(error.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

pub(super) fn new_producer(client: &ClientOptions, options: &DriverOptions) -> Result<TxnProducer, KafkaError> {
    let timeout = u32::try_from(options.transaction_timeout.as_millis()).unwrap_or(u32::MAX);
    let config = client.producer(&options.name, &options.transactional_id, timeout);
    let producer = TxnProducer::new(&config, &options.outputs)?;
    producer.init(CALL_TIMEOUT)?;
    Ok(producer)
}

pub(super) fn join(
    client: &ClientOptions,
    options: &DriverOptions,
) -> Result<BaseConsumer<WorkerContext>, DriverError> {
    let session = u32::try_from(options.session_timeout.as_millis()).unwrap_or(u32::MAX);
    let config = client.consumer(&options.name, &options.group, &options.instance, session);
    let consumer: BaseConsumer<WorkerContext> = config.create_with_context(WorkerContext::default())?;
    let topics: Vec<&str> = options.inputs.iter().map(String::as_str).collect();
    consumer.subscribe(&topics)?;
    Ok(consumer)
}

/// Closes a consumer. A static member keeps its place in the group until its session ends.
pub(super) fn close(consumer: BaseConsumer<WorkerContext>) {
    consumer.context().close();
    drop(consumer);
}

impl<P: Processor, O: Observer<P>> Driver<P, O> {
    pub(super) fn notices(&mut self) -> Result<(), DriverError> {
        let joined = self.replaced;
        for notice in self.consumer.context().take_notices() {
            if self.replaced != joined {
                // A commit on revoke was fenced: what is left are notices of a consumer that is gone.
                break;
            }
            match notice {
                Notice::Assigned(partitions) => self.assigned(&partitions)?,
                Notice::Revoked { partitions, lost } => {
                    let kind = if lost { "lost" } else { "revoked" };
                    tracing::info!(worker = self.options.name, partitions = partitions.len(), "{kind}");
                    self.observer.rebalanced(kind, partitions.len());
                    let tasks = self.tasks_of(&partitions);
                    if !lost {
                        let identity = self.restores.identity.as_ref();
                        let has_room = self.control.memory().level() == MemoryLevel::Room;
                        let time = if has_room { self.options.restore.warm } else { Duration::ZERO };
                        self.warm.keep(&tasks, self.worker.processor(), &self.logs, identity, time);
                    }
                    if lost {
                        self.looks = Looks::anew();
                        self.tell_fenced();
                    }
                    self.leaving.clone_from(&tasks);
                    self.retaken = false;
                    self.input(if lost { Input::Lost(&tasks) } else { Input::Revoked(&tasks) })?;
                    self.leaving.clear();
                    if self.retaken && self.replaced == joined {
                        // The worker dropped everything meanwhile, these with it: the group still waits for an answer.
                        self.unassign(&tasks)?;
                    }
                }
            }
            self.publish_status();
        }
        Ok(())
    }

    fn tasks_of(&self, partitions: &[(String, i32)]) -> Vec<TaskId> {
        partitions
            .iter()
            .filter_map(|(topic, partition)| {
                let topic = self.options.inputs.iter().position(|name| name == topic)?;
                Some(TaskId { topic: topic as u16, partition: *partition })
            })
            .collect()
    }

    fn assigned(&mut self, partitions: &[(String, i32)]) -> Result<(), DriverError> {
        self.joined = true;
        self.note_membership();
        self.observer.rebalanced("assigned", partitions.len());
        tracing::info!(worker = self.options.name, partitions = partitions.len(), "assigned");
        let tasks = self.tasks_of(partitions);
        if tasks.is_empty() {
            // librdkafka waits for an answer even to an empty assignment.
            self.consumer.incremental_assign(&TopicPartitionList::new())?;
            return Ok(());
        }
        let committed = self.committed(&tasks)?;
        let mut assignments = Vec::with_capacity(tasks.len());
        for (task, committed) in tasks.iter().zip(committed) {
            self.anchors.remove(task);
            let (next, txn_seq) = match committed {
                Some(found) => {
                    self.check_input(*task, found.next)?;
                    self.anchors.insert(*task, (found.next, found.txn_seq));
                    (found.next, found.txn_seq)
                }
                None => (self.first_offset(*task)?, 0),
            };
            assignments.push(Assignment { task: *task, next, txn_seq });
        }
        self.input(Input::Assigned(&assignments))
    }

    /// Committed offsets with their numbers. The read waits for transactions that are about to move them, because the
    /// consumer is read-committed.
    fn committed(&mut self, tasks: &[TaskId]) -> Result<Vec<Option<Committed>>, DriverError> {
        let (mut pause, asked) = (Duration::from_millis(100), Instant::now());
        loop {
            match read_committed(&self.consumer, &self.options.inputs, tasks) {
                Ok(found) => return Ok(found),
                Err(error) if classify(&error) == Reaction::Retry => {
                    if asked.elapsed() < UNREADABLE {
                        self.note_fault(Reaction::Retry, &error);
                    } else {
                        self.note_fault(Reaction::Retry, &format!("{error}; {NEVER_ENDED}"));
                    }
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(CALL_TIMEOUT);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn first_offset(&mut self, task: TaskId) -> Result<NextOffset, DriverError> {
        let topic = self.options.inputs[usize::from(task.topic)].clone();
        let earliest = self.options.changelog.is_some() || self.options.start == Start::Earliest;
        let mut pause = Duration::from_millis(50);
        loop {
            match self.consumer.fetch_watermarks(&topic, task.partition, CALL_TIMEOUT) {
                Ok((low, high)) => return Ok(NextOffset(if earliest { low } else { high })),
                // A topic that was just made has no leader for a moment.
                Err(error) if classify(&error) == Reaction::Retry => {
                    self.note_fault(Reaction::Retry, &error);
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(CALL_TIMEOUT);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// For people: what was held is somebody else's, or has to be taken anew.
    fn tell_fenced(&mut self) {
        let times = self.told.fenced.map_or(0, |(_, times)| times);
        self.told.fenced = Some((now().as_millis(), times + 1));
    }

    /// Forgets everything that belonged to what the worker held.
    fn forget_held(&mut self) -> Result<(), DriverError> {
        self.fenced += 1;
        self.tell_fenced();
        if self.fenced >= FENCED_MAX {
            return Err(DriverError::FencedRepeatedly(self.fenced, self.options.transactional_id.clone()));
        }
        self.observer.rebalanced("rejoined", 0);
        self.restores.forget_all();
        self.logs.close_all();
        self.anchors.clear();
        self.stalled.clear();
        self.txn_began = None;
        Ok(())
    }

    /// Drops what was held and takes the partitions that are still assigned anew, with a new producer: their offsets are
    /// read and their state is restored.
    ///
    /// The consumer stays. A fresh one would join under the same static id while the group may be waiting for the old one
    /// to give partitions back: it owns none, never gives any back, and they would stay unassigned.
    pub(super) fn retake(&mut self) -> Result<(), DriverError> {
        tracing::warn!(worker = self.options.name, "fenced, taking partitions anew");
        self.forget_held()?;
        self.retaken = true;
        self.replace_producer()?;
        if self.consumer.assignment_lost() && self.leaving.is_empty() {
            // The notice that says so follows.
            return Ok(());
        }
        if !self.is_member() {
            // Nothing of it is ours: it is given back.
            return Ok(());
        }
        let assigned = self.consumer.assignment()?;
        let held: Vec<(String, i32)> =
            assigned.elements().iter().map(|at| (at.topic().to_owned(), at.partition())).collect();
        let stays: Vec<TaskId> = self.tasks_of(&held).into_iter().filter(|task| !self.leaving.contains(task)).collect();
        if stays.is_empty() {
            return Ok(());
        }
        self.unassign(&stays)?;
        let names = |task: &TaskId| (self.options.inputs[usize::from(task.topic)].clone(), task.partition);
        let again: Vec<(String, i32)> = stays.iter().map(names).collect();
        self.assigned(&again)
    }

    /// Replaces producer and consumer: this consumer can do nothing more.
    pub(super) fn rejoin(&mut self) -> Result<(), DriverError> {
        tracing::warn!(worker = self.options.name, "joining again");
        self.forget_held()?;
        self.replaced += 1;
        self.looks = Looks::anew();
        let fresh = join(&self.client, &self.options)?;
        close(std::mem::replace(&mut self.consumer, fresh));
        self.replace_producer()
    }

    pub(super) fn replace_producer(&mut self) -> Result<(), DriverError> {
        self.observer.producer_recreated();
        let mut pause = Duration::from_millis(100);
        loop {
            match new_producer(&self.client, &self.options) {
                Ok(producer) => {
                    self.producer = producer;
                    return Ok(());
                }
                Err(error) if classify(&error) == Reaction::Stop => return Err(error.into()),
                Err(error) => {
                    self.note_fault(Reaction::Retry, &error);
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(CALL_TIMEOUT);
                }
            }
        }
    }
}

pub(super) fn read_committed(
    consumer: &BaseConsumer<WorkerContext>,
    inputs: &[String],
    tasks: &[TaskId],
) -> Result<Vec<Option<Committed>>, KafkaError> {
    let mut list = TopicPartitionList::new();
    for task in tasks {
        list.add_partition(&inputs[usize::from(task.topic)], task.partition);
    }
    let found = consumer.committed_offsets(list, CALL_TIMEOUT)?;
    let mut committed = Vec::with_capacity(tasks.len());
    for task in tasks {
        let at = found.find_partition(&inputs[usize::from(task.topic)], task.partition);
        committed.push(match at {
            Some(at) => {
                at.error()?;
                match at.offset() {
                    Offset::Offset(offset) => Some(Committed::read(NextOffset(offset), at.metadata())),
                    _ => None,
                }
            }
            None => None,
        });
    }
    Ok(committed)
}
