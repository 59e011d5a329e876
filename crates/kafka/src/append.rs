//! Appending single records that must be acknowledged before something else may happen: audit records.

use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::client::ClientOptions;

/// Appends records, each acknowledged by all in-sync replicas.
#[derive(Clone)]
pub struct Appender {
    producer: FutureProducer,
    topic: String,
}

impl Appender {
    /// An appender to one topic.
    ///
    /// # Errors
    /// If the configuration is refused.
    pub fn new(client: &ClientOptions, client_id: &str, topic: &str) -> Result<Self, KafkaError> {
        let mut config = client.admin(client_id);
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "0")
            .set("partitioner", "murmur2_random")
            .set("message.timeout.ms", "5000");
        Ok(Self { producer: config.create()?, topic: topic.to_owned() })
    }

    /// Appends a record and waits for its acknowledgement.
    ///
    /// # Errors
    /// If it is not acknowledged in time.
    pub async fn append(&self, key: &str, value: Vec<u8>) -> Result<(), KafkaError> {
        let record = FutureRecord::to(&self.topic).key(key).payload(&value);
        self.producer.send(record, Duration::from_secs(5)).await.map(drop).map_err(|(error, _)| error)
    }
}
