//! Records to run on: own contract and Segment, the same customers in both, some of them sent twice.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::PARTITIONS;
use super::records::Record;

/// How many records a test runs on, unless the environment says otherwise.
const RECORDS_DEFAULT: u64 = 20_000;
const RECORDS_VARIABLE: &str = "THROUGHLINE_TEST_RECORDS";

/// Touchpoints of each customer.
const ROUNDS: u64 = 20;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// The input of a test: a function of its size and one point in time.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Touchpoints in it, each with an id of its own.
    pub touchpoints: u64,
    now: i64,
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis() as i64
}

impl Default for Load {
    /// A load of the configured size, up to now.
    fn default() -> Self {
        Self::sized(std::env::var(RECORDS_VARIABLE).ok().map_or(RECORDS_DEFAULT, |count| {
            count.parse().unwrap_or_else(|_| panic!("{RECORDS_VARIABLE} is not a number: {count}"))
        }))
    }
}

impl Load {
    /// A load of this size, up to now.
    pub fn sized(touchpoints: u64) -> Self {
        assert!(touchpoints.is_multiple_of(ROUNDS), "{touchpoints} is not a multiple of {ROUNDS}");
        Self { touchpoints, now: now_ms() }
    }

    fn customers(&self) -> u64 {
        self.touchpoints / ROUNDS
    }

    /// A time after all of it, for look-ups.
    pub fn end(&self) -> i64 {
        self.now
    }

    /// Names of some customers, as their records have them.
    pub fn sample(&self, count: u64) -> BTreeSet<String> {
        let step = (self.customers() / count).max(1);
        (0..self.customers()).step_by(step as usize).map(|customer| format!("u{customer}")).collect()
    }

    /// One of `parts` equal parts, in the order they are sent.
    pub fn part(self, part: u64, parts: u64) -> impl Iterator<Item = Record> {
        let (from, to) = (self.touchpoints * part / parts, self.touchpoints * (part + 1) / parts);
        (from..to).flat_map(move |at| {
            let record = self.record(at);
            // A source that is not sure whether it sent something sends it again.
            let again = at.is_multiple_of(50).then(|| record.clone());
            std::iter::once(record).chain(again)
        })
    }

    /// All of it.
    pub fn all(self) -> impl Iterator<Item = Record> {
        self.part(0, 1)
    }

    fn record(&self, at: u64) -> Record {
        let (round, place) = (at / self.customers(), at % self.customers());
        let at_ms = self.now - (ROUNDS - round) as i64 * HOUR + (place % 3_000) as i64;
        let login = format!("u{place}");
        // All records of a customer are in one partition: their order is the same in every run, and so are alerts and all
        // else that depends on it.
        let partition = (place % PARTITIONS as u64) as i32;
        Record {
            partition: Some(partition),
            key: Some(login.clone().into_bytes()),
            value: Some(value(round, place, &login, at_ms).to_string().into_bytes()),
            headers: Vec::new(),
            timestamp: Some(self.now),
        }
    }
}

/// The last touchpoint of every customer is worth something, so that the last score speaks for all of them.
fn value(round: u64, place: u64, login: &str, at_ms: i64) -> Value {
    let id = format!("{login}-{round}");
    let answer = (place * 7 + round * 3) % 5 + 1;
    match (round + place) % 4 {
        _ if round + 1 == ROUNDS => survey(&id, login, at_ms, answer),
        0 => survey(&id, login, at_ms, answer),
        1 => segment(&id, login, at_ms, "page", ""),
        2 => segment(&id, login, at_ms, "track", "Coupon Denied"),
        _ => json!({
            "type": "contact.ended", "source_id": id, "channel": "phone", "occurred_at": at_ms,
            "identifiers": [{"type": "login", "value": login, "trust": "authenticated"}],
            "refs": {"case_id": format!("case-{id}")},
            "result": {"resolved": !place.is_multiple_of(3)},
            "durations": {"wait_ms": 1_000 * (place % 900)},
        }),
    }
}

fn survey(id: &str, login: &str, at_ms: i64, answer: u64) -> Value {
    json!({
        "type": "survey.answered", "source_id": id, "occurred_at": at_ms,
        "identifiers": [{"type": "login", "value": login, "trust": "authenticated"}],
        "evidence": [{"kind": "csat", "score": answer, "min": 1, "max": 5}],
    })
}

fn segment(id: &str, login: &str, at_ms: i64, kind: &str, name: &str) -> Value {
    json!({
        "type": kind, "event": name, "messageId": id, "userId": login, "timestamp": rfc3339(at_ms),
        "properties": {"path": "/checkout", "coupon_name": "WINTER"},
    })
}

/// RFC 3339 without a calendar library: days to a date by Howard Hinnant's `civil_from_days`.
fn rfc3339(millis: i64) -> String {
    let (days, rest) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let place = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * place + 2) / 5 + 1;
    let month = if place < 10 { place + 3 } else { place - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second, milli) = (rest / HOUR, rest / 60_000 % 60, rest / 1_000 % 60, rest % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}
