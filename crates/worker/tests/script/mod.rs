//! Scripts of inputs as text, and what a worker wants after each, as text.
//!
//! A partition is written as its number, a position as `partition@offset`, with `#txn_seq` where there is one.
//!
//! ```text
//! stateful                      the processor has state to restore
//! limit 3 100                   records and bytes at which a transaction is committed
//! due 0 500                     something falls due on partition 0 at 500 ms
//! assign 0@5#2 1@0#0            revoke 0, lost 0 1, restored 0, unstalled 0
//! record 0 5 a                  the record 5 of partition 0; the value "stall" cannot be processed yet
//! produce-failed content        or transient
//! ended committed               or content, transient, fenced, indeterminate
//! aborted                       or abort-failed
//! read 3                        or read nothing
//! exhausted 0 500               nothing was left to read in partition 0 at 500 ms, or something was: nothing
//! memory short                  or tight, or room
//! portion 3                     the timer is due so often, once a transaction
//! tick 100                      100 ms later (or earlier, if negative)
//! drain
//! ```

#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use expect_test::Expect;
use throughline_model::{NextOffset, Now, ReceivedAt, RecordOffset, Topic};
use throughline_worker::input::NoHeaders;
use throughline_worker::{
    Assignment, CommitOffset, CommitOutcome, Effect, Effects, Input, InputRecord, MemoryLevel, Outputs, Phase,
    ProcessContext, Processor, ProduceFault, Stall, StateMismatch, TaskId, Worker, WorkerOptions,
};

/// Runs a script on a new worker and compares what it wants after every line.
#[track_caller]
#[allow(dead_code, reason = "each test file uses its own half of this module")]
pub fn check(script: &str, expect: Expect) {
    let mut stage = Stage::new();
    let lines: Vec<String> = steps(script).map(|step| stage.step(step)).collect();
    expect.assert_eq(&(lines.join("\n") + "\n" + &stage.ending() + "\n"));
}

/// Brings a worker into a phase by a script, gives it one input, and starts again for the next input.
#[track_caller]
#[allow(dead_code, reason = "each test file uses its own half of this module")]
pub fn check_rows(setup: &str, inputs: &str, expect: Expect) {
    let mut rows = String::new();
    for input in steps(inputs) {
        let mut stage = Stage::new();
        for step in steps(setup) {
            stage.step(step);
        }
        let row = stage.step(input);
        // After a panic there is no phase to speak of.
        let phase = if row.contains("-> panics") { "" } else { phase_word(stage.worker.phase()) };
        rows += format!("{row} | {phase}").trim_end_matches([' ', '|']);
        rows.push('\n');
    }
    expect.assert_eq(&rows);
}

fn steps(script: &str) -> impl Iterator<Item = &str> {
    script.split(['\n', ';']).map(str::trim).filter(|step| !step.is_empty())
}

/// Keeps the values it was given, by partition; everything it does is visible in its outputs.
#[derive(Debug, Default)]
struct Letters {
    stateful: bool,
    due: Option<(Now, TaskId)>,
    /// How many more transactions the timer fills.
    portions: i64,
    exhausted: BTreeMap<TaskId, Option<Now>>,
    committed: BTreeMap<TaskId, Vec<String>>,
    overlay: Vec<(TaskId, String)>,
}

impl Processor for Letters {
    fn is_stateful(&self) -> bool {
        self.stateful
    }

    fn assign(&mut self, task: TaskId) {
        self.committed.insert(task, Vec::new());
    }

    fn revoke(&mut self, task: TaskId) {
        self.committed.remove(&task);
        self.overlay.retain(|(owner, _)| *owner != task);
    }

    fn restore(&mut self, _task: TaskId, _key: &[u8], _value: Option<&[u8]>) -> Result<(), StateMismatch> {
        Ok(())
    }

    fn process(
        &mut self,
        record: &InputRecord<'_>,
        context: ProcessContext,
        outputs: &mut Outputs,
    ) -> Result<(), Stall> {
        let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        if value == "stall" {
            return Err(Stall::Schema(1));
        }
        let value = if context.reject { format!("rejected({value})") } else { value };
        outputs.record(Topic::Scores, None).value(|out| out.extend_from_slice(value.as_bytes())).end();
        self.overlay.push((record.task, value));
        Ok(())
    }

    fn finish(&mut self, now: Now, outputs: &mut Outputs) {
        if self.due.is_some_and(|(due, _)| due <= now) {
            outputs.record(Topic::Scores, None).value(|out| out.extend_from_slice(b"timer")).end();
        }
    }

    fn commit(&mut self, now: Now) {
        for (task, value) in self.overlay.drain(..) {
            self.committed.get_mut(&task).unwrap().push(value);
        }
        if self.due.is_some_and(|(due, _)| due <= now) {
            self.portions -= 1;
            self.due = self.due.filter(|_| self.portions > 0);
        }
    }

    fn abort(&mut self) {
        self.overlay.clear();
    }

    fn uncommitted_bytes(&self) -> usize {
        self.overlay.iter().map(|(_, value)| value.len()).sum()
    }

    fn next_due(&self) -> Option<(Now, TaskId)> {
        self.due
    }

    fn has_timers_left(&self) -> bool {
        self.portions > 0
    }

    fn exhausted(&mut self, task: TaskId, at: Option<Now>) {
        self.exhausted.insert(task, at);
    }
}

struct Stage {
    worker: Worker<Letters>,
    effects: Effects,
    now: Now,
}

impl Stage {
    fn new() -> Self {
        let options = WorkerOptions { commit_interval: 100, records_max: 100, uncommitted_bytes_max: 1_000 };
        Self {
            worker: Worker::new(options, Letters::default()),
            effects: Effects::default(),
            now: Now::from_millis(1_000),
        }
    }

    fn step(&mut self, step: &str) -> String {
        match self.try_step(step) {
            Ok(wanted) if wanted.is_empty() => step.to_owned(),
            Ok(wanted) => format!("{step} -> {wanted}"),
            Err(why) => format!("{step} -> panics: {why}"),
        }
    }

    fn try_step(&mut self, step: &str) -> Result<String, String> {
        let words: Vec<&str> = step.split_whitespace().collect();
        match words[..] {
            ["stateful"] => self.worker.processor_mut().stateful = true,
            ["due", partition, at] => {
                self.worker.processor_mut().due = Some((Now::from_millis(1_000 + number(at)), task(partition)));
            }
            ["portion", portions] => self.worker.processor_mut().portions = number(portions),
            ["exhausted", partition, at] => {
                let at = at.parse().ok().map(|at: i64| Now::from_millis(1_000 + at));
                return self.give(Input::Exhausted(&[(task(partition), at)]));
            }
            ["limit", records, bytes] => {
                let options = WorkerOptions {
                    commit_interval: 100,
                    records_max: number(records) as u64,
                    uncommitted_bytes_max: number(bytes) as usize,
                };
                self.worker = Worker::new(options, Letters::default());
            }
            ["tick", later] => {
                self.now = self.now.plus_millis(number(later));
                return self.give(Input::Tick);
            }
            ["record", partition, offset, value] => {
                return self.give(Input::Record(InputRecord {
                    task: task(partition),
                    offset: RecordOffset(number(offset)),
                    received_at: ReceivedAt::from_millis(0),
                    key: None,
                    value: Some(value.as_bytes()),
                    headers: &NoHeaders,
                }));
            }
            ["assign", ..] => {
                let assignments: Vec<Assignment> = words[1..].iter().map(|word| assignment(word)).collect();
                return self.give(Input::Assigned(&assignments));
            }
            ["revoke", ..] => return self.give(Input::Revoked(&tasks(&words))),
            ["lost", ..] => return self.give(Input::Lost(&tasks(&words))),
            _ => return self.give(plain_input(&words)),
        }
        Ok(String::new())
    }

    fn give(&mut self, input: Input<'_>) -> Result<String, String> {
        catch_unwind(AssertUnwindSafe(|| self.worker.handle(input, self.now, &mut self.effects))).map_err(|cause| {
            let text = cause.downcast_ref::<String>().map(String::as_str);
            text.or_else(|| cause.downcast_ref::<&str>().copied())
                .unwrap_or("something else than text")
                .replace("internal error: entered unreachable code: ", "")
        })?;
        let outputs = &mut self.effects.outputs;
        let wanted: Vec<String> =
            std::mem::take(&mut self.effects.list).iter().map(|effect| effect_text(effect, outputs)).collect();
        Ok(wanted.join(", "))
    }

    #[allow(dead_code, reason = "each test file uses its own half of this module")]
    fn ending(&self) -> String {
        let committed = &self.worker.processor().committed;
        let committed: Vec<String> =
            committed.iter().map(|(task, values)| format!("{}:[{}]", task.partition, values.join(" "))).collect();
        let full = if self.worker.is_full() { ", full" } else { "" };
        let exhausted: Vec<String> = self.worker.processor().exhausted.iter().map(exhausted_text).collect();
        format!("= {}{full}, committed {}{}", phase_word(self.worker.phase()), committed.join(" "), exhausted.concat())
    }
}

fn plain_input(words: &[&str]) -> Input<'static> {
    match *words {
        ["restored", partition] => Input::Restored(task(partition)),
        ["unstalled", partition] => Input::Unstalled(task(partition)),
        ["produce-failed", "content"] => Input::ProduceFailed(ProduceFault::Content),
        ["produce-failed", "transient"] => Input::ProduceFailed(ProduceFault::Transient),
        ["ended", "committed"] => Input::Ended(CommitOutcome::Committed),
        ["ended", "content"] => Input::Ended(CommitOutcome::Abortable(ProduceFault::Content)),
        ["ended", "transient"] => Input::Ended(CommitOutcome::Abortable(ProduceFault::Transient)),
        ["ended", "fenced"] => Input::Ended(CommitOutcome::Fenced),
        ["ended", "indeterminate"] => Input::Ended(CommitOutcome::Indeterminate),
        ["aborted"] => Input::Aborted,
        ["abort-failed"] => Input::AbortFailed,
        ["read", "nothing"] => Input::OutcomeRead(None),
        ["read", txn_seq] => Input::OutcomeRead(Some(number(txn_seq) as u64)),
        ["memory", "room"] => Input::Memory(MemoryLevel::Room),
        ["memory", "tight"] => Input::Memory(MemoryLevel::Tight),
        ["memory", "short"] => Input::Memory(MemoryLevel::Short),
        ["drain"] => Input::Drain,
        _ => panic!("not a step of a script: {words:?}"),
    }
}

fn number(word: &str) -> i64 {
    word.parse().unwrap_or_else(|_| panic!("not a number: {word}"))
}

fn task(word: &str) -> TaskId {
    TaskId { topic: 0, partition: number(word) as i32 }
}

fn tasks(words: &[&str]) -> Vec<TaskId> {
    words[1..].iter().map(|word| task(word)).collect()
}

fn assignment(word: &str) -> Assignment {
    let (partition, rest) = word.split_once('@').unwrap();
    let (next, txn_seq) = rest.split_once('#').unwrap();
    Assignment { task: task(partition), next: NextOffset(number(next)), txn_seq: number(txn_seq) as u64 }
}

fn commit_text(offset: &CommitOffset) -> String {
    format!("{}@{}#{}", offset.task.partition, offset.next.0, offset.txn_seq)
}

#[allow(dead_code, reason = "each test file uses its own half of this module")]
fn exhausted_text((task, at): (&TaskId, &Option<Now>)) -> String {
    let at = at.map_or_else(|| "nothing".to_owned(), |at| (at.as_millis() - 1_000).to_string());
    format!(", exhausted {} {at}", task.partition)
}

fn effect_text(effect: &Effect, outputs: &mut Outputs) -> String {
    let list = |tasks: &[TaskId]| tasks.iter().map(|task| format!(" {}", task.partition)).collect::<String>();
    match effect {
        Effect::Begin => "begin".to_owned(),
        Effect::Commit(offsets) => {
            let offsets: Vec<String> = offsets.iter().map(commit_text).collect();
            let values = outputs.records().iter().map(|record| outputs.value(record).unwrap_or_default());
            let values: Vec<String> = values.map(|value| String::from_utf8_lossy(value).into_owned()).collect();
            outputs.clear();
            format!("commit {} [{}]", offsets.join(" "), values.join(" "))
        }
        Effect::Abort => "abort".to_owned(),
        Effect::ResolveOutcome(offset) => format!("resolve {}", commit_text(offset)),
        Effect::Seek(seeks) => {
            let seeks = seeks.iter().map(|(task, next)| format!(" {}@{}", task.partition, next.0));
            format!("seek{}", seeks.collect::<String>())
        }
        Effect::Pause(task) => format!("pause {}", task.partition),
        Effect::Resume(task) => format!("resume {}", task.partition),
        Effect::StartRestore(task) => format!("restore {}", task.partition),
        Effect::Unassign(tasks) => format!("unassign{}", list(tasks)),
        Effect::Assign(assignments) => {
            let assignments =
                assignments.iter().map(|at| format!(" {}@{}#{}", at.task.partition, at.next.0, at.txn_seq));
            format!("assign{}", assignments.collect::<String>())
        }
        Effect::Rejoin => "rejoin".to_owned(),
        Effect::Published { records } => format!("published {records}"),
        Effect::Stalled(task, _) => format!("stalled {}", task.partition),
        Effect::Stop(_) => "stop".to_owned(),
    }
}

fn phase_word(phase: &Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Open(_) => "open",
        Phase::Committing(_) => "committing",
        Phase::Aborting(_) => "aborting",
        Phase::Unknown(_) => "unknown",
        Phase::Stopped => "stopped",
    }
}
