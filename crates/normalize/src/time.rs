//! Times as sources write them: reading without a calendar library on the record path.

use std::borrow::Cow;

use throughline_model::EventTime;
use throughline_model::touchpoint::Text;

use crate::blank;
use crate::draft::ClaimedTime;

/// Reads a time.
///
/// | form | becomes |
/// |---|---|
/// | empty, `null` | `Missing` |
/// | `2013-11-26T00:03:57.885Z`, `2013-11-26 00:03:57 +0100`, `... UTC` | `At` |
/// | `2013-11-26T00:03:57.885`, `2013-11-26 00:03` | `Local` |
/// | `2013-11-26` | `Date` |
/// | digits: seconds, milliseconds or microseconds since 1970 by their size | `At` |
/// | `Wed Aug 27 13:08:45 +0000 2008` (X), `Tue, 10 Jun 2003 04:00:00 GMT` (mail) | `At` |
/// | anything else | `Unreadable` |
#[must_use]
pub fn read(text: Text<'_>) -> ClaimedTime<'_> {
    let trimmed = blank::trim(&text);
    if trimmed.is_empty() || trimmed == "null" {
        return ClaimedTime::Missing;
    }
    match parse(trimmed) {
        Some(Parsed::At(millis)) => ClaimedTime::At(EventTime::from_millis(millis)),
        Some(Parsed::Local(_)) => ClaimedTime::Local(trim(text)),
        Some(Parsed::Date(_)) => ClaimedTime::Date(trim(text)),
        None => ClaimedTime::Unreadable(text),
    }
}

fn trim(text: Text<'_>) -> Text<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(blank::trim(text)),
        Cow::Owned(text) if blank::trim(&text).len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(blank::trim(&text).to_owned()),
    }
}

/// Seconds, milliseconds or microseconds since 1970, told apart by their size: seconds reach to the year 5138,
/// milliseconds start in 1973.
#[must_use]
pub fn of_number(number: f64) -> ClaimedTime<'static> {
    let millis = match number.abs() {
        size if size < 1e11 => number * 1e3,
        size if size < 1e14 => number,
        size if size < 1e17 => number / 1e3,
        size if size < 1e20 => number / 1e6,
        _ => return ClaimedTime::Unreadable(Cow::Owned(number.to_string())),
    };
    ClaimedTime::At(EventTime::from_millis(millis.round() as i64))
}

/// The same time, where the source documents that times without a zone are UTC.
#[must_use]
pub fn in_utc(time: ClaimedTime<'_>) -> ClaimedTime<'_> {
    match &time {
        ClaimedTime::Local(text) => match parse(text) {
            Some(Parsed::Local(millis)) => ClaimedTime::At(EventTime::from_millis(millis)),
            _ => time,
        },
        _ => time,
    }
}

/// Milliseconds of a local date and time, as if it were UTC.
#[must_use]
pub fn local_millis(text: &str) -> Option<i64> {
    match parse(blank::trim(text)) {
        Some(Parsed::Local(millis)) => Some(millis),
        _ => None,
    }
}

/// Days since 1970 of a date alone.
#[must_use]
pub fn date_days(text: &str) -> Option<i64> {
    match parse(blank::trim(text)) {
        Some(Parsed::Date(days)) => Some(days),
        _ => None,
    }
}

enum Parsed {
    /// Milliseconds since 1970, UTC.
    At(i64),
    /// The same of the local clock.
    Local(i64),
    /// Days since 1970.
    Date(i64),
}

const DAY_MILLIS: i64 = 86_400_000;

fn parse(text: &str) -> Option<Parsed> {
    let bytes = text.as_bytes();
    if bytes.len() >= 10 && bytes[4] == b'-' && bytes[7] == b'-' {
        return parse_iso(bytes);
    }
    if bytes.iter().all(u8::is_ascii_digit) || (bytes[0] == b'-' && bytes.len() > 1) || text.contains('.') {
        let number: f64 = text.parse().ok()?;
        return match of_number(number) {
            ClaimedTime::At(at) if number.is_finite() => Some(Parsed::At(at.as_millis())),
            _ => None,
        };
    }
    parse_words(text)
}

fn parse_iso(bytes: &[u8]) -> Option<Parsed> {
    let days = days_of(digits(bytes, 0, 4)?, digits(bytes, 5, 2)?, digits(bytes, 8, 2)?)?;
    if bytes.len() == 10 {
        return Some(Parsed::Date(days));
    }
    if !matches!(bytes[10], b'T' | b't' | b' ') || bytes.len() < 16 || bytes[13] != b':' {
        return None;
    }
    let (hour, minute) = (digits(bytes, 11, 2)?, digits(bytes, 14, 2)?);
    let mut at = 16;
    let mut second = 0;
    let mut millis = 0;
    if bytes.get(at) == Some(&b':') {
        second = digits(bytes, 17, 2)?;
        at = 19;
        if matches!(bytes.get(at), Some(b'.' | b',')) {
            at += 1;
            let mut weight = 100;
            let start = at;
            while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
                millis += i64::from(digit - b'0') * weight;
                weight /= 10;
                at += 1;
            }
            if at == start {
                return None;
            }
        }
    }
    // 60 is a leap second; 24:00 is the end of the day.
    if hour > 24 || minute > 59 || second > 60 || (hour == 24 && (minute, second) != (0, 0)) {
        return None;
    }
    let local = days * DAY_MILLIS + ((hour * 60 + minute) * 60 + second) * 1_000 + millis;
    Some(match offset(&bytes[at..])? {
        Some(offset) => Parsed::At(local - offset),
        None => Parsed::Local(local),
    })
}

/// The zone offset in milliseconds at the end of a time: `Z`, `UTC`, `GMT`, `+01`, `+0100`, `+01:00`; none if there is
/// no zone. A zone name in brackets may follow.
#[allow(clippy::option_option)] // Outer: readable; inner: present.
fn offset(rest: &[u8]) -> Option<Option<i64>> {
    let rest = rest.trim_ascii();
    let rest = match rest.iter().position(|byte| *byte == b'[') {
        Some(at) if at > 0 => &rest[..at],
        _ => rest,
    };
    match rest {
        b"" => return Some(None),
        b"Z" | b"z" | b"UTC" | b"GMT" | b"Etc/UTC" => return Some(Some(0)),
        _ => {}
    }
    let sign = match rest[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = digits(rest, 1, 2)?;
    let minutes = match &rest[3..] {
        b"" => 0,
        [b':', tail @ ..] if tail.len() == 2 => digits(tail, 0, 2)?,
        tail if tail.len() == 2 => digits(tail, 0, 2)?,
        _ => return None,
    };
    (hours <= 18 && minutes < 60).then_some(Some(sign * (hours * 60 + minutes) * 60_000))
}

/// `Wed Aug 27 13:08:45 +0000 2008` and `Tue, 10 Jun 2003 04:00:00 GMT`.
fn parse_words(text: &str) -> Option<Parsed> {
    let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let (year, month, day, clock, zone) = match words.as_slice() {
        [_, month, day, clock, zone, year] if clock.contains(':') && !year.contains(':') => {
            (year, month, day, clock, zone)
        }
        [_, day, month, year, clock, zone] => (year, month, day, clock, zone),
        [day, month, year, clock, zone] => (year, month, day, clock, zone),
        _ => return None,
    };
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let month = month.get(..3)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let days = days_of(year.parse().ok()?, month, day.parse().ok()?)?;
    let clock = clock.as_bytes();
    if clock.len() != 8 || clock[2] != b':' || clock[5] != b':' {
        return None;
    }
    let (hour, minute, second) = (digits(clock, 0, 2)?, digits(clock, 3, 2)?, digits(clock, 6, 2)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let offset = offset(zone.as_bytes())??;
    Some(Parsed::At(days * DAY_MILLIS + ((hour * 60 + minute) * 60 + second) * 1_000 - offset))
}

fn digits(bytes: &[u8], from: usize, count: usize) -> Option<i64> {
    let mut number = 0;
    for byte in bytes.get(from..from + count)? {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(byte - b'0');
    }
    Some(number)
}

/// Days since 1970 of a date of the Gregorian calendar (algorithm `days_from_civil` of H. Hinnant).
fn days_of(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(0..=9_999).contains(&year) || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> ClaimedTime<'static> {
        ClaimedTime::At(EventTime::from_millis(millis))
    }

    #[test]
    fn every_form_in_the_table() {
        for (text, expected) in [
            ("", ClaimedTime::Missing),
            ("2013-11-26T00:03:57.885Z", at(1_385_424_237_885)),
            ("2013-11-26 01:03:57.885999 +0100", at(1_385_424_237_885)),
            ("2013-11-26T01:03:57+01:00", at(1_385_424_237_000)),
            ("2013-11-25T19:03:57-05", at(1_385_424_237_000)),
            ("2013-11-26 00:03:57 UTC", at(1_385_424_237_000)),
            ("2013-11-26T01:03:57+01:00[Europe/Berlin]", at(1_385_424_237_000)),
            ("1385424237", at(1_385_424_237_000)),
            ("1385424237885", at(1_385_424_237_885)),
            ("1385424237885123", at(1_385_424_237_885)),
            ("1385424237.885", at(1_385_424_237_885)),
            ("Wed Aug 27 13:08:45 +0000 2008", at(1_219_842_525_000)),
            ("Tue, 10 Jun 2003 04:00:00 GMT", at(1_055_217_600_000)),
            ("2013-11-26T00:03:57", ClaimedTime::Local("2013-11-26T00:03:57".into())),
            (" 2013-11-26 00:03 ", ClaimedTime::Local("2013-11-26 00:03".into())),
            ("2013-11-26", ClaimedTime::Date("2013-11-26".into())),
            ("2013-02-29", ClaimedTime::Unreadable("2013-02-29".into())),
            ("2013-11-26T25:00:00Z", ClaimedTime::Unreadable("2013-11-26T25:00:00Z".into())),
            ("tomorrow", ClaimedTime::Unreadable("tomorrow".into())),
            ("-", ClaimedTime::Unreadable("-".into())),
            ("1.7.6", ClaimedTime::Unreadable("1.7.6".into())),
        ] {
            assert_eq!(read(text.into()), expected, "{text}");
        }
        assert_eq!(in_utc(read("2013-11-26 00:03:57.885".into())), at(1_385_424_237_885));
        assert_eq!(date_days("1970-01-02"), Some(1));
    }

    #[test]
    fn times_agree_with_a_calendar_library() {
        for (text, days) in [("1970-01-01", 0), ("2000-02-29", 11_016), ("1969-12-31", -1), ("3000-01-01", 376_200)] {
            assert_eq!(date_days(text), Some(days), "{text}");
        }
    }
}
