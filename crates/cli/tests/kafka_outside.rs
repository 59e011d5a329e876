//! Clients that are not ours read scores and alerts: the published examples in Python where its libraries are installed, and
//! always a plain consumer that knows the published schemas and nothing else.

#![allow(clippy::print_stdout, reason = "a test says what it cannot run here")]

mod deployment;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};
use std::time::Duration;

use deployment::load::Load;
use deployment::records::{Record, Tail, client, produce, read, send};
use deployment::{Deployment, avro};
use rdkafka::producer::{BaseProducer, Producer};
use serde_json::Value;
use throughline_testkit::registry::Registry;

/// A customer that only exists in a transaction that was aborted.
const NOBODY: &str = "00ffffffffffffffffffffffffffffffff";

struct Published {
    registry: Registry,
    deployment: Deployment,
}

impl Published {
    /// Scores and alerts in Avro, and an aborted record between them on both topics.
    fn new() -> Self {
        let registry = Registry::start();
        let web = Deployment::web_source();
        let lines = format!("[registry]\nurl = \"{}\"\n", registry.url());
        let deployment = Deployment::new("outside", std::slice::from_ref(&web), &lines);
        deployment.call(&["schemas", "apply"]);
        let program = deployment.start_ready(0);
        let load = Load::sized(400);
        produce(&web.topic, load.part(0, 2));
        deployment.wait_for_touchpoints(load.touchpoints / 2);
        for topic in ["experience.scores", "experience.alerts"] {
            abort_one(&deployment.topic(topic));
        }
        produce(&web.topic, load.part(1, 2));
        deployment.wait_for_touchpoints(load.touchpoints);
        program.drain();
        Self { registry, deployment }
    }

    /// Last record of each key, read with the published schema alone.
    fn read(&self, topic: &str) -> BTreeMap<String, Value> {
        let schema = avro::published(&format!("{topic}-value"));
        let found = read(&self.deployment.topic(topic));
        let last = found.iter().map(|found| {
            assert_eq!(found.header("content-type"), Some("application/vnd.confluent.avro"));
            (found.key(), avro::decode(&schema, found.record.value.as_deref().expect("a value")))
        });
        last.collect()
    }

    /// Runs an example until it has read everything that is committed.
    fn example(&self, name: &str, count: usize) -> Output {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/examples");
        Command::new("python3")
            .arg(format!("{folder}/{name}.py"))
            .args(["--brokers", throughline_testkit::broker::Broker::shared()])
            .args(["--registry", &self.registry.url(), "--prefix", &self.deployment.prefix])
            .args(["--count", &count.to_string()])
            .output()
            .expect("python3 can be run")
    }
}

/// Writes one record in a transaction, waits until readers of uncommitted records see it, and aborts.
fn abort_one(topic: &str) {
    let producer: BaseProducer =
        client().set("transactional.id", format!("aborting-{topic}")).create().expect("a producer");
    let limit = Duration::from_secs(30);
    producer.init_transactions(limit).expect("registered");
    producer.begin_transaction().expect("begun");
    let record = Record { key: Some(NOBODY.into()), value: Some(b"\0\0\0\0\x01garbage".to_vec()), ..Record::default() };
    send(&producer, topic, &record);
    producer.flush(limit).expect("acknowledged");
    Tail::with_isolation(topic, "read_uncommitted").until("the open record", |found| found.key() == NOBODY);
    producer.abort_transaction(limit).expect("aborted");
}

#[test]
fn a_plain_consumer_reads_with_the_published_schemas() {
    let published = Published::new();
    let scores = published.read("experience.scores");
    assert_eq!(scores.len(), 20, "every customer has a score, nobody else: {:?}", scores.keys());
    for (customer, score) in &scores {
        assert_eq!(score["customer_id"].as_str(), Some(customer.as_str()));
        for field in ["overall", "moment", "relationship", "lifetime"] {
            assert!(score[field].as_f64().is_some_and(|number| (0.0..=100.0).contains(&number)), "{field}: {score}");
        }
        let parts = score["reasons"].as_array().expect("a list").iter().map(|reason| &reason["contribution"]);
        let sum: f64 = parts.chain([&score["prior"], &score["other"]]).filter_map(Value::as_f64).sum();
        let relationship = score["relationship"].as_f64().expect("a number");
        assert!((50.0 + sum - relationship).abs() < 1e-5, "the reasons add up: {score}");
    }
    let alerts = published.read("experience.alerts");
    assert!(!alerts.is_empty(), "there are alerts");
    assert!(alerts.keys().all(|subject| scores.contains_key(subject)), "of these customers: {:?}", alerts.keys());
    let states = published.read("experience.alerts.state");
    assert!(states.values().all(|alert| scores.contains_key(alert["customer_id"].as_str().unwrap_or_default())));

    if Command::new("python3")
        .args(["-c", "import confluent_kafka, fastavro"])
        .output()
        .is_ok_and(|it| it.status.success())
    {
        the_python_examples_read_the_same(&published, &scores);
    } else {
        println!("python3 with confluent-kafka and fastavro is not installed: the examples are not run");
    }
}

fn the_python_examples_read_the_same(published: &Published, scores: &BTreeMap<String, Value>) {
    let count = read(&published.deployment.topic("experience.scores")).len();
    let printed = published.example("scores", count);
    let text = String::from_utf8_lossy(&printed.stdout);
    assert!(printed.status.success(), "{text}{}", String::from_utf8_lossy(&printed.stderr));
    // Lines come in the order of versions: the last one of a customer is what holds.
    let last: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(' ')).collect();
    assert_eq!(last.keys().copied().collect::<BTreeSet<_>>(), scores.keys().map(String::as_str).collect());
    for (customer, score) in scores {
        let overall = last[customer.as_str()].strip_prefix("overall ").and_then(|rest| rest.split(',').next());
        assert_eq!(overall.and_then(|number| number.parse().ok()), score["overall"].as_f64(), "{customer}");
    }
    let transitions = read(&published.deployment.topic("experience.alerts"));
    let printed = published.example("alerts", transitions.len());
    let text = String::from_utf8_lossy(&printed.stdout);
    assert!(printed.status.success(), "{text}{}", String::from_utf8_lossy(&printed.stderr));
    assert_eq!(text.lines().count(), transitions.len(), "one line for each transition: {text}");
    assert!(!text.contains(NOBODY), "{text}");
}
