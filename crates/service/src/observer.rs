//! What drivers report, as metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use throughline_experience::Component;
use throughline_kafka::bounds::{Bound, BoundReport};
use throughline_kafka::classify::Reaction;
use throughline_kafka::driver::{CommitTimes, Observer};
use throughline_kafka::local_log::Keeper;
use throughline_kafka::metrics::{
    AgeOrigin, Ages, CommitPhase, PauseReason, RebalanceKind, SourceRecordCounts, StageMetrics, StateMetrics,
    TopicLabel, TransactionOutcome, WatermarkReading, WorkerBounds, WorkerTime,
};
use throughline_kafka::restore::RestoreProgress;
use throughline_kafka::status::Lag;
use throughline_model::{FateCounts, Partition, RejectionReason, SourceKind, Stage, Topic, WithheldReason};
use throughline_normalize::SchemaSource;
use throughline_pipeline::time::Lateness;
use throughline_pipeline::time::watermark::LATENESS_BOUNDS;
use throughline_pipeline::{ExperienceStage, NormalizeStage};
use throughline_worker::Outputs;

use crate::catalog::CatalogCell;
use crate::table::{SharedTable, Views};

/// The clock of the edge, milliseconds since 1970.
#[must_use]
pub fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// What both stages report alike.
pub struct Common {
    metrics: StageMetrics,
    state: StateMetrics,
    bounds: WorkerBounds,
    stage: Stage,
    /// Input topics and what they are, for labels.
    inputs: Vec<(String, TopicLabel)>,
    produced: BTreeMap<Topic, u64>,
    assigned: usize,
}

impl Common {
    /// Reports to `metrics`.
    #[must_use]
    pub const fn new(
        stage: Stage,
        metrics: StageMetrics,
        state: StateMetrics,
        bounds: WorkerBounds,
        inputs: Vec<(String, TopicLabel)>,
    ) -> Self {
        Self { metrics, state, bounds, stage, inputs, produced: BTreeMap::new(), assigned: 0 }
    }

    fn committed(&mut self, records: u64, took: CommitTimes) {
        self.metrics.transaction(TransactionOutcome::Committed);
        self.metrics.set_stalled(false);
        self.metrics.batch(records, took.apply.as_secs_f64());
        self.metrics.commit_phase(CommitPhase::Finish, took.finish.as_secs_f64());
        self.metrics.commit_phase(CommitPhase::Drain, took.drain.as_secs_f64());
        self.metrics.commit_phase(CommitPhase::Offsets, took.offsets.as_secs_f64());
        self.metrics.commit_phase(CommitPhase::Commit, took.commit.as_secs_f64());
        self.metrics.commit_phase(CommitPhase::Publish, took.publish.as_secs_f64());
        for (topic, records) in std::mem::take(&mut self.produced) {
            self.metrics.produced(TopicLabel::Owned(topic), records);
        }
    }

    fn ended_otherwise(&mut self, outcome: &str) {
        self.produced.clear();
        let outcome = match outcome {
            "fenced" => TransactionOutcome::Fenced,
            "indeterminate" => TransactionOutcome::Indeterminate,
            _ => TransactionOutcome::Aborted,
        };
        self.metrics.transaction(outcome);
    }

    fn rebalanced(&mut self, kind: &str, partitions: usize) {
        let kind = match kind {
            "assigned" => {
                self.assigned += partitions;
                RebalanceKind::Assigned
            }
            "revoked" => {
                self.assigned = self.assigned.saturating_sub(partitions);
                RebalanceKind::Revoked
            }
            "lost" => {
                self.assigned = self.assigned.saturating_sub(partitions);
                RebalanceKind::Lost
            }
            _ => {
                self.assigned = 0;
                return;
            }
        };
        self.metrics.rebalance(kind, self.assigned);
    }

    fn fault(&mut self, reaction: Reaction) {
        self.metrics.fault(reaction.into());
        if reaction == Reaction::Retry {
            self.metrics.set_stalled(true);
        }
    }

    fn produced(&mut self, outputs: &Outputs) {
        for record in outputs.records() {
            *self.produced.entry(record.target.topic).or_insert(0) += 1;
        }
    }

    fn lag(&self, lags: &[Lag]) {
        for lag in lags {
            if let Some((_, label)) = self.inputs.iter().find(|(name, _)| *name == lag.topic) {
                self.metrics.set_lag(*label, lag);
            }
        }
    }

    fn restore(&self, partition: Partition, progress: RestoreProgress, is_over: bool) {
        self.state.restore(self.stage, partition, &progress, is_over);
        if is_over {
            self.metrics.restored(partition, progress.records, progress.elapsed.as_secs_f64());
        } else {
            self.metrics.set_restore_remaining(partition, progress.remaining);
        }
    }
}

/// Forwards what is alike.
macro_rules! common {
    () => {
        fn ended_otherwise(&mut self, outcome: &'static str) {
            self.common.ended_otherwise(outcome);
        }

        fn rebalanced(&mut self, kind: &'static str, partitions: usize) {
            self.common.rebalanced(kind, partitions);
        }

        fn fault(&mut self, reaction: Reaction) {
            self.common.fault(reaction);
        }

        fn producer_recreated(&mut self) {
            self.common.metrics.producer_recreated();
        }

        fn produced(&mut self, outputs: &Outputs) {
            self.common.produced(outputs);
        }

        fn lag(&mut self, lag: &[Lag]) {
            self.common.lag(lag);
        }

        fn paused(&mut self, partitions: &[usize; PauseReason::ALL.len()]) {
            for (reason, partitions) in PauseReason::ALL.iter().zip(partitions) {
                self.common.metrics.set_paused(*reason, *partitions);
            }
        }

        fn restore(&mut self, partition: Partition, progress: RestoreProgress, is_over: bool) {
            self.common.restore(partition, progress, is_over);
        }
    };
}

/// Reports of a normalize worker.
pub struct NormalizeObserver {
    /// What is alike.
    pub common: Common,
    /// The catalog that the worker uses from its next transaction on.
    pub catalog: Arc<CatalogCell>,
    /// Watermarks and lateness.
    pub time: WorkerTime,
    /// Judges lateness.
    pub lateness: LatenessWatch,
}

impl<S: SchemaSource> Observer<NormalizeStage<S>> for NormalizeObserver {
    common!();

    fn committed(&mut self, processor: &mut NormalizeStage<S>, records: u64, took: CommitTimes) {
        self.common.committed(records, took);
        let metrics = &self.common.metrics;
        for (source, counts) in processor.take_counts() {
            metrics.consumed(TopicLabel::Source(source), counts.records);
            let books =
                SourceRecordCounts { expanded: counts.expanded, withheld: counts.withheld, rejected: counts.rejected };
            metrics.all().source_records(source, &books);
            metrics.all().touchpoints(Stage::Normalize, Some(source), &counts.touchpoints);
            metrics.all().text_unscored(source, counts.text_unscored);
            metrics.all().unmapped(source, counts.touchpoints.withheld[usize::from(WithheldReason::Unmapped.code())]);
            dead_letters(metrics, Stage::Normalize, Some(source), &counts.touchpoints);
        }
        processor.set_catalog(self.catalog.latest());
        for (source, tolerated, lateness) in processor.watermarks().take_lateness() {
            self.time.lateness(source, LATENESS_BOUNDS.iter().copied().chain([BEYOND]).zip(lateness.0));
            self.lateness.add(source, tolerated, &lateness);
        }
    }

    fn bounds(&mut self, processor: &mut NormalizeStage<S>, report: &mut BoundReport) {
        let rejected = processor.rejected();
        let used = u64::from(rejected.percent_max);
        report.read(Bound::RejectedPercent, used, u64::from(rejected.percent_limit), rejected.paused > 0);
        report.reach(Bound::RejectedPercent, rejected.exceeded);
        self.common.bounds.show(report);
    }

    fn tick(&mut self, processor: &mut NormalizeStage<S>) {
        processor.set_catalog(self.catalog.latest());
        let now = now_millis();
        let inputs = &self.common.inputs;
        let readings = processor.watermarks().readings().map(|reading| WatermarkReading {
            topic: inputs[usize::from(reading.task.topic)].1,
            partition: Partition(reading.task.partition),
            lag_millis: reading.watermark.map(|at| now.saturating_sub(at.as_millis())),
            idle: reading.idle,
        });
        self.time.watermarks(&readings.collect::<Vec<_>>());
        self.lateness.judge(now);
    }
}

/// Reports of an experience worker.
pub struct ExperienceObserver {
    /// What is alike.
    pub common: Common,
    /// The shared views, for sizes.
    pub views: Arc<Views>,
    /// The local logs, for sizes.
    pub keeper: Option<Arc<Keeper>>,
    /// Timers and what stream time lacks.
    pub time: WorkerTime,
    /// Source partitions that were missing a second ago.
    pub missing: usize,
    /// The most customers whose timers fired in one transaction of this second.
    pub fired_max: u64,
    /// Bytes of the largest customer written in this second.
    pub customer_bytes_max: u64,
    /// Local logs given up so far because their disk was too slow.
    pub given_up: u64,
    /// Event times of the last transaction.
    pub occurred: Ages,
    /// Received times of the last transaction.
    pub received: Ages,
}

impl Observer<ExperienceStage<SharedTable>> for ExperienceObserver {
    common!();

    fn committed(&mut self, processor: &mut ExperienceStage<SharedTable>, records: u64, took: CommitTimes) {
        self.common.committed(records, took);
        let counts = processor.take_counts();
        let metrics = &self.common.metrics;
        metrics.consumed(TopicLabel::Owned(Topic::ExperienceInbox), records);
        metrics.all().touchpoints(Stage::Experience, None, &counts.touchpoints);
        dead_letters(metrics, Stage::Experience, None, &counts.touchpoints);
        for (occurred, received) in counts.ages {
            self.occurred.add(occurred);
            self.received.add(received);
        }
        let now = now_millis();
        metrics.ages(AgeOrigin::EventTime, &mut self.occurred, now);
        metrics.ages(AgeOrigin::ReceivedTime, &mut self.received, now);
        for (kind, severity, state, transition) in counts.transitions {
            metrics.all().alert_transition(kind, severity, state, transition);
        }
        for (kind, reason) in counts.suppressed {
            metrics.all().alert_suppressed(kind, reason);
        }
        for (kind, after) in counts.detected {
            metrics.all().alert_detected(kind, after as f64 / 1_000.0);
        }
        for role in counts.untargeted {
            metrics.all().alert_untargeted(role);
        }
        for (component, count) in Component::ALL.iter().zip(counts.capped) {
            self.common.bounds.capped(component.as_str(), count);
        }
        self.customer_bytes_max = self.customer_bytes_max.max(counts.customer_bytes_max);
        self.fired_max = self.fired_max.max(counts.fired.len() as u64);
        for (clock, delay) in counts.fired {
            self.time.fired(clock.as_str(), delay);
        }
    }

    fn bounds(&mut self, _processor: &mut ExperienceStage<SharedTable>, report: &mut BoundReport) {
        let fired = std::mem::take(&mut self.fired_max);
        let limit = ExperienceStage::<SharedTable>::timers_max() as u64;
        report.read(Bound::Timers, fired, limit, false);
        let largest = std::mem::take(&mut self.customer_bytes_max);
        report.read(Bound::CustomerBytes, largest, CUSTOMER_BYTES_MAX, false);
        report.reach(Bound::CustomerBytes, u64::from(largest >= CUSTOMER_BYTES_MAX));
        if let Some(keeper) = &self.keeper {
            let backlog = keeper.backlog();
            report.read(Bound::LocalLogBacklogBytes, backlog.bytes, backlog.bytes_max, false);
            report.reach(Bound::LocalLogBacklogBytes, backlog.given_up - self.given_up);
            self.given_up = backlog.given_up;
        }
        self.common.bounds.show(report);
    }

    fn tick(&mut self, processor: &mut ExperienceStage<SharedTable>) {
        let metrics = &mut self.common.metrics;
        metrics.all().set_state(Stage::Experience, self.views.customers.len() as u64, self.views.customers.bytes());
        metrics.all().set_alerts_open(&self.views.alerts.counts());
        metrics.set_uncommitted_bytes(throughline_worker::Processor::uncommitted_bytes(processor));
        self.time.pending(processor.timers_pending());
        let missing = processor.progress_missing();
        for (source, partitions) in &missing {
            self.time.missing(*source, *partitions);
        }
        let missing = missing.iter().map(|(_, partitions)| partitions).sum();
        if missing > self.missing {
            tracing::warn!(
                missing,
                "no normalize worker speaks of some source partitions: stream time goes on without"
            );
        }
        self.missing = missing;
        if let Some(keeper) = &self.keeper {
            self.common.state.local_log(Stage::Experience, &keeper.figures());
        }
    }
}

/// A customer is never larger: the caps of its components add up to less.
const CUSTOMER_BYTES_MAX: u64 = 512 << 10;

/// Beyond the last bound of lateness: a month, in milliseconds.
const BEYOND: i64 = 30 * throughline_model::time::DAY;

/// Lateness of the last minutes, held against what is tolerated.
#[derive(Debug, Default)]
pub struct LatenessWatch {
    seen: BTreeMap<SourceKind, (i64, Lateness)>,
    judged_at: i64,
}

impl LatenessWatch {
    /// Lateness is judged once in so long, in milliseconds.
    const INTERVAL: i64 = 5 * throughline_model::time::MINUTE;
    /// The share of touchpoints that must be in time.
    const SHARE: f64 = 0.99;

    fn add(&mut self, source: SourceKind, tolerated: i64, lateness: &Lateness) {
        let (most, seen) = self.seen.entry(source).or_insert((tolerated, Lateness::default()));
        *most = (*most).max(tolerated);
        seen.absorb(lateness);
    }

    fn judge(&mut self, now: i64) {
        if now - self.judged_at < Self::INTERVAL {
            return;
        }
        self.judged_at = now;
        for (source, (tolerated, seen)) in std::mem::take(&mut self.seen) {
            // Counts have bounds: what lies in the bound that holds the tolerated lateness is in time.
            let in_time = LATENESS_BOUNDS.iter().find(|bound| **bound >= tolerated).copied().unwrap_or(i64::MAX);
            if let Some(observed) = seen.quantile(Self::SHARE).filter(|observed| *observed > in_time) {
                tracing::warn!(
                    source = source.as_str(),
                    p99_seconds = observed.min(BEYOND) / 1_000,
                    lateness_seconds = tolerated / 1_000,
                    "touchpoints come later than the lateness of their source: absence may be noted too early"
                );
            }
        }
    }
}

fn dead_letters(metrics: &StageMetrics, stage: Stage, source: Option<SourceKind>, counts: &FateCounts) {
    for (reason, count) in RejectionReason::ALL.iter().zip(counts.rejected) {
        if count > 0 {
            metrics.all().dead_letters(stage, source, *reason, count);
        }
    }
}
