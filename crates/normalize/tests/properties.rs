//! Whatever arrives: nothing panics, every entry has one fate, and the same record gives the same entries.

mod common;

use common::{record, run_with, web};
use proptest::prelude::*;
use throughline_model::SourceKind;
use throughline_normalize::format::NoHeaders;
use throughline_normalize::{Formats, NoSchemas, SourceOptions, formats};

/// JSON whose names and values are those that formats look for, so that it gets past the first check.
fn json() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "type",
        "action",
        "event",
        "userId",
        "anonymousId",
        "messageId",
        "properties",
        "traits",
        "context",
        "batch",
        "timestamp",
        "distinct_id",
        "uuid",
        "$set",
        "$session_id",
        "event_id",
        "collector_tstamp",
        "app_id",
        "contexts",
        "identifiers",
        "evidence",
        "promises",
        "occurred_at",
        "channel",
        "score",
        "kind",
        "value",
        "order_id",
        "products",
        "object",
        "entry",
        "changes",
        "messaging",
        "id",
        "total_price",
        "line_items",
        "eventType",
        "detail",
        "ContactId",
        "data",
        "specversion",
        "source",
        "text",
        "rating",
        "createdAt",
    ]);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        (-1e300..1e300).prop_map(|value: f64| format!("{value:e}")),
        prop::sample::select(vec![
            "track",
            "page",
            "alias",
            "$pageview",
            "survey sent",
            "Order Completed",
            "page.viewed",
            "survey.answered",
            "2026-06-01T11:00:00Z",
            "2026-06-01",
            "link_click",
            "unstruct",
            "nps",
            "NaN",
            "1e999",
            "page_view",
            "login",
        ])
        .prop_map(|text| format!("{text:?}")),
        "\\PC{0,12}".prop_map(|text| serde_json::Value::String(text).to_string()),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::vec((name.clone(), inner), 0..7).prop_map(|members| {
                let members: Vec<String> = members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn run(source: &SourceOptions, value: &[u8]) -> Vec<String> {
    run_with(source, &record(Some(value), &NoHeaders), &NoSchemas, |entry| format!("{entry:?}"))
}

fn check(source: &SourceOptions, value: &[u8]) {
    let entries = run(source, value);
    assert!(!entries.is_empty(), "an entry without a fate");
    for (at, entry) in entries.iter().enumerate() {
        assert!(entry.starts_with(&format!("{at} ")), "entries are counted in order");
    }
    assert_eq!(entries, run(source, value), "the same again");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(value in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&web(), &value);
    }

    #[test]
    fn any_text(value in "\\PC{0,100}") {
        check(&web(), value.as_bytes());
    }

    #[test]
    fn any_json_by_shape(value in json()) {
        check(&web(), value.as_bytes());
    }

    #[test]
    fn any_json_in_any_format(value in json(), at in any::<prop::sample::Index>()) {
        let mut source = SourceOptions::new("any", SourceKind::Store);
        source.formats = Formats::Only(vec![formats::all()[at.index(formats::all().len())]]);
        check(&source, value.as_bytes());
    }

    #[test]
    fn any_rows(cells in prop::collection::vec("[ -~]{0,12}", 131)) {
        check(&web(), cells.join("\t").as_bytes());
    }
}

#[test]
fn at_most_one_format_claims_a_shape() {
    use proptest::strategy::ValueTree;
    use throughline_normalize::shape::Shape;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..2_000 {
        let text = json().new_tree(&mut runner).expect("tree").current();
        let Ok(shape) = Shape::of(&text) else { continue };
        let claims: Vec<&str> =
            formats::all().iter().filter(|format| format.matches(&shape)).map(|format| format.name()).collect();
        assert!(claims.len() <= 1, "{claims:?} claim {text}");
    }
}
