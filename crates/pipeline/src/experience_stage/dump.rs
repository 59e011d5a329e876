//! Committed state as the changelog has it: what a restore of these records makes is the same state.

use throughline_model::murmur2::partition_of;
use throughline_worker::{DumpSink, TaskId};

use super::{ExperienceStage, TaskHeader};
use crate::header::StateHeader;
use crate::table::{GROUPS, Table, key, parts, put_part};
use crate::time::clocks::WATERMARKS_KEY;

impl<T: Table> ExperienceStage<T> {
    /// Hands over headers, clocks and customers of these partitions. False if the table cannot show its customers.
    pub(super) fn dump_partitions(&self, tasks: &[TaskId], sink: &mut DumpSink<'_>) -> bool {
        let mut value = Vec::with_capacity(4_096);
        for task in tasks {
            if let Some(TaskHeader::Present { format }) = self.tasks.get(task) {
                value.clear();
                StateHeader { state_format: *format, ..self.header() }.write(&mut value);
                sink(*task, StateHeader::KEY, &value);
            }
            if let Some(time) = self.times.get(task) {
                value.clear();
                time.write_committed(&mut value);
                sink(*task, WATERMARKS_KEY, &value);
            }
        }
        self.table.each(&mut |node, bytes| {
            let partition = partition_of(node.hex().as_bytes(), self.options.partitions);
            let Some(task) = tasks.iter().find(|task| task.partition == partition) else { return };
            for group in GROUPS {
                value.clear();
                let held = parts(bytes).filter(|(part, _)| group.parts.contains(part));
                held.for_each(|(part, content)| put_part(&mut value, part, content));
                if !value.is_empty() {
                    sink(*task, &key(*node, group), &value);
                }
            }
        })
    }
}
