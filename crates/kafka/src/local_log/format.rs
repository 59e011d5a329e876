//! Blocks and what is in them. Pure: bytes in, values out.
//!
//! ```text
//! block    = kind u8, length u32, crc u32, payload         crc-32c of kind, length and payload; integers little-endian
//! header   = format u16, file kind u8, partition i32, number u64, bytes of the file before u64, created ms i64,
//!            topic id 16 bytes, length u16 + cluster id, length u16 + topic      the first block of every file
//! records  = position i64, at ms i64, record*              -1: no position yet
//! record   = key length varint, value length + 1 varint (0: a deletion), key, value
//! complete = position i64, at ms i64, records u64          the last block of a snapshot
//! ```

/// The only format there is.
pub const FORMAT: u16 = 1;
/// Bytes before the payload of a block.
pub const BLOCK_HEAD: usize = 9;
/// Largest payload that is read: larger lengths are damage. Far above a transaction's changelog records of one partition.
pub const PAYLOAD_MAX: usize = 1 << 30;
/// Bytes before the records of a block.
pub const RECORDS_HEAD: usize = 16;

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// First of a file.
    Header,
    /// Records of one partition.
    Records,
    /// Last of a snapshot.
    Complete,
}

impl BlockKind {
    const fn code(self) -> u8 {
        match self {
            Self::Header => 1,
            Self::Records => 2,
            Self::Complete => 3,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Header),
            2 => Some(Self::Records),
            3 => Some(Self::Complete),
            _ => None,
        }
    }
}

/// Everything in the changelog before `next` is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Offset to read the changelog from.
    pub next: i64,
    /// When it was true, milliseconds since 1970.
    pub at: i64,
}

/// Which changelog partition a log belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Id of the cluster.
    pub cluster: String,
    /// Name of the changelog topic.
    pub topic: String,
    /// Its id, which a topic of the same name that is made later does not share.
    pub topic_id: [u8; 16],
    /// Partition.
    pub partition: i32,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Batches, in the order of their commits.
    Batches,
    /// The last value of every key in the files up to its number.
    Snapshot,
}

/// The first block of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHeader {
    /// What the file is.
    pub kind: FileKind,
    /// Its number.
    pub number: u64,
    /// Bytes of the file before it when it was begun: a file that lost its end at the border of two blocks shows none.
    pub before: u64,
    /// When it was begun, milliseconds since 1970.
    pub created_at: i64,
    /// Whose it is.
    pub identity: Identity,
}

/// Frames a payload that was begun with [`begin_block`].
pub fn end_block(block: &mut [u8], kind: BlockKind) {
    let length = u32::try_from(block.len() - BLOCK_HEAD).expect("a payload is bounded by a transaction");
    block[0] = kind.code();
    block[1..5].copy_from_slice(&length.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&block[..5]), &block[BLOCK_HEAD..]);
    block[5..9].copy_from_slice(&crc.to_le_bytes());
}

/// An empty block: room for its head.
#[must_use]
pub fn begin_block() -> Vec<u8> {
    vec![0; BLOCK_HEAD]
}

/// Kind and payload length of a block, from its head; none if that cannot be one.
#[must_use]
pub fn read_head(head: &[u8; BLOCK_HEAD]) -> Option<(BlockKind, usize)> {
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    BlockKind::from_code(head[0]).filter(|_| length <= PAYLOAD_MAX).map(|kind| (kind, length))
}

/// Whether the payload is the one that the head was written for.
#[must_use]
pub fn is_intact(head: &[u8; BLOCK_HEAD], payload: &[u8]) -> bool {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&head[..5]), payload);
    crc.to_le_bytes() == head[5..9]
}

/// A block with the header of a file.
#[must_use]
pub fn header_block(header: &FileHeader) -> Vec<u8> {
    let mut block = begin_block();
    block.extend_from_slice(&FORMAT.to_le_bytes());
    block.push(match header.kind {
        FileKind::Batches => 0,
        FileKind::Snapshot => 1,
    });
    block.extend_from_slice(&header.identity.partition.to_le_bytes());
    block.extend_from_slice(&header.number.to_le_bytes());
    block.extend_from_slice(&header.before.to_le_bytes());
    block.extend_from_slice(&header.created_at.to_le_bytes());
    block.extend_from_slice(&header.identity.topic_id);
    for text in [&header.identity.cluster, &header.identity.topic] {
        // Kafka bounds both far below this.
        let text = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
        block.extend_from_slice(&(text.len() as u16).to_le_bytes());
        block.extend_from_slice(text);
    }
    end_block(&mut block, BlockKind::Header);
    block
}

/// The header of a file; none if the format is another.
#[must_use]
pub fn read_header(payload: &[u8]) -> Option<FileHeader> {
    let mut rest = payload;
    if u16::from_le_bytes(take(&mut rest)?) != FORMAT {
        return None;
    }
    let kind = match take::<1>(&mut rest)?[0] {
        0 => FileKind::Batches,
        1 => FileKind::Snapshot,
        _ => return None,
    };
    let partition = i32::from_le_bytes(take(&mut rest)?);
    let number = u64::from_le_bytes(take(&mut rest)?);
    let before = u64::from_le_bytes(take(&mut rest)?);
    let created_at = i64::from_le_bytes(take(&mut rest)?);
    let topic_id = take(&mut rest)?;
    let mut text = || {
        let length = usize::from(u16::from_le_bytes(take(&mut rest)?));
        let (text, after) = rest.split_at_checked(length)?;
        rest = after;
        std::str::from_utf8(text).ok().map(str::to_owned)
    };
    let (cluster, topic) = (text()?, text()?);
    Some(FileHeader { kind, number, before, created_at, identity: Identity { cluster, topic, topic_id, partition } })
}

/// A block of records that takes them one by one.
#[derive(Debug, Clone)]
pub struct RecordsBlock {
    block: Vec<u8>,
    records: u64,
}

impl Default for RecordsBlock {
    fn default() -> Self {
        let mut block = begin_block();
        block.resize(BLOCK_HEAD + RECORDS_HEAD, 0);
        Self { block, records: 0 }
    }
}

impl RecordsBlock {
    /// Adds a record; no value is a deletion.
    pub fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        put_varint(&mut self.block, key.len() as u64);
        put_varint(&mut self.block, value.map_or(0, |value| value.len() as u64 + 1));
        self.block.extend_from_slice(key);
        self.block.extend_from_slice(value.unwrap_or_default());
        self.records += 1;
    }

    /// Records in it.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Bytes of its payload.
    #[must_use]
    pub fn len(&self) -> usize {
        self.block.len() - BLOCK_HEAD
    }

    /// Whether there are no records.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Its payload as it is before a position is written.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.block[BLOCK_HEAD..]
    }

    /// Forgets the records; the buffer is kept.
    pub fn clear(&mut self) {
        self.block.truncate(BLOCK_HEAD + RECORDS_HEAD);
        self.records = 0;
    }

    /// The framed block.
    #[must_use]
    pub fn finish(mut self, position: Option<Position>) -> Vec<u8> {
        put_position(&mut self.block[BLOCK_HEAD..], position);
        end_block(&mut self.block, BlockKind::Records);
        self.block
    }
}

fn put_position(payload: &mut [u8], position: Option<Position>) {
    let position = position.unwrap_or(Position { next: -1, at: 0 });
    payload[..8].copy_from_slice(&position.next.to_le_bytes());
    payload[8..16].copy_from_slice(&position.at.to_le_bytes());
}

/// The last block of a snapshot.
#[must_use]
pub fn complete_block(position: Position, records: u64) -> Vec<u8> {
    let mut block = begin_block();
    block.resize(BLOCK_HEAD + RECORDS_HEAD, 0);
    put_position(&mut block[BLOCK_HEAD..], Some(position));
    block.extend_from_slice(&records.to_le_bytes());
    end_block(&mut block, BlockKind::Complete);
    block
}

/// The position at the start of a payload, if it has one.
#[must_use]
pub fn read_position(payload: &[u8]) -> Option<Position> {
    let mut rest = payload;
    let next = i64::from_le_bytes(take(&mut rest)?);
    let at = i64::from_le_bytes(take(&mut rest)?);
    (next >= 0).then_some(Position { next, at })
}

/// The records of a payload: key, and value or none for a deletion. Bytes that are none end the list.
pub fn records(payload: &[u8]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    let mut rest = payload.get(RECORDS_HEAD..).unwrap_or_default();
    std::iter::from_fn(move || {
        let key_length = usize::try_from(take_varint(&mut rest)?).ok()?;
        let value_length = usize::try_from(take_varint(&mut rest)?).ok()?;
        let (key, after) = rest.split_at_checked(key_length)?;
        let (value, after) = after.split_at_checked(value_length.saturating_sub(1))?;
        rest = after;
        Some((key, (value_length > 0).then_some(value)))
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_comes_back() {
        let header = FileHeader {
            kind: FileKind::Snapshot,
            number: 7,
            before: 1 << 40,
            created_at: 1_700_000_000_000,
            identity: Identity {
                cluster: "c".to_owned(),
                topic: "t.changelog".to_owned(),
                topic_id: [3; 16],
                partition: 31,
            },
        };
        let block = header_block(&header);
        assert_eq!(read_header(&block[BLOCK_HEAD..]), Some(header));
        assert_eq!(read_header(&block[BLOCK_HEAD..block.len() - 1]), None);
    }

    proptest! {
        #[test]
        fn records_come_back(list in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..40), prop::option::of(prop::collection::vec(any::<u8>(), 0..300))), 0..20,
        ), next in prop::option::of(0i64..i64::MAX)) {
            let mut block = RecordsBlock::default();
            for (key, value) in &list {
                block.push(key, value.as_deref());
            }
            let position = next.map(|next| Position { next, at: 5 });
            let bytes = block.finish(position);
            let head: [u8; BLOCK_HEAD] = bytes[..BLOCK_HEAD].try_into().expect("a head");
            prop_assert_eq!(read_head(&head), Some((BlockKind::Records, bytes.len() - BLOCK_HEAD)));
            prop_assert!(is_intact(&head, &bytes[BLOCK_HEAD..]));
            prop_assert_eq!(read_position(&bytes[BLOCK_HEAD..]), position);
            let read: Vec<_> =
                records(&bytes[BLOCK_HEAD..]).map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))).collect();
            prop_assert_eq!(read, list);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _count = records(&bytes).count();
            let _header = read_header(&bytes);
        }
    }
}
