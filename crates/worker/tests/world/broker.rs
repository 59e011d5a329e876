//! What a Kafka cluster remembers: input, committed offsets with their numbers, committed outputs and changelogs.

use throughline_model::Now;
use throughline_worker::{CommitOffset, TaskId};

use super::fold::{Kind, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Nobody,
    Us,
    Other,
}

/// An output record.
#[derive(Debug, Clone)]
pub struct Written {
    pub partition: i32,
    pub is_state: bool,
    pub value: String,
}

#[derive(Debug)]
struct Partition {
    log: Vec<Kind>,
    owner: Owner,
    next: i64,
    txn_seq: u64,
    outputs: Vec<String>,
    changelog: Option<String>,
}

#[derive(Debug)]
pub struct Broker {
    pub faults: bool,
    partitions: Vec<Partition>,
    open: Option<Vec<Written>>,
    /// Whether the worker's session ended while it held something.
    fenced: bool,
}

impl Broker {
    pub fn new(logs: Vec<Vec<Kind>>) -> Self {
        let partition =
            |log| Partition { log, owner: Owner::Nobody, next: 0, txn_seq: 0, outputs: Vec::new(), changelog: None };
        Self { faults: true, partitions: logs.into_iter().map(partition).collect(), open: None, fenced: false }
    }

    fn at(&self, task: TaskId) -> &Partition {
        &self.partitions[task.partition as usize]
    }

    pub fn kind(&self, task: TaskId, offset: i64) -> Option<Kind> {
        self.at(task).log.get(offset as usize).copied()
    }

    pub fn committed(&self, task: TaskId) -> (i64, u64) {
        (self.at(task).next, self.at(task).txn_seq)
    }

    pub fn changelog(&self, task: TaskId) -> Option<String> {
        self.at(task).changelog.clone()
    }

    pub fn set_owner(&mut self, task: TaskId, owner: Owner) {
        self.partitions[task.partition as usize].owner = owner;
        self.fenced = self.partitions.iter().any(|partition| partition.owner == Owner::Other);
    }

    /// Whether the group still knows the worker in its generation.
    pub fn owns_all(&self) -> bool {
        !self.fenced
    }

    pub fn begin(&mut self, may_be_open: bool) {
        assert!(may_be_open || self.open.is_none(), "a transaction was begun inside another");
        self.open.get_or_insert_default();
    }

    pub fn write(&mut self, written: Written) {
        self.open.as_mut().expect("outputs are only written inside a transaction").push(written);
    }

    /// Whether the content of what was written is refused.
    pub fn refuses(&self) -> bool {
        let written = self.open.iter().flatten().filter(|written| !written.is_state);
        written.into_iter().any(|written| written.value.ends_with('!') || (self.faults && written.value.ends_with('?')))
    }

    /// Input records whose outputs are in the open transaction.
    pub fn records_written(&self) -> usize {
        let written = self.open.iter().flatten().filter(|written| !written.is_state);
        written.filter(|written| !written.value.starts_with("fired")).count()
    }

    pub fn abort(&mut self) {
        self.open = None;
    }

    pub fn commit(&mut self, offsets: &[CommitOffset]) {
        assert!(!offsets.is_empty(), "every transaction names an owned partition");
        for written in self.open.take().expect("only an open transaction is committed") {
            let partition = &mut self.partitions[written.partition as usize];
            assert_eq!(partition.owner, Owner::Us, "an output of a partition that is another's");
            if written.is_state {
                partition.changelog = Some(written.value);
            } else {
                partition.outputs.push(written.value.trim_end_matches('?').to_owned());
            }
        }
        for offset in offsets {
            let partition = &mut self.partitions[offset.task.partition as usize];
            assert_eq!(partition.txn_seq + 1, offset.txn_seq, "txn_seq rises by one per commit and partition");
            partition.next = offset.next.0;
            partition.txn_seq = offset.txn_seq;
        }
    }

    /// Another worker reads some records of a partition in one transaction, if there are any.
    pub fn others_work(&mut self, task: TaskId, records: u8, now: Now) {
        let partition = &mut self.partitions[task.partition as usize];
        if partition.owner == Owner::Us {
            return;
        }
        let mut state = partition.changelog.as_deref().map(State::decode).unwrap_or_default();
        let mut outputs = state.fire(now, usize::MAX);
        for _ in 0..records {
            let Some(kind) = partition.log.get(partition.next as usize).copied() else { break };
            let reject = matches!(kind, Kind::Poison | Kind::Stubborn);
            let output = state.apply(kind, partition.next, reject, now);
            outputs.push(output.trim_end_matches('?').to_owned());
            partition.next += 1;
        }
        if !outputs.is_empty() {
            partition.outputs.append(&mut outputs);
            partition.changelog = Some(state.encode());
            partition.txn_seq += 1;
        }
    }

    pub fn is_done(&self) -> bool {
        self.partitions.iter().all(|partition| {
            let armed = partition.changelog.as_deref().is_some_and(|text| !State::decode(text).armed.is_empty());
            partition.next as usize == partition.log.len() && !armed
        })
    }

    /// XO-1, XO-2 and XO-6: each output once, none missing; and nothing is rejected that was not refused.
    pub fn check_outputs(&self) {
        assert!(self.is_done(), "XO-2: what can be done gets done: {self:?}");
        for partition in &self.partitions {
            let mut expected = Vec::new();
            for (offset, kind) in partition.log.iter().enumerate() {
                match kind {
                    Kind::Plain | Kind::Stalling => expected.push(format!("applied {offset}")),
                    Kind::Poison | Kind::Stubborn => expected.push(format!("rejected {offset}")),
                    Kind::Arming => expected.extend([format!("applied {offset}"), format!("fired {offset}")]),
                }
            }
            let mut outputs = partition.outputs.clone();
            expected.sort_unstable();
            outputs.sort_unstable();
            assert_eq!(outputs, expected, "XO-1, XO-2, XO-6: each output exactly once");
        }
    }
}
