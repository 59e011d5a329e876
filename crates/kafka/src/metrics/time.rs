//! Metrics of time: watermarks, lateness, timers.

use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntGaugeVec, Opts, Registry};
use throughline_model::{Partition, SourceKind, Stage};

use super::{TopicLabel, signed};

// From live feeds to the file of a week; the bounds by which normalize counts.
const LATENESS_SECONDS: &[f64] = &[
    0.25, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0, 93_600.0,
    604_800.0,
];
// Timers fire at the first commit after their whole second; 5 s is the objective for a hundred thousand at once.
const DELAY_SECONDS: &[f64] = &[0.1, 0.5, 1.0, 1.5, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0, 86_400.0];

metric_set! {
    /// How far event time has come, and what waits for it. Cloning shares them.
    #[derive(Debug, Clone)]
    pub struct TimeMetrics {
        /// Seconds that the watermark of a source partition is behind the clock, by source topic and partition. Its lateness is
        /// part of them.
        watermark_lag: seconds_gauge("throughline_watermark_lag_seconds") ["topic", "partition"],
        /// 1 where a source partition is read to its end and silent, so that its watermark follows the clock, else 0; by source
        /// topic and partition.
        watermark_idle: gauge("throughline_watermark_idle") ["topic", "partition"],
        /// Seconds from event time to the receipt of touchpoints with a time of their own, by source. What is above the lateness
        /// that is configured may come after its absence was noted.
        lateness: histogram("throughline_lateness_seconds", LATENESS_SECONDS) ["source"],
        /// Source partitions that are left out of stream time because nobody spoke of them for five minutes, by source.
        progress_missing: gauge("throughline_progress_missing") ["source"],
        /// Customers that wait for a timer, by stage; one may be counted more than once.
        timers_pending: gauge("throughline_timers_pending") ["stage"],
        /// Seconds by which a timer fired after it was due, on its own clock, by stage and clock (now, stream).
        timer_delay: histogram("throughline_timer_delay_seconds", DELAY_SECONDS) ["stage", "clock"],
    }
}

impl TimeMetrics {
    /// The share of one worker.
    #[must_use]
    pub fn worker(&self, stage: Stage) -> WorkerTime {
        WorkerTime { set: self.clone(), stage, shown: Vec::new(), pending: 0 }
    }
}

/// What is known of the watermark of one source partition.
#[derive(Debug, Clone, Copy)]
pub struct WatermarkReading {
    /// Its topic.
    pub topic: TopicLabel,
    /// Its number.
    pub partition: Partition,
    /// Milliseconds behind the clock; none if it has no watermark yet.
    pub lag_millis: Option<i64>,
    /// It is read to its end and silent.
    pub idle: bool,
}

/// Metrics of one worker. What it holds leaves the gauges when it is dropped.
#[derive(Debug)]
pub struct WorkerTime {
    set: TimeMetrics,
    stage: Stage,
    shown: Vec<(TopicLabel, Partition)>,
    pending: i64,
}

impl WorkerTime {
    /// Shows the watermarks of the source partitions that the worker reads; others leave.
    pub fn watermarks(&mut self, readings: &[WatermarkReading]) {
        for (topic, partition) in std::mem::take(&mut self.shown) {
            if !readings.iter().any(|reading| (reading.topic, reading.partition) == (topic, partition)) {
                self.forget(topic, partition);
            }
        }
        for reading in readings {
            let partition = reading.partition.0.to_string();
            let labels = [reading.topic.as_str(), partition.as_str()];
            if let Some(lag) = reading.lag_millis {
                self.set.watermark_lag.with_label_values(&labels).set(lag as f64 / 1_000.0);
            }
            self.set.watermark_idle.with_label_values(&labels).set(i64::from(reading.idle));
            self.shown.push((reading.topic, reading.partition));
        }
    }

    fn forget(&self, topic: TopicLabel, partition: Partition) {
        let partition = partition.0.to_string();
        let labels = [topic.as_str(), partition.as_str()];
        // Absent is what is wanted: one without a watermark was never shown.
        let _ = self.set.watermark_lag.remove_label_values(&labels);
        let _ = self.set.watermark_idle.remove_label_values(&labels);
    }

    /// Counts touchpoints by how far behind their event time they were received: a bound in milliseconds, and how many lie
    /// below it and above the bound before.
    pub fn lateness(&self, source: SourceKind, counts: impl Iterator<Item = (i64, u64)>) {
        let local = self.set.lateness.with_label_values(&[source.as_str()]).local();
        for (bound, count) in counts {
            (0..count).for_each(|_| local.observe(bound as f64 / 1_000.0));
        }
        local.flush();
    }

    /// Says how many source partitions are left out of stream time.
    pub fn missing(&self, source: SourceKind, partitions: usize) {
        self.set.progress_missing.with_label_values(&[source.as_str()]).set(signed(partitions as u64));
    }

    /// Says how many customers wait for a timer.
    pub fn pending(&mut self, customers: usize) {
        let customers = signed(customers as u64);
        self.set.timers_pending.with_label_values(&[self.stage.as_str()]).add(customers - self.pending);
        self.pending = customers;
    }

    /// Records that a timer fired so long after it was due; `clock` is `now` or `stream`.
    pub fn fired(&self, clock: &'static str, delay_millis: i64) {
        let labels = [self.stage.as_str(), clock];
        self.set.timer_delay.with_label_values(&labels).observe(delay_millis.max(0) as f64 / 1_000.0);
    }
}

impl Drop for WorkerTime {
    fn drop(&mut self) {
        self.pending(0);
        self.watermarks(&[]);
    }
}
