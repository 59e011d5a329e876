//! A consumer group as its coordinator keeps it: static members, generations, cooperative assignment, offsets.
//!
//! Partitions of the group are numbered; a set of them is a bit mask. A partition that moves is first taken from its owner
//! and given to the next one only in a further generation, when the owner has joined again without it.

use super::chance::Chance;

/// A set of partitions of a group.
pub type Mask = u32;

/// An offset with what travels in its metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// Where to resume.
    pub next: i64,
    /// Number of the transaction on this partition.
    pub txn_seq: u64,
    /// The process that sent it.
    pub by: u32,
}

/// Milliseconds without a sign of life after which a member is dropped.
pub const SESSION_TIMEOUT: i64 = 10_000;
/// Milliseconds that a rebalance waits for members that do not join again.
pub const REBALANCE_TIMEOUT: i64 = 60_000;

/// Who sends offsets: what the client knows about its membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// Static id.
    pub instance: usize,
    /// Member id, if it has one.
    pub member: Option<u32>,
    /// Generation; -1 if it knows none.
    pub generation: i32,
}

/// What the coordinator says to a sign of life, and why it refuses offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// All is well.
    Fine,
    /// Join again.
    Rebalancing,
    /// It does not know this member.
    UnknownMember,
    /// The member belongs to another generation.
    IllegalGeneration,
    /// Another process joined with this static id.
    FencedInstance,
}

/// Offsets of a partition cannot be read: a transaction that moves them is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unstable;

#[derive(Debug, Clone)]
struct Member {
    id: u32,
    instance: usize,
    seen_at: i64,
    /// What it holds, as it said when it joined.
    owned: Mask,
    /// What it was given in this generation.
    assigned: Mask,
    joined: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Stable,
    Preparing { since: i64 },
}

/// A group.
#[derive(Debug, Clone)]
pub struct Group {
    partitions: u32,
    generation: i32,
    phase: Phase,
    members: Vec<Member>,
    members_ever: u32,
    committed: Vec<Option<Committed>>,
    /// Offsets in transactions without their marker: transactional id, partition, offset.
    pending: Vec<(usize, usize, Committed)>,
}

impl Group {
    /// A group over so many partitions, with nobody in it.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        Self {
            partitions,
            generation: 0,
            phase: Phase::Stable,
            members: Vec::new(),
            members_ever: 0,
            committed: vec![None; partitions as usize],
            pending: Vec::new(),
        }
    }

    /// A member joins: a new one, or one that joins again with what it holds. Returns its member id.
    ///
    /// A static member that comes back with a new member id while the group is stable takes its place over without a
    /// rebalance.
    pub fn join(&mut self, credentials: Credentials, owned: Mask, now: i64) -> Result<u32, Word> {
        let known = self.members.iter().position(|member| member.instance == credentials.instance);
        match (known, credentials.member) {
            (None, _) => {
                self.members_ever += 1;
                self.members.push(Member {
                    id: self.members_ever,
                    instance: credentials.instance,
                    seen_at: now,
                    owned,
                    assigned: 0,
                    joined: true,
                });
                self.prepare(now);
                Ok(self.members_ever)
            }
            (Some(at), Some(member)) => {
                if self.members[at].id != member {
                    return Err(Word::FencedInstance);
                }
                self.members[at].joined = true;
                self.members[at].owned = owned;
                self.members[at].seen_at = now;
                self.prepare(now);
                Ok(member)
            }
            (Some(at), None) => {
                self.members_ever += 1;
                let member = &mut self.members[at];
                member.id = self.members_ever;
                member.seen_at = now;
                member.owned = owned;
                member.joined = self.phase != Phase::Stable;
                Ok(self.members_ever)
            }
        }
    }

    fn prepare(&mut self, now: i64) {
        if self.phase == Phase::Stable {
            self.phase = Phase::Preparing { since: now };
        }
    }

    /// Asks all members to join again.
    pub fn rebalance(&mut self, now: i64) {
        if !self.members.is_empty() && self.phase == Phase::Stable {
            for member in &mut self.members {
                member.joined = false;
            }
            self.prepare(now);
        }
    }

    /// Generation and partitions of a member, if the generation is complete.
    #[must_use]
    pub fn assignment(&self, member: u32) -> Option<(i32, Mask)> {
        let at = self.members.iter().find(|known| known.id == member)?;
        (self.phase == Phase::Stable).then_some((self.generation, at.assigned))
    }

    /// Whether a member has joined the generation that is being made, or is in the present one.
    #[must_use]
    pub fn has_joined(&self, member: u32) -> bool {
        let known = self.members.iter().find(|known| known.id == member);
        known.is_some_and(|known| known.joined || self.phase == Phase::Stable)
    }

    /// A sign of life.
    pub fn heartbeat(&mut self, credentials: Credentials, now: i64) -> Word {
        let word = self.judge(credentials);
        if word == Word::Fine {
            let known = self.members.iter_mut().find(|member| Some(member.id) == credentials.member);
            known.expect("judged to be a member").seen_at = now;
            if matches!(self.phase, Phase::Preparing { .. }) {
                return Word::Rebalancing;
            }
        }
        word
    }

    /// A sign of life of a member that waits for the generation to be complete.
    pub fn wait(&mut self, credentials: Credentials, now: i64) -> Word {
        match self.judge(credentials) {
            Word::Fine | Word::IllegalGeneration => {
                let known = self.members.iter_mut().find(|member| Some(member.id) == credentials.member);
                known.expect("judged to be a member").seen_at = now;
                Word::Fine
            }
            word => word,
        }
    }

    fn judge(&self, credentials: Credentials) -> Word {
        let Some(known) = self.members.iter().find(|member| member.instance == credentials.instance) else {
            return Word::UnknownMember;
        };
        if Some(known.id) != credentials.member {
            return Word::FencedInstance;
        }
        if credentials.generation != self.generation {
            return Word::IllegalGeneration;
        }
        Word::Fine
    }

    /// Drops members without a sign of life, and completes the generation when everybody has joined.
    pub fn tick(&mut self, now: i64, chance: &mut Chance) {
        let waits_for = match self.phase {
            Phase::Preparing { since } => since + REBALANCE_TIMEOUT,
            Phase::Stable => i64::MAX,
        };
        let before = self.members.len();
        let is_late = |member: &Member| now - member.seen_at > SESSION_TIMEOUT || (now > waits_for && !member.joined);
        self.members.retain(|member| !is_late(member));
        if self.members.len() < before {
            self.rebalance(now);
        }
        if self.members.is_empty() {
            self.phase = Phase::Stable;
        } else if self.phase != Phase::Stable && self.members.iter().all(|member| member.joined) {
            self.complete(chance);
        }
    }

    fn complete(&mut self, chance: &mut Chance) {
        self.generation += 1;
        self.phase = Phase::Stable;
        let count = self.members.len() as u32;
        let held: Mask = self.members.iter().fold(0, |held, member| held | member.owned);
        let mut free: Mask = !held & ((1 << self.partitions) - 1);
        let (least, more) = (self.partitions / count, self.partitions % count);
        // Who gets one more is chance, so that partitions move.
        let first = chance.below(count);
        for (at, member) in self.members.iter_mut().enumerate() {
            let turn = (at as u32 + count - first) % count;
            let quota = least + u32::from(turn < more);
            member.assigned = member.owned;
            while member.assigned.count_ones() > quota {
                member.assigned &= member.assigned - 1;
            }
            while member.assigned.count_ones() < quota && free != 0 {
                let lowest = free & free.wrapping_neg();
                member.assigned |= lowest;
                free ^= lowest;
            }
            member.joined = false;
        }
    }

    /// Takes offsets into the transaction of a producer that the log has accepted.
    ///
    /// An empty group takes offsets without a generation from anybody, as Kafka's does.
    ///
    /// # Errors
    /// If they come from a member that lost its place.
    pub fn take_offsets(
        &mut self,
        id: usize,
        credentials: Option<Credentials>,
        offsets: &[(usize, Committed)],
    ) -> Result<(), Word> {
        if let Some(credentials) = credentials {
            let anybody = credentials.generation < 0 && self.members.is_empty();
            match if anybody { Word::Fine } else { self.judge(credentials) } {
                Word::Fine => {}
                word => return Err(word),
            }
        }
        for (partition, committed) in offsets {
            self.pending.retain(|(of, at, _)| (*of, *at) != (id, *partition));
            self.pending.push((id, *partition, *committed));
        }
        Ok(())
    }

    /// Offsets in the transaction of a producer.
    pub fn pending(&self, id: usize) -> impl Iterator<Item = (usize, Committed)> + '_ {
        self.pending.iter().filter(move |(of, ..)| *of == id).map(|(_, at, committed)| (*at, *committed))
    }

    /// The marker of a transaction is written in the partition that keeps the group's offsets.
    pub fn settle(&mut self, id: usize, commits: bool) {
        if commits {
            for (_, at, committed) in self.pending.iter().filter(|(of, ..)| *of == id) {
                self.committed[*at] = Some(*committed);
            }
        }
        self.pending.retain(|(of, ..)| *of != id);
    }

    /// The committed offset of a partition.
    ///
    /// # Errors
    /// While a transaction that would move it is not settled.
    pub fn committed(&self, partition: usize) -> Result<Option<Committed>, Unstable> {
        if self.pending.iter().any(|(_, at, _)| *at == partition) {
            return Err(Unstable);
        }
        Ok(self.committed[partition])
    }

    /// The committed offset as it stands, whatever is pending.
    #[must_use]
    pub fn committed_now(&self, partition: usize) -> Option<Committed> {
        self.committed[partition]
    }

    /// Whether this client is the member that holds the partition in the present generation.
    #[must_use]
    pub fn holds(&self, credentials: Credentials, partition: usize) -> bool {
        let member = self.members.iter().find(|member| Some(member.id) == credentials.member);
        self.judge(credentials) == Word::Fine && member.is_some_and(|member| member.assigned & (1 << partition) != 0)
    }

    /// Whether partitions are given to nobody: none while it cannot be told, because members are asked to join again.
    #[must_use]
    pub fn has_stranded(&self) -> Option<bool> {
        let given = self.members.iter().fold(0, |given, member| given | member.assigned);
        (self.phase == Phase::Stable).then_some(given != (1 << self.partitions) - 1)
    }
}
