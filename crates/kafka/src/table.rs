//! Reading a compacted topic as a table: completely before start, then following it.

use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::classify::{Reaction, classify};
use crate::client::ClientOptions;

#[derive(Debug, Default)]
struct Quiet;

impl ClientContext for Quiet {}
impl ConsumerContext for Quiet {}

/// An assigned, ungrouped reader of every partition of a topic.
pub struct TableReader {
    reader: BaseConsumer<Quiet>,
    unfinished: usize,
}

const METADATA_TIMEOUT: Duration = Duration::from_secs(10);

impl TableReader {
    /// Starts at the beginning of every partition. None if the topic does not exist.
    ///
    /// # Errors
    /// If the brokers cannot be asked.
    pub fn open(client: &ClientOptions, client_id: &str, topic: &str) -> Result<Option<Self>, KafkaError> {
        let reader: BaseConsumer<Quiet> = client.reader(client_id, true).create_with_context(Quiet)?;
        let metadata = reader.fetch_metadata(None, METADATA_TIMEOUT)?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
        let mut list = TopicPartitionList::new();
        for partition in found.partitions() {
            list.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
        }
        reader.assign(&list)?;
        Ok(Some(Self { reader, unfinished: list.count() }))
    }

    /// Reads for at most `budget`; hands key, value and timestamp of each record to `sink`. Returns whether every partition
    /// was read to its end once.
    ///
    /// # Errors
    /// As the client says.
    pub fn step(&mut self, budget: Duration, mut sink: impl FnMut(&[u8], Option<&[u8]>)) -> Result<bool, KafkaError> {
        let deadline = Instant::now() + budget;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.reader.poll(rest.min(Duration::from_millis(100))) {
                Some(Ok(record)) => sink(record.key().unwrap_or_default(), record.payload()),
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.unfinished = self.unfinished.saturating_sub(1);
                    if self.unfinished == 0 {
                        return Ok(true);
                    }
                }
                Some(Err(error)) if classify(&error) == Reaction::Retry => {}
                Some(Err(error)) => return Err(error),
                None => {}
            }
            if Instant::now() >= deadline {
                return Ok(self.unfinished == 0);
            }
        }
    }
}
