//! What the simulated topics carry: items, alone in source records and together in frames, and how each is written.

use throughline_model::Topic;

use super::log::Slot;

/// Partitions of the source topic.
pub const SOURCES: usize = 2;
/// Partitions of the inbox, and of everything that is keyed as it is.
pub const PARTITIONS: usize = 3;
/// Keys in all.
pub const KEYS: usize = 6;

/// First slot of each topic.
const INBOX: Slot = SOURCES;
const LETTERS: Slot = INBOX + PARTITIONS;
const TOUCHPOINTS: Slot = LETTERS + 1;
const SCORES: Slot = TOUCHPOINTS + PARTITIONS;
const ALERTS: Slot = SCORES + PARTITIONS;
const CHANGELOG: Slot = ALERTS + PARTITIONS;
/// Slots in all.
pub const SLOTS: usize = CHANGELOG + PARTITIONS;

/// The slot of an output.
pub fn slot_of(topic: Topic, partition: Option<i32>) -> Slot {
    let partition = partition.unwrap_or(0) as usize;
    match topic {
        Topic::ExperienceInbox => INBOX + partition,
        Topic::DeadLetters => LETTERS,
        Topic::Touchpoints => TOUCHPOINTS + partition,
        Topic::Scores => SCORES + partition,
        Topic::Alerts => ALERTS + partition,
        Topic::ExperienceChangelog => CHANGELOG + partition,
        other => unreachable!("the simulated stages write nothing to {other}"),
    }
}

/// The slot of an input partition of a stage.
pub const fn input_slot(stage: usize, partition: usize) -> Slot {
    if stage == 0 { partition } else { INBOX + partition }
}

/// What an item does to whoever meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Op {
    /// It is applied.
    Plain,
    /// It is applied and arms a timer.
    Arm,
    /// It has the id of the one before it.
    Echo,
    /// It is withheld.
    Withhold,
    /// It deletes its key.
    Erase,
    /// Its frame is refused by the broker because of its content.
    PoisonFrame,
    /// What it gives is refused because of its content.
    Poison,
    /// The same, and its rejection too while things go wrong.
    Stubborn,
    /// Its record cannot be read at first.
    Stall,
}

impl Op {
    const ALL: [Self; 9] = [
        Self::Plain,
        Self::Arm,
        Self::Echo,
        Self::Withhold,
        Self::Erase,
        Self::PoisonFrame,
        Self::Poison,
        Self::Stubborn,
        Self::Stall,
    ];
}

/// One item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Its id, above 0.
    pub id: u64,
    /// Its key.
    pub key: u8,
    /// What it does.
    pub op: Op,
    /// When its timer is due, if it arms one.
    pub due: i64,
}

/// Bytes of an item.
const WIDTH: usize = 18;

impl Item {
    /// Appends the item.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_le_bytes());
        out.push(self.key);
        out.push(self.op as u8);
        out.extend_from_slice(&self.due.to_le_bytes());
    }

    /// The inbox partition that it belongs to.
    pub const fn partition(&self) -> usize {
        self.key as usize % PARTITIONS
    }
}

/// The items of a record or frame.
pub fn items(bytes: &[u8]) -> impl Iterator<Item = Item> + '_ {
    bytes.chunks_exact(WIDTH).map(|item| Item {
        id: number(&item[0..8]),
        key: item[8],
        op: Op::ALL[usize::from(item[9])],
        due: number(&item[10..18]) as i64,
    })
}

/// A number of eight bytes.
pub fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Fate {
    /// It changed its key.
    Applied,
    /// It was there before.
    Duplicate,
    /// It was left out on purpose.
    Withheld,
    /// Its output was refused.
    Rejected,
}

impl Fate {
    /// All fates, by code.
    pub const ALL: [Self; 4] = [Self::Applied, Self::Duplicate, Self::Withheld, Self::Rejected];
}

/// Whether the broker refuses a record because of its content. Some are refused only while things go wrong.
pub fn refuses(slot: Slot, value: &[u8], calm: bool) -> bool {
    let is = |slots: Slot, count: usize| (slots..slots + count).contains(&slot);
    if is(INBOX, PARTITIONS) {
        value.chunks_exact(WIDTH).any(|item| item[9] == Op::PoisonFrame as u8)
    } else if is(TOUCHPOINTS, PARTITIONS) {
        let is_rejection = value[8] == Fate::Rejected as u8;
        let refused = if is_rejection { !calm && value[9] == Op::Stubborn as u8 } else { value[9] >= Op::Poison as u8 };
        refused && value[9] <= Op::Stubborn as u8
    } else {
        false
    }
}
