//! The log of one partition, open for appending.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::{Disk, Sink};
use super::format::{FileHeader, FileKind, Identity, Position, RecordsBlock, header_block};
use super::snapshot::{Merged, file_name, merge};
use super::survey::{BATCHES, FileSurvey, Survey};

/// When a snapshot is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of batches below which none is made for size. Above, one is due when they outweigh the snapshot.
    pub batch_bytes_min: u64,
    /// Milliseconds after which the oldest file is rewritten if there are batches: what was erased leaves the disk then.
    pub age_max: i64,
}

impl Default for Limits {
    fn default() -> Self {
        // Half of the 24 h in which an erasure must have left the disk.
        Self { batch_bytes_min: 16 << 20, age_max: 12 * 3_600 * 1_000 }
    }
}

/// The log of one partition, open for appending.
pub struct LogWriter {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    identity: Identity,
    limits: Limits,
    /// What it holds; the last file is the one being written.
    held: Survey,
    file: Box<dyn Sink>,
}

impl std::fmt::Debug for LogWriter {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("LogWriter").field("folder", &self.folder).field("held", &self.held).finish_non_exhaustive()
    }
}

impl LogWriter {
    /// Goes on after what was surveyed, in a new file. What does not count is removed.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn go_on(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
        identity: Identity,
        limits: Limits,
        mut held: Survey,
        now: i64,
    ) -> io::Result<Self> {
        disk.make(&folder)?;
        for path in held.leftover.drain(..) {
            disk.remove(&path)?;
        }
        if held.damage.take().is_some()
            && let Some(last) = held.files.last()
        {
            disk.cut(&last.path, last.bytes)?;
        }
        let (file, begun) = begin(&*disk, &folder, &identity, held.files.last(), now)?;
        held.files.push(begun);
        Ok(Self { disk, folder, identity, limits, held, file })
    }

    /// Removes what was surveyed and begins with nothing.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn begin_anew(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
        identity: Identity,
        limits: Limits,
        discarded: &Survey,
        now: i64,
    ) -> io::Result<Self> {
        remove(&*disk, discarded)?;
        Self::go_on(disk, folder, identity, limits, Survey::default(), now)
    }

    /// Appends records of a confirmed commit or of the changelog itself. With a position: everything in the changelog before
    /// it is in the log now.
    ///
    /// # Errors
    /// If the disk cannot be written. The log must not be appended to after that.
    pub fn append(&mut self, records: RecordsBlock, position: Option<Position>) -> io::Result<()> {
        // A position never goes back: a lower answer of another replica is no news.
        let position = position.filter(|next| self.held.position.is_none_or(|held| held.next <= next.next));
        if records.is_empty() && position.is_none() {
            return Ok(());
        }
        let count = records.records();
        let block = records.finish(position);
        self.file.write_all(&block)?;
        let last = self.held.files.last_mut().expect("the file being written is the last");
        last.bytes += block.len() as u64;
        last.records += count;
        self.held.position = position.or(self.held.position);
        Ok(())
    }

    /// What it holds.
    #[must_use]
    pub const fn held(&self) -> &Survey {
        &self.held
    }

    /// Whether the files deserve to be replaced by a snapshot.
    #[must_use]
    pub fn is_snapshot_due(&self, now: i64) -> bool {
        let snapshot = self.held.snapshot();
        let snapshot_bytes = snapshot.map_or(0, |file| file.bytes);
        let batches = self.held.files.iter().filter(|file| file.header.kind == FileKind::Batches);
        let records: u64 = batches.map(|file| file.records).sum();
        let oldest = self.held.files.first().map_or(now, |file| file.header.created_at);
        let is_large = self.held.bytes() - snapshot_bytes >= snapshot_bytes.max(self.limits.batch_bytes_min);
        let is_old = now - oldest >= self.limits.age_max;
        self.held.position.is_some() && records > 0 && (is_large || is_old)
    }

    /// Replaces the files by a snapshot and begins a new file of batches.
    ///
    /// # Errors
    /// If the disk cannot be read or written. The log must not be appended to after that.
    pub fn snapshot(&mut self, now: i64) -> io::Result<Option<Merged>> {
        let Some(position) = self.held.position else { return Ok(None) };
        let records_before = self.held.records();
        let snapshot = merge(&*self.disk, &self.folder, &self.held, position, now)?;
        let merged = Merged { records_before, records: snapshot.records, bytes: snapshot.bytes };
        let (file, begun) = begin(&*self.disk, &self.folder, &self.identity, Some(&snapshot), now)?;
        self.file = file;
        self.held.files = vec![snapshot, begun];
        Ok(Some(merged))
    }

    /// Ends the log: what was written is on the disk.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn close(mut self) -> io::Result<()> {
        self.file.sync()
    }

    /// Removes the log.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn discard(self) -> io::Result<()> {
        let Self { disk, held, file, .. } = self;
        drop(file);
        remove(&*disk, &held)
    }
}

fn begin(
    disk: &dyn Disk,
    folder: &std::path::Path,
    identity: &Identity,
    last: Option<&FileSurvey>,
    now: i64,
) -> io::Result<(Box<dyn Sink>, FileSurvey)> {
    let (number, before) = last.map_or((1, 0), |last| (last.header.number + 1, last.bytes));
    let header = FileHeader { kind: FileKind::Batches, number, before, created_at: now, identity: identity.clone() };
    let path = file_name(folder, number, BATCHES);
    let mut file = disk.create(&path)?;
    let block = header_block(&header);
    file.write_all(&block)?;
    Ok((file, FileSurvey { path, header, bytes: block.len() as u64, records: 0 }))
}

/// Removes every file, the last first: what a crash leaves is the beginning of a log, which is a log, or has no beginning,
/// which is none.
fn remove(disk: &dyn Disk, survey: &Survey) -> io::Result<()> {
    for path in survey.leftover.iter().chain(survey.files.iter().rev().map(|file| &file.path)) {
        match disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
