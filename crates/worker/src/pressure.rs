//! Memory that gets short: transactions get small, then sources wait, and everything else goes on.

use throughline_model::Now;

use crate::input::MemoryLevel;

/// How long after the end of the pressure the client may still speak of what it knew before, in milliseconds: nothing was
/// fetched, so that it took partitions for exhausted that had grown.
const HEARSAY: i64 = 1_000;
/// The part of the usual bytes at which a transaction is committed where memory is not plenty: one in so many.
const FRUGAL: usize = 8;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pressure {
    level: MemoryLevel,
    ended_at: Option<Now>,
}

impl Pressure {
    /// Takes what was measured; whether sources begin or cease to wait by it.
    pub(crate) fn set(&mut self, level: MemoryLevel, now: Now) -> bool {
        let before = self.holds();
        self.level = level;
        let is_new = before != self.holds();
        if is_new {
            self.ended_at = Some(now).filter(|_| before);
        }
        is_new
    }

    pub(crate) const fn level(&self) -> MemoryLevel {
        self.level
    }

    /// Whether sources wait.
    pub(crate) const fn holds(&self) -> bool {
        matches!(self.level, MemoryLevel::Short)
    }

    /// The bytes at which a transaction is committed, of those that are usual.
    pub(crate) fn bytes_max(&self, usual: usize) -> usize {
        match self.level {
            MemoryLevel::Room => usual,
            MemoryLevel::Tight | MemoryLevel::Short => usual / FRUGAL,
        }
    }

    /// Whether what is known about a partition as of `at` was learned by fetching from it. A clock that was set back only
    /// makes this wait longer.
    pub(crate) fn is_past(&self, at: Now) -> bool {
        self.ended_at.is_none_or(|ended_at| at.as_millis() >= ended_at.as_millis() + HEARSAY)
    }
}
