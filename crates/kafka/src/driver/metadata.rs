//! What travels in the metadata of a committed offset: the number of the transaction that sent it, and who sent it.
//!
//! The number alone is not enough. While a worker stands still after a commit without an answer, another one can take the
//! partition over, read the same records and commit the same position under the same number.

use std::hash::{BuildHasher, Hasher, RandomState};

use throughline_model::NextOffset;

/// A committed offset with its metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Committed {
    /// Where to resume.
    pub(super) next: NextOffset,
    /// Number of the last transaction that moved the partition; 0 if nobody said.
    pub(super) txn_seq: u64,
    /// The worker thread that sent it; 0 if nobody said.
    pub(super) sender: u64,
}

impl Committed {
    /// Reads what a worker, perhaps of an older version, wrote beside its offset.
    pub(super) fn read(next: NextOffset, metadata: &str) -> Self {
        let field = |name: &str| metadata.split(';').find_map(|field| field.strip_prefix(name));
        let txn_seq = field("txn_seq=").and_then(|number| number.parse().ok()).unwrap_or(0);
        let sender = field("by=").and_then(|sender| u64::from_str_radix(sender, 16).ok()).unwrap_or(0);
        Self { next, txn_seq, sender }
    }
}

/// The metadata of an offset.
pub(super) fn metadata_of(txn_seq: u64, sender: u64) -> String {
    format!("txn_seq={txn_seq};by={sender:x}")
}

/// A number that no other worker has, before or after, here or elsewhere.
pub(super) fn new_sender() -> u64 {
    // The seed of a hash table is random in every process.
    RandomState::new().build_hasher().finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(metadata: &str) -> (u64, u64) {
        let read = Committed::read(NextOffset(7), metadata);
        (read.txn_seq, read.sender)
    }

    #[test]
    fn number_and_sender_survive_the_metadata() {
        assert_eq!(read(&metadata_of(0, 1)), (0, 1));
        assert_eq!(read(&metadata_of(u64::MAX, u64::MAX)), (u64::MAX, u64::MAX));
        assert_eq!(read("txn_seq=5"), (5, 0));
        assert_eq!(read(""), (0, 0));
        assert_eq!(read("something else"), (0, 0));
    }

    #[test]
    fn two_workers_are_told_apart() {
        assert_ne!(new_sender(), new_sender());
    }
}
