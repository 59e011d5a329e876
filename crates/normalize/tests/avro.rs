//! The contract in Avro against the contract in JSON: apache-avro writes what the reader is given, and both wire formats
//! must give the same entries.

mod common;

use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use common::{record, run_with, web};
use proptest::prelude::*;
use serde_json::{Map, Value as Json};
use throughline_normalize::format::NoHeaders;
use throughline_normalize::{ContractSchema, Entry, Formats, Lookup, NoSchemas, SchemaSource, SourceOptions, formats};

const SCHEMA: &str = include_str!("../../../schemas/touchpoints.web-value/1.avsc");

struct Known(Arc<ContractSchema>);

impl SchemaSource for Known {
    fn schema(&self, _: u32) -> Lookup {
        Lookup::Known(Arc::clone(&self.0))
    }
}

fn known() -> Known {
    Known(Arc::new(ContractSchema::parse(SCHEMA).expect("the contract's own schema")))
}

fn source() -> SourceOptions {
    SourceOptions { formats: Formats::Only(formats::by_name("throughline").into_iter().collect()), ..web() }
}

/// Choices that a record is made of; when they run out, all that follows is the first choice.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, count: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % count
    }
}

/// A value of the schema, as both wire formats write it.
fn value(schema: &Schema, name: &str, choices: &mut Choices<'_>) -> (Avro, Json) {
    match schema {
        Schema::Null => (Avro::Null, Json::Null),
        Schema::Boolean => {
            let value = choices.below(2) == 1;
            (Avro::Boolean(value), value.into())
        }
        Schema::Long => {
            let number = [0, 1, -1, 250, 1_999, i64::MAX][choices.below(6)];
            (Avro::Long(number), number.into())
        }
        Schema::TimestampMillis => {
            let millis = 1_780_300_000_000 + 1_000 * choices.below(200) as i64;
            (Avro::TimestampMillis(millis), millis.into())
        }
        Schema::Double => {
            let number = choices.below(24) as f64 / 4.0 - 0.5;
            (Avro::Double(number), number.into())
        }
        Schema::String => {
            let text = text(name, choices);
            (Avro::String(text.to_owned()), text.into())
        }
        Schema::Array(array) => {
            let members = (0..choices.below(3)).map(|_| value(&array.items, name, choices));
            let (avro, json) = members.unzip();
            (Avro::Array(avro), Json::Array(json))
        }
        Schema::Union(union) => {
            let branch = choices.below(union.variants().len());
            let (avro, json) = value(&union.variants()[branch], name, choices);
            (Avro::Union(u32::try_from(branch).expect("few branches"), Box::new(avro)), json)
        }
        Schema::Record(record) => {
            let (mut avro, mut json) = (Vec::new(), Map::new());
            for field in &record.fields {
                let (in_avro, in_json) = value(&field.schema, &field.name, choices);
                avro.push((field.name.clone(), in_avro));
                if in_json != Json::Null || choices.below(2) == 1 {
                    json.insert(field.name.clone(), in_json);
                }
            }
            (Avro::Record(avro), Json::Object(json))
        }
        other => panic!("the contract has no {other:?}"),
    }
}

fn text(name: &str, choices: &mut Choices<'_>) -> &'static str {
    let words: &[&str] = match name {
        // The derived id is of the bytes, which differ between the wire formats.
        "source_id" => &["s1", "s 2", "ß\"3\\"],
        "tenant" => &["", "acme"],
        "type" => {
            &["page.viewed", "login", "email", "survey.answered", "price", "help", "customer_id", "order.created"]
        }
        "channel" => &["", "web", "phone", "store"],
        "kind" => &["csat", "nps", "price", "delivery", "refund", "household", "stars", "policy_answer"],
        "family" | "direction" | "mode" | "driver" | "purpose" | "trust" | "outcome" | "sense" | "reason" | "by" => {
            &[""]
        }
        "verb" => &["", "add", "update"],
        "severity" => &["", "severe"],
        "intent" => &["help", "praise"],
        "currency" => &["EUR", "USD"],
        "status" => &["granted", "denied"],
        "value" => &["u1", "ann@example.org", "+491701234567", ""],
        "text" => &["", "The parcel is late, I am very angry!", "Danke schön, alles bestens."],
        _ => &["", "a", "b\tc", "\u{1f600}"],
    };
    words[choices.below(words.len())]
}

fn framed(schema: &Schema, value: Avro) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, 5];
    GenericDatumWriter::builder(schema).build().expect("writer").write_value(&mut bytes, value).expect("fits");
    bytes
}

/// The entry without what is derived from the bytes of a record that names nothing.
fn shown(entry: &Entry<'_>) -> String {
    match entry {
        Entry::Rejected { rejection, .. } => format!("{} {}", rejection.reason, rejection.field),
        other => format!("{other:?}"),
    }
}

/// The entries of both wire formats.
fn both(known: &Known, schema: &Schema, choices: &[u8]) -> [Vec<String>; 2] {
    let (avro, json) = value(schema, "", &mut Choices(choices.iter()));
    let (avro, json) = (framed(schema, avro), json.to_string());
    [
        run_with(&source(), &record(Some(&avro), &NoHeaders), known, shown),
        run_with(&source(), &record(Some(json.as_bytes()), &NoHeaders), &NoSchemas, shown),
    ]
}

#[test]
fn avro_and_json_give_the_same_entries() {
    use proptest::strategy::ValueTree;
    let (known, schema) = (known(), Schema::parse_str(SCHEMA).expect("schema"));
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut touchpoints = 0;
    for _ in 0..2_000 {
        let choices = prop::collection::vec(any::<u8>(), 0..300).new_tree(&mut runner).expect("tree").current();
        let [avro, json] = both(&known, &schema, &choices);
        assert_eq!(avro, json);
        touchpoints += usize::from(avro[0].starts_with("0 Touchpoint"));
    }
    assert!(touchpoints > 100, "only {touchpoints} of 2000 are touchpoints: the comparison says little");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn broken_datums_end_in_a_fate(
        choices in prop::collection::vec(any::<u8>(), 0..200),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        is_cut in any::<bool>(),
    ) {
        let (known, schema) = (known(), Schema::parse_str(SCHEMA).expect("schema"));
        let mut bytes = framed(&schema, value(&schema, "", &mut Choices(choices.iter())).0);
        let at = 5 + at.index(bytes.len() - 5);
        if is_cut { bytes.truncate(at) } else { bytes[at] = byte }
        let shown = run_with(&source(), &record(Some(&bytes), &NoHeaders), &known, shown);
        prop_assert_eq!(shown.len(), 1);
        if is_cut {
            prop_assert_eq!(&shown[0], "0 undecodable ");
        }
    }

    #[test]
    fn any_bytes_end_in_a_fate(datum in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&[0, 0, 0, 0, 5], datum.as_slice()].concat();
        prop_assert_eq!(run_with(&source(), &record(Some(&bytes), &NoHeaders), &known(), shown).len(), 1);
    }
}
