//! Metrics of workers and of what they carry.
//!
//! One set per process, [`WorkerMetrics`]; each worker takes a [`StageMetrics`] of it. Recorded per batch: the core returns
//! counts, this file gives them names. Labels come from closed sets; a partition is a label of lag and restore only.

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};
use throughline_model::alert::{AlertSeverity, AlertState, AlertType, Transition, TransitionReason};
use throughline_model::fate::FateCounts;
use throughline_model::log::SourceTopic;
use throughline_model::{LateReason, Partition, RejectionReason, SourceKind, Stage, Topic, WithheldReason, closed_set};

use crate::classify::Reaction;
use crate::status::Lag;

/// Defines a set of metrics: the doc comment of a field is the help text, so that neither can lag behind the other.
macro_rules! metric_set {
    ($(#[$meta:meta])* pub struct $set:ident {
        $($(#[doc = $help:literal])+ $field:ident: $kind:ident($name:literal $(, $buckets:expr)?) [$($label:literal),*],)+
    }) => {
        $(#[$meta])*
        pub struct $set { $($(#[doc = $help])+ $field: metric_set!(@type $kind),)+ }

        impl $set {
            /// Creates the metrics and registers them.
            ///
            /// # Errors
            /// When the registry already has one of the names.
            pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
                let set = Self {
                    $($field: metric_set!(@make $kind, $name, concat!($($help),+).trim(), &[$($label),*] $(, $buckets)?)?,)+
                };
                for collector in set.collectors() {
                    registry.register(collector)?;
                }
                Ok(set)
            }

            /// Every metric, for the catalogue.
            #[must_use]
            pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
                vec![$(Box::new(self.$field.clone())),+]
            }
        }
    };
    (@type counter) => { IntCounterVec };
    (@type gauge) => { IntGaugeVec };
    (@type seconds_gauge) => { prometheus::GaugeVec };
    (@type histogram) => { HistogramVec };
    (@make counter, $name:expr, $help:expr, $labels:expr) => { IntCounterVec::new(Opts::new($name, $help), $labels) };
    (@make gauge, $name:expr, $help:expr, $labels:expr) => { IntGaugeVec::new(Opts::new($name, $help), $labels) };
    (@make seconds_gauge, $name:expr, $help:expr, $labels:expr) => {
        prometheus::GaugeVec::new(Opts::new($name, $help), $labels)
    };
    (@make histogram, $name:expr, $help:expr, $labels:expr, $buckets:expr) => {
        HistogramVec::new(HistogramOpts::new($name, $help).buckets($buckets.to_vec()), $labels)
    };
}

// A drained commit takes 1.5 ms, one that waits for a poll slice 100 ms, a broker in trouble seconds.
const COMMIT_SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
// A batch ends at 20,000 records at the latest.
const BATCH_RECORDS: &[f64] = &[1.0, 10.0, 100.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 20_000.0];
// 2 s is the objective and must be a bound; .1 to .5 are the release goals; the long end shows nightly files and backlogs.
const AGE_SECONDS: &[f64] =
    &[0.025, 0.05, 0.1, 0.15, 0.25, 0.4, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0, 21_600.0, 86_400.0];
// From a warm restart to ten million keys.
const RESTORE_SECONDS: &[f64] = &[0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0];

metric_set! {
    /// The metrics of all workers of a process. Cloning shares them.
    #[derive(Debug, Clone)]
    pub struct WorkerMetrics {
        /// 1; labels `version` (of the program) and `model_version` (of the model in use, `name@fold.read`).
        build: gauge("throughline_build_info") ["version", "model_version"],
        /// Workers running, by stage (normalize, experience, entity).
        workers: gauge("throughline_workers") ["stage"],
        /// Workers that repeat a call because brokers or the network do not answer, by stage.
        stalled: gauge("throughline_stalled_workers") ["stage"],
        /// Input partitions assigned, by stage.
        assigned: gauge("throughline_partitions_assigned") ["stage"],
        /// Input partitions that are not read for now, by stage and reason (restoring, schema, rejecting, backpressure,
        /// refused, fault).
        paused: gauge("throughline_partitions_paused") ["stage", "reason"],
        /// Records read, by stage and logical topic; counted when their transaction committed.
        consumed: counter("throughline_records_consumed_total") ["stage", "topic"],
        /// Records written, by stage and logical topic; counted when their transaction committed.
        produced: counter("throughline_records_produced_total") ["stage", "topic"],
        /// Source records by source, what became of them (expanded, withheld, rejected) and reason.
        source_records: counter("throughline_source_records_total") ["source", "fate", "reason"],
        /// Touchpoints by stage, source, fate (applied, duplicate, late, withheld, rejected, forwarded) and reason.
        touchpoints: counter("throughline_touchpoints_total") ["stage", "source", "fate", "reason"],
        /// Dead letters written, by stage, source and reason.
        dead_letters: counter("throughline_dead_letters_total") ["stage", "source", "reason"],
        /// Touchpoints with text in a language that no lexicon covers: no text evidence was taken. By source.
        text_unscored: counter("throughline_text_unscored_total") ["source"],
        /// Names that the map of a source has no row for, by source.
        unmapped: counter("throughline_unmapped_total") ["source"],
        /// Transactions by stage and outcome (committed, aborted, fenced, indeterminate).
        transactions: counter("throughline_transactions_total") ["stage", "outcome"],
        /// Seconds of a commit by stage and phase (finish, drain, offsets, commit, publish).
        commit_seconds: histogram("throughline_commit_seconds", COMMIT_SECONDS) ["stage", "phase"],
        /// Seconds spent decoding and applying the records of one transaction, by stage.
        apply_seconds: histogram("throughline_apply_seconds", COMMIT_SECONDS) ["stage"],
        /// Records of one transaction, by stage.
        batch_records: histogram("throughline_batch_records", BATCH_RECORDS) ["stage"],
        /// Age of a touchpoint when its transaction committed, by stage and origin: received_time (since Kafka recorded
        /// it) or event_time (since it happened).
        end_to_end: histogram("throughline_end_to_end_seconds", AGE_SECONDS) ["stage", "origin"],
        /// Producers replaced because the outcome of a transaction was not known or the old one was fenced, by stage.
        producers_recreated: counter("throughline_producers_recreated_total") ["stage"],
        /// Changes of the assignment by stage and kind (assigned, revoked, lost).
        rebalances: counter("throughline_rebalances_total") ["stage", "kind"],
        /// Faults by stage and class (retriable, abort_transaction, fenced, indeterminate, fatal).
        faults: counter("throughline_faults_total") ["stage", "class"],
        /// Changelog records still to read before the partition is served, by stage and partition.
        restore_remaining: gauge("throughline_restore_remaining_records") ["stage", "partition"],
        /// Seconds from assignment to served, by stage.
        restore_seconds: histogram("throughline_restore_seconds", RESTORE_SECONDS) ["stage"],
        /// Changelog records read by restores, by stage.
        restored: counter("throughline_restore_records_total") ["stage"],
        /// Customers or entities in committed state, by stage.
        state_entries: gauge("throughline_state_entries") ["stage"],
        /// Bytes of encoded committed state, by stage, without the table around it.
        state_bytes: gauge("throughline_state_bytes") ["stage"],
        /// Bytes of state held by open transactions, by stage.
        uncommitted_bytes: gauge("throughline_uncommitted_bytes") ["stage"],
        /// Records between the position and the last stable offset, by stage, logical topic and partition.
        lag_records: gauge("throughline_lag_records") ["stage", "topic", "partition"],
        /// Age in seconds of the record last read, 0 when caught up, by stage, logical topic and partition.
        lag_seconds: seconds_gauge("throughline_lag_seconds") ["stage", "topic", "partition"],
        /// Records behind the last stable offset, which open transactions hold back, by stage, logical topic and partition.
        unstable_records: gauge("throughline_lag_unstable_records") ["stage", "topic", "partition"],
        /// Seconds for which the last stable offset has not moved while there are such records, by the same.
        unstable_seconds: seconds_gauge("throughline_lag_unstable_seconds") ["stage", "topic", "partition"],
        /// Transitions of alerts published, by type, severity, state and transition.
        alert_transitions: counter("throughline_alerts_transitions_total") ["type", "severity", "state", "transition"],
        /// Alerts that would have opened but were held back, by type and reason.
        alerts_suppressed: counter("throughline_alerts_suppressed_total") ["type", "reason"],
        /// Recipients of alerts that the routing file has no target for, by role; 0 without a routing file.
        alerts_untargeted: counter("throughline_alerts_untargeted_recipients_total") ["role"],
        /// Alerts that are not closed, by type, severity and state.
        alerts_open: gauge("throughline_alerts_open") ["type", "severity", "state"],
        /// Seconds from the cause of an alert (its event time) to its opening, by type.
        alert_detection: histogram("throughline_alert_detection_seconds", AGE_SECONDS) ["type"],
    }
}

closed_set! {
    /// Ends of a transaction.
    pub enum TransactionOutcome {
        /// Confirmed by the broker.
        Committed = "committed",
        /// Dropped; nothing of it is seen.
        Aborted = "aborted",
        /// Somebody else owns the work.
        Fenced = "fenced",
        /// Nobody said; settled by reading the committed `txn_seq`.
        Indeterminate = "indeterminate",
    }
}

closed_set! {
    /// Parts of a commit, in order.
    pub enum CommitPhase {
        /// Timers fire, coalesced outputs and changed state parts are written.
        Finish = "finish",
        /// Until nothing is in flight.
        Drain = "drain",
        /// Offsets are sent.
        Offsets = "offsets",
        /// The transaction ends.
        Commit = "commit",
        /// The overlay is folded, the view published.
        Publish = "publish",
    }
}

closed_set! {
    /// How an assignment changed.
    pub enum RebalanceKind {
        /// Partitions came.
        Assigned = "assigned",
        /// Partitions go, after a last commit.
        Revoked = "revoked",
        /// Partitions are gone.
        Lost = "lost",
    }
}

closed_set! {
    /// Faults, named by the reaction.
    pub enum FaultClass {
        /// The same call again.
        Retriable = "retriable",
        /// Abort, rewind, go on.
        AbortTransaction = "abort_transaction",
        /// Drop everything, join again.
        Fenced = "fenced",
        /// Replace the producer and read.
        Indeterminate = "indeterminate",
        /// Stop.
        Fatal = "fatal",
    }
}

impl From<Reaction> for FaultClass {
    fn from(reaction: Reaction) -> Self {
        match reaction {
            Reaction::Retry => Self::Retriable,
            Reaction::Abort | Reaction::AbortContent => Self::AbortTransaction,
            Reaction::Rejoin => Self::Fenced,
            Reaction::Ask => Self::Indeterminate,
            Reaction::Stop => Self::Fatal,
        }
    }
}

closed_set! {
    /// Why a partition is not read for now.
    pub enum PauseReason {
        /// Its state is read back.
        Restoring = "restoring",
        /// It met a schema id that the registry has not answered for.
        Schema = "schema",
        /// More than half of its last records were rejected.
        Rejecting = "rejecting",
        /// Memory is short.
        Backpressure = "backpressure",
        /// Even the rejection of a record was refused by the brokers.
        Refused = "refused",
        /// It waits up to ten seconds after a fault that no record is to blame for.
        Fault = "fault",
    }
}

closed_set! {
    /// Since when the age of a touchpoint is counted.
    pub enum AgeOrigin {
        /// Since Kafka recorded it: what this service can be held to.
        ReceivedTime = "received_time",
        /// Since it happened.
        EventTime = "event_time",
    }
}

/// A topic as a label: its default name, whatever it is called in this deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicLabel {
    /// All topics of a kind of source.
    Source(SourceKind),
    /// A topic of ours.
    Owned(Topic),
}

impl TopicLabel {
    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owned(topic) => topic.as_str(),
            Self::Source(SourceKind::Web) => SourceTopic::Web.as_str(),
            Self::Source(SourceKind::Social) => SourceTopic::Social.as_str(),
            Self::Source(SourceKind::Store) => SourceTopic::Store.as_str(),
            Self::Source(SourceKind::CallCentre) => SourceTopic::CallCentre.as_str(),
            Self::Source(SourceKind::Partner) => SourceTopic::Partner.as_str(),
            Self::Source(SourceKind::Survey) => SourceTopic::Survey.as_str(),
            Self::Source(SourceKind::Profile) => SourceTopic::Profile.as_str(),
            Self::Source(SourceKind::Consent) => SourceTopic::Consent.as_str(),
            Self::Source(SourceKind::Catalog) => SourceTopic::Catalog.as_str(),
        }
    }
}

/// Books of source records: records = expanded + withheld + rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceRecordCounts {
    /// Records with at least one touchpoint.
    pub expanded: u64,
    /// Withheld as a whole, by [`WithheldReason`].
    pub withheld: [u64; WithheldReason::ALL.len()],
    /// Rejected as a whole, by [`RejectionReason`].
    pub rejected: [u64; RejectionReason::ALL.len()],
}

impl WorkerMetrics {
    /// Says which program and which model run.
    pub fn set_build(&self, version: &str, model_version: &str) {
        self.build.reset();
        self.build.with_label_values(&[version, model_version]).set(1);
    }

    /// Counts the source records of a committed transaction.
    pub fn source_records(&self, source: SourceKind, counts: &SourceRecordCounts) {
        let add = |fate, reason, count| add(&self.source_records, &[source.as_str(), fate, reason], count);
        add("expanded", "", counts.expanded);
        for (reason, count) in WithheldReason::ALL.iter().zip(counts.withheld) {
            add("withheld", reason.as_str(), count);
        }
        for (reason, count) in RejectionReason::ALL.iter().zip(counts.rejected) {
            add("rejected", reason.as_str(), count);
        }
    }

    /// Counts the fates of the touchpoints of a committed transaction.
    pub fn touchpoints(&self, stage: Stage, source: Option<SourceKind>, counts: &FateCounts) {
        let source = source_label(source);
        let add = |fate, reason, count| add(&self.touchpoints, &[stage.as_str(), source, fate, reason], count);
        add("applied", "", counts.applied);
        add("duplicate", "", counts.duplicate);
        add("forwarded", "", counts.forwarded);
        for (reason, count) in LateReason::ALL.iter().zip(counts.late) {
            add("late", reason.as_str(), count);
        }
        for (reason, count) in WithheldReason::ALL.iter().zip(counts.withheld) {
            add("withheld", reason.as_str(), count);
        }
        for (reason, count) in RejectionReason::ALL.iter().zip(counts.rejected) {
            add("rejected", reason.as_str(), count);
        }
    }

    /// Counts dead letters of a committed transaction.
    pub fn dead_letters(&self, stage: Stage, source: Option<SourceKind>, reason: RejectionReason, count: u64) {
        add(&self.dead_letters, &[stage.as_str(), source_label(source), reason.as_str()], count);
    }

    /// Counts touchpoints whose text no lexicon covers.
    pub fn text_unscored(&self, source: SourceKind, count: u64) {
        add(&self.text_unscored, &[source.as_str()], count);
    }

    /// Counts names without a row in the map of their source.
    pub fn unmapped(&self, source: SourceKind, count: u64) {
        add(&self.unmapped, &[source.as_str()], count);
    }

    /// Counts a published transition of an alert.
    pub fn alert_transition(
        &self,
        alert_type: AlertType,
        severity: AlertSeverity,
        state: AlertState,
        transition: Transition,
    ) {
        let labels = [alert_type.as_str(), severity.as_str(), state.as_str(), transition.as_str()];
        add(&self.alert_transitions, &labels, 1);
    }

    /// Counts an alert that would have opened, whether or not it is published.
    pub fn alert_suppressed(&self, alert_type: AlertType, reason: TransitionReason) {
        add(&self.alerts_suppressed, &[alert_type.as_str(), reason.as_str()], 1);
    }

    /// Counts a recipient whose role has no target; `role` is one of those the rules name.
    pub fn alert_untargeted(&self, role: &'static str) {
        add(&self.alerts_untargeted, &[role], 1);
    }

    /// Records how long after its cause an alert opened.
    pub fn alert_detected(&self, alert_type: AlertType, seconds: f64) {
        self.alert_detection.with_label_values(&[alert_type.as_str()]).observe(seconds.max(0.0));
    }

    /// Replaces the counts of alerts that are not closed.
    pub fn set_alerts_open(&self, counts: &[(AlertType, AlertSeverity, AlertState, u64)]) {
        self.alerts_open.reset();
        for (alert_type, severity, state, count) in counts {
            let labels = [alert_type.as_str(), severity.as_str(), state.as_str()];
            self.alerts_open.with_label_values(&labels).set(signed(*count));
        }
    }

    /// Sets the size of a stage's committed state in this process.
    pub fn set_state(&self, stage: Stage, entries: u64, bytes: u64) {
        self.state_entries.with_label_values(&[stage.as_str()]).set(signed(entries));
        self.state_bytes.with_label_values(&[stage.as_str()]).set(signed(bytes));
    }

    /// The metrics of one worker of a stage; it counts as running until they are dropped.
    #[must_use]
    pub fn worker(&self, stage: Stage) -> StageMetrics {
        StageMetrics::new(self.clone(), stage)
    }
}

/// Metrics of one worker. What it holds (partitions, bytes, its being stalled) leaves the gauges when it is dropped.
#[derive(Debug)]
pub struct StageMetrics {
    set: WorkerMetrics,
    stage: Stage,
    commit_seconds: Vec<Histogram>,
    stalled: bool,
    assigned: i64,
    paused: [i64; PauseReason::ALL.len()],
    uncommitted_bytes: i64,
}

impl StageMetrics {
    fn new(set: WorkerMetrics, stage: Stage) -> Self {
        let name = stage.as_str();
        // Counters that people watch exist from the start, at 0: the first fault would not be seen as a rise otherwise.
        for outcome in TransactionOutcome::ALL {
            add_or_create(&set.transactions, &[name, outcome.as_str()]);
        }
        for kind in RebalanceKind::ALL {
            add_or_create(&set.rebalances, &[name, kind.as_str()]);
        }
        for class in FaultClass::ALL {
            add_or_create(&set.faults, &[name, class.as_str()]);
        }
        add_or_create(&set.producers_recreated, &[name]);
        set.workers.with_label_values(&[name]).inc();
        let commit_seconds = CommitPhase::ALL
            .iter()
            .map(|phase| set.commit_seconds.with_label_values(&[name, phase.as_str()]))
            .collect();
        Self {
            set,
            stage,
            commit_seconds,
            stalled: false,
            assigned: 0,
            paused: Default::default(),
            uncommitted_bytes: 0,
        }
    }

    /// The set this belongs to.
    #[must_use]
    pub const fn all(&self) -> &WorkerMetrics {
        &self.set
    }

    /// The stage of the worker.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// Counts records of a committed transaction that were read from a topic.
    pub fn consumed(&self, topic: TopicLabel, records: u64) {
        add(&self.set.consumed, &[self.stage.as_str(), topic.as_str()], records);
    }

    /// Counts records of a committed transaction that were written to a topic.
    pub fn produced(&self, topic: TopicLabel, records: u64) {
        add(&self.set.produced, &[self.stage.as_str(), topic.as_str()], records);
    }

    /// Counts a transaction that ended.
    pub fn transaction(&self, outcome: TransactionOutcome) {
        self.set.transactions.with_label_values(&[self.stage.as_str(), outcome.as_str()]).inc();
    }

    /// Records the size of a committed transaction and the time that applying it took.
    pub fn batch(&self, records: u64, apply_seconds: f64) {
        self.set.batch_records.with_label_values(&[self.stage.as_str()]).observe(records as f64);
        self.set.apply_seconds.with_label_values(&[self.stage.as_str()]).observe(apply_seconds);
    }

    /// Records the time of one part of a commit.
    pub fn commit_phase(&self, phase: CommitPhase, seconds: f64) {
        self.commit_seconds[usize::from(phase.code())].observe(seconds);
    }

    /// Records the ages of the touchpoints of a transaction that committed at `now_millis`, and empties them.
    pub fn ages(&self, origin: AgeOrigin, ages: &mut Ages, now_millis: i64) {
        let local = self.set.end_to_end.with_label_values(&[self.stage.as_str(), origin.as_str()]).local();
        for (at_millis, count) in ages.runs.drain(..) {
            let seconds = (now_millis - at_millis).max(0) as f64 / 1_000.0;
            for _ in 0..count {
                local.observe(seconds);
            }
        }
        local.flush();
    }

    /// Counts a producer that replaced another.
    pub fn producer_recreated(&self) {
        self.set.producers_recreated.with_label_values(&[self.stage.as_str()]).inc();
    }

    /// Counts a change of the assignment, after which `assigned` partitions are owned.
    pub fn rebalance(&mut self, kind: RebalanceKind, assigned: usize) {
        self.set.rebalances.with_label_values(&[self.stage.as_str(), kind.as_str()]).inc();
        let assigned = signed(assigned as u64);
        self.set.assigned.with_label_values(&[self.stage.as_str()]).add(assigned - self.assigned);
        self.assigned = assigned;
    }

    /// Counts a fault.
    pub fn fault(&self, class: FaultClass) {
        self.set.faults.with_label_values(&[self.stage.as_str(), class.as_str()]).inc();
    }

    /// Says whether the worker repeats a call in vain.
    pub fn set_stalled(&mut self, stalled: bool) {
        let change = i64::from(stalled) - i64::from(self.stalled);
        self.set.stalled.with_label_values(&[self.stage.as_str()]).add(change);
        self.stalled = stalled;
    }

    /// Says how many partitions are not read for a reason.
    pub fn set_paused(&mut self, reason: PauseReason, partitions: usize) {
        let before = &mut self.paused[usize::from(reason.code())];
        let now = signed(partitions as u64);
        self.set.paused.with_label_values(&[self.stage.as_str(), reason.as_str()]).add(now - *before);
        *before = now;
    }

    /// Says how many bytes the open transaction holds.
    pub fn set_uncommitted_bytes(&mut self, bytes: usize) {
        let bytes = signed(bytes as u64);
        self.set.uncommitted_bytes.with_label_values(&[self.stage.as_str()]).add(bytes - self.uncommitted_bytes);
        self.uncommitted_bytes = bytes;
    }

    /// Says how far a partition is behind, and what of it is held back.
    pub fn set_lag(&self, topic: TopicLabel, lag: &Lag) {
        let partition = lag.partition.to_string();
        let labels = [self.stage.as_str(), topic.as_str(), partition.as_str()];
        self.set.lag_records.with_label_values(&labels).set(lag.records);
        self.set.lag_seconds.with_label_values(&labels).set(lag.seconds);
        self.set.unstable_records.with_label_values(&labels).set(lag.unstable_records);
        self.set.unstable_seconds.with_label_values(&labels).set(lag.unstable_seconds);
    }

    /// Says how many changelog records of a partition are still to be read.
    pub fn set_restore_remaining(&self, partition: Partition, records: u64) {
        let labels = [self.stage.as_str(), &partition.0.to_string()];
        self.set.restore_remaining.with_label_values(&labels).set(signed(records));
    }

    /// Records the end of a restore.
    pub fn restored(&self, partition: Partition, records: u64, seconds: f64) {
        self.forget_restore(partition);
        add(&self.set.restored, &[self.stage.as_str()], records);
        self.set.restore_seconds.with_label_values(&[self.stage.as_str()]).observe(seconds);
    }

    /// Takes a partition that is no longer owned out of the gauges.
    pub fn forget(&self, topic: TopicLabel, partition: Partition) {
        let number = partition.0.to_string();
        let labels = [self.stage.as_str(), topic.as_str(), number.as_str()];
        // Absent is what is wanted: a partition that never reported has no series to remove.
        let (records, seconds) = ([&self.set.lag_records, &self.set.unstable_records], &self.set.lag_seconds);
        records.iter().for_each(|gauge| drop(gauge.remove_label_values(&labels)));
        [seconds, &self.set.unstable_seconds].iter().for_each(|gauge| drop(gauge.remove_label_values(&labels)));
        self.forget_restore(partition);
    }

    fn forget_restore(&self, partition: Partition) {
        let _ = self.set.restore_remaining.remove_label_values(&[self.stage.as_str(), &partition.0.to_string()]);
    }
}

impl Drop for StageMetrics {
    fn drop(&mut self) {
        self.set_stalled(false);
        self.set_uncommitted_bytes(0);
        for reason in PauseReason::ALL {
            self.set_paused(*reason, 0);
        }
        let stage = &[self.stage.as_str()];
        self.set.assigned.with_label_values(stage).sub(self.assigned);
        self.set.workers.with_label_values(stage).dec();
    }
}

fn add(counters: &IntCounterVec, labels: &[&str], count: u64) {
    // Label sets are wide and mostly unused: one that never counted is not shown.
    if count > 0 {
        counters.with_label_values(labels).inc_by(count);
    }
}

fn add_or_create(counters: &IntCounterVec, labels: &[&str]) {
    counters.with_label_values(labels).inc_by(0);
}

fn source_label(source: Option<SourceKind>) -> &'static str {
    source.map_or("", SourceKind::as_str)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

mod ages;
mod bounds;
mod state;
mod time;
pub use ages::Ages;
pub use bounds::{BoundMetrics, WorkerBounds};
pub use state::StateMetrics;
pub use time::{TimeMetrics, WatermarkReading, WorkerTime};

#[cfg(test)]
mod tests;
