//! A processor whose state and outputs say exactly which records they come from.

use std::collections::BTreeMap;

use throughline_model::{NextOffset, Now, Topic};
use throughline_worker::{InputRecord, Outputs, ProcessContext, Processor, Stall, StateMismatch, TaskId};

use super::Mutant;

/// What a record of the model does to whoever processes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One output.
    Plain,
    /// One output now, and one more some time later.
    Arming,
    /// Its output is refused because of its content; its rejection is not.
    Poison,
    /// Its rejection is refused too, as long as things go wrong.
    Stubborn,
    /// It cannot be processed the first time.
    Stalling,
}

/// Timers that fire in one transaction at most.
const PORTION: usize = 2;

/// Milliseconds after which an armed timer is due.
const TIMER: i64 = 150;

/// State of one partition: which records it is the fold of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    pub applied: Vec<i64>,
    pub rejected: Vec<i64>,
    /// Offset and due time of what was armed and has not fired.
    pub armed: Vec<(i64, i64)>,
}

impl State {
    /// Applies a record; the output that it gives.
    pub fn apply(&mut self, kind: Kind, offset: i64, reject: bool, now: Now) -> String {
        if reject {
            self.rejected.push(offset);
            return format!("rejected {offset}{}", if kind == Kind::Stubborn { "?" } else { "" });
        }
        self.applied.push(offset);
        if kind == Kind::Arming {
            self.armed.push((offset, now.as_millis() + TIMER));
        }
        let refused = matches!(kind, Kind::Poison | Kind::Stubborn);
        format!("applied {offset}{}", if refused { "!" } else { "" })
    }

    /// Fires at most `max` timers that are due; the outputs.
    pub fn fire(&mut self, now: Now, max: usize) -> Vec<String> {
        let mut fired = Vec::new();
        self.armed.retain(|(offset, at)| {
            let fires = *at <= now.as_millis() && fired.len() < max;
            if fires {
                fired.push(format!("fired {offset}"));
            }
            !fires
        });
        fired
    }

    /// As it stands in the changelog.
    pub fn encode(&self) -> String {
        let list = |numbers: &[i64]| numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        let (armed, due): (Vec<i64>, Vec<i64>) = self.armed.iter().copied().unzip();
        [list(&self.applied), list(&self.rejected), list(&armed), list(&due)].join("|")
    }

    pub fn decode(text: &str) -> Self {
        let list = |part: &str| part.split(',').filter(|one| !one.is_empty()).map(|one| one.parse().unwrap()).collect();
        let [applied, rejected, armed, due]: [Vec<i64>; 4] =
            text.split('|').map(list).collect::<Vec<_>>().try_into().unwrap();
        Self { applied, rejected, armed: armed.into_iter().zip(due).collect() }
    }
}

#[derive(Debug, Default)]
pub struct Fold {
    mutant: Option<Mutant>,
    /// Committed state of every assigned partition.
    pub table: BTreeMap<TaskId, State>,
    /// Position as of which a restored state was said to be complete.
    pub complete_as_of: BTreeMap<TaskId, NextOffset>,
    overlay: BTreeMap<TaskId, State>,
    uncommitted: usize,
    /// Records that have stalled once.
    pub stalled: Vec<(TaskId, i64)>,
    timers_left: bool,
    /// Only a mutant sets it.
    pub reject_next: bool,
}

impl Fold {
    pub fn new(mutant: Option<Mutant>) -> Self {
        Self { mutant, ..Self::default() }
    }

    fn changed(&mut self, task: TaskId) -> &mut State {
        let table = &self.table;
        self.overlay.entry(task).or_insert_with(|| table[&task].clone())
    }

    fn current(&self, task: TaskId) -> &State {
        self.overlay.get(&task).unwrap_or_else(|| &self.table[&task])
    }
}

impl Processor for Fold {
    fn is_stateful(&self) -> bool {
        true
    }

    fn assign(&mut self, task: TaskId) {
        self.table.insert(task, State::default());
    }

    fn revoke(&mut self, task: TaskId) {
        self.table.remove(&task);
        self.overlay.remove(&task);
    }

    fn restore(&mut self, task: TaskId, _key: &[u8], value: Option<&[u8]>) -> Result<(), StateMismatch> {
        let text = std::str::from_utf8(value.unwrap()).unwrap();
        self.table.insert(task, State::decode(text));
        Ok(())
    }

    fn restored(&mut self, task: TaskId, next: NextOffset) {
        self.complete_as_of.insert(task, next);
    }

    fn process(
        &mut self,
        record: &InputRecord<'_>,
        context: ProcessContext,
        outputs: &mut Outputs,
    ) -> Result<(), Stall> {
        let kind = kind_of(record.value.unwrap()[0]);
        let at = (record.task, record.offset.0);
        if kind == Kind::Stalling && !self.stalled.contains(&at) {
            self.stalled.push(at);
            return Err(Stall::Schema(1));
        }
        let reject = context.reject || std::mem::take(&mut self.reject_next);
        self.uncommitted += 1;
        let output = self.changed(record.task).apply(kind, record.offset.0, reject, context.now);
        write(outputs, Topic::Scores, record.task, &output);
        Ok(())
    }

    fn finish(&mut self, now: Now, outputs: &mut Outputs) {
        let tasks: Vec<TaskId> = self.table.keys().copied().collect();
        let mut left = PORTION;
        for task in tasks {
            if self.current(task).armed.iter().any(|(_, due)| *due <= now.as_millis()) {
                for output in self.changed(task).fire(now, left) {
                    write(outputs, Topic::Scores, task, &output);
                    left -= 1;
                }
            }
        }
        self.timers_left = left == 0;
        for (task, state) in &self.overlay {
            write(outputs, Topic::ExperienceChangelog, *task, &state.encode());
        }
        if self.mutant == Some(Mutant::FoldBeforeCommitted) {
            self.commit(now);
        }
    }

    fn commit(&mut self, _now: Now) {
        self.table.append(&mut self.overlay);
        self.uncommitted = 0;
    }

    fn abort(&mut self) {
        if self.mutant != Some(Mutant::KeepOverlayAfterAbort) {
            self.overlay.clear();
        }
        self.uncommitted = 0;
    }

    fn uncommitted_bytes(&self) -> usize {
        self.uncommitted
    }

    fn has_timers_left(&self) -> bool {
        self.timers_left
    }

    fn next_due(&self) -> Option<(Now, TaskId)> {
        let timers = self.table.keys().flat_map(|task| self.current(*task).armed.iter().map(|(_, due)| (*due, *task)));
        timers.min().map(|(due, task)| (Now::from_millis(due), task))
    }
}

pub const KINDS: [Kind; 5] = [Kind::Plain, Kind::Arming, Kind::Poison, Kind::Stubborn, Kind::Stalling];

fn kind_of(byte: u8) -> Kind {
    KINDS[usize::from(byte)]
}

/// The value of a record of that kind.
pub fn value_of(kind: Kind) -> [u8; 1] {
    [KINDS.iter().position(|known| *known == kind).unwrap() as u8]
}

fn write(outputs: &mut Outputs, topic: Topic, task: TaskId, value: &str) {
    outputs.record(topic, Some(task.partition)).value(|out| out.extend_from_slice(value.as_bytes())).end();
}
