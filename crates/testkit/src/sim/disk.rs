//! The local log of a worker, after `throughline_kafka::local_log`: committed changelog records and positions on a disk
//! that outlives the process, and loses its tail when that ends.
//!
//! A position says that everything in the changelog before it is in the log. It is the high watermark, asked for beside the
//! worker, taken over before the offsets of a commit are sent, and true once that commit is confirmed.

use super::instance::{Instance, tasks};
use super::item::{PARTITIONS, slot_of};
use super::log::Bytes;
use super::mutant::Mutant;
use super::world::World;

/// Milliseconds after which a position is too old: deletions may be gone from the changelog.
const POSITION_AGE_MAX: i64 = 60_000;

/// A changelog record.
pub type Change = (Bytes, Option<Bytes>);

/// An offset of the changelog, and when it was asked for.
pub type Position = (i64, i64);

/// What was written at once.
#[derive(Debug, Clone, Default)]
pub struct Block {
    records: Vec<Change>,
    position: Option<Position>,
}

/// The disk of a static id.
#[derive(Debug, Default)]
pub struct Disk {
    /// The process that holds it.
    holder: u32,
    logs: [Vec<Block>; PARTITIONS],
}

/// What a process remembers of the log of a partition while it writes it.
#[derive(Debug, Default, Clone)]
pub struct Kept {
    is_open: bool,
    /// Changes of the open transaction.
    changes: Vec<Change>,
    /// Changes that a restore has read from the changelog.
    read: Vec<Change>,
    /// The last answer that nobody has taken.
    answer: Option<Position>,
    /// Taken before the offsets of a commit were sent.
    taken: Option<Position>,
}

impl Kept {
    /// A changelog record is handed to the producer.
    pub fn collect(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// A changelog record is read back.
    pub fn collect_read(&mut self, change: Change) {
        self.read.push(change);
    }

    /// A transaction begins: what one before it did not commit is forgotten.
    pub fn begun(&mut self) {
        self.changes.clear();
    }
}

impl World {
    /// A process takes its disk, unless one that stands still has it. The end of the one before may have cost the tail.
    pub(super) fn mount(&mut self, i: usize) {
        let (id, process) = (self.instances[i].id, self.instances[i].process);
        let holder = self.disks[id].holder;
        if self.instances.iter().any(|other| other.is_alive && other.process == holder) {
            return;
        }
        self.disks[id].holder = process;
        for partition in 0..PARTITIONS {
            if self.chance.one_in(self.climate.torn) {
                let lost = 1 + self.chance.index(4);
                let log = &mut self.disks[id].logs[partition];
                let kept = log.len().saturating_sub(lost);
                let torn = log.split_off(kept);
                // One of the deliberate mistakes.
                if self.mutant == Some(Mutant::TrustATornTail)
                    && let Some(position) = torn.iter().rev().find_map(|block| block.position)
                {
                    log.push(Block { records: Vec::new(), position: Some(position) });
                }
            }
        }
    }

    fn log_of(&mut self, i: usize, partition: usize) -> Option<&mut Vec<Block>> {
        let instance = &self.instances[i];
        let disk = &mut self.disks[instance.id];
        (disk.holder == instance.process).then(|| &mut disk.logs[partition])
    }

    /// The position up to which the log of a partition holds the changelog, with what is in it. A log that cannot be used is
    /// removed.
    pub(super) fn load(&mut self, i: usize, partition: usize) -> Option<(i64, Vec<Change>)> {
        let now = self.now;
        let log = self.log_of(i, partition)?;
        let position = log.iter().rev().find_map(|block| block.position);
        match position.filter(|(_, at)| now - at <= POSITION_AGE_MAX) {
            Some((next, _)) => Some((next, log.iter().flat_map(|block| block.records.iter().copied()).collect())),
            None => {
                log.clear();
                None
            }
        }
    }

    /// A restore is over: what it read from the changelog is in the log, up to where it began to be stable.
    pub(super) fn open_log(&mut self, i: usize, partition: usize, high: i64) {
        let now = self.now;
        let records = std::mem::take(&mut self.instances[i].kept[partition].read);
        if let Some(log) = self.log_of(i, partition) {
            log.push(Block { records, position: Some((high, now)) });
            self.instances[i].kept[partition] = Kept { is_open: true, ..Kept::default() };
        }
    }

    /// The thread beside the worker asks for high watermarks.
    pub(super) fn ask_positions(&mut self, i: usize) {
        let now = self.now;
        for (partition, kept) in self.instances[i].kept.iter_mut().enumerate().filter(|(_, kept)| kept.is_open) {
            let slot = slot_of(throughline_model::Topic::ExperienceChangelog, Some(partition as i32));
            kept.answer = Some((self.cluster.log.high(slot), now));
        }
    }

    /// The coordinator's acceptance of the offsets will prove that what was answered until now was answered to the owner.
    pub(super) fn take_positions(&mut self, i: usize) {
        for kept in &mut self.instances[i].kept {
            kept.taken = kept.answer.take().or(kept.taken);
        }
    }

    /// The transaction is confirmed.
    pub(super) fn log_committed(&mut self, i: usize) {
        if self.is(Mutant::PositionWithoutProof) {
            self.ask_positions(i);
            self.take_positions(i);
        }
        for partition in 0..PARTITIONS {
            let kept = &mut self.instances[i].kept[partition];
            let (records, position) = (std::mem::take(&mut kept.changes), kept.taken.take());
            if kept.is_open
                && (!records.is_empty() || position.is_some())
                && let Some(log) = self.log_of(i, partition)
            {
                log.push(Block { records, position });
            }
        }
    }
}

impl Instance {
    /// The logs of these partitions are written no more.
    pub fn close_logs(&mut self, mask: u32) {
        for task in tasks(mask) {
            self.kept[task.partition as usize] = Kept::default();
        }
    }
}
