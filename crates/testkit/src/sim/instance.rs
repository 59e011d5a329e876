//! A process with one worker: what the worker's thread and its clients remember.

use std::collections::VecDeque;

use throughline_model::NextOffset;
use throughline_worker::{Effects, ProduceFault, TaskId, Worker, WorkerOptions};

use super::disk::Kept;
use super::fold::Fold;
use super::group::{Credentials, Mask};
use super::item::PARTITIONS;
use super::log::{Bytes, Producer, Slot};
use super::mutant::Mutant;
use super::processors::{SimProcessor, Spread};

/// Milliseconds between two looks at the whole group.
pub const LOOK_INTERVAL: i64 = 5_000;

/// A record that was handed to the producer and is not acknowledged.
#[derive(Debug, Clone, Copy)]
pub struct Queued {
    /// Where to.
    pub slot: Slot,
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: Option<Bytes>,
}

/// The producer's side of a transaction.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The registered producer, once it is.
    pub producer: Option<Producer>,
    /// Records that the cluster does not have yet.
    pub queue: VecDeque<Queued>,
    /// Why the transaction cannot be committed.
    pub failed: Option<ProduceFault>,
    /// A transaction was begun.
    pub is_open: bool,
}

/// What the group client tells the worker's thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Partitions came.
    Assigned(Mask),
    /// Partitions must go; whether they are already another's is found out when the notice is read.
    Revoked(Mask),
}

/// Where a group client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is no member.
    Outside,
    /// It has joined and waits for the generation.
    Joining,
    /// It is a member.
    Member,
}

/// The client's side of the group, which lives on in a thread of its own while the worker works.
#[derive(Debug)]
pub struct Membership {
    /// Where it stands.
    pub standing: Standing,
    /// What it presents to the coordinator.
    pub credentials: Credentials,
    /// What the group has given it.
    pub owned: Mask,
    /// The group has taken everything away.
    pub is_lost: bool,
    /// It gave something back and must join again.
    pub rejoins: bool,
    /// When it looks next whether partitions were left with nobody; never again once none were.
    pub looks_at: Option<i64>,
    /// Whether there were any when it looked last.
    pub saw_stranded: bool,
    /// Another process joined with its static id.
    pub is_superseded: bool,
    /// When the coordinator last answered.
    pub heard_at: i64,
    /// Until when its answers do not arrive.
    pub deaf_until: i64,
    /// Notices that the worker's thread has not polled.
    pub unread: VecDeque<Notice>,
    /// Notices read or not that are not answered.
    pub unanswered: usize,
}

/// A partition whose changelog is read.
#[derive(Debug, Clone, Copy)]
pub struct Restore {
    /// The partition.
    pub task: TaskId,
    /// The high watermark when it began.
    pub high: i64,
    /// Where reading stands, once it has begun.
    pub position: Option<i64>,
}

/// A process.
#[derive(Debug)]
pub struct Instance {
    /// Stage.
    pub stage: usize,
    /// Its stable number: static member and transactional id.
    pub id: usize,
    /// Which process it is: no other one, before or after, has this number.
    pub process: u32,
    /// Whether it runs.
    pub is_alive: bool,
    /// It is inside a turn.
    pub is_busy: bool,
    /// It stands still, all of its threads.
    pub is_frozen: bool,
    /// What its wall clock is off, in milliseconds.
    pub skew: i64,
    /// It is told to drain.
    pub drains: bool,
    /// Until when its memory is short.
    pub pressed_until: i64,
    /// The worker.
    pub worker: Worker<SimProcessor>,
    /// What the worker wants.
    pub effects: Effects,
    /// Its producer.
    pub outbox: Outbox,
    /// Its consumer's membership.
    pub member: Membership,
    /// Notices polled: partitions, and whether they came or were already lost when they went.
    pub notices: Vec<(Notice, bool)>,
    /// Where it reads on, by partition.
    pub positions: [Option<i64>; PARTITIONS],
    /// Partitions not fetched.
    pub paused: Mask,
    /// Partitions whose changelog will be read.
    pub restore_queue: Vec<TaskId>,
    /// Partitions whose changelog is being read.
    pub restores: Vec<Restore>,
    /// Partitions without a committed offset when they came.
    pub unanchored: Mask,
    /// The local logs being written.
    pub kept: [Kept; PARTITIONS],
    /// Partitions that wait for something outside, and until when.
    pub stalled: Vec<(TaskId, i64)>,
    /// Fencings without a commit between.
    pub fenced: u32,
    /// Partitions that a notice being answered takes away.
    pub leaving: Mask,
    /// Everything was taken anew while a notice was answered.
    pub retaken: bool,
    /// Its committed state may have changed since it was last looked at.
    pub is_unchecked: bool,
}

impl Instance {
    /// A process that was just started.
    pub fn start(
        stage: usize,
        id: usize,
        process: u32,
        options: WorkerOptions,
        mutant: Option<Mutant>,
        now: i64,
    ) -> Self {
        let processor = if stage == 0 {
            SimProcessor::Spread(Spread::new(mutant))
        } else {
            SimProcessor::Fold(Box::new(Fold::new(mutant)))
        };
        Self {
            stage,
            id,
            process,
            is_alive: true,
            is_busy: false,
            is_frozen: false,
            skew: 0,
            drains: false,
            pressed_until: now,
            worker: Worker::new(options, processor),
            effects: Effects::default(),
            outbox: Outbox::default(),
            member: Membership {
                standing: Standing::Outside,
                credentials: Credentials { instance: id, member: None, generation: -1 },
                owned: 0,
                is_lost: false,
                rejoins: false,
                looks_at: Some(now + LOOK_INTERVAL),
                saw_stranded: false,
                is_superseded: false,
                heard_at: now,
                deaf_until: now,
                unread: VecDeque::new(),
                unanswered: 0,
            },
            notices: Vec::new(),
            positions: [None; PARTITIONS],
            paused: 0,
            restore_queue: Vec::new(),
            restores: Vec::new(),
            unanchored: 0,
            kept: Default::default(),
            stalled: Vec::new(),
            fenced: 0,
            leaving: 0,
            retaken: false,
            is_unchecked: false,
        }
    }

    /// The consumer reads these partitions from here on.
    pub fn take(&mut self, task: TaskId, next: NextOffset) {
        self.positions[task.partition as usize] = Some(next.0);
    }

    /// The consumer lets go of a partition. As with librdkafka it is still paused if it comes back paused.
    pub fn let_go(&mut self, task: TaskId) {
        self.positions[task.partition as usize] = None;
        self.member.owned &= !bit(task);
        self.close_logs(bit(task));
        self.stalled.retain(|(stalled, _)| *stalled != task);
        self.restore_queue.retain(|queued| *queued != task);
        self.restores.retain(|restore| restore.task != task);
    }
}

/// The bit of a partition.
pub const fn bit(task: TaskId) -> Mask {
    1 << task.partition
}

/// The partitions of a mask.
pub fn tasks(mask: Mask) -> Vec<TaskId> {
    let is_in = |partition: &i32| mask & (1 << partition) != 0;
    (0..PARTITIONS as i32).filter(is_in).map(|partition| TaskId { topic: 0, partition }).collect()
}
