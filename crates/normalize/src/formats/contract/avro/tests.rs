use serde::Deserialize;
use throughline_model::RejectionReason as Reason;

use super::*;

/// What a datum of these fields, beside a `type` of `t`, reads as in JSON; or the rejection's reason and field.
fn read(fields: &str, datum: &[u8]) -> Result<String, (Reason, String)> {
    let schema = format!(r#"{{"type":"record","name":"R","fields":[{{"name":"type","type":"string"}}{fields}]}}"#);
    let schema = ContractSchema::parse(&schema).expect("schema");
    let bytes = [b"\x02t", datum].concat();
    let value = schema.decode::<serde_json::Value>(&bytes);
    value
        .map(|mut value| value.as_object_mut().and_then(|it| it.remove("a")).map_or(String::new(), |it| it.to_string()))
        .map_err(|rejection| (rejection.reason, rejection.field.into_owned()))
}

fn field(kind: &str) -> String {
    format!(r#",{{"name":"a","type":{kind}}}"#)
}

#[test]
fn every_type_reads_as_json_writes_it() {
    for (kind, datum, expected) in [
        (r#""null""#, b"".as_slice(), "null"),
        (r#""boolean""#, b"\x01", "true"),
        (r#""int""#, b"\x03", "-2"),
        (r#""long""#, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "-9223372036854775808"),
        (r#""float""#, b"\x00\x00\xc0\x3f", "1.5"),
        (r#""double""#, b"\x00\x00\x00\x00\x00\x00\xf8\xbf", "-1.5"),
        (r#""string""#, "\x06\u{20ac}".as_bytes(), "\"\u{20ac}\""),
        (r#""bytes""#, b"\x04hi", r#""hi""#),
        (r#""bytes""#, b"\x04\xff\xfe", r#""//4=""#),
        (r#"{"type":"fixed","name":"F","size":2}"#, b"hi", r#""hi""#),
        (r#"{"type":"enum","name":"E","symbols":["X","Y"]}"#, b"\x02", r#""Y""#),
        (r#"{"type":"array","items":"int"}"#, b"\x04\x02\x04\x02\x06\x00", "[1,2,3]"),
        (r#"{"type":"array","items":"int"}"#, b"\x03\x04\x02\x04\x00", "[1,2]"),
        (r#"{"type":"map","values":"int"}"#, b"\x02\x02k\x02\x00", r#"{"k":1}"#),
        (r#"["null","string"]"#, b"\x02\x02s", r#""s""#),
        (r#"["null","string"]"#, b"\x00", "null"),
        (r#"{"type":"record","name":"N","fields":[{"name":"b","type":"int"}]}"#, b"\x02", r#"{"b":1}"#),
        (r#"{"type":"long","logicalType":"timestamp-millis"}"#, b"\xd0\x0f", "1000"),
        (r#"{"type":"long","logicalType":"timestamp-micros"}"#, b"\xd1\x0f", "-2"),
        (r#"{"type":"long","logicalType":"local-timestamp-millis"}"#, b"\xd0\x0f", r#""1970-01-01T00:00:01""#),
        (r#"{"type":"int","logicalType":"date"}"#, b"\x02", r#""1970-01-02""#),
        (r#"{"type":"string","logicalType":"uuid"}"#, b"\x02u", r#""u""#),
    ] {
        assert_eq!(read(&field(kind), datum).as_deref(), Ok(expected), "{kind} {datum:?}");
    }
}

#[test]
fn named_types_are_found_by_their_names() {
    let fields = r#",{"name":"a","type":{"type":"record","name":"x.N","fields":[{"name":"b","type":["null","x.N"]}]}},
        {"name":"c","type":"x.N"}"#;
    assert_eq!(read(fields, b"\x02\x00\x00").as_deref(), Ok(r#"{"b":{"b":null}}"#));
    let fixed = r#",{"name":"b","type":{"type":"fixed","name":"F","size":1}},{"name":"a","type":"F"}"#;
    assert_eq!(read(fixed, b"xy").as_deref(), Ok(r#""y""#));
}

#[test]
fn broken_bytes_are_undecodable() {
    let huge = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01".as_slice();
    let lowest = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00".as_slice();
    for (kind, datum) in [
        (r#""boolean""#, b"\x02".as_slice()),
        (r#""int""#, b""),
        (r#""int""#, b"\x80"),
        (r#""int""#, huge),
        (r#""long""#, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
        (r#""long""#, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        (r#""double""#, b"\x00\x00"),
        (r#""string""#, b"\x06ab"),
        (r#""string""#, b"\x01"),
        (r#""string""#, huge),
        (r#""string""#, b"\x02\xff"),
        (r#"{"type":"fixed","name":"F","size":9}"#, b"hi"),
        (r#"{"type":"enum","name":"E","symbols":["X"]}"#, b"\x02"),
        (r#"{"type":"enum","name":"E","symbols":["X"]}"#, b"\x01"),
        (r#"["null","int"]"#, b"\x04"),
        (r#"{"type":"array","items":"int"}"#, b"\x02\x02"),
        (r#"{"type":"array","items":"int"}"#, huge),
        (r#"{"type":"array","items":"int"}"#, lowest),
        (r#"{"type":"array","items":"null"}"#, b"\x80\x80\x80\x01\x00"),
        (r#"{"type":"map","values":"null"}"#, huge),
        (r#""int""#, b"\x02\x02"),
    ] {
        assert_eq!(read(&field(kind), datum), Err((Reason::Undecodable, String::new())), "{kind} {datum:?}");
    }
    // Blocks of nothing, one after the other.
    let blocks = [b"\xa0\x9c\x01".as_slice(); 1_000].concat();
    assert_eq!(read(&field(r#"{"type":"array","items":"null"}"#), &blocks), Err((Reason::Undecodable, String::new())));
}

#[test]
fn what_does_not_fit_is_an_invalid_field_with_its_path() {
    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Record {
        a: Vec<f64>,
    }
    let decode = |kind: &str, datum: &[u8]| {
        let schema = format!(
            r#"{{"type":"record","name":"R","fields":[{{"name":"type","type":"string"}},{{"name":"z","type":"double"}}{}]}}"#,
            field(kind)
        );
        let bytes = [b"\x00\x00\x00\x00\x00\x00\x00\xf8\x7f", datum].concat();
        let rejection = ContractSchema::parse(&schema).expect("schema").decode::<Record>(&bytes).map(|record| record.a);
        rejection.map_err(|rejection| (rejection.reason, rejection.field.into_owned()))
    };
    let invalid = |path: &str| Err((Reason::InvalidField, path.to_owned()));
    // A field that nobody reads may be no number.
    assert_eq!(decode(r#"{"type":"array","items":"double"}"#, b"\x00"), Ok(vec![]));
    let nan = b"\x04\x00\x00\x00\x00\x00\x00\xf8\xbf\x00\x00\x00\x00\x00\x00\xf8\x7f\x00";
    assert_eq!(decode(r#"{"type":"array","items":"double"}"#, nan), invalid("a[1]"));
    assert_eq!(decode(r#"{"type":"array","items":"string"}"#, b"\x02\x00\x00"), invalid("a[0]"));
    assert_eq!(decode(r#"{"type":"array","items":"string"}"#, b"\x02\x00"), Err((Reason::Undecodable, String::new())));
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#;
    assert_eq!(decode(decimal, b"\x02\x01"), invalid("a"));
    let unread = format!(r#",{{"name":"unread","type":{decimal}}}"#);
    let schema = format!(r#"{{"type":"record","name":"R","fields":[{{"name":"type","type":"string"}}{unread}]}}"#);
    assert!(ContractSchema::parse(&schema).expect("schema").decode::<Record>(b"\x00\x02\x01").is_ok());
}

#[test]
fn nesting_ends() {
    let endless = r#"{"type":"record","name":"N","fields":[{"name":"b","type":"N"}]}"#;
    assert_eq!(read(&field(endless), b""), Err((Reason::TooDeep, String::new())));
    let list = r#"{"type":"record","name":"N","fields":[{"name":"b","type":["null","N"]}]}"#;
    let nested = |depth: usize| [b"\x02".repeat(depth).as_slice(), b"\x00"].concat();
    assert!(read(&field(list), &nested(62)).is_ok());
    assert_eq!(read(&field(list), &nested(63)), Err((Reason::TooDeep, String::new())));
    // Each record holds the one before twice: no bytes, and more values than atoms.
    let mut bomb = r#",{"name":"f0","type":{"type":"record","name":"N0","fields":[]}}"#.to_owned();
    for at in 1..60 {
        let before = at - 1;
        let twice = format!(r#"{{"name":"b","type":"N{before}"}},{{"name":"c","type":"N{before}"}}"#);
        bomb += &format!(r#",{{"name":"f{at}","type":{{"type":"record","name":"N{at}","fields":[{twice}]}}}}"#);
    }
    assert_eq!(read(&bomb, b""), Err((Reason::Undecodable, String::new())));
}

#[test]
fn schemas_of_something_else_are_refused() {
    for foreign in [r#""string""#, r#"{"type":"record","name":"R","fields":[]}"#, r#"["null"]"#] {
        assert!(matches!(ContractSchema::parse(foreign), Err(NotOurs::Foreign)), "{foreign}");
    }
    for broken in
        ["", "{", r#"{"type":"record"}"#, r#"{"type":"record","name":"R","fields":[{"name":"type","type":"X"}]}"#]
    {
        assert!(matches!(ContractSchema::parse(broken), Err(NotOurs::Unreadable(_))), "{broken}");
    }
}
