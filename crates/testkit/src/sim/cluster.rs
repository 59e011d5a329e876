//! Log and groups together: what the brokers of a cluster agree on.

use super::chance::Chance;
use super::group::{Committed, Credentials, Group, Word};
use super::log::{FakeLog, Producer, Refusal, Slot};

/// Milliseconds after which the coordinator gives a transaction up.
pub const TRANSACTION_TIMEOUT: i64 = 8_000;

/// A transaction that was just decided to be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Transactional id.
    pub id: usize,
    /// Group whose offsets it moves.
    pub group: usize,
}

/// Why offsets were not taken into a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetsRefused {
    /// By the transaction's coordinator.
    Transaction(Refusal),
    /// By the group's.
    Group(Word),
}

/// A cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its partitions and transactions.
    pub log: FakeLog,
    /// Its groups.
    pub groups: Vec<Group>,
    /// Group that each transactional id sends offsets of.
    group_of: Vec<usize>,
    /// Decided commits that nobody has looked at yet.
    pub decisions: Vec<Decision>,
}

impl Cluster {
    /// A cluster with so many partitions and these groups.
    #[must_use]
    pub fn new(partitions: usize, groups: Vec<Group>) -> Self {
        Self { log: FakeLog::new(partitions), groups, group_of: Vec::new(), decisions: Vec::new() }
    }

    /// Adds a transactional id that sends offsets of a group.
    pub fn add_id(&mut self, group: usize, timeout: i64) -> usize {
        self.group_of.push(group);
        self.log.add_id(timeout)
    }

    /// Registers a producer; whatever the one before left open is ended and settled.
    pub fn register(&mut self, id: usize, now: i64) -> Producer {
        let commits = self.log.decided(id).unwrap_or(false);
        self.groups[self.group_of[id]].settle(id, commits);
        self.log.register(id, now)
    }

    /// Takes offsets into the producer's transaction. Without credentials the group accepts them from anybody.
    ///
    /// # Errors
    /// If the producer is fenced or the member has lost its place.
    pub fn send_offsets(
        &mut self,
        producer: Producer,
        credentials: Option<Credentials>,
        offsets: &[(usize, Committed)],
        now: i64,
    ) -> Result<(), OffsetsRefused> {
        self.log.enlist(producer, now).map_err(OffsetsRefused::Transaction)?;
        let group = &mut self.groups[self.group_of[producer.id]];
        group.take_offsets(producer.id, credentials, offsets).map_err(OffsetsRefused::Group)
    }

    /// Ends a transaction: from here on it is decided, whoever has heard of it.
    ///
    /// # Errors
    /// If the producer is fenced, or there is nothing to end.
    pub fn end(&mut self, producer: Producer, commits: bool) -> Result<(), Refusal> {
        self.log.end(producer, commits)?;
        if commits {
            self.decisions.push(Decision { id: producer.id, group: self.group_of[producer.id] });
        }
        Ok(())
    }

    /// Writes one marker of a decided transaction: in the group's offsets, or in a partition.
    pub fn write_marker(&mut self, id: usize, now: i64, chance: &mut Chance) {
        let Some(commits) = self.log.decided(id) else { return };
        let group = &mut self.groups[self.group_of[id]];
        let has_offsets = group.pending(id).next().is_some();
        if has_offsets && (self.log.markers_left(id) < 2 || chance.one_in(3)) {
            group.settle(id, commits);
        } else {
            self.log.write_marker(id, now);
        }
    }

    /// Writes all markers of all decided transactions.
    pub fn write_markers(&mut self, now: i64) {
        for id in 0..self.log.ids() {
            if let Some(commits) = self.log.decided(id) {
                self.groups[self.group_of[id]].settle(id, commits);
                while self.log.write_marker(id, now) {}
            }
        }
    }

    /// Time passes: sessions end, generations complete, transactions are given up.
    pub fn tick(&mut self, now: i64, chance: &mut Chance) {
        for group in &mut self.groups {
            group.tick(now, chance);
        }
        self.log.expire(now);
    }

    /// Whether no transaction is open.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        (0..self.log.ids()).all(|id| !self.log.is_busy(id))
    }

    /// The earliest offset that the log still has, for a group's partition without an offset.
    #[must_use]
    pub fn first_offset(&self, slot: Slot) -> i64 {
        self.log.start(slot)
    }
}
