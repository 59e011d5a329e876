//! Avro's binary encoding: fields one after the other, nothing between them.

use super::{FieldName, Record, Sink, published};

/// Appends the record as an Avro datum of its schema.
#[inline]
pub fn to_avro<R: Record>(record: &R, out: &mut Vec<u8>) {
    record.fields(&mut AvroSink { out });
}

/// Appends fields as Avro; the output buffer is the only thing that may grow.
#[derive(Debug)]
pub struct AvroSink<'b> {
    out: &'b mut Vec<u8>,
}

/// Appends a zigzag variable-length integer, Avro's `int` and `long`.
#[inline]
pub fn put_long(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    if rest < 0x80 {
        out.push(rest as u8);
        return;
    }
    let mut bytes = [0u8; 10];
    let mut length = 0;
    while rest >= 0x80 {
        bytes[length] = rest as u8 | 0x80;
        rest >>= 7;
        length += 1;
    }
    bytes[length] = rest as u8;
    out.extend_from_slice(&bytes[..=length]);
}

#[inline]
fn put_text(out: &mut Vec<u8>, value: &str) {
    put_length(out, value.len());
    out.extend_from_slice(value.as_bytes());
}

#[inline]
fn put_length(out: &mut Vec<u8>, length: usize) {
    put_long(out, i64::try_from(length).expect("no slice is longer than an i64 can count"));
}

impl AvroSink<'_> {
    /// The branch of `["null", T]`; whether a value follows.
    #[inline]
    fn branch<T>(&mut self, value: Option<T>) -> Option<T> {
        self.out.push(if value.is_some() { 2 } else { 0 });
        value
    }

    /// One block with all members, then the empty block that ends an array.
    #[inline]
    fn array<T>(&mut self, members: &[T], mut put: impl FnMut(&mut Self, &T)) {
        if !members.is_empty() {
            put_length(self.out, members.len());
            for member in members {
                put(self, member);
            }
        }
        self.out.push(0);
    }
}

impl Sink for AvroSink<'_> {
    #[inline]
    fn string(&mut self, _: FieldName, value: &str) {
        put_text(self.out, value);
    }

    #[inline]
    fn opt_string(&mut self, field: FieldName, value: Option<&str>) {
        if let Some(value) = self.branch(value) {
            self.string(field, value);
        }
    }

    #[inline]
    fn long(&mut self, _: FieldName, value: i64) {
        put_long(self.out, value);
    }

    #[inline]
    fn opt_long(&mut self, field: FieldName, value: Option<i64>) {
        if let Some(value) = self.branch(value) {
            self.long(field, value);
        }
    }

    #[inline]
    fn int(&mut self, _: FieldName, value: i32) {
        put_long(self.out, i64::from(value));
    }

    #[inline]
    fn opt_int(&mut self, field: FieldName, value: Option<i32>) {
        if let Some(value) = self.branch(value) {
            self.int(field, value);
        }
    }

    #[inline]
    fn double(&mut self, _: FieldName, value: f64) {
        self.out.extend_from_slice(&published(value).to_le_bytes());
    }

    #[inline]
    fn opt_double(&mut self, field: FieldName, value: Option<f64>) {
        if let Some(value) = self.branch(value) {
            self.double(field, value);
        }
    }

    #[inline]
    fn boolean(&mut self, _: FieldName, value: bool) {
        self.out.push(u8::from(value));
    }

    #[inline]
    fn opt_boolean(&mut self, field: FieldName, value: Option<bool>) {
        if let Some(value) = self.branch(value) {
            self.boolean(field, value);
        }
    }

    #[inline]
    fn timestamp(&mut self, field: FieldName, millis: i64) {
        self.long(field, millis);
    }

    #[inline]
    fn opt_timestamp(&mut self, field: FieldName, millis: Option<i64>) {
        self.opt_long(field, millis);
    }

    fn opt_record<R: Record>(&mut self, _: FieldName, value: Option<&R>) {
        if let Some(value) = self.branch(value) {
            value.fields(self);
        }
    }

    fn array_of_records<R: Record>(&mut self, _: FieldName, values: &[R]) {
        self.array(values, |sink, value| value.fields(sink));
    }

    fn array_of_strings(&mut self, _: FieldName, values: &[&str]) {
        self.array(values, |sink, value| put_text(sink.out, value));
    }
}

/// An Avro object container file with these datums in one uncompressed block, which every Avro tool opens.
///
/// The marker between blocks is fixed instead of random, so that equal records make equal files.
#[must_use]
pub fn container(schema: &str, datums: &[Vec<u8>]) -> Vec<u8> {
    const MARKER: &[u8; 16] = b"throughline-sync";
    let mut out = b"Obj\x01".to_vec();
    put_long(&mut out, 2);
    put_text(&mut out, "avro.schema");
    put_text(&mut out, schema);
    put_text(&mut out, "avro.codec");
    put_text(&mut out, "null");
    put_long(&mut out, 0);
    out.extend_from_slice(MARKER);
    put_length(&mut out, datums.len());
    put_length(&mut out, datums.iter().map(Vec::len).sum());
    for datum in datums {
        out.extend_from_slice(datum);
    }
    out.extend_from_slice(MARKER);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_zigzag_with_seven_bits_a_byte() {
        for (value, bytes) in
            [(0, &[0u8][..]), (-1, &[1]), (1, &[2]), (63, &[126]), (64, &[0x80, 1]), (-65, &[0x81, 1])]
        {
            let mut out = Vec::new();
            put_long(&mut out, value);
            assert_eq!(out, bytes, "{value}");
        }
        let mut out = Vec::new();
        put_long(&mut out, i64::MIN);
        assert_eq!(out, [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    }
}
