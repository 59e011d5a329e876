//! A log as a Kafka cluster keeps it: partitions with offsets, transactions with markers, fencing, compaction.
//!
//! A transaction is decided at one moment, when its end is accepted, and becomes visible partition by partition as its
//! markers are written. A marker takes an offset. The last stable offset is the first one of a transaction without its
//! marker, decided or not. Time is a value given with each call.

/// A partition of a topic: an index over all partitions of the log.
pub type Slot = usize;

/// Bytes in the arena of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes {
    from: u32,
    len: u32,
}

/// A registered producer: which transactional id, and which of its epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    /// Index of the transactional id.
    pub id: usize,
    /// Its epoch; a lower one is fenced.
    pub epoch: u32,
}

/// What a reader may see of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Written outside a transaction.
    Plain,
    /// Its transaction has no marker here yet.
    Open(usize),
    /// Its transaction committed.
    Committed,
    /// Its transaction was aborted.
    Aborted,
    /// A marker, which no reader sees.
    Marker,
}

/// An entry of a partition.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its offset.
    pub offset: i64,
    /// When it was written.
    pub at: i64,
    /// What a reader may see of it.
    pub standing: Standing,
    /// Key.
    pub key: Option<Bytes>,
    /// Value; none is a deletion.
    pub value: Option<Bytes>,
}

/// What a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Up to the last stable offset, without what was aborted.
    Committed,
    /// Everything.
    Uncommitted,
}

/// What a fetch brings.
#[derive(Debug, Clone, Copy)]
pub enum Fetched {
    /// The next visible record.
    Record(Entry),
    /// Nothing visible is left before this offset.
    End(i64),
    /// The position is below the start of the log.
    OutOfRange,
}

/// Why a transactional call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Another producer registered with this id, or the coordinator gave the transaction up.
    Fenced,
    /// The markers of the transaction before are not all written.
    Concurrent,
    /// There is no transaction to end.
    InvalidState,
}

#[derive(Debug, Clone, Default)]
struct PartitionLog {
    entries: Vec<Entry>,
    start: i64,
    end: i64,
    /// Producer and first offset of each transaction without its marker here.
    open: Vec<(usize, i64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Empty,
    Ongoing { since: i64 },
    Ending { commits: bool },
}

#[derive(Debug, Clone)]
struct TransactionalId {
    epoch: u32,
    timeout: i64,
    state: State,
    /// Partitions that wait for the marker.
    slots: Vec<Slot>,
}

/// The log.
#[derive(Debug, Clone, Default)]
pub struct FakeLog {
    partitions: Vec<PartitionLog>,
    ids: Vec<TransactionalId>,
    arena: Vec<u8>,
}

impl FakeLog {
    /// A log with so many partitions.
    #[must_use]
    pub fn new(partitions: usize) -> Self {
        Self {
            partitions: vec![PartitionLog::default(); partitions],
            ids: Vec::new(),
            arena: Vec::with_capacity(8_192),
        }
    }

    /// Adds a partition.
    pub fn add_partition(&mut self) -> Slot {
        self.partitions.push(PartitionLog::default());
        self.partitions.len() - 1
    }

    /// Adds a transactional id that nobody has registered with.
    pub fn add_id(&mut self, timeout: i64) -> usize {
        self.ids.push(TransactionalId { epoch: 0, timeout, state: State::Empty, slots: Vec::new() });
        self.ids.len() - 1
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self, bytes: Bytes) -> &[u8] {
        &self.arena[bytes.from as usize..(bytes.from + bytes.len) as usize]
    }

    /// Keeps bytes for records to come.
    pub fn keep(&mut self, bytes: &[u8]) -> Bytes {
        let from = self.arena.len() as u32;
        self.arena.extend_from_slice(bytes);
        Bytes { from, len: bytes.len() as u32 }
    }

    /// First offset that is still there.
    #[must_use]
    pub fn start(&self, slot: Slot) -> i64 {
        self.partitions[slot].start
    }

    /// The high watermark: one past the last offset.
    #[must_use]
    pub fn high(&self, slot: Slot) -> i64 {
        self.partitions[slot].end
    }

    /// The last stable offset.
    #[must_use]
    pub fn stable(&self, slot: Slot) -> i64 {
        let partition = &self.partitions[slot];
        partition.open.iter().map(|(_, first)| *first).min().unwrap_or(partition.end)
    }

    /// Everything that is there, markers included.
    #[must_use]
    pub fn entries(&self, slot: Slot) -> &[Entry] {
        &self.partitions[slot].entries
    }

    /// The next record that a reader at `position` sees.
    #[must_use]
    pub fn fetch(&self, slot: Slot, position: i64, isolation: Isolation) -> Fetched {
        let partition = &self.partitions[slot];
        if position < partition.start {
            return Fetched::OutOfRange;
        }
        let limit = if isolation == Isolation::Committed { self.stable(slot) } else { partition.end };
        let from = if partition.entries.first().is_none_or(|first| position <= first.offset) {
            0
        } else {
            partition.entries.partition_point(|entry| entry.offset < position)
        };
        for entry in &partition.entries[from..] {
            if entry.offset >= limit {
                break;
            }
            let visible = match entry.standing {
                Standing::Plain | Standing::Committed => true,
                Standing::Open(_) | Standing::Aborted => isolation == Isolation::Uncommitted,
                Standing::Marker => false,
            };
            if visible {
                return Fetched::Record(*entry);
            }
        }
        Fetched::End(limit.max(position))
    }

    /// Writes a record outside any transaction.
    pub fn append(&mut self, slot: Slot, key: Option<Bytes>, value: Option<Bytes>, now: i64) -> i64 {
        self.partitions[slot].push(Standing::Plain, key, value, now)
    }

    /// Registers a producer, which fences the one before and ends what it left open. What the coordinator had decided
    /// stays decided.
    pub fn register(&mut self, id: usize, now: i64) -> Producer {
        if matches!(self.ids[id].state, State::Ongoing { .. }) {
            self.ids[id].state = State::Ending { commits: false };
        }
        while self.write_marker(id, now) {}
        self.ids[id].epoch += 1;
        Producer { id, epoch: self.ids[id].epoch }
    }

    /// A deliberate mistake: registers without ending or fencing anything.
    pub fn register_again(&mut self, id: usize) -> Producer {
        Producer { id, epoch: self.ids[id].epoch }
    }

    /// Whether the producer is the last one that registered, and its transaction was not given up.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&self, producer: Producer) -> Result<(), Refusal> {
        if self.ids[producer.id].epoch == producer.epoch { Ok(()) } else { Err(Refusal::Fenced) }
    }

    /// Takes the transaction of a producer up, if it is not known to the coordinator yet.
    ///
    /// # Errors
    /// If it is fenced, or the transaction before has markers left to write.
    pub fn enlist(&mut self, producer: Producer, now: i64) -> Result<(), Refusal> {
        self.check(producer)?;
        match self.ids[producer.id].state {
            State::Empty => self.ids[producer.id].state = State::Ongoing { since: now },
            State::Ongoing { .. } => {}
            State::Ending { .. } => return Err(Refusal::Concurrent),
        }
        Ok(())
    }

    /// Writes a record in the producer's transaction.
    ///
    /// # Errors
    /// If it is fenced, or the transaction before has markers left to write.
    pub fn produce(
        &mut self,
        producer: Producer,
        slot: Slot,
        key: Option<Bytes>,
        value: Option<Bytes>,
        now: i64,
    ) -> Result<i64, Refusal> {
        self.enlist(producer, now)?;
        let id = producer.id;
        let partition = &mut self.partitions[slot];
        let offset = partition.push(Standing::Open(id), key, value, now);
        if !partition.open.iter().any(|(of, _)| *of == id) {
            partition.open.push((id, offset));
            self.ids[id].slots.push(slot);
        }
        Ok(offset)
    }

    /// Decides a transaction. Its markers are written afterwards.
    ///
    /// # Errors
    /// If the producer is fenced, or there is nothing to end.
    pub fn end(&mut self, producer: Producer, commits: bool) -> Result<(), Refusal> {
        self.check(producer)?;
        match self.ids[producer.id].state {
            State::Ongoing { .. } => {
                self.ids[producer.id].state = State::Ending { commits };
                Ok(())
            }
            State::Ending { .. } => Err(Refusal::Concurrent),
            State::Empty if commits => Err(Refusal::InvalidState),
            State::Empty => Ok(()),
        }
    }

    /// Writes one marker of a decided transaction. Returns whether more are to be written.
    pub fn write_marker(&mut self, id: usize, now: i64) -> bool {
        let State::Ending { commits } = self.ids[id].state else { return false };
        if let Some(slot) = self.ids[id].slots.pop() {
            self.partitions[slot].mark(id, commits, now);
        }
        if self.ids[id].slots.is_empty() {
            self.ids[id].state = State::Empty;
            return false;
        }
        true
    }

    /// Partitions that wait for the marker of a transaction, or will.
    #[must_use]
    pub fn markers_left(&self, id: usize) -> usize {
        self.ids[id].slots.len()
    }

    /// Whether a transaction of this id is open or has markers left to write.
    #[must_use]
    pub fn is_busy(&self, id: usize) -> bool {
        self.ids[id].state != State::Empty
    }

    /// Whether a transaction of this id is decided: committed or not.
    #[must_use]
    pub fn decided(&self, id: usize) -> Option<bool> {
        match self.ids[id].state {
            State::Ending { commits } => Some(commits),
            _ => None,
        }
    }

    /// Gives up the transactions that are older than their timeout, and fences their producers.
    pub fn expire(&mut self, now: i64) {
        for known in &mut self.ids {
            if let State::Ongoing { since } = known.state
                && now - since > known.timeout
            {
                known.epoch += 1;
                known.state = State::Ending { commits: false };
            }
        }
    }

    /// Transactional ids known.
    #[must_use]
    pub fn ids(&self) -> usize {
        self.ids.len()
    }

    /// Records of the open transaction of an id in a partition, in their order.
    pub fn open_records(&self, slot: Slot, id: usize) -> impl Iterator<Item = &Entry> {
        let partition = &self.partitions[slot];
        let first = partition.open.iter().find(|(of, _)| *of == id).map_or(partition.end, |(_, first)| *first);
        let from = partition.entries.partition_point(|entry| entry.offset < first);
        partition.entries[from..].iter().filter(move |entry| entry.standing == Standing::Open(id))
    }

    /// Compacts a partition below `until`, which is not above the last stable offset: of each key the last committed
    /// record stays, deletions older than `deletions_before` go, aborted records and their markers go.
    pub fn compact(&mut self, slot: Slot, until: i64, deletions_before: i64) {
        let until = until.min(self.stable(slot));
        let mut latest: Vec<(Bytes, i64)> = Vec::new();
        for entry in &self.partitions[slot].entries {
            if entry.offset < until
                && matches!(entry.standing, Standing::Plain | Standing::Committed)
                && let Some(key) = entry.key
            {
                match latest.iter_mut().find(|(known, _)| self.bytes(*known) == self.bytes(key)) {
                    Some(known) => known.1 = entry.offset,
                    None => latest.push((key, entry.offset)),
                }
            }
        }
        self.partitions[slot].entries.retain(|entry| {
            entry.offset >= until
                || (latest.iter().any(|(_, offset)| *offset == entry.offset)
                    && (entry.value.is_some() || entry.at >= deletions_before))
        });
    }

    /// Deletes everything before an offset.
    pub fn delete_before(&mut self, slot: Slot, offset: i64) {
        let partition = &mut self.partitions[slot];
        partition.start = partition.start.max(offset.min(partition.end));
        let start = partition.start;
        partition.entries.retain(|entry| entry.offset >= start);
    }
}

impl PartitionLog {
    fn push(&mut self, standing: Standing, key: Option<Bytes>, value: Option<Bytes>, at: i64) -> i64 {
        let offset = self.end;
        self.entries.push(Entry { offset, at, standing, key, value });
        self.end += 1;
        offset
    }

    fn mark(&mut self, id: usize, commits: bool, now: i64) {
        let known = self.open.iter().position(|(of, _)| *of == id).expect("a marker is for an open transaction");
        let (_, first) = self.open.swap_remove(known);
        let standing = if commits { Standing::Committed } else { Standing::Aborted };
        let from = self.entries.partition_point(|entry| entry.offset < first);
        for entry in &mut self.entries[from..] {
            if entry.standing == Standing::Open(id) {
                entry.standing = standing;
            }
        }
        self.push(Standing::Marker, None, None, now);
    }
}
