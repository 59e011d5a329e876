//! Metrics of bounds: how full, whether sources wait, how often reached.

use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};
use throughline_model::Stage;

use super::{add, add_or_create, signed};
use crate::bounds::{Bound, BoundReport};

metric_set! {
    /// How full the bounds are. Cloning shares them.
    #[derive(Debug, Clone)]
    pub struct BoundMetrics {
        /// What is in use of a bound, by stage and bound, all workers of the stage together; the unit is the last word of the
        /// bound, timers are counted. Memory is of the process: its stage is empty.
        used: gauge("throughline_bound_used") ["stage", "bound"],
        /// What may be in use at most, by stage and bound, as throughline_bound_used.
        limit: gauge("throughline_bound_limit") ["stage", "bound"],
        /// Workers whose sources wait for a bound now, by stage and bound.
        held: gauge("throughline_bound_held_workers") ["stage", "bound"],
        /// How often a bound was reached, by stage and bound. For most of them that is what a backlog looks like; memory_bytes,
        /// producer_queue_records and rejected_percent mean that sources waited.
        reached: counter("throughline_bound_reached_total") ["stage", "bound"],
        /// What left the state of a customer because its component was full, by component (recent, memories, attributes,
        /// links, alerts).
        capped: counter("throughline_state_capped_total") ["component"],
    }
}

impl BoundMetrics {
    /// The share of one worker.
    #[must_use]
    pub fn worker(&self, stage: Stage) -> WorkerBounds {
        for bound in Bound::ALL {
            add_or_create(&self.reached, &[stage.as_str(), bound.as_str()]);
        }
        WorkerBounds { set: self.clone(), stage, shown: [Shown::default(); Bound::ALL.len()] }
    }

    /// Says how much memory the process uses, and how much it may.
    pub fn memory(&self, used: u64, limit: u64) {
        let labels = ["", Bound::MemoryBytes.as_str()];
        self.used.with_label_values(&labels).set(signed(used));
        self.limit.with_label_values(&labels).set(signed(limit));
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Shown {
    used: i64,
    limit: i64,
    held: i64,
}

/// Bounds of one worker. What it holds leaves the gauges when it is dropped.
#[derive(Debug)]
pub struct WorkerBounds {
    set: BoundMetrics,
    stage: Stage,
    shown: [Shown; Bound::ALL.len()],
}

impl WorkerBounds {
    /// Shows the bounds of a second.
    pub fn show(&mut self, report: &BoundReport) {
        let mut now = [Shown::default(); Bound::ALL.len()];
        for reading in &report.readings {
            let shown = &mut now[usize::from(reading.bound.code())];
            shown.held = i64::from(reading.holds);
            if reading.bound != Bound::MemoryBytes {
                (shown.used, shown.limit) = (signed(reading.used), signed(reading.limit));
            }
        }
        self.replace(now);
        for (bound, times) in Bound::ALL.iter().zip(report.reached) {
            add(&self.set.reached, &[self.stage.as_str(), bound.as_str()], times);
        }
    }

    /// Counts what left the state of customers; `component` is one of those that the state has.
    pub fn capped(&self, component: &'static str, count: u64) {
        add(&self.set.capped, &[component], count);
    }

    fn replace(&mut self, now: [Shown; Bound::ALL.len()]) {
        for ((bound, before), now) in Bound::ALL.iter().zip(&self.shown).zip(&now) {
            let labels = [self.stage.as_str(), bound.as_str()];
            if *bound != Bound::MemoryBytes {
                self.set.used.with_label_values(&labels).add(now.used - before.used);
                self.set.limit.with_label_values(&labels).add(now.limit - before.limit);
            }
            self.set.held.with_label_values(&labels).add(now.held - before.held);
        }
        self.shown = now;
    }
}

impl Drop for WorkerBounds {
    fn drop(&mut self) {
        self.replace([Shown::default(); Bound::ALL.len()]);
    }
}
