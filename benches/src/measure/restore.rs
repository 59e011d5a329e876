//! How long state takes to come back: from the changelog, and from the local log.
//!
//! A few thousand customers are folded by the service itself; their changelog records are then written again under other
//! customer ids until there are as many keys as wanted, which is much faster than folding them. The service is started on
//! that: without a local log, with an empty one (which it fills meanwhile), and with the full one. A start without state is
//! subtracted from all of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use throughline_model::murmur2::partition_of;
use throughline_model::{NodeId, Topic};
use throughline_pipeline::table::{KEY_BYTES, read_key};

use super::{Bench, wait_drained};
use crate::child::Child;
use crate::deployment::{Deployment, Encoding, Outputs};

/// Customers that the service folds itself.
const TEMPLATES: u32 = 2_000;
/// How long a start may take.
const START_LIMIT: Duration = Duration::from_secs(900);

/// One start of the service.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// Seconds until it was ready.
    pub seconds: f64,
    /// CPU seconds until then.
    pub cpu_seconds: f64,
    /// Resident bytes then.
    pub resident: u64,
}

/// What starts took.
#[derive(Debug, Clone, Copy)]
pub struct Restore {
    /// Keys in the changelog.
    pub keys: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Without state.
    pub empty: Start,
    /// From the changelog.
    pub changelog: Start,
    /// From the changelog, into a new local log.
    pub first: Start,
    /// From the local log.
    pub local: Start,
}

impl Restore {
    /// Keys per second of a start, and per CPU second.
    #[must_use]
    pub fn rates(&self, start: &Start) -> (f64, f64) {
        let keys = self.keys as f64;
        let rest = |with: f64, without: f64| (with - without).max(0.001);
        (keys / rest(start.seconds, self.empty.seconds), keys / rest(start.cpu_seconds, self.empty.cpu_seconds))
    }
}

impl Bench {
    /// Starts the service on `keys` keys of state.
    ///
    /// # Errors
    /// If the service fails.
    pub fn restore(&self, keys: u64) -> Result<Restore> {
        let source = self.cluster.topic("bench-restore")?;
        let deployment = Deployment::new(&self.cluster, &source, Outputs::All, Encoding::Avro)?;
        let directory = deployment.file.with_extension("state");
        let empty = self.start(&deployment, None)?;
        let (keys, bytes) = self.fill_state(&deployment, &source, keys)?;
        let changelog = self.start(&deployment, None)?;
        let first = self.start(&deployment, Some(&directory))?;
        let local = self.start(&deployment, Some(&directory))?;
        deployment.remove(&self.cluster);
        self.cluster.remove(&[source]);
        let _ = std::fs::remove_dir_all(&directory);
        Ok(Restore { keys, bytes, empty, changelog, first, local })
    }

    /// Writes state of `keys` keys into the changelog; how many, and their bytes.
    pub(super) fn fill_state(&self, deployment: &Deployment, source: &str, keys: u64) -> Result<(u64, u64)> {
        let mut child = Child::service(&self.program, &deployment.file, &self.set)?;
        child.wait_ready(&deployment.address)?;
        self.load(source, TEMPLATES)?;
        wait_drained(&self.cluster, deployment, source, &mut child).context("fold the templates")?;
        child.stop()?;
        let (keys, bytes) = self.multiply(deployment, keys)?;
        eprintln!("{keys} keys of {:.0} bytes are in the changelog", bytes as f64 / keys as f64);
        Ok((keys, bytes))
    }

    fn start(&self, deployment: &Deployment, directory: Option<&Path>) -> Result<Start> {
        let mut set = self.set.clone();
        set.extend(directory.map(|directory| format!("state.directory={}", directory.display())));
        let began = Instant::now();
        let mut child = Child::service(&self.program, &deployment.file, &set)?;
        child.wait_ready_for(&deployment.address, START_LIMIT)?;
        let seconds = began.elapsed().as_secs_f64();
        let start = Start { seconds, cpu_seconds: child.cpu_seconds()?, resident: child.resident_bytes()? };
        eprintln!("ready after {:.2} s with {:.2} CPU seconds", start.seconds, start.cpu_seconds);
        child.stop()?;
        Ok(start)
    }

    /// Writes the state that is there again under other customer ids, until there are `keys` keys.
    fn multiply(&self, deployment: &Deployment, keys: u64) -> Result<(u64, u64)> {
        let topic =
            throughline_config::topics::topic_name(&deployment.config.topics.prefix, Topic::ExperienceChangelog);
        let client = self.cluster.client();
        let (mut customers, mut written, mut bytes) = (BTreeMap::<NodeId, Records>::new(), 0, 0);
        for partition in 0..i32::try_from(self.cluster.partitions).context("count partitions")? {
            throughline_kafka::changelog::read(&client, "bench-templates", &topic, partition, 0, |_, key, value| {
                if let (Some((node, _)), Some(value)) = (read_key(key), value) {
                    customers.entry(node).or_default().insert(key[KEY_BYTES - 1], value.to_vec());
                }
            })
            .context("read the changelog")?;
        }
        let templates: Vec<(NodeId, Records)> = customers.into_iter().collect();
        ensure!(!templates.is_empty(), "the service wrote no state");
        for (_, records) in &templates {
            written += records.len() as u64;
            bytes += records.values().map(|value| (KEY_BYTES + value.len()) as u64).sum::<u64>();
        }
        let producer: BaseProducer = client
            .producer("bench-state", "unused", 10_000)
            .remove("transactional.id")
            .remove("transaction.timeout.ms")
            .create()
            .context("make a producer")?;
        let mut number = 0u64;
        while written < keys {
            let (node, records) = &templates[usize::try_from(number % templates.len() as u64)?];
            let node = other(*node, number);
            let partition = partition_of(node.hex().as_bytes(), self.cluster.partitions);
            for (group, value) in records {
                let mut key = [0; KEY_BYTES];
                key[..KEY_BYTES - 1].copy_from_slice(&node.0);
                key[KEY_BYTES - 1] = *group;
                send(&producer, &topic, partition, &key, value)?;
                written += 1;
                bytes += (KEY_BYTES + value.len()) as u64;
            }
            number += 1;
        }
        producer.flush(Duration::from_secs(120)).context("write the state")?;
        Ok((written, bytes))
    }
}

/// Changelog records of a customer by group.
type Records = BTreeMap<u8, Vec<u8>>;

fn send(producer: &BaseProducer, topic: &str, partition: i32, key: &[u8], value: &[u8]) -> Result<()> {
    let mut record = BaseRecord::to(topic).partition(partition).key(key).payload(value);
    while let Err((error, again)) = producer.send(record) {
        ensure!(
            error.rdkafka_error_code() == Some(rdkafka::error::RDKafkaErrorCode::QueueFull),
            "failed to write state: {error}"
        );
        record = again;
        producer.poll(Duration::from_millis(5));
    }
    Ok(())
}

/// Another customer of the same rank.
fn other(node: NodeId, number: u64) -> NodeId {
    let mut bytes = node.0;
    bytes[1..9].copy_from_slice(&mix(number).to_be_bytes());
    bytes[9..17].copy_from_slice(&mix(!number).to_be_bytes());
    NodeId(bytes)
}

/// SplitMix64.
const fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
