//! What the tests of restores do to topics from outside.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use throughline_kafka::admin::Admin;
use throughline_model::murmur2::partition_of;
use throughline_testkit::broker::unique_name;

use super::counting::{self, spec};
use super::{Deployment, LIMIT, PARTITIONS};

impl Deployment {
    /// Deletes the records of a partition before this offset, and returns its first offset then.
    pub(super) fn delete_records(&self, name: &str, partition: i32, before: Offset) -> i64 {
        let client: AdminClient<DefaultClientContext> = self.client.admin("outside").create().expect("an admin client");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic(name), partition, before).expect("an offset");
        Self::runtime().block_on(client.delete_records(&list, &AdminOptions::new())).expect("deleted");
        self.range(name, partition).0
    }

    /// Its first and its next offset.
    pub(super) fn range(&self, name: &str, partition: i32) -> (i64, i64) {
        let consumer: BaseConsumer = self.client.reader("outside", false).create().expect("a consumer");
        consumer.fetch_watermarks(&self.topic(name), partition, Duration::from_secs(10)).expect("answered")
    }

    /// Begins a transaction of somebody else with a record in each of these partitions of the changelog.
    pub(super) fn open_transaction(&self, partitions: impl Iterator<Item = i32>) -> BaseProducer {
        let mut config = self.client.admin("outside");
        config.set("transactional.id", unique_name(&self.prefix));
        let producer: BaseProducer = config.create().expect("a producer");
        producer.init_transactions(LIMIT).expect("registered");
        self.write_open(&producer, partitions);
        producer
    }

    pub(super) fn write_open(&self, producer: &BaseProducer, partitions: impl Iterator<Item = i32>) {
        producer.begin_transaction().expect("begun");
        let topic = self.topic("changelog");
        for partition in partitions {
            let value = 1_000_000u64.to_le_bytes();
            let record = BaseRecord::to(&topic).partition(partition).key("k1").payload(&value);
            producer.send(record).map_err(|(error, _)| error).expect("taken");
        }
        producer.flush(LIMIT).expect("acknowledged");
    }

    /// A changelog in which each of so many keys was counted seven times, and a group that has read none of its input since.
    pub(super) fn fill(&self, keys: u64) {
        let producer: BaseProducer = self.client.admin("outside").create().expect("a producer");
        let topic = self.topic("changelog");
        let send = |partition: u32, key: &[u8], value: &[u8]| {
            let mut record = BaseRecord::to(&topic).partition(partition as i32).key(key).payload(value);
            while let Err((_, again)) = producer.send(record) {
                record = again;
                producer.poll(Duration::from_millis(5));
            }
        };
        (0..PARTITIONS).for_each(|partition| send(partition, counting::HEADER, &[]));
        for key in (0..keys).map(|at| format!("k{at}")) {
            send(partition_of(key.as_bytes(), PARTITIONS) as u32, key.as_bytes(), &7u64.to_le_bytes());
        }
        producer.flush(LIMIT).expect("acknowledged");
        let mut config = self.client.admin("outside");
        let consumer: BaseConsumer = config.set("group.id", &self.prefix).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS as i32 {
            list.add_partition_offset(&self.topic("in"), partition, Offset::Offset(0)).expect("an offset");
            list.find_partition(&self.topic("in"), partition).expect("it is there").set_metadata("txn_seq=1;by=1");
        }
        consumer.commit(&list, CommitMode::Sync).expect("committed");
    }

    /// Sets settings of the changelog beside those that it has.
    pub(super) fn alter_changelog(&self, settings: &[(&str, &str)]) {
        let admin = Admin::new(&self.client, LIMIT).expect("an admin client");
        let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        Self::runtime().block_on(async {
            let found = admin.find(&[&self.topic("changelog")]).await.expect("brokers answer");
            admin.alter(&found[0], &settings).await.expect("altered");
        });
    }

    /// Records of the changelog, those of dropped transactions too.
    pub(super) fn changelog_records(&self) -> usize {
        let consumer: BaseConsumer = self.client.reader("outside", false).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS as i32 {
            list.add_partition_offset(&self.topic("changelog"), partition, Offset::Beginning).expect("an offset");
        }
        consumer.assign(&list).expect("assigned");
        let (mut records, mut ended, began) = (0, 0, Instant::now());
        while ended < PARTITIONS {
            assert!(began.elapsed() < LIMIT, "the changelog has an end");
            match consumer.poll(Duration::from_millis(50)) {
                Some(Ok(_)) => records += 1,
                Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
                Some(Err(error)) => panic!("reading the changelog: {error}"),
                None => {}
            }
        }
        records
    }

    pub(super) fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
    }

    pub(super) fn delete(&self, name: &str) {
        let client: AdminClient<DefaultClientContext> = self.client.admin("outside").create().expect("an admin client");
        let topic = self.topic(name);
        let names = [topic.as_str()];
        let done = Self::runtime().block_on(client.delete_topics(&names, &AdminOptions::new())).expect("answered");
        done.into_iter().for_each(|topic| drop(topic.expect("deleted")));
    }

    /// Deletion is done behind the answer.
    pub(super) fn create_when_gone(&self, name: &str) {
        let began = Instant::now();
        loop {
            let admin = Admin::new(&self.client, Duration::from_secs(10)).expect("an admin client");
            let specs = [spec(self.topic(name), PARTITIONS)];
            if Self::runtime().block_on(admin.create(&specs)).is_ok() {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "the topic is gone in the end");
        }
    }
}
