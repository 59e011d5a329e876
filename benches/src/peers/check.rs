//! The same job: every system's last score of every customer is the same.
//!
//! A score is published when a number moved by 0.01, so that two systems that look at different moments may both be right
//! and stop at different ones. The last call of every customer is therefore a refused coupon, after which everybody has to
//! publish. The calls are spread over 40 days, so that decay matters and the list of recent touchpoints overflows into what is
//! kept beyond it. Some calls are sent twice, which nobody may count.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use super::build::Programs;
use super::run::Running;
use super::system::{System, title};
use crate::deployment::Cluster;
use crate::feed::{Feed, now_millis};
use crate::measure::Bench;
use throughline_stages::generator::{self, Call, Generator};

/// Calls of the check, and their customers: enough for a personal baseline of most.
const CALLS: u32 = 40_000;
const CUSTOMERS: u32 = 2_000;

/// Time over which the calls happened, in milliseconds: older than what is remembered of single touchpoints, and longer than
/// the half-life of the headline.
const SPAN: i64 = 40 * throughline_model::time::DAY;

/// Every so many calls one is sent again.
const COPY_EVERY: u32 = 50;

/// Both sides round to six decimals, and a sum on the edge may be rounded either way.
const TOLERANCE: f64 = 1.01e-6;

/// Fields that tell when and by whom a record was written, not what it says.
const OWN: [&str; 3] = ["emitted_at", "model_version", "version"];

/// Last score of a customer and how many there were.
#[derive(Debug)]
struct Scored {
    last: Value,
    records: u64,
}

/// Runs each system over the same calls and compares its last scores with those of the service.
///
/// # Errors
/// If one fails, or says something else.
pub fn check(bench: &Bench, programs: &Programs, systems: &[(&str, System)]) -> Result<()> {
    let source = bench.cluster.topic("bench-check")?;
    fill(&bench.cluster, &source, bench.seed)?;
    let ours = scores(bench, programs, System::Throughline, &source)?;
    ensure!(ours.len() == CUSTOMERS as usize, "{} customers of {CUSTOMERS} have a score", ours.len());
    println!("{}: {} scores of {CUSTOMERS} customers", title(System::Throughline), total(&ours));
    for (_, system) in systems {
        if matches!(system, System::Throughline | System::Copy) {
            continue;
        }
        let theirs = scores(bench, programs, *system, &source)?;
        let largest = compare(&ours, &theirs).with_context(|| format!("agree with {}", title(*system)))?;
        println!(
            "{}: {} scores of {CUSTOMERS} customers, the last ones are the same (largest difference {largest:.1e})",
            title(*system),
            total(&theirs)
        );
    }
    bench.cluster.remove(&[source]);
    Ok(())
}

fn fill(cluster: &Cluster, topic: &str, seed: u64) -> Result<()> {
    let feed = Feed::new(cluster, topic, Duration::from_millis(50))?;
    let mut generator = Generator::new(seed ^ 3, CUSTOMERS);
    let mut value = Vec::with_capacity(1_024);
    let began = now_millis() - SPAN;
    for call in 0..CALLS {
        value.clear();
        let at = began + SPAN * i64::from(call) / i64::from(CALLS);
        let drawn = generator.draw(at, &mut value);
        for _ in 0..if call % COPY_EVERY == 0 { 2 } else { 1 } {
            feed.send(&generator::record_key(drawn.key), &value, at)?;
        }
    }
    for key in 0..CUSTOMERS {
        value.clear();
        let now = now_millis();
        generator.write(Call::Denied, key, now, &mut value);
        feed.send(&generator::record_key(key), &value, now)?;
    }
    feed.finish()
}

fn scores(bench: &Bench, programs: &Programs, system: System, source: &str) -> Result<BTreeMap<String, Scored>> {
    let mut running = Running::start(bench, programs, system, source)?;
    running.drain()?;
    let scores = read(&bench.cluster, &running.scores).context("read the scores")?;
    running.end(&bench.cluster);
    for (customer, scored) in &scores {
        // Versions rise by one: a score that was lost or doubled would break the row.
        let version = scored.last["version"].as_u64();
        ensure!(version == Some(scored.records), "{customer} has {} scores, the last is {version:?}", scored.records);
    }
    Ok(scores)
}

/// What a read-committed reader sees of a topic that nobody writes to any more.
fn read(cluster: &Cluster, topic: &str) -> Result<BTreeMap<String, Scored>> {
    let consumer: BaseConsumer = cluster.client().reader("bench-check", true).create().context("make a consumer")?;
    let mut list = TopicPartitionList::new();
    for partition in 0..cluster.partitions {
        let partition = i32::try_from(partition).context("count partitions")?;
        list.add_partition_offset(topic, partition, Offset::Beginning).context("note a partition")?;
    }
    consumer.assign(&list).context("assign partitions")?;
    let mut scores: BTreeMap<String, Scored> = BTreeMap::new();
    let mut unread = cluster.partitions;
    while unread > 0 {
        match consumer.poll(Duration::from_secs(10)) {
            Some(Ok(record)) => {
                let key = String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned();
                let last = serde_json::from_slice(record.payload().unwrap_or_default()).context("read a score")?;
                let records = scores.get(&key).map_or(0, |scored| scored.records) + 1;
                scores.insert(key, Scored { last, records });
            }
            Some(Err(KafkaError::PartitionEOF(_))) => unread -= 1,
            Some(Err(error)) => return Err(error).context("read a record"),
            None => anyhow::bail!("nothing came for 10 s, {unread} partitions are not at their end"),
        }
    }
    Ok(scores)
}

fn total(scores: &BTreeMap<String, Scored>) -> u64 {
    scores.values().map(|scored| scored.records).sum()
}

/// The largest difference between two numbers; an error where anything differs by more than rounding.
fn compare(ours: &BTreeMap<String, Scored>, theirs: &BTreeMap<String, Scored>) -> Result<f64> {
    ensure!(ours.len() == theirs.len(), "{} customers of {} have a score", theirs.len(), ours.len());
    let mut largest = 0.0;
    for (customer, scored) in ours {
        let other = theirs.get(customer).with_context(|| format!("{customer} has no score"))?;
        let mut differences = Vec::new();
        differ("", &scored.last, &other.last, &mut largest, &mut differences);
        ensure!(differences.is_empty(), "{customer}: {}", differences.join("; "));
    }
    Ok(largest)
}

fn differ(path: &str, ours: &Value, theirs: &Value, largest: &mut f64, differences: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(left), Value::Object(right)) => {
            for name in left.keys().chain(right.keys().filter(|name| !left.contains_key(*name))) {
                if path.is_empty() && OWN.contains(&name.as_str()) {
                    continue;
                }
                let [left, right] = [left, right].map(|object| object.get(name).unwrap_or(&Value::Null));
                differ(&format!("{path}.{name}"), left, right, largest, differences);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (at, (left, right)) in left.iter().zip(right).enumerate() {
                differ(&format!("{path}[{at}]"), left, right, largest, differences);
            }
        }
        (Value::Number(left), Value::Number(right)) => {
            let difference = (left.as_f64().unwrap_or(f64::NAN) - right.as_f64().unwrap_or(f64::NAN)).abs();
            *largest = largest.max(difference);
            if difference.is_nan() || difference > TOLERANCE {
                differences.push(format!("{path} is {left} and {right}"));
            }
        }
        _ if ours == theirs => {}
        _ => differences.push(format!("{path} is {ours} and {theirs}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(ours: &Value, theirs: &Value) -> Vec<String> {
        let (mut largest, mut found) = (0.0, Vec::new());
        differ("", ours, theirs, &mut largest, &mut found);
        found
    }

    #[test]
    fn rounding_and_own_fields_are_no_difference() {
        let ours = json!({"version": 3, "moment": 60, "reasons": [{"contribution": 1.5}]});
        let theirs = json!({"version": 4, "moment": 60.000001, "reasons": [{"contribution": 1.5}]});
        assert_eq!(differences(&ours, &theirs), Vec::<String>::new());
    }

    #[test]
    fn another_number_a_missing_field_and_another_length_are() {
        let ours = json!({"moment": 60.0, "baseline": {"z": 1.0}, "reasons": [1]});
        let theirs = json!({"moment": 60.00001, "baseline": {}, "reasons": [1, 2]});
        let found = differences(&ours, &theirs).join("; ");
        assert_eq!(found, ".baseline.z is 1.0 and null; .moment is 60.0 and 60.00001; .reasons is [1] and [1,2]");
    }
}
