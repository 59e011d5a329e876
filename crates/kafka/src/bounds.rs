//! The bounds of a worker: how full each is, whether its sources wait for it now, how often it was reached.
//!
//! At a bound a source waits, never the poll.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use throughline_model::closed_set;
pub use throughline_worker::MemoryLevel;

closed_set! {
    /// Everything that is bounded in a worker. The unit is the last word of the name.
    pub enum Bound {
        /// Records of a transaction: at the bound it is committed before more is taken.
        BatchRecords = "batch_records",
        /// Uncommitted state of a transaction: as before.
        OverlayBytes = "overlay_bytes",
        /// What is fetched ahead: at the bound the client fetches no more.
        FetchQueueBytes = "fetch_queue_bytes",
        /// Outputs that are not acknowledged: at the bound, or at the bytes that belong to it, the worker waits for brokers.
        ProducerQueueRecords = "producer_queue_records",
        /// Memory of the process: partitions are paused at nine tenths of the bound, or a little earlier if it is small.
        MemoryBytes = "memory_bytes",
        /// Timers of a transaction: at the bound the rest fires in the next one, with input in turns.
        Timers = "timers",
        /// What waits for the disk of the local log: at the bound the log is given up, nobody waits.
        LocalLogBacklogBytes = "local_log_backlog_bytes",
        /// The largest customer written: what its components may hold at most stays below; it is shown, nothing waits for it.
        CustomerBytes = "customer_bytes",
        /// Rejected records in hundredths of the last ones of a source partition: above the bound it is paused.
        RejectedPercent = "rejected_percent",
    }
}

/// How full a bound is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundReading {
    /// Which.
    pub bound: Bound,
    /// In use; the most in the last second where that changes with every transaction.
    pub used: u64,
    /// At most.
    pub limit: u64,
    /// Whether sources wait for it now.
    pub holds: bool,
}

/// The bounds of a worker in one second.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BoundReport {
    /// How full they are.
    pub readings: Vec<BoundReading>,
    /// How often each was reached, in the order of [`Bound::ALL`].
    pub reached: [u64; Bound::ALL.len()],
}

impl BoundReport {
    /// Adds a reading.
    pub fn read(&mut self, bound: Bound, used: u64, limit: u64, holds: bool) {
        self.readings.push(BoundReading { bound, used, limit, holds });
    }

    /// Counts that a bound was reached.
    pub fn reach(&mut self, bound: Bound, times: u64) {
        self.reached[usize::from(bound.code())] += times;
    }
}

/// Memory of the process, as whoever watches it last saw it. Read by workers between polls.
#[derive(Debug, Default)]
pub struct MemoryGauge {
    used: AtomicU64,
    limit: AtomicU64,
    level: AtomicU8,
}

impl MemoryGauge {
    /// Says what was seen; a limit of 0 is none.
    pub fn set(&self, used: u64, limit: u64, level: MemoryLevel) {
        self.used.store(used, Ordering::Relaxed);
        self.limit.store(limit, Ordering::Relaxed);
        self.level.store(level as u8, Ordering::Relaxed);
    }

    /// How much is left.
    #[must_use]
    pub fn level(&self) -> MemoryLevel {
        match self.level.load(Ordering::Relaxed) {
            0 => MemoryLevel::Room,
            1 => MemoryLevel::Tight,
            _ => MemoryLevel::Short,
        }
    }

    /// Bytes in use, and the limit if there is one.
    #[must_use]
    pub fn bytes(&self) -> Option<(u64, u64)> {
        let limit = self.limit.load(Ordering::Relaxed);
        (limit > 0).then(|| (self.used.load(Ordering::Relaxed), limit))
    }
}
