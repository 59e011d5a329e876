//! Records against other readers: apache-avro reads the datums and the schema, serde_json the JSON, and both see the same.

use apache_avro::types::Value as Avro;
use apache_avro::{Schema, reader::datum::GenericDatumReader};
use proptest::prelude::*;
use serde_json::Value as Json;
use throughline_codec::record::{List, schema_of, to_avro, to_json};
use throughline_model::{EventTime, Now, round6};

throughline_codec::record! {
    /// Every type a field may have.
    pub struct Everything<'a>: "Everything" {
        /// A string.
        pub text: &'a str,
        /// A string with a default
        /// on two lines.
        pub r#type: &'a str = "usual \"kind\"",
        /// Perhaps a string.
        pub opt_text: Option<&'a str>,
        /// 64 bits.
        pub long: i64,
        /// Perhaps 64 bits.
        pub opt_long: Option<i64>,
        /// 32 bits.
        pub int: i32 = -7,
        /// Perhaps 32 bits.
        pub opt_int: Option<i32>,
        /// A number.
        pub double: f64,
        /// Perhaps a number.
        pub opt_double: Option<f64>,
        /// A truth value.
        pub boolean: bool = true,
        /// Perhaps a truth value.
        pub opt_boolean: Option<bool>,
        /// A time.
        pub at: EventTime,
        /// Perhaps a time.
        pub opt_at: Option<Now>,
        /// Perhaps a record.
        pub part: Option<Part<'a>>,
        /// Records, of a type that is defined by then.
        pub parts: List<'a, Part<'a>>,
        /// Strings.
        pub names: List<'a, &'a str>,
    }
}

throughline_codec::record! {
    /// A part of another record.
    pub struct Part<'a>: "Part" {
        /// Name.
        pub name: &'a str,
        /// Share, 0..1.
        pub share: f64,
        /// Its own names.
        pub names: List<'a, &'a str>,
    }
}

/// Strings of a generated record live as long as the test program.
fn text() -> impl Strategy<Value = &'static str> {
    any::<String>().prop_map(|text| &*Box::leak(text.into_boxed_str()))
}

fn texts() -> impl Strategy<Value = List<'static, &'static str>> {
    proptest::collection::vec(text(), 0..4).prop_map(List::from)
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![-1.0..1.0, 0.0..100.0, -1e8..1e8, any::<f64>()]
}

fn part() -> impl Strategy<Value = Part<'static>> {
    (text(), number(), texts()).prop_map(|(name, share, names)| Part { name, share, names })
}

prop_compose! {
    fn everything()(
        (text, r#type, opt_text) in (text(), text(), proptest::option::of(text())),
        (long, opt_long, int, opt_int) in (any::<i64>(), any::<Option<i64>>(), any::<i32>(), any::<Option<i32>>()),
        (double, opt_double) in (number(), proptest::option::of(number())),
        (boolean, opt_boolean) in (any::<bool>(), any::<Option<bool>>()),
        (at, opt_at) in (any::<i64>(), proptest::option::of(0i64..4_000_000_000_000)),
        part in proptest::option::of(part()),
        parts in proptest::collection::vec(part(), 0..4),
        names in texts(),
    ) -> Everything<'static> {
        Everything {
            text, r#type, opt_text, long, opt_long, int, opt_int, double, opt_double, boolean, opt_boolean,
            at: EventTime::from_millis(at), opt_at: opt_at.map(Now::from_millis), part, parts: parts.into(), names,
        }
    }
}

/// The datum as apache-avro reads it, up to its last byte.
fn read(written_as: &Schema, read_as: &Schema, mut datum: &[u8]) -> Avro {
    let reader = GenericDatumReader::builder(written_as).reader_schema(read_as).build().expect("the schemas resolve");
    let value = reader.read_value(&mut datum).expect("apache-avro reads the datum");
    assert!(datum.is_empty(), "{} bytes left", datum.len());
    value
}

fn schema() -> Schema {
    Schema::parse_str(&schema_of::<Everything>()).expect("apache-avro takes the schema")
}

/// What JSON says about a value that Avro has: absent members of unions are absent members of objects.
fn as_json(value: &Avro) -> Option<Json> {
    Some(match value {
        Avro::Null => return None,
        Avro::Union(_, value) => return as_json(value),
        Avro::String(text) => Json::from(text.as_str()),
        Avro::Long(number) => Json::from(*number),
        Avro::Int(number) => Json::from(*number),
        Avro::Double(number) => Json::from(*number),
        Avro::Boolean(truth) => Json::from(*truth),
        Avro::TimestampMillis(millis) => match jiff::Timestamp::from_millisecond(*millis) {
            Ok(at) if (0..=9999).contains(&at.to_zoned(jiff::tz::TimeZone::UTC).year()) => {
                Json::from(format!("{at:.3}"))
            }
            _ => Json::from(*millis),
        },
        Avro::Array(members) => members.iter().map(|member| as_json(member).expect("no nulls in arrays")).collect(),
        Avro::Record(members) => {
            members.iter().filter_map(|(name, value)| as_json(value).map(|value| (name.clone(), value))).collect()
        }
        other => panic!("no record has {other:?}"),
    })
}

/// Integers and numbers that are equal are one JSON value: `60` is `60.0`.
fn with_doubles(value: &Json) -> Json {
    match value {
        Json::Number(number) => Json::from(number.as_f64().expect("numbers are finite")),
        Json::Array(members) => members.iter().map(with_doubles).collect(),
        Json::Object(members) => members.iter().map(|(name, value)| (name.clone(), with_doubles(value))).collect(),
        other => other.clone(),
    }
}

fn field<'v>(value: &'v Avro, name: &str) -> &'v Avro {
    let Avro::Record(fields) = value else { panic!("a record") };
    &fields.iter().find(|(field, _)| field == name).expect("the field is there").1
}

proptest! {
    // A failing case prints its seed; none is kept in a file.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn avro_and_json_say_the_same(record in everything()) {
        let mut datum = Vec::new();
        to_avro(&record, &mut datum);
        let avro = read(&schema(), &schema(), &datum);

        let mut json = Vec::new();
        to_json(&record, &mut json);
        let json: Json = serde_json::from_slice(&json).expect("serde_json reads the JSON");
        prop_assert_eq!(with_doubles(&json), with_doubles(&as_json(&avro).expect("a record is no null")));

        let rounded = if record.double.is_finite() { round6(record.double) } else { 0.0 };
        prop_assert_eq!(field(&avro, "double"), &Avro::Double(rounded));
        prop_assert_eq!(field(&avro, "text"), &Avro::String(record.text.to_owned()));
        prop_assert_eq!(field(&avro, "at"), &Avro::TimestampMillis(record.at.as_millis()));
        prop_assert_eq!(field(&avro, "int"), &Avro::Int(record.int));
    }
}

#[test]
fn a_schema_reads_nothing_as_the_defaults() {
    let empty = Schema::parse_str(r#"{"type":"record","name":"Everything","namespace":"throughline","fields":[]}"#)
        .expect("a record without fields");
    let defaults = read(&empty, &schema(), &[]);
    let mut datum = Vec::new();
    to_avro(&Everything::default(), &mut datum);
    assert_eq!(as_json(&defaults), as_json(&read(&schema(), &schema(), &datum)));
}

#[test]
fn a_schema_has_docs_defaults_and_each_type_once() {
    expect_test::expect![[r#"
        {
          "type": "record",
          "name": "Everything",
          "namespace": "throughline",
          "doc": "Every type a field may have.",
          "fields": [
            { "name": "text", "doc": "A string.", "type": "string", "default": "" },
            { "name": "type", "doc": "A string with a default on two lines.", "type": "string", "default": "usual \"kind\"" },
            { "name": "opt_text", "doc": "Perhaps a string.", "type": ["null", "string"], "default": null },
            { "name": "long", "doc": "64 bits.", "type": "long", "default": 0 },
            { "name": "opt_long", "doc": "Perhaps 64 bits.", "type": ["null", "long"], "default": null },
            { "name": "int", "doc": "32 bits.", "type": "int", "default": -7 },
            { "name": "opt_int", "doc": "Perhaps 32 bits.", "type": ["null", "int"], "default": null },
            { "name": "double", "doc": "A number.", "type": "double", "default": 0.0 },
            { "name": "opt_double", "doc": "Perhaps a number.", "type": ["null", "double"], "default": null },
            { "name": "boolean", "doc": "A truth value.", "type": "boolean", "default": true },
            { "name": "opt_boolean", "doc": "Perhaps a truth value.", "type": ["null", "boolean"], "default": null },
            { "name": "at", "doc": "A time.", "type": { "type": "long", "logicalType": "timestamp-millis" }, "default": 0 },
            { "name": "opt_at", "doc": "Perhaps a time.", "type": ["null", { "type": "long", "logicalType": "timestamp-millis" }], "default": null },
            { "name": "part", "doc": "Perhaps a record.", "type": ["null", {
              "type": "record",
              "name": "Part",
              "doc": "A part of another record.",
              "fields": [
                { "name": "name", "doc": "Name.", "type": "string", "default": "" },
                { "name": "share", "doc": "Share, 0..1.", "type": "double", "default": 0.0 },
                { "name": "names", "doc": "Its own names.", "type": { "type": "array", "items": "string" }, "default": [] }
              ]
            }], "default": null },
            { "name": "parts", "doc": "Records, of a type that is defined by then.", "type": { "type": "array", "items": "Part" }, "default": [] },
            { "name": "names", "doc": "Strings.", "type": { "type": "array", "items": "string" }, "default": [] }
          ]
        }
    "#]].assert_eq(&schema_of::<Everything>());
}

#[test]
fn a_container_is_read_with_its_own_schema() {
    let mut datum = Vec::new();
    to_avro(&Everything { text: "a", ..Everything::default() }, &mut datum);
    let file = throughline_codec::record::container(&schema_of::<Everything>(), &[datum.clone(), datum]);
    let values: Vec<_> = apache_avro::Reader::new(&file[..])
        .expect("apache-avro opens the file")
        .collect::<Result<_, _>>()
        .expect("apache-avro reads every datum");
    assert_eq!(values.len(), 2);
    assert_eq!(field(&values[1], "text"), &Avro::String("a".to_owned()));
}
