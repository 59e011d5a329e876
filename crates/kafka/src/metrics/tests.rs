use prometheus::{Encoder, TextEncoder};

use super::*;
use crate::bounds::{Bound, BoundReport};

fn metrics() -> (Registry, WorkerMetrics) {
    let registry = Registry::new();
    let metrics = WorkerMetrics::new(&registry).expect("an empty registry");
    (registry, metrics)
}

fn shown(registry: &Registry) -> Vec<String> {
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text).expect("valid metrics");
    let text = String::from_utf8(text).expect("text");
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

fn assert_shown(registry: &Registry, lines: &[&str]) {
    let shown = shown(registry);
    for line in lines {
        assert!(shown.iter().any(|other| other == line), "{line} in\n{}", shown.join("\n"));
    }
}

#[test]
fn fates_are_counted_with_their_reasons() {
    let (registry, metrics) = metrics();
    let mut counts = FateCounts { applied: 5, forwarded: 1, ..FateCounts::default() };
    counts.late[usize::from(LateReason::RevisionExpired.code())] = 2;
    metrics.touchpoints(Stage::Experience, Some(SourceKind::CallCentre), &counts);
    metrics.touchpoints(Stage::Experience, None, &FateCounts { duplicate: 3, ..FateCounts::default() });
    let mut records = SourceRecordCounts { expanded: 7, ..SourceRecordCounts::default() };
    records.rejected[usize::from(RejectionReason::NullValue.code())] = 4;
    metrics.source_records(SourceKind::Web, &records);
    assert_shown(
        &registry,
        &[
            r#"throughline_touchpoints_total{fate="applied",reason="",source="call-centre",stage="experience"} 5"#,
            r#"throughline_touchpoints_total{fate="late",reason="revision_expired",source="call-centre",stage="experience"} 2"#,
            r#"throughline_touchpoints_total{fate="duplicate",reason="",source="",stage="experience"} 3"#,
            r#"throughline_source_records_total{fate="expanded",reason="",source="web"} 7"#,
            r#"throughline_source_records_total{fate="rejected",reason="null_value",source="web"} 4"#,
        ],
    );
    assert!(!shown(&registry).iter().any(|line| line.ends_with(" 0") && line.contains("touchpoints")));
}

#[test]
fn watched_counters_exist_before_their_first_rise() {
    let (registry, metrics) = metrics();
    let worker = metrics.worker(Stage::Normalize);
    assert_shown(
        &registry,
        &[
            r#"throughline_transactions_total{outcome="indeterminate",stage="normalize"} 0"#,
            r#"throughline_faults_total{class="fatal",stage="normalize"} 0"#,
            r#"throughline_workers{stage="normalize"} 1"#,
        ],
    );
    drop(worker);
    assert_shown(&registry, &[r#"throughline_workers{stage="normalize"} 0"#]);
}

#[test]
fn a_worker_that_ends_leaves_the_gauges_to_the_others() {
    let (registry, metrics) = metrics();
    let mut ends = metrics.worker(Stage::Experience);
    let mut stays = metrics.worker(Stage::Experience);
    for (worker, size) in [(&mut ends, 3), (&mut stays, 5)] {
        worker.rebalance(RebalanceKind::Assigned, size);
        worker.set_paused(PauseReason::Restoring, size);
        worker.set_paused(PauseReason::Restoring, size - 1);
        worker.set_uncommitted_bytes(size * 10);
        worker.set_stalled(true);
        worker.set_stalled(true);
    }
    assert_shown(
        &registry,
        &[
            r#"throughline_partitions_assigned{stage="experience"} 8"#,
            r#"throughline_partitions_paused{reason="restoring",stage="experience"} 6"#,
            r#"throughline_uncommitted_bytes{stage="experience"} 80"#,
            r#"throughline_stalled_workers{stage="experience"} 2"#,
        ],
    );
    drop(ends);
    assert_shown(
        &registry,
        &[
            r#"throughline_partitions_assigned{stage="experience"} 5"#,
            r#"throughline_partitions_paused{reason="restoring",stage="experience"} 4"#,
            r#"throughline_uncommitted_bytes{stage="experience"} 50"#,
            r#"throughline_stalled_workers{stage="experience"} 1"#,
        ],
    );
}

#[test]
fn ages_are_counted_from_their_run_to_the_commit() {
    let (registry, metrics) = metrics();
    let worker = metrics.worker(Stage::Experience);
    let mut ages = Ages::default();
    for millis in [8_000, 8_003, 8_007, 9_600, 20_000] {
        ages.add(millis);
    }
    assert_eq!(ages.runs, [(8_000, 3), (9_600, 1), (20_000, 1)]);
    worker.ages(AgeOrigin::ReceivedTime, &mut ages, 10_000);
    assert_eq!(ages, Ages::default());
    let bucket = |bound: &str, count: u64| {
        format!(
            r#"throughline_end_to_end_seconds_bucket{{origin="received_time",stage="experience",le="{bound}"}} {count}"#
        )
    };
    // One clock ahead of the other counts as no age at all.
    assert_shown(&registry, &[&bucket("0.025", 1), &bucket("0.5", 2), &bucket("1", 2), &bucket("2", 5)]);
}

#[test]
fn partitions_leave_with_their_series() {
    let (registry, metrics) = metrics();
    let worker = metrics.worker(Stage::Normalize);
    let topic = TopicLabel::Source(SourceKind::CallCentre);
    let lag = Lag {
        topic: "touchpoints.call-centre".to_owned(),
        partition: 7,
        records: 12,
        seconds: 1.5,
        unstable_records: 3,
        unstable_seconds: 61.5,
        queued_bytes: 0,
        caught_up: false,
        exhausted_at: None,
        last_stable: 20,
        stands_since: std::time::Instant::now(),
    };
    worker.set_lag(topic, &lag);
    worker.set_restore_remaining(Partition(7), 100);
    assert_shown(
        &registry,
        &[
            r#"throughline_lag_seconds{partition="7",stage="normalize",topic="touchpoints.call-centre"} 1.5"#,
            r#"throughline_restore_remaining_records{partition="7",stage="normalize"} 100"#,
            r#"throughline_lag_unstable_records{partition="7",stage="normalize",topic="touchpoints.call-centre"} 3"#,
            r#"throughline_lag_unstable_seconds{partition="7",stage="normalize",topic="touchpoints.call-centre"} 61.5"#,
        ],
    );
    worker.forget(topic, Partition(7));
    assert!(!shown(&registry).iter().any(|line| line.contains("partition=\"7\"")));
}

#[test]
fn bounds_of_a_stage_add_up_over_its_workers_and_leave_with_them() {
    let registry = Registry::new();
    let metrics = BoundMetrics::new(&registry).expect("an empty registry");
    let (mut one, mut two) = (metrics.worker(Stage::Experience), metrics.worker(Stage::Experience));
    let mut report = BoundReport::default();
    report.read(Bound::OverlayBytes, 30, 64, false);
    report.read(Bound::MemoryBytes, 90, 100, true);
    report.reach(Bound::MemoryBytes, 1);
    one.show(&report);
    two.show(&report);
    metrics.memory(90, 100);
    one.capped("recent", 2);
    let expected = [
        r#"throughline_bound_used{bound="overlay_bytes",stage="experience"} 60"#,
        r#"throughline_bound_limit{bound="overlay_bytes",stage="experience"} 128"#,
        r#"throughline_bound_held_workers{bound="memory_bytes",stage="experience"} 2"#,
        r#"throughline_bound_reached_total{bound="memory_bytes",stage="experience"} 2"#,
        r#"throughline_bound_reached_total{bound="batch_records",stage="experience"} 0"#,
        r#"throughline_bound_used{bound="memory_bytes",stage=""} 90"#,
        r#"throughline_bound_limit{bound="memory_bytes",stage=""} 100"#,
        r#"throughline_state_capped_total{component="recent"} 2"#,
    ];
    assert_shown(&registry, &expected);
    one.show(&BoundReport::default());
    drop(two);
    assert_shown(&registry, &[r#"throughline_bound_used{bound="overlay_bytes",stage="experience"} 0"#]);
    assert_shown(&registry, &[r#"throughline_bound_held_workers{bound="memory_bytes",stage="experience"} 0"#]);
}
