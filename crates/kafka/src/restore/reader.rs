//! The thread that reads: local logs first, then what the changelog has beyond them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use throughline_worker::TaskId;

use super::{Origin, Quiet, RestoreOptions, WarmState};
use crate::classify::{Reaction, classify};
use crate::client::ClientOptions;
use crate::local_log::format::{Identity, Position, RECORDS_HEAD, RecordsBlock};
use crate::local_log::{Claim, Keeper, LogWriter, Survey, Verdict, now_millis, read, survey};
use crate::topic_id::{TopicIdentity, identify};

/// Bytes of records that travel together.
const BLOCK_BYTES: usize = 256 << 10;
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the brokers are asked who the changelog is: not all of them know the question.
const IDENTIFY_MAX: u32 = 2;
/// How often it is looked whether an open transaction has ended.
const STABLE_INTERVAL: Duration = Duration::from_millis(20);
/// How long a fault of the brokers is waited out.
const FAULT_PAUSE: Duration = Duration::from_millis(200);

/// A partition to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    /// Tells it from earlier and later restores of the same partition.
    pub(super) run: u64,
    pub(super) task: TaskId,
    /// The group has committed something for its input.
    pub(super) continues: bool,
}

/// What a reader has to say.
#[derive(Debug)]
pub(super) enum Piece {
    Began {
        run: u64,
        task: TaskId,
        total: u64,
    },
    /// A payload as in [`crate::local_log::format`].
    Records {
        run: u64,
        task: TaskId,
        origin: Origin,
        payload: Vec<u8>,
        remaining: u64,
    },
    /// What came so far does not count: the partition is read from the start.
    Again {
        run: u64,
        task: TaskId,
    },
    Finished {
        run: u64,
        task: TaskId,
        log: Option<Box<(Claim, LogWriter)>>,
        end: Position,
    },
    /// The changelog that is read.
    Identified(TopicIdentity),
    Refused {
        run: u64,
        task: TaskId,
        why: String,
    },
    /// Met by trying again.
    Fault(KafkaError),
    /// Not worth another try.
    Failed(KafkaError),
    /// The thread ends.
    Left {
        panicked: bool,
    },
}

/// The worker is gone: nobody wants what is read.
#[derive(Debug)]
struct Gone;

/// Why a step did not succeed.
enum Trouble {
    Gone,
    Client(KafkaError),
}

impl From<Gone> for Trouble {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<KafkaError> for Trouble {
    fn from(error: KafkaError) -> Self {
        Self::Client(error)
    }
}

/// A partition whose last stable offset is still behind the high watermark of its assignment.
struct Waiting {
    job: Job,
    high: i64,
    from: i64,
    log: Option<(Claim, LogWriter)>,
}

/// A partition being read.
struct Reading {
    job: Job,
    block: RecordsBlock,
    /// Next offset.
    next: i64,
    /// Everything before it was there when reading began.
    end: i64,
    /// When that was.
    at: i64,
    log: Option<(Claim, LogWriter)>,
}

/// One reader.
pub(super) struct Reader {
    client: ClientOptions,
    client_id: String,
    topic: String,
    options: RestoreOptions,
    fresh: Vec<Job>,
    /// What was kept of fresh partitions, by run.
    warm: BTreeMap<u64, WarmState>,
    waiting: BTreeMap<i32, Waiting>,
    reading: BTreeMap<i32, Reading>,
    pieces: Pieces,
    forgotten: Arc<Mutex<BTreeSet<u64>>>,
    identity: Option<TopicIdentity>,
    /// How often the brokers were asked in vain, and that they do not tell.
    asked: u32,
    is_anonymous: bool,
    assigned: bool,
}

/// Tells the worker that the thread ends, however it ends.
struct Pieces(mpsc::SyncSender<Piece>);

impl Pieces {
    fn send(&self, piece: Piece) -> Result<(), Gone> {
        self.0.send(piece).map_err(|_| Gone)
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        let _gone = self.0.send(Piece::Left { panicked: std::thread::panicking() });
    }
}

/// Clients of one reader: what is committed, and where it ends.
struct Clients {
    committed: BaseConsumer<Quiet>,
    uncommitted: BaseConsumer<Quiet>,
}

impl Reader {
    pub(super) fn new(
        client: ClientOptions,
        client_id: &str,
        topic: &str,
        options: RestoreOptions,
        jobs: Vec<(Job, Option<WarmState>)>,
        pieces: mpsc::SyncSender<Piece>,
        forgotten: Arc<Mutex<BTreeSet<u64>>>,
    ) -> Self {
        let fresh = jobs.iter().map(|(job, _)| *job).collect();
        let warm = jobs.into_iter().filter_map(|(job, warm)| Some((job.run, warm?))).collect();
        Self {
            client,
            client_id: client_id.to_owned(),
            topic: topic.to_owned(),
            options,
            fresh,
            warm,
            waiting: BTreeMap::new(),
            reading: BTreeMap::new(),
            pieces: Pieces(pieces),
            forgotten,
            identity: None,
            asked: 0,
            is_anonymous: false,
            assigned: false,
        }
    }

    /// Reads until nothing is left, or nobody wants it.
    pub(super) fn run(mut self) {
        let mut clients = None;
        loop {
            match self.round(&mut clients) {
                Ok(true) | Err(Trouble::Gone) => return,
                Ok(false) => {}
                Err(Trouble::Client(error)) if classify(&error) == Reaction::Retry => {
                    if self.pieces.send(Piece::Fault(error)).is_err() {
                        return;
                    }
                    std::thread::sleep(FAULT_PAUSE);
                }
                Err(Trouble::Client(error)) => {
                    let _gone = self.pieces.send(Piece::Failed(error));
                    return;
                }
            }
        }
    }

    /// One round: what is fresh is looked at, what waits is admitted, what is there is read. True when nothing is left.
    fn round(&mut self, clients: &mut Option<Clients>) -> Result<bool, Trouble> {
        let clients = match clients {
            Some(clients) => clients,
            None => clients.insert(self.connect()?),
        };
        self.drop_forgotten();
        for at in (0..self.fresh.len()).rev() {
            if self.prepare(self.fresh[at], clients)? {
                self.fresh.remove(at);
            }
        }
        self.admit(clients)?;
        let is_done = self.fresh.is_empty() && self.waiting.is_empty() && self.reading.is_empty();
        if !self.reading.is_empty() {
            self.read(clients)?;
        } else if !is_done {
            std::thread::sleep(STABLE_INTERVAL);
        }
        Ok(is_done)
    }

    fn connect(&self) -> Result<Clients, KafkaError> {
        let mut committed = self.client.reader(&self.client_id, true);
        // The end of a partition is only told after an empty answer.
        committed.set("fetch.wait.max.ms", "10").set("queued.max.messages.kbytes", "32768");
        Ok(Clients {
            committed: committed.create_with_context(Quiet)?,
            uncommitted: self.client.reader(&self.client_id, false).create_with_context(Quiet)?,
        })
    }

    fn drop_forgotten(&mut self) {
        let mut forgotten = self.forgotten.lock().expect("no panic while forgetting");
        if !forgotten.is_empty() {
            self.fresh.retain(|job| !forgotten.remove(&job.run));
            self.waiting.retain(|_, at| !forgotten.remove(&at.job.run));
            self.reading.retain(|_, at| !forgotten.remove(&at.job.run));
        }
    }

    /// Takes the high watermark, then loads the local log. False if the log is not free yet.
    fn prepare(&mut self, job: Job, clients: &Clients) -> Result<bool, Trouble> {
        let partition = job.task.partition;
        let (low, high) = clients.uncommitted.fetch_watermarks(&self.topic, partition, METADATA_TIMEOUT)?;
        if job.continues && low == high {
            let why = format!(
                "its offsets {low} to {high} hold nothing, but the group has committed input of this partition: the topic \
                 was made anew or emptied, and nothing is reset silently. Bring its records back, or choose another \
                 application id to rebuild the state from the sources"
            );
            self.pieces.send(Piece::Refused { run: job.run, task: job.task, why })?;
            return Ok(true);
        }
        if self.options.keeper.is_some() || !self.options.warm.is_zero() {
            self.identify()?;
        }
        let warm = self.warm.remove(&job.run).filter(|warm| self.is_usable(warm, (low, high)));
        let (from, log) = match self.options.keeper.clone().filter(|_| self.identity.is_some()) {
            Some(keeper) => {
                // Who had the partition before may still be reading or writing its log.
                let Some(claim) = keeper.claim(partition) else { return Ok(false) };
                let (from, writer) = self.load(&keeper, job, (low, high))?;
                (from, writer.map(|writer| (claim, writer)))
            }
            None => match warm {
                Some(warm) => (self.hand_over_warm(job, warm, high)?, None),
                None => {
                    self.began(job, high - low)?;
                    (low, None)
                }
            },
        };
        self.waiting.insert(partition, Waiting { job, high, from, log });
        Ok(true)
    }

    /// Who the changelog is, asked for once.
    fn identify(&mut self) -> Result<(), Trouble> {
        if self.identity.is_some() || self.is_anonymous {
            return Ok(());
        }
        match identify(&self.client, &self.client_id, &self.topic, METADATA_TIMEOUT) {
            Ok(identity) => {
                self.pieces.send(Piece::Identified(identity.clone()))?;
                self.identity = Some(identity);
            }
            Err(error) if classify(&error) == Reaction::Retry && self.asked < IDENTIFY_MAX => {
                self.asked += 1;
                return Err(error.into());
            }
            Err(error) => {
                tracing::warn!(topic = self.topic, %error, "the brokers do not tell who the changelog is: no local log");
                self.is_anonymous = true;
            }
        }
        Ok(())
    }

    /// Whether the changelog still is the one that was kept a part of, and reaches from there to its end.
    fn is_usable(&self, warm: &WarmState, (low, high): (i64, i64)) -> bool {
        let next = warm.position.next;
        self.identity.as_ref() == Some(&warm.identity) && (low..=high).contains(&next)
    }

    /// Hands over what was kept; returns where the changelog goes on.
    fn hand_over_warm(&self, job: Job, warm: WarmState, high: i64) -> Result<i64, Gone> {
        let rest = u64::try_from(high - warm.position.next).unwrap_or(0);
        self.began(job, i64::try_from(warm.records + rest).unwrap_or(i64::MAX))?;
        let blocks = warm.blocks.len() as u64;
        for (at, payload) in warm.blocks.into_iter().enumerate() {
            let remaining = rest + warm.records * (blocks - 1 - at as u64) / blocks;
            let (run, task, origin) = (job.run, job.task, Origin::Warm);
            self.pieces.send(Piece::Records { run, task, origin, payload, remaining })?;
        }
        Ok(warm.position.next)
    }

    fn began(&self, job: Job, total: i64) -> Result<(), Gone> {
        self.pieces.send(Piece::Began { run: job.run, task: job.task, total: u64::try_from(total).unwrap_or(0) })
    }

    /// Hands over what the local log holds, if it may be used, and opens it for what follows.
    fn load(&mut self, keeper: &Keeper, job: Job, range: (i64, i64)) -> Result<(i64, Option<LogWriter>), Trouble> {
        let partition = job.task.partition;
        let identity = self.identity.as_ref().expect("the changelog was identified before its log is loaded");
        let identity = Identity {
            cluster: identity.cluster.clone(),
            topic: self.topic.clone(),
            topic_id: identity.topic_id,
            partition,
        };
        let options = keeper.options();
        let (folder, now) = (keeper.folder(&self.topic, partition), now_millis());
        let found = match survey(&*options.disk, &folder) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(partition, %error, folder = %folder.display(), "the local log cannot be read");
                Survey::default()
            }
        };
        let age_max = i64::try_from(options.position_age_max.as_millis()).unwrap_or(i64::MAX);
        let mut verdict = found.verdict(&identity, range, now, age_max);
        tell(partition, &found, verdict);
        if let Verdict::Usable(position) = verdict {
            let rest = u64::try_from(range.1 - position.next).unwrap_or(0);
            self.began(job, i64::try_from(found.records() + rest).unwrap_or(i64::MAX))?;
            if !self.hand_over(keeper, job, &found, rest)? {
                // It was good a moment ago: nothing of it is trusted now.
                self.pieces.send(Piece::Again { run: job.run, task: job.task })?;
                verdict = Verdict::Damaged;
            }
        }
        let disk = Arc::clone(&options.disk);
        let (from, writer) = if let Verdict::Usable(position) = verdict {
            (position.next, LogWriter::go_on(disk, folder, identity, options.limits, found, now))
        } else {
            self.began(job, range.1 - range.0)?;
            (range.0, LogWriter::begin_anew(disk, folder, identity, options.limits, &found, now))
        };
        let writer = writer.map_err(|error| {
            tracing::warn!(partition, %error, "no local log: its disk cannot be written");
            keeper.count_given_up();
        });
        Ok((from, writer.ok()))
    }

    /// Hands the records of a surveyed log to the worker; false if it could not be read to its end.
    fn hand_over(&self, keeper: &Keeper, job: Job, found: &Survey, rest: u64) -> Result<bool, Gone> {
        enum Stop {
            Gone,
            Disk(std::io::Error),
        }
        impl From<std::io::Error> for Stop {
            fn from(error: std::io::Error) -> Self {
                Self::Disk(error)
            }
        }
        // Records are not counted again for the progress: bytes tell as much.
        let (bytes, records) = (found.bytes().max(1), found.records());
        let mut done = 0u64;
        let outcome = read::<Stop>(&*keeper.options().disk, found, |payload| {
            done += payload.len() as u64;
            let share = u128::from(records) * u128::from(bytes.saturating_sub(done)) / u128::from(bytes);
            let remaining = rest + u64::try_from(share).unwrap_or(0);
            let (run, task, origin) = (job.run, job.task, Origin::LocalLog);
            self.pieces.send(Piece::Records { run, task, origin, payload, remaining }).map_err(|_| Stop::Gone)
        });
        match outcome {
            Ok(()) => Ok(true),
            Err(Stop::Gone) => Err(Gone),
            Err(Stop::Disk(error)) => {
                tracing::warn!(partition = job.task.partition, %error, "the local log cannot be read");
                Ok(false)
            }
        }
    }

    /// Begins to read the partitions whose last stable offset has reached the high watermark.
    fn admit(&mut self, clients: &Clients) -> Result<(), Trouble> {
        let mut admitted = TopicPartitionList::new();
        for partition in self.waiting.keys().copied().collect::<Vec<_>>() {
            let at = now_millis();
            let (low, stable) = clients.committed.fetch_watermarks(&self.topic, partition, METADATA_TIMEOUT)?;
            let is_stable = self.waiting.get(&partition).is_some_and(|waiting| stable >= waiting.high);
            let Some(waiting) = (if is_stable { self.waiting.remove(&partition) } else { None }) else { continue };
            let from = waiting.from.max(low);
            let mut reading = Reading {
                job: waiting.job,
                block: RecordsBlock::default(),
                next: from,
                end: stable,
                at,
                log: waiting.log,
            };
            if from >= stable {
                self.finish(&mut reading)?;
            } else {
                self.reading.insert(partition, reading);
                admitted.add_partition_offset(&self.topic, partition, Offset::Offset(from))?;
            }
        }
        if admitted.count() > 0 {
            if self.assigned {
                clients.committed.incremental_assign(&admitted)?;
            } else {
                clients.committed.assign(&admitted)?;
                self.assigned = true;
            }
        }
        Ok(())
    }

    /// Reads for a moment.
    fn read(&mut self, clients: &Clients) -> Result<(), Trouble> {
        let deadline = Instant::now() + STABLE_INTERVAL;
        while !self.reading.is_empty() {
            match clients.committed.poll(Duration::from_millis(5)) {
                Some(Ok(record)) => self.take(&record)?,
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    if let Some(mut reading) = self.reading.remove(&partition) {
                        self.finish(&mut reading)?;
                    }
                }
                Some(Err(error)) => return Err(error.into()),
                None => {}
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        Ok(())
    }

    fn take(&mut self, record: &BorrowedMessage<'_>) -> Result<(), Gone> {
        // What comes after the end of a partition is its owner's, which is this worker.
        let Some(reading) = self.reading.get_mut(&record.partition()) else { return Ok(()) };
        reading.next = record.offset() + 1;
        if let Some(key) = record.key() {
            reading.block.push(key, record.payload());
        }
        if reading.block.len() >= BLOCK_BYTES + RECORDS_HEAD { flush(&self.pieces, reading) } else { Ok(()) }
    }

    /// The partition was read to its end.
    fn finish(&self, reading: &mut Reading) -> Result<(), Gone> {
        flush(&self.pieces, reading)?;
        let position = Position { next: reading.next.max(reading.end), at: reading.at };
        append(reading, RecordsBlock::default(), Some(position));
        let (run, task, log) = (reading.job.run, reading.job.task, reading.log.take().map(Box::new));
        self.pieces.send(Piece::Finished { run, task, log, end: position })
    }
}

/// Hands the records over, to the log too.
fn flush(pieces: &Pieces, reading: &mut Reading) -> Result<(), Gone> {
    if reading.block.is_empty() {
        return Ok(());
    }
    let block = std::mem::take(&mut reading.block);
    let payload = block.payload().to_vec();
    append(reading, block, None);
    let remaining = u64::try_from(reading.end - reading.next).unwrap_or(0);
    let (run, task, origin) = (reading.job.run, reading.job.task, Origin::Changelog);
    pieces.send(Piece::Records { run, task, origin, payload, remaining })
}

fn append(reading: &mut Reading, block: RecordsBlock, position: Option<Position>) {
    if let Some((_, log)) = &mut reading.log
        && let Err(error) = log.append(block, position)
    {
        let partition = reading.job.task.partition;
        tracing::warn!(partition, %error, "no local log: its disk cannot be written");
        if let Some(Err(error)) = reading.log.take().map(|(_claim, log)| log.discard()) {
            tracing::warn!(partition, %error, "the files of the local log could not be removed");
        }
    }
}

/// What becomes of the local log, for whoever looks why a restart was slow.
fn tell(partition: i32, found: &Survey, verdict: Verdict) {
    if let Some(damage) = &found.damage {
        let file = damage.path.display();
        tracing::warn!(partition, %file, at = damage.at, why = damage.why, "damage in the local log, cut there");
    }
    match verdict {
        Verdict::Usable(position) => {
            tracing::info!(partition, records = found.records(), from = position.next, "loading the local log");
        }
        Verdict::Absent => tracing::debug!(partition, "no local log yet"),
        verdict => tracing::warn!(partition, why = verdict.as_str(), "the local log is discarded"),
    }
}
