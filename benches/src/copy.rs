//! The yardstick: a bare transactional copy with rdkafka. It polls, produces with librdkafka's partitioner, sends offsets and
//! commits every 100 ms, with the same client settings as a worker of the service, and does nothing else.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use crate::child;
use crate::deployment::Cluster;

const COMMIT_INTERVAL: Duration = Duration::from_millis(100);
const RECORDS_PER_COMMIT: u64 = 20_000;
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a copy took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Copied {
    /// CPU seconds of the whole child, start included.
    pub cpu_seconds: f64,
    /// Seconds from the first record to the last commit.
    pub seconds: f64,
}

/// Copies `records` records from `source` to `target`, then returns what that took.
///
/// # Errors
/// If Kafka refuses something.
pub fn run(cluster: &Cluster, source: &str, target: &str, group: &str, records: u64) -> Result<Copied> {
    let options = cluster.client();
    let consumer: BaseConsumer = options
        .consumer("copy", group, group, 10_000)
        .set("auto.offset.reset", "earliest")
        .set("statistics.interval.ms", "0")
        .create()
        .context("make a consumer")?;
    let producer: BaseProducer = options.producer("copy", group, 8_000).create().context("make a producer")?;
    producer.init_transactions(TIMEOUT).context("register the producer")?;
    consumer.subscribe(&[source]).context("subscribe")?;
    let mut first = None;
    let mut done = 0;
    while done < records {
        done += transaction(&consumer, &producer, source, target, cluster.partitions, &mut first)?;
    }
    let seconds = first.map_or(0.0, |first: Instant| first.elapsed().as_secs_f64());
    Ok(Copied { cpu_seconds: child::own_cpu_seconds()?, seconds })
}

fn transaction(
    consumer: &BaseConsumer,
    producer: &BaseProducer,
    source: &str,
    target: &str,
    partitions: u32,
    first: &mut Option<Instant>,
) -> Result<u64> {
    let mut next: Vec<Option<i64>> = vec![None; partitions as usize];
    let mut count = 0;
    let mut began: Option<Instant> = None;
    loop {
        let now = Instant::now();
        if count >= RECORDS_PER_COMMIT || began.is_some_and(|began| now.duration_since(began) >= COMMIT_INTERVAL) {
            break;
        }
        let mut wait = Duration::from_millis(5);
        for _ in 0..500 {
            let record = match consumer.poll(wait) {
                None => break,
                Some(record) => record.context("read a record")?,
            };
            wait = Duration::ZERO;
            if began.is_none() {
                producer.begin_transaction().context("begin")?;
                began = Some(Instant::now());
                first.get_or_insert(now);
            }
            let mut copy = BaseRecord::to(target).key(record.key().unwrap_or_default());
            if let Some(value) = record.payload() {
                copy = copy.payload(value);
            }
            while let Err((error, back)) = producer.send(copy) {
                if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                    bail!("a record was refused: {error}");
                }
                producer.poll(Duration::from_millis(1));
                copy = back;
            }
            next[record.partition() as usize] = Some(record.offset() + 1);
            count += 1;
        }
    }
    let mut offsets = TopicPartitionList::new();
    for (partition, next) in next.iter().enumerate() {
        if let Some(next) = next {
            let partition = i32::try_from(partition).context("count partitions")?;
            offsets.add_partition_offset(source, partition, Offset::Offset(*next)).context("note an offset")?;
        }
    }
    // `flush` polls in slices of 100 ms, and an undrained commit waits for it.
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::from_millis(1));
    }
    let group = consumer.group_metadata().context("read the group's generation")?;
    producer.send_offsets_to_transaction(&offsets, &group, TIMEOUT).context("send offsets")?;
    producer.commit_transaction(TIMEOUT).context("commit")?;
    Ok(count)
}
