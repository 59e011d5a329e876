//! The properties of a log that the simulation relies on, on a real broker.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset as At, TopicPartitionList};
use throughline_kafka::admin::{Admin, TopicSpec};
use throughline_kafka::client::ClientOptions;
use throughline_testkit::broker::{Broker, unique_name};
use throughline_testkit::contract::{Log, Offset, Reader, Refused, Seen, each_property, properties};
use tokio::runtime::Runtime;

const CALL: Duration = Duration::from_secs(20);
/// Milliseconds of a session: as short as a broker allows.
const SESSION: u32 = 6_000;

/// A broker, and the members that have to be polled to stay members.
struct Real {
    client: ClientOptions,
    prefix: String,
    runtime: Runtime,
    members: Vec<Option<BaseConsumer>>,
}

impl Real {
    fn new() -> Self {
        let client = ClientOptions { brokers: Broker::shared().to_owned(), settings: Vec::new() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { client, prefix: unique_name("contract"), runtime, members: Vec::new() }
    }

    fn named(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn reader(&self, reader: Reader) -> BaseConsumer {
        let config = self.client.reader(&self.prefix, reader == Reader::Committed);
        config.create().expect("a reader")
    }

    /// A member's client, or that of somebody who never joins.
    fn consumer(&self, group: &str, instance: &str) -> BaseConsumer {
        let (group, instance) = (self.named(group), self.named(instance));
        self.client.consumer(&instance, &group, &instance, SESSION).create().expect("a consumer")
    }

    fn poll_members(&self) {
        for member in self.members.iter().flatten() {
            // Records do not matter here, notices of the group do.
            while member.poll(Duration::from_millis(5)).is_some() {}
        }
    }
}

fn refused(error: &KafkaError) -> Refused {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch) => Refused::Fenced,
        Some(Code::IllegalGeneration | Code::UnknownMemberId) => Refused::StaleMember,
        Some(Code::FencedInstanceId) => Refused::SupersededMember,
        _ => Refused::Other(error.to_string()),
    }
}

/// The call again while the coordinator is busy with the transaction before.
fn retried(mut call: impl FnMut() -> Result<(), KafkaError>) -> Result<(), Refused> {
    let deadline = Instant::now() + CALL;
    loop {
        match call() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {}
            other => return other.map_err(|error| refused(&error)),
        }
    }
}

impl Log for Real {
    type Producer = BaseProducer;
    type Member = usize;
    type Credentials = ConsumerGroupMetadata;

    fn create(&mut self, name: &str, compacts: bool) -> String {
        let topic = self.named(name);
        let admin = Admin::new(&self.client, CALL).expect("an admin client");
        let mut settings = Vec::new();
        if compacts {
            let eager = [
                ("cleanup.policy", "compact"),
                ("segment.ms", "100"),
                ("min.cleanable.dirty.ratio", "0.01"),
                ("max.compaction.lag.ms", "200"),
            ];
            settings.extend(eager.map(|(key, value)| (key.to_owned(), value.to_owned())));
        }
        let spec = TopicSpec { name: topic.clone(), partitions: 2, replication: 1, settings };
        self.runtime.block_on(admin.create(&[spec])).expect("a topic is created");
        topic
    }

    fn register(&mut self, id: &str, timeout: u32) -> BaseProducer {
        let mut config = self.client.producer(&self.prefix, &self.named(id), timeout);
        // Records have to be acknowledged inside the shortest transaction; and reports are not needed.
        let producer: BaseProducer =
            config.set("message.timeout.ms", timeout.to_string()).create().expect("a producer");
        retried(|| producer.init_transactions(CALL)).expect("a producer registers");
        producer
    }

    fn begin(&mut self, producer: &mut BaseProducer) {
        producer.begin_transaction().expect("a transaction begins");
    }

    fn send(&mut self, producer: &mut BaseProducer, topic: &str, key: &str, value: Option<&str>) {
        let mut record = BaseRecord::<str, str>::to(topic).partition(0).key(key);
        if let Some(value) = value {
            record = record.payload(value);
        }
        assert!(producer.send(record).is_ok(), "a record is taken");
        producer.flush(CALL).expect("a record is acknowledged");
    }

    fn send_offset(
        &mut self,
        producer: &mut BaseProducer,
        credentials: &ConsumerGroupMetadata,
        topic: &str,
        next: i64,
        metadata: &str,
    ) -> Result<(), Refused> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, At::Offset(next)).expect("an offset");
        list.find_partition(topic, 0).expect("just added").set_metadata(metadata);
        retried(|| producer.send_offsets_to_transaction(&list, credentials, CALL))
    }

    fn commit(&mut self, producer: &mut BaseProducer) -> Result<(), Refused> {
        retried(|| producer.commit_transaction(CALL))
    }

    fn abort(&mut self, producer: &mut BaseProducer) -> Result<(), Refused> {
        retried(|| producer.abort_transaction(CALL))
    }

    fn read(&mut self, topic: &str, reader: Reader) -> Vec<Seen> {
        let consumer = self.reader(reader);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, At::Beginning).expect("an offset");
        consumer.assign(&list).expect("assigned");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text was written");
        let mut records = Vec::new();
        let deadline = Instant::now() + CALL;
        while Instant::now() < deadline {
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(record)) => records.push(Seen {
                    offset: record.offset(),
                    key: text(record.key().expect("every record has a key")),
                    value: record.payload().map(text),
                }),
                Some(Err(KafkaError::PartitionEOF(_))) => return records,
                Some(Err(_)) | None => {}
            }
        }
        panic!("{topic} is not read to its end");
    }

    fn watermarks(&mut self, topic: &str, reader: Reader) -> (i64, i64) {
        self.reader(reader).fetch_watermarks(topic, 0, CALL).expect("watermarks")
    }

    fn delete_before(&mut self, topic: &str, offset: i64) {
        let admin: AdminClient<DefaultClientContext> =
            self.client.admin(&self.prefix).create().expect("an admin client");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, At::Offset(offset)).expect("an offset");
        self.runtime.block_on(admin.delete_records(&list, &AdminOptions::new())).expect("records are deleted");
    }

    fn committed(&mut self, group: &str, topic: &str) -> Offset {
        let mut config = self.client.reader(&self.prefix, true);
        let consumer: BaseConsumer = config.set("group.id", self.named(group)).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, 0);
        // The client asks again while the offset is unstable, so that this shows as a call that takes too long.
        let Ok(found) = consumer.committed_offsets(list, Duration::from_secs(2)) else { return Offset::Unstable };
        let at = found.find_partition(topic, 0).expect("was asked for");
        match (at.error(), at.offset()) {
            (Ok(()), At::Offset(next)) => Offset::At(next, at.metadata().to_owned()),
            (Ok(()), _) => Offset::Absent,
            (Err(_), _) => Offset::Unstable,
        }
    }

    fn join(&mut self, group: &str, topic: &str, instance: &str) -> usize {
        let consumer = self.consumer(group, instance);
        consumer.subscribe(&[topic]).expect("subscribed");
        self.members.push(Some(consumer));
        let at = self.members.len() - 1;
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            self.poll_members();
            let joined = self.members[at].as_ref().expect("just made").assignment().expect("an assignment");
            if joined.count() > 0 {
                return at;
            }
        }
        panic!("{instance} is given nothing");
    }

    fn credentials(&mut self, member: &usize) -> ConsumerGroupMetadata {
        self.members[*member].as_ref().expect("a live member").group_metadata().expect("a member of a group")
    }

    fn outsider(&mut self, group: &str) -> ConsumerGroupMetadata {
        self.consumer(group, "outsider").group_metadata().expect("metadata without a generation")
    }

    fn kill(&mut self, member: usize) {
        // A static member leaves without a word when it is closed.
        self.members[member] = None;
    }

    fn pass(&mut self) {
        self.poll_members();
        let idle = self.reader(Reader::Uncommitted);
        let _nothing = idle.poll(Duration::from_millis(100));
    }

    fn patience(&self) -> u32 {
        600
    }
}

macro_rules! check {
    ($name:ident) => {
        #[test]
        fn $name() {
            properties::$name(&mut Real::new());
        }
    };
}

each_property!(check);
