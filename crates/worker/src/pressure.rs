//! Memory that is short: sources wait, everything else goes on.

use throughline_model::Now;

/// How long after the end of the pressure the client may still speak of what it knew before, in milliseconds: nothing was
/// fetched, so that it took partitions for exhausted that had grown.
const HEARSAY: i64 = 1_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pressure {
    holds: bool,
    ended_at: Option<Now>,
}

impl Pressure {
    /// Takes what was measured; whether it is new.
    pub(crate) fn set(&mut self, holds: bool, now: Now) -> bool {
        let is_new = self.holds != holds;
        if is_new {
            self.holds = holds;
            self.ended_at = Some(now).filter(|_| !holds);
        }
        is_new
    }

    pub(crate) const fn holds(&self) -> bool {
        self.holds
    }

    /// Whether what is known about a partition as of `at` was learned by fetching from it. A clock that was set back only
    /// makes this wait longer.
    pub(crate) fn is_past(&self, at: Now) -> bool {
        self.ended_at.is_none_or(|ended_at| at.as_millis() >= ended_at.as_millis() + HEARSAY)
    }
}
