//! The search for the one record whose outputs the broker refuses because of their content.
//!
//! The records of a refused transaction are suspects. The next transactions take at most half as many records as suspects
//! are left: one that commits clears those in it, one that is refused leaves only its own. A record that is refused alone
//! is condemned: by name, so that the record of another partition that happens to come first is not rejected in its place.
//! Every refusal of n > 1 records leaves at most n / 2 suspects and every commit fewer, so the search ends.

use std::collections::{BTreeMap, BTreeSet};

use throughline_model::{NextOffset, RecordOffset};

use crate::input::TaskId;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bisection {
    /// Up to where the refused transaction read each partition: what lies before is suspect until it commits.
    reached: BTreeMap<TaskId, NextOffset>,
    /// Suspects left. After a partition was given back it is an upper bound.
    suspects: u64,
    /// Records that were refused alone and have not yet been committed as rejected.
    condemned: BTreeSet<(TaskId, RecordOffset)>,
}

impl Bisection {
    /// Records allowed in the next transaction, where `otherwise` holds while nothing is searched.
    pub(crate) fn records_max(&self, otherwise: u64) -> u64 {
        if self.reached.is_empty() { otherwise } else { (self.suspects / 2).clamp(1, otherwise) }
    }

    pub(crate) fn is_condemned(&self, task: TaskId, offset: RecordOffset) -> bool {
        !self.condemned.is_empty() && self.condemned.contains(&(task, offset))
    }

    pub(crate) fn is_suspect(&self, task: TaskId, offset: RecordOffset) -> bool {
        !self.reached.is_empty() && self.reached.get(&task).is_some_and(|reached| offset.0 < reached.0)
    }

    /// A transaction of so many records that read its partitions up to these positions was refused. Returns the partition
    /// of a record that was refused alone although it was already rejected: nothing is left to be tried on it at once.
    pub(crate) fn refused(
        &mut self,
        records: u64,
        reached: impl Iterator<Item = (TaskId, NextOffset)>,
    ) -> Option<TaskId> {
        match records {
            // Only what fell due by itself: no record is to blame.
            0 => None,
            1 => {
                self.reached.clear();
                let mut again = None;
                for (task, next) in reached {
                    let record = (task, RecordOffset(next.0 - 1));
                    if !self.condemned.insert(record) {
                        again = Some(task);
                    }
                }
                again
            }
            _ => {
                self.reached = reached.collect();
                self.suspects = records;
                None
            }
        }
    }

    /// So many suspects were in a transaction that committed.
    pub(crate) fn passed(&mut self, suspects: u64) {
        self.suspects = self.suspects.saturating_sub(suspects);
    }

    /// A partition committed up to this position.
    pub(crate) fn committed(&mut self, task: TaskId, next: NextOffset) {
        self.condemned.retain(|(of, offset)| *of != task || offset.0 >= next.0);
        if self.reached.get(&task).is_some_and(|reached| *reached <= next) {
            self.reached.remove(&task);
        }
    }

    /// A partition is somebody else's.
    pub(crate) fn released(&mut self, task: TaskId) {
        self.condemned.retain(|(of, _)| *of != task);
        self.reached.remove(&task);
    }
}
