//! What the open transaction has read and not yet committed.
//!
//! Entries are kept as they came, chained by customer, and applied when the transaction ends: a customer is then decoded,
//! changed, scored and encoded in one go, while it is in the processor's cache. Decoding at first touch and encoding at the
//! end walked through a hundred megabytes twice for each large transaction.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use throughline_codec::entry::{Context, EntryError};
use throughline_codec::frame;
use throughline_experience::Dues;
use throughline_model::{AlertId, NodeId, ReceivedAt, RecordOffset};
use throughline_worker::{InputRecord, TaskId};

use crate::table::LiveAlert;

/// No further entry.
const END: u32 = u32::MAX;

/// One customer of the open transaction.
#[derive(Debug)]
pub(super) struct Touched {
    pub(super) node: NodeId,
    pub(super) task: TaskId,
    /// First and last of its entries.
    entries: (u32, u32),
    /// Clocks whose timer brought it here.
    pub(super) taken: TakenTimers,
    /// When it was due before this transaction, and is after it.
    pub(super) dues: (Dues, Dues),
    /// Live alerts that ended, and those that had a transition, if any did.
    pub(super) alerts: Option<Box<(Vec<AlertId>, Vec<LiveAlert>)>>,
    /// Bytes that a commit stores.
    pub(super) encoded: Option<Arc<[u8]>>,
}

impl Touched {
    /// Whether its timers are to be looked at when the transaction commits.
    pub(super) fn is_armed(&self) -> bool {
        self.taken.now || self.taken.stream || self.dues.0 != self.dues.1
    }
}

/// Clocks whose timer was taken from its wheel.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TakenTimers {
    pub(super) now: bool,
    pub(super) stream: bool,
}

/// An entry that waits for the end of the transaction.
#[derive(Debug, Clone, Copy)]
struct Held {
    from: u32,
    length: u32,
    /// Its record, among those held.
    record: u32,
    /// Its context, among those held.
    context: u32,
    /// Its index in the frame.
    index: u32,
    next: u32,
}

/// Where entries came from: what a dead letter says about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeldRecord {
    task: TaskId,
    offset: RecordOffset,
    received_at: ReceivedAt,
    from: u32,
    length: u32,
    /// Its first context, among those held.
    contexts: u32,
}

/// Key and headers of a record. Frames have neither; what somebody else put there is kept for the dead letter.
#[derive(Debug, Clone, Default)]
pub(super) struct Extra {
    pub(super) key: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
}

/// An entry when it is applied.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntryAt {
    held: Held,
    at: u32,
}

impl EntryAt {
    /// Its index in the frame.
    pub(super) const fn index(self) -> u32 {
        self.held.index
    }
}

/// Customers in the order in which they were first touched, which makes outputs deterministic.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    touched: Vec<Touched>,
    index: FxHashMap<NodeId, u32>,
    entries: Vec<Held>,
    records: Vec<(HeldRecord, Option<Box<Extra>>)>,
    arena: Arena,
}

/// Bytes of the held records, and where the contexts of their entries are.
#[derive(Debug, Default)]
pub(super) struct Arena {
    bytes: Vec<u8>,
    contexts: Vec<(u32, u32)>,
}

/// The arena while entries are applied, with its contexts read.
pub(super) struct Lent<'a> {
    bytes: &'a [u8],
    contexts: Vec<Result<Context<'a>, EntryError>>,
}

impl<'a> Lent<'a> {
    pub(super) fn of(arena: &'a Arena) -> Self {
        let read = |(from, length): &(u32, u32)| Context::read(slice(&arena.bytes, *from, *length));
        Self { bytes: &arena.bytes, contexts: arena.contexts.iter().map(read).collect() }
    }

    /// Bytes of an entry.
    pub(super) fn bytes(&self, entry: EntryAt) -> &'a [u8] {
        slice(self.bytes, entry.held.from, entry.held.length)
    }

    /// Context of an entry.
    pub(super) fn context(&self, entry: EntryAt) -> Result<&Context<'a>, EntryError> {
        match self.contexts.get(entry.held.context as usize) {
            Some(context) => context.as_ref().map_err(Clone::clone),
            None => Err(EntryError::NoContext),
        }
    }
}

/// What a customer costs besides its entries until the commit, roughly: its list entry, its encoding, its outputs.
const TOUCHED_BYTES: usize = 1_024;

impl Overlay {
    pub(super) fn len(&self) -> usize {
        self.touched.len()
    }

    /// Bytes that the transaction holds, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.arena.bytes.len() + self.touched.len() * TOUCHED_BYTES
    }

    pub(super) fn at(&self, at: usize) -> &Touched {
        &self.touched[at]
    }

    pub(super) fn at_mut(&mut self, at: usize) -> &mut Touched {
        &mut self.touched[at]
    }

    pub(super) fn touches(&self, task: TaskId) -> bool {
        self.touched.iter().any(|touched| touched.task == task)
    }

    /// Keeps a record, for the entries of it that are held next.
    pub(super) fn keep(&mut self, record: &InputRecord<'_>) {
        let value = record.value.unwrap_or_default();
        let has_extra = record.key.is_some() || record.headers.count() > 0;
        let held = HeldRecord {
            task: record.task,
            offset: record.offset,
            received_at: record.received_at,
            from: short(self.arena.bytes.len()),
            length: short(value.len()),
            contexts: short(self.arena.contexts.len()),
        };
        self.records.push((held, has_extra.then(|| Box::new(Extra::of(record)))));
        self.arena.bytes.extend_from_slice(value);
    }

    /// Holds an entry of the record kept last for its customer. `value` is the record's value, of which the entry and the
    /// contexts read so far are slices.
    pub(super) fn hold(&mut self, node: NodeId, value: &[u8], read: &frame::Entry<'_>, contexts: &[&[u8]]) {
        let (record, _) = self.records.last().expect("a record is kept before its entries are held");
        let (task, from, first) = (record.task, record.from, record.contexts);
        let place = |part: &[u8]| from + short(part.as_ptr().addr() - value.as_ptr().addr());
        let known = self.arena.contexts.len() - first as usize;
        self.arena.contexts.extend(contexts[known..].iter().map(|part| (place(part), short(part.len()))));
        let entry = short(self.entries.len());
        self.entries.push(Held {
            from: place(read.bytes),
            length: short(read.bytes.len()),
            record: short(self.records.len() - 1),
            context: read.context.checked_sub(1).map_or(END, |number| first + number),
            index: read.index,
            next: END,
        });
        let touched = self.touch(node, task);
        let (first, last) = self.touched[touched].entries;
        if first == END {
            self.touched[touched].entries = (entry, entry);
        } else {
            self.entries[last as usize].next = entry;
            self.touched[touched].entries.1 = entry;
        }
    }

    /// Adds a customer unless it is there; returns its position.
    pub(super) fn touch(&mut self, node: NodeId, task: TaskId) -> usize {
        let next = self.touched.len();
        let at = *self.index.entry(node).or_insert(short(next)) as usize;
        if at == next {
            self.touched.push(Touched {
                node,
                task,
                entries: (END, END),
                taken: TakenTimers::default(),
                dues: (Dues::default(), Dues::default()),
                alerts: None,
                encoded: None,
            });
        }
        at
    }

    /// First entry of a customer.
    pub(super) fn first_entry(&self, at: usize) -> Option<EntryAt> {
        self.entry(self.touched[at].entries.0)
    }

    /// The entry of the same customer after this one.
    pub(super) fn entry_after(&self, entry: EntryAt) -> Option<EntryAt> {
        self.entry(self.entries[entry.at as usize].next)
    }

    fn entry(&self, at: u32) -> Option<EntryAt> {
        (at != END).then(|| EntryAt { held: self.entries[at as usize], at })
    }

    /// Takes the arena out, so that entries can borrow from it while customers change.
    pub(super) fn lend(&mut self) -> Arena {
        std::mem::take(&mut self.arena)
    }

    /// Puts it back.
    pub(super) fn take_back(&mut self, arena: Arena) {
        self.arena = arena;
    }

    /// The record of an entry, and what it has besides its value.
    pub(super) fn record_of(&self, entry: EntryAt) -> (HeldRecord, Extra) {
        let (held, extra) = &self.records[entry.held.record as usize];
        (*held, extra.as_deref().cloned().unwrap_or_default())
    }

    pub(super) fn drain(&mut self) -> std::vec::Drain<'_, Touched> {
        self.forget_entries();
        self.touched.drain(..)
    }

    pub(super) fn clear(&mut self) {
        self.forget_entries();
        self.touched.clear();
    }

    fn forget_entries(&mut self) {
        self.index.clear();
        self.entries.clear();
        self.records.clear();
        self.arena.bytes.clear();
        self.arena.contexts.clear();
    }
}

impl HeldRecord {
    /// The record as it came.
    pub(super) fn input<'r>(&self, lent: &Lent<'r>, extra: &'r Extra) -> InputRecord<'r> {
        InputRecord {
            task: self.task,
            offset: self.offset,
            received_at: self.received_at,
            key: extra.key.as_deref(),
            value: Some(slice(lent.bytes, self.from, self.length)),
            headers: &extra.headers,
        }
    }
}

impl Extra {
    fn of(record: &InputRecord<'_>) -> Self {
        let header = |at| {
            let (name, value) = record.headers.at(at);
            (name.to_owned(), value.map(<[u8]>::to_vec))
        };
        Self { key: record.key.map(<[u8]>::to_vec), headers: (0..record.headers.count()).map(header).collect() }
    }
}

fn slice(bytes: &[u8], from: u32, length: u32) -> &[u8] {
    &bytes[from as usize..][..length as usize]
}

/// The overlay's bound, `commit.overlay`, is at most 4 GiB.
fn short(length: usize) -> u32 {
    u32::try_from(length).expect("what a transaction holds is bounded far below 4 GiB")
}
