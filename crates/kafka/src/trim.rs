//! Deleting what no stage needs any more from an internal topic: records before the committed offset that are older than
//! an hour. Time alone never deletes what was not read yet.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::client::ClientOptions;

#[derive(Debug, Default)]
struct Quiet;

impl ClientContext for Quiet {}
impl ConsumerContext for Quiet {}

/// Trims one internal topic by the offsets of the group that reads it.
pub struct Trimmer {
    admin: AdminClient<DefaultClientContext>,
    group: BaseConsumer<Quiet>,
    topic: String,
}

const TIMEOUT: Duration = Duration::from_secs(10);

impl Trimmer {
    /// A trimmer of `topic`, which `group` reads.
    ///
    /// # Errors
    /// If the configuration is refused.
    pub fn new(client: &ClientOptions, group: &str, topic: &str) -> Result<Self, KafkaError> {
        let mut config = client.reader("throughline-trim", true);
        // Only asked for offsets: it never subscribes, so it never joins.
        config.set("group.id", group);
        Ok(Self {
            admin: client.admin("throughline-trim").create()?,
            group: config.create_with_context(Quiet)?,
            topic: topic.to_owned(),
        })
    }

    /// Deletes what is committed and older than `before` (milliseconds since 1970) from these partitions. Returns how many
    /// partitions were trimmed.
    ///
    /// # Errors
    /// As the brokers say.
    pub async fn trim(&self, partitions: &[i32], before: i64) -> Result<usize, KafkaError> {
        if partitions.is_empty() {
            return Ok(0);
        }
        let mut asked = TopicPartitionList::new();
        let mut times = TopicPartitionList::new();
        for partition in partitions {
            asked.add_partition(&self.topic, *partition);
            times.add_partition_offset(&self.topic, *partition, Offset::Offset(before))?;
        }
        let committed = self.group.committed_offsets(asked, TIMEOUT)?;
        let young = self.group.offsets_for_times(times, TIMEOUT)?;
        let mut delete = TopicPartitionList::new();
        for partition in partitions {
            let offset =
                |list: &TopicPartitionList| list.find_partition(&self.topic, *partition).map(|found| found.offset());
            let Some(Offset::Offset(committed)) = offset(&committed) else { continue };
            let until = match offset(&young) {
                Some(Offset::Offset(young)) => committed.min(young),
                // Nothing is younger: everything committed may go.
                Some(Offset::End) => committed,
                _ => continue,
            };
            if until > 0 {
                delete.add_partition_offset(&self.topic, *partition, Offset::Offset(until))?;
            }
        }
        if delete.count() > 0 {
            let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
            self.admin.delete_records(&delete, &options).await?;
        }
        Ok(delete.count())
    }
}
