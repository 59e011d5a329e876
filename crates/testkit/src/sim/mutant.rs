//! Deliberate mistakes. Each must be caught, or the checks prove nothing.

/// A deliberate mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// An abort is reported and not made.
    SkipTheAbort,
    /// The offset of the last record is committed for the next one.
    CommitTheRecordsOffset,
    /// Positions stay where an aborted transaction left them.
    SkipTheSeek,
    /// The changelog is read up to the last stable offset of the moment.
    RestoreToTheLastStableOffset,
    /// The changelog is read with what was not committed.
    RestoreUncommitted,
    /// Deletions are ignored while a changelog is read.
    RestoreWithoutDeletions,
    /// State that is still in memory is taken without reading the changelog.
    RestoreNothing,
    /// State is shown before the commit is known.
    PublishBeforeCommit,
    /// What a dropped transaction changed is kept.
    KeepOverlayAfterAbort,
    /// Half-built frames of a dropped transaction are kept.
    KeepFramesAfterAbort,
    /// The same producer goes on after the end of its transaction timed out.
    ReuseTheProducer,
    /// An unknown outcome is taken for committed.
    IgnoreTxnSeqAndFold,
    /// An unknown outcome is taken for aborted.
    IgnoreTxnSeqAndDrop,
    /// The same number from another process is taken for one's own.
    IgnoreTheSender,
    /// The last entry of a frame is lost where the frame is sealed with the transaction.
    LoseAFramesTail,
    /// What a timer gives is written outside the transaction.
    FireOutsideTheTransaction,
    /// A transaction of nothing but timers sends no offset.
    TimersWithoutOffset,
    /// A transaction is ended while outputs of it are not acknowledged.
    EndBeforeDrain,
    /// Committed offsets are read while a transaction that moves them is open.
    ReadUnstableOffsets,
    /// Offsets are sent without the generation of the group.
    OffsetsWithoutGeneration,
    /// Offsets are sent although the assignment is known to be lost.
    CommitWhileLost,
    /// A failed output does not fail the commit.
    IgnoreFailedOutputs,
    /// An abort that failed is taken for done.
    TakeFailedAbortForDone,
    /// The record that comes first is rejected in place of the one that was refused.
    RejectWhateverComesNext,
    /// Counts of a dropped transaction are kept.
    CountBeforeCommit,
    /// A position of the local log is asked for after the commit.
    PositionWithoutProof,
    /// The position of a torn tail is kept.
    TrustATornTail,
    /// A transaction is in the local log before its outcome is known.
    LogBeforeCommit,
    /// Partitions that a killed member was giving back stay with nobody.
    LeaveStranded,
    /// The log does not fence the producer before.
    RegisterWithoutFencing,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 30] = [
        Self::SkipTheAbort,
        Self::CommitTheRecordsOffset,
        Self::SkipTheSeek,
        Self::RestoreToTheLastStableOffset,
        Self::RestoreUncommitted,
        Self::RestoreWithoutDeletions,
        Self::RestoreNothing,
        Self::PublishBeforeCommit,
        Self::KeepOverlayAfterAbort,
        Self::KeepFramesAfterAbort,
        Self::ReuseTheProducer,
        Self::IgnoreTxnSeqAndFold,
        Self::IgnoreTxnSeqAndDrop,
        Self::IgnoreTheSender,
        Self::LoseAFramesTail,
        Self::FireOutsideTheTransaction,
        Self::TimersWithoutOffset,
        Self::EndBeforeDrain,
        Self::ReadUnstableOffsets,
        Self::OffsetsWithoutGeneration,
        Self::CommitWhileLost,
        Self::IgnoreFailedOutputs,
        Self::TakeFailedAbortForDone,
        Self::RejectWhateverComesNext,
        Self::CountBeforeCommit,
        Self::PositionWithoutProof,
        Self::TrustATornTail,
        Self::LogBeforeCommit,
        Self::LeaveStranded,
        Self::RegisterWithoutFencing,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }

    /// The mistake of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| mutant.name() == name)
    }
}
