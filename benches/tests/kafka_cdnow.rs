//! CDNOW through a real Kafka: 69,404 distinct purchases of 23,570 customers as store records, scores against a plain
//! recomputation in Python (`benches/cdnow/recompute.py`).
//!
//! The purchases lie outside the repository, in `../shared/data` beside the workspace. Where they are missing, or where there
//! is no `python3`, the test says so and passes.

#![allow(clippy::print_stderr)] // A test that is skipped says so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use throughline_benches::deployment::{self, Cluster};
use throughline_benches::feed::{Feed, now_millis};
use throughline_config::HashKey;
use throughline_config::identifiers::hash_identifier;
use throughline_model::IdentifierType;
use throughline_service::{Instance, Stages};
use throughline_testkit::broker::{Broker, unique_name};

const PARTITIONS: u32 = 4;
const LIMIT: Duration = Duration::from_secs(240);

/// Numbers of one customer: purchases, then moment, relationship and lifetime score.
type Row = (i64, [f64; 3]);

#[test]
fn every_distinct_purchase_is_in_the_scores_that_python_recomputes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the workspace");
    let csv = root.join("../shared/data/purchases/cdnow.csv.gz");
    if !csv.is_file() {
        eprintln!("skipped: {} is missing", csv.display());
        return;
    }
    let Some(expected) = recompute(root, &csv) else {
        eprintln!("skipped: python3 is not installed");
        return;
    };
    let purchases = purchases(&csv);
    assert_eq!(purchases.len(), 69_404, "distinct purchases");
    assert_eq!(expected.len(), 23_570, "customers");
    assert_eq!(expected.values().map(|row| row.0).sum::<i64>(), 69_404);

    let found = through_kafka(&purchases, &expected);

    assert_eq!(found.len(), expected.len(), "every customer has a score");
    for (customer, row) in &expected {
        let scores = found.get(customer).unwrap_or_else(|| panic!("customer {customer} has no score"));
        assert_eq!(scores.0, row.0, "touchpoints of customer {customer}");
        for ((name, found), expected) in ["moment", "relationship", "lifetime"].iter().zip(scores.1).zip(row.1) {
            // Published numbers have six decimals, and so have the recomputed ones.
            assert!((found - expected).abs() < 1e-9, "{name} of customer {customer}: {found} instead of {expected}");
        }
    }
}

fn recompute(root: &Path, csv: &Path) -> Option<BTreeMap<String, Row>> {
    let script = root.join("benches/cdnow/recompute.py");
    let output = Command::new("python3").arg(script).arg(csv).stderr(Stdio::inherit()).output().ok()?;
    assert!(output.status.success(), "the recomputation ended with {}", output.status);
    let text = String::from_utf8(output.stdout).expect("python writes UTF-8");
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let number = |at: usize| fields[at].parse::<f64>().expect("a number");
        (fields[0].to_owned(), (fields[1].parse().expect("a count"), [number(2), number(3), number(4)]))
    };
    Some(text.lines().map(row).collect())
}

/// Distinct rows, as they are written.
fn purchases(csv: &Path) -> BTreeSet<String> {
    let script = "import gzip, sys; sys.stdout.write(gzip.open(sys.argv[1], 'rt').read())";
    let output = Command::new("python3").arg("-c").arg(script).arg(csv).output().expect("python3 ran a moment ago");
    let text = String::from_utf8(output.stdout).expect("the file is ASCII");
    text.lines().skip(1).map(str::to_owned).collect()
}

/// A purchase as a record of the own contract.
fn record(purchase: &str) -> String {
    let fields: Vec<&str> = purchase.split(',').collect();
    let [customer, date, _units, dollars] = fields[..] else { panic!("four columns: {purchase}") };
    let cents = dollars.replace('.', "").parse::<i64>().expect("dollars with two decimals");
    serde_json::json!({
        "source_id": purchase,
        "source": {"system": "cdnow"},
        "type": "order.created",
        "channel": "store",
        "occurred_at": format!("{date}T12:00:00Z"),
        "identifiers": [{"type": "loyalty_card", "value": card(customer), "trust": "authenticated"}],
        "money": {"amount_minor": cents, "currency": "USD"},
    })
    .to_string()
}

fn card(customer: &str) -> String {
    format!("cdnow{customer}")
}

fn through_kafka(purchases: &BTreeSet<String>, expected: &BTreeMap<String, Row>) -> BTreeMap<String, Row> {
    let cluster = Cluster { brokers: Broker::shared().to_owned(), registry: String::new(), partitions: PARTITIONS };
    let application = unique_name("cdnow");
    let source = cluster.topic("cdnow-store").expect("the source topic is created");
    let text = configuration(&cluster, &application, &source);
    let mut config = deployment::resolve("cdnow.toml", text).expect("the configuration is right");
    cluster.create(&deployment::specs(&config)).expect("topics are created");
    let feed = Feed::new(&cluster, &source, Duration::from_millis(20)).expect("a producer");
    for purchase in purchases {
        feed.send(&purchase[..5], record(purchase).as_bytes(), now_millis()).expect("a record is taken");
    }
    feed.finish().expect("records are delivered");

    let rules = config.rules(None).expect("the model that is built in");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let instance = runtime.block_on(Instance::start(&config, rules, Stages::ALL)).expect("the service starts");
    let scores = read_scores(&cluster, &format!("{application}.experience.scores"), expected, || {
        instance.poll_ended().expect("no worker ends");
    });
    runtime.block_on(instance.stop()).expect("the service stops");
    scores
}

fn configuration(cluster: &Cluster, application: &str, source: &str) -> String {
    let unused: String = ["web", "social", "call-centre", "partner", "survey", "catalog"]
        .iter()
        .map(|name| format!("[sources.{name}]\nenabled = false\n"))
        .collect();
    format!(
        "application = \"{application}\"\nprefix = \"{application}.\"\ntenant = \"cdnow\"\n\
         [kafka]\nbrokers = [\"{}\"]\n[topics]\npartitions = {}\n[workers]\nnormalize = 1\nexperience = 1\n\
         [http]\nenabled = false\n[event_time]\nearliest = \"1990-01-01T00:00:00Z\"\nmax_age = \"14610d\"\n\
         [sources.store]\ntopics = [\"{source}\"]\n{unused}",
        cluster.brokers, cluster.partitions
    )
}

/// The last score of each customer, read committed, once they hold as many touchpoints as there are purchases.
fn read_scores(
    cluster: &Cluster,
    topic: &str,
    expected: &BTreeMap<String, Row>,
    look: impl Fn(),
) -> BTreeMap<String, Row> {
    let customers: BTreeMap<String, &String> = expected
        .keys()
        .map(|customer| {
            let hashed =
                hash_identifier(&HashKey::DEVELOPMENT, "cdnow", IdentifierType::LoyaltyCard, &card(customer), "");
            (hashed.expect("a card number is an identifier").node.to_string(), customer)
        })
        .collect();
    let consumer: BaseConsumer =
        cluster.client().reader("cdnow", true).set("enable.partition.eof", "false").create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS.cast_signed() {
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&list).expect("partitions are assigned");
    let (began, mut scores) = (Instant::now(), BTreeMap::new());
    let (total, mut seen) = (expected.values().map(|row| row.0).sum::<i64>(), 0);
    while seen < total {
        look();
        assert!(began.elapsed() < LIMIT, "{seen} of {total} purchases in {} scores", scores.len());
        let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
        let record = record.expect("scores can be read");
        let key = String::from_utf8_lossy(record.key().expect("a score has a key")).into_owned();
        let customer = customers.get(&key).unwrap_or_else(|| panic!("nobody's score: {key}"));
        let value: serde_json::Value =
            serde_json::from_slice(record.payload().expect("no score is deleted")).expect("scores are JSON");
        let number = |name: &str| value[name].as_f64().unwrap_or_else(|| panic!("{name} in {value}"));
        let row = (
            value["touchpoints"].as_i64().expect("a count"),
            [number("moment"), number("relationship"), number("lifetime")],
        );
        seen += row.0;
        if let Some(before) = scores.insert((*customer).clone(), row) {
            seen -= before.0;
        }
    }
    scores
}
