//! Waiting after faults that no record is to blame for, longer with every one in a row.

use throughline_model::Now;

/// First wait, in milliseconds.
const WAIT_MIN: u64 = 100;
/// Longest wait, in milliseconds.
const WAIT_MAX: u64 = 10_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// Faults without a commit between.
    faults: u32,
    since: Option<Now>,
}

impl Backoff {
    /// A transaction was dropped because of such a fault.
    pub(crate) fn begin(&mut self, now: Now) {
        self.faults = self.faults.saturating_add(1);
        self.since = Some(now);
    }

    pub(crate) const fn is_waiting(&self) -> bool {
        self.since.is_some()
    }

    /// Ends the wait if it is over; whether it did. A clock that was set back counts as a wait.
    pub(crate) fn end(&mut self, now: Now) -> bool {
        let wait = (WAIT_MIN << (self.faults.max(1) - 1).min(16)).min(WAIT_MAX);
        let is_over = self.since.is_some_and(|since| now.as_millis().abs_diff(since.as_millis()) >= wait);
        if is_over {
            self.since = None;
        }
        is_over
    }

    /// A transaction committed.
    pub(crate) const fn committed(&mut self) {
        self.faults = 0;
    }
}
