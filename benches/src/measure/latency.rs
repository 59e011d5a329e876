//! From the append of a source record to the moment when a read-committed reader has its score.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use throughline_config::HashKey;
use throughline_config::identifiers::hash_identifier;
use throughline_model::{IdentifierType, Topic};

use super::{Bench, wait_drained};
use crate::child::Child;
use crate::deployment::{Deployment, Encoding, Outputs, TENANT};
use crate::feed::{self, Feed, now_millis};
use crate::report::quantile;
use throughline_stages::generator::{self, Generator};

/// The first seconds are not counted: caches are cold and every customer is new.
const WARM_UP: Duration = Duration::from_secs(8);
const PACE: Duration = Duration::from_millis(5);

/// Latency in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// Half of the touchpoints are faster.
    pub p50: f64,
    /// 99 of 100 are faster.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
    /// Touchpoints counted.
    pub counted: usize,
    /// Touchpoints that moved a score by less than is published, or whose score never came.
    pub missing: usize,
}

struct Appended {
    key: u32,
    at: i64,
}

/// A touchpoint whose score was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Partition of the score.
    pub partition: i32,
    /// When the source record was appended, milliseconds since 1970.
    pub at: i64,
    /// When its score could be read.
    pub visible: i64,
}

/// What a watched stretch of time showed.
#[derive(Debug)]
pub(super) struct Watched {
    /// When it began.
    pub from: i64,
    /// In the order in which they were seen.
    pub seen: Vec<Seen>,
    /// Touchpoints without a score.
    pub missing: usize,
}

impl Bench {
    /// Feeds `rate` records per second for `duration` after the warm-up, and watches the scores.
    ///
    /// # Errors
    /// If the service fails.
    pub fn latency(&self, rate: f64, duration: Duration) -> Result<Latency> {
        let source = self.cluster.topic("bench-paced")?;
        let deployment = Deployment::new(&self.cluster, &source, Outputs::Scores, Encoding::Avro)?;
        let mut child = Child::service(&self.program, &deployment.file, &self.set)?;
        child.wait_ready(&deployment.address)?;
        let scores = throughline_config::topics::topic_name(&deployment.config.topics.prefix, Topic::Scores);
        let latency = self.watched(&source, &scores, as_of, rate, duration)?;
        child.stop()?;
        deployment.remove(&self.cluster);
        self.cluster.remove(&[source]);
        Ok(latency)
    }

    /// The same for whatever reads `source` and writes `scores`; `as_of` finds the time that a score speaks for.
    ///
    /// # Errors
    /// If no score comes.
    pub fn watched(
        &self,
        source: &str,
        scores: &str,
        as_of: fn(&[u8]) -> Option<i64>,
        rate: f64,
        duration: Duration,
    ) -> Result<Latency> {
        let Watched { from, seen, missing } =
            self.watch_scores(source, scores, as_of, rate, WARM_UP + duration, || Ok(()))?;
        let warm = from + i64::try_from(WARM_UP.as_millis()).unwrap_or(i64::MAX);
        let mut waits: Vec<f64> =
            seen.iter().filter(|seen| seen.at >= warm).map(|seen| (seen.visible - seen.at) as f64).collect();
        waits.sort_by(f64::total_cmp);
        let at = |share| quantile(&waits, share).context("no score was seen");
        Ok(Latency { p50: at(0.5)?, p99: at(0.99)?, max: at(1.0)?, counted: waits.len(), missing })
    }

    /// Feeds `rate` records per second for `duration`, calls `meanwhile` between them, and watches the scores.
    pub(super) fn watch_scores(
        &self,
        source: &str,
        scores: &str,
        as_of: fn(&[u8]) -> Option<i64>,
        rate: f64,
        duration: Duration,
        meanwhile: impl FnMut() -> Result<()>,
    ) -> Result<Watched> {
        let consumer = self.reader(scores)?;
        let customers = customers(self.keys, TENANT);
        let (send, receive) = mpsc::channel();
        let fed = Arc::new(AtomicBool::new(false));
        let watcher = std::thread::spawn({
            let fed = Arc::clone(&fed);
            move || watch(&consumer, &customers, &receive, &fed, as_of)
        });
        let from = self.paced(source, rate, duration, &send, meanwhile);
        fed.store(true, Ordering::Release);
        drop(send);
        let (seen, missing) = watcher.join().expect("the watcher does not panic");
        Ok(Watched { from: from?, seen, missing })
    }

    /// Records per second that go through while they are being written, which is less than a backlog gives: the producer
    /// takes its share of the machine, and commits are small.
    ///
    /// # Errors
    /// If the service fails.
    pub fn live_speed(&self, records: u64) -> Result<f64> {
        let source = self.cluster.topic("bench-live")?;
        let deployment = Deployment::new(&self.cluster, &source, Outputs::Scores, Encoding::Avro)?;
        let mut child = Child::service(&self.program, &deployment.file, &self.set)?;
        child.wait_ready(&deployment.address)?;
        let began = Instant::now();
        feed::fill(&self.cluster, &source, &mut Generator::new(self.seed ^ 2, self.keys), records)?;
        wait_drained(&self.cluster, &deployment, &source, &mut child)?;
        let seconds = began.elapsed().as_secs_f64();
        child.stop()?;
        deployment.remove(&self.cluster);
        self.cluster.remove(&[source]);
        Ok(records as f64 / seconds)
    }

    fn reader(&self, topic: &str) -> Result<BaseConsumer> {
        let consumer: BaseConsumer = self
            .cluster
            .client()
            .reader("bench-latency", true)
            .set("fetch.wait.max.ms", "10")
            .set("enable.partition.eof", "false")
            .create()
            .context("make a consumer")?;
        let mut list = TopicPartitionList::new();
        for partition in 0..self.cluster.partitions {
            let partition = i32::try_from(partition).context("count partitions")?;
            list.add_partition_offset(topic, partition, Offset::Beginning).context("note a partition")?;
        }
        consumer.assign(&list).context("assign partitions")?;
        Ok(consumer)
    }

    /// Returns when it began.
    fn paced(
        &self,
        topic: &str,
        rate: f64,
        duration: Duration,
        appended: &mpsc::Sender<Appended>,
        mut meanwhile: impl FnMut() -> Result<()>,
    ) -> Result<i64> {
        let feed = Feed::new(&self.cluster, topic, Duration::from_millis(1))?;
        let mut generator = Generator::new(self.seed ^ 1, self.keys);
        let mut value = Vec::with_capacity(1_024);
        let (began, from) = (Instant::now(), now_millis());
        let mut sent = 0.0;
        while began.elapsed() < duration {
            let due = began.elapsed().as_secs_f64() * rate;
            while sent < due {
                value.clear();
                let at = now_millis();
                let drawn = generator.draw(at, &mut value);
                feed.send(&generator::record_key(drawn.key), &value, at)?;
                if drawn.valenced {
                    // The watcher ends after this loop.
                    let _ = appended.send(Appended { key: drawn.key, at });
                }
                sent += 1.0;
            }
            feed.poll();
            meanwhile()?;
            std::thread::sleep(PACE);
        }
        feed.finish()?;
        Ok(from)
    }
}

/// Customer ids of all keys, as they are the keys of score records.
fn customers(keys: u32, tenant: &str) -> HashMap<Vec<u8>, u32> {
    (0..keys)
        .filter_map(|key| {
            let (kind, value) = if generator::is_known(key) {
                (IdentifierType::Login, generator::user_id(key))
            } else {
                (IdentifierType::Cookie, generator::anonymous_id(key))
            };
            let hashed = hash_identifier(&HashKey::DEVELOPMENT, tenant, kind, &value, "")?;
            Some((hashed.node.hex().as_bytes().to_vec(), key))
        })
        .collect()
}

/// Touchpoints whose score was seen, and how many have none. A score speaks for every touchpoint of its customer up
/// to its `as_of`.
fn watch(
    consumer: &BaseConsumer,
    customers: &HashMap<Vec<u8>, u32>,
    appended: &mpsc::Receiver<Appended>,
    fed: &AtomicBool,
    as_of: fn(&[u8]) -> Option<i64>,
) -> (Vec<Seen>, usize) {
    let mut waiting: HashMap<u32, VecDeque<i64>> = HashMap::new();
    let mut seen = Vec::new();
    let mut quiet = Instant::now();
    while !fed.load(Ordering::Acquire) || quiet.elapsed() < Duration::from_secs(3) {
        let Some(Ok(record)) = consumer.poll(Duration::from_millis(20)) else { continue };
        let now = now_millis();
        quiet = Instant::now();
        while let Ok(record) = appended.try_recv() {
            waiting.entry(record.key).or_default().push_back(record.at);
        }
        let customer = record.key().and_then(|key| customers.get(key));
        let (Some(customer), Some(as_of)) = (customer, record.payload().and_then(as_of)) else { continue };
        let Some(queue) = waiting.get_mut(customer) else { continue };
        while let Some(&at) = queue.front().filter(|at| **at <= as_of) {
            queue.pop_front();
            seen.push(Seen { partition: record.partition(), at, visible: now });
        }
    }
    let missing = waiting.values().map(VecDeque::len).sum();
    (seen, missing)
}

/// The second field of a score in the Confluent wire format; the first is the tenant.
pub(super) fn as_of(value: &[u8]) -> Option<i64> {
    let (length, rest) = long(value.get(5..)?)?;
    let (as_of, _) = long(rest.get(usize::try_from(length).ok()?..)?)?;
    Some(as_of)
}

/// An Avro long: zigzag, seven bits a byte.
fn long(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut value: u64 = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some(((value >> 1).cast_signed() ^ -((value & 1).cast_signed()), &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_score_is_found_behind_its_tenant() {
        let mut value = vec![0, 0, 0, 0, 7, 10];
        value.extend_from_slice(b"bench");
        value.extend_from_slice(&[0xd0, 0x0f, 0x00]);
        assert_eq!(as_of(&value), Some(1_000));
        assert_eq!(as_of(&[0, 0, 0]), None);
    }
}
