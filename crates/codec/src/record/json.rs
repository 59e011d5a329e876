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
        let before: &[u8] = if self.out.last() == Some(&b'{') { b"\"" } else { b",\"" };
        self.out.reserve(field.name.len() + 4);
        self.out.extend_from_slice(before);
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
    let bytes = value.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    // Looking at every byte without leaving early lets the compiler look at many at a time.
    if bytes.iter().fold(false, |found, &byte| found | needs_escape(byte)) {
        put_escaped(out, bytes);
    } else {
        out.extend_from_slice(bytes);
    }
    out.push(b'"');
}

#[inline]
const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cold]
fn put_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if needs_escape(byte) {
            out.extend_from_slice(&bytes[from..at]);
            from = at + 1;
            put_escape(out, byte);
        }
    }
    out.extend_from_slice(&bytes[from..]);
}

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

/// Below it a number times a million is known to less than half of one.
const EXACT: f64 = 1.0e15;

/// Appends the published number. A reader that parses the decimals gets the same bits as in Avro, because both are the
/// correctly rounded quotient of the same integer and a million.
pub(super) fn put_number(out: &mut Vec<u8>, value: f64) {
    let value = published(value);
    let scaled = value * 1e6;
    // Above, the product has no half left to round by: the shortest decimals that read back as these bits are written.
    if scaled.abs() >= EXACT {
        write!(out, "{value:?}").expect("a vector takes every byte");
        return;
    }
    let millionths = (if scaled < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i64;
    if millionths < 0 {
        out.push(b'-');
    }
    let millionths = millionths.unsigned_abs();
    out.extend_from_slice(itoa::Buffer::new().format(millionths / 1_000_000).as_bytes());
    let fraction = (millionths % 1_000_000) as u32;
    if fraction > 0 {
        let mut digits = *b".000000";
        put_pair(&mut digits, 1, fraction / 10_000);
        put_pair(&mut digits, 3, fraction / 100 % 100);
        put_pair(&mut digits, 5, fraction % 100);
        let length = digits.iter().rposition(|&digit| digit != b'0').expect("a fraction has a digit that is not 0");
        out.extend_from_slice(&digits[..=length]);
    }
}

/// Two decimal digits of a number under 100.
#[inline]
fn put_pair(text: &mut [u8], at: usize, number: u32) {
    text[at] = b'0' + (number / 10) as u8;
    text[at + 1] = b'0' + (number % 10) as u8;
}

/// A time as the JSON of a record has it: a string, or an integer where no calendar year of four digits holds it.
fn put_time(out: &mut Vec<u8>, millis: i64) {
    if YEARS.contains(&millis) {
        out.push(b'"');
        put_rfc3339(out, millis);
        out.push(b'"');
    } else {
        put_integer(out, millis);
    }
}

/// Appends RFC 3339 with milliseconds and `Z`, without quotes. Times outside the years 0 to 9999, which it cannot express,
/// are written as the first or the last millisecond of that range.
pub fn put_rfc3339(out: &mut Vec<u8>, millis: i64) {
    let millis = millis.clamp(YEARS.start, YEARS.end - 1);
    let (year, month, day) = civil_date((millis.div_euclid(DAY) - YEAR_0_DAYS) as u32);
    let of_day = millis.rem_euclid(DAY) as u32;
    let seconds = of_day / 1_000;
    let mut text = *b"0000-00-00T00:00:00.000Z";
    put_pair(&mut text, 0, year / 100);
    put_pair(&mut text, 2, year % 100);
    put_pair(&mut text, 5, month);
    put_pair(&mut text, 8, day);
    put_pair(&mut text, 11, seconds / 3_600);
    put_pair(&mut text, 14, seconds / 60 % 60);
    put_pair(&mut text, 17, seconds % 60);
    text[20] = b'0' + (of_day % 1_000 / 100) as u8;
    put_pair(&mut text, 21, of_day % 100);
    out.extend_from_slice(&text);
}

/// 0000-01-01T00:00:00Z and 10000-01-01T00:00:00Z in milliseconds since 1970.
const YEARS: std::ops::Range<i64> = -62_167_219_200_000..253_402_300_800_000;

/// 0000-01-01 in days since 1970.
const YEAR_0_DAYS: i64 = YEARS.start / DAY;

/// Year, month and day of a day number counted from 0000-01-01, in the proleptic Gregorian calendar (Howard Hinnant's
/// `civil_from_days`, which counts years from March, so that the leap day is the last of its year).
fn civil_date(days: u32) -> (u32, u32, u32) {
    /// From 0000-01-01 back to March 1st of 400 years before the year 0, in days.
    const SHIFT: u32 = 146_097 - 60;
    let shifted = days + SHIFT;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u32::from(month <= 2) - 400, month, day)
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
            (5_749_606_227.985_498, "5749606227.985498"),
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
            (-62_162_121_600_000, "0000-02-29T00:00:00.000Z"),
            (-2_203_891_200_001, "1900-02-28T23:59:59.999Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
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
