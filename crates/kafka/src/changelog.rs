//! Reading one changelog partition for people: all of it, without a worker.

use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::classify::{Reaction, classify};
use crate::client::ClientOptions;

#[derive(Debug, Default)]
struct Quiet;

impl ClientContext for Quiet {}
impl ConsumerContext for Quiet {}

const TIMEOUT: Duration = Duration::from_secs(10);

/// Where a changelog partition begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// First offset; above 0 only if records were deleted from the start.
    pub low: i64,
    /// Everything before it is committed or dropped.
    pub stable: i64,
}

/// Partitions of a topic; none if it is not there.
///
/// # Errors
/// As the client says.
pub fn partitions(client: &ClientOptions, client_id: &str, topic: &str) -> Result<Option<i32>, KafkaError> {
    let reader: BaseConsumer<Quiet> = client.reader(client_id, true).create_with_context(Quiet)?;
    let metadata = reader.fetch_metadata(None, TIMEOUT)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    Ok(found.map(|found| i32::try_from(found.partitions().len()).unwrap_or(i32::MAX)))
}

/// Reads committed records from `from` (or from the first there is) to the last stable offset, and hands offset, key and value
/// to `sink`; no value is a deletion.
///
/// # Errors
/// As the client says.
pub fn read(
    client: &ClientOptions,
    client_id: &str,
    topic: &str,
    partition: i32,
    from: i64,
    mut sink: impl FnMut(i64, &[u8], Option<&[u8]>),
) -> Result<Ends, KafkaError> {
    let reader: BaseConsumer<Quiet> = client.reader(client_id, true).create_with_context(Quiet)?;
    let (low, stable) = reader.fetch_watermarks(topic, partition, TIMEOUT)?;
    let ends = Ends { low, stable };
    if from.max(low) >= stable {
        return Ok(ends);
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(from.max(low)))?;
    reader.assign(&list)?;
    let mut heard = Instant::now();
    loop {
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(record)) => {
                heard = Instant::now();
                sink(record.offset(), record.key().unwrap_or_default(), record.payload());
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(ends),
            Some(Err(error)) if classify(&error) != Reaction::Retry => return Err(error),
            _ if heard.elapsed() > TIMEOUT => {
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
            }
            _ => {}
        }
    }
}
