//! The phases of a worker.

use std::collections::BTreeSet;

use throughline_model::Now;

use crate::effect::CommitOffset;
use crate::input::TaskId;

/// A transaction that is open or being ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Txn {
    /// When it began.
    pub began_at: Now,
    /// Records in it.
    pub records: u64,
    /// Partitions whose position it moves, or that it fired something for.
    pub tasks: BTreeSet<TaskId>,
    /// Records in it that were in a refused transaction before.
    pub suspects: u64,
    /// Partition that waits once this transaction was dropped: even the rejection of its record was refused.
    pub refused: Option<TaskId>,
    /// It is dropped because of a fault that no record in it is to blame for.
    pub blameless: bool,
}

impl Txn {
    pub(crate) const fn new(began_at: Now) -> Self {
        Self { began_at, records: 0, tasks: BTreeSet::new(), suspects: 0, refused: None, blameless: false }
    }

    pub(crate) fn count(&mut self, task: TaskId, suspect: bool) {
        self.records += 1;
        self.suspects += u64::from(suspect);
        self.tasks.insert(task);
    }
}

/// A transaction whose outcome is being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The transaction.
    pub txn: Txn,
    /// What it sent, or would have sent, for the partition that is read.
    pub offset: CommitOffset,
    /// Whether a commit was tried whose answer is missing. Otherwise it can only have been aborted.
    pub may_have_committed: bool,
}

/// Where a worker stands. A transaction exists only inside the phases that have one.
///
/// ```text
///            first record            interval, size, revoke, drain
///   Idle ───────────────────> Open ────────────────────────────────> Committing
///    ^                         │ output failed, partitions lost        │  │  │
///    │       aborted           v                                       │  │  │ unknown
///    ├────────────────────  Aborting <──────── abortable ──────────────┘  │  v
///    │                         │ abort failed                             │ Unknown
///    │                         └──────────────────────────────────────────┼──>│
///    ├── committed ───────────────────────────────────────────────────────┘   │
///    ├── read: this transaction committed, or the one before ─────────────────┤
///    └── fenced, or nobody can say: everything dropped, Rejoin ───────────────┘
///
///   Stopped: from Idle on a drain, and from every end of a transaction while draining.
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// No transaction.
    Idle,
    /// Records are being applied.
    Open(Txn),
    /// The end was asked for.
    Committing(Txn),
    /// The abort was asked for.
    Aborting(Txn),
    /// The outcome is being read.
    Unknown(Asked),
    /// Nothing more happens.
    Stopped,
}
