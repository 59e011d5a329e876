//! The phases of a worker.

use std::collections::BTreeSet;

use throughline_model::Now;

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
}

/// What happens after a transaction has ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Afterwards {
    /// Partitions to give back.
    pub unassign: Vec<TaskId>,
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
    Unknown(Txn),
    /// Nothing more happens.
    Stopped,
}
