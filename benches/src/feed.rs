//! Writing source records.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::deployment::Cluster;
use throughline_stages::generator::{self, Generator};

/// Writes to one source topic, compressed with lz4.
pub struct Feed {
    producer: BaseProducer,
    topic: String,
}

impl Feed {
    /// A writer; `linger` is how long it waits for a batch to fill.
    ///
    /// # Errors
    /// If the client cannot be made.
    pub fn new(cluster: &Cluster, topic: &str, linger: Duration) -> Result<Self> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", &cluster.brokers)
            .set("compression.codec", "lz4")
            .set("partitioner", "murmur2_random")
            .set("enable.idempotence", "true")
            .set("linger.ms", linger.as_millis().to_string())
            .set("batch.num.messages", "10000")
            .set("queue.buffering.max.messages", "1000000")
            .create()
            .context("make a producer")?;
        Ok(Self { producer, topic: topic.to_owned() })
    }

    /// Hands one record over; `at` is its Kafka timestamp in milliseconds since 1970.
    ///
    /// # Errors
    /// If it is refused.
    pub fn send(&self, key: &str, value: &[u8], at: i64) -> Result<()> {
        let mut record = BaseRecord::to(&self.topic).key(key).payload(value).timestamp(at);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(Duration::from_millis(10));
                    record = back;
                }
                Err((error, _)) => bail!("a source record was refused: {error}"),
            }
        }
    }

    /// Lets librdkafka report what it delivered.
    pub fn poll(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// Waits until everything is acknowledged.
    ///
    /// # Errors
    /// If it is not within 120 s.
    pub fn finish(&self) -> Result<()> {
        self.producer.flush(Duration::from_secs(120)).context("deliver source records")
    }
}

/// Writes `records` drawn calls with event times of now, and returns how many bytes their values have.
///
/// # Errors
/// If they cannot be written.
pub fn fill(cluster: &Cluster, topic: &str, generator: &mut Generator, records: u64) -> Result<u64> {
    let feed = Feed::new(cluster, topic, Duration::from_millis(50))?;
    let mut value = Vec::with_capacity(1_024);
    let mut bytes = 0;
    for at in 0..records {
        value.clear();
        let now = now_millis();
        let drawn = generator.draw(now, &mut value);
        feed.send(&generator::record_key(drawn.key), &value, now)?;
        bytes += value.len() as u64;
        if at % 1_000 == 0 {
            feed.poll();
        }
    }
    feed.finish()?;
    Ok(bytes)
}

/// The clock, in milliseconds since 1970.
#[must_use]
pub fn now_millis() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
