//! Has the service caught up? Answered from committed offsets alone.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::deployment::Cluster;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Looks at one group and one topic.
pub struct Progress {
    consumer: BaseConsumer,
    topic: String,
    partitions: i32,
}

impl Progress {
    /// Watches what `group` has committed of `topic`.
    ///
    /// # Errors
    /// If the client cannot be made.
    pub fn new(cluster: &Cluster, group: &str, topic: &str) -> Result<Self> {
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", &cluster.brokers)
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_uncommitted")
            .create()
            .context("make a consumer")?;
        let partitions = i32::try_from(cluster.partitions).context("count partitions")?;
        Ok(Self { consumer, topic: topic.to_owned(), partitions })
    }

    /// Committed offsets by partition; 0 where nothing was committed.
    ///
    /// # Errors
    /// If the broker does not answer.
    pub fn committed(&self) -> Result<Vec<i64>> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.topic, 0, self.partitions - 1);
        let found = self.consumer.committed_offsets(list, TIMEOUT).context("read committed offsets")?;
        let offset = |partition| match found.find_partition(&self.topic, partition).map(|at| at.offset()) {
            Some(Offset::Offset(offset)) => offset,
            _ => 0,
        };
        Ok((0..self.partitions).map(offset).collect())
    }

    /// Ends of the partitions.
    ///
    /// # Errors
    /// If the broker does not answer.
    pub fn ends(&self) -> Result<Vec<i64>> {
        (0..self.partitions)
            .map(|partition| {
                let (_, end) = self
                    .consumer
                    .fetch_watermarks(&self.topic, partition, TIMEOUT)
                    .context("read the end of a partition")?;
                Ok(end)
            })
            .collect()
    }

    /// Whether every record of a topic written in transactions is read. The last offset of such a partition is the marker
    /// that ended its last transaction, which is no record.
    ///
    /// # Errors
    /// If the broker does not answer.
    pub fn has_drained(&self) -> Result<bool> {
        let committed = self.committed()?;
        Ok(self.ends()?.iter().zip(committed).all(|(&end, next)| next >= end - 1))
    }
}
