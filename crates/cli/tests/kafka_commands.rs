//! Commands that ask a real Kafka or a running instance: `check --connect`, `inspect`, `status`.

mod deployment;

use std::process::{Command, Output};

use deployment::Deployment;
use deployment::records::{Record, produce};
use serde_json::Value;
use throughline_testkit::broker::{Broker, unique_name};

/// Runs a command on the shared broker with topics of its own.
fn call(prefix: &str, arguments: &[&str]) -> Output {
    call_at(Broker::shared(), prefix, arguments)
}

fn call_at(brokers: &str, prefix: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
    // The last setting of a key holds, where all are behind the same subcommand.
    let (subcommand, arguments) = arguments.split_first().expect("a subcommand");
    command.arg(subcommand).current_dir(env!("CARGO_TARGET_TMPDIR")).env_clear();
    for name in ["social", "store", "call-centre", "partner", "survey", "catalog"] {
        command.args(["--set", &format!("sources.{name}.enabled=false")]);
    }
    let sets = [
        format!("kafka.brokers={brokers}"),
        format!("application={prefix}"),
        format!("prefix={prefix}."),
        format!("sources.web.topics={prefix}.web"),
        "topics.partitions=2".to_owned(),
    ];
    command.args(sets.iter().flat_map(|set| ["--set", set]));
    command.args(arguments).output().expect("the binary starts")
}

/// The lines of a check, as check, subject, outcome.
fn findings(output: &Output) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .map(|line| (text(&line["check"]), text(&line["subject"]), text(&line["outcome"])))
        .collect()
}

#[test]
fn check_finds_what_is_missing_until_it_is_there() {
    let prefix = unique_name("check");
    let before = call(&prefix, &["check", "--connect", "--json"]);
    assert_eq!(before.status.code(), Some(6), "{before:?}");
    let found = findings(&before);
    let is = |check: &str, subject: &str, outcome: &str| {
        found.iter().any(|line| (&*line.0, &*line.1, &*line.2) == (check, subject, outcome))
    };
    assert!(is("brokers", Broker::shared(), "passed"), "{found:?}");
    assert!(is("topic", &format!("{prefix}.experience.scores"), "failed"), "{found:?}");
    assert!(is("topic", &format!("{prefix}.web"), "failed"), "{found:?}");
    assert!(is("transactions", &format!("{prefix}-*"), "passed"), "{found:?}");

    let applied = call(&prefix, &["topics", "apply", "--sources"]);
    assert!(applied.status.success(), "{applied:?}");
    let after = call(&prefix, &["check", "--connect", "--json"]);
    let found = findings(&after);
    assert!(found.iter().all(|line| line.2 != "failed"), "{found:?}");
    assert_eq!(after.status.code(), Some(0), "{after:?}");
    assert!(found.iter().any(|line| line.0 == "read" && line.1 == format!("{prefix}.web") && line.2 == "passed"));
    assert_eq!(found.iter().filter(|line| line.0 == "group" && line.2 == "passed").count(), 2, "{found:?}");
}

#[test]
fn another_cluster_than_the_one_that_is_meant_is_refused() {
    let prefix = unique_name("cluster");
    let checked = call(&prefix, &["check", "--connect", "--json", "--set", "kafka.cluster_id=elsewhere"]);
    assert_eq!(checked.status.code(), Some(6), "{checked:?}");
    let failed: Vec<_> = findings(&checked).into_iter().filter(|line| line.2 == "failed").collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].0, "cluster");
    let run = call(&prefix, &["run", "--set", "kafka.cluster_id=elsewhere"]);
    assert_eq!(run.status.code(), Some(4), "{run:?}");
    assert!(String::from_utf8_lossy(&run.stderr).contains("kafka.cluster_id is elsewhere"), "{run:?}");
}

#[test]
fn another_number_of_partitions_than_the_topics_have_is_refused() {
    let prefix = unique_name("partitions");
    let applied = call(&prefix, &["topics", "apply", "--sources"]);
    assert!(applied.status.success(), "{applied:?}");
    let run = call(&prefix, &["run", "--set", "topics.partitions=3", "--set", "http.listen=127.0.0.1:0"]);
    assert_eq!(run.status.code(), Some(4), "{run:?}");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(said.contains(&format!("topic {prefix}.")), "{said}");
    assert!(said.contains("has 2 partitions, and topics.partitions says 3"), "{said}");
    assert!(said.contains("throughline topics plan"), "{said}");
}

#[test]
fn brokers_that_do_not_answer_have_an_exit_code_of_their_own() {
    // Nothing listens on the discard port of a test machine.
    let checked = call_at("127.0.0.1:9", "nobody", &["check", "--connect", "--json"]);
    assert_eq!(checked.status.code(), Some(3), "{checked:?}");
    let failed: Vec<_> = findings(&checked).into_iter().filter(|line| line.2 == "failed").collect();
    assert_eq!(failed, [("brokers".to_owned(), "127.0.0.1:9".to_owned(), "failed".to_owned())]);
}

#[test]
fn a_running_instance_tells_of_customers_and_of_itself() {
    let source = Deployment::web_source();
    let topic = source.topic.clone();
    let deployment = Deployment::new("inspect", &[source], "");
    let program = deployment.start_ready(0);
    let value = serde_json::json!({
        "type": "track", "event": "Order Completed", "messageId": "m-1", "userId": "u-1",
        "timestamp": "2026-11-20T10:00:00Z", "properties": {"order_id": "o-1", "total": 20, "currency": "EUR"},
    });
    produce(&topic, [Record { value: Some(value.to_string().into_bytes()), ..Record::default() }]);
    deployment.wait_for_touchpoints(1);
    let url = format!("http://{}", program.address());

    program.wait_until("a customer is seen", || {
        program.json("/v1/customers")["customers"].as_array().is_some_and(|list| list.len() == 1)
    });
    let listed = program.json("/v1/customers");
    let id = listed["customers"][0]["customer_id"].as_str().expect("an id").to_owned();
    let shown = deployment.call(&["inspect", "customer", &id, "--url", &url, "--purpose", "test"]);
    assert!(shown.starts_with(&format!("customer      {id}\n")), "{shown}");
    assert!(shown.contains("why           relationship"), "{shown}");
    let raw: Value = serde_json::from_str(&deployment.call(&["inspect", "customer", &id, "--url", &url, "--json"]))
        .expect("the raw answer is JSON");
    assert_eq!(raw["customer_id"], id.as_str());

    let status = deployment.call(&["status", "--url", &url]);
    assert!(status.contains("experience 0  ") && status.contains("serving"), "{status}");
    let unknown = "00".repeat(17);
    let unknown = call("unknown", &["inspect", "customer", &unknown, "--url", &url]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no customer by that id"), "{unknown:?}");
    program.drain();
}
