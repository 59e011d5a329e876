//! Metrics of restores and of the local log.

use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};
use throughline_model::{Partition, Stage};

use super::signed;
use crate::local_log::{Figures, GivenUp};
use crate::restore::RestoreProgress;

metric_set! {
    /// How state is kept beside the changelog, and read back. Cloning shares them.
    #[derive(Debug, Clone)]
    pub struct StateMetrics {
        /// Seconds until the restore of a partition is over, at its rate so far, by stage and partition.
        left: seconds_gauge("throughline_restore_left_seconds") ["stage", "partition"],
        /// Bytes of keys and values read by restores, by stage.
        bytes: counter("throughline_restore_bytes_total") ["stage"],
        /// Records that restores read from the local log instead of the changelog, by stage; part of
        /// throughline_restore_records_total.
        local_records: counter("throughline_restore_local_records_total") ["stage"],
        /// Bytes of the local logs that are being written, by stage.
        log_bytes: gauge("throughline_local_log_bytes") ["stage"],
        /// Local logs given up while they were written, by stage and reason (disk, backlog). The worker goes on; the next restore
        /// reads the changelog.
        given_up: counter("throughline_local_log_given_up_total") ["stage", "reason"],
    }
}

impl StateMetrics {
    /// How far a restore is, or that it is over.
    pub fn restore(&self, stage: Stage, partition: Partition, progress: &RestoreProgress, is_over: bool) {
        let labels = [stage.as_str(), &partition.0.to_string()];
        if is_over {
            self.bytes.with_label_values(&labels[..1]).inc_by(progress.bytes);
            self.local_records.with_label_values(&labels[..1]).inc_by(progress.local_records);
            let _absent_before = self.left.remove_label_values(&labels);
        } else if let Some(left) = progress.left {
            self.left.with_label_values(&labels).set(left.as_secs_f64());
        }
    }

    /// What the local logs hold and what became of them.
    pub fn local_log(&self, stage: Stage, figures: &Figures) {
        self.log_bytes.with_label_values(&[stage.as_str()]).set(signed(figures.bytes));
        for (reason, count) in GivenUp::ALL.iter().zip(figures.given_up) {
            self.given_up.with_label_values(&[stage.as_str(), reason.as_str()]).inc_by(count);
        }
    }
}
