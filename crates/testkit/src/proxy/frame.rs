//! The outside of Kafka's requests and answers: a length, and the first fields of the header.

use std::io::{self, Read};

/// Kinds of requests that the proxy can tell apart, by their `api_key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
#[allow(missing_docs, reason = "the names are Kafka's")]
pub enum Api {
    Produce = 0,
    Fetch = 1,
    ListOffsets = 2,
    Metadata = 3,
    OffsetFetch = 9,
    FindCoordinator = 10,
    JoinGroup = 11,
    Heartbeat = 12,
    SyncGroup = 14,
    InitProducerId = 22,
    AddPartitionsToTxn = 24,
    AddOffsetsToTxn = 25,
    EndTxn = 26,
    TxnOffsetCommit = 28,
}

/// Larger than any request or answer of these tests; a length above it means that the stream is not what we think.
const LENGTH_MAX: usize = 256 << 20;

/// One request or answer as it travels, length included.
#[derive(Debug, Default)]
pub(super) struct Frame {
    bytes: Vec<u8>,
}

/// The header of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) api: i16,
    pub(super) correlation: i32,
    /// `client.id`, empty without one.
    pub(super) client: String,
}

impl Frame {
    /// Reads the next frame over the last one; false at the end of the stream.
    pub(super) fn read(&mut self, from: &mut impl Read) -> io::Result<bool> {
        self.bytes.resize(4, 0);
        if let Err(error) = from.read_exact(&mut self.bytes) {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(false) } else { Err(error) };
        }
        let length = i32::from_be_bytes(self.four(0)?);
        let length = usize::try_from(length).ok().filter(|length| *length <= LENGTH_MAX).ok_or_else(torn)?;
        self.bytes.resize(4 + length, 0);
        from.read_exact(&mut self.bytes[4..])?;
        Ok(true)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The header, if this is a request.
    pub(super) fn request(&self) -> io::Result<Header> {
        let client = match i16::from_be_bytes(self.two(12)?) {
            length @ 1.. => self.bytes.get(14..14 + length as usize).ok_or_else(torn)?,
            _ => &[],
        };
        Ok(Header {
            api: i16::from_be_bytes(self.two(4)?),
            correlation: i32::from_be_bytes(self.four(8)?),
            client: String::from_utf8_lossy(client).into_owned(),
        })
    }

    /// The correlation id, if this is an answer.
    pub(super) fn answered(&self) -> io::Result<i32> {
        Ok(i32::from_be_bytes(self.four(4)?))
    }

    fn two(&self, at: usize) -> io::Result<[u8; 2]> {
        self.bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).ok_or_else(torn)
    }

    fn four(&self, at: usize) -> io::Result<[u8; 4]> {
        self.bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).ok_or_else(torn)
    }
}

fn torn() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a frame of Kafka's protocol")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A request as a client writes it, without a body.
    pub(in super::super) fn request(api: Api, correlation: i32, client: &str) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend_from_slice(&(api as i16).to_be_bytes());
        body.extend_from_slice(&3i16.to_be_bytes());
        body.extend_from_slice(&correlation.to_be_bytes());
        body.extend_from_slice(&(client.len() as i16).to_be_bytes());
        body.extend_from_slice(client.as_bytes());
        let mut bytes = (body.len() as i32).to_be_bytes().to_vec();
        bytes.extend(body);
        bytes
    }

    #[test]
    fn a_request_says_its_kind_its_number_and_its_client() {
        let bytes = request(Api::EndTxn, 77, "experience-0");
        let mut frame = Frame::default();
        let mut stream = bytes.as_slice();
        assert!(frame.read(&mut stream).expect("a whole frame"));
        let header = Header { api: 26, correlation: 77, client: "experience-0".to_owned() };
        assert_eq!(frame.request().expect("a header"), header);
        assert_eq!(frame.bytes(), bytes);
        assert!(!frame.read(&mut stream).expect("the end"));
    }

    #[test]
    fn what_is_not_kafka_is_refused() {
        let mut frame = Frame::default();
        assert!(frame.read(&mut b"GET / HTTP/1.1\r\n".as_slice()).is_err());
        assert!(frame.read(&mut [0, 0, 0, 2, 1, 1].as_slice()).expect("a whole frame"));
        assert!(frame.request().is_err());
    }
}
