//! The catalogue of metrics: names, types, labels and help texts are public and stable.
//!
//! A line is `name type {labels} help`. Written anew with `UPDATE_EXPECT=1`; a rename is announced in the changelog, and both
//! names are served for one release.

use prometheus::Registry;
use prometheus::core::Collector;
use throughline_api::ApiMetrics;
use throughline_kafka::metrics::{BoundMetrics, StateMetrics, TimeMetrics, WorkerMetrics};

#[test]
fn the_catalogue_is_the_committed_one() {
    let registry = Registry::new();
    let workers = WorkerMetrics::new(&registry).expect("names are registered once");
    let state = StateMetrics::new(&registry).expect("names are registered once");
    let time = TimeMetrics::new(&registry).expect("names are registered once");
    let bounds = BoundMetrics::new(&registry).expect("names are registered once");
    let api = ApiMetrics::new(&registry).expect("names are registered once");
    let mut lines: Vec<_> = workers
        .collectors()
        .iter()
        .chain(&state.collectors())
        .chain(&time.collectors())
        .chain(&bounds.collectors())
        .chain(&api.collectors())
        .map(|metric| line(&**metric))
        .collect();
    lines.sort_unstable();
    lines.push(String::new());
    expect_test::expect_file!["metrics_catalogue.txt"].assert_eq(&lines.join("\n"));
}

#[test]
fn names_follow_the_grammar() {
    let registry = Registry::new();
    let workers = WorkerMetrics::new(&registry).expect("names are registered once");
    let state = StateMetrics::new(&registry).expect("names are registered once");
    let time = TimeMetrics::new(&registry).expect("names are registered once");
    let bounds = BoundMetrics::new(&registry).expect("names are registered once");
    let api = ApiMetrics::new(&registry).expect("names are registered once");
    for metric in workers
        .collectors()
        .iter()
        .chain(&state.collectors())
        .chain(&time.collectors())
        .chain(&bounds.collectors())
        .chain(&api.collectors())
    {
        let name = metric.desc()[0].fq_name.clone();
        let is_counter = kind(&**metric) == "counter";
        assert!(name.starts_with("throughline_"), "{name} has no prefix");
        assert_eq!(name.ends_with("_total"), is_counter, "{name}: counters, and only they, end in _total");
        assert!(metric.desc()[0].help.ends_with('.'), "{name}: help texts are sentences");
        let is_histogram = kind(&**metric) == "histogram";
        let has_unit = ["_seconds", "_records", "_bytes"].iter().any(|unit| name.ends_with(unit));
        assert!(!is_histogram || has_unit, "{name}: histograms end in their unit");
        let per_partition = metric.desc()[0].variable_labels.iter().any(|label| label == "partition");
        let may_be = ["lag", "watermark", "restore"].iter().any(|noun| name.contains(noun));
        assert!(!per_partition || may_be, "{name}: a partition is a label of lag, watermark and restore only");
    }
}

fn line(metric: &dyn Collector) -> String {
    let description = metric.desc()[0];
    let labels = description.variable_labels.join(",");
    format!("{} {} {{{labels}}} {}", description.fq_name, kind(metric), description.help)
}

fn kind(metric: &dyn Collector) -> String {
    format!("{:?}", metric.collect()[0].get_field_type()).to_lowercase()
}
