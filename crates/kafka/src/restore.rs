//! Reading a changelog back, up to the high watermark that was there at assignment.
//!
//! The high watermark is asked for with a read-uncommitted handle, then reading starts once the last stable offset has
//! reached it. Stopping at the last stable offset of that moment would silently lose what an open transaction was about
//! to commit. No particular record is waited for: the last one may be a control record.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use throughline_worker::TaskId;

use crate::client::ClientOptions;

#[derive(Debug, Default)]
struct Quiet;

impl ClientContext for Quiet {}
impl ConsumerContext for Quiet {}

/// One restore of several partitions of one changelog.
pub(crate) struct Restore {
    reader: BaseConsumer<Quiet>,
    topic: String,
    /// Partitions whose last stable offset is still behind the high watermark: partition to task and that watermark.
    waiting: BTreeMap<i32, (TaskId, i64)>,
    /// Partitions being read.
    reading: BTreeMap<i32, TaskId>,
    assigned: TopicPartitionList,
    pub(crate) records: u64,
    pub(crate) records_total: u64,
}

/// What a step of a restore brought.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Partitions read to the end.
    pub(crate) finished: Vec<TaskId>,
}

const METADATA_TIMEOUT: Duration = Duration::from_secs(10);

impl Restore {
    /// Takes the high watermarks of these partitions.
    pub(crate) fn start(
        client: &ClientOptions,
        client_id: &str,
        topic: &str,
        tasks: &[TaskId],
    ) -> Result<Self, KafkaError> {
        let uncommitted: BaseConsumer<Quiet> = client.reader(client_id, false).create_with_context(Quiet)?;
        let reader: BaseConsumer<Quiet> = client.reader(client_id, true).create_with_context(Quiet)?;
        let mut waiting = BTreeMap::new();
        let mut records_total = 0;
        for task in tasks {
            let (low, high) = uncommitted.fetch_watermarks(topic, task.partition, METADATA_TIMEOUT)?;
            records_total += u64::try_from(high - low).unwrap_or(0);
            waiting.insert(task.partition, (*task, high));
        }
        Ok(Self {
            reader,
            topic: topic.to_owned(),
            waiting,
            reading: BTreeMap::new(),
            assigned: TopicPartitionList::new(),
            records: 0,
            records_total,
        })
    }

    /// Whether nothing is left to read.
    pub(crate) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.reading.is_empty()
    }

    /// Partitions were given back: they need not be read any more.
    pub(crate) fn forget(&mut self, task: TaskId) {
        self.waiting.retain(|_, (waiting, _)| *waiting != task);
        self.reading.retain(|_, reading| *reading != task);
    }

    /// Reads for at most `budget` and hands every record to `sink`.
    pub(crate) fn step<E>(
        &mut self,
        budget: Duration,
        mut sink: impl FnMut(TaskId, &[u8], Option<&[u8]>) -> Result<(), E>,
    ) -> Result<Result<Progress, E>, KafkaError> {
        let mut progress = Progress::default();
        self.admit(&mut progress)?;
        let deadline = Instant::now() + budget;
        while !self.reading.is_empty() {
            match self.reader.poll(Duration::from_millis(5)) {
                Some(Ok(record)) => {
                    self.records += 1;
                    if let (Some(task), Some(key)) = (self.reading.get(&record.partition()), record.key())
                        && let Err(error) = sink(*task, key, record.payload())
                    {
                        return Ok(Err(error));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    if let Some(task) = self.reading.remove(&partition) {
                        progress.finished.push(task);
                    }
                }
                Some(Err(error)) => match crate::classify::classify(&error) {
                    crate::classify::Reaction::Retry => {}
                    _ => return Err(error),
                },
                None => {}
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        Ok(Ok(progress))
    }

    /// Begins to read the partitions whose last stable offset has reached the high watermark.
    fn admit(&mut self, progress: &mut Progress) -> Result<(), KafkaError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut admitted = TopicPartitionList::new();
        for (partition, (task, high)) in self.waiting.clone() {
            let (low, stable) = self.reader.fetch_watermarks(&self.topic, partition, METADATA_TIMEOUT)?;
            if stable < high {
                continue;
            }
            self.waiting.remove(&partition);
            if low == stable {
                progress.finished.push(task);
            } else {
                self.reading.insert(partition, task);
                admitted.add_partition_offset(&self.topic, partition, Offset::Beginning)?;
            }
        }
        if admitted.count() > 0 {
            if self.assigned.count() == 0 {
                self.reader.assign(&admitted)?;
            } else {
                self.reader.incremental_assign(&admitted)?;
            }
            self.assigned = admitted;
        }
        Ok(())
    }
}
