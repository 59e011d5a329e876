//! An output record that owns its bytes.

use serde_json::Value;
use throughline_model::Topic;
use throughline_worker::Outputs;
use throughline_worker::outputs::OutputRecord;

/// A record as it would be on its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its topic.
    pub topic: Topic,
    /// Its partition; none where the client chooses.
    pub partition: Option<i32>,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; none is a deletion, or a dead letter of a record without one.
    pub value: Option<Vec<u8>>,
    /// Headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Kafka timestamp in milliseconds; none where the client chooses.
    pub timestamp: Option<i64>,
}

impl Output {
    /// A record of the outputs of a stage.
    #[must_use]
    pub fn of(outputs: &Outputs, record: &OutputRecord) -> Self {
        Self {
            topic: record.target.topic,
            partition: record.target.partition,
            key: outputs.key(record).map(<[u8]>::to_vec),
            value: outputs.value(record).map(<[u8]>::to_vec),
            headers: outputs.headers(record).map(|(name, value)| (name.to_owned(), value.to_vec())).collect(),
            timestamp: record.timestamp,
        }
    }

    /// The value as JSON; none for a deletion and for what is not JSON, as the bytes of a dead letter may not be.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(self.value.as_deref()?).ok()
    }

    /// The key as text.
    #[must_use]
    pub fn key_text(&self) -> Option<&str> {
        std::str::from_utf8(self.key.as_deref()?).ok()
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(found, _)| found == name)?;
        std::str::from_utf8(value).ok()
    }
}
