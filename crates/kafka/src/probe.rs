//! Looking at a cluster without changing it: who answers, what may be read, whether a group and a transactional id are ours.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::client::ClientOptions;

/// How long one attempt to reach a broker may take.
const ATTEMPT: Duration = Duration::from_secs(2);

/// Why no broker could be asked.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nobody answers at the addresses given.
    #[error("{0}")]
    Unreachable(String),
    /// A broker answers and does not let us in.
    #[error("{0}")]
    Unauthenticated(String),
    /// The client refuses its settings.
    #[error("{0}")]
    Settings(#[from] KafkaError),
}

/// Keeps what librdkafka reports beside its answers: the first error of a connection says why there is none.
#[derive(Debug, Default)]
struct Errors(Mutex<Vec<(Option<RDKafkaErrorCode>, String)>>);

impl ClientContext for Errors {
    fn error(&self, error: KafkaError, reason: &str) {
        let mut errors = self.0.lock().expect("no panic while holding errors");
        errors.push((error.rdkafka_error_code(), reason.to_owned()));
    }
}

impl ConsumerContext for Errors {}

/// A client that only looks.
pub struct Probe {
    consumer: BaseConsumer<Errors>,
    timeout: Duration,
}

impl Probe {
    /// A client named `client_id`; each question may take `timeout`.
    ///
    /// # Errors
    /// If the settings are refused.
    pub fn new(client: &ClientOptions, client_id: &str, timeout: Duration) -> Result<Self, ProbeError> {
        let consumer = client.reader(client_id, true).create_with_context(Errors::default())?;
        Ok(Self { consumer, timeout })
    }

    /// How many brokers the cluster has.
    ///
    /// # Errors
    /// If none answers, or none lets us in.
    pub fn brokers(&self) -> Result<usize, ProbeError> {
        let deadline = Instant::now() + self.timeout;
        loop {
            match self.consumer.fetch_metadata(None, self.timeout.min(ATTEMPT)) {
                Ok(metadata) => return Ok(metadata.brokers().len()),
                // A broker that says no will not say yes a second later; one that starts may.
                Err(error) => match self.why(&error) {
                    ProbeError::Unreachable(_) if Instant::now() < deadline => {}
                    why => return Err(why),
                },
            }
        }
    }

    /// The first reported error says more than "timed out"; one of authentication says it all.
    fn why(&self, error: &KafkaError) -> ProbeError {
        // Reports wait until somebody polls.
        let deadline = Instant::now() + Duration::from_millis(500);
        let mut polled = None;
        while Instant::now() < deadline {
            if let Some(Err(error)) = self.consumer.poll(Duration::from_millis(50)) {
                polled.get_or_insert(error);
            }
        }
        let errors = self.consumer.context().0.lock().expect("no panic while holding errors");
        let refused = |code: Option<RDKafkaErrorCode>| {
            use RDKafkaErrorCode as Code;
            matches!(
                code,
                Some(
                    Code::Authentication
                        | Code::SaslAuthenticationFailed
                        | Code::UnsupportedSASLMechanism
                        | Code::ClusterAuthorizationFailed
                )
            )
        };
        if let Some((_, reason)) = errors.iter().find(|(code, _)| refused(*code)) {
            return ProbeError::Unauthenticated(reason.clone());
        }
        match (polled, errors.first()) {
            (Some(error), _) if refused(error.rdkafka_error_code()) => ProbeError::Unauthenticated(error.to_string()),
            (_, Some((_, reason))) => ProbeError::Unreachable(reason.clone()),
            _ => ProbeError::Unreachable(error.to_string()),
        }
    }

    /// Reads the newest record of every partition of a topic and returns the latest Kafka timestamp among them, in
    /// milliseconds; none if the topic is empty.
    ///
    /// # Errors
    /// If the topic may not be read, or does not answer in time.
    pub fn newest(&self, topic: &str) -> Result<Option<i64>, KafkaError> {
        let metadata = self.consumer.fetch_metadata(Some(topic), self.timeout)?;
        let mut list = TopicPartitionList::new();
        for found in metadata.topics() {
            if let Some(error) = found.error() {
                return Err(KafkaError::MetadataFetch(error.into()));
            }
            for partition in found.partitions() {
                list.add_partition_offset(topic, partition.id(), Offset::OffsetTail(1))?;
            }
        }
        let mut unread = list.count();
        self.consumer.assign(&list)?;
        let deadline = Instant::now() + self.timeout;
        let mut newest = None;
        let mut outcome = Ok(());
        while unread > 0 {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(record)) => newest = newest.max(record.timestamp().to_millis()),
                Some(Err(KafkaError::PartitionEOF(_))) => unread -= 1,
                Some(Err(error)) => {
                    outcome = Err(error);
                    break;
                }
                None if Instant::now() > deadline => {
                    outcome = Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
                    break;
                }
                None => {}
            }
        }
        self.consumer.unassign()?;
        outcome.map(|()| newest)
    }
}

/// Whether the committed offsets of a group may be asked for. Joins nothing.
///
/// # Errors
/// If they may not.
pub fn group(
    client: &ClientOptions,
    client_id: &str,
    group: &str,
    topic: &str,
    timeout: Duration,
) -> Result<(), KafkaError> {
    let mut config = client.reader(client_id, true);
    config.set("group.id", group);
    let consumer: BaseConsumer<Errors> = config.create_with_context(Errors::default())?;
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, 0);
    let offsets = consumer.committed_offsets(list, timeout)?;
    offsets.elements().into_iter().try_for_each(|element| element.error())
}

/// Whether a transactional id may be used. Names an id of its own: using that of a worker would fence the worker.
///
/// # Errors
/// If it may not.
pub fn transactions(
    client: &ClientOptions,
    client_id: &str,
    transactional_id: &str,
    timeout: Duration,
) -> Result<(), KafkaError> {
    let mut config = client.admin(client_id);
    config.set("transactional.id", transactional_id).set("enable.idempotence", "true");
    let producer: BaseProducer = config.create()?;
    producer.init_transactions(timeout)
}
