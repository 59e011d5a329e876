//! The Confluent wire format: magic byte 0, schema id in 4 bytes, big end first, then the Avro datum.

use thiserror::Error;

/// Bytes before the datum.
pub const HEADER_BYTES: usize = 5;

const MAGIC: u8 = 0;

/// Why bytes are not in the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FramingError {
    /// Fewer bytes than magic byte and id.
    #[error("value has {0} bytes, the wire format starts with 5")]
    Short(usize),
    /// Another first byte.
    #[error("first byte is {0}, not the magic byte 0")]
    Magic(u8),
}

/// Appends magic byte and id.
#[inline]
pub fn put_header(out: &mut Vec<u8>, schema_id: u32) {
    let id = schema_id.to_be_bytes();
    out.extend_from_slice(&[MAGIC, id[0], id[1], id[2], id[3]]);
}

/// Splits a value into schema id and datum.
#[inline]
pub fn split(value: &[u8]) -> Result<(u32, &[u8]), FramingError> {
    match value {
        [MAGIC, a, b, c, d, datum @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), datum)),
        [first, _, _, _, _, ..] => Err(FramingError::Magic(*first)),
        _ => Err(FramingError::Short(value.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip() {
        let mut out = Vec::new();
        put_header(&mut out, 0x0102_0304);
        assert_eq!(out, [0, 1, 2, 3, 4]);
        out.push(9);
        assert_eq!(split(&out), Ok((0x0102_0304, &[9][..])));
    }

    #[test]
    fn other_bytes_are_refused_with_the_reason() {
        assert_eq!(split(b"{\"a\":1}"), Err(FramingError::Magic(b'{')));
        assert_eq!(split(&[0, 0, 0, 1]), Err(FramingError::Short(4)));
        assert_eq!(split(&[0, 0, 0, 0, 1]), Ok((1, &[][..])));
    }
}
