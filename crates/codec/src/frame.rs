//! Frames: a record of an internal topic that carries many entries for one partition.
//!
//! Layout: one version byte, then per entry one kind byte, the number of its context, the length, and the entry's bytes. An
//! entry has an index in its frame; (offset, index) orders and names it.
//!
//! A context is what many entries of a frame have in common: it is written once, before the first entry that has it, with
//! a kind byte of its own, and counts as no entry. Number 0 is no context, 1 the first one of the frame.

use std::ops::Range;

use throughline_model::closed_set;

use crate::wire::{put_uint, take_uint};

/// First byte of every frame of this layout.
pub const FRAME_VERSION: u8 = 1;

/// A frame is sealed when the next entry would make it longer, unless it is the only one in it.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;

closed_set! {
    /// What an entry is. The identity protocol and the clocks have their kinds here already, so that a frame written by
    /// a newer version is told apart from a torn one.
    pub enum EntryKind {
        /// A touchpoint.
        Touchpoint = "touchpoint",
        /// Progress of a source partition.
        Progress = "progress",
        /// Progress relayed between inbox partitions.
        Relayed = "relayed",
        /// A step of the identity protocol.
        Identity = "identity",
        /// A command.
        Command = "command",
        /// A cause broadcast by the entity stage.
        Cause = "cause",
        /// Deltas for an entity.
        EntityDelta = "entity_delta",
    }
}

/// A frame that cannot be split into entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not a frame of a version this program reads.
    #[error("unknown frame version")]
    UnknownVersion,
    /// The bytes end inside an entry.
    #[error("torn frame")]
    Torn,
    /// An entry kind this program does not know.
    #[error("unknown entry kind")]
    UnknownKind,
}

/// Kind byte of a context.
const CONTEXT: u8 = 0x7f;

/// Contexts that a frame looks through; beyond them every entry brings its own.
const CONTEXTS_MAX: usize = 64;

/// Collects entries for one partition.
#[derive(Debug, Default)]
pub struct FrameBuilder {
    bytes: Vec<u8>,
    entries: u32,
    /// Where the contexts are.
    contexts: Vec<Range<usize>>,
    /// Number of contexts written, also those no longer looked through.
    written: u32,
}

impl FrameBuilder {
    /// Entries in the open frame.
    #[must_use]
    pub const fn entries(&self) -> u32 {
        self.entries
    }

    /// Whether nothing was added since the last seal.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Whether an entry of `length` bytes, context included, needs the open frame to be sealed first.
    #[must_use]
    pub fn is_full_for(&self, length: usize) -> bool {
        self.entries > 0 && self.bytes.len() + length + 16 > FRAME_BYTES_MAX
    }

    /// Adds an entry. An empty context is none.
    pub fn push(&mut self, kind: EntryKind, context: &[u8], entry: &[u8]) {
        if self.bytes.is_empty() {
            self.bytes.push(FRAME_VERSION);
        }
        let context = if context.is_empty() { 0 } else { self.context(context) };
        self.bytes.push(kind.code());
        put_uint(&mut self.bytes, u64::from(context));
        put_uint(&mut self.bytes, entry.len() as u64);
        self.bytes.extend_from_slice(entry);
        self.entries += 1;
    }

    /// Number of a context, which is written unless it is known.
    fn context(&mut self, context: &[u8]) -> u32 {
        let known = self.contexts.iter().position(|range| self.bytes[range.clone()] == *context);
        if let Some(at) = known {
            return at as u32 + 1;
        }
        self.bytes.push(CONTEXT);
        put_uint(&mut self.bytes, context.len() as u64);
        let from = self.bytes.len();
        self.bytes.extend_from_slice(context);
        if self.contexts.len() < CONTEXTS_MAX {
            self.contexts.push(from..self.bytes.len());
        }
        self.written += 1;
        self.written
    }

    /// The bytes of the frame so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Starts a new frame; the buffer is kept.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries = 0;
        self.contexts.clear();
        self.written = 0;
    }
}

/// The entries of a frame in their order.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    rest: &'a [u8],
    index: u32,
    contexts: Vec<&'a [u8]>,
}

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its index in the frame.
    pub index: u32,
    /// What it is.
    pub kind: EntryKind,
    /// Number of its context, 0 if it has none. Equal numbers are the same context.
    pub context: u32,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Opens a frame.
///
/// # Errors
/// If it is of an unknown version. Torn and unknown entries show when they are reached.
pub fn open(frame: &[u8]) -> Result<Entries<'_>, FrameError> {
    match frame.split_first() {
        Some((&FRAME_VERSION, rest)) => Ok(Entries { rest, index: 0, contexts: Vec::new() }),
        _ => Err(FrameError::UnknownVersion),
    }
}

impl<'a> Entries<'a> {
    /// The next entry, `None` at the end.
    ///
    /// # Errors
    /// If the frame is torn, the entry of an unknown kind, or its context not in the frame.
    #[allow(clippy::should_implement_trait)] // An iterator of results would make every caller longer.
    pub fn next(&mut self) -> Result<Option<Entry<'a>>, FrameError> {
        loop {
            let Some((&code, rest)) = self.rest.split_first() else { return Ok(None) };
            self.rest = rest;
            if code == CONTEXT {
                let context = self.sized()?;
                self.contexts.push(context);
                continue;
            }
            let context = take_uint(&mut self.rest).and_then(|number| u32::try_from(number).ok());
            let context = context.filter(|number| *number as usize <= self.contexts.len()).ok_or(FrameError::Torn)?;
            let bytes = self.sized()?;
            let index = self.index;
            self.index += 1;
            let kind = EntryKind::from_code(u64::from(code)).ok_or(FrameError::UnknownKind)?;
            return Ok(Some(Entry { index, kind, context, bytes }));
        }
    }

    /// A context of the entries read so far; that of number 0 is empty.
    #[must_use]
    pub fn context(&self, number: u32) -> &'a [u8] {
        (number as usize).checked_sub(1).and_then(|at| self.contexts.get(at)).copied().unwrap_or_default()
    }

    /// The contexts of the entries read so far, that of number 1 first.
    #[must_use]
    pub fn contexts(&self) -> &[&'a [u8]] {
        &self.contexts
    }

    fn sized(&mut self) -> Result<&'a [u8], FrameError> {
        let length = take_uint(&mut self.rest).and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= self.rest.len()).ok_or(FrameError::Torn)?;
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_order_index_and_context() {
        let mut builder = FrameBuilder::default();
        assert!(builder.is_empty());
        builder.push(EntryKind::Touchpoint, b"shop", b"one");
        builder.push(EntryKind::Progress, b"", &[9; 200]);
        builder.push(EntryKind::Touchpoint, b"desk", b"two");
        builder.push(EntryKind::Touchpoint, b"shop", b"three");
        let mut entries = open(builder.bytes()).expect("a frame");
        let mut read = Vec::new();
        while let Some(entry) = entries.next().expect("whole") {
            read.push((entry.index, entry.kind, entries.context(entry.context), entry.bytes.len()));
        }
        let expected: [(u32, EntryKind, &[u8], usize); 4] = [
            (0, EntryKind::Touchpoint, b"shop", 3),
            (1, EntryKind::Progress, b"", 200),
            (2, EntryKind::Touchpoint, b"desk", 3),
            (3, EntryKind::Touchpoint, b"shop", 5),
        ];
        assert_eq!(read, expected);
        assert_eq!(builder.bytes().windows(4).filter(|bytes| *bytes == b"shop").count(), 1, "written once");
        builder.clear();
        assert!(builder.is_empty() && builder.bytes().is_empty());
        builder.push(EntryKind::Touchpoint, b"desk", b"two");
        let mut entries = open(builder.bytes()).expect("a frame");
        let entry = entries.next().expect("whole").expect("one");
        assert_eq!(entries.context(entry.context), b"desk");
    }

    #[test]
    fn more_contexts_than_are_looked_through_are_still_right() {
        let mut builder = FrameBuilder::default();
        let contexts: Vec<[u8; 2]> = (0..300_u16).map(|at| (at % 150 + 1).to_be_bytes()).collect();
        for context in &contexts {
            builder.push(EntryKind::Touchpoint, context, b"x");
        }
        let mut entries = open(builder.bytes()).expect("a frame");
        for context in &contexts {
            let entry = entries.next().expect("whole").expect("as many");
            assert_eq!(entries.context(entry.context), context);
        }
    }

    #[test]
    fn a_torn_tail_is_seen() {
        let mut builder = FrameBuilder::default();
        builder.push(EntryKind::Touchpoint, b"c", b"first");
        let first = builder.bytes().len();
        builder.push(EntryKind::Touchpoint, b"d", b"second");
        for length in first + 1..builder.bytes().len() {
            let mut entries = open(&builder.bytes()[..length]).expect("version byte is there");
            assert!(entries.next().is_ok());
            let is_after_context = length == first + 3;
            assert_eq!(entries.next().is_err(), !is_after_context, "{length}");
        }
        assert_eq!(open(&[]).err(), Some(FrameError::UnknownVersion));
        assert_eq!(open(&[9, 0]).err(), Some(FrameError::UnknownVersion));
        let unknown_context = [FRAME_VERSION, EntryKind::Touchpoint.code(), 1, 0];
        assert_eq!(open(&unknown_context).expect("a frame").next(), Err(FrameError::Torn));
    }
}
