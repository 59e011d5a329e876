//! The Avro schema of a record, as text for people and registries.

use super::json::{put_number, put_string};
use super::{FieldName, NAMESPACE, Record, Sink};

/// The schema of `R` as indented JSON with a newline at the end: fields in order, a doc and a default each.
///
/// # Panics
///
/// If a default of an optional field is a value: readers of Avro take the default of a union from its first branch, `null`.
#[must_use]
pub fn schema_of<R: Record>() -> String {
    let mut sink = SchemaSink { out: Vec::new(), depth: 0, defined: Vec::new() };
    sink.record_type::<R>();
    sink.out.push(b'\n');
    String::from_utf8(sink.out).expect("names, docs and defaults are text")
}

const TIMESTAMP: &str = r#"{ "type": "long", "logicalType": "timestamp-millis" }"#;

struct SchemaSink {
    out: Vec<u8>,
    depth: usize,
    /// Named types written so far; Avro wants each defined once and named from then on.
    defined: Vec<&'static str>,
}

impl SchemaSink {
    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn line(&mut self) {
        self.out.push(b'\n');
        self.out.resize(self.out.len() + 2 * self.depth, b' ');
    }

    fn record_type<R: Record>(&mut self) {
        if self.defined.contains(&R::NAME) {
            put_string(&mut self.out, R::NAME);
            return;
        }
        let is_root = self.defined.is_empty();
        self.defined.push(R::NAME);
        self.put("{");
        self.depth += 1;
        self.member("type", "record");
        self.put(",");
        self.member("name", R::NAME);
        if is_root {
            self.put(",");
            self.member("namespace", NAMESPACE);
        }
        self.put(",");
        self.member("doc", R::DOC.trim());
        self.put(",");
        self.line();
        self.put("\"fields\": [");
        self.depth += 1;
        R::default().fields(self);
        self.depth -= 1;
        self.line();
        self.put("]");
        self.depth -= 1;
        self.line();
        self.put("}");
    }

    fn member(&mut self, name: &str, value: &str) {
        self.line();
        self.put(&format!("\"{name}\": "));
        put_string(&mut self.out, value);
    }

    fn field(&mut self, field: FieldName, put_type: impl FnOnce(&mut Self), put_default: impl FnOnce(&mut Vec<u8>)) {
        if self.out.last() != Some(&b'[') {
            self.put(",");
        }
        self.line();
        self.put("{ \"name\": ");
        put_string(&mut self.out, field.name);
        self.put(", \"doc\": ");
        put_string(&mut self.out, field.doc.trim());
        self.put(", \"type\": ");
        put_type(self);
        self.put(", \"default\": ");
        put_default(&mut self.out);
        self.put(" }");
    }

    fn plain(&mut self, field: FieldName, kind: &str, put_default: impl FnOnce(&mut Vec<u8>)) {
        self.field(field, |sink| sink.put(kind), put_default);
    }

    fn optional<T>(&mut self, field: FieldName, default: Option<T>, put_type: impl FnOnce(&mut Self)) {
        assert!(default.is_none(), "the default of the optional field {} is null", field.name);
        let put_union = |sink: &mut Self| {
            sink.put("[\"null\", ");
            put_type(sink);
            sink.put("]");
        };
        self.field(field, put_union, |out| out.extend_from_slice(b"null"));
    }

    fn array(&mut self, field: FieldName, is_empty: bool, put_items: impl FnOnce(&mut Self)) {
        assert!(is_empty, "the default of the array {} is empty", field.name);
        let put_array = |sink: &mut Self| {
            sink.put("{ \"type\": \"array\", \"items\": ");
            put_items(sink);
            sink.put(" }");
        };
        self.field(field, put_array, |out| out.extend_from_slice(b"[]"));
    }
}

impl Sink for SchemaSink {
    fn string(&mut self, field: FieldName, value: &str) {
        self.plain(field, "\"string\"", |out| put_string(out, value));
    }

    fn opt_string(&mut self, field: FieldName, value: Option<&str>) {
        self.optional(field, value, |sink| sink.put("\"string\""));
    }

    fn long(&mut self, field: FieldName, value: i64) {
        self.plain(field, "\"long\"", |out| out.extend_from_slice(value.to_string().as_bytes()));
    }

    fn opt_long(&mut self, field: FieldName, value: Option<i64>) {
        self.optional(field, value, |sink| sink.put("\"long\""));
    }

    fn int(&mut self, field: FieldName, value: i32) {
        self.plain(field, "\"int\"", |out| out.extend_from_slice(value.to_string().as_bytes()));
    }

    fn opt_int(&mut self, field: FieldName, value: Option<i32>) {
        self.optional(field, value, |sink| sink.put("\"int\""));
    }

    fn double(&mut self, field: FieldName, value: f64) {
        self.plain(field, "\"double\"", |out| {
            let from = out.len();
            put_number(out, value);
            // Some readers take a default without a point for an integer and refuse it.
            if !out[from..].contains(&b'.') {
                out.extend_from_slice(b".0");
            }
        });
    }

    fn opt_double(&mut self, field: FieldName, value: Option<f64>) {
        self.optional(field, value, |sink| sink.put("\"double\""));
    }

    fn boolean(&mut self, field: FieldName, value: bool) {
        self.plain(field, "\"boolean\"", |out| out.extend_from_slice(value.to_string().as_bytes()));
    }

    fn opt_boolean(&mut self, field: FieldName, value: Option<bool>) {
        self.optional(field, value, |sink| sink.put("\"boolean\""));
    }

    fn timestamp(&mut self, field: FieldName, millis: i64) {
        self.plain(field, TIMESTAMP, |out| out.extend_from_slice(millis.to_string().as_bytes()));
    }

    fn opt_timestamp(&mut self, field: FieldName, millis: Option<i64>) {
        self.optional(field, millis, |sink| sink.put(TIMESTAMP));
    }

    fn opt_record<R: Record>(&mut self, field: FieldName, value: Option<&R>) {
        self.optional(field, value, Self::record_type::<R>);
    }

    fn array_of_records<R: Record>(&mut self, field: FieldName, values: &[R]) {
        self.array(field, values.is_empty(), Self::record_type::<R>);
    }

    fn array_of_strings(&mut self, field: FieldName, values: &[&str]) {
        self.array(field, values.is_empty(), |sink| sink.put("\"string\""));
    }
}
