//! The second simulated stage: per key a count, a digest of what was applied, and timers; one score per changed key and
//! transaction, one changelog record per changed key.

use throughline_model::{Now, Topic};
use throughline_worker::{InputRecord, Outputs, Stall, TaskId};

use super::item::{Fate, Item, KEYS, Op, PARTITIONS, items, number};
use super::mutant::Mutant;
use super::processors::{Stalled, value_of};

/// Timers that fire in one transaction at most.
const FIRED_MAX: usize = 2;

/// The state of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyState {
    /// Items applied.
    pub count: u32,
    /// Digest of their ids in their order.
    pub digest: u64,
    /// The last one.
    pub last: u64,
    /// Timers: due time and the item that armed it.
    pub timers: Vec<(i64, u64)>,
}

/// The state of a partition: by key, none where there is nothing.
pub type Part = [Option<KeyState>; KEYS];

/// What the open transaction made of a key.
#[derive(Debug, Clone)]
struct Overlaid {
    partition: usize,
    key: u8,
    state: Option<KeyState>,
    /// The item that deleted it.
    eraser: u64,
    /// Whether an item changed it, beyond a timer that fired.
    scored: bool,
}

#[derive(Debug, Default)]
struct Held {
    state: Part,
    is_ready: bool,
}

/// Frames to keys.
#[derive(Debug, Default)]
pub struct Fold {
    mutant: Option<Mutant>,
    table: [Option<Held>; PARTITIONS],
    overlay: Vec<Overlaid>,
    items: usize,
    timers_left: bool,
    counts: [u32; 4],
    /// Items by fate of the last transaction that committed.
    committed: [u32; 4],
    /// Only a mutant sets it.
    rejects_next: bool,
    stalled: Stalled,
}

impl Fold {
    /// A stage with a deliberate mistake, or none.
    pub fn new(mutant: Option<Mutant>) -> Self {
        Self { mutant, ..Self::default() }
    }

    /// Committed state of a partition, if it is complete.
    pub fn view(&self, partition: usize) -> Option<&Part> {
        self.table[partition].as_ref().filter(|held| held.is_ready).map(|held| &held.state)
    }

    /// Items by fate of the last transaction that committed.
    pub fn take_counts(&mut self) -> [u32; 4] {
        std::mem::take(&mut self.committed)
    }

    /// Whether state is still in memory that a mutant takes for complete.
    pub fn is_warm(&self, task: TaskId) -> bool {
        let held = self.table[task.partition as usize].as_ref();
        held.is_some_and(|held| held.state.iter().any(Option::is_some))
    }

    /// A partition is assigned.
    pub fn assign(&mut self, task: TaskId) {
        let held = &mut self.table[task.partition as usize];
        match held {
            Some(held) => held.is_ready = false,
            None => *held = Some(Held::default()),
        }
    }

    /// A partition is gone.
    pub fn revoke(&mut self, task: TaskId) {
        let held = &mut self.table[task.partition as usize];
        match held {
            Some(held) if self.mutant == Some(Mutant::RestoreNothing) => held.is_ready = false,
            _ => *held = None,
        }
        self.overlay.retain(|changed| changed.partition != task.partition as usize);
    }

    /// A changelog record.
    pub fn restore(&mut self, task: TaskId, key: &[u8], value: Option<&[u8]>) {
        let held = self.table[task.partition as usize].as_mut().expect("an assigned partition is restored");
        if value.is_none() && self.mutant == Some(Mutant::RestoreWithoutDeletions) {
            return;
        }
        held.state[usize::from(key[0])] = value.map(decode);
    }

    /// The state of a partition is complete.
    pub fn restored(&mut self, task: TaskId) {
        self.table[task.partition as usize].as_mut().expect("an assigned partition is restored").is_ready = true;
    }

    /// What the open transaction takes for the state of a key.
    fn changed(&mut self, partition: usize, key: u8) -> &mut Overlaid {
        let known = self.overlay.iter().position(|changed| (changed.partition, changed.key) == (partition, key));
        let at = known.unwrap_or_else(|| {
            let held = self.table[partition].as_ref().expect("only what is assigned is read");
            let state = held.state[usize::from(key)].clone();
            self.overlay.push(Overlaid { partition, key, state, eraser: 0, scored: false });
            self.overlay.len() - 1
        });
        &mut self.overlay[at]
    }

    /// Applies a frame.
    pub fn process(&mut self, record: &InputRecord<'_>, reject: bool, outputs: &mut Outputs) -> Result<(), Stall> {
        if self.stalled.stalls(record) {
            return Err(Stall::Schema(1));
        }
        let reject = reject || std::mem::take(&mut self.rejects_next);
        let partition = record.task.partition as usize;
        for item in items(value_of(record)) {
            let fate = if reject { Fate::Rejected } else { self.apply(partition, &item) };
            self.items += 1;
            self.counts[fate as usize] += 1;
            let touchpoint = outputs.record(Topic::Touchpoints, Some(record.task.partition));
            touchpoint
                .value(|out| {
                    out.extend_from_slice(&item.id.to_le_bytes());
                    out.extend_from_slice(&[fate as u8, item.op as u8]);
                })
                .end();
        }
        Ok(())
    }

    fn apply(&mut self, partition: usize, item: &Item) -> Fate {
        if item.op == Op::Withhold {
            return Fate::Withheld;
        }
        let changed = self.changed(partition, item.key);
        if changed.state.as_ref().is_some_and(|state| state.last == item.id) {
            return Fate::Duplicate;
        }
        changed.scored = true;
        if item.op == Op::Erase {
            changed.state = None;
            changed.eraser = item.id;
            return Fate::Applied;
        }
        let state = changed.state.get_or_insert_default();
        state.count += 1;
        state.digest = (state.digest ^ item.id).wrapping_mul(0x0100_0000_01B3).rotate_left(17);
        state.last = item.id;
        if item.op == Op::Arm {
            state.timers.push((item.due, item.id));
        }
        Fate::Applied
    }

    /// State of a key in the open transaction.
    fn current(&self, partition: usize, key: usize) -> Option<&KeyState> {
        let changed =
            self.overlay.iter().find(|changed| (changed.partition, usize::from(changed.key)) == (partition, key));
        match changed {
            Some(changed) => changed.state.as_ref(),
            None => self.view(partition).and_then(|part| part[key].as_ref()),
        }
    }

    /// The earliest timer of the partitions that are complete: due time, partition, key, item.
    fn earliest(&self) -> Option<(i64, usize, usize, u64)> {
        let mut earliest: Option<(i64, usize, usize, u64)> = None;
        for partition in (0..PARTITIONS).filter(|partition| self.view(*partition).is_some()) {
            for key in 0..KEYS {
                for (due, id) in self.current(partition, key).into_iter().flat_map(|state| &state.timers) {
                    if earliest.is_none_or(|known| *due < known.0) {
                        earliest = Some((*due, partition, key, *id));
                    }
                }
            }
        }
        earliest
    }

    /// When something falls due.
    pub fn next_due(&self) -> Option<(Now, TaskId)> {
        let (due, partition, ..) = self.earliest()?;
        Some((Now::from_millis(due), TaskId { topic: 0, partition: partition as i32 }))
    }

    /// Whether more was due than the last transaction fired.
    pub const fn has_timers_left(&self) -> bool {
        self.timers_left
    }

    /// Fires what is due, and writes scores and state.
    pub fn finish(&mut self, now: i64, outputs: &mut Outputs) {
        for _ in 0..FIRED_MAX {
            let Some((due, partition, key, id)) = self.earliest().filter(|earliest| earliest.0 <= now) else { break };
            let state = self.changed(partition, key as u8).state.as_mut().expect("a timer belongs to a state");
            state.timers.retain(|timer| *timer != (due, id));
            let fired = outputs.record(Topic::Alerts, Some(partition as i32)).key(&[key as u8]);
            fired.value(|out| out.extend_from_slice(&id.to_le_bytes())).end();
        }
        self.timers_left = self.earliest().is_some_and(|earliest| earliest.0 <= now);
        for changed in &self.overlay {
            let partition = Some(changed.partition as i32);
            if changed.scored {
                let (count, digest) =
                    changed.state.as_ref().map_or((0, changed.eraser), |state| (state.count, state.digest));
                let score = outputs.record(Topic::Scores, partition).key(&[changed.key]);
                score
                    .value(|out| {
                        out.extend_from_slice(&u64::from(count).to_le_bytes());
                        out.extend_from_slice(&digest.to_le_bytes());
                    })
                    .end();
            }
            let record = outputs.record(Topic::ExperienceChangelog, partition).key(&[changed.key]);
            match &changed.state {
                Some(state) => record.value(|out| encode(state, out)).end(),
                None => record.end(),
            }
        }
        if self.mutant == Some(Mutant::PublishBeforeCommit) {
            self.publish();
        }
    }

    fn publish(&mut self) {
        for changed in self.overlay.drain(..) {
            if let Some(held) = &mut self.table[changed.partition] {
                held.state[usize::from(changed.key)] = changed.state;
            }
        }
    }

    /// The transaction committed.
    pub fn commit(&mut self) {
        self.publish();
        self.items = 0;
        self.committed = std::mem::take(&mut self.counts);
    }

    /// The transaction did not commit.
    pub fn abort(&mut self) {
        if self.mutant != Some(Mutant::KeepOverlayAfterAbort) {
            self.overlay.clear();
        }
        if self.mutant != Some(Mutant::CountBeforeCommit) {
            self.counts = [0; 4];
        }
        self.items = 0;
    }

    /// A deliberate mistake: whatever comes next is rejected.
    pub const fn reject_next(&mut self) {
        self.rejects_next = true;
    }

    /// Items applied and not committed.
    pub const fn uncommitted(&self) -> usize {
        self.items
    }
}

fn encode(state: &KeyState, out: &mut Vec<u8>) {
    out.extend_from_slice(&u64::from(state.count).to_le_bytes());
    out.extend_from_slice(&state.digest.to_le_bytes());
    out.extend_from_slice(&state.last.to_le_bytes());
    for (due, id) in &state.timers {
        out.extend_from_slice(&due.to_le_bytes());
        out.extend_from_slice(&id.to_le_bytes());
    }
}

fn decode(bytes: &[u8]) -> KeyState {
    let timers = bytes[24..].chunks_exact(16).map(|timer| (number(&timer[..8]) as i64, number(&timer[8..])));
    KeyState {
        count: number(&bytes[..8]) as u32,
        digest: number(&bytes[8..16]),
        last: number(&bytes[16..24]),
        timers: timers.collect(),
    }
}
