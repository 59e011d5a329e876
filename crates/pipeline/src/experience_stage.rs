//! The second processor: touchpoints in, customer state, scores and alerts out.
//!
//! Entries of a transaction are held in an overlay and applied at its end, customer by customer. Dropping the transaction is
//! dropping the overlay; committing it is storing what was encoded for the changelog anyway.

mod ahead;
mod dump;
mod entries;
mod overlay;
mod time;

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use throughline_experience::{Component, Rules};
use throughline_model::alert::{AlertSeverity, AlertState, AlertType, Transition, TransitionReason};
use throughline_model::{FateCounts, IdHasher, NextOffset, Now, Topic};
use throughline_worker::{DumpSink, InputRecord, Outputs, ProcessContext, Processor, Stall, StateMismatch, TaskId};

use crate::gate::FormatGate;
use crate::header::StateHeader;
use crate::options::{Encodings, OutputSwitches, Targets};
use crate::publish::Deployment;
use crate::table::{GROUPS, Table, key, parts, put_part, read_key, with_group};
use crate::time::clocks::WATERMARKS_KEY;
use crate::time::{ClockKind, ClockLimits};
use ahead::Ahead;
use entries::Folding;
use overlay::{Lent, Overlay};
use time::TaskTime;

/// What the stage is built from.
#[derive(Debug, Clone)]
pub struct ExperienceOptions {
    /// The model.
    pub rules: Arc<Rules>,
    /// Makes ids.
    pub ids: IdHasher,
    /// What is written.
    pub switches: OutputSwitches,
    /// How.
    pub encodings: Encodings,
    /// Partitions of inbox and customer-keyed outputs.
    pub partitions: u32,
    /// Names of the input topics, for dead letters.
    pub inputs: Vec<String>,
    /// Numbers of two models are mixed.
    pub mixed: bool,
    /// Whom roles are, for alerts.
    pub targets: Targets,
    /// Which state format is written.
    pub gate: FormatGate,
}

/// Counts of committed transactions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExperienceCounts {
    /// Touchpoints by fate.
    pub touchpoints: FateCounts,
    /// Transitions published, by type, severity, state, transition.
    pub transitions: Vec<(AlertType, AlertSeverity, AlertState, Transition)>,
    /// Transitions suppressed, by type and reason.
    pub suppressed: Vec<(AlertType, TransitionReason)>,
    /// Event times and received times of the applied touchpoints, milliseconds, for end-to-end ages.
    pub ages: Vec<(i64, i64)>,
    /// Milliseconds between cause and opening of alerts.
    pub detected: Vec<(AlertType, i64)>,
    /// Roles of published recipients that the routing has no target for.
    pub untargeted: Vec<&'static str>,
    /// What left full components of customers, in the order of [`Component::ALL`].
    pub capped: [u64; Component::ALL.len()],
    /// Bytes of the largest customer that was written.
    pub customer_bytes_max: u64,
    /// Customers whose timers fired, by clock, and how long after their time, milliseconds of that clock.
    pub fired: Vec<(ClockKind, i64)>,
}

impl ExperienceCounts {
    fn absorb(&mut self, other: &mut Self) {
        crate::normalize_stage::add(&mut self.touchpoints, &other.touchpoints);
        self.transitions.append(&mut other.transitions);
        self.suppressed.append(&mut other.suppressed);
        self.ages.append(&mut other.ages);
        self.detected.append(&mut other.detected);
        self.untargeted.append(&mut other.untargeted);
        self.fired.append(&mut other.fired);
        for (sum, count) in self.capped.iter_mut().zip(std::mem::take(&mut other.capped)) {
            *sum += count;
        }
        self.customer_bytes_max = self.customer_bytes_max.max(std::mem::take(&mut other.customer_bytes_max));
        other.touchpoints = FateCounts::default();
    }
}

/// Folds touchpoints into customers.
pub struct ExperienceStage<T> {
    options: ExperienceOptions,
    deployment: Deployment,
    table: T,
    overlay: Overlay,
    tasks: FxHashMap<TaskId, TaskHeader>,
    /// Stream time and timers of each partition.
    times: BTreeMap<TaskId, TaskTime>,
    clock_limits: ClockLimits,
    /// The open or last transaction could not fire all that was due.
    timers_left: bool,
    /// Positions of the open transaction.
    positions: FxHashMap<TaskId, NextOffset>,
    counts: ExperienceCounts,
    committed: ExperienceCounts,
    scratch: Vec<u8>,
    part: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TaskHeader {
    /// The changelog has none yet.
    Absent,
    /// Written in the open transaction, where there was none or one of an older format.
    Written {
        /// Its format.
        format: u32,
        /// What the changelog has, if the transaction does not commit.
        before: Option<u32>,
    },
    /// In the changelog.
    Present {
        /// Its format.
        format: u32,
    },
}

impl TaskHeader {
    /// Whether a header of this format must be written: there is none, or parts of a newer format follow, which older programs
    /// must not take for theirs.
    const fn write(&mut self, format: u32) -> bool {
        let before = match *self {
            Self::Absent => None,
            Self::Present { format } => Some(format),
            Self::Written { .. } => return false,
        };
        let is_due = match before {
            None => true,
            Some(before) => before < format,
        };
        if is_due {
            *self = Self::Written { format, before };
        }
        is_due
    }

    const fn committed(&mut self) {
        if let Self::Written { format, .. } = *self {
            *self = Self::Present { format };
        }
    }

    const fn dropped(&mut self) {
        if let Self::Written { before, .. } = *self {
            *self = match before {
                None => Self::Absent,
                Some(format) => Self::Present { format },
            };
        }
    }
}

impl<T: Table> ExperienceStage<T> {
    /// A stage over a committed table.
    pub fn new(options: ExperienceOptions, table: T) -> Self {
        let deployment = Deployment {
            tenant: options.ids.tenant().to_owned(),
            model_version: options.rules.version(),
            mixed: options.mixed,
            staff: options.switches.staff,
            ids: options.ids.clone(),
        };
        Self {
            options,
            deployment,
            table,
            overlay: Overlay::default(),
            tasks: FxHashMap::default(),
            times: BTreeMap::new(),
            clock_limits: ClockLimits::default(),
            timers_left: false,
            positions: FxHashMap::default(),
            counts: ExperienceCounts::default(),
            committed: ExperienceCounts::default(),
            scratch: Vec::with_capacity(4_096),
            part: Vec::with_capacity(4_096),
        }
    }

    /// Counts of committed transactions since they were last taken.
    pub fn take_counts(&mut self) -> ExperienceCounts {
        std::mem::take(&mut self.committed)
    }

    /// Customers whose timers fire in one transaction at most; those left over fire in the next.
    #[must_use]
    pub const fn timers_max() -> usize {
        time::TIMERS_MAX
    }

    /// The committed table.
    pub const fn table(&self) -> &T {
        &self.table
    }

    fn header(&self) -> StateHeader {
        StateHeader {
            state_format: self.options.gate.current(),
            partitions: self.options.partitions,
            key_id: self.options.ids.key_id(),
            model: self.deployment.model_version.clone(),
        }
    }
}

impl<T: Table> Processor for ExperienceStage<T> {
    fn is_stateful(&self) -> bool {
        true
    }

    fn assign(&mut self, task: TaskId) {
        self.tasks.insert(task, TaskHeader::Absent);
        self.times.insert(task, TaskTime::new(self.clock_limits));
    }

    fn revoke(&mut self, task: TaskId) {
        self.tasks.remove(&task);
        self.times.remove(&task);
        self.table.forget_partition(task.partition);
    }

    fn restore(&mut self, task: TaskId, key: &[u8], value: Option<&[u8]>) -> Result<(), StateMismatch> {
        if key == StateHeader::KEY {
            if let Some(value) = value {
                let known = StateHeader { state_format: self.options.gate.newest(), ..self.header() };
                let format = known.check(value)?;
                self.tasks.insert(task, TaskHeader::Present { format });
            }
            return Ok(());
        }
        if key == WATERMARKS_KEY {
            return self.restore_clocks(task, value);
        }
        // Reserved keys and groups of a newer version are not ours to read; the write gate keeps us from losing them.
        let Some((node, group)) = read_key(key) else { return Ok(()) };
        let value = value.unwrap_or_default();
        let bytes: Arc<[u8]> = match self.table.get(&node) {
            // The usual case of a restore: one copy, from where it was read to where it stays.
            None => value.into(),
            Some(before) => with_group(&before, group, value).into(),
        };
        if bytes.is_empty() {
            self.table.remove(&node);
        } else {
            self.note_timers(task, node, group, value);
            self.table.put(node, bytes);
            if group == GROUPS[3] {
                self.show_alerts(task, node)?;
            }
        }
        Ok(())
    }

    fn dump(&self, tasks: &[TaskId], sink: &mut DumpSink<'_>) -> bool {
        self.dump_partitions(tasks, sink)
    }

    fn check_restored(&self, task: TaskId) -> Result<(), StateMismatch> {
        if matches!(self.tasks.get(&task), Some(TaskHeader::Present { .. })) {
            return Ok(());
        }
        Err(StateMismatch(
            "input of this partition was committed, but the header that its first transaction wrote is not in the changelog: \
             records were deleted from its start, or the topic was made anew, and nothing is reset silently. Bring its \
             records back, or choose another application id to rebuild the state from the sources"
                .to_owned(),
        ))
    }

    fn restored(&mut self, task: TaskId, next: NextOffset) {
        self.table.reflect(task.partition, next);
        self.serve(task);
    }

    fn process(
        &mut self,
        record: &InputRecord<'_>,
        context: ProcessContext,
        outputs: &mut Outputs,
    ) -> Result<(), Stall> {
        self.frame(record, context, outputs);
        self.positions.insert(record.task, record.offset.next());
        Ok(())
    }

    fn finish(&mut self, now: Now, outputs: &mut Outputs) {
        self.take_due(now);
        // The entries are lent out while the customers they belong to change.
        let arena = self.overlay.lend();
        let lent = Lent::of(&arena);
        let mut ahead = Ahead::default();
        for at in 0..self.overlay.len() {
            let before = ahead.take(at, &self.overlay, &lent, &self.table);
            self.fold_customer(at, before, &lent, now, outputs);
        }
        self.overlay.take_back(arena);
        self.write_clocks(outputs);
        let header = self.header();
        for (task, state) in &mut self.tasks {
            // With the first transaction of a partition, whatever it does to customers: a partition with committed input and
            // without a header has lost state.
            let is_in_transaction = self.positions.contains_key(task) || self.overlay.touches(*task);
            if is_in_transaction && state.write(header.state_format) {
                outputs
                    .record(Topic::ExperienceChangelog, Some(task.partition))
                    .key(StateHeader::KEY)
                    .value(|out| header.write(out))
                    .end();
            }
        }
    }

    fn commit(&mut self, now: Now) {
        self.times.values_mut().for_each(TaskTime::commit);
        for touched in self.overlay.drain() {
            if touched.is_armed()
                && let Some(time) = self.times.get_mut(&touched.task)
            {
                time.arm(&touched, now);
            }
            if let Some(alerts) = &touched.alerts {
                self.table.alerts(touched.task.partition, touched.node, &alerts.0, &alerts.1);
            }
            if let Some(bytes) = touched.encoded {
                self.table.put(touched.node, bytes);
            }
        }
        for state in self.tasks.values_mut() {
            state.committed();
        }
        for (task, next) in self.positions.drain() {
            self.table.reflect(task.partition, next);
        }
        self.committed.absorb(&mut self.counts);
    }

    fn abort(&mut self) {
        self.times.values_mut().for_each(TaskTime::abort);
        self.overlay.clear();
        self.positions.clear();
        self.counts = ExperienceCounts::default();
        for state in self.tasks.values_mut() {
            state.dropped();
        }
    }

    fn uncommitted_bytes(&self) -> usize {
        self.overlay.bytes()
    }

    fn next_due(&self) -> Option<(Now, TaskId)> {
        self.times.iter().filter_map(|(task, time)| Some((time.next_due()?, *task))).min()
    }

    fn has_timers_left(&self) -> bool {
        self.timers_left
    }
}

impl<T: Table> ExperienceStage<T> {
    /// One changelog record per changed group; the bytes that a commit stores are written in the same pass.
    fn write_changelog(&mut self, folding: &Folding, outputs: &mut Outputs) {
        let dirty = folding.customer.dirty_parts();
        if dirty.is_empty() {
            return;
        }
        let before = folding.before.as_deref().unwrap_or_default();
        self.scratch.clear();
        for group in GROUPS {
            let from = self.scratch.len();
            let held = parts(before).filter(|(part, _)| group.parts.contains(part));
            if !group.parts.iter().any(|part| dirty.contains(*part)) {
                held.for_each(|(part, bytes)| put_part(&mut self.scratch, part, bytes));
                continue;
            }
            for part in group.parts {
                self.part.clear();
                crate::state::encode_part(&folding.customer, *part, &mut self.part);
                put_part(&mut self.scratch, *part, &self.part);
            }
            let value = &self.scratch[from..];
            if value.is_empty() && held.count() == 0 {
                continue;
            }
            let writer =
                outputs.record(Topic::ExperienceChangelog, Some(folding.task.partition)).key(&key(folding.node, group));
            if value.is_empty() { writer.end() } else { writer.value(|out| out.extend_from_slice(value)).end() }
        }
        self.counts.customer_bytes_max = self.counts.customer_bytes_max.max(self.scratch.len() as u64);
        self.overlay.at_mut(folding.at).encoded = Some(self.scratch.as_slice().into());
    }
}
