//! Schemas that producers of the contract wrote with, and reading what was written with them.
//!
//! A schema is compiled once into a flat plan; a datum is then read through that plan by the same structs that read JSON,
//! so that there is one reader of the contract and two wire formats. Text is borrowed from the datum.
//!
//! | Avro | reads as |
//! |---|---|
//! | `null`, `boolean`, `int`, `long`, `float`, `double`, `string`, `enum`, `array`, `map`, `record` | what JSON writes for it |
//! | union | its branch |
//! | `bytes`, `fixed` | text where it is UTF-8, else base64 |
//! | `uuid` | its text |
//! | `timestamp-millis`, `timestamp-micros`, `timestamp-nanos` | whole milliseconds |
//! | `local-timestamp-*`, `date` | text without a zone |
//! | `decimal`, `big-decimal`, `duration` | refused where the contract has the field, else skipped |

mod datum;

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::schema::{InnerDecimalSchema, UuidSchema};
use serde::Deserialize;
use serde::de::IgnoredAny;
use throughline_model::{Rejection, RejectionReason};

use self::datum::{Fault, Input, Value};
use crate::envelope::{DEPTH_MAX, TEXT_MAX};

/// A writer schema that is a record with a `type` field: whatever else it has is read by name.
#[derive(Debug)]
pub struct ContractSchema(Plan);

/// Why a schema cannot be read as one of the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// Not an Avro schema.
    #[error("not an Avro schema: {0}")]
    Unreadable(String),
    /// An Avro schema of something else.
    #[error("not a record with a field named type")]
    Foreign,
}

impl ContractSchema {
    /// Parses the JSON of a writer schema, as a registry gives it.
    ///
    /// # Errors
    /// Not an Avro schema, or not one of the contract.
    pub fn parse(schema: &str) -> Result<Self, NotOurs> {
        let unreadable = |error: apache_avro::Error| NotOurs::Unreadable(error.to_string());
        let schema = Schema::parse_str(schema).map_err(unreadable)?;
        let Schema::Record(record) = &schema else { return Err(NotOurs::Foreign) };
        if !record.fields.iter().any(|field| field.name == "type") {
            return Err(NotOurs::Foreign);
        }
        let mut plan = Plan::default();
        plan.root = plan.add(&schema, &mut BTreeMap::new())?;
        Ok(Self(plan))
    }

    /// Decodes a datum that fills all of `bytes`.
    pub(super) fn decode<'a, T: Deserialize<'a>>(&self, bytes: &'a [u8]) -> Result<T, Rejection> {
        if bytes.len() > TEXT_MAX {
            let detail = format!("a datum of {} bytes, at most {TEXT_MAX}", bytes.len());
            return Err(Rejection::new(RejectionReason::TooLarge, detail));
        }
        let mut input = Input::new(bytes);
        let read = T::deserialize(Value::new(&self.0, &mut input)).and_then(|record| input.end().map(|()| record));
        read.map_err(|fault| self.rejection::<T>(bytes, fault))
    }

    /// Says what is wrong with a datum; reads it again to find the path, because good records must not pay for it.
    #[cold]
    fn rejection<'a, T: Deserialize<'a>>(&self, bytes: &'a [u8], fault: Fault) -> Rejection {
        let detail = match fault {
            Fault::Torn(why) => return Rejection::new(RejectionReason::Undecodable, why),
            Fault::Deep => {
                return Rejection::new(RejectionReason::TooDeep, format!("nested deeper than {DEPTH_MAX}"));
            }
            Fault::Unfit(detail) => detail,
        };
        // A good start that does not fit may still be torn further on; decoding comes before fitting.
        let mut input = Input::new(bytes);
        let whole = IgnoredAny::deserialize(Value::new(&self.0, &mut input)).and_then(|_| input.end());
        if let Err(fault @ (Fault::Torn(_) | Fault::Deep)) = whole {
            return self.rejection::<T>(bytes, fault);
        }
        let mut input = Input::new(bytes);
        let path = match serde_path_to_error::deserialize::<_, T>(Value::new(&self.0, &mut input)) {
            Err(located) => located.path().to_string(),
            Ok(_) => String::new(),
        };
        Rejection::field(RejectionReason::InvalidField, path, detail)
    }
}

/// A compiled schema: nodes that name each other by their index, since schemas may contain themselves.
#[derive(Debug, Default)]
struct Plan {
    nodes: Vec<Node>,
    root: usize,
}

#[derive(Debug)]
enum Node {
    Null,
    Boolean,
    Int,
    Long,
    /// A long that counts this many to the millisecond.
    Instant(i64),
    /// The same of a clock without a zone.
    Local(i64),
    /// Days since 1970.
    Date,
    Float,
    Double,
    Text,
    Bytes(Width),
    Uuid(Width),
    /// A logical type that the contract has no use for, by its name.
    Refused(&'static str, Width),
    Array(usize),
    Map(usize),
    Union(Box<[usize]>),
    Record(Box<[(Box<str>, usize)]>),
    Enum(Box<[Box<str>]>),
}

/// How many bytes a value has.
#[derive(Debug, Clone, Copy)]
enum Width {
    /// As many as the length before it says.
    Said,
    /// Always as many.
    Fixed(usize),
}

impl Plan {
    /// Adds the nodes of a schema; `names` are the named ones so far.
    fn add(&mut self, schema: &Schema, names: &mut BTreeMap<String, usize>) -> Result<usize, NotOurs> {
        if let Schema::Ref { name } = schema {
            let unknown = || NotOurs::Unreadable(format!("no schema is named {name}"));
            return names.get(&name.to_string()).copied().ok_or_else(unknown);
        }
        // The place is taken first, so that what is inside can name it.
        let at = self.nodes.len();
        self.nodes.push(Node::Null);
        if let Some(name) = schema.name() {
            names.insert(name.to_string(), at);
        }
        self.nodes[at] = match schema {
            Schema::Array(array) => Node::Array(self.add(&array.items, names)?),
            Schema::Map(map) => Node::Map(self.add(&map.types, names)?),
            Schema::Union(union) => {
                let branches: Result<_, NotOurs> = union.variants().iter().map(|it| self.add(it, names)).collect();
                Node::Union(branches?)
            }
            Schema::Record(record) => {
                let fields = record.fields.iter();
                let fields: Result<_, NotOurs> =
                    fields.map(|field| Ok((field.name.as_str().into(), self.add(&field.schema, names)?))).collect();
                Node::Record(fields?)
            }
            leaf => leaf_of(leaf),
        };
        Ok(at)
    }
}

/// The node of a schema without others inside.
fn leaf_of(schema: &Schema) -> Node {
    match schema {
        Schema::Boolean => Node::Boolean,
        Schema::Int | Schema::TimeMillis => Node::Int,
        Schema::Long | Schema::TimeMicros => Node::Long,
        Schema::TimestampMillis => Node::Instant(1),
        Schema::TimestampMicros => Node::Instant(1_000),
        Schema::TimestampNanos => Node::Instant(1_000_000),
        Schema::LocalTimestampMillis => Node::Local(1),
        Schema::LocalTimestampMicros => Node::Local(1_000),
        Schema::LocalTimestampNanos => Node::Local(1_000_000),
        Schema::Date => Node::Date,
        Schema::Float => Node::Float,
        Schema::Double => Node::Double,
        Schema::String | Schema::Uuid(UuidSchema::String) => Node::Text,
        Schema::Bytes => Node::Bytes(Width::Said),
        Schema::Fixed(fixed) => Node::Bytes(Width::Fixed(fixed.size)),
        Schema::Uuid(UuidSchema::Bytes) => Node::Uuid(Width::Said),
        Schema::Uuid(UuidSchema::Fixed(fixed)) => Node::Uuid(Width::Fixed(fixed.size)),
        Schema::Enum(symbols) => Node::Enum(symbols.symbols.iter().map(|symbol| symbol.as_str().into()).collect()),
        Schema::Decimal(decimal) => match &decimal.inner {
            InnerDecimalSchema::Bytes => Node::Refused("decimal", Width::Said),
            InnerDecimalSchema::Fixed(fixed) => Node::Refused("decimal", Width::Fixed(fixed.size)),
        },
        Schema::BigDecimal => Node::Refused("big-decimal", Width::Said),
        Schema::Duration(fixed) => Node::Refused("duration", Width::Fixed(fixed.size)),
        // The rest has others inside or names them, which the caller has dealt with.
        Schema::Null
        | Schema::Array(_)
        | Schema::Map(_)
        | Schema::Union(_)
        | Schema::Record(_)
        | Schema::Ref { .. } => Node::Null,
    }
}

#[cfg(test)]
mod tests;
