//! The two simulated stages: one that spreads items over frames and keeps nothing, one that folds frames into keys.

use throughline_model::{NextOffset, Now, Topic};
use throughline_worker::{InputRecord, Outputs, ProcessContext, Processor, Stall, StateMismatch, TaskId};

use super::fold::Fold;
use super::item::{Item, Op, PARTITIONS, items};
use super::mutant::Mutant;

/// Items after which a frame is sealed.
const FRAME_ITEMS: usize = 4;

/// The processor of an instance.
#[derive(Debug)]
pub enum SimProcessor {
    /// The first stage.
    Spread(Spread),
    /// The second stage.
    Fold(Box<Fold>),
}

/// Source records to frames. It keeps nothing but the frames of the open transaction.
#[derive(Debug, Default)]
pub struct Spread {
    mutant: Option<Mutant>,
    frames: [Vec<u8>; PARTITIONS],
    counts: [usize; PARTITIONS],
    uncommitted: usize,
    stalled: Stalled,
}

/// Records that have stalled once in this process.
#[derive(Debug, Default)]
pub struct Stalled(Vec<(TaskId, i64)>);

impl Stalled {
    /// Whether a record stalls: if something in it asks for it, the first time.
    pub fn stalls(&mut self, record: &InputRecord<'_>) -> bool {
        let at = (record.task, record.offset.0);
        let stalls = items(value_of(record)).any(|item| item.op == Op::Stall) && !self.0.contains(&at);
        if stalls {
            self.0.push(at);
        }
        stalls
    }
}

/// Every simulated record has a value.
pub fn value_of<'r>(record: &InputRecord<'r>) -> &'r [u8] {
    record.value.expect("a simulated record has a value")
}

impl Spread {
    /// A stage with a deliberate mistake, or none.
    pub fn new(mutant: Option<Mutant>) -> Self {
        Self { mutant, ..Self::default() }
    }

    fn push(&mut self, item: Item, outputs: &mut Outputs) {
        let partition = item.partition();
        item.write(&mut self.frames[partition]);
        self.counts[partition] += 1;
        if self.counts[partition] == FRAME_ITEMS {
            self.seal(partition, outputs);
        }
    }

    fn seal(&mut self, partition: usize, outputs: &mut Outputs) {
        let frame = &mut self.frames[partition];
        let target = outputs.record(Topic::ExperienceInbox, Some(partition as i32));
        target.value(|out| out.extend_from_slice(frame)).end();
        frame.clear();
        self.counts[partition] = 0;
    }

    fn process(&mut self, record: &InputRecord<'_>, reject: bool, outputs: &mut Outputs) -> Result<(), Stall> {
        if self.stalled.stalls(record) {
            return Err(Stall::Schema(1));
        }
        self.uncommitted += 1;
        if reject {
            let letter = outputs.record(Topic::DeadLetters, None);
            let ids = items(value_of(record)).map(|item| item.id);
            letter.value(|out| ids.for_each(|id| out.extend_from_slice(&id.to_le_bytes()))).end();
            return Ok(());
        }
        for item in items(value_of(record)) {
            self.push(item, outputs);
        }
        Ok(())
    }

    fn finish(&mut self, outputs: &mut Outputs) {
        for partition in 0..PARTITIONS {
            if self.mutant == Some(Mutant::LoseAFramesTail) && self.counts[partition] > 1 {
                let frame = &mut self.frames[partition];
                frame.truncate(frame.len() / self.counts[partition] * (self.counts[partition] - 1));
            }
            if self.counts[partition] > 0 {
                self.seal(partition, outputs);
            }
        }
    }

    fn abort(&mut self) {
        if self.mutant != Some(Mutant::KeepFramesAfterAbort) {
            self.frames.iter_mut().for_each(Vec::clear);
            self.counts = [0; PARTITIONS];
        }
        self.uncommitted = 0;
    }
}

impl SimProcessor {
    /// The second stage, if it is one.
    pub const fn fold(&self) -> Option<&Fold> {
        match self {
            Self::Fold(fold) => Some(fold),
            Self::Spread(_) => None,
        }
    }

    /// The second stage, if it is one.
    pub const fn fold_mut(&mut self) -> Option<&mut Fold> {
        match self {
            Self::Fold(fold) => Some(fold),
            Self::Spread(_) => None,
        }
    }
}

impl Processor for SimProcessor {
    fn is_stateful(&self) -> bool {
        matches!(self, Self::Fold(_))
    }

    fn assign(&mut self, task: TaskId) {
        if let Self::Fold(fold) = self {
            fold.assign(task);
        }
    }

    fn revoke(&mut self, task: TaskId) {
        if let Self::Fold(fold) = self {
            fold.revoke(task);
        }
    }

    fn restore(&mut self, task: TaskId, key: &[u8], value: Option<&[u8]>) -> Result<(), StateMismatch> {
        if let Self::Fold(fold) = self {
            fold.restore(task, key, value);
        }
        Ok(())
    }

    fn restored(&mut self, task: TaskId, _next: NextOffset) {
        if let Self::Fold(fold) = self {
            fold.restored(task);
        }
    }

    fn process(
        &mut self,
        record: &InputRecord<'_>,
        context: ProcessContext,
        outputs: &mut Outputs,
    ) -> Result<(), Stall> {
        match self {
            Self::Spread(spread) => spread.process(record, context.reject, outputs),
            Self::Fold(fold) => fold.process(record, context.reject, outputs),
        }
    }

    fn finish(&mut self, now: Now, outputs: &mut Outputs) {
        match self {
            Self::Spread(spread) => spread.finish(outputs),
            Self::Fold(fold) => fold.finish(now.as_millis(), outputs),
        }
    }

    fn commit(&mut self, _now: Now) {
        match self {
            Self::Spread(spread) => spread.uncommitted = 0,
            Self::Fold(fold) => fold.commit(),
        }
    }

    fn abort(&mut self) {
        match self {
            Self::Spread(spread) => spread.abort(),
            Self::Fold(fold) => fold.abort(),
        }
    }

    fn uncommitted_bytes(&self) -> usize {
        match self {
            Self::Spread(spread) => spread.uncommitted,
            Self::Fold(fold) => fold.uncommitted(),
        }
    }

    fn next_due(&self) -> Option<(Now, TaskId)> {
        self.fold().and_then(|fold| fold.next_due())
    }

    fn has_timers_left(&self) -> bool {
        self.fold().is_some_and(Fold::has_timers_left)
    }
}
