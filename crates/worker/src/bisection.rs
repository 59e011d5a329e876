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
            0 => unreachable!("where there is no record, none is to blame"),
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

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId { topic: 0, partition: 0 };
    const OTHER: TaskId = TaskId { topic: 0, partition: 1 };

    fn refused_up_to(records: u64, next: i64) -> Bisection {
        let mut bisection = Bisection::default();
        assert_eq!(bisection.refused(records, [(TASK, NextOffset(next))].into_iter()), None);
        bisection
    }

    /// Reads `records` records of which these are refused, until all are committed. Returns how often a transaction was
    /// refused, and what was rejected.
    fn search(records: i64, culprits: &[i64]) -> (u32, Vec<i64>) {
        let (mut bisection, mut at, mut refusals, mut rejected) = (Bisection::default(), 0, 0, Vec::new());
        while at < records {
            let to = records.min(at + bisection.records_max(1_000) as i64);
            let condemned: Vec<i64> =
                (at..to).filter(|offset| bisection.is_condemned(TASK, RecordOffset(*offset))).collect();
            if culprits.iter().any(|culprit| (at..to).contains(culprit) && !condemned.contains(culprit)) {
                refusals += 1;
                let refused = bisection.refused((to - at) as u64, [(TASK, NextOffset(to))].into_iter());
                assert_eq!(refused, None);
                continue;
            }
            let suspects = (at..to).filter(|offset| bisection.is_suspect(TASK, RecordOffset(*offset))).count();
            bisection.committed(TASK, NextOffset(to));
            bisection.passed(suspects as u64);
            rejected.extend(condemned);
            at = to;
        }
        assert!(bisection.condemned.is_empty() && bisection.reached.is_empty(), "the search ends");
        (refusals, rejected)
    }

    #[test]
    fn only_the_refused_records_are_rejected_after_few_refusals() {
        for culprit in [0, 1, 499, 500, 998, 999] {
            let (refusals, rejected) = search(1_000, &[culprit]);
            assert_eq!(rejected, [culprit]);
            assert!(refusals <= 11, "{refusals} refusals for 1000 records");
        }
        assert_eq!(search(1_000, &[3, 4, 700, 999]).1, [3, 4, 700, 999]);
        assert_eq!(search(1_000, &[]), (0, vec![]));
        assert_eq!(search(5, &[0, 1, 2, 3, 4]).1, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn half_as_many_records_as_suspects_are_allowed() {
        let mut bisection = refused_up_to(10, 20);
        assert_eq!((bisection.records_max(100), bisection.records_max(3)), (5, 3));
        bisection.committed(TASK, NextOffset(14));
        bisection.passed(4);
        assert_eq!(bisection.records_max(100), 3);
        bisection.committed(TASK, NextOffset(20));
        assert_eq!(bisection.records_max(100), 100);
    }

    #[test]
    fn suspects_lie_before_the_position_that_was_reached() {
        let bisection = refused_up_to(10, 20);
        assert!(bisection.is_suspect(TASK, RecordOffset(19)));
        assert!(!bisection.is_suspect(TASK, RecordOffset(20)));
        assert!(!bisection.is_suspect(OTHER, RecordOffset(19)));
    }

    #[test]
    fn a_record_stays_condemned_until_it_is_committed() {
        let mut bisection = refused_up_to(1, 20);
        bisection.committed(OTHER, NextOffset(20));
        bisection.committed(TASK, NextOffset(19));
        assert!(bisection.is_condemned(TASK, RecordOffset(19)));
        assert!(!bisection.is_condemned(OTHER, RecordOffset(19)));
        assert_eq!(bisection.refused(1, [(TASK, NextOffset(20))].into_iter()), Some(TASK));
        bisection.committed(TASK, NextOffset(20));
        assert_eq!(bisection, Bisection::default());
    }

    #[test]
    fn a_partition_takes_its_suspects_and_condemned_along() {
        let mut bisection = refused_up_to(1, 20);
        bisection.released(TASK);
        assert!(!bisection.is_condemned(TASK, RecordOffset(19)));
        let mut bisection = refused_up_to(10, 20);
        bisection.released(TASK);
        assert_eq!(bisection.records_max(100), 100);
    }
}
