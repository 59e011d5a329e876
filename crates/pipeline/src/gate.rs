//! The write gate: which state format may be written while instances of several versions run.
//!
//! Every instance says which is the newest format it reads; workers write the smallest of all live ones, so that an instance
//! of the version before can take over whatever partition it is given. One format back is written, no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::state::STATE_FORMAT;

/// The format that is written now, shared by the workers of a process. Cloning shares it.
#[derive(Debug, Clone)]
pub struct FormatGate {
    newest: u32,
    current: Arc<AtomicU32>,
}

impl Default for FormatGate {
    /// The newest format of this version: nobody else is there.
    fn default() -> Self {
        Self::reading(STATE_FORMAT)
    }
}

impl FormatGate {
    /// The gate of a version whose newest format is this one. This version has [`STATE_FORMAT`]; tests play others.
    #[must_use]
    pub fn reading(newest: u32) -> Self {
        Self { newest, current: Arc::new(AtomicU32::new(newest)) }
    }

    /// The newest format that is read.
    #[must_use]
    pub const fn newest(&self) -> u32 {
        self.newest
    }

    /// The format to write.
    #[must_use]
    pub fn current(&self) -> u32 {
        self.current.load(Ordering::Relaxed)
    }

    /// Writes the smallest format that all live instances read, from now on. Returns it, and whether all of them can read what
    /// is written.
    pub fn set(&self, live: impl Iterator<Item = u32>) -> (u32, bool) {
        let smallest = live.min().unwrap_or(self.newest);
        // One back is still written, and there is none before the first.
        let oldest = (self.newest - 1).max(1);
        let format = smallest.clamp(oldest, self.newest);
        self.current.store(format, Ordering::Relaxed);
        (format, smallest >= format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_of_the_live_ones_is_written() {
        let gate = FormatGate::reading(5);
        assert_eq!(gate.current(), 5);
        assert_eq!(gate.set([6, 5].into_iter()), (5, true));
        assert_eq!(gate.set([6].into_iter()), (5, true), "a newer one reads what this one writes");
        assert_eq!(gate.set(std::iter::empty()), (5, true));
        assert_eq!(gate.set([4, 5].into_iter()), (4, true));
        assert_eq!(gate.set([3, 5].into_iter()), (4, false), "two formats back are not written");
        assert_eq!(gate.clone().current(), 4, "shared");
        let first = FormatGate::reading(1);
        assert_eq!(first.set([0].into_iter()), (1, false), "there is none before the first");
        assert_eq!(FormatGate::default().current(), STATE_FORMAT);
    }
}
