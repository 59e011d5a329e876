//! Records as a producer and a consumer of the outside write and read them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;
use throughline_testkit::broker::Broker;

use super::LIMIT;

/// A record to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Partition; by key where there is none.
    pub partition: Option<i32>,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value.
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Kafka timestamp, milliseconds; the producer's clock where there is none.
    pub timestamp: Option<i64>,
}

/// A record as it was read.
#[derive(Debug, Clone)]
pub struct Found {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// The record.
    pub record: Record,
}

impl Found {
    /// The key as text, empty without one.
    pub fn key(&self) -> String {
        String::from_utf8(self.record.key.clone().unwrap_or_default()).expect("keys are UTF-8")
    }

    /// The value, which must be JSON; null for a tombstone.
    pub fn json(&self) -> Value {
        let Some(value) = &self.record.value else { return Value::Null };
        serde_json::from_slice(value).expect("values are JSON")
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.record.headers.iter().rfind(|(header, _)| header == name)?;
        std::str::from_utf8(value.as_deref()?).ok()
    }
}

/// Settings of every client of these tests.
pub fn client() -> ClientConfig {
    client_at(Broker::shared())
}

/// The same for other brokers than the shared one.
pub fn client_at(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("message.max.bytes", "17825792").set("partitioner", "murmur2_random");
    config
}

/// Writes records and waits until all are acknowledged.
pub fn produce(topic: &str, records: impl IntoIterator<Item = Record>) {
    produce_at(Broker::shared(), topic, records);
}

/// The same to other brokers than the shared one.
pub fn produce_at(brokers: &str, topic: &str, records: impl IntoIterator<Item = Record>) {
    let mut config = client_at(brokers);
    let producer: BaseProducer = config.set("linger.ms", "5").set("acks", "all").create().expect("a producer");
    for record in records {
        send(&producer, topic, &record);
    }
    producer.flush(Duration::from_secs(60)).expect("records are acknowledged");
}

/// Hands one record to a producer.
pub fn send(producer: &BaseProducer, topic: &str, record: &Record) {
    let mut headers = OwnedHeaders::new();
    for (key, value) in &record.headers {
        headers = headers.insert(Header { key, value: value.as_ref() });
    }
    let mut next: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).headers(headers);
    next.partition = record.partition;
    next.timestamp = record.timestamp;
    next.key = record.key.as_deref();
    next.payload = record.value.as_deref();
    while let Err((_, again)) = producer.send(next) {
        next = again;
        producer.poll(Duration::from_millis(5));
    }
}

/// Follows a topic from its first record on, read-committed.
pub struct Tail {
    topic: String,
    consumer: BaseConsumer,
    partitions: BTreeSet<i32>,
    ended: BTreeSet<i32>,
}

impl Tail {
    /// A reader at the beginning of all partitions.
    pub fn new(topic: &str) -> Self {
        Self::with_isolation(topic, "read_committed")
    }

    /// The same with an isolation level.
    pub fn with_isolation(topic: &str, isolation: &str) -> Self {
        Self::at(Broker::shared(), topic, isolation)
    }

    /// The same on other brokers than the shared one.
    pub fn at(brokers: &str, topic: &str, isolation: &str) -> Self {
        let consumer: BaseConsumer = client_at(brokers)
            .set("group.id", "nobody")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "50")
            .set("fetch.message.max.bytes", "20000000")
            .set("isolation.level", isolation)
            .create()
            .expect("a consumer");
        let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(30)).expect("metadata");
        let partitions: BTreeSet<i32> = metadata.topics()[0].partitions().iter().map(|at| at.id()).collect();
        assert!(!partitions.is_empty(), "topic {topic} is not there");
        let mut list = TopicPartitionList::new();
        for partition in &partitions {
            list.add_partition_offset(topic, *partition, Offset::Beginning).expect("an offset");
        }
        consumer.assign(&list).expect("assigned");
        Self { topic: topic.to_owned(), consumer, partitions, ended: BTreeSet::new() }
    }

    /// The next record, if one comes in this time.
    pub fn next(&mut self, wait: Duration) -> Option<Found> {
        match self.consumer.poll(wait)? {
            Ok(record) => {
                self.ended.remove(&record.partition());
                let headers = record.headers().map(|headers| {
                    headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
                });
                Some(Found {
                    partition: record.partition(),
                    offset: record.offset(),
                    record: Record {
                        partition: None,
                        key: record.key().map(<[u8]>::to_vec),
                        value: record.payload().map(<[u8]>::to_vec),
                        headers: headers.unwrap_or_default(),
                        timestamp: record.timestamp().to_millis(),
                    },
                })
            }
            Err(KafkaError::PartitionEOF(partition)) => {
                self.ended.insert(partition);
                None
            }
            // Brokers come and go in some tests; who waits for too long says so.
            Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown,
            )) => None,
            Err(error) => panic!("reading {} failed: {error}", self.topic),
        }
    }

    /// Reads until `done` says so, and returns everything read by this call.
    pub fn until(&mut self, what: &str, mut done: impl FnMut(&Found) -> bool) -> Vec<Found> {
        let deadline = Instant::now() + LIMIT;
        let mut read = Vec::new();
        loop {
            if let Some(found) = self.next(Duration::from_millis(50)) {
                let is_last = done(&found);
                read.push(found);
                if is_last {
                    return read;
                }
            }
            assert!(Instant::now() < deadline, "{}: {} records and not {what} in {LIMIT:?}", self.topic, read.len());
        }
    }

    /// Reads to the last stable offset of every partition, for a reader that has read nothing yet.
    pub fn read_to_end(&mut self) -> Vec<Found> {
        let deadline = Instant::now() + LIMIT;
        let mut read = Vec::new();
        while self.ended != self.partitions {
            read.extend(self.next(Duration::from_millis(50)));
            assert!(Instant::now() < deadline, "{}: no end in {LIMIT:?}", self.topic);
        }
        read
    }
}

/// Everything committed on a topic.
pub fn read(topic: &str) -> Vec<Found> {
    Tail::new(topic).read_to_end()
}
