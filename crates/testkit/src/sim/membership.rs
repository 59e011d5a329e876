//! The group client of a process, which lives on in a thread of its own; and what the worker's thread does about its
//! notices, in the order of `throughline_kafka::driver::membership`.

use throughline_model::NextOffset;
use throughline_worker::{Assignment, Input, Processor, TaskId};

use super::group::{Committed, Mask, SESSION_TIMEOUT, Word};
use super::instance::{LOOK_INTERVAL, Notice, Restore, Standing, bit, tasks};
use super::item::{input_slot, slot_of};
use super::log::{Fetched, Isolation};
use super::mutant::Mutant;
use super::world::{Halt, Turn, World};

/// Fencings without a commit between after which a process ends.
const FENCED_MAX: u32 = 5;

impl World {
    /// The group client of a process does its part: joins, gives a sign of life, learns what it was given.
    pub(super) fn background(&mut self, i: usize) {
        let now = self.now;
        let instance = &self.instances[i];
        if !instance.is_alive || instance.is_frozen || instance.member.is_superseded {
            return;
        }
        if self.chance.one_in(3) {
            self.ask_positions(i);
        }
        let instance = &mut self.instances[i];
        let (member, group) = (&mut instance.member, &mut self.cluster.groups[instance.stage]);
        match member.standing {
            Standing::Outside if member.unanswered > 0 => {}
            Standing::Outside => self.join(i),
            Standing::Joining => {
                let id = member.credentials.member.expect("whoever joins has a member id");
                match group.wait(member.credentials, now) {
                    Word::Fine => member.heard_at = now,
                    Word::FencedInstance => {
                        member.is_superseded = true;
                        return;
                    }
                    _ => return self.lose(i, false),
                }
                if let Some((generation, assigned)) = group.assignment(id) {
                    self.learn(i, generation, assigned);
                } else if !group.has_joined(id) {
                    self.join(i);
                }
            }
            Standing::Member => {
                if now - member.heard_at > SESSION_TIMEOUT {
                    return self.lose(i, self.now % 2 == 0);
                }
                let word = group.heartbeat(member.credentials, now);
                if now < member.deaf_until {
                    return;
                }
                if matches!(word, Word::Fine | Word::Rebalancing) {
                    member.heard_at = now;
                }
                if word == Word::Fine {
                    self.look_for_stranded(i);
                }
                let instance = &mut self.instances[i];
                let member = &mut instance.member;
                match word {
                    Word::Fine if member.rejoins && member.unanswered == 0 => self.join(i),
                    Word::Rebalancing if member.unanswered == 0 => self.join(i),
                    Word::Fine | Word::Rebalancing => {}
                    Word::UnknownMember => self.lose(i, false),
                    Word::IllegalGeneration => self.lose(i, true),
                    Word::FencedInstance => member.is_superseded = true,
                }
            }
        }
    }

    /// A static member that was killed between giving partitions back and joining again leaves them with nobody: its next
    /// process takes its place over without a rebalance. So whoever joins anew looks whether all partitions are
    /// somebody's; if not, twice in a row, it gives its own back and joins again, which makes the group rebalance.
    fn look_for_stranded(&mut self, i: usize) {
        let now = self.now;
        let instance = &mut self.instances[i];
        let member = &mut instance.member;
        if member.looks_at.is_none_or(|at| now < at) || self.mutant == Some(Mutant::LeaveStranded) {
            return;
        }
        member.looks_at = Some(now + LOOK_INTERVAL);
        match self.cluster.groups[instance.stage].has_stranded() {
            None => member.saw_stranded = false,
            Some(false) => member.looks_at = None,
            Some(true) if !std::mem::replace(&mut member.saw_stranded, true) => {}
            Some(true) => {
                member.saw_stranded = false;
                member.rejoins = true;
                if member.owned != 0 {
                    member.unread.push_back(Notice::Revoked(member.owned));
                    member.unanswered += 1;
                }
                self.note(|| format!("{i}: finds partitions with nobody"));
            }
        }
    }

    fn join(&mut self, i: usize) {
        let instance = &mut self.instances[i];
        let (member, group) = (&mut instance.member, &mut self.cluster.groups[instance.stage]);
        match group.join(member.credentials, member.owned, self.now) {
            Ok(id) => {
                member.credentials.member = Some(id);
                member.standing = Standing::Joining;
                member.rejoins = false;
                member.heard_at = self.now;
            }
            Err(_) => member.is_superseded = true,
        }
    }

    /// A generation is complete: what is new comes, what is another's goes.
    fn learn(&mut self, i: usize, generation: i32, assigned: Mask) {
        self.note(|| format!("{i}: generation {generation} gives {assigned:#b}"));
        let member = &mut self.instances[i].member;
        member.standing = Standing::Member;
        member.credentials.generation = generation;
        let (goes, comes) = (member.owned & !assigned, assigned & !member.owned);
        if goes != 0 {
            member.unread.push_back(Notice::Revoked(goes));
            member.unanswered += 1;
            member.rejoins = true;
        }
        if comes != 0 {
            member.unread.push_back(Notice::Assigned(comes));
            member.unanswered += 1;
            member.owned |= comes;
        }
    }

    /// The group has dropped this member: everything is another's, and it joins again when the worker has let go.
    fn lose(&mut self, i: usize, forgets_generation: bool) {
        self.note(|| format!("{i}: lost its place"));
        let member = &mut self.instances[i].member;
        member.standing = Standing::Outside;
        member.credentials.member = None;
        member.looks_at = Some(self.now + LOOK_INTERVAL);
        if forgets_generation {
            member.credentials.generation = -1;
        }
        if member.owned != 0 {
            member.is_lost = true;
            member.unread.push_back(Notice::Revoked(member.owned));
            member.unanswered += 1;
        }
    }

    /// Notices are read while polling; whether partitions are lost is found out then.
    pub(super) fn poll_notices(&mut self, i: usize) -> Turn {
        let instance = &mut self.instances[i];
        if instance.member.is_superseded {
            return Err(Halt::Superseded);
        }
        while let Some(notice) = instance.member.unread.pop_front() {
            instance.notices.push((notice, instance.member.is_lost));
        }
        Ok(())
    }

    /// Answers what was polled.
    pub(super) fn notices(&mut self, i: usize) -> Turn {
        for (notice, lost) in std::mem::take(&mut self.instances[i].notices) {
            self.note(|| format!("{i}: {notice:?}, lost {lost}"));
            match notice {
                Notice::Assigned(mask) => self.assigned(i, mask)?,
                Notice::Revoked(mask) => {
                    let partitions = tasks(mask);
                    self.instances[i].leaving = mask;
                    self.instances[i].retaken = false;
                    self.input(i, if lost { Input::Lost(&partitions) } else { Input::Revoked(&partitions) })?;
                    let instance = &mut self.instances[i];
                    instance.leaving = 0;
                    if instance.retaken {
                        // The worker dropped everything meanwhile, these with it: the group still waits for an answer.
                        partitions.into_iter().for_each(|task| instance.let_go(task));
                    }
                    if lost {
                        instance.member.is_lost = false;
                    }
                }
            }
            self.instances[i].member.unanswered -= 1;
        }
        Ok(())
    }

    fn assigned(&mut self, i: usize, mask: Mask) -> Turn {
        let stage = self.instances[i].stage;
        let mut assignments = Vec::new();
        for task in tasks(mask) {
            let committed = self.committed(i, task)?;
            let instance = &mut self.instances[i];
            instance.unanchored &= !bit(task);
            let at = committed.unwrap_or_else(|| {
                instance.unanchored |= bit(task);
                let next = self.cluster.first_offset(input_slot(stage, task.partition as usize));
                Committed { next, ..Committed::default() }
            });
            assignments.push(Assignment { task, next: NextOffset(at.next), txn_seq: at.txn_seq });
        }
        self.boundary(i)?;
        self.input(i, Input::Assigned(&assignments))
    }

    /// The committed offset. The read waits for a transaction that is about to move it.
    fn committed(&mut self, i: usize, task: TaskId) -> Turn<Option<Committed>> {
        let (group, partition) = (self.instances[i].stage, task.partition as usize);
        loop {
            self.boundary(i)?;
            if self.is(Mutant::ReadUnstableOffsets) {
                return Ok(self.cluster.groups[group].committed_now(partition));
            }
            if !self.calm && self.chance.one_in(self.climate.offset_read) {
                self.elapse(i, false, 400);
                continue;
            }
            match self.cluster.groups[group].committed(partition) {
                Ok(found) => return Ok(found),
                Err(_) => self.elapse(i, false, 300),
            }
        }
    }

    /// Drops what was held and takes the partitions that are still assigned anew, with a new producer.
    pub(super) fn retake(&mut self, i: usize) -> Turn {
        let instance = &mut self.instances[i];
        instance.fenced += 1;
        if instance.fenced >= FENCED_MAX {
            return Err(Halt::Ends("fenced again and again"));
        }
        instance.restores.clear();
        instance.restore_queue.clear();
        instance.unanchored = 0;
        instance.stalled.clear();
        instance.retaken = true;
        instance.close_logs(Mask::MAX);
        self.replace_producer(i)?;
        let instance = &mut self.instances[i];
        if instance.member.is_lost && instance.leaving == 0 {
            return Ok(());
        }
        let held = (0..).zip(&instance.positions).filter(|(_, position)| position.is_some());
        let stays = held.fold(0, |held, (partition, _)| held | (1 << partition)) & !instance.leaving;
        if stays == 0 {
            return Ok(());
        }
        for task in tasks(stays) {
            let owned = instance.member.owned;
            instance.let_go(task);
            // Only the consumer lets go of it; to the group it stays with this member.
            instance.member.owned = owned;
        }
        self.assigned(i, stays)
    }

    /// Registers a producer with the same id, however long that takes.
    pub(super) fn replace_producer(&mut self, i: usize) -> Turn {
        self.boundary(i)?;
        if !self.calm && self.chance.one_in(self.climate.offset_read) {
            self.elapse(i, false, 500);
        }
        let id = self.instances[i].id;
        let producer = if self.is(Mutant::RegisterWithoutFencing) {
            self.cluster.log.register_again(id)
        } else {
            self.cluster.register(id, self.now)
        };
        self.note(|| format!("{i}: registers as {producer:?}"));
        let outbox = &mut self.instances[i].outbox;
        outbox.producer = Some(producer);
        outbox.queue.clear();
        outbox.failed = None;
        outbox.is_open = false;
        self.boundary(i)
    }

    /// Reads changelogs: the high watermark first, then everything below it, once it is settled.
    pub(super) fn step_restores(&mut self, i: usize) -> Turn {
        let queued = std::mem::take(&mut self.instances[i].restore_queue);
        for task in queued {
            self.boundary(i)?;
            let slot = changelog(task);
            let mutates = self.is(Mutant::RestoreToTheLastStableOffset);
            let high = if mutates { self.cluster.log.stable(slot) } else { self.cluster.log.high(slot) };
            let position = self.restore_locally(i, task);
            self.instances[i].restores.push(Restore { task, high, position });
        }
        let budget = if self.calm { usize::MAX } else { 1 + self.chance.index(8) };
        let mut finished = Vec::new();
        for at in 0..self.instances[i].restores.len() {
            if self.step_restore(i, at, budget)? {
                finished.push(self.instances[i].restores[at].task);
            }
        }
        for task in finished {
            let instance = &mut self.instances[i];
            let at = instance.restores.iter().position(|restore| restore.task == task);
            let restore = instance.restores.remove(at.expect("it was just read to its end"));
            instance.is_unchecked = true;
            self.open_log(i, task.partition as usize, restore.high);
            self.input(i, Input::Restored(task))?;
        }
        Ok(())
    }

    /// Takes over what the local log holds. Returns up to where that is all.
    fn restore_locally(&mut self, i: usize, task: TaskId) -> Option<i64> {
        self.instances[i].close_logs(bit(task));
        let (position, changes) = self.load(i, task.partition as usize)?;
        if self.instances[i].unanchored & bit(task) != 0 {
            return None;
        }
        for (key, value) in changes {
            let value = value.map(|value| self.cluster.log.bytes(value));
            let processor = self.instances[i].worker.processor_mut();
            let restored = processor.restore(task, self.cluster.log.bytes(key), value);
            restored.expect("simulated state is of one format");
        }
        Some(position)
    }

    /// Reads some records of a changelog. Returns whether it is read to the end.
    fn step_restore(&mut self, i: usize, at: usize, budget: usize) -> Turn<bool> {
        let dirty = self.mutant == Some(Mutant::RestoreUncommitted);
        let isolation = if dirty { Isolation::Uncommitted } else { Isolation::Committed };
        let instance = &mut self.instances[i];
        let restore = instance.restores[at];
        let slot = changelog(restore.task);
        if self.cluster.log.stable(slot) < restore.high && !dirty {
            return Ok(false);
        }
        let mut position = restore.position.unwrap_or(self.cluster.log.start(slot));
        for _ in 0..budget {
            match self.cluster.log.fetch(slot, position, isolation) {
                Fetched::Record(entry) => {
                    position = entry.offset + 1;
                    let change = (entry.key.expect("a changelog record has a key"), entry.value);
                    instance.kept[restore.task.partition as usize].collect_read(change);
                    let value = entry.value.map(|value| self.cluster.log.bytes(value));
                    let key = self.cluster.log.bytes(change.0);
                    if value.is_some() && instance.unanchored & bit(restore.task) != 0 {
                        // Only whoever lost the partition after it read that there was no offset may meet this.
                        let group = &self.cluster.groups[instance.stage];
                        let holds = group.holds(instance.member.credentials, restore.task.partition as usize);
                        assert!(!holds, "XO-3: the changelog holds state where the group has no offset");
                        return Err(Halt::Ends("state without an offset"));
                    }
                    let restored = instance.worker.processor_mut().restore(restore.task, key, value);
                    restored.expect("simulated state is of one format");
                }
                Fetched::End(_) => return Ok(true),
                Fetched::OutOfRange => unreachable!("a changelog is not trimmed"),
            }
        }
        instance.restores[at].position = Some(position);
        Ok(false)
    }
}

fn changelog(task: TaskId) -> usize {
    slot_of(throughline_model::Topic::ExperienceChangelog, Some(task.partition))
}
