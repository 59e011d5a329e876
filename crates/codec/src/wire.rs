//! Tagged fields: number and wire type before every value, in the wire format of Protocol Buffers.
//!
//! Frames and state parts are written with it. A reader skips fields it does not know, and a state part keeps them, so
//! that an older version can write back what a newer one wrote. There is no schema compiler behind it: the record path
//! writes straight into a buffer and reads borrowed slices.

/// Wire type of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Variable-length unsigned integer; signed ones are zigzag-coded.
    Uint(u64),
    /// Eight bytes, little endian: a double or a fixed integer.
    Fixed(u64),
    /// Bytes with a length before them: text, ids, nested fields.
    Bytes(&'a [u8]),
}

/// Bytes that are not well-formed tagged fields, or a field of another wire type than expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end inside a field.
    #[error("bytes end inside a field")]
    Torn,
    /// A wire type this format does not use.
    #[error("unknown wire type")]
    UnknownWireType,
    /// A known field with another wire type or an impossible value.
    #[error("field {0} has an impossible value")]
    Impossible(u32),
}

const UINT: u64 = 0;
const FIXED: u64 = 1;
const BYTES: u64 = 2;

/// Appends an unsigned variable-length integer.
pub fn put_uint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Zigzag: small negative numbers stay short.
#[must_use]
pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Inverse of [`zigzag`].
#[must_use]
pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Appends tagged fields to a buffer.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Writer<'o> {
    /// Appends to `out`.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out }
    }

    fn tag(&mut self, field: u32, wire: u64) {
        put_uint(self.out, u64::from(field) << 3 | wire);
    }

    /// An unsigned integer.
    pub fn uint(&mut self, field: u32, value: u64) {
        self.tag(field, UINT);
        put_uint(self.out, value);
    }

    /// An unsigned integer, left out if 0.
    pub fn uint_or_zero(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.uint(field, value);
        }
    }

    /// A signed integer.
    pub fn sint(&mut self, field: u32, value: i64) {
        self.uint(field, zigzag(value));
    }

    /// A signed integer, if there is one.
    pub fn opt_sint(&mut self, field: u32, value: Option<i64>) {
        if let Some(value) = value {
            self.sint(field, value);
        }
    }

    /// A boolean, if there is one: 1 for false, 2 for true.
    pub fn opt_bool(&mut self, field: u32, value: Option<bool>) {
        if let Some(value) = value {
            self.uint(field, 1 + u64::from(value));
        }
    }

    /// A double, bit for bit.
    pub fn double(&mut self, field: u32, value: f64) {
        self.fixed(field, value.to_bits());
    }

    /// A double, if there is one.
    pub fn opt_double(&mut self, field: u32, value: Option<f64>) {
        if let Some(value) = value {
            self.double(field, value);
        }
    }

    /// Eight bytes.
    pub fn fixed(&mut self, field: u32, value: u64) {
        self.tag(field, FIXED);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// Bytes.
    pub fn bytes(&mut self, field: u32, value: &[u8]) {
        self.tag(field, BYTES);
        put_uint(self.out, value.len() as u64);
        self.out.extend_from_slice(value);
    }

    /// Text, left out if empty.
    pub fn text(&mut self, field: u32, value: &str) {
        if !value.is_empty() {
            self.bytes(field, value.as_bytes());
        }
    }

    /// A field that carries fields.
    pub fn nested(&mut self, field: u32, write: impl FnOnce(&mut Writer<'_>)) {
        self.tag(field, BYTES);
        let at = self.out.len();
        // Most nested values are shorter than 128 bytes: one byte of length is kept free and widened when it must be.
        self.out.push(0);
        write(&mut Writer { out: self.out });
        let length = self.out.len() - at - 1;
        if length < 0x80 {
            self.out[at] = length as u8;
            return;
        }
        let mut prefix = Vec::with_capacity(5);
        put_uint(&mut prefix, length as u64);
        self.out.splice(at..=at, prefix);
    }

    /// Fields that were read earlier and are written back as they were.
    pub fn raw(&mut self, fields: &[u8]) {
        self.out.extend_from_slice(fields);
    }
}

/// Reads tagged fields in their order.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    start: usize,
}

impl<'a> Reader<'a> {
    /// Reads all of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, start: 0 }
    }

    /// The next field, `None` at the end.
    ///
    /// # Errors
    /// If the bytes are torn or of another format.
    #[inline]
    #[allow(clippy::should_implement_trait)] // An iterator of results would make every caller longer.
    pub fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, WireError> {
        self.start = self.at;
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let tag = self.uint()?;
        let field = u32::try_from(tag >> 3).map_err(|_| WireError::UnknownWireType)?;
        let value = match tag & 7 {
            UINT => Value::Uint(self.uint()?),
            FIXED => {
                let bytes = self.take(8)?;
                Value::Fixed(u64::from_le_bytes(bytes.try_into().expect("eight bytes were taken")))
            }
            BYTES => {
                let length = usize::try_from(self.uint()?).map_err(|_| WireError::Torn)?;
                Value::Bytes(self.take(length)?)
            }
            _ => return Err(WireError::UnknownWireType),
        };
        Ok(Some((field, value)))
    }

    /// The bytes of the field read last, tag included; for keeping unknown fields.
    #[must_use]
    pub fn last_raw(&self) -> &'a [u8] {
        &self.bytes[self.start..self.at]
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let end = self.at.checked_add(length).ok_or(WireError::Torn)?;
        let bytes = self.bytes.get(self.at..end).ok_or(WireError::Torn)?;
        self.at = end;
        Ok(bytes)
    }

    #[inline]
    fn uint(&mut self) -> Result<u64, WireError> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            Some(_) => self.long_uint(),
            None => Err(WireError::Torn),
        }
    }

    /// An integer of more than one byte.
    fn long_uint(&mut self) -> Result<u64, WireError> {
        // Up to 56 bits at once: the groups of seven bits of eight bytes are pushed together in three steps. A time takes six
        // bytes, and there are several in every touchpoint.
        if let Some(&bytes) = self.bytes[self.at..].first_chunk::<8>() {
            let word = u64::from_le_bytes(bytes);
            let ends = !word & 0x8080_8080_8080_8080;
            if ends != 0 {
                // All bits up to the first byte that does not go on.
                let value = word & (ends ^ (ends - 1)) & 0x7f7f_7f7f_7f7f_7f7f;
                let value = (value & 0x007f_007f_007f_007f) | ((value & 0x7f00_7f00_7f00_7f00) >> 1);
                let value = (value & 0x0000_3fff_0000_3fff) | ((value & 0x3fff_0000_3fff_0000) >> 2);
                self.at += ends.trailing_zeros() as usize / 8 + 1;
                return Ok((value & 0x0fff_ffff) | ((value & 0x0fff_ffff_0000_0000) >> 4));
            }
        }
        let mut value = 0u64;
        let mut shift = 0;
        loop {
            let byte = *self.bytes.get(self.at).ok_or(WireError::Torn)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
            if shift >= 64 {
                return Err(WireError::Torn);
            }
        }
    }
}

/// Reads an unsigned variable-length integer from the front of `bytes`.
#[must_use]
pub fn take_uint(bytes: &mut &[u8]) -> Option<u64> {
    let mut reader = Reader::new(bytes);
    let value = reader.uint().ok()?;
    *bytes = &bytes[reader.at..];
    Some(value)
}

impl<'a> Value<'a> {
    /// As unsigned integer.
    ///
    /// # Errors
    /// If the field has another wire type.
    pub fn uint(self, field: u32) -> Result<u64, WireError> {
        if let Value::Uint(value) = self { Ok(value) } else { Err(WireError::Impossible(field)) }
    }

    /// As signed integer.
    ///
    /// # Errors
    /// If the field has another wire type.
    pub fn sint(self, field: u32) -> Result<i64, WireError> {
        self.uint(field).map(unzigzag)
    }

    /// As the boolean written by [`Writer::opt_bool`].
    ///
    /// # Errors
    /// If the field has another wire type or value.
    pub fn boolean(self, field: u32) -> Result<bool, WireError> {
        match self.uint(field)? {
            1 => Ok(false),
            2 => Ok(true),
            _ => Err(WireError::Impossible(field)),
        }
    }

    /// As double.
    ///
    /// # Errors
    /// If the field has another wire type.
    pub fn double(self, field: u32) -> Result<f64, WireError> {
        self.fixed(field).map(f64::from_bits)
    }

    /// As eight bytes.
    ///
    /// # Errors
    /// If the field has another wire type.
    pub fn fixed(self, field: u32) -> Result<u64, WireError> {
        if let Value::Fixed(value) = self { Ok(value) } else { Err(WireError::Impossible(field)) }
    }

    /// As bytes.
    ///
    /// # Errors
    /// If the field has another wire type.
    pub fn bytes(self, field: u32) -> Result<&'a [u8], WireError> {
        if let Value::Bytes(value) = self { Ok(value) } else { Err(WireError::Impossible(field)) }
    }

    /// As text.
    ///
    /// # Errors
    /// If the field has another wire type or is not UTF-8.
    pub fn text(self, field: u32) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes(field)?).map_err(|_| WireError::Impossible(field))
    }

    /// As exactly `N` bytes.
    ///
    /// # Errors
    /// If the field has another wire type or length.
    pub fn array<const N: usize>(self, field: u32) -> Result<[u8; N], WireError> {
        self.bytes(field)?.try_into().map_err(|_| WireError::Impossible(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_round_trip() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.uint(1, u64::MAX);
        writer.sint(2, i64::MIN);
        writer.double(3, -0.0);
        writer.text(4, "Grüße");
        writer.text(5, "");
        writer.opt_bool(6, Some(false));
        writer.nested(700, |inner| inner.bytes(1, &[7; 300]));
        let mut reader = Reader::new(&out);
        let mut fields = Vec::new();
        while let Some(field) = reader.next().expect("well formed") {
            fields.push((field.0, field.1, reader.last_raw().len()));
        }
        assert_eq!(fields.iter().map(|field| field.2).sum::<usize>(), out.len());
        assert_eq!(fields[0].1.uint(1), Ok(u64::MAX));
        assert_eq!(fields[1].1.sint(2), Ok(i64::MIN));
        assert_eq!(fields[2].1.double(3).map(f64::to_bits), Ok((-0.0f64).to_bits()));
        assert_eq!(fields[3].1.text(4), Ok("Grüße"));
        assert_eq!(fields[4].1.boolean(6), Ok(false));
        let inner = fields[5].1.bytes(700).expect("nested");
        assert_eq!(Reader::new(inner).next(), Ok(Some((1, Value::Bytes(&[7; 300])))));
        assert_eq!(fields[5].1.uint(700), Err(WireError::Impossible(700)));
    }

    #[test]
    fn integers_of_every_length_are_read_wherever_they_end() {
        let edges = (0..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) | 1, u64::MAX >> bit]);
        for value in edges {
            for behind in 0..10 {
                let mut bytes = Vec::new();
                put_uint(&mut bytes, value);
                let length = bytes.len();
                bytes.resize(length + behind, 0xff);
                let mut rest = &bytes[..];
                assert_eq!(take_uint(&mut rest), Some(value));
                assert_eq!(rest.len(), behind);
                assert_eq!(take_uint(&mut &bytes[..length - 1]), None, "torn");
            }
        }
        assert_eq!(take_uint(&mut &[0x80; 16][..]), None, "without an end");
    }

    #[test]
    fn torn_bytes_are_refused_at_every_length() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.uint(1, 300);
        writer.bytes(2, b"abcdef");
        writer.double(3, 1.0);
        let whole = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            let mut count = 0;
            while let Some(_field) = reader.next()? {
                count += 1;
            }
            Ok::<_, WireError>(count)
        };
        assert_eq!(whole(&out), Ok(3));
        let complete = [0, 3, 11];
        for length in 0..out.len() {
            assert_eq!(whole(&out[..length]).is_ok(), complete.contains(&length), "{length}");
        }
    }
}
