//! The last value of every key in a log.

use std::io;

use rustc_hash::FxHashMap;

use super::disk::Disk;
use super::format::records;
use super::survey::{Survey, read};

/// Hands every key that was not deleted to `sink`, with its last value, in the order of those values. Reads the log twice:
/// the first time only keys are remembered, about 60 bytes each.
///
/// # Errors
/// If the disk cannot be read, or `sink` fails.
pub fn latest(
    disk: &dyn Disk,
    survey: &Survey,
    mut sink: impl FnMut(&[u8], &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut last: FxHashMap<Box<[u8]>, u64> = FxHashMap::default();
    let mut at = 0;
    read::<io::Error>(disk, survey, |payload| {
        for (key, _) in records(&payload) {
            match last.get_mut(key) {
                Some(last) => *last = at,
                None => {
                    last.insert(key.into(), at);
                }
            }
            at += 1;
        }
        Ok(())
    })?;
    at = 0;
    read(disk, survey, |payload| {
        for (key, value) in records(&payload) {
            if let Some(value) = value.filter(|_| last.get(key) == Some(&at)) {
                sink(key, value)?;
            }
            at += 1;
        }
        Ok(())
    })
}
