//! Callbacks of librdkafka, turned into notices that the driver reads after a poll.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use crate::status::Lag;

/// A membership notice, in the order in which the group sent them.
#[derive(Debug)]
pub(crate) enum Notice {
    Assigned(Vec<(String, i32)>),
    Revoked { partitions: Vec<(String, i32)>, lost: bool },
}

/// Context of a worker's consumer.
#[derive(Debug, Default)]
pub(crate) struct WorkerContext {
    notices: Mutex<Vec<Notice>>,
    /// While the consumer is being closed nobody reads notices any more: partitions are let go at once.
    closing: AtomicBool,
    lag: Mutex<Vec<Lag>>,
}

impl WorkerContext {
    pub(crate) fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.lock().expect("no panic while holding notices"))
    }

    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub(crate) fn take_lag(&self) -> Vec<Lag> {
        std::mem::take(&mut *self.lag.lock().expect("no panic while holding lag"))
    }
}

fn log(level: RDKafkaLogLevel, facility: &str, text: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::warn!(target: "librdkafka", facility, "{text}");
        }
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", facility, "{text}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{text}"),
    }
}

impl ClientContext for WorkerContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(target: "librdkafka", %error, "{reason}");
    }

    fn stats_raw(&self, statistics: &[u8]) {
        if let Some(lag) = crate::status::read_lag(statistics) {
            *self.lag.lock().expect("no panic while holding lag") = lag;
        }
    }
}

impl ConsumerContext for WorkerContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        if self.closing.load(Ordering::Acquire) {
            // The reason is already known to whoever closes the consumer.
            let _ = consumer.incremental_unassign(partitions).or_else(|_| consumer.unassign());
            return;
        }
        let list = partitions.elements().iter().map(|at| (at.topic().to_owned(), at.partition())).collect();
        let notice = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Notice::Assigned(list),
            _ => Notice::Revoked { partitions: list, lost: consumer.assignment_lost() },
        };
        self.notices.lock().expect("no panic while holding notices").push(notice);
    }
}

/// Context of a worker's producer: only failures are reported to it.
#[derive(Debug, Default)]
pub(crate) struct DeliveryContext {
    failed: Mutex<Option<RDKafkaErrorCode>>,
}

impl DeliveryContext {
    pub(crate) fn take_failure(&self) -> Option<RDKafkaErrorCode> {
        self.failed.lock().expect("no panic while holding a failure").take()
    }
}

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(target: "librdkafka", %error, "{reason}");
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
            let mut failed = self.failed.lock().expect("no panic while holding a failure");
            // Siblings of a failed record are purged: the first cause is the one that says why.
            let keeps = failed
                .is_some_and(|known| !matches!(known, RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight));
            if !keeps {
                *failed = Some(code);
            }
        }
    }
}
