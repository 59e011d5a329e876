//! The local log on a disk in memory: whatever is torn or flipped, what it gives plus the changelog from its position on is
//! the state.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use throughline_kafka::local_log::format::{Identity, Position, RecordsBlock, records};
use throughline_kafka::local_log::{
    Disk, Folder, GivenUp, Keeper, KeeperOptions, Limits, Lock, LockError, LogWriter, Survey, Verdict, latest, read,
    survey,
};

type Table = BTreeMap<Vec<u8>, Vec<u8>>;
type Change = (Vec<u8>, Option<Vec<u8>>);

const DAY: i64 = 24 * 3_600 * 1_000;
const NOW: i64 = 1_000 * DAY;

/// Files in memory, with room for so many bytes.
#[derive(Clone)]
struct Memory {
    files: Arc<Mutex<BTreeMap<PathBuf, Vec<u8>>>>,
    room: Arc<Mutex<usize>>,
}

impl Memory {
    fn new(room: usize) -> Self {
        Self { files: Arc::default(), room: Arc::new(Mutex::new(room)) }
    }

    fn copy(&self) -> Self {
        let files = self.files.lock().expect("files").clone();
        Self { files: Arc::new(Mutex::new(files)), room: Arc::new(Mutex::new(usize::MAX)) }
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.files.lock().expect("files").keys().cloned().collect()
    }

    fn change(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.files.lock().expect("files").get_mut(path).expect("a file"));
    }
}

struct Writing {
    disk: Memory,
    path: PathBuf,
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut room = self.disk.room.lock().expect("room");
        if *room == 0 {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"));
        }
        let taken = bytes.len().min(*room);
        *room -= taken;
        // A file that was removed meanwhile takes what is written and is gone.
        if let Some(file) = self.disk.files.lock().expect("files").get_mut(&self.path) {
            file.extend_from_slice(&bytes[..taken]);
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl throughline_kafka::local_log::disk::Sink for Writing {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Memory {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let inside = |path: &PathBuf| path.parent() == Some(folder);
        let name = |path: PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
        Ok(self.paths().into_iter().filter(inside).map(name).collect())
    }

    fn make(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn open(&self, file: &Path) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.files.lock().expect("files").get(file).cloned();
        Ok(Box::new(Cursor::new(bytes.ok_or(io::ErrorKind::NotFound)?)))
    }

    fn create(&self, file: &Path) -> io::Result<Box<dyn throughline_kafka::local_log::disk::Sink>> {
        self.files.lock().expect("files").insert(file.to_owned(), Vec::new());
        Ok(Box::new(Writing { disk: self.clone(), path: file.to_owned() }))
    }

    fn cut(&self, file: &Path, length: u64) -> io::Result<()> {
        self.change(file, |bytes| bytes.truncate(usize::try_from(length).expect("small")));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.files.lock().expect("files");
        let bytes = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.files.lock().expect("files").remove(file).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }
}

fn identity() -> Identity {
    Identity { cluster: "c".to_owned(), topic: "changelog".to_owned(), topic_id: [7; 16], partition: 3 }
}

fn folder() -> PathBuf {
    PathBuf::from("/state/changelog/3")
}

fn limits() -> Limits {
    Limits { batch_bytes_min: u64::MAX, age_max: DAY / 2 }
}

/// The changelog, and how it got into the log.
struct Story {
    disk: Memory,
    changelog: Vec<Change>,
}

fn change(at: usize) -> Change {
    let key = format!("key-{}", at % 7).into_bytes();
    (key, (at % 5 != 4).then(|| format!("value {at} {}", "x".repeat(at % 40)).into_bytes()))
}

/// Commits of a few records each; every second one brings a position that is a commit old, as the answers of a broker are;
/// `restarts` close and survey the log, `snapshots` merge it.
fn story(commits: usize, restarts: &[usize], snapshots: &[usize]) -> Story {
    let disk = Memory::new(usize::MAX);
    let mut writer = open(&disk, Survey::default());
    let mut changelog = Vec::new();
    let mut answer = None;
    for commit in 0..commits {
        let position = answer.take().filter(|_| commit % 2 == 1);
        let mut block = RecordsBlock::default();
        for _ in 0..=commit % 3 {
            let (key, value) = change(changelog.len());
            block.push(&key, value.as_deref());
            changelog.push((key, value));
        }
        writer.append(block, position).expect("room");
        answer = Some(Position { next: changelog.len() as i64, at: NOW });
        if restarts.contains(&commit) {
            drop(writer);
            writer = open(&disk, survey(&disk, &folder()).expect("readable"));
        }
        if snapshots.contains(&commit) {
            writer.snapshot(NOW).expect("room");
        }
    }
    Story { disk, changelog }
}

fn open(disk: &Memory, held: Survey) -> LogWriter {
    LogWriter::go_on(Arc::new(disk.clone()), folder(), identity(), limits(), held, NOW).expect("room")
}

fn put(table: &mut Table, key: &[u8], value: Option<&[u8]>) {
    match value {
        Some(value) => table.insert(key.to_vec(), value.to_vec()),
        None => table.remove(key),
    };
}

/// What a restore makes of the disk and the changelog; also how many changelog records it read.
fn restore(disk: &Memory, changelog: &[Change]) -> (Table, usize) {
    let found = survey(disk, &folder()).expect("readable");
    let mut table = Table::new();
    let from = match found.verdict(&identity(), (0, changelog.len() as i64), NOW + 1, DAY) {
        Verdict::Usable(position) => {
            read::<io::Error>(disk, &found, |payload| {
                records(&payload).for_each(|(key, value)| put(&mut table, key, value));
                Ok(())
            })
            .expect("what was surveyed can be read");
            usize::try_from(position.next).expect("not negative")
        }
        _ => 0,
    };
    for (key, value) in &changelog[from..] {
        put(&mut table, key, value.as_deref());
    }
    (table, changelog.len() - from)
}

fn state(changelog: &[Change]) -> Table {
    let mut table = Table::new();
    for (key, value) in changelog {
        put(&mut table, key, value.as_deref());
    }
    table
}

#[test]
fn a_whole_log_shortens_a_restore_to_the_difference() {
    for (restarts, snapshots) in [(&[][..], &[][..]), (&[4, 9], &[]), (&[], &[11]), (&[3, 15], &[7, 12])] {
        let Story { disk, changelog } = story(20, restarts, snapshots);
        let (table, read) = restore(&disk, &changelog);
        assert_eq!(table, state(&changelog));
        assert!(read <= 6, "{read} of {} records were read again", changelog.len());
    }
}

#[test]
fn a_log_torn_at_any_byte_gives_the_state() {
    for Story { disk, changelog } in [story(14, &[5], &[8]), story(14, &[3, 4, 10], &[])] {
        let wanted = state(&changelog);
        for path in disk.paths() {
            let length = disk.files.lock().expect("files")[&path].len();
            for at in 0..length {
                let torn = disk.copy();
                torn.change(&path, |bytes| bytes.truncate(at));
                assert_eq!(restore(&torn, &changelog).0, wanted, "{} torn at {at}", path.display());
            }
        }
    }
}

#[test]
fn a_flipped_byte_anywhere_is_found_and_gives_the_state() {
    let Story { disk, changelog } = story(14, &[5], &[8]);
    let wanted = state(&changelog);
    for path in disk.paths() {
        let length = disk.files.lock().expect("files")[&path].len();
        for at in 0..length {
            for bit in [0x01, 0x80] {
                let flipped = disk.copy();
                flipped.change(&path, |bytes| bytes[at] ^= bit);
                let found = survey(&flipped, &folder()).expect("readable");
                assert!(found.damage.is_some(), "{} flipped at {at}", path.display());
                assert_eq!(restore(&flipped, &changelog).0, wanted, "{} flipped at {at}", path.display());
            }
        }
    }
}

#[test]
fn a_missing_file_is_found() {
    let Story { disk, changelog } = story(14, &[5, 10], &[3]);
    for path in disk.paths() {
        let without = disk.copy();
        without.remove(&path).expect("a file");
        assert_eq!(restore(&without, &changelog).0, state(&changelog), "without {}", path.display());
    }
}

#[test]
fn a_damaged_log_goes_on_after_the_cut() {
    let Story { disk, mut changelog } = story(14, &[5], &[]);
    let last = disk.paths().pop().expect("a file");
    disk.change(&last, |bytes| bytes.truncate(bytes.len() - 3));
    let found = survey(&disk, &folder()).expect("readable");
    let from = found.position.expect("a position").next;
    let mut writer = open(&disk, found);
    // As a restore does: what it reads of the changelog goes into the log, then the position.
    let mut block = RecordsBlock::default();
    for (key, value) in &changelog[usize::try_from(from).expect("positive")..] {
        block.push(key, value.as_deref());
    }
    writer.append(block, Some(Position { next: changelog.len() as i64, at: NOW })).expect("room");
    let mut block = RecordsBlock::default();
    let (key, value) = change(changelog.len());
    block.push(&key, value.as_deref());
    changelog.push((key, value));
    writer.append(block, None).expect("room");
    let found = survey(&disk, &folder()).expect("readable");
    assert_eq!((found.damage, found.leftover.len()), (None, 0));
    assert_eq!(restore(&disk, &changelog), (state(&changelog), 1));
}

#[test]
fn a_log_that_must_not_be_used_says_why() {
    let Story { disk, changelog } = story(10, &[], &[]);
    let found = survey(&disk, &folder()).expect("readable");
    let end = changelog.len() as i64;
    let verdict = |identity: &Identity, range, now| found.verdict(identity, range, now, DAY).as_str();
    assert_eq!(verdict(&identity(), (0, end), NOW + 1), "usable");
    assert_eq!(verdict(&identity(), (0, end), NOW + DAY), "stale");
    assert_eq!(verdict(&identity(), (0, end), NOW - 1), "stale", "a clock that was set back proves nothing");
    assert_eq!(verdict(&identity(), (0, 3), NOW), "out_of_range", "the changelog lost its end");
    assert_eq!(verdict(&identity(), (end, end), NOW), "out_of_range", "the changelog begins behind the position");
    assert_eq!(verdict(&Identity { topic_id: [8; 16], ..identity() }, (0, end), NOW), "foreign");
    assert_eq!(verdict(&Identity { cluster: "d".to_owned(), ..identity() }, (0, end), NOW), "foreign");
    assert_eq!(Survey::default().verdict(&identity(), (0, end), NOW, DAY), Verdict::Absent);
}

#[test]
fn a_first_restore_that_did_not_end_is_not_used() {
    let disk = Memory::new(usize::MAX);
    let mut writer = open(&disk, Survey::default());
    let mut block = RecordsBlock::default();
    block.push(b"k", Some(b"v"));
    writer.append(block, None).expect("room");
    let found = survey(&disk, &folder()).expect("readable");
    assert_eq!(found.verdict(&identity(), (0, 10), NOW, DAY), Verdict::Unfinished);
}

#[test]
fn deleted_keys_leave_the_disk_with_the_next_snapshot() {
    let disk = Memory::new(usize::MAX);
    let mut writer = open(&disk, Survey::default());
    for (value, next) in [(Some(&b"personal"[..]), 1), (None, 2)] {
        let mut block = RecordsBlock::default();
        block.push(b"key", value);
        writer.append(block, Some(Position { next, at: NOW })).expect("room");
    }
    assert!(!writer.is_snapshot_due(NOW + DAY / 2 - 1));
    assert!(writer.is_snapshot_due(NOW + DAY / 2));
    let merged = writer.snapshot(NOW + DAY / 2).expect("room").expect("it has a position");
    assert_eq!((merged.records_before, merged.records), (2, 0));
    let files = disk.files.lock().expect("files");
    assert!(!files.values().any(|bytes| bytes.windows(8).any(|at| at == b"personal")));
    drop(files);
    assert!(!writer.is_snapshot_due(NOW + 2 * DAY), "nothing was written since");
    let found = survey(&disk, &folder()).expect("readable");
    assert_eq!(found.position.map(|position| position.next), Some(2));
}

#[test]
fn a_full_disk_ends_the_log_and_removes_it() {
    let held = Lock::take(&scratch("full")).map(drop);
    assert!(held.is_ok(), "{held:?}");
    let disk = Memory::new(2_000);
    let options = KeeperOptions { disk: Arc::new(disk.clone()), ..KeeperOptions::new(scratch("full")) };
    let keeper = Keeper::start(options).expect("a directory of its own");
    let writer = LogWriter::go_on(Arc::new(disk.clone()), folder(), identity(), limits(), Survey::default(), NOW);
    let log = keeper.keep(keeper.claim(3).expect("free"), writer.expect("room for a header"));
    for _ in 0..5 {
        let mut block = RecordsBlock::default();
        block.push(b"key", Some(&[1; 700]));
        keeper.append(&log, block, None);
    }
    keeper.settle();
    assert!(!log.is_alive());
    assert_eq!(keeper.figures().given_up[usize::from(GivenUp::Disk.code())], 1);
    assert_eq!(keeper.figures().given_up, [0, 0], "counted once");
    assert_eq!(disk.paths(), Vec::<PathBuf>::new(), "the room is given back");
}

#[test]
fn a_disk_that_is_too_slow_ends_the_log() {
    let disk = Memory::new(usize::MAX);
    let options =
        KeeperOptions { disk: Arc::new(disk.clone()), backlog_bytes_max: 100, ..KeeperOptions::new(scratch("slow")) };
    let keeper = Keeper::start(options).expect("a directory of its own");
    let writer = LogWriter::go_on(Arc::new(disk.clone()), folder(), identity(), limits(), Survey::default(), NOW);
    let log = keeper.keep(keeper.claim(3).expect("free"), writer.expect("room"));
    let mut block = RecordsBlock::default();
    block.push(b"key", Some(&[1; 700]));
    keeper.append(&log, block, None);
    keeper.settle();
    assert!(!log.is_alive());
    assert_eq!(keeper.figures().given_up[usize::from(GivenUp::Backlog.code())], 1);
}

#[test]
fn a_directory_belongs_to_one_process() {
    let directory = scratch("lock");
    let first = Lock::take(&directory).expect("free");
    let second = Lock::take(&directory).expect_err("held");
    assert!(matches!(second, LockError::Held(_)));
    assert!(second.to_string().contains(&*directory.to_string_lossy()), "{second}");
    drop(first);
    assert!(Lock::take(&directory).is_ok());
}

#[test]
fn a_log_is_claimed_until_it_is_closed() {
    let disk = Memory::new(usize::MAX);
    let options = KeeperOptions { disk: Arc::new(disk.clone()), ..KeeperOptions::new(scratch("claim")) };
    let keeper = Keeper::start(options).expect("a directory of its own");
    let writer = open(&disk, Survey::default());
    let log = keeper.keep(keeper.claim(3).expect("free"), writer);
    assert!(keeper.claim(3).is_none());
    assert!(keeper.claim(4).is_some());
    keeper.close(&log);
    keeper.settle();
    assert!(keeper.claim(3).is_some());
}

#[test]
fn the_folder_of_the_machine_does_as_the_one_in_memory() {
    let directory = scratch("folder").join("changelog/3");
    let disk: Arc<dyn Disk> = Arc::new(Folder);
    let begin = |held| LogWriter::go_on(Arc::clone(&disk), directory.clone(), identity(), limits(), held, NOW);
    let discarded = survey(&*disk, &directory).expect("readable");
    let mut writer = LogWriter::begin_anew(Arc::clone(&disk), directory.clone(), identity(), limits(), &discarded, NOW)
        .expect("room");
    for at in 0..50 {
        let mut block = RecordsBlock::default();
        let (key, value) = change(at);
        block.push(&key, value.as_deref());
        writer.append(block, Some(Position { next: at as i64 + 1, at: NOW })).expect("room");
    }
    writer.snapshot(NOW).expect("room");
    writer.close().expect("room");
    let writer = begin(survey(&*disk, &directory).expect("readable")).expect("room");
    writer.close().expect("room");
    let found = survey(&*disk, &directory).expect("readable");
    assert_eq!((found.files.len(), found.position.map(|position| position.next)), (3, Some(50)));
    let mut table = Table::new();
    latest(&*disk, &found, |key, value| {
        put(&mut table, key, Some(value));
        Ok(())
    })
    .expect("readable");
    assert_eq!(table, state(&(0..50).map(change).collect::<Vec<_>>()));
    begin(found).expect("room").discard().expect("room");
    assert_eq!(disk.list(&directory).expect("readable"), Vec::<String>::new());
}

/// A directory of this test, under the target directory.
fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("local-log-{name}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_story_with_any_damage_gives_the_state(
        commits in 1usize..40,
        restarts in prop::collection::vec(0usize..40, 0..4),
        snapshots in prop::collection::vec(0usize..40, 0..4),
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()), 0..4),
    ) {
        let Story { disk, changelog } = story(commits, &restarts, &snapshots);
        for (file, at, cut) in damages {
            let paths = disk.paths();
            let path = file.get(&paths);
            disk.change(path, |bytes| {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    if cut { bytes.truncate(at) } else { bytes[at] = bytes[at].wrapping_add(1) }
                }
            });
        }
        prop_assert_eq!(restore(&disk, &changelog).0, state(&changelog));
    }
}
