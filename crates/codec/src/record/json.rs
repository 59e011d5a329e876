//! JSON with the field names of the schema, written straight into the output.
//!
//! Optional fields without a value are absent. All others are always there: numbers, truth values, empty strings, empty
//! arrays.

use std::io::Write;

use throughline_model::time::DAY;

use super::{FieldName, Record, Sink, published};

/// Appends the record as a JSON object.
#[inline]
pub fn to_json<R: Record>(record: &R, out: &mut Vec<u8>) {
    JsonSink { out }.object(record);
}

/// Appends fields as members of an object that was opened before.
#[derive(Debug)]
pub struct JsonSink<'b> {
    out: &'b mut Vec<u8>,
}

impl JsonSink<'_> {
    #[inline]
    fn object<R: Record>(&mut self, record: &R) {
        self.out.push(b'{');
        record.fields(self);
        self.out.push(b'}');
    }

    /// The name of the next member. No value ends in an opening brace, so that byte says whether a comma is due.
    #[inline]
    fn name(&mut self, field: FieldName) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(field.name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn array<T>(&mut self, field: FieldName, members: &[T], mut put: impl FnMut(&mut Self, &T)) {
        self.name(field);
        self.out.push(b'[');
        for (at, member) in members.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            put(self, member);
        }
        self.out.push(b']');
    }
}

impl Sink for JsonSink<'_> {
    #[inline]
    fn string(&mut self, field: FieldName, value: &str) {
        self.name(field);
        put_string(self.out, value);
    }

    #[inline]
    fn opt_string(&mut self, field: FieldName, value: Option<&str>) {
        if let Some(value) = value {
            self.string(field, value);
        }
    }

    #[inline]
    fn long(&mut self, field: FieldName, value: i64) {
        self.name(field);
        put_integer(self.out, value);
    }

    #[inline]
    fn opt_long(&mut self, field: FieldName, value: Option<i64>) {
        if let Some(value) = value {
            self.long(field, value);
        }
    }

    #[inline]
    fn int(&mut self, field: FieldName, value: i32) {
        self.long(field, i64::from(value));
    }

    #[inline]
    fn opt_int(&mut self, field: FieldName, value: Option<i32>) {
        self.opt_long(field, value.map(i64::from));
    }

    #[inline]
    fn double(&mut self, field: FieldName, value: f64) {
        self.name(field);
        put_number(self.out, value);
    }

    #[inline]
    fn opt_double(&mut self, field: FieldName, value: Option<f64>) {
        if let Some(value) = value {
            self.double(field, value);
        }
    }

    #[inline]
    fn boolean(&mut self, field: FieldName, value: bool) {
        self.name(field);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    #[inline]
    fn opt_boolean(&mut self, field: FieldName, value: Option<bool>) {
        if let Some(value) = value {
            self.boolean(field, value);
        }
    }

    #[inline]
    fn timestamp(&mut self, field: FieldName, millis: i64) {
        self.name(field);
        put_time(self.out, millis);
    }

    #[inline]
    fn opt_timestamp(&mut self, field: FieldName, millis: Option<i64>) {
        if let Some(millis) = millis {
            self.timestamp(field, millis);
        }
    }

    fn opt_record<R: Record>(&mut self, field: FieldName, value: Option<&R>) {
        if let Some(value) = value {
            self.name(field);
            self.object(value);
        }
    }

    fn array_of_records<R: Record>(&mut self, field: FieldName, values: &[R]) {
        self.array(field, values, |sink, value| sink.object(value));
    }

    fn array_of_strings(&mut self, field: FieldName, values: &[&str]) {
        self.array(field, values, |sink, value| put_string(sink.out, value));
    }
}

/// Appends a JSON string with its quotes.
#[inline]
pub fn put_string(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    let bytes = value.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[from..at]);
        from = at + 1;
        put_escape(out, byte);
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

#[cold]
fn put_escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[b'0' + (byte >> 4), b"0123456789abcdef"[usize::from(byte & 15)]]);
        }
    }
}

#[inline]
fn put_integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends the published number. A reader that parses the decimals gets the same bits as in Avro, because both are the
/// correctly rounded quotient of the same integer and a million.
pub(super) fn put_number(out: &mut Vec<u8>, value: f64) {
    let value = published(value);
    let scaled = value * 1e6;
    if scaled.abs() >= 9.0e15 {
        write!(out, "{value:?}").expect("a vector takes every byte");
        return;
    }
    let millionths = (if scaled < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i64;
    if millionths < 0 {
        out.push(b'-');
    }
    let millionths = millionths.unsigned_abs();
    out.extend_from_slice(itoa::Buffer::new().format(millionths / 1_000_000).as_bytes());
    let mut fraction = millionths % 1_000_000;
    if fraction == 0 {
        return;
    }
    let mut digits = *b".000000";
    for digit in digits[1..].iter_mut().rev() {
        *digit = b'0' + (fraction % 10) as u8;
        fraction /= 10;
    }
    let length = digits.iter().rposition(|&digit| digit != b'0').expect("a fraction has a digit that is not 0");
    out.extend_from_slice(&digits[..=length]);
}

/// A time as the JSON of a record has it: a string, or an integer where no calendar year of four digits holds it.
fn put_time(out: &mut Vec<u8>, millis: i64) {
    /// 0000-01-01T00:00:00Z and 10000-01-01T00:00:00Z in milliseconds.
    const YEARS: std::ops::Range<i64> = -62_167_219_200_000..253_402_300_800_000;
    if YEARS.contains(&millis) {
        out.push(b'"');
        put_rfc3339(out, millis);
        out.push(b'"');
    } else {
        put_integer(out, millis);
    }
}

/// Appends RFC 3339 with milliseconds and `Z`, without quotes; years 0 to 9999, others end in the last digits.
pub fn put_rfc3339(out: &mut Vec<u8>, millis: i64) {
    let (year, month, day) = civil_date(millis.div_euclid(DAY));
    let of_day = millis.rem_euclid(DAY);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |end: usize, width: usize, number: i64| {
        let mut rest = number;
        for at in (end - width..end).rev() {
            text[at] = b'0' + (rest % 10).unsigned_abs() as u8;
            rest /= 10;
        }
    };
    put(4, 4, year);
    put(7, 2, month);
    put(10, 2, day);
    put(13, 2, of_day / 3_600_000);
    put(16, 2, of_day / 60_000 % 60);
    put(19, 2, of_day / 1_000 % 60);
    put(23, 3, of_day % 1_000);
    out.extend_from_slice(&text);
}

/// Year, month and day of a day number counted from 1970-01-01, in the proleptic Gregorian calendar (Howard Hinnant's
/// `civil_from_days`).
fn civil_date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(put: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_have_at_most_six_decimals() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (60.0, "60"),
            (-1.5, "-1.5"),
            (0.000_001, "0.000001"),
            (1.234_567_8, "1.234568"),
            (-0.000_000_4, "0"),
            (99.999_999_6, "100"),
            (1e300, "1e300"),
            (f64::NAN, "0"),
            (f64::NEG_INFINITY, "0"),
        ] {
            assert_eq!(written(|out| put_number(out, value)), text);
        }
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_763_769_600_123, "2025-11-22T00:00:00.123Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(written(|out| put_rfc3339(out, millis)), text);
        }
        assert_eq!(written(|out| put_time(out, i64::MAX)), "9223372036854775807");
    }

    #[test]
    fn strings_are_escaped() {
        let text = "a\"b\\c\n\r\t\u{1}\u{1f}\u{7f}é😀";
        let json = written(|out| put_string(out, text));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        assert_eq!(written(|out| put_string(out, "")), "\"\"");
    }
}
