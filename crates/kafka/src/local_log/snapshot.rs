//! Replacing the files of a log by one with the last value of every key.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, Sink};
use super::format::{FileHeader, FileKind, Position, RecordsBlock, complete_block, header_block};
use super::index::latest;
use super::survey::{FileSurvey, SNAPSHOT, Survey, UNFINISHED};

/// Bytes of records in a block of a snapshot.
const BLOCK_BYTES: usize = 256 << 10;

/// What a snapshot replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// Records in the files before.
    pub records_before: u64,
    /// Records in the snapshot.
    pub records: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// Name of a numbered file.
pub(super) fn file_name(folder: &Path, number: u64, ending: &str) -> PathBuf {
    folder.join(format!("{number:010}.{ending}"))
}

/// Writes the snapshot of the files of `survey`, none of which is written to any more, and removes them.
///
/// The snapshot is written under another name, synced, and renamed: a crash leaves the old files or the new one.
pub(super) fn merge(
    disk: &dyn Disk,
    folder: &Path,
    survey: &Survey,
    position: Position,
    now: i64,
) -> io::Result<FileSurvey> {
    let newest = survey.files.last().expect("a log that has a position has files");
    let number = newest.header.number;
    let identity = newest.header.identity.clone();
    let header = FileHeader { kind: FileKind::Snapshot, number, before: 0, created_at: now, identity };
    let unfinished = file_name(folder, number, UNFINISHED);
    let mut file = disk.create(&unfinished)?;
    let (mut bytes, mut count) = (0, 0);
    put(&mut *file, &header_block(&header), &mut bytes)?;
    let mut block = RecordsBlock::default();
    latest(disk, survey, |key, value| {
        block.push(key, Some(value));
        count += 1;
        if block.len() >= BLOCK_BYTES {
            put(&mut *file, &std::mem::take(&mut block).finish(None), &mut bytes)?;
        }
        Ok(())
    })?;
    if !block.is_empty() {
        put(&mut *file, &block.finish(None), &mut bytes)?;
    }
    put(&mut *file, &complete_block(position, count), &mut bytes)?;
    file.sync()?;
    drop(file);
    let path = file_name(folder, number, SNAPSHOT);
    disk.rename(&unfinished, &path)?;
    for file in survey.files.iter().filter(|file| file.path != path) {
        disk.remove(&file.path)?;
    }
    Ok(FileSurvey { path, header, bytes, records: count })
}

fn put(file: &mut dyn Sink, block: &[u8], bytes: &mut u64) -> io::Result<()> {
    *bytes += block.len() as u64;
    file.write_all(block)
}
