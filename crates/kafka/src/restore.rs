//! Reading state back, up to the high watermark that the changelog had at assignment.
//!
//! Reader threads, a bounded number of them, load local logs and read changelogs; the worker takes over what they read in
//! short slices between its polls, so that its other partitions go on. A reader has one consumer and reads its partitions in
//! parallel.
//!
//! The high watermark is asked for with a read-uncommitted handle, then reading starts once the last stable offset has
//! reached it. Stopping at the last stable offset of that moment would silently lose what an open transaction was about
//! to commit. No particular record is waited for: the last one may be a control record.

mod positions;
mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use throughline_worker::{Processor, StateMismatch, TaskId};

pub(crate) use positions::Positions;
use reader::{Job, Piece, Reader};

use crate::client::ClientOptions;
use crate::local_log::format::{Position, records};
use crate::local_log::{Claim, Keeper, LogWriter};
use crate::topic_id::TopicIdentity;

/// Blocks of records that wait for the worker; one has a quarter of a megabyte.
const PIECES_MAX: usize = 8;

#[derive(Debug, Default)]
struct Quiet;

impl ClientContext for Quiet {}
impl ConsumerContext for Quiet {}

/// How state is kept beside the changelog, and read back.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// Local logs; none: the changelog alone.
    pub keeper: Option<Arc<Keeper>>,
    /// Reader threads of one worker at most.
    pub readers_max: usize,
    /// How long the state of a partition that was given back is kept, where it has no local log.
    pub warm: Duration,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self { keeper: None, readers_max: 2, warm: Duration::ZERO }
    }
}

/// Where state comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nothing yet: the changelog still holds an open transaction, or other partitions come first.
    Waiting,
    /// What was kept when the partition was given back.
    Warm,
    /// The local log.
    LocalLog,
    /// The changelog.
    Changelog,
}

impl Origin {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Warm => "warm",
            Self::LocalLog => "local_log",
            Self::Changelog => "changelog",
        }
    }
}

/// How far the restore of a partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreProgress {
    /// What is being read.
    pub origin: Origin,
    /// Records read, deletions included.
    pub records: u64,
    /// Of those, records of the local log.
    pub local_records: u64,
    /// Of those, records that were kept when the partition was given back.
    pub warm_records: u64,
    /// Bytes of keys and values read.
    pub bytes: u64,
    /// Records of the local log and offsets of the changelog still to read. Offsets have gaps, so there may be fewer records.
    pub remaining: u64,
    /// Since when.
    pub elapsed: Duration,
    /// At the rate so far; none while nothing was read.
    pub left: Option<Duration>,
}

struct UnderWay {
    run: u64,
    began: Instant,
    /// When the first piece was read.
    reading_since: Option<Instant>,
    progress: RestoreProgress,
    total: u64,
}

impl UnderWay {
    fn progress(&self) -> RestoreProgress {
        let done = self.total.saturating_sub(self.progress.remaining);
        let left = self.reading_since.filter(|_| done > 0).map(|since| {
            let each = since.elapsed().as_secs_f64() / done as f64;
            Duration::from_secs_f64(each * self.progress.remaining as f64)
        });
        RestoreProgress { elapsed: self.began.elapsed(), left, ..self.progress }
    }
}

/// A partition whose state is complete.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) task: TaskId,
    /// Its local log, to be kept from now on.
    pub(crate) log: Option<(Claim, LogWriter)>,
    /// Everything in the changelog before it was restored.
    pub(crate) end: Position,
    pub(crate) progress: RestoreProgress,
}

/// State of a partition that was given back, as blocks of changelog records.
#[derive(Debug)]
pub(crate) struct WarmState {
    /// The changelog it is of.
    pub(crate) identity: TopicIdentity,
    /// Everything in the changelog before it is part of the state.
    pub(crate) position: Position,
    /// Payloads as in [`crate::local_log::format`].
    pub(crate) blocks: Vec<Vec<u8>>,
    /// Records in them.
    pub(crate) records: u64,
}

/// Why a restore cannot go on.
#[derive(Debug)]
pub(crate) enum RestoreFault {
    /// The state must not be continued.
    Mismatch(TaskId, StateMismatch),
    /// The client failed and will fail again.
    Client(KafkaError),
    /// A thread could not be started.
    Thread(std::io::Error),
}

/// The restores of one worker.
pub(crate) struct Restores {
    client: ClientOptions,
    client_id: String,
    topic: String,
    options: RestoreOptions,
    sender: mpsc::SyncSender<Piece>,
    pieces: mpsc::Receiver<Piece>,
    queue: Vec<(Job, Option<WarmState>)>,
    /// The changelog as the last reader found it.
    pub(crate) identity: Option<TopicIdentity>,
    under_way: BTreeMap<TaskId, UnderWay>,
    /// Runs whose partition was given back.
    forgotten: Arc<Mutex<BTreeSet<u64>>>,
    readers: usize,
    runs: u64,
    /// Faults of readers that they meet by trying again.
    pub(crate) faults: Vec<KafkaError>,
    /// The last step found nothing to take over.
    starved: bool,
}

impl Restores {
    /// None yet.
    pub(crate) fn new(client: ClientOptions, client_id: &str, topic: String, options: RestoreOptions) -> Self {
        let (sender, pieces) = mpsc::sync_channel(PIECES_MAX);
        Self {
            client,
            client_id: client_id.to_owned(),
            topic,
            options,
            sender,
            pieces,
            queue: Vec::new(),
            identity: None,
            under_way: BTreeMap::new(),
            forgotten: Arc::default(),
            readers: 0,
            runs: 0,
            faults: Vec::new(),
            starved: false,
        }
    }

    /// Whether nothing is left to read.
    pub(crate) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether threads still read, perhaps for nobody.
    pub(crate) const fn has_readers(&self) -> bool {
        self.readers > 0
    }

    /// How long the worker may wait for records of its other partitions.
    pub(crate) fn patience(&self) -> Duration {
        if self.is_empty() { Duration::from_millis(5) } else { Duration::from_millis(u64::from(self.starved)) }
    }

    /// How far each restore is.
    pub(crate) fn progress(&self) -> impl Iterator<Item = (TaskId, RestoreProgress)> + '_ {
        self.under_way.iter().map(|(task, at)| (*task, at.progress()))
    }

    /// Reads a partition back. `continues`: the group has committed something for its input, so there must be state. `warm`:
    /// what was kept of it.
    pub(crate) fn begin(&mut self, task: TaskId, continues: bool, warm: Option<WarmState>) {
        self.runs += 1;
        self.queue.push((Job { run: self.runs, task, continues }, warm));
        let progress = RestoreProgress {
            origin: Origin::Waiting,
            records: 0,
            local_records: 0,
            warm_records: 0,
            bytes: 0,
            remaining: 0,
            elapsed: Duration::ZERO,
            left: None,
        };
        let under_way = UnderWay { run: self.runs, began: Instant::now(), reading_since: None, progress, total: 0 };
        self.under_way.insert(task, under_way);
    }

    /// The partition was given back: it need not be read any more.
    pub(crate) fn forget(&mut self, task: TaskId) {
        let queued = self.queue.len();
        self.queue.retain(|(job, _)| job.task != task);
        let is_with_a_reader = self.queue.len() == queued;
        if let Some(under_way) = self.under_way.remove(&task).filter(|_| is_with_a_reader) {
            self.forgotten.lock().expect("no panic while forgetting").insert(under_way.run);
        }
    }

    /// Nothing of what was begun is wanted any more.
    pub(crate) fn forget_all(&mut self) {
        for task in self.under_way.keys().copied().collect::<Vec<_>>() {
            self.forget(task);
        }
    }

    /// Starts readers for what waits, and hands what was read to the processor for at most `budget`.
    pub(crate) fn step<P: Processor>(
        &mut self,
        budget: Duration,
        processor: &mut P,
        mut check: impl FnMut(TaskId, Option<&[u8]>) -> Result<(), StateMismatch>,
    ) -> Result<Vec<Finished>, RestoreFault> {
        self.dispatch()?;
        let deadline = Instant::now() + budget;
        let mut finished = Vec::new();
        self.starved = true;
        while let Ok(piece) = self.pieces.try_recv() {
            self.starved = false;
            self.take(piece, processor, &mut check, &mut finished)?;
            if Instant::now() >= deadline {
                break;
            }
        }
        Ok(finished)
    }

    fn dispatch(&mut self) -> Result<(), RestoreFault> {
        while !self.queue.is_empty() && self.readers < self.options.readers_max {
            // What came together is shared out evenly among the readers that are free.
            let share = self.queue.len().div_ceil(self.options.readers_max - self.readers);
            let jobs: Vec<_> = self.queue.drain(..share).collect();
            let reader = Reader::new(
                self.client.clone(),
                &self.client_id,
                &self.topic,
                self.options.clone(),
                jobs,
                self.sender.clone(),
                Arc::clone(&self.forgotten),
            );
            std::thread::Builder::new()
                .name("restore".to_owned())
                .spawn(move || reader.run())
                .map_err(RestoreFault::Thread)?;
            self.readers += 1;
        }
        Ok(())
    }

    /// The restore that a piece belongs to, unless its partition was given back, and perhaps assigned again.
    fn current(&mut self, run: u64, task: TaskId) -> Option<&mut UnderWay> {
        self.under_way.get_mut(&task).filter(|at| at.run == run)
    }

    fn take<P: Processor>(
        &mut self,
        piece: Piece,
        processor: &mut P,
        check: &mut impl FnMut(TaskId, Option<&[u8]>) -> Result<(), StateMismatch>,
        finished: &mut Vec<Finished>,
    ) -> Result<(), RestoreFault> {
        match piece {
            Piece::Began { run, task, total } => {
                if let Some(at) = self.current(run, task) {
                    (at.total, at.progress.remaining) = (total, total);
                }
            }
            Piece::Records { run, task, origin, payload, remaining } => {
                let Some(at) = self.current(run, task) else { return Ok(()) };
                at.reading_since.get_or_insert_with(Instant::now);
                let mut count = 0;
                for (key, value) in records(&payload) {
                    check(task, value)
                        .and_then(|()| processor.restore(task, key, value))
                        .map_err(|why| RestoreFault::Mismatch(task, why))?;
                    count += 1;
                }
                at.progress.origin = origin;
                at.progress.records += count;
                match origin {
                    Origin::LocalLog => at.progress.local_records += count,
                    Origin::Warm => at.progress.warm_records += count,
                    Origin::Waiting | Origin::Changelog => {}
                }
                at.progress.bytes += payload.len() as u64;
                at.progress.remaining = remaining;
            }
            Piece::Again { run, task } => {
                if let Some(at) = self.current(run, task) {
                    (at.progress.records, at.progress.local_records) = (0, 0);
                    processor.revoke(task);
                    processor.assign(task);
                }
            }
            Piece::Identified(identity) => self.identity = Some(identity),
            Piece::Finished { run, task, log, end } => {
                if self.current(run, task).is_some()
                    && let Some(at) = self.under_way.remove(&task)
                {
                    finished.push(Finished { task, log: log.map(|log| *log), end, progress: at.progress() });
                }
            }
            Piece::Refused { run, task, why } => {
                if self.current(run, task).is_some() {
                    return Err(RestoreFault::Mismatch(task, StateMismatch(why)));
                }
            }
            Piece::Fault(error) => self.faults.push(error),
            Piece::Failed(error) => return Err(RestoreFault::Client(error)),
            Piece::Left { panicked } => {
                assert!(!panicked, "a reader of a restore panicked");
                self.readers -= 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local_log::format::RecordsBlock;
    use throughline_model::Now;
    use throughline_worker::{InputRecord, Outputs, ProcessContext, Stall};

    const TASK: TaskId = TaskId { topic: 0, partition: 3 };

    /// Keeps what it is given to restore.
    #[derive(Default)]
    struct Kept(Vec<Vec<u8>>);

    impl Processor for Kept {
        fn is_stateful(&self) -> bool {
            true
        }
        fn assign(&mut self, _: TaskId) {}
        fn revoke(&mut self, _: TaskId) {}
        fn restore(&mut self, _: TaskId, key: &[u8], _: Option<&[u8]>) -> Result<(), StateMismatch> {
            self.0.push(key.to_vec());
            Ok(())
        }
        fn process(&mut self, _: &InputRecord<'_>, _: ProcessContext, _: &mut Outputs) -> Result<(), Stall> {
            Ok(())
        }
        fn finish(&mut self, _: Now, _: &mut Outputs) {}
        fn commit(&mut self, _: Now) {}
        fn abort(&mut self) {}
        fn uncommitted_bytes(&self) -> usize {
            0
        }
        fn next_due(&self) -> Option<(Now, TaskId)> {
            None
        }
    }

    fn restores() -> Restores {
        Restores::new(ClientOptions::default(), "test", "changelog".to_owned(), RestoreOptions::default())
    }

    /// Begins a restore and hands it to a reader; its run.
    fn begin(restores: &mut Restores) -> u64 {
        restores.begin(TASK, true, None);
        restores.queue.pop().expect("it waits for a reader").0.run
    }

    /// What a reader says of a run, and whether the restore is finished by it.
    fn say(restores: &mut Restores, kept: &mut Kept, run: u64, key: &[u8]) -> bool {
        let mut block = RecordsBlock::default();
        block.push(key, Some(b"value"));
        let payload = block.payload().to_vec();
        let records = Piece::Records { run, task: TASK, origin: Origin::Changelog, payload, remaining: 0 };
        let end = Position { next: 1, at: 0 };
        let (mut check, mut finished) = (|_, _: Option<&[u8]>| Ok(()), Vec::new());
        for piece in [records, Piece::Finished { run, task: TASK, log: None, end }] {
            restores.take(piece, kept, &mut check, &mut finished).expect("nothing is wrong");
        }
        !finished.is_empty()
    }

    #[test]
    fn what_is_read_for_a_partition_that_was_given_back_is_nobodys() {
        let (mut restores, mut kept) = (restores(), Kept::default());
        let run = begin(&mut restores);
        restores.forget(TASK);
        assert!(!say(&mut restores, &mut kept, run, b"late"));
        assert!(kept.0.is_empty() && restores.is_empty());
        assert!(restores.forgotten.lock().expect("no panic").contains(&run), "its reader is told");
    }

    #[test]
    fn a_partition_that_returns_takes_nothing_of_the_read_before() {
        let (mut restores, mut kept) = (restores(), Kept::default());
        let before = begin(&mut restores);
        restores.forget(TASK);
        let run = begin(&mut restores);
        assert!(!say(&mut restores, &mut kept, before, b"late"));
        assert!(say(&mut restores, &mut kept, run, b"its own"));
        assert_eq!(kept.0, [b"its own"]);
    }

    #[test]
    fn a_restore_that_still_waits_is_forgotten_without_a_reader() {
        let mut restores = restores();
        restores.begin(TASK, true, None);
        restores.forget(TASK);
        assert!(restores.queue.is_empty() && restores.is_empty());
        assert!(restores.forgotten.lock().expect("no panic").is_empty());
    }
}
