//! Records without end: a function of a seed, a number, and one point in time.
//!
//! Five hundred customers at a time, twenty touchpoints each, spread over all source partitions and in no order of event time;
//! some are sent again to another partition, some records are none. One customer in five has one severe moment.

use serde_json::{Value, json};

use crate::deployment::PARTITIONS;
use crate::deployment::load::now_ms;
use crate::deployment::records::Record;

const CUSTOMERS: u64 = 500;
const TOUCHPOINTS: u64 = 20;
const HOUR: i64 = 3_600_000;

/// All event times are in the twelve hours before the load was made: alerts are not held back as those of a backfill.
const SPAN: i64 = 12 * HOUR;

/// SplitMix64: one number into another.
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The records of a run.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    seed: u64,
    now: i64,
}

impl Load {
    /// The load of a seed, up to now.
    pub fn new(seed: u64) -> Self {
        Self { seed, now: now_ms() }
    }

    /// What is sent with this number: a touchpoint, maybe again, maybe with a record that is none.
    pub fn records(&self, number: u64) -> Vec<Record> {
        let draw = mix(self.seed ^ mix(number));
        let partition = (draw % PARTITIONS as u64) as i32;
        let sent = self.record(partition, Some(self.touchpoint(number, draw)));
        let mut records = vec![sent.clone()];
        if number % 40 == 7 {
            records.push(Record { partition: Some((partition + 1) % PARTITIONS), ..sent });
        }
        if number % 400 == 3 {
            records.push(self.record(partition, Some(format!("{{\"type\": {number}"))));
        }
        if number % 1_600 == 11 {
            records.push(self.record(partition, None));
        }
        records
    }

    /// The last touchpoint of a partition: when it has come out, everything before it has been read.
    pub fn last(&self, partition: i32) -> Record {
        let login = format!("last{partition}");
        let evidence = json!([{"kind": "csat", "score": 4, "min": 1, "max": 5}]);
        let value = self.value("survey.answered", &login, &login, 0, "normal", &evidence);
        self.record(partition, Some(value.to_string()))
    }

    fn record(&self, partition: i32, value: Option<String>) -> Record {
        let value = value.map(String::into_bytes);
        Record { partition: Some(partition), value, timestamp: Some(now_ms()), ..Record::default() }
    }

    fn touchpoint(&self, number: u64, draw: u64) -> String {
        let (block, place) = (number / (CUSTOMERS * TOUCHPOINTS), number % (CUSTOMERS * TOUCHPOINTS));
        let (round, customer) = (place / CUSTOMERS, block * CUSTOMERS + place % CUSTOMERS);
        let (id, login) = (format!("s{number}"), format!("u{customer}"));
        let ago = (draw >> 8) as i64 % SPAN;
        let severe = customer.is_multiple_of(5) && round == mix(self.seed ^ customer) % TOUCHPOINTS;
        if severe {
            let worst = json!([{"kind": "csat", "score": 1, "min": 1, "max": 5}]);
            return self.value("survey.answered", &id, &login, ago, "severe", &worst).to_string();
        }
        let answer = draw >> 40;
        let (kind, evidence) = match draw >> 3 & 7 {
            0 => ("page.viewed", json!([])),
            1 => ("order.created", json!([])),
            2 | 3 => ("survey.answered", json!([{"kind": "nps", "score": answer % 11, "min": 0, "max": 10}])),
            4 => ("survey.answered", json!([{"kind": "ces", "score": answer % 7 + 1, "min": 1, "max": 7}])),
            _ => ("survey.answered", json!([{"kind": "csat", "score": answer % 5 + 1, "min": 1, "max": 5}])),
        };
        self.value(kind, &id, &login, ago, "normal", &evidence).to_string()
    }

    fn value(&self, kind: &str, id: &str, login: &str, ago: i64, severity: &str, evidence: &Value) -> Value {
        json!({
            "type": kind, "source_id": id, "occurred_at": self.now - ago, "severity": severity,
            "identifiers": [{"type": "login", "value": login, "trust": "authenticated"}],
            "evidence": evidence,
        })
    }
}
