//! Output records in one arena: nothing is allocated per record.

use std::ops::Range;

use throughline_model::Topic;

/// A header of an output record; names are few and fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputHeader {
    /// Name.
    pub name: HeaderName,
    /// Value in the arena.
    value: Range<u32>,
}

/// Name of an output header: one of ours, or one carried through from a source record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderName {
    /// A name known at compile time.
    Fixed(&'static str),
    /// A name in the arena.
    Carried(Range<u32>),
}

/// Where an output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Logical topic.
    pub topic: Topic,
    /// Partition; none lets the client choose (dead letters, touchpoints without a customer).
    pub partition: Option<i32>,
}

/// An output record; its bytes are in the arena.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputRecord {
    /// Where it goes.
    pub target: Target,
    key: Option<Range<u32>>,
    value: Option<Range<u32>>,
    headers: Range<u32>,
    /// Kafka timestamp in milliseconds; none lets the client choose.
    pub timestamp: Option<i64>,
}

/// Collects the outputs of a batch.
#[derive(Debug, Default)]
pub struct Outputs {
    bytes: Vec<u8>,
    headers: Vec<OutputHeader>,
    records: Vec<OutputRecord>,
}

/// Writes one record.
#[derive(Debug)]
pub struct RecordWriter<'o> {
    outputs: &'o mut Outputs,
    target: Target,
    key: Option<Range<u32>>,
    value: Option<Range<u32>>,
    headers_from: u32,
    timestamp: Option<i64>,
}

impl Outputs {
    /// Starts a record.
    pub fn record(&mut self, topic: Topic, partition: Option<i32>) -> RecordWriter<'_> {
        let headers_from = self.headers.len() as u32;
        RecordWriter {
            outputs: self,
            target: Target { topic, partition },
            key: None,
            value: None,
            headers_from,
            timestamp: None,
        }
    }

    /// The records in their order.
    #[must_use]
    pub fn records(&self) -> &[OutputRecord] {
        &self.records
    }

    /// Key of a record.
    #[must_use]
    pub fn key(&self, record: &OutputRecord) -> Option<&[u8]> {
        record.key.clone().map(|range| self.slice(range))
    }

    /// Value of a record; none is a deletion.
    #[must_use]
    pub fn value(&self, record: &OutputRecord) -> Option<&[u8]> {
        record.value.clone().map(|range| self.slice(range))
    }

    /// Headers of a record.
    pub fn headers(&self, record: &OutputRecord) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.headers[record.headers.start as usize..record.headers.end as usize].iter().map(|header| {
            let name = match &header.name {
                HeaderName::Fixed(name) => name,
                HeaderName::Carried(range) => {
                    std::str::from_utf8(self.slice(range.clone())).expect("header names are written from text")
                }
            };
            (name, self.slice(header.value.clone()))
        })
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets everything; buffers are kept.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.headers.clear();
        self.records.clear();
    }

    fn slice(&self, range: Range<u32>) -> &[u8] {
        &self.bytes[range.start as usize..range.end as usize]
    }

    fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<u32> {
        let from = self.bytes.len();
        write(&mut self.bytes);
        // The arena is bounded by the overlay and batch limits, which are far below 4 GiB.
        from as u32..self.bytes.len() as u32
    }
}

impl RecordWriter<'_> {
    /// Sets the key.
    #[must_use]
    pub fn key(mut self, key: &[u8]) -> Self {
        self.key = Some(self.outputs.put(|bytes| bytes.extend_from_slice(key)));
        self
    }

    /// Writes the value straight into the arena.
    #[must_use]
    pub fn value(mut self, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        self.value = Some(self.outputs.put(write));
        self
    }

    /// Adds a header with a fixed name.
    #[must_use]
    pub fn header(self, name: &'static str, value: &[u8]) -> Self {
        let value = self.outputs.put(|bytes| bytes.extend_from_slice(value));
        self.outputs.headers.push(OutputHeader { name: HeaderName::Fixed(name), value });
        self
    }

    /// Adds a header of a source record as it is.
    #[must_use]
    pub fn carried_header(self, name: &str, value: &[u8]) -> Self {
        let name = self.outputs.put(|bytes| bytes.extend_from_slice(name.as_bytes()));
        let value = self.outputs.put(|bytes| bytes.extend_from_slice(value));
        self.outputs.headers.push(OutputHeader { name: HeaderName::Carried(name), value });
        self
    }

    /// Sets the Kafka timestamp.
    #[must_use]
    pub fn timestamp(mut self, millis: i64) -> Self {
        self.timestamp = Some(millis);
        self
    }

    /// Ends the record. Without a value it is a deletion.
    pub fn end(self) {
        let headers = self.headers_from..self.outputs.headers.len() as u32;
        self.outputs.records.push(OutputRecord {
            target: self.target,
            key: self.key,
            value: self.value,
            headers,
            timestamp: self.timestamp,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_written() {
        let mut outputs = Outputs::default();
        outputs
            .record(Topic::Scores, Some(3))
            .key(b"k")
            .value(|bytes| bytes.extend_from_slice(b"value"))
            .header("content-type", b"application/json")
            .carried_header("x", b"y")
            .timestamp(7)
            .end();
        outputs.record(Topic::AlertsState, None).key(b"gone").end();
        let [first, second] = outputs.records() else { panic!("two records") };
        assert_eq!((outputs.key(first), outputs.value(first)), (Some(&b"k"[..]), Some(&b"value"[..])));
        let headers: Vec<_> = outputs.headers(first).collect();
        assert_eq!(headers, [("content-type", &b"application/json"[..]), ("x", &b"y"[..])]);
        assert_eq!((first.timestamp, first.target.partition), (Some(7), Some(3)));
        assert_eq!(outputs.value(second), None);
        assert_eq!(outputs.headers(second).len(), 0);
        outputs.clear();
        assert!(outputs.is_empty());
    }
}
