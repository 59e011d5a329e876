//! The program as operators and other systems meet it: probes, metrics, look-ups with their audit records, status, its end.

mod deployment;

use std::collections::BTreeSet;

use deployment::load::Load;
use deployment::program::Program;
use deployment::records::{self, produce};
use deployment::{Deployment, http};
use serde_json::Value;

/// Metric names of the catalogue that are there from the start: those without labels, and those whose labels are known.
fn catalogue() -> BTreeSet<String> {
    let lines = include_str!("../../service/tests/metrics_catalogue.txt").lines();
    lines.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn metrics(program: &Program) -> String {
    let answer = http::get(program.address(), "/metrics");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[test]
fn a_running_process_answers_probes_metrics_and_look_ups_and_drains() {
    let load = Load::sized(200);
    let web = Deployment::web_source();
    let deployment = Deployment::new("endpoints", std::slice::from_ref(&web), "");
    let program = deployment.start(0);
    let address = program.address();
    assert_eq!(http::get(address, "/health/live").status, 200, "it lives before it is ready");
    program.wait_ready();
    produce(&web.topic, load.all());
    deployment.wait_for_touchpoints(load.touchpoints);
    program.wait_until("all customers in the committed view", || program.json("/v1/status")["customers"] == 10);

    check_metrics(&program, load.touchpoints);
    check_look_up(&deployment, &program);
    let page = program.json("/v1/customers?limit=3");
    let scores: Vec<f64> = page["customers"].as_array().expect("a list").iter().map(relationship).collect();
    assert!(scores.len() == 3 && scores.is_sorted(), "the lowest scores first: {page}");
    assert!(page["next_cursor"].is_string(), "{page}");
    let alerts = program.json("/v1/alerts");
    assert!(alerts["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()), "{alerts}");
    let status = program.json("/v1/status");
    assert_eq!((&status["ready"], &status["application"]), (&true.into(), &deployment.application.as_str().into()));
    assert_eq!((program.served("normalize"), program.served("experience")), (4, 4), "{status}");
    program.drain();
}

fn relationship(score: &Value) -> f64 {
    score["relationship"].as_f64().expect("a number")
}

fn check_metrics(program: &Program, touchpoints: u64) {
    let known = catalogue();
    program.wait_until("the statistics of the first second", || metrics(program).contains("throughline_lag_records"));
    let text = metrics(program);
    let named = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).filter_map(|line| line.split(' ').next());
    let served: BTreeSet<&str> = named.filter(|name| name.starts_with("throughline_")).collect();
    assert!(served.iter().all(|name| known.contains(*name)), "all are in the catalogue: {served:?}");
    for name in [
        "throughline_build_info",
        "throughline_records_consumed_total",
        "throughline_records_produced_total",
        "throughline_touchpoints_total",
        "throughline_transactions_total",
        "throughline_commit_seconds",
        "throughline_end_to_end_seconds",
        "throughline_lag_records",
        "throughline_partitions_assigned",
        "throughline_state_entries",
        "throughline_rebalances_total",
        "throughline_alerts_transitions_total",
        "throughline_query_seconds",
    ] {
        assert!(served.contains(name), "{name} is served: {served:?}");
    }
    let applied: f64 = text
        .lines()
        .filter(|line| line.starts_with("throughline_touchpoints_total{") && line.contains(r#"fate="applied""#))
        .filter(|line| line.contains(r#"stage="experience""#))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert_eq!(applied as u64, touchpoints, "applied touchpoints are counted once");
}

fn check_look_up(deployment: &Deployment, program: &Program) {
    let found = program.json("/v1/customers?type=login&value=u3&purpose=complaint");
    let id = found["customer_id"].as_str().expect("an id").to_owned();
    let published = records::read(&deployment.topic("experience.scores"));
    let last = published.iter().rfind(|found| found.key() == id).expect("a score is published").json();
    let mut by_id = Value::Null;
    program.wait_until("what is published in the view", || {
        by_id = program.json(&format!("/v1/customers/{id}?purpose=ticket%2012"));
        by_id["scores"]["version"] == last["version"]
    });
    assert_eq!(by_id["scores"]["touchpoints"], last["touchpoints"]);
    assert!(by_id["reflects"]["offset"].as_i64() > Some(0), "{by_id}");
    // Both answers are here, so both records are: they are acknowledged before.
    let audits: Vec<Value> = records::read(&deployment.topic("throughline.audit")).iter().map(|at| at.json()).collect();
    for purpose in ["complaint", "ticket 12"] {
        let audit = audits.iter().find(|audit| audit["purpose"] == purpose).expect("an audit record per look-up");
        let seen = (audit["action"].as_str(), audit["customer_id"].as_str(), audit["result"].as_str());
        assert_eq!(seen, (Some("lookup"), Some(id.as_str()), Some("found")), "{audit}");
    }
    let nobody = http::get(program.address(), "/v1/customers?type=login&value=nobody");
    assert_eq!(nobody.status, 404, "{}", nobody.body);
}

#[test]
fn a_missing_topic_is_named_and_ends_the_start() {
    let mut deployment = Deployment::new("missing", &[Deployment::web_source()], "");
    deployment.prefix.push_str("other.");
    let mut program = deployment.start(0);
    let status = program.wait_end(deployment::LIMIT);
    assert_eq!(status.code(), Some(4), "{}", program.log());
    assert!(program.log().contains("throughline topics apply"), "it says what to do: {}", program.log());
}
