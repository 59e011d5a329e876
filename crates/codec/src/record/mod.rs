//! One description of a record for its schema, its Avro bytes and its JSON.
//!
//! A record is a plain struct declared with [`record!`](crate::record!): the order of its fields is the order on the wire,
//! the Rust type of a field is its Avro type, its doc comment is the doc of the schema, its `Default` is the default of the
//! schema. Every way to write a record is a [`Sink`] that the fields are shown to, so a schema cannot differ from the bytes.
//!
//! | Rust | Avro | JSON |
//! |---|---|---|
//! | `&str` | `string` | string |
//! | `i64`, `i32` | `long`, `int` | number |
//! | `f64` | `double`, rounded to 6 decimals | number, the same one |
//! | `bool` | `boolean` | `true`, `false` |
//! | `EventTime`, `ReceivedAt`, `Now` | `timestamp-millis` | RFC 3339, milliseconds, `Z` |
//! | `Option<T>` | `["null", T]` | absent if `None` |
//! | `List<T>` | `array` | array, also if empty |
//! | `Option<R>`, `List<R>` of a record | nested record | object |

mod avro;
mod field;
mod json;
mod schema;

pub use avro::{AvroSink, container, put_long, to_avro};
pub use field::{Field, List};
pub use json::{JsonSink, put_rfc3339, put_string, to_json};
pub use schema::schema_of;

use crate::confluent;

/// A published record: borrowed values, fields in the order of the wire.
pub trait Record: Default {
    /// Name of the Avro type in the namespace [`NAMESPACE`].
    const NAME: &'static str;
    /// What one record says, for the schema.
    const DOC: &'static str;

    /// Shows every field to `sink`, in order.
    fn fields<S: Sink>(&self, sink: &mut S);
}

/// Namespace of every schema.
pub const NAMESPACE: &str = "throughline";

/// Name and meaning of a field; sinks that write values ignore the meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldName {
    /// Name on the wire.
    pub name: &'static str,
    /// Meaning and unit; may start with a space, as doc comments do.
    pub doc: &'static str,
}

impl FieldName {
    /// From an identifier, which may be a raw one such as `r#type`, and its doc comment.
    #[must_use]
    pub const fn new(identifier: &'static str, doc: &'static str) -> Self {
        let name = match identifier.as_bytes() {
            [b'r', b'#', ..] => identifier.split_at(2).1,
            _ => identifier,
        };
        Self { name, doc }
    }
}

/// One way to write records. Numbers arrive as they are in the struct; times in milliseconds since 1970 UTC.
pub trait Sink {
    /// A string.
    fn string(&mut self, field: FieldName, value: &str);
    /// A string or nothing.
    fn opt_string(&mut self, field: FieldName, value: Option<&str>);
    /// 64 bits.
    fn long(&mut self, field: FieldName, value: i64);
    /// 64 bits or nothing.
    fn opt_long(&mut self, field: FieldName, value: Option<i64>);
    /// 32 bits.
    fn int(&mut self, field: FieldName, value: i32);
    /// 32 bits or nothing.
    fn opt_int(&mut self, field: FieldName, value: Option<i32>);
    /// A number, see [`published`].
    fn double(&mut self, field: FieldName, value: f64);
    /// A number or nothing.
    fn opt_double(&mut self, field: FieldName, value: Option<f64>);
    /// A truth value.
    fn boolean(&mut self, field: FieldName, value: bool);
    /// A truth value or nothing.
    fn opt_boolean(&mut self, field: FieldName, value: Option<bool>);
    /// A time.
    fn timestamp(&mut self, field: FieldName, millis: i64);
    /// A time or nothing.
    fn opt_timestamp(&mut self, field: FieldName, millis: Option<i64>);
    /// A nested record or nothing.
    fn opt_record<R: Record>(&mut self, field: FieldName, value: Option<&R>);
    /// Nested records.
    fn array_of_records<R: Record>(&mut self, field: FieldName, values: &[R]);
    /// Strings.
    fn array_of_strings(&mut self, field: FieldName, values: &[&str]);
}

/// The number that is published: rounded to 6 decimals. No formula yields NaN or infinity; should one appear, 0 is published
/// rather than a value that no JSON reader takes.
#[must_use]
#[inline]
pub fn published(value: f64) -> f64 {
    if value.is_finite() { throughline_model::round6(value) } else { 0.0 }
}

/// How the values of a topic are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Avro in the Confluent wire format.
    Avro {
        /// Id under which the registry knows the schema.
        schema_id: u32,
    },
    /// JSON with the same field names.
    Json,
}

impl Encoding {
    /// Appends the record to `out`.
    #[inline]
    pub fn encode<R: Record>(self, record: &R, out: &mut Vec<u8>) {
        match self {
            Self::Avro { schema_id } => {
                confluent::put_header(out, schema_id);
                to_avro(record, out);
            }
            Self::Json => to_json(record, out),
        }
    }

    /// Value of the header `content-type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Avro { .. } => crate::headers::CONTENT_TYPE_AVRO,
            Self::Json => crate::headers::CONTENT_TYPE_JSON,
        }
    }
}

/// Declares a published record: struct, defaults and [`Record`] from one list.
///
/// ```
/// throughline_codec::record! {
///     /// How a visit went.
///     pub struct Visit<'a>: "Visit" {
///         /// Page, a path.
///         pub page: &'a str,
///         /// What kind of page it was.
///         pub r#type: Option<&'a str>,
///         /// False where nobody could have helped it.
///         pub controllable: bool = true,
///     }
/// }
/// let mut out = Vec::new();
/// throughline_codec::record::to_json(&Visit { page: "/", ..Visit::default() }, &mut out);
/// assert_eq!(out, br#"{"page":"/","controllable":true}"#);
/// ```
#[macro_export]
macro_rules! record {
    (
        $(#[doc = $record_doc:literal])+
        pub struct $record:ident $(<$life:lifetime>)? : $name:literal {
            $($(#[doc = $doc:literal])+ pub $field:ident : $type:ty $(= $default:expr)?),+ $(,)?
        }
    ) => {
        $(#[doc = $record_doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $record $(<$life>)? {
            $($(#[doc = $doc])+ pub $field: $type),+
        }

        impl $(<$life>)? Default for $record $(<$life>)? {
            fn default() -> Self {
                Self { $($field: $crate::record!(@default $($default)?)),+ }
            }
        }

        impl $(<$life>)? $crate::record::Record for $record $(<$life>)? {
            const NAME: &'static str = $name;
            const DOC: &'static str = concat!($($record_doc),+);

            #[inline]
            fn fields<S: $crate::record::Sink>(&self, sink: &mut S) {
                $($crate::record::Field::visit(
                    &self.$field,
                    const { $crate::record::FieldName::new(stringify!($field), concat!($($doc),+)) },
                    sink,
                );)+
            }
        }
    };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
}
