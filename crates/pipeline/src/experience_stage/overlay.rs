//! What the open transaction has read and not yet committed.
//!
//! Entries are kept as they came, chained by customer, and applied when the transaction ends: a customer is then decoded,
//! changed, scored and encoded in one go, while it is in the processor's cache. Decoding at first touch and encoding at the
//! end walked through a hundred megabytes twice for each large transaction.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use throughline_model::{AlertId, NodeId, Now, ReceivedAt, RecordOffset};
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
    /// Its single view was put off by an earlier transaction and is due now.
    pub(super) view_wanted: bool,
    /// Its single view must follow within ten seconds.
    pub(super) view_pending: bool,
    /// Live alerts that ended, and those that had a transition, if any did.
    pub(super) alerts: Option<Box<(Vec<AlertId>, Vec<LiveAlert>)>>,
    /// Bytes that a commit stores.
    pub(super) encoded: Option<Arc<[u8]>>,
}

/// An entry that waits for the end of the transaction.
#[derive(Debug, Clone, Copy)]
struct Held {
    from: u32,
    length: u32,
    /// Its record, among those held.
    record: u32,
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

    /// Its bytes among those of the held records.
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        slice(bytes, self.held.from, self.held.length)
    }
}

/// Customers in the order in which they were first touched, which makes outputs deterministic.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    touched: Vec<Touched>,
    index: FxHashMap<NodeId, u32>,
    entries: Vec<Held>,
    records: Vec<(HeldRecord, Option<Box<Extra>>)>,
    bytes: Vec<u8>,
    /// Pending single views that this transaction writes.
    pub(super) taken_pending: Vec<(Now, NodeId, TaskId)>,
}

/// What a customer costs besides its entries until the commit, roughly: its list entry, its encoding, its outputs.
const TOUCHED_BYTES: usize = 1_024;

impl Overlay {
    pub(super) fn len(&self) -> usize {
        self.touched.len()
    }

    /// Bytes that the transaction holds, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() + self.touched.len() * TOUCHED_BYTES
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
            from: short(self.bytes.len()),
            length: short(value.len()),
        };
        self.records.push((held, has_extra.then(|| Box::new(Extra::of(record)))));
        self.bytes.extend_from_slice(value);
    }

    /// Holds an entry of the record kept last for its customer; `at` is where it begins in the record's value.
    pub(super) fn hold(&mut self, node: NodeId, at: usize, length: usize, index: u32) {
        let (record, _) = self.records.last().expect("a record is kept before its entries are held");
        let (task, entry) = (record.task, short(self.entries.len()));
        self.entries.push(Held {
            from: record.from + short(at),
            length: short(length),
            record: short(self.records.len() - 1),
            index,
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
                view_wanted: false,
                view_pending: false,
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

    /// Takes the bytes of the held records out, so that entries can borrow them while customers change.
    pub(super) fn lend_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Puts them back.
    pub(super) fn return_bytes(&mut self, bytes: Vec<u8>) {
        self.bytes = bytes;
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
        self.taken_pending.clear();
    }

    fn forget_entries(&mut self) {
        self.index.clear();
        self.entries.clear();
        self.records.clear();
        self.bytes.clear();
    }
}

impl HeldRecord {
    /// The record as it came.
    pub(super) fn input<'r>(&self, bytes: &'r [u8], extra: &'r Extra) -> InputRecord<'r> {
        InputRecord {
            task: self.task,
            offset: self.offset,
            received_at: self.received_at,
            key: extra.key.as_deref(),
            value: Some(slice(bytes, self.from, self.length)),
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
