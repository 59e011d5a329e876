//! The id of a topic: it tells a topic from one of the same name that was made later.
//!
//! rust-rdkafka does not wrap the call, so this module makes it, with its safety argument. It is not on the record path.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::bindings as native;
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use crate::client::ClientOptions;

/// What a topic is on which cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicIdentity {
    /// Id of the cluster.
    pub cluster: String,
    /// Id of the topic.
    pub topic_id: [u8; 16],
}

/// Asks the brokers who a topic is.
///
/// # Errors
/// If they do not answer, or the topic is not there.
pub fn identify(
    client: &ClientOptions,
    client_id: &str,
    topic: &str,
    timeout: Duration,
) -> Result<TopicIdentity, KafkaError> {
    let config: ClientConfig = client.admin(client_id);
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let unknown = KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut);
    let cluster = admin.inner().fetch_cluster_id(timeout).ok_or(unknown)?;
    let topic_id = topic_id(&admin, topic, timeout).map_err(KafkaError::MetadataFetch)?;
    Ok(TopicIdentity { cluster, topic_id })
}

fn topic_id(
    admin: &AdminClient<DefaultClientContext>,
    topic: &str,
    timeout: Duration,
) -> Result<[u8; 16], RDKafkaErrorCode> {
    let name = CString::new(topic).map_err(|_| RDKafkaErrorCode::InvalidTopic)?;
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let client = admin.inner().native_ptr();
    // SAFETY: the client outlives the call, because it is borrowed. Collection and options are copied by
    // rd_kafka_DescribeTopics, so that they and the name only have to live until it returns. The queue is ours alone: nobody
    // else takes the answer, and a late one goes down with it. Everything that is made is destroyed once, the answer after
    // its last use.
    unsafe {
        let mut names = [name.as_ptr()];
        let collection = native::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1);
        let options =
            native::rd_kafka_AdminOptions_new(client, native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        native::rd_kafka_AdminOptions_set_request_timeout(options, millis, std::ptr::null_mut(), 0);
        let queue = native::rd_kafka_queue_new(client);
        native::rd_kafka_DescribeTopics(client, collection, options, queue);
        native::rd_kafka_AdminOptions_destroy(options);
        native::rd_kafka_TopicCollection_destroy(collection);
        let answer = native::rd_kafka_queue_poll(queue, millis);
        let found = read_answer(answer);
        if !answer.is_null() {
            native::rd_kafka_event_destroy(answer);
        }
        native::rd_kafka_queue_destroy(queue);
        found
    }
}

/// # Safety
/// `answer` is null, or the answer of `rd_kafka_DescribeTopics` for one topic, and not destroyed yet.
unsafe fn read_answer(answer: *mut native::rd_kafka_event_t) -> Result<[u8; 16], RDKafkaErrorCode> {
    if answer.is_null() {
        return Err(RDKafkaErrorCode::OperationTimedOut);
    }
    // SAFETY: the pointers belong to the answer, which the caller keeps; the list has as many entries as it says.
    unsafe {
        let code = native::rd_kafka_event_error(answer);
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(code.into());
        }
        let result = native::rd_kafka_event_DescribeTopics_result(answer);
        let mut count = 0;
        let topics = native::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if count == 0 {
            return Err(RDKafkaErrorCode::UnknownTopicOrPartition);
        }
        let topic = *topics;
        let error = native::rd_kafka_TopicDescription_error(topic);
        if !error.is_null() {
            return Err(native::rd_kafka_error_code(error).into());
        }
        let id = native::rd_kafka_TopicDescription_topic_id(topic);
        let high = native::rd_kafka_Uuid_most_significant_bits(id);
        let low = native::rd_kafka_Uuid_least_significant_bits(id);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes());
        Ok(bytes)
    }
}
