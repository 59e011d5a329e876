//! Ages of touchpoints, counted once a transaction.

/// Times of the touchpoints of one transaction, counted in runs: neighbours in a partition are nearly of the same time.
///
/// Times are cut to 8 ms, which is finer than the narrowest bucket; a run costs 16 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ages {
    pub(super) runs: Vec<(i64, u32)>,
}

impl Ages {
    /// Counts a touchpoint of this time, milliseconds since 1970.
    pub fn add(&mut self, millis: i64) {
        let slot = millis & !7;
        match self.runs.last_mut() {
            Some((last, count)) if *last == slot => *count += 1,
            _ => self.runs.push((slot, 1)),
        }
    }

    /// Forgets all: the transaction did not commit.
    pub fn clear(&mut self) {
        self.runs.clear();
    }
}
