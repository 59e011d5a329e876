//! The local log: what a worker committed to its changelog, kept on a disk of its own to shorten restarts.
//!
//! The changelog is the truth. A log holds the changelog records of every confirmed commit of one partition, and positions:
//! "everything in the changelog before this offset is in what you have read so far". A restart loads the log and reads the
//! changelog from its last position on. Reading something twice is harmless, because the last value of a key wins.
//!
//! **Files.** `<directory>/lock` keeps a second process out. Each changelog partition has a folder of numbered files: at most
//! one snapshot, which replaces every file up to its number, and the batches after it. A file is a row of blocks with a
//! CRC-32C each ([`format`]); a file that is being written ends anywhere.
//!
//! **Where a position comes from.** The high watermark of the changelog, asked for once a second by a thread beside the
//! workers. A worker takes the answer over before it sends the offsets of a commit, and writes it with the records of that
//! commit once it is confirmed. Then every record below it is either in the log, or of a transaction that was dropped: our
//! commits before the answer are in the log, and nobody else can have committed, since the coordinator has just accepted our
//! generation after the answer was given. Idle partitions get no new positions for that reason: nothing proves that they are
//! still ours.
//!
//! **What damage does.** Everything is verified before anything is used. A torn tail or a flipped byte cuts the log at the
//! last good block; files behind it are removed, and the position is the one of that block. A damaged snapshot, another
//! cluster or topic id, or a position older than `delete.retention.ms` (deletions may be gone from the changelog) discards
//! the log. So no `fsync` is needed for correctness: data is synced when a snapshot replaces files and when a partition is
//! closed, and a power failure costs what the system had not written yet.
//!
//! **What a fault does.** A disk that is full or fails, or is slower than the worker, ends the log of that partition with a
//! warning and a count; its files are removed, and the worker goes on. The next restore begins a new one.

pub mod disk;
pub mod format;
mod index;
mod keeper;
mod snapshot;
mod survey;
mod writer;

pub use disk::{Disk, Folder, Lock, LockError};
pub use index::latest;
pub(crate) use keeper::now_millis;
pub use keeper::{Backlog, Claim, Figures, GivenUp, Keeper, KeeperOptions, Kept};
pub use snapshot::Merged;
pub use survey::{Damage, FileSurvey, Survey, Verdict, read, survey};
pub use writer::{Limits, LogWriter};
