//! Audit records on their topic, acknowledged before a look-up is answered.

use throughline_api::{Acknowledged, Audit, AuditFailed, AuditRecord};
use throughline_kafka::append::Appender;
use throughline_model::Now;
use throughline_pipeline::records;

/// Writes audit records to Kafka.
pub struct KafkaAudit {
    appender: Appender,
}

impl KafkaAudit {
    /// Appends to the audit topic.
    #[must_use]
    pub const fn new(appender: Appender) -> Self {
        Self { appender }
    }
}

impl Audit for KafkaAudit {
    fn record(&self, record: AuditRecord) -> Acknowledged {
        let appender = self.appender.clone();
        Box::pin(async move {
            let value = records::AuditRecord {
                audit_id: &record.audit_id,
                occurred_at: Now::from_millis(record.occurred_at_millis),
                actor: &record.actor,
                role: record.role,
                interface: record.interface.as_str(),
                action: record.action.as_str(),
                customer_id: &record.customer_id,
                purpose: &record.purpose,
                result: record.result.as_str(),
                request_id: &record.request_id,
            };
            let mut bytes = Vec::with_capacity(256);
            throughline_codec::record::to_json(&value, &mut bytes);
            appender.append(&record.customer_id, bytes).await.map_err(|error| AuditFailed(error.to_string()))
        })
    }
}
