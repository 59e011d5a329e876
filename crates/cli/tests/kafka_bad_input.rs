//! Bad input on a real Kafka: every line of it has its fate, the dead-letter topic has the bytes, the reason and the origin,
//! a dead letter produced again gives the same again, and nothing stops the pipeline.

mod deployment;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use deployment::load::now_ms;
use deployment::program::Program;
use deployment::records::{self, Found, Record, Tail, produce};
use deployment::{Deployment, PARTITIONS, avro, http};
use serde_json::json;
use throughline_testkit::registry::{Outage, Registry};

/// Kafka timestamp of all records, an hour ago: retention goes by it.
fn received() -> i64 {
    static RECEIVED: OnceLock<i64> = OnceLock::new();
    *RECEIVED.get_or_init(|| now_ms() - 3_600_000)
}

/// When all that has a believable time happened.
fn occurred() -> i64 {
    received() - 60_000
}

/// Names the case in a header, since a key may be missing.
const CASE: &str = "case";

fn record(case: &str, value: impl Into<Vec<u8>>) -> Record {
    Record {
        partition: None,
        key: Some(format!("key of {case}").into_bytes()),
        value: Some(value.into()),
        headers: vec![
            (CASE.to_owned(), Some(case.as_bytes().to_vec())),
            ("traceparent".to_owned(), Some(b"00-1-2-01".to_vec())),
        ],
        timestamp: Some(received()),
    }
}

fn contract(source_id: &str, members: &str) -> String {
    format!(
        r#"{{"type":"page.viewed","source_id":"{source_id}","occurred_at":{},
            "identifiers":[{{"type":"login","value":"u1"}}]{members}}}"#,
        occurred()
    )
}

fn registry_lines(registry: &Registry) -> String {
    format!("[registry]\nurl = \"{}\"\nregister = true\n", registry.url())
}

/// Every rejected line: case, record, reason, index of the entry.
fn rejected(schema_id: u32) -> Vec<(&'static str, Record, &'static str, u32)> {
    let torn = {
        let mut bytes =
            avro::encode(schema_id, &avro::published("touchpoints.web-value"), json!({"type": "page.viewed"}));
        bytes.truncate(9);
        bytes
    };
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let score = |score: &str| contract("s", &format!(r#","evidence":[{{"kind":"csat","score":{score}}}]"#));
    let batch = format!(r#"[{},{{"type":"page.viewed","source_id":"b2","verb":"eat"}}]"#, contract("sibling", ""));
    let line = |case, value: Vec<u8>, reason| (case, record(case, value), reason, 0);
    vec![
        line("invalid JSON", b"{\"type\":".to_vec(), "undecodable"),
        line("trailing text", b"{} trailing".to_vec(), "undecodable"),
        line("wrong Avro", torn, "undecodable"),
        line("torn frame", b"\0\0\0\0".to_vec(), "undecodable"),
        line("unknown schema id", b"\0\0\0\x03\xe7\x02\x02".to_vec(), "unknown_schema"),
        ("null value", Record { value: None, ..record("null value", "") }, "null_value", 0),
        ("null key, bad", Record { key: None, ..record("null key, bad", "nonsense") }, "undecodable", 0),
        line(
            "10 MB of text",
            contract("s", &format!(r#","text":"{}""#, "x".repeat(10_000_000))).into_bytes(),
            "too_large",
        ),
        line("over 10 MiB", vec![b' '; (10 << 20) + 1], "too_large"),
        line("unknown format", br#"{"hello":"world"}"#.to_vec(), "unknown_format"),
        line("NaN", score("NaN").into_bytes(), "undecodable"),
        line("infinity", score("1e999").into_bytes(), "invalid_field"),
        line("NaN as text", score("\"NaN\"").into_bytes(), "invalid_field"),
        line("invalid UTF-8", b"{\"type\":\"page\",\"userId\":\"\xff\xfe\"}".to_vec(), "undecodable"),
        line("nested 1,000 deep", contract("s", &format!(r#","properties":{deep}"#)).into_bytes(), "too_deep"),
        line("1,001 entries", format!("[{}0]", "0,".repeat(1_000)).into_bytes(), "too_many_entries"),
        line("another tenant", contract("s", r#","tenant":"other""#).into_bytes(), "wrong_tenant"),
        ("one of a batch", record("one of a batch", batch), "invalid_field", 1),
    ]
}

/// Reads that many letters and gives them by case.
fn letters(tail: &mut Tail, count: usize) -> BTreeMap<String, Found> {
    let mut read = 0;
    let found = tail.until("all dead letters", |_| {
        read += 1;
        read == count
    });
    let by_case: BTreeMap<String, Found> =
        found.into_iter().map(|letter| (letter.header(CASE).expect("carried").to_owned(), letter)).collect();
    assert_eq!(by_case.len(), count, "one letter for each case: {:?}", by_case.keys());
    by_case
}

/// The letter is the record as it came, and says why and where from.
fn check_letter(topic: &str, case: &str, letter: &Found, sent: &Found, reason: &str, entry: u32) {
    assert_eq!(letter.record.key, sent.record.key, "{case}: the key");
    assert!(letter.record.value == sent.record.value, "{case}: the raw bytes");
    assert_eq!(letter.record.timestamp, Some(received()), "{case}: the timestamp");
    assert_eq!(letter.header("traceparent"), Some("00-1-2-01"), "{case}: headers are carried");
    let header =
        |name: &str| letter.header(name).unwrap_or_else(|| panic!("{case}: {name}: {:?}", letter.record.headers));
    assert_eq!(header("throughline_reason"), reason, "{case}: {}", header("__connect.errors.exception.message"));
    assert_eq!(header("__connect.errors.exception.class.name"), reason, "{case}");
    assert_eq!(header("__connect.errors.topic"), topic, "{case}");
    assert_eq!(header("__connect.errors.partition"), sent.partition.to_string(), "{case}");
    assert_eq!(header("__connect.errors.offset"), sent.offset.to_string(), "{case}");
    assert_eq!(header("__connect.errors.connector.name"), "normalize", "{case}");
    assert_eq!(header("throughline_entry"), entry.to_string(), "{case}");
    assert!(!header("__connect.errors.exception.message").is_empty(), "{case}: it says what is wrong");
    assert!(header("throughline_code").starts_with("TL-"), "{case}: a code for explain");
}

/// What stays the same when a letter is produced again: all but where and when it was rejected.
fn lasting(letter: &Found) -> Record {
    let moves = ["__connect.errors.offset", "__connect.errors.partition", "throughline_rejected_at"];
    let mut record = letter.record.clone();
    record.headers.retain(|(name, _)| !moves.contains(&name.as_str()));
    record.headers.sort();
    record
}

/// Records on which the pipeline goes on, one in each partition.
fn check_alive(deployment: &Deployment, topic: &str, round: &str) {
    let good = |partition| Record {
        partition: Some(partition),
        ..record(round, contract(&format!("{round}-{partition}"), ""))
    };
    produce(topic, (0..PARTITIONS).map(good));
    let mut left = PARTITIONS;
    Tail::new(&deployment.topic("experience.touchpoints")).until(&format!("{round} through all partitions"), |found| {
        let value = avro::decode(
            &avro::published("experience.touchpoints-value"),
            found.record.value.as_deref().expect("a value"),
        );
        left -= i32::from(value["source_id"].as_str().is_some_and(|id| id.starts_with(&format!("{round}-"))));
        left == 0
    });
}

#[test]
fn every_bad_line_is_a_dead_letter_that_gives_itself_again() {
    let registry = Registry::start();
    let schema_id = registry.register("producer-value", &avro::published("touchpoints.web-value"));
    let web = Deployment::web_source();
    let deployment = Deployment::new("bad", std::slice::from_ref(&web), &registry_lines(&registry));
    let program = deployment.start_ready(0);
    let cases = rejected(schema_id);
    produce(&web.topic, cases.iter().map(|(_, record, ..)| record.clone()));
    let sent: BTreeMap<String, Found> = records::read(&web.topic)
        .into_iter()
        .map(|found| (found.header(CASE).expect("every record names its case").to_owned(), found))
        .collect();

    let mut tail = Tail::new(&deployment.topic("experience.dead-letters"));
    let first = letters(&mut tail, cases.len());
    for (case, _, reason, entry) in &cases {
        check_letter(&web.topic, case, &first[*case], &sent[*case], reason, *entry);
    }
    check_alive(&deployment, &web.topic, "first");

    produce(&web.topic, first.values().map(|letter| letter.record.clone()));
    let second = letters(&mut tail, cases.len());
    for (case, letter) in &first {
        assert!(
            lasting(&second[case]) == lasting(letter),
            "{case}: the same again:\n{:?}\n{:?}",
            second[case].record.headers,
            letter.record.headers
        );
    }
    check_alive(&deployment, &web.topic, "second");
    let all = records::read(&deployment.topic("experience.dead-letters")).len();
    assert_eq!(all, 2 * cases.len(), "nothing else is rejected");
    let siblings = touchpoints(&deployment).into_keys().filter(|id| id == "sibling").count();
    assert_eq!(siblings, 1, "the sibling of a rejected entry is applied, once");
    program.drain();
}

/// Committed touchpoints by the id of their source, with how often each is there.
fn touchpoints(deployment: &Deployment) -> BTreeMap<String, serde_json::Value> {
    let schema = avro::published("experience.touchpoints-value");
    let mut by_id = BTreeMap::new();
    for found in records::read(&deployment.topic("experience.touchpoints")) {
        let value = avro::decode(&schema, found.record.value.as_deref().expect("a value"));
        let id = value["source_id"].as_str().expect("text").to_owned();
        assert!(by_id.insert(id.clone(), value).is_none(), "touchpoint {id} is there twice");
    }
    by_id
}

#[test]
fn odd_input_that_is_not_bad_passes() {
    let registry = Registry::start();
    let schema = avro::published("touchpoints.web-value");
    let schema_id = registry.register("producer-value", &schema);
    let web = Deployment::web_source();
    let deployment = Deployment::new("odd", std::slice::from_ref(&web), &registry_lines(&registry));
    let program = deployment.start_ready(0);
    let framed = avro::encode(
        schema_id,
        &schema,
        json!({"type": "page.viewed", "source_id": "avro", "occurred_at": occurred(),
            "identifiers": [{"type": "login", "value": "u1", "trust": ""}]}),
    );
    let at = |id: &str, time: &str| contract(id, "").replace(&occurred().to_string(), &format!("\"{time}\""));
    let bare = r#"{"type":"page.viewed","source_id":"nobody"}"#;
    let unknown = contract("eaten", "").replace("page.viewed", "page.eaten");
    let odd = [
        record("Avro", framed),
        Record { key: None, ..record("null key", contract("no key", "")) },
        record("no identifier", bare),
        record("1970", at("1970", "1970-01-01T00:00:00Z")),
        record("3000", at("3000", "3000-01-01T00:00:00Z")),
        record("unknown type", unknown),
    ];
    produce(&web.topic, odd);
    deployment.wait_for_touchpoints(5);
    check_alive(&deployment, &web.topic, "after");
    let found = touchpoints(&deployment);
    for (id, quality, time) in [
        ("avro", "exact", occurred()),
        ("no key", "exact", occurred()),
        ("nobody", "missing", received()),
        ("1970", "missing", received()),
        ("3000", "clamped", received()),
    ] {
        let touchpoint = found.get(id).unwrap_or_else(|| panic!("{id} is no touchpoint: {:?}", found.keys()));
        assert_eq!((&touchpoint["time_quality"], &touchpoint["occurred_at"]), (&json!(quality), &json!(time)), "{id}");
        assert_eq!(touchpoint["customer_id"].is_null(), id == "nobody", "{id}: {}", touchpoint["customer_id"]);
    }
    assert!(!found.contains_key("eaten"), "an unknown type is withheld");
    assert_eq!(records::read(&deployment.topic("experience.dead-letters")).len(), 0, "nothing is rejected");
    let withheld = metric(&program, "throughline_unmapped_total", &[r#"source="web""#]);
    assert_eq!(withheld, 1.0, "it is counted");
    program.drain();
}

/// Sum of the samples of a metric that have these labels.
fn metric(program: &Program, name: &str, labels: &[&str]) -> f64 {
    let text = http::get(program.address(), "/metrics").body;
    let samples = text.lines().filter(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)));
    samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[test]
fn while_the_registry_is_down_only_partitions_that_need_it_wait() {
    let registry = Registry::start();
    let schema = avro::published("touchpoints.web-value");
    let web = Deployment::web_source();
    let deployment = Deployment::new("outage", std::slice::from_ref(&web), &registry_lines(&registry));
    let program = deployment.start_ready(0);
    let schema_id = registry.register("producer-value", &schema);
    let asks =
        || registry.seen().iter().filter(|seen| seen.target.contains(&format!("/schemas/ids/{schema_id}"))).count();
    let asked_before = asks();
    registry.set_outage(Some(Outage::Status(503)));
    let framed = avro::encode(schema_id, &schema, json!({"type": "page.viewed", "source_id": "needs it"}));
    let on = |partition, record| Record { partition: Some(partition), ..record };
    produce(
        &web.topic,
        [
            on(0, record("framed", framed)),
            on(0, record("behind", contract("behind it", ""))),
            on(1, record("beside", contract("beside it", ""))),
        ],
    );
    deployment.wait_for_touchpoints(1);
    program.wait_until("asked again", || asks() > asked_before + 1);
    let found = touchpoints(&deployment);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["beside it"], "what needs the registry waits, and what is behind it");
    assert_eq!(records::read(&deployment.topic("experience.dead-letters")).len(), 0, "an outage rejects nothing");
    program.wait_until("the partition shown as paused", || {
        let status = program.json("/v1/status");
        let workers = status["workers"].as_array().expect("a list").iter();
        let mut partitions = workers.flat_map(|worker| worker["partitions"].as_array().expect("a list"));
        partitions.any(|at| at["topic"] == web.topic.as_str() && at["partition"] == 0 && at["state"] == "paused")
    });

    registry.set_outage(None);
    deployment.wait_for_touchpoints(3);
    assert_eq!(records::read(&deployment.topic("experience.dead-letters")).len(), 0, "nothing was rejected");
    program.drain();
    let found = touchpoints(&deployment);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["behind it", "beside it", "needs it"]);
}
