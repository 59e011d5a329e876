//! Frames: a record of an internal topic that carries many entries for one partition.
//!
//! Layout: one version byte, then per entry one kind byte, the length, and the entry's bytes. An entry has an index in
//! its frame; (offset, index) orders and names it.

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

/// Collects entries for one partition.
#[derive(Debug, Default)]
pub struct FrameBuilder {
    bytes: Vec<u8>,
    entries: u32,
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

    /// Whether an entry of `length` bytes needs the open frame to be sealed first.
    #[must_use]
    pub fn is_full_for(&self, length: usize) -> bool {
        self.entries > 0 && self.bytes.len() + length + 6 > FRAME_BYTES_MAX
    }

    /// Adds an entry.
    pub fn push(&mut self, kind: EntryKind, entry: &[u8]) {
        if self.bytes.is_empty() {
            self.bytes.push(FRAME_VERSION);
        }
        self.bytes.push(kind.code());
        put_uint(&mut self.bytes, entry.len() as u64);
        self.bytes.extend_from_slice(entry);
        self.entries += 1;
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
    }
}

/// The entries of a frame in their order.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    rest: &'a [u8],
    index: u32,
}

/// One entry: its index in the frame, what it is, its bytes.
pub type Entry<'a> = (u32, EntryKind, &'a [u8]);

/// Opens a frame.
///
/// # Errors
/// If it is of an unknown version. Torn and unknown entries show when they are reached.
pub fn open(frame: &[u8]) -> Result<Entries<'_>, FrameError> {
    match frame.split_first() {
        Some((&FRAME_VERSION, rest)) => Ok(Entries { rest, index: 0 }),
        _ => Err(FrameError::UnknownVersion),
    }
}

impl<'a> Entries<'a> {
    /// The next entry, `None` at the end.
    ///
    /// # Errors
    /// If the frame is torn or the entry of an unknown kind.
    #[allow(clippy::should_implement_trait)] // An iterator of results would make every caller longer.
    pub fn next(&mut self) -> Result<Option<Entry<'a>>, FrameError> {
        let Some((&code, mut rest)) = self.rest.split_first() else { return Ok(None) };
        let length = take_uint(&mut rest).and_then(|length| usize::try_from(length).ok()).ok_or(FrameError::Torn)?;
        if length > rest.len() {
            return Err(FrameError::Torn);
        }
        let (entry, rest) = rest.split_at(length);
        self.rest = rest;
        let index = self.index;
        self.index += 1;
        let kind = EntryKind::from_code(u64::from(code)).ok_or(FrameError::UnknownKind)?;
        Ok(Some((index, kind, entry)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_order_and_index() {
        let mut builder = FrameBuilder::default();
        assert!(builder.is_empty());
        builder.push(EntryKind::Touchpoint, b"one");
        builder.push(EntryKind::Progress, &[9; 200]);
        let mut entries = open(builder.bytes()).expect("a frame");
        assert_eq!(entries.next(), Ok(Some((0, EntryKind::Touchpoint, &b"one"[..]))));
        assert_eq!(entries.next(), Ok(Some((1, EntryKind::Progress, &[9u8; 200][..]))));
        assert_eq!(entries.next(), Ok(None));
        builder.clear();
        assert!(builder.is_empty() && builder.bytes().is_empty());
    }

    #[test]
    fn a_torn_tail_is_seen() {
        let mut builder = FrameBuilder::default();
        builder.push(EntryKind::Touchpoint, b"first");
        let first = builder.bytes().len();
        builder.push(EntryKind::Touchpoint, b"second");
        for length in first + 1..builder.bytes().len() {
            let mut entries = open(&builder.bytes()[..length]).expect("version byte is there");
            assert!(entries.next().is_ok());
            assert_eq!(entries.next(), Err(FrameError::Torn), "{length}");
        }
        assert_eq!(open(&[]).err(), Some(FrameError::UnknownVersion));
        assert_eq!(open(&[9, 0]).err(), Some(FrameError::UnknownVersion));
    }
}
