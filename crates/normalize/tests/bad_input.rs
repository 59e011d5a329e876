//! Nothing is lost and nothing stops the pipeline: each kind of bad input has its fate.

mod common;

use std::sync::Arc;

use common::{List, fate, record, run, run_with, web};
use throughline_model::{RejectionReason, SourceKind};
use throughline_normalize::format::NoHeaders;
use throughline_normalize::{
    Catalog, ContractSchema, Encoding, Entry, Formats, Lookup, NeedSchema, NoSchemas, SchemaSource, SourceOptions,
    formats,
};

fn check(value: &str, expected: &[&str]) {
    let shown: String = value.chars().take(80).collect();
    assert_eq!(run(&web(), value.as_bytes()), expected, "{shown}");
}

#[test]
fn each_kind_of_bad_input_has_its_fate() {
    assert_eq!(run_with(&web(), &record(None, &NoHeaders), &NoSchemas, fate), ["0 rejected(null_value)"]);
    check("", &["0 rejected(undecodable)"]);
    check("{", &["0 rejected(undecodable)"]);
    check("hello", &["0 rejected(undecodable)"]);
    check(r#"{"type":"page.viewed"} // why"#, &["0 rejected(undecodable)"]);
    check(r#"{"type":"page.viewed"}}"#, &["0 rejected(undecodable)"]);
    check(r#"{"type":"page.viewed",}"#, &["0 rejected(undecodable)"]);
    check(r#"{"type":"survey.answered","evidence":[{"kind":"nps","score":NaN}]}"#, &["0 rejected(undecodable)"]);
    check(
        r#"{"type":"survey.answered","evidence":[{"kind":"nps","score":1e999}]}"#,
        &["0 rejected(invalid_field) evidence[0].score"],
    );
    check(
        r#"{"type":"survey.answered","evidence":[{"kind":"nps","score":11}]}"#,
        &["0 rejected(invalid_field) evidence[0]"],
    );
    check(r#"{"rocket":"launched"}"#, &["0 rejected(unknown_format)"]);
    check("7", &["0 rejected(unknown_format)"]);
    check(r#"{"type":"rocket.launched"}"#, &["0 withheld(unmapped) rocket.launched"]);
    check(r#"{"type":"page.viewed","tenant":"other"}"#, &["0 rejected(wrong_tenant) tenant"]);
    check(r#"{"type":"page.viewed","channel":"fax"}"#, &["0 rejected(invalid_field) channel"]);
    check(r#"{"type":"page.viewed","occurred_at":"soon"}"#, &["0 rejected(invalid_field) occurred_at"]);
    check(
        r#"{"type":"page.viewed","occurred_at":"2026-06-01T10:00:00"}"#,
        &["0 rejected(time_zone_unknown) occurred_at"],
    );
    check(
        r#"{"type":"order.created","occurred_at":"2026-06-01T10:00:00Z","promises":[{"kind":"delivery","key":"o","due_at":"2026-05-01T10:00:00Z"}]}"#,
        &["0 rejected(invalid_promise) promises[0]"],
    );
    check(
        r#"{"type":"order.created","promises":[{"kind":"miracle","key":"o"}]}"#,
        &["0 rejected(invalid_promise) promises[0]"],
    );
}

#[test]
fn limits_have_their_reasons() {
    let deep = format!(r#"{{"type":"page.viewed","x":{}{}}}"#, "[".repeat(1_000), "]".repeat(1_000));
    check(&deep, &["0 rejected(too_deep)"]);
    let long = format!(r#"{{"type":"page.viewed","text":"{}"}}"#, "x".repeat(2 << 20));
    check(&long, &["0 rejected(too_large)"]);
    let huge = vec![b' '; 11 << 20];
    assert_eq!(run(&web(), &huge), ["0 rejected(too_large)"]);
    let crowd = format!("[{}]", vec![r#"{"type":"page.viewed"}"#; 1_001].join(","));
    check(&crowd, &["0 rejected(too_many_entries)"]);
    let batch = format!(r#"{{"batch":[{}]}}"#, vec![r#"{"type":"page","userId":"u1"}"#; 1_001].join(","));
    check(&batch, &["0 rejected(too_many_entries)"]);
    let full = format!(r#"{{"batch":[{}]}}"#, vec![r#"{"type":"page","userId":"u1"}"#; 1_000].join(","));
    assert_eq!(run(&web(), full.as_bytes()).len(), 1_000);
}

#[test]
fn invalid_utf8_is_undecodable() {
    assert_eq!(run(&web(), b"{\"type\":\"page\xff\"}"), ["0 rejected(undecodable)"]);
}

#[test]
fn times_that_cannot_be_are_replaced() {
    let quality = |value: &str| {
        run_with(&web(), &record(Some(value.as_bytes()), &NoHeaders), &NoSchemas, |entry| match entry {
            Entry::Touchpoint(touchpoint) => touchpoint.header().time_quality.to_string(),
            other => fate(other),
        })
    };
    assert_eq!(quality(r#"{"type":"page.viewed","occurred_at":0}"#), ["0 missing"]);
    assert_eq!(quality(r#"{"type":"page.viewed"}"#), ["0 missing"]);
    assert_eq!(quality(r#"{"type":"page.viewed","occurred_at":"3000-01-01T00:00:00Z"}"#), ["0 clamped"]);
    assert_eq!(quality(r#"{"type":"page.viewed","occurred_at":"2026-06-01T12:04:59Z"}"#), ["0 exact"]);
    assert_eq!(quality(r#"{"type":"page.viewed","occurred_at":"2026-05-31"}"#), ["0 day"]);
}

#[test]
fn siblings_of_a_bad_entry_go_on() {
    check(
        r#"[{"type":"page.viewed"},{"type":5},{"a":1},7,{"type":"page.viewed"}]"#,
        &[
            "0 page.viewed",
            "1 rejected(unknown_format)",
            "2 rejected(unknown_format)",
            "3 rejected(unknown_format)",
            "4 page.viewed",
        ],
    );
    check(
        "{\"type\":\"page.viewed\"}\n{\"type\":\"page.viewed\",\"channel\":5}\n{\"type\":\"x.y\"}\n",
        &["0 page.viewed", "1 rejected(invalid_field) channel", "2 withheld(unmapped) x.y"],
    );
    check("[]", &["0 withheld(filtered) []"]);
}

struct Registry(Lookup);

impl SchemaSource for Registry {
    fn schema(&self, _: u32) -> Lookup {
        self.0.clone()
    }
}

fn framed(datum: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, 5], datum].concat()
}

#[test]
fn avro_is_read_with_the_schema_it_was_written_with() {
    let schema = r#"{"type":"record","name":"T","fields":[{"name":"more","type":"int"},{"name":"type","type":"string"},
        {"name":"identifiers","type":{"type":"array","items":{"type":"record","name":"I","fields":[
            {"name":"type","type":"string"},{"name":"value","type":"string"},{"name":"trust","type":"string"}]}}},
        {"name":"occurred_at","type":["null",{"type":"long","logicalType":"timestamp-millis"}]}]}"#;
    let known = Registry(Lookup::Known(Arc::new(ContractSchema::parse(schema).expect("schema"))));
    let mut datum = vec![2, 22];
    datum.extend(b"page.viewed");
    datum.extend([2, 10]);
    datum.extend(b"login\x04u1\x00\x00\x00");
    let bytes = framed(&datum);
    let shown = run_with(&web(), &record(Some(&bytes), &NoHeaders), &known, common::detail);
    assert_eq!(shown.len(), 1);
    assert!(shown[0].starts_with("0 page.viewed web ") && shown[0].ends_with("missing [LOGIN] -> login"), "{shown:?}");

    let fate_of =
        |bytes: &[u8], registry: &Registry| run_with(&web(), &record(Some(bytes), &NoHeaders), registry, fate);
    assert_eq!(fate_of(&framed(&datum[..9]), &known), ["0 rejected(undecodable)"]);
    assert_eq!(fate_of(&framed(&[datum.as_slice(), &[1]].concat()), &known), ["0 rejected(undecodable)"]);
    assert_eq!(fate_of(&[0, 0, 1], &known), ["0 rejected(undecodable)"]);
    assert_eq!(fate_of(&bytes, &Registry(Lookup::Unknown)), ["0 rejected(unknown_schema)"]);
    let json_only = SourceOptions { encoding: Encoding::Avro, ..web() };
    let text = record(Some(b"{}"), &NoHeaders);
    assert_eq!(run_with(&json_only, &text, &known, fate), ["0 rejected(undecodable)"]);
}

#[test]
fn a_registry_that_is_down_pauses_and_emits_nothing() {
    let bytes = framed(&[]);
    let answer = common::normalizer().normalize(
        &web(),
        &record(Some(&bytes), &NoHeaders),
        &Registry(Lookup::Pending),
        &Catalog::default(),
        &mut |_, entry| panic!("emitted {entry:?}"),
    );
    assert_eq!(answer, Err(NeedSchema(5)));
}

#[test]
fn a_dead_letter_sent_again_gives_the_same_again() {
    let value = br#"[{"type":"page.viewed"},{"type":"page.viewed","channel":"fax"}]"#;
    let letter = |entry: &Entry<'_>| match entry {
        Entry::Rejected { rejection, source_id, .. } => format!("{} {source_id}", rejection.reason),
        Entry::Touchpoint(touchpoint) => touchpoint.body().source_id.to_string(),
        Entry::Withheld { .. } => String::new(),
    };
    let first = run_with(&web(), &record(Some(value), &NoHeaders), &NoSchemas, letter);
    let source_id = first[1].rsplit(' ').next().expect("id").to_owned();
    let headers = List(vec![
        ("throughline_source_id", source_id),
        ("throughline_replay", "dlq".to_owned()),
        ("throughline_entry", "1".to_owned()),
    ]);
    let again = run_with(&web(), &record(Some(value), &headers), &NoSchemas, letter);
    assert_eq!(again, first[1..]);
}

#[test]
fn a_configured_format_is_the_only_one() {
    let segment = SourceOptions { formats: Formats::Only(formats::by_name("segment").into_iter().collect()), ..web() };
    assert_eq!(run(&segment, br#"{"type":"page","userId":"u1"}"#), ["0 page.viewed"]);
    assert_eq!(run(&segment, br#"{"object":"page","entry":[]}"#), ["0 rejected(unknown_format)"]);
    assert_eq!(run(&segment, b"a\tb"), ["0 rejected(undecodable)"]);
    assert_eq!(RejectionReason::UnknownFormat.as_str(), "unknown_format");
    let social = SourceOptions::new("social", SourceKind::Social);
    assert_eq!(run(&social, br#"{"type":"page","userId":"u1"}"#), ["0 page.viewed"]);
}

#[test]
fn formats_exclude_each_other_by_name_and_envelope() {
    let mut names: Vec<_> = formats::all().iter().map(|format| format.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), formats::all().len());
}
