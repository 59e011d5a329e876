//! What a worker is told.

use throughline_model::{NextOffset, Now, ReceivedAt, RecordOffset};

/// One input partition: the index of its topic in the worker's list of input topics, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// Index into the worker's input topics.
    pub topic: u16,
    /// Partition number.
    pub partition: i32,
}

/// A partition that was assigned, with what its group remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    /// The partition.
    pub task: TaskId,
    /// Where to resume: the committed offset, or the start that the configuration gives.
    pub next: NextOffset,
    /// `txn_seq` in the metadata of the committed offset; 0 if nothing was committed yet.
    pub txn_seq: u64,
}

/// A record of an input topic, undecoded.
#[derive(Debug, Clone, Copy)]
pub struct InputRecord<'r> {
    /// Its partition.
    pub task: TaskId,
    /// Its position.
    pub offset: RecordOffset,
    /// Its Kafka timestamp.
    pub received_at: ReceivedAt,
    /// Its key.
    pub key: Option<&'r [u8]>,
    /// Its value.
    pub value: Option<&'r [u8]>,
    /// Its headers.
    pub headers: &'r dyn RecordHeaders,
}

/// Headers of a record without a copy.
pub trait RecordHeaders: std::fmt::Debug {
    /// How many there are.
    fn count(&self) -> usize;

    /// The header at `at`, below [`RecordHeaders::count`].
    fn at(&self, at: usize) -> (&str, Option<&[u8]>);

    /// Value of the first header of that name.
    fn find(&self, name: &str) -> Option<&[u8]> {
        (0..self.count()).map(|at| self.at(at)).find(|(key, _)| *key == name).and_then(|(_, value)| value)
    }
}

/// No headers.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHeaders;

impl RecordHeaders for NoHeaders {
    fn count(&self) -> usize {
        0
    }

    fn at(&self, _at: usize) -> (&str, Option<&[u8]>) {
        ("", None)
    }
}

impl RecordHeaders for Vec<(String, Option<Vec<u8>>)> {
    fn count(&self) -> usize {
        self.len()
    }

    fn at(&self, at: usize) -> (&str, Option<&[u8]>) {
        (&self[at].0, self[at].1.as_deref())
    }
}

/// How the end of a transaction came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum CommitOutcome {
    /// The broker confirmed it.
    Committed,
    /// It must be aborted; nothing of it will be seen.
    Abortable(ProduceFault),
    /// Another producer or another generation of the group owns the work.
    Fenced,
    /// Nobody said whether it committed.
    Indeterminate,
}

/// Why outputs could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProduceFault {
    /// Broker or network: the same batch may pass later.
    Transient,
    /// A record's content (too large, invalid): the batch is bisected to that record.
    Content,
}

/// How much memory is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum MemoryLevel {
    /// Enough.
    #[default]
    Room,
    /// Little: transactions are small, because each holds several times what it changes when it ends.
    Tight,
    /// Too little: nothing is fetched either.
    Short,
}

/// Everything a worker can be told.
#[derive(Debug, Clone, Copy)]
pub enum Input<'r> {
    /// Partitions were assigned.
    Assigned(&'r [Assignment]),
    /// A partition's state is restored up to the high watermark taken at assignment.
    Restored(TaskId),
    /// Partitions must be given back; a bounded commit is still allowed.
    Revoked(&'r [TaskId]),
    /// Partitions are already somebody else's; nothing may be committed.
    Lost(&'r [TaskId]),
    /// A record.
    Record(InputRecord<'r>),
    /// What a stalled partition waited for may be there now.
    Unstalled(TaskId),
    /// When nothing was left to read in a partition; none if something was.
    Exhausted(&'r [(TaskId, Option<Now>)]),
    /// How much memory is left. Said on a change; again, it changes nothing.
    Memory(MemoryLevel),
    /// An output failed before the transaction was ended.
    ProduceFailed(ProduceFault),
    /// A transaction was ended, or it was tried.
    Ended(CommitOutcome),
    /// The abort that was asked for is done.
    Aborted,
    /// The abort could not be done on this producer.
    AbortFailed,
    /// After an unknown outcome: the `txn_seq` now committed for the asked partition, if it could be read and is owned.
    OutcomeRead(Option<u64>),
    /// Time passed, or a poll returned: look whether the transaction is due.
    Tick,
    /// Finish what is open and stop.
    Drain,
}
