//! One thread that runs a worker on librdkafka: polls, hands over, carries out effects, reports what came of them.

mod carry_out;
mod expelled;
mod local;
mod membership;
mod metadata;
mod refusal;
mod restoring;
mod stranded;
mod telling;
mod warm;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers, Message};
use throughline_model::{NextOffset, Now, Partition, ReceivedAt, RecordOffset, Stage};
use throughline_worker::input::RecordHeaders;
use throughline_worker::{
    CommitOutcome, Effects, Input, InputRecord, Outputs, Phase, Processor, Stall, TaskId, Worker, WorkerOptions,
};

use crate::bounds::{BoundReport, MemoryGauge, MemoryLevel};
use crate::classify::{Reaction, classify};
use crate::client::ClientOptions;
use crate::context::WorkerContext;
use crate::driver::local::CommittedLogs;
use crate::driver::telling::Told;
use crate::driver::warm::WarmPartitions;
use crate::metrics::PauseReason;
use crate::producer::TxnProducer;
use crate::restore::{RestoreOptions, RestoreProgress, Restores};
use crate::status::{Lag, WorkerStatus};

/// Where a source partition starts that the group has no offset for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At its first record.
    Earliest,
    /// After its last record.
    Latest,
}

/// What one worker thread needs to know.
#[derive(Debug, Clone)]
pub struct DriverOptions {
    /// Stage.
    pub stage: Stage,
    /// Name in logs and status: stage and number.
    pub name: String,
    /// Consumer group.
    pub group: String,
    /// Static member id, stable over restarts.
    pub instance: String,
    /// Transactional id, stable over restarts.
    pub transactional_id: String,
    /// Input topics; tasks refer to them by index.
    pub inputs: Vec<String>,
    /// Names of the output topics in the order of their codes.
    pub outputs: Vec<String>,
    /// Changelog topic of a stateful stage.
    pub changelog: Option<String>,
    /// Start of input partitions without a committed offset.
    pub start: Start,
    /// Limits of a transaction.
    pub worker: WorkerOptions,
    /// `transaction.timeout.ms`.
    pub transaction_timeout: Duration,
    /// A transaction that cannot be ended in this time is given up.
    pub transaction_age_max: Duration,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// How long the first connection may take.
    pub connect_timeout: Duration,
    /// Records taken from one poll round before the worker looks at the clock.
    pub poll_records_max: usize,
    /// How state is read back.
    pub restore: RestoreOptions,
}

/// Told from outside, and telling the outside.
#[derive(Debug, Default)]
pub struct Control {
    drain: AtomicBool,
    status: Mutex<WorkerStatus>,
    memory: Arc<MemoryGauge>,
}

impl Control {
    /// A worker that waits while this memory is short.
    #[must_use]
    pub fn with_memory(memory: Arc<MemoryGauge>) -> Self {
        Self { memory, ..Self::default() }
    }

    pub(crate) fn memory(&self) -> &MemoryGauge {
        &self.memory
    }

    fn publish(&self, status: WorkerStatus) {
        *self.status.lock().expect("no panic while holding a status") = status;
    }

    /// Asks the worker to finish what is open and stop.
    pub fn drain(&self) {
        self.drain.store(true, Ordering::Release);
    }

    /// What the worker does right now.
    #[must_use]
    pub fn status(&self) -> WorkerStatus {
        self.status.lock().expect("no panic while holding a status").clone()
    }
}

/// Counts what happens; the composition root turns it into metrics.
pub trait Observer<P>: Send {
    /// A transaction committed: what the processor counted since the last one can be taken.
    fn committed(&mut self, _processor: &mut P, _records: u64, _took: CommitTimes) {}
    /// A transaction was dropped, or its outcome had to be asked for.
    fn ended_otherwise(&mut self, _outcome: &'static str) {}
    /// Partitions came or went.
    fn rebalanced(&mut self, _kind: &'static str, _partitions: usize) {}
    /// Something went wrong, and how it is met.
    fn fault(&mut self, _reaction: Reaction) {}
    /// The producer was replaced.
    fn producer_recreated(&mut self) {}
    /// Outputs are handed to the producer.
    fn produced(&mut self, _outputs: &Outputs) {}
    /// Lag of the owned partitions.
    fn lag(&mut self, _lag: &[Lag]) {}
    /// Once a second, and when it is over: how far the restore of a partition is.
    fn restore(&mut self, _partition: Partition, _progress: RestoreProgress, _is_over: bool) {}
    /// Once a second: partitions that are not read, in the order of [`PauseReason::ALL`].
    fn paused(&mut self, _partitions: &[usize; PauseReason::ALL.len()]) {}
    /// Once a second: how full the bounds of the worker are; the observer adds those it knows of.
    fn bounds(&mut self, _processor: &mut P, _report: &mut BoundReport) {}
    /// Once a second: sizes.
    fn tick(&mut self, _processor: &mut P) {}
}

/// How long the parts of a commit took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommitTimes {
    /// Taking records and applying them, waits left out.
    pub apply: Duration,
    /// Firing timers and writing what is coalesced.
    pub finish: Duration,
    /// Handing outputs over and waiting for their acknowledgements.
    pub drain: Duration,
    /// Sending offsets.
    pub offsets: Duration,
    /// The commit itself.
    pub commit: Duration,
    /// Folding the overlay into committed state.
    pub publish: Duration,
}

/// Why a worker thread ended other than by a drain.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// No broker answered.
    #[error("kafka is not reachable: {0}")]
    Unreachable(String),
    /// An error that nobody has classified.
    #[error("kafka client failed: {0}")]
    Client(#[from] KafkaError),
    /// State of another deployment, or of a format that this program does not read.
    #[error("state of {topic}[{partition}] cannot be continued: {why}")]
    State {
        /// Changelog topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// What differs, and what to do.
        why: String,
    },
    /// The input is not the one that the group has read.
    #[error("input {topic}[{partition}] cannot be continued: {why}")]
    Input {
        /// Input topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// What differs, and what to do.
        why: String,
    },
    /// The brokers refuse, and will refuse again: a right is missing, or they are too old.
    #[error("{0}")]
    Refused(String),
    /// Fenced again and again.
    #[error("fenced {0} times without a commit between: another deployment uses the transactional id {1}")]
    FencedRepeatedly(u32, String),
    /// The machine gives no more threads.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// Another process is this static member.
    #[error("another process is member {0}: give each process of a deployment its own instance.ordinal")]
    Superseded(String),
}

/// Fencings without a commit between after which a worker gives up.
const FENCED_MAX: u32 = 5;

pub(super) struct Driver<P, O> {
    client: ClientOptions,
    options: DriverOptions,
    control: Arc<Control>,
    observer: O,
    worker: Worker<P>,
    effects: Effects,
    consumer: BaseConsumer<WorkerContext>,
    producer: TxnProducer,
    restores: Restores,
    logs: CommittedLogs,
    warm: WarmPartitions,
    /// What the group had committed at the assignment: position and `txn_seq`. Without it the changelog must be empty.
    anchors: BTreeMap<TaskId, (NextOffset, u64)>,
    stalled: BTreeMap<TaskId, (Instant, Stall)>,
    txn_began: Option<Instant>,
    /// Time spent on the records of the open transaction.
    applying: Duration,
    /// Time spent on finishing it.
    finishing: Duration,
    last_commit: CommitTimes,
    fenced: u32,
    /// Consumers replaced since the start; tells whose notices are being read.
    replaced: u64,
    /// Partitions that a notice being handled takes away.
    leaving: Vec<TaskId>,
    /// Everything was dropped and taken anew while a notice was handled.
    retaken: bool,
    joined: bool,
    stopped: bool,
    last_second: Instant,
    lags: Vec<Lag>,
    told: Told,
    /// Received time of the last record taken, by partition; the one being read now stands beside it.
    received: BTreeMap<TaskId, i64>,
    receiving: Option<(TaskId, i64)>,
    /// Tells our transactions from those of others with the same number.
    sender: u64,
    looks: stranded::Looks,
    membership: expelled::Membership,
}

/// Runs a worker until it is drained.
///
/// # Errors
/// If Kafka cannot be reached at first, if state must not be continued, or on an error that nobody has classified.
pub fn run<P: Processor, O: Observer<P>>(
    client: ClientOptions,
    options: DriverOptions,
    processor: P,
    control: Arc<Control>,
    observer: O,
) -> Result<(), DriverError> {
    let producer = membership::connect(&client, &options).map_err(|error| advised(error, &options))?;
    let consumer = membership::join(&client, &options).map_err(|error| advised(error, &options))?;
    let worker = Worker::new(options.worker, processor);
    let changelog = options.changelog.clone().unwrap_or_default();
    let restores = Restores::new(client.clone(), &options.name, changelog, options.restore.clone());
    let logs = CommittedLogs::new(&client, &options);
    let mut driver = Driver {
        client,
        options,
        control,
        observer,
        worker,
        effects: Effects::default(),
        consumer,
        producer,
        restores,
        logs,
        warm: WarmPartitions::default(),
        anchors: BTreeMap::new(),
        stalled: BTreeMap::new(),
        txn_began: None,
        applying: Duration::ZERO,
        finishing: Duration::ZERO,
        last_commit: CommitTimes::default(),
        fenced: 0,
        replaced: 0,
        leaving: Vec::new(),
        retaken: false,
        joined: false,
        stopped: false,
        last_second: Instant::now(),
        lags: Vec::new(),
        told: Told::default(),
        received: BTreeMap::new(),
        receiving: None,
        sender: metadata::new_sender(),
        looks: stranded::Looks::anew(),
        membership: expelled::Membership::default(),
    };
    let result = driver.run().map_err(|error| advised(error, &driver.options));
    driver.logs.close_all();
    driver.publish_status();
    membership::close(driver.consumer);
    result
}

/// An error of the client says what to do where that is known.
fn advised(error: DriverError, options: &DriverOptions) -> DriverError {
    match &error {
        DriverError::Client(client) => refusal::advice(client, options).map_or(error, DriverError::Refused),
        _ => error,
    }
}

/// The clock of the edge.
pub(super) fn now() -> Now {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl<P: Processor, O: Observer<P>> Driver<P, O> {
    fn run(&mut self) -> Result<(), DriverError> {
        self.publish_status();
        while !self.stopped {
            self.poll()?;
            self.notices()?;
            self.leave_if_expelled();
            self.step_restores()?;
            self.unstall()?;
            self.watch_memory()?;
            if self.control.drain.load(Ordering::Acquire) {
                self.input(Input::Drain)?;
            } else {
                self.input(Input::Tick)?;
            }
            self.every_second();
        }
        Ok(())
    }

    /// Hands an input to the worker and carries out what it wants.
    pub(super) fn input(&mut self, input: Input<'_>) -> Result<(), DriverError> {
        self.tell(input);
        self.carry_out()
    }

    /// Hands an input to the worker. Two of its steps are parts of a commit, and their time is taken.
    fn tell(&mut self, input: Input<'_>) {
        let began = Instant::now();
        let was_ending = matches!(self.worker.phase(), Phase::Committing(_));
        let ends = matches!(input, Input::Ended(CommitOutcome::Committed) | Input::OutcomeRead(_));
        self.worker.handle(input, now(), &mut self.effects);
        if ends {
            self.last_commit.publish = began.elapsed();
        } else if !was_ending && matches!(self.worker.phase(), Phase::Committing(_)) {
            self.finishing = began.elapsed();
        }
    }

    /// What is kept for convenience goes first; where that is not enough, sources wait.
    fn watch_memory(&mut self) -> Result<(), DriverError> {
        let level = self.control.memory().level();
        if level != MemoryLevel::Room {
            self.warm.clear();
        }
        if level == self.worker.memory_level() {
            return Ok(());
        }
        let before = self.worker.is_pressed();
        self.input(Input::Memory(level))?;
        if before != self.worker.is_pressed() {
            self.note_pressure(!before);
            self.publish_status();
        }
        Ok(())
    }

    /// Takes records until the round is full, nothing is there, or the worker wants something done.
    fn poll(&mut self) -> Result<(), DriverError> {
        // While only restores go on, waiting here would slow them down.
        let mut wait = self.restores.patience();
        let at = now();
        let mut busy = None;
        for _ in 0..self.options.poll_records_max {
            // The borrow of the consumer ends before effects are carried out: the record is handed over by reference.
            let polled = self.consumer.poll(wait);
            wait = Duration::ZERO;
            match polled {
                Some(Ok(message)) => {
                    busy.get_or_insert_with(Instant::now);
                    let Some(topic) = self.options.inputs.iter().position(|name| name == message.topic()) else {
                        continue;
                    };
                    let taken = hand_over(&mut self.worker, &mut self.effects, &message, topic, at);
                    if let Some(before) = self.receiving.replace(taken)
                        && before.0 != taken.0
                    {
                        self.received.insert(before.0, before.1);
                    }
                }
                Some(Err(error)) => {
                    self.poll_failed(&error)?;
                    break;
                }
                None => break,
            }
            if !self.effects.list.is_empty() {
                self.carry_out()?;
            }
            if self.worker.is_full() {
                break;
            }
        }
        self.applying += busy.map_or(Duration::ZERO, |since| since.elapsed());
        if self.effects.outputs.bytes() > 1 << 20 {
            self.send_outputs()?;
        }
        Ok(())
    }

    fn poll_failed(&mut self, error: &KafkaError) -> Result<(), DriverError> {
        let reaction = classify(error);
        self.note_fault(reaction, error);
        if error.rdkafka_error_code() == Some(rdkafka::error::RDKafkaErrorCode::FencedInstanceId) {
            return self.member_fenced();
        }
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
            // This consumer can do nothing more: what it held is lost, and another one joins in its place.
            let tasks: Vec<TaskId> = self.worker.tasks().map(|(task, _)| task).collect();
            self.input(Input::Lost(&tasks))?;
            return self.rejoin();
        }
        match reaction {
            Reaction::Retry | Reaction::Abort | Reaction::AbortContent => Ok(()),
            // The group has spoken: the notice that follows says which partitions are lost.
            Reaction::Rejoin | Reaction::Ask => Ok(()),
            Reaction::Stop => match error {
                KafkaError::MessageConsumption(rdkafka::error::RDKafkaErrorCode::AutoOffsetReset)
                | KafkaError::MessageConsumption(rdkafka::error::RDKafkaErrorCode::OffsetOutOfRange) => {
                    Err(self.overtaken(error))
                }
                _ => Err(DriverError::Client(error.clone())),
            },
        }
    }

    fn unstall(&mut self) -> Result<(), DriverError> {
        if self.stalled.is_empty() {
            return Ok(());
        }
        let due: Vec<TaskId> =
            self.stalled.iter().filter(|(_, (again, _))| *again <= Instant::now()).map(|(task, _)| *task).collect();
        for task in due {
            self.stalled.remove(&task);
            self.input(Input::Unstalled(task))?;
        }
        Ok(())
    }
}

fn hand_over<P: Processor>(
    worker: &mut Worker<P>,
    effects: &mut Effects,
    polled: &BorrowedMessage<'_>,
    topic: usize,
    at: Now,
) -> (TaskId, i64) {
    let headers = polled.headers();
    let borrowed = RdHeaders(headers);
    let record = InputRecord {
        task: TaskId { topic: topic as u16, partition: polled.partition() },
        offset: RecordOffset(polled.offset()),
        received_at: ReceivedAt::from_millis(polled.timestamp().to_millis().unwrap_or(at.as_millis())),
        key: polled.key(),
        value: polled.payload(),
        headers: &borrowed,
    };
    worker.handle(Input::Record(record), at, effects);
    (record.task, record.received_at.as_millis())
}

struct RdHeaders<'m>(Option<&'m BorrowedHeaders>);

impl std::fmt::Debug for RdHeaders<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} headers", self.count())
    }
}

impl RecordHeaders for RdHeaders<'_> {
    fn count(&self) -> usize {
        self.0.map_or(0, Headers::count)
    }

    fn at(&self, at: usize) -> (&str, Option<&[u8]>) {
        self.0.map_or(("", None), |headers| {
            let header = headers.get(at);
            (header.key, header.value)
        })
    }
}
