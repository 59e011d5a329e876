//! Time on a real Kafka: an alert expires although nothing comes any more, and once, also when the process is killed before and
//! after (XO-6).

mod deployment;

use deployment::load::now_ms;
use deployment::records::{Found, Record, Tail, produce, read};
use deployment::{Deployment, Source};
use serde_json::{Value, json};

const HOUR: i64 = 3_600_000;

/// How long after it was produced the alert is to expire: by then the process has been killed and is back.
const LEFT: i64 = 16_000;

fn touchpoint(kind: &str, id: &str, occurred_at: i64) -> Record {
    let value = json!({
        "type": kind, "source_id": id, "occurred_at": occurred_at, "channel": "partner",
        "identifiers": [{"type": "login", "value": "ann", "trust": "authenticated"}],
    });
    Record { partition: Some(1), value: Some(value.to_string().into_bytes()), ..Record::default() }
}

fn transitions(found: &[Found], kind: &str) -> Vec<Value> {
    found.iter().map(Found::json).filter(|alert| alert["transition"] == kind).collect()
}

/// The numbers of the processes that run one after the other, each killed: before the alert expires, after that, and not at all.
fn check_expiry(name: &str, [first, second, third]: [u32; 3]) {
    let web = Source { lines: "lateness = \"1s\"\nidle_after = \"2s\"", ..Deployment::web_source() };
    let extra = "[alerts.severe_moment]\nexpires = \"1h\"\n";
    let deployment = Deployment::new(name, std::slice::from_ref(&web), extra);
    let program = deployment.start_ready(first);
    let mut alerts = Tail::with_isolation(&deployment.topic("experience.alerts"), "read_committed");

    let occurred_at = now_ms() - HOUR + LEFT;
    produce(&web.topic, [touchpoint("partner.trip.cancelled", "t1", occurred_at)]);
    let is = |found: &Found, what: &str| {
        let alert = found.json();
        alert["type"] == "severe_moment" && alert["transition"] == what
    };
    alerts.until("the alert", |found| is(found, "opened"));
    program.kill();

    // Nothing is produced from here on: only the clock moves.
    let program = deployment.start_ready(second);
    alerts.until("its expiry", |found| is(found, "expired"));
    let after = now_ms() - (occurred_at + HOUR);
    assert!(after >= 0, "{after} ms too early");
    program.kill();

    let program = deployment.start_ready(third);
    produce(&web.topic, [touchpoint("page.viewed", "t2", now_ms())]);
    deployment.wait_for_touchpoints(2);
    program.drain();
    let all = read(&deployment.topic("experience.alerts"));
    let of_severe = |kind| transitions(&all, kind).into_iter().filter(|alert| alert["type"] == "severe_moment").count();
    assert_eq!((of_severe("opened"), of_severe("expired")), (1, 1), "XO-6");
}

#[test]
fn an_alert_expires_without_traffic_and_once_although_the_process_is_killed() {
    check_expiry("time", [0, 0, 0]);
}

/// The second process gets the partitions when the session of the first has ended, and with them what is due.
#[test]
fn scenario_10_an_alert_expires_once_although_others_take_over() {
    check_expiry("failover", [0, 1, 2]);
}
