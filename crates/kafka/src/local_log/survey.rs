//! Looking at the log of a partition before anything of it is used: which files count, up to which byte, what is wrong.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::format::{BLOCK_HEAD, BlockKind, FileHeader, FileKind, Identity, Position};
use super::format::{is_intact, read_head, read_header, read_position, records};

/// Ending of files of batches.
pub(super) const BATCHES: &str = "batches";
/// Ending of snapshots.
pub(super) const SNAPSHOT: &str = "snapshot";
/// Ending of a snapshot that is being written.
pub(super) const UNFINISHED: &str = "unfinished";

/// One file that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSurvey {
    /// Where it is.
    pub path: PathBuf,
    /// Its header.
    pub header: FileHeader,
    /// Bytes up to the end of the last good block.
    pub bytes: u64,
    /// Records in those, deletions included.
    pub records: u64,
}

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// First byte that cannot be used.
    pub at: u64,
    /// What is wrong there.
    pub why: &'static str,
}

/// What a log holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// Files that count, in order: a snapshot first, if there is one.
    pub files: Vec<FileSurvey>,
    /// The last position in them.
    pub position: Option<Position>,
    /// The first damage, if there is some; what is before it counts.
    pub damage: Option<Damage>,
    /// Files that do not count: replaced, behind a damage, or unfinished.
    pub leftover: Vec<PathBuf>,
}

/// Whether a log may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may, from this position on.
    Usable(Position),
    /// There is none.
    Absent,
    /// It has no position: its first restore did not end.
    Unfinished,
    /// Another cluster, topic or partition.
    Foreign,
    /// Deletions after its position may be gone from the changelog.
    Stale,
    /// Its snapshot is damaged.
    Damaged,
    /// The changelog does not reach from its position to its end.
    OutOfRange,
}

impl Verdict {
    /// One word for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usable(_) => "usable",
            Self::Absent => "absent",
            Self::Unfinished => "unfinished",
            Self::Foreign => "foreign",
            Self::Stale => "stale",
            Self::Damaged => "damaged",
            Self::OutOfRange => "out_of_range",
        }
    }
}

impl Survey {
    /// Records that count.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.files.iter().map(|file| file.records).sum()
    }

    /// Bytes that count.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The snapshot, if the log has one.
    #[must_use]
    pub fn snapshot(&self) -> Option<&FileSurvey> {
        self.files.first().filter(|file| file.header.kind == FileKind::Snapshot)
    }

    /// Whether the log may shorten a restore of `identity`, whose changelog holds offsets from `low` to before `high`, at
    /// `now` (milliseconds), with a position at most `age_max` old.
    #[must_use]
    pub fn verdict(&self, identity: &Identity, (low, high): (i64, i64), now: i64, age_max: i64) -> Verdict {
        if self.files.is_empty() {
            return if self.damage.is_some() { Verdict::Damaged } else { Verdict::Absent };
        }
        if self.files.iter().any(|file| file.header.identity != *identity) {
            return Verdict::Foreign;
        }
        let Some(position) = self.position else { return Verdict::Unfinished };
        // A clock that was set back proves nothing about age.
        if now - position.at >= age_max || now < position.at {
            return Verdict::Stale;
        }
        if position.next < low || position.next > high {
            return Verdict::OutOfRange;
        }
        Verdict::Usable(position)
    }
}

/// Verifies every file of a partition's folder.
///
/// # Errors
/// If the disk cannot be read; damage is no error.
pub fn survey(disk: &dyn Disk, folder: &Path) -> io::Result<Survey> {
    let mut numbered = Vec::new();
    let mut found = Survey::default();
    for name in disk.list(folder)? {
        let path = folder.join(&name);
        let parts = name.split_once('.').and_then(|(number, ending)| Some((number.parse::<u64>().ok()?, ending)));
        match parts {
            Some((number, BATCHES)) => numbered.push((number, FileKind::Batches, path)),
            Some((number, SNAPSHOT)) => numbered.push((number, FileKind::Snapshot, path)),
            Some((_, UNFINISHED)) => found.leftover.push(path),
            // Not ours: nothing that somebody else put there is touched.
            _ => {}
        }
    }
    let newest = numbered.iter().filter(|(_, kind, _)| *kind == FileKind::Snapshot).map(|(number, ..)| *number).max();
    let replaced = |number: u64, kind| match newest {
        Some(newest) => number < newest || (number == newest && kind == FileKind::Batches),
        None => false,
    };
    // The snapshot is before the batches of higher numbers.
    numbered.sort_by_key(|(number, ..)| *number);
    let mut expected = newest.unwrap_or(1);
    for (number, kind, path) in numbered {
        if replaced(number, kind) || found.damage.is_some() {
            found.leftover.push(path);
            continue;
        }
        if expected != number {
            found.damage = Some(Damage { path: path.clone(), at: 0, why: "a file before this one is missing" });
            found.leftover.push(path);
            continue;
        }
        expected = number + 1;
        verify(disk, path, number, kind, &mut found)?;
    }
    Ok(found)
}

/// Verifies one file and adds what counts of it.
fn verify(disk: &dyn Disk, path: PathBuf, number: u64, kind: FileKind, found: &mut Survey) -> io::Result<()> {
    let mut blocks = Blocks::new(disk.open(&path)?);
    let (mut header, mut count, mut complete, mut position) = (None, 0u64, false, None);
    let mut why = "torn or flipped";
    let before = found.files.last().map_or(0, |last| last.bytes);
    while let Some((block, payload)) = blocks.next()? {
        let mut misplaced = None;
        match block {
            BlockKind::Header if header.is_none() => match read_header(payload) {
                Some(read) if read.number != number || read.kind != kind => {
                    misplaced = Some("the header is of another file");
                }
                Some(read) if read.before != before => misplaced = Some("the file before it lost its end"),
                Some(read) => header = Some(read),
                None => misplaced = Some("another format"),
            },
            BlockKind::Records if header.is_some() && !complete => {
                count += records(payload).count() as u64;
                position = read_position(payload).or(position);
            }
            BlockKind::Complete if kind == FileKind::Snapshot && header.is_some() && !complete => {
                complete = true;
                position = read_position(payload).or(position);
            }
            _ => misplaced = Some("a block where it does not belong"),
        }
        if let Some(misplaced) = misplaced {
            why = misplaced;
            blocks.refuse();
            break;
        }
    }
    let (at, is_whole) = (blocks.good, blocks.is_whole);
    let counts = match kind {
        // A snapshot replaces its files when it is whole, so a part of one says nothing.
        FileKind::Snapshot => complete && is_whole,
        FileKind::Batches => true,
    };
    if !is_whole || header.is_none() || !counts {
        found.damage = Some(Damage { path: path.clone(), at, why });
    }
    match header.filter(|_| counts) {
        Some(header) => {
            found.position = position.or(found.position);
            found.files.push(FileSurvey { path, header, bytes: at, records: count });
        }
        None => found.leftover.push(path),
    }
    Ok(())
}

/// Hands the payload of every block of records to `sink`, in order. The survey said what counts; damage that appears between
/// the two is an error.
///
/// # Errors
/// If the disk cannot be read, or `sink` fails.
pub fn read<E: From<io::Error>>(
    disk: &dyn Disk,
    survey: &Survey,
    mut sink: impl FnMut(Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    for file in &survey.files {
        let mut blocks = Blocks::new(disk.open(&file.path)?);
        while blocks.good < file.bytes {
            match blocks.next()? {
                Some((BlockKind::Records, _)) => sink(blocks.take())?,
                Some(_) => {}
                None => {
                    return Err(io::Error::other(format!("{} changed while it was read", file.path.display())).into());
                }
            }
        }
    }
    Ok(())
}

/// The blocks of a file, up to the first that is not good.
struct Blocks {
    file: BufReader<Box<dyn Read + Send>>,
    payload: Vec<u8>,
    /// Bytes up to the end of the last good block.
    good: u64,
    last: u64,
    /// The file ended with a good block.
    is_whole: bool,
}

/// A length that lies must not make room for itself before its bytes are there.
const PIECE: u64 = 1 << 20;

impl Blocks {
    fn new(file: Box<dyn Read + Send>) -> Self {
        Self { file: BufReader::with_capacity(1 << 18, file), payload: Vec::new(), good: 0, last: 0, is_whole: false }
    }

    fn next(&mut self) -> io::Result<Option<(BlockKind, &[u8])>> {
        let mut head = [0; BLOCK_HEAD];
        let read = fill(&mut self.file, &mut head)?;
        if read < BLOCK_HEAD {
            self.is_whole = read == 0;
            return Ok(None);
        }
        let Some((kind, length)) = read_head(&head) else { return Ok(None) };
        self.payload.clear();
        self.payload.reserve(length.min(PIECE as usize));
        let taken = (&mut self.file).take(length as u64).read_to_end(&mut self.payload)?;
        if taken < length || !is_intact(&head, &self.payload) {
            return Ok(None);
        }
        self.last = self.good;
        self.good += (BLOCK_HEAD + length) as u64;
        Ok(Some((kind, &self.payload)))
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.payload)
    }

    /// The block that was just read does not count after all.
    fn refuse(&mut self) {
        self.good = self.last;
    }
}

fn fill(file: &mut impl Read, head: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < head.len() {
        match file.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
