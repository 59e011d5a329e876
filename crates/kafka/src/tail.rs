//! Following topics from their beginning, and sending plain records: for the demo, taps and tests.

use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::classify::{Reaction, classify};
use crate::client::ClientOptions;

#[derive(Debug, Default)]
struct Quiet;

impl ClientContext for Quiet {}
impl ConsumerContext for Quiet {}

/// A committed record, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailRecord {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Kafka timestamp, milliseconds.
    pub timestamp: i64,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Value; none is a deletion.
    pub value: Option<Vec<u8>>,
}

/// Follows topics, read-committed.
pub struct Tail {
    reader: BaseConsumer<Quiet>,
}

impl Tail {
    /// Starts at the beginning of every partition of these topics.
    ///
    /// # Errors
    /// If the brokers cannot be asked, or a topic does not exist.
    pub fn open(client: &ClientOptions, client_id: &str, topics: &[String]) -> Result<Self, KafkaError> {
        let reader: BaseConsumer<Quiet> = client.reader(client_id, true).create_with_context(Quiet)?;
        let mut list = TopicPartitionList::new();
        for topic in topics {
            let metadata = reader.fetch_metadata(Some(topic), Duration::from_secs(10))?;
            for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
                list.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
            }
        }
        reader.assign(&list)?;
        Ok(Self { reader })
    }

    /// The next record, if one comes in time.
    ///
    /// # Errors
    /// As the client says.
    pub fn next(&self, timeout: Duration) -> Result<Option<TailRecord>, KafkaError> {
        match self.reader.poll(timeout) {
            Some(Ok(record)) => Ok(Some(TailRecord {
                topic: record.topic().to_owned(),
                partition: record.partition(),
                offset: record.offset(),
                timestamp: record.timestamp().to_millis().unwrap_or(0),
                key: record.key().map(<[u8]>::to_vec),
                headers: record
                    .headers()
                    .map(|headers| {
                        headers
                            .iter()
                            .map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
                            .collect()
                    })
                    .unwrap_or_default(),
                value: record.payload().map(<[u8]>::to_vec),
            })),
            Some(Err(KafkaError::PartitionEOF(_))) | None => Ok(None),
            Some(Err(error)) if classify(&error) == Reaction::Retry => Ok(None),
            Some(Err(error)) => Err(error),
        }
    }
}

/// Sends records as a source would.
pub struct Sender {
    producer: BaseProducer,
}

impl Sender {
    /// A producer with Java's partitioner.
    ///
    /// # Errors
    /// If the configuration is refused.
    pub fn new(client: &ClientOptions, client_id: &str) -> Result<Self, KafkaError> {
        let mut config = client.admin(client_id);
        config.set("partitioner", "murmur2_random").set("linger.ms", "1").set("message.max.bytes", "17825792");
        Ok(Self { producer: config.create()? })
    }

    /// Sends one record, waiting while the queue is full.
    ///
    /// # Errors
    /// If it is refused at once.
    pub fn send(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        headers: &[(&str, &str)],
        value: Option<&[u8]>,
    ) -> Result<(), KafkaError> {
        loop {
            let mut record = BaseRecord::<[u8], [u8]>::to(topic);
            if let Some(key) = key {
                record = record.key(key);
            }
            if let Some(value) = value {
                record = record.payload(value);
            }
            if !headers.is_empty() {
                let list = headers
                    .iter()
                    .fold(OwnedHeaders::new(), |list, (key, value)| list.insert(Header { key, value: Some(*value) }));
                record = record.headers(list);
            }
            match self.producer.send(record) {
                Ok(()) => {
                    self.producer.poll(Duration::ZERO);
                    return Ok(());
                }
                Err((error, _)) if classify(&error) == Reaction::Retry => self.producer.poll(Duration::from_millis(5)),
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// Waits until everything is acknowledged.
    ///
    /// # Errors
    /// If that takes too long.
    pub fn flush(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.producer.flush(timeout)
    }
}
