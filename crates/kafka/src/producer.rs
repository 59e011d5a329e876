//! The transactional producer of a worker.
//!
//! Records without headers go to librdkafka in arrays by `rd_kafka_produce_batch`, with the partition given: that costs a
//! quarter less CPU than one call per record. This module holds all the unsafe code of the record path.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::bindings as native;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use throughline_model::Topic;
use throughline_worker::Outputs;

use crate::context::DeliveryContext;

/// `RD_KAFKA_PARTITION_UA`: librdkafka's partitioner chooses.
const PARTITION_ANY: i32 = -1;
/// How long after its own timeout a call is given up.
const GRACE: Duration = Duration::from_secs(1);

/// A transactional producer with one open topic object per output topic.
pub struct TxnProducer {
    topics: Vec<NativeTopic>,
    batch: Vec<native::rd_kafka_message_t>,
    /// Calls that found the queue full since this was last asked for.
    waits: u64,
    // Dropped after the topic objects that belong to it. Shared with a call that may never be answered.
    producer: Arc<BaseProducer<DeliveryContext>>,
}

struct NativeTopic {
    topic: Topic,
    pointer: *mut native::rd_kafka_topic_t,
}

impl Drop for NativeTopic {
    fn drop(&mut self) {
        // SAFETY: the pointer came from rd_kafka_topic_new, is destroyed once, and its client outlives it because the
        // fields of `TxnProducer` are dropped in their order.
        unsafe { native::rd_kafka_topic_destroy(self.pointer) }
    }
}

/// A record was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct SendError {
    /// Why.
    pub code: RDKafkaErrorCode,
}

/// Offsets were not added to the transaction.
#[derive(Debug, thiserror::Error)]
pub enum OffsetsError {
    /// As librdkafka says.
    #[error(transparent)]
    Client(#[from] KafkaError),
    /// Nothing came back: this producer can do nothing more, and must be replaced.
    #[error("offsets were not answered in time; the coordinator of the group may be gone (librdkafka#5456)")]
    Unanswered,
    /// The machine gives no more threads.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl TxnProducer {
    /// Creates the producer and opens its topics. Names are those of [`Topic::ALL`], in the order of codes.
    ///
    /// # Errors
    /// If the configuration is refused.
    pub fn new(config: &ClientConfig, topic_names: &[String]) -> Result<Self, KafkaError> {
        let producer = Arc::new(BaseProducer::from_config_and_context(config, DeliveryContext::default())?);
        let mut topics = Vec::with_capacity(topic_names.len());
        for (&topic, name) in Topic::ALL.iter().zip(topic_names) {
            let name = CString::new(name.as_str())?;
            // SAFETY: the client pointer is valid while `producer` lives; the name is copied; a null configuration
            // means the client's default.
            let pointer = unsafe {
                native::rd_kafka_topic_new(producer.client().native_ptr(), name.as_ptr(), std::ptr::null_mut())
            };
            if pointer.is_null() {
                return Err(KafkaError::ClientCreation(format!("no topic object for {name:?}")));
            }
            topics.push(NativeTopic { topic, pointer });
        }
        Ok(Self { topics, batch: Vec::new(), waits: 0, producer })
    }

    /// Registers with the transaction coordinator, which ends whatever a former producer of this id left open.
    ///
    /// # Errors
    /// As librdkafka says.
    pub fn init(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.producer.init_transactions(timeout)
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// As librdkafka says.
    pub fn begin(&self) -> Result<(), KafkaError> {
        self.producer.begin_transaction()
    }

    /// Hands all outputs to librdkafka, waiting where its queue is full.
    ///
    /// # Errors
    /// If a record is refused at once; the transaction must be aborted then.
    pub fn send(&mut self, outputs: &Outputs) -> Result<(), SendError> {
        let records = outputs.records();
        let mut from = 0;
        while from < records.len() {
            let first = &records[from];
            let plain = |at: usize| {
                let record = &records[at];
                record.target.topic == first.target.topic
                    && outputs.headers(record).len() == 0
                    && record.timestamp.is_none()
            };
            let mut to = from;
            while to < records.len() && plain(to) {
                to += 1;
            }
            if to > from {
                self.send_batch(outputs, from..to)?;
                from = to;
            } else {
                self.send_one(outputs, from)?;
                from += 1;
            }
        }
        Ok(())
    }

    fn topic(&self, topic: Topic) -> *mut native::rd_kafka_topic_t {
        let at = &self.topics[usize::from(topic.code())];
        debug_assert_eq!(at.topic, topic, "topics are opened in the order of their codes");
        at.pointer
    }

    fn send_batch(&mut self, outputs: &Outputs, range: std::ops::Range<usize>) -> Result<(), SendError> {
        let records = &outputs.records()[range];
        let topic = self.topic(records[0].target.topic);
        self.batch.clear();
        for record in records {
            let (payload, len) = parts(outputs.value(record));
            let (key, key_len) = parts(outputs.key(record));
            self.batch.push(native::rd_kafka_message_t {
                err: RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
                rkt: std::ptr::null_mut(),
                partition: record.target.partition.unwrap_or(PARTITION_ANY),
                payload,
                len,
                key,
                key_len,
                offset: 0,
                _private: std::ptr::null_mut(),
            });
        }
        let mut from = 0;
        while from < self.batch.len() {
            let rest = &mut self.batch[from..];
            // SAFETY: the topic object lives as long as self; every entry points into `outputs`, which is borrowed for
            // the whole call, and MSG_F_COPY makes librdkafka copy key and payload before it returns. MSG_F_PARTITION
            // makes it take the partition of each entry.
            let taken = unsafe {
                native::rd_kafka_produce_batch(
                    topic,
                    PARTITION_ANY,
                    native::RD_KAFKA_MSG_F_COPY | native::RD_KAFKA_MSG_F_PARTITION,
                    rest.as_mut_ptr(),
                    i32::try_from(rest.len()).expect("a batch is bounded by the arena"),
                )
            };
            let taken = usize::try_from(taken).unwrap_or(0);
            if taken == rest.len() {
                break;
            }
            // Those not taken say why; only a full queue is worth waiting for. Taken ones must not be sent again.
            let mut kept = from;
            for at in from..self.batch.len() {
                let refused = self.batch[at];
                match refused.err {
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {}
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR__QUEUE_FULL => {
                        self.batch[kept] = refused;
                        kept += 1;
                    }
                    error => return Err(SendError { code: error.into() }),
                }
            }
            self.batch.truncate(kept);
            for again in &mut self.batch[from..] {
                again.err = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
            }
            from = from.min(self.batch.len());
            self.waits += 1;
            self.producer.poll(Duration::from_millis(1));
        }
        Ok(())
    }

    fn send_one(&mut self, outputs: &Outputs, at: usize) -> Result<(), SendError> {
        let record = &outputs.records()[at];
        let topic = self.topic(record.target.topic);
        let (payload, len) = parts(outputs.value(record));
        let (key, key_len) = parts(outputs.key(record));
        loop {
            let headers = native_headers(outputs, at);
            // SAFETY: as in `send_batch`; the arguments follow the types that each tag announces. The headers are given
            // away where the call succeeds and destroyed here where it does not.
            let error = unsafe {
                use native::rd_kafka_vtype_t as tag;
                native::rd_kafka_producev(
                    self.producer.client().native_ptr(),
                    tag::RD_KAFKA_VTYPE_RKT,
                    topic,
                    tag::RD_KAFKA_VTYPE_PARTITION,
                    record.target.partition.unwrap_or(PARTITION_ANY),
                    tag::RD_KAFKA_VTYPE_MSGFLAGS,
                    native::RD_KAFKA_MSG_F_COPY,
                    tag::RD_KAFKA_VTYPE_VALUE,
                    payload,
                    len,
                    tag::RD_KAFKA_VTYPE_KEY,
                    key,
                    key_len,
                    tag::RD_KAFKA_VTYPE_TIMESTAMP,
                    record.timestamp.unwrap_or(0),
                    tag::RD_KAFKA_VTYPE_HEADERS,
                    headers,
                    tag::RD_KAFKA_VTYPE_END,
                )
            };
            match error {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => return Ok(()),
                error => {
                    // SAFETY: librdkafka takes the headers only where it takes the record.
                    unsafe { native::rd_kafka_headers_destroy(headers) };
                    if error != RDKafkaRespErr::RD_KAFKA_RESP_ERR__QUEUE_FULL {
                        return Err(SendError { code: error.into() });
                    }
                    self.waits += 1;
                    self.producer.poll(Duration::from_millis(1));
                }
            }
        }
    }

    /// The first failure of a delivery since it was last asked for.
    #[must_use]
    pub fn take_failure(&self) -> Option<RDKafkaErrorCode> {
        self.wait_failure(Duration::ZERO)
    }

    /// The same, after waiting for reports for `timeout`.
    #[must_use]
    pub fn wait_failure(&self, timeout: Duration) -> Option<RDKafkaErrorCode> {
        self.producer.poll(timeout);
        self.producer.context().take_failure()
    }

    /// Waits until nothing is in flight, or `timeout`. Delivery reports are only made for failures, so nothing needs to be
    /// polled while waiting. Returns whether it drained.
    #[must_use]
    pub fn drain(&self, timeout: Duration) -> bool {
        let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the client pointer is valid while the producer lives.
        let error = unsafe { native::rd_kafka_flush(self.producer.client().native_ptr(), millis) };
        error == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
    }

    /// How often the queue was found full since this was last asked for.
    pub const fn take_waits(&mut self) -> u64 {
        std::mem::replace(&mut self.waits, 0)
    }

    /// Records handed over and not yet acknowledged.
    #[must_use]
    pub fn in_flight(&self) -> i32 {
        self.producer.in_flight_count()
    }

    /// Adds consumer offsets to the transaction.
    ///
    /// librdkafka does not hold this call to its timeout: while the coordinator of the group is gone it can wait until some
    /// broker's connection changes (librdkafka#5456, #5511). It is made on a thread of its own, which is left behind where it
    /// does not answer, and lets go of the client when it does at last.
    ///
    /// # Errors
    /// See [`OffsetsError`].
    pub fn send_offsets(
        &self,
        offsets: TopicPartitionList,
        group: ConsumerGroupMetadata,
        timeout: Duration,
    ) -> Result<(), OffsetsError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let producer = Arc::clone(&self.producer);
        std::thread::Builder::new().name("offsets".to_owned()).spawn(move || {
            let sent = producer.send_offsets_to_transaction(&offsets, &group, timeout);
            // Before the answer, or this could be the thread that has to wait for the client's end.
            drop(producer);
            let _nobody_waits_any_more = answer.send(sent);
        })?;
        answered.recv_timeout(timeout + GRACE).map_err(|_| OffsetsError::Unanswered)?.map_err(OffsetsError::Client)
    }

    /// Commits. The caller drained before.
    ///
    /// # Errors
    /// As librdkafka says.
    pub fn commit(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.producer.commit_transaction(timeout)
    }

    /// Aborts. `abort_transaction` waits for the reports of purged records and does not serve them itself, so that another
    /// thread polls meanwhile.
    ///
    /// # Errors
    /// As librdkafka says.
    pub fn abort(&self, timeout: Duration) -> Result<(), KafkaError> {
        let done = AtomicBool::new(false);
        let producer = &*self.producer;
        let aborted = std::thread::scope(|scope| {
            let done = &done;
            scope.spawn(move || {
                while !done.load(Ordering::Acquire) {
                    producer.poll(Duration::from_millis(5));
                }
            });
            let aborted = producer.abort_transaction(timeout);
            done.store(true, Ordering::Release);
            aborted
        });
        aborted?;
        let _of_the_aborted = self.producer.context().take_failure();
        Ok(())
    }
}

// SAFETY: the raw pointers are librdkafka objects, which may be used from any thread; the producer is moved to its
// worker's thread once and used there alone.
unsafe impl Send for TxnProducer {}

fn parts(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    match bytes {
        None => (std::ptr::null_mut(), 0),
        // An empty value is not a deletion: librdkafka tells them apart by the pointer.
        Some(bytes) => (bytes.as_ptr().cast_mut().cast(), bytes.len()),
    }
}

fn native_headers(outputs: &Outputs, at: usize) -> *mut native::rd_kafka_headers_t {
    let headers = outputs.headers(&outputs.records()[at]);
    // SAFETY: a new list; names are given with their length and copied, values too.
    unsafe {
        let list = native::rd_kafka_headers_new(headers.len());
        for (name, value) in headers {
            native::rd_kafka_header_add(
                list,
                name.as_ptr().cast(),
                name.len() as isize,
                value.as_ptr().cast(),
                value.len() as isize,
            );
        }
        list
    }
}

/// Version of the librdkafka that is linked in.
#[must_use]
pub fn librdkafka_version() -> String {
    // SAFETY: returns a static, zero-terminated text.
    unsafe { CStr::from_ptr(native::rd_kafka_version_str()) }.to_string_lossy().into_owned()
}
