//! The write gate: which state format may be written while instances of several versions run.
//!
//! Every instance says which is the newest format it reads; workers write the smallest of all live ones, so that an instance
//! of the version before can take over whatever partition it is given. One format back is written, no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::state::STATE_FORMAT;

/// Oldest format that this version still writes. One back, and there is none before the first.
const OLDEST: u32 = if STATE_FORMAT > 1 { STATE_FORMAT - 1 } else { 1 };

/// The format that is written now, shared by the workers of a process. Cloning shares it.
#[derive(Debug, Clone)]
pub struct FormatGate(Arc<AtomicU32>);

impl Default for FormatGate {
    /// The newest format: nobody else is there.
    fn default() -> Self {
        Self(Arc::new(AtomicU32::new(STATE_FORMAT)))
    }
}

impl FormatGate {
    /// The format to write.
    #[must_use]
    pub fn current(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Writes the smallest format that all live instances read, from now on. Returns it, and whether all of them can read what
    /// is written.
    pub fn set(&self, live: impl Iterator<Item = u32>) -> (u32, bool) {
        let smallest = live.min().unwrap_or(STATE_FORMAT);
        let format = smallest.clamp(OLDEST, STATE_FORMAT);
        self.0.store(format, Ordering::Relaxed);
        (format, smallest >= format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_of_the_live_ones_is_written() {
        let gate = FormatGate::default();
        assert_eq!(gate.current(), STATE_FORMAT);
        assert_eq!(gate.set([STATE_FORMAT + 1, STATE_FORMAT].into_iter()), (STATE_FORMAT, true));
        assert_eq!(
            gate.set([STATE_FORMAT + 1].into_iter()),
            (STATE_FORMAT, true),
            "a newer one reads what this one writes"
        );
        assert_eq!(gate.set(std::iter::empty()), (STATE_FORMAT, true));
        assert_eq!(gate.set([OLDEST, STATE_FORMAT].into_iter()), (OLDEST, true));
        assert_eq!(gate.set([0].into_iter()), (OLDEST, false), "two formats back are not written");
        assert_eq!(gate.clone().current(), OLDEST, "shared");
    }
}
