//! What is told to the outside: once a second to the observer, and whenever it matters to whoever asks for the status.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use throughline_model::{Now, Partition};
use throughline_worker::{Input, Phase, Processor, Stall, TaskId};

use super::{Driver, Observer, now};
use crate::bounds::{Bound, BoundReport};
use crate::classify::Reaction;
use crate::metrics::PauseReason;
use crate::restore::RestoreProgress;
use crate::status::{FaultStatus, Lag, TaskStatus, WorkerStatus};

/// What happened, for the status.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) committed_at: Option<i64>,
    last_fault: Option<FaultStatus>,
    /// When it was fenced last, and how often since the start.
    pub(super) fenced: Option<(i64, u64)>,
    /// Since when calls are repeated without a commit between.
    pub(super) unanswered_since: Option<i64>,
    bounds: BoundReport,
    /// The most records, bytes and unacknowledged outputs of a transaction in this second.
    records_max: u64,
    uncommitted_max: u64,
    in_flight_max: u64,
}

impl<P: Processor, O: Observer<P>> Driver<P, O> {
    pub(super) fn note_fault(&mut self, reaction: Reaction, error: &dyn std::fmt::Display) {
        self.observer.fault(reaction);
        let at = now().as_millis();
        if reaction == Reaction::Retry {
            self.told.unanswered_since.get_or_insert(at);
        }
        self.told.last_fault = Some(FaultStatus { at, reaction, text: error.to_string() });
        tracing::warn!(worker = self.options.name, ?reaction, %error, "kafka fault");
        // Whoever asks while this worker waits for brokers should learn what for.
        self.publish_status();
    }

    /// A transaction is about to end: what it held, and whether it ended because of that.
    pub(super) fn note_size(&mut self) {
        let Phase::Committing(txn) = self.worker.phase() else { return };
        let (records, limits) = (txn.records, self.options.worker);
        let bytes = self.worker.processor().uncommitted_bytes();
        self.told.records_max = self.told.records_max.max(records);
        self.told.uncommitted_max = self.told.uncommitted_max.max(bytes as u64);
        self.told.bounds.reach(Bound::BatchRecords, u64::from(records >= limits.records_max));
        self.told.bounds.reach(Bound::OverlayBytes, u64::from(bytes >= limits.uncommitted_bytes_max));
        self.told.bounds.reach(Bound::Timers, u64::from(self.worker.processor().has_timers_left()));
    }

    /// Outputs were handed over.
    pub(super) fn note_sent(&mut self) {
        let in_flight = u64::try_from(self.producer.in_flight()).unwrap_or(0);
        self.told.in_flight_max = self.told.in_flight_max.max(in_flight);
        self.told.bounds.reach(Bound::ProducerQueueRecords, self.producer.take_waits());
    }

    /// Memory is short, or there is room again.
    pub(super) fn note_pressure(&mut self, holds: bool) {
        self.told.bounds.reach(Bound::MemoryBytes, u64::from(holds));
        let (used, limit) = self.control.memory().bytes().unwrap_or_default();
        if holds {
            tracing::warn!(worker = self.options.name, used, limit, "memory is short, sources wait");
        } else {
            tracing::info!(worker = self.options.name, used, limit, "there is memory again, sources are read");
        }
    }

    pub(super) fn every_second(&mut self) {
        if self.last_second.elapsed() < Duration::from_secs(1) {
            return;
        }
        self.last_second = Instant::now();
        let mut lags = self.consumer.context().take_lag();
        if !lags.is_empty() {
            self.age(&mut lags);
            let exhausted = self.exhausted(&lags);
            self.worker.handle(Input::Exhausted(&exhausted), now(), &mut self.effects);
            self.observer.lag(&lags);
            self.lags = lags;
        }
        let mut paused = [0; PauseReason::ALL.len()];
        for (task, restoring) in self.worker.tasks() {
            if let Some(reason) = self.paused(task, restoring) {
                paused[usize::from(reason.code())] += 1;
            }
        }
        self.observer.paused(&paused);
        self.warm.expire();
        for (task, progress) in self.restores.progress() {
            self.observer.restore(Partition(task.partition), progress, false);
        }
        self.look_for_stranded();
        self.read_bounds();
        self.observer.tick(self.worker.processor_mut());
        self.publish_status();
    }

    /// How full the bounds are, this worker's own first, then those that the observer knows of.
    fn read_bounds(&mut self) {
        let limits = self.options.worker;
        let (in_txn, is_full) = match self.worker.phase() {
            Phase::Open(txn) => (txn.records, self.worker.is_full()),
            _ => (0, false),
        };
        let uncommitted = self.worker.processor().uncommitted_bytes() as u64;
        // All partitions of a consumer share one queue, and each of them tells of all of it.
        let fetched = self.lags.iter().map(|lag| lag.queued_bytes).max().unwrap_or(0);
        let in_flight = u64::try_from(self.producer.in_flight()).unwrap_or(0);
        let (fetch_limit, in_flight_limit) = (self.client.fetch_queue_bytes(), self.client.producer_queue_records());
        let pressed = self.worker.is_pressed();
        let report = &mut self.told.bounds;
        report.readings.clear();
        let records = std::mem::take(&mut self.told.records_max).max(in_txn);
        report.read(Bound::BatchRecords, records, limits.records_max, is_full && in_txn >= limits.records_max);
        let (bytes, bytes_max) =
            (std::mem::take(&mut self.told.uncommitted_max).max(uncommitted), limits.uncommitted_bytes_max as u64);
        report.read(Bound::OverlayBytes, bytes, bytes_max, is_full && uncommitted >= bytes_max);
        // A queue that is full is what a backlog looks like: it is the worker's turn, and no source waits.
        report.read(Bound::FetchQueueBytes, fetched, fetch_limit, false);
        report.reach(Bound::FetchQueueBytes, u64::from(fetched >= fetch_limit));
        let waiting = std::mem::take(&mut self.told.in_flight_max).max(in_flight);
        report.read(Bound::ProducerQueueRecords, waiting, in_flight_limit, in_flight >= in_flight_limit);
        if let Some((used, limit)) = self.control.memory().bytes() {
            report.read(Bound::MemoryBytes, used, limit, pressed);
        }
        self.observer.bounds(self.worker.processor_mut(), report);
        report.reached = Default::default();
    }

    /// How old what is being read is, where something is left to read.
    ///
    /// And how long a transaction of others has held back what is behind it: one that nobody ever ends shows in no lag.
    fn age(&mut self, lags: &mut [Lag]) {
        for lag in lags.iter_mut().filter(|lag| lag.unstable_records > 0) {
            let is_same = |before: &&Lag| before.partition == lag.partition && before.topic == lag.topic;
            let before = self.lags.iter().find(is_same).filter(|before| before.unstable_records > 0);
            // What is not fetched stands still for other reasons.
            let is_read = lag.caught_up && self.is_read(lag);
            if let Some(before) = before.filter(|before| is_read && before.last_stable == lag.last_stable) {
                lag.stands_since = before.stands_since;
                lag.unstable_seconds = before.stands_since.elapsed().as_secs_f64();
            }
        }
        if let Some((task, at)) = self.receiving {
            self.received.insert(task, at);
        }
        let now = now().as_millis();
        for lag in lags.iter_mut().filter(|lag| !lag.caught_up) {
            let task = self.options.inputs.iter().position(|name| *name == lag.topic);
            let received =
                task.and_then(|topic| self.received.get(&TaskId { topic: topic as u16, partition: lag.partition }));
            lag.seconds = received.map_or(0.0, |at| (now - at).max(0) as f64 / 1_000.0);
        }
    }

    /// Whether the partition is fetched.
    fn is_read(&self, lag: &Lag) -> bool {
        let is_it =
            |task: TaskId| task.partition == lag.partition && self.options.inputs[usize::from(task.topic)] == lag.topic;
        self.worker.tasks().any(|(task, restoring)| is_it(task) && self.paused(task, restoring).is_none())
    }

    /// Where nothing was left to read when the statistics were made.
    fn exhausted(&self, lags: &[Lag]) -> Vec<(TaskId, Option<Now>)> {
        let known = |lag: &Lag| {
            let topic = self.options.inputs.iter().position(|name| *name == lag.topic)?;
            let task = TaskId { topic: topic as u16, partition: lag.partition };
            Some((task, lag.exhausted_at.map(Now::from_millis)))
        };
        lags.iter().filter_map(known).collect()
    }

    /// Why a partition is not read now: what lasts longest first.
    fn paused(&self, task: TaskId, restoring: bool) -> Option<PauseReason> {
        if restoring {
            return Some(PauseReason::Restoring);
        }
        match self.stalled.get(&task) {
            Some((_, Stall::Schema(_))) => Some(PauseReason::Schema),
            Some((_, Stall::Rejecting)) => Some(PauseReason::Rejecting),
            Some((_, Stall::Refused)) => Some(PauseReason::Refused),
            None if self.worker.is_pressed() => Some(PauseReason::Backpressure),
            None => self.worker.is_waiting().then_some(PauseReason::Fault),
        }
    }

    pub(super) fn publish_status(&self) {
        let restores: BTreeMap<TaskId, RestoreProgress> = self.restores.progress().collect();
        let restoring: BTreeMap<TaskId, bool> = self.worker.tasks().collect();
        let tasks = self.worker.committed_positions().map(|(task, next, txn_seq)| {
            let topic = self.options.inputs[usize::from(task.topic)].clone();
            let lag = self.lags.iter().find(|lag| lag.topic == topic && lag.partition == task.partition);
            let restoring = restoring.get(&task).copied().unwrap_or_default();
            TaskStatus {
                lag_records: lag.map(|lag| lag.records),
                lag: lag.map(|lag| Duration::try_from_secs_f64(lag.seconds).unwrap_or_default()),
                topic,
                partition: task.partition,
                restoring,
                paused: self.paused(task, restoring),
                next,
                txn_seq,
                restore: restores.get(&task).copied(),
            }
        });
        let status = WorkerStatus {
            name: self.options.name.clone(),
            stage: self.options.stage.as_str(),
            phase: phase_word(self.worker.phase(), !self.restores.is_empty()),
            tasks: tasks.collect(),
            joined: self.joined,
            transactional_id: self.options.transactional_id.clone(),
            committed_at: self.told.committed_at,
            last_fault: self.told.last_fault.clone(),
            fenced: self.told.fenced,
            unanswered_since: self.told.unanswered_since,
            bounds: self.told.bounds.readings.clone(),
        };
        self.control.publish(status);
    }
}

fn phase_word(phase: &Phase, restoring: bool) -> &'static str {
    match phase {
        Phase::Idle if restoring => "restoring",
        Phase::Idle => "idle",
        Phase::Open(_) => "open",
        Phase::Committing(_) => "committing",
        Phase::Aborting(_) => "aborting",
        Phase::Unknown(_) => "asking for an outcome",
        Phase::Stopped => "stopped",
    }
}
