//! One thread that writes the local logs of all partitions of a process, so that no worker waits for a disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use throughline_model::closed_set;

use super::disk::{Disk, Folder, Lock, LockError};
use super::format::{Position, RecordsBlock};
use super::writer::{Limits, LogWriter};

/// How the logs are kept.
#[derive(Clone)]
pub struct KeeperOptions {
    /// Where they lie.
    pub directory: PathBuf,
    /// When a snapshot is due.
    pub limits: Limits,
    /// A log whose position is older is discarded: deletions may be gone from the changelog. `delete.retention.ms`, less an
    /// hour.
    pub position_age_max: Duration,
    /// Bytes that may wait for the disk before a log is given up.
    pub backlog_bytes_max: usize,
    /// The file system.
    pub disk: Arc<dyn Disk>,
}

impl KeeperOptions {
    /// The usual limits.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            limits: Limits::default(),
            position_age_max: Duration::from_secs(23 * 3_600),
            backlog_bytes_max: 64 << 20,
            disk: Arc::new(Folder),
        }
    }
}

closed_set! {
    /// Why a log that was being written was given up.
    pub enum GivenUp {
        /// The disk is full or failed.
        Disk = "disk",
        /// The disk is slower than the worker.
        Backlog = "backlog",
    }
}

/// What the logs hold and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Bytes of all files.
    pub bytes: u64,
    /// Logs given up since this was last asked for, in the order of [`GivenUp::ALL`].
    pub given_up: [u64; 2],
}

/// What waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Bytes that wait.
    pub bytes: u64,
    /// At most.
    pub bytes_max: u64,
    /// Logs given up because more would have waited, since the start.
    pub given_up: u64,
}

#[derive(Debug, Default)]
struct Shared {
    queued_bytes: AtomicUsize,
    bytes: AtomicU64,
    given_up: [AtomicU64; 2],
    /// Logs given up because the disk was too slow, since the start.
    overrun: AtomicU64,
    claims: Mutex<BTreeSet<i32>>,
}

/// The right to read and write the log of a partition, for as long as it lives. A partition that comes back may be restored
/// while an earlier restore of it, or its last appends, are not over yet.
#[derive(Debug)]
pub struct Claim {
    partition: i32,
    shared: Arc<Shared>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.claims.lock().expect("no panic while holding claims").remove(&self.partition);
    }
}

enum Order {
    Keep {
        claim: Claim,
        writer: Box<LogWriter>,
        alive: Arc<AtomicBool>,
    },
    Append {
        partition: i32,
        records: RecordsBlock,
        position: Option<Position>,
    },
    Close {
        partition: i32,
    },
    GiveUp {
        partition: i32,
    },
    /// Answers once everything before it is done.
    Settle(mpsc::SyncSender<()>),
}

/// The local logs of a process. Holds the lock of their directory.
pub struct Keeper {
    options: KeeperOptions,
    shared: Arc<Shared>,
    // Dropped before the thread is joined: the end of the orders ends it.
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    _lock: Lock,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Keeper").field("directory", &self.options.directory).finish_non_exhaustive()
    }
}

/// A log that a worker appends to.
#[derive(Debug, Clone)]
pub struct Kept {
    partition: i32,
    alive: Arc<AtomicBool>,
}

impl Kept {
    /// Whether the log is still written; it is not after a fault.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }
}

impl Keeper {
    /// Locks the directory and starts the thread.
    ///
    /// # Errors
    /// If another process holds the directory, or it cannot be written.
    pub fn start(options: KeeperOptions) -> Result<Arc<Self>, LockError> {
        let lock = Lock::take(&options.directory)?;
        let shared = Arc::new(Shared::default());
        let (orders, taken) = mpsc::channel();
        let mut logs = Logs { open: BTreeMap::new(), shared: Arc::clone(&shared) };
        let thread = std::thread::Builder::new()
            .name("local-log".to_owned())
            .spawn(move || logs.run(&taken))
            .map_err(|source| LockError::Unusable { directory: options.directory.clone(), source })?;
        Ok(Arc::new(Self { options, shared, orders: Some(orders), thread: Some(thread), _lock: lock }))
    }

    /// How the logs are kept.
    #[must_use]
    pub const fn options(&self) -> &KeeperOptions {
        &self.options
    }

    /// Where the log of a changelog partition lies.
    #[must_use]
    pub fn folder(&self, topic: &str, partition: i32) -> PathBuf {
        folder(&self.options.directory, topic, partition)
    }

    /// Waits until everything that was asked for is done.
    pub fn settle(&self) {
        let (done, wait) = mpsc::sync_channel(1);
        self.order(Order::Settle(done));
        // Without an answer the thread has ended, and nothing is open any more.
        let _ended = wait.recv();
    }

    /// The right to a partition's log; none while somebody else has it.
    #[must_use]
    pub fn claim(&self, partition: i32) -> Option<Claim> {
        let is_free = self.shared.claims.lock().expect("no panic while holding claims").insert(partition);
        is_free.then(|| Claim { partition, shared: Arc::clone(&self.shared) })
    }

    /// Takes over the log of a partition that was just restored.
    #[must_use]
    pub fn keep(&self, claim: Claim, writer: LogWriter) -> Kept {
        let alive = Arc::new(AtomicBool::new(true));
        let partition = claim.partition;
        self.order(Order::Keep { claim, writer: Box::new(writer), alive: Arc::clone(&alive) });
        Kept { partition, alive }
    }

    /// Appends the changelog records of a confirmed commit. Does not wait: a log that the disk does not keep up with is given
    /// up.
    pub fn append(&self, log: &Kept, records: RecordsBlock, position: Option<Position>) {
        if !log.is_alive() {
            return;
        }
        let bytes = records.len();
        if self.shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.options.backlog_bytes_max {
            self.shared.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            log.alive.store(false, Ordering::Relaxed);
            self.shared.overrun.fetch_add(1, Ordering::Relaxed);
            self.order(Order::GiveUp { partition: log.partition });
            return;
        }
        self.order(Order::Append { partition: log.partition, records, position });
    }

    /// The partition is gone: its log is synced and closed.
    pub fn close(&self, log: &Kept) {
        self.order(Order::Close { partition: log.partition });
    }

    /// A log could not even be begun.
    pub(crate) fn count_given_up(&self) {
        self.shared.given_up[usize::from(GivenUp::Disk.code())].fetch_add(1, Ordering::Relaxed);
    }

    /// Figures for metrics.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            given_up: [0, 1].map(|at: usize| self.shared.given_up[at].swap(0, Ordering::Relaxed)),
        }
    }

    /// What waits for the disk.
    #[must_use]
    pub fn backlog(&self) -> Backlog {
        Backlog {
            bytes: self.shared.queued_bytes.load(Ordering::Relaxed) as u64,
            bytes_max: self.options.backlog_bytes_max as u64,
            given_up: self.shared.overrun.load(Ordering::Relaxed),
        }
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // The thread only ends with the keeper.
            let _ended = orders.send(order);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// Where the log of a changelog partition lies in a directory.
#[must_use]
pub fn folder(directory: &Path, topic: &str, partition: i32) -> PathBuf {
    directory.join(topic).join(partition.to_string())
}

struct OpenLog {
    writer: Box<LogWriter>,
    alive: Arc<AtomicBool>,
    // Given back after the files are closed.
    _claim: Claim,
}

struct Logs {
    open: BTreeMap<i32, OpenLog>,
    shared: Arc<Shared>,
}

impl Logs {
    fn run(&mut self, orders: &mpsc::Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            match order {
                Order::Keep { claim, writer, alive } => {
                    let partition = claim.partition;
                    self.open.insert(partition, OpenLog { writer, alive, _claim: claim });
                    self.snapshot_if_due(partition);
                    self.weigh();
                }
                Order::Append { partition, records, position } => self.append(partition, records, position),
                Order::Close { partition } => self.close(partition),
                Order::GiveUp { partition } => {
                    self.give_up(partition, GivenUp::Backlog, &"it is slower than the worker")
                }
                // Whoever asked may be gone.
                Order::Settle(done) => drop(done.send(())),
            }
        }
        for partition in self.open.keys().copied().collect::<Vec<_>>() {
            self.close(partition);
        }
    }

    fn append(&mut self, partition: i32, records: RecordsBlock, position: Option<Position>) {
        self.shared.queued_bytes.fetch_sub(records.len(), Ordering::Relaxed);
        let Some(log) = self.open.get_mut(&partition) else { return };
        let before = log.writer.held().bytes();
        match log.writer.append(records, position) {
            Ok(()) => {
                let added = log.writer.held().bytes() - before;
                self.shared.bytes.fetch_add(added, Ordering::Relaxed);
                self.snapshot_if_due(partition);
            }
            Err(error) => self.give_up(partition, GivenUp::Disk, &error),
        }
    }

    fn snapshot_if_due(&mut self, partition: i32) {
        let Some(log) = self.open.get_mut(&partition) else { return };
        let now = now_millis();
        if !log.writer.is_snapshot_due(now) {
            return;
        }
        match log.writer.snapshot(now) {
            Ok(merged) => {
                tracing::debug!(partition, ?merged, "snapshot of the local log");
                self.weigh();
            }
            Err(error) => self.give_up(partition, GivenUp::Disk, &error),
        }
    }

    fn close(&mut self, partition: i32) {
        if let Some(log) = self.open.remove(&partition)
            && let Err(error) = log.writer.close()
        {
            tracing::warn!(partition, %error, "the local log could not be synced; what is missing is read from the changelog");
        }
        self.weigh();
    }

    fn give_up(&mut self, partition: i32, reason: GivenUp, error: &dyn std::fmt::Display) {
        if let Some(log) = self.open.remove(&partition) {
            log.alive.store(false, Ordering::Relaxed);
            self.shared.given_up[usize::from(reason.code())].fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                partition,
                %error,
                "local log given up because of its disk; the next restore reads the changelog and begins a new one"
            );
            if let Err(error) = log.writer.discard() {
                tracing::warn!(partition, %error, "its files could not be removed");
            }
        }
        self.weigh();
    }

    fn weigh(&self) {
        let bytes = self.open.values().map(|log| log.writer.held().bytes()).sum();
        self.shared.bytes.store(bytes, Ordering::Relaxed);
    }
}

pub(crate) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
