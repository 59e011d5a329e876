//! One Avro datum as a serde value. Whatever the bytes say, reading ends, and it allocates no more than they are worth.

use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use super::{Node, Plan, Width};
use crate::envelope::DEPTH_MAX;

/// Values a datum may hold beyond one for each of its bytes: nulls and empty records cost no bytes to write.
const FREE_VALUES_MAX: usize = 20_000;

/// Why a datum cannot be read.
#[derive(Debug)]
pub(super) enum Fault {
    /// The bytes are not those of the schema.
    Torn(String),
    /// Nested too deep.
    Deep,
    /// A good value that does not fit its field.
    Unfit(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn(why) | Self::Unfit(why) => out.write_str(why),
            Self::Deep => out.write_str("nested too deep"),
        }
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(why: T) -> Self {
        // The offending text is quoted, and may be long.
        Self::Unfit(why.to_string().chars().take(300).collect())
    }
}

#[cold]
fn torn(why: impl Into<String>) -> Fault {
    Fault::Torn(why.into())
}

/// The bytes that are left, and how many values they may still hold.
#[derive(Debug)]
pub(super) struct Input<'de> {
    bytes: &'de [u8],
    values: usize,
}

impl<'de> Input<'de> {
    pub fn new(bytes: &'de [u8]) -> Self {
        Self { bytes, values: bytes.len() + FREE_VALUES_MAX }
    }

    /// Checks that nothing is left.
    pub fn end(&self) -> Result<(), Fault> {
        if self.bytes.is_empty() { Ok(()) } else { Err(torn(format!("{} bytes after the record", self.bytes.len()))) }
    }

    fn take(&mut self, count: usize) -> Result<&'de [u8], Fault> {
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            return Err(torn(format!("{count} bytes announced, {} left", self.bytes.len())));
        };
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let Some((taken, rest)) = self.bytes.split_first_chunk::<N>() else {
            return Err(torn(format!("{N} bytes wanted, {} left", self.bytes.len())));
        };
        self.bytes = rest;
        Ok(*taken)
    }

    /// A number of seven bits a byte, low ones first, with its sign in the lowest bit.
    fn long(&mut self) -> Result<i64, Fault> {
        let mut number = 0_u64;
        for (at, byte) in self.bytes.iter().take(10).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if at == 9 && bits > 1 {
                break;
            }
            number |= bits << (7 * at);
            if byte & 0x80 == 0 {
                self.bytes = &self.bytes[at + 1..];
                return Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
            }
        }
        Err(torn(if self.bytes.len() < 10 { "ends inside a number" } else { "a number of more than 64 bits" }))
    }

    fn int(&mut self) -> Result<i32, Fault> {
        let long = self.long()?;
        i32::try_from(long).map_err(|_| torn(format!("{long} as an int")))
    }

    fn boolean(&mut self) -> Result<bool, Fault> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(torn(format!("{other} as a boolean"))),
        }
    }

    fn bytes_of(&mut self, width: Width) -> Result<&'de [u8], Fault> {
        match width {
            Width::Fixed(count) => self.take(count),
            Width::Said => {
                let count = self.long()?;
                let count = usize::try_from(count).map_err(|_| torn(format!("a length of {count}")))?;
                self.take(count)
            }
        }
    }

    fn text(&mut self) -> Result<&'de str, Fault> {
        let bytes = self.bytes_of(Width::Said)?;
        std::str::from_utf8(bytes).map_err(|error| torn(format!("invalid UTF-8 after {} bytes", error.valid_up_to())))
    }

    /// An index below `count`.
    fn index(&mut self, count: usize, of: &str) -> Result<usize, Fault> {
        let index = self.long()?;
        let known = usize::try_from(index).ok().filter(|index| *index < count);
        known.ok_or_else(|| torn(format!("{of} {index} of {count}")))
    }

    /// The number of items in the next block, 0 at the end.
    fn block(&mut self) -> Result<usize, Fault> {
        let said = self.long()?;
        if said < 0 {
            // The size of the block in bytes follows, for readers that skip it.
            self.long()?;
        }
        let count = usize::try_from(said.unsigned_abs()).ok().filter(|count| *count <= self.values);
        count.ok_or_else(|| torn(format!("a block of {} items in {} bytes", said.unsigned_abs(), self.bytes.len())))
    }
}

/// One value of a datum.
pub(super) struct Value<'p, 'r, 'de> {
    plan: &'p Plan,
    node: usize,
    depth: usize,
    input: &'r mut Input<'de>,
}

impl<'p, 'r, 'de> Value<'p, 'r, 'de> {
    /// The whole datum.
    pub fn new(plan: &'p Plan, input: &'r mut Input<'de>) -> Self {
        Self { plan, node: plan.root, depth: 0, input }
    }

    /// The node of this value, inside of unions; counts the value.
    fn enter(&mut self) -> Result<&'p Node, Fault> {
        let Some(left) = self.input.values.checked_sub(1) else { return Err(torn("more values than bytes")) };
        self.input.values = left;
        let node = &self.plan.nodes[self.node];
        let Node::Union(branches) = node else { return Ok(node) };
        self.node = branches[self.input.index(branches.len(), "branch")?];
        // A union may not hold another one directly.
        Ok(&self.plan.nodes[self.node])
    }

    fn items(self, node: usize) -> Result<Items<'p, 'r, 'de>, Fault> {
        let depth = self.depth + 1;
        if depth > DEPTH_MAX {
            return Err(Fault::Deep);
        }
        Ok(Items { plan: self.plan, node, depth, left: 0, is_last: false, input: self.input })
    }

    fn visit<V: Visitor<'de>>(self, node: &'p Node, visitor: V) -> Result<V::Value, Fault> {
        match node {
            Node::Null => visitor.visit_unit(),
            Node::Boolean => visitor.visit_bool(self.input.boolean()?),
            Node::Int => visitor.visit_i64(i64::from(self.input.int()?)),
            Node::Long => visitor.visit_i64(self.input.long()?),
            Node::Instant(per_milli) => visitor.visit_i64(self.input.long()?.div_euclid(*per_milli)),
            Node::Local(per_milli) => {
                let millis = self.input.long()?.div_euclid(*per_milli);
                visitor.visit_string(local(millis).ok_or_else(|| Fault::custom("time out of range"))?.to_string())
            }
            Node::Date => {
                let millis = i64::from(self.input.int()?) * throughline_model::time::DAY;
                let date = local(millis).ok_or_else(|| Fault::custom("date out of range"))?.date();
                visitor.visit_string(date.to_string())
            }
            Node::Float => visit_number(f64::from(f32::from_le_bytes(self.input.array()?)), visitor),
            Node::Double => visit_number(f64::from_le_bytes(self.input.array()?), visitor),
            Node::Text => visitor.visit_borrowed_str(self.input.text()?),
            Node::Bytes(width) => {
                let bytes = self.input.bytes_of(*width)?;
                match std::str::from_utf8(bytes) {
                    Ok(text) => visitor.visit_borrowed_str(text),
                    Err(_) => visitor.visit_string(base64(bytes)),
                }
            }
            Node::Uuid(width) => {
                let bytes = self.input.bytes_of(*width)?;
                let bytes =
                    <[u8; 16]>::try_from(bytes).map_err(|_| torn(format!("a uuid of {} bytes", bytes.len())))?;
                visitor.visit_string(uuid(bytes))
            }
            Node::Refused(what, width) => {
                self.input.bytes_of(*width)?;
                Err(Fault::custom(format_args!("the contract reads no {what}, amounts are longs in minor units")))
            }
            Node::Array(item) => visitor.visit_seq(self.items(*item)?),
            Node::Map(value) => visitor.visit_map(self.items(*value)?),
            Node::Record(fields) => {
                let Items { plan, depth, input, .. } = self.items(0)?;
                visitor.visit_map(Fields { plan, fields: fields.iter(), value: 0, depth, input })
            }
            Node::Enum(symbols) => visitor.visit_str(&symbols[self.input.index(symbols.len(), "symbol")?]),
            Node::Union(_) => Err(torn("a union directly inside a union")),
        }
    }
}

impl<'de> Deserializer<'de> for Value<'_, '_, 'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Fault> {
        let node = self.enter()?;
        self.visit(node, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Fault> {
        match self.enter()? {
            Node::Null => visitor.visit_none(),
            _ => {
                // Entered again from inside, and still one value.
                self.input.values += 1;
                visitor.visit_some(self)
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Fault> {
        // What nobody reads need not make sense, but it must be there.
        match self.enter()? {
            Node::Int | Node::Date => self.input.int().map(drop)?,
            Node::Long | Node::Instant(_) | Node::Local(_) => self.input.long().map(drop)?,
            Node::Float => self.input.take(4).map(drop)?,
            Node::Double => self.input.take(8).map(drop)?,
            Node::Bytes(width) | Node::Uuid(width) | Node::Refused(_, width) => {
                self.input.bytes_of(*width).map(drop)?;
            }
            node => return self.visit(node, visitor),
        }
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier
    }
}

/// The items of an array, or the entries of a map.
struct Items<'p, 'r, 'de> {
    plan: &'p Plan,
    node: usize,
    depth: usize,
    /// In the block that is being read.
    left: usize,
    is_last: bool,
    input: &'r mut Input<'de>,
}

impl<'p, 'de> Items<'p, '_, 'de> {
    fn has_next(&mut self) -> Result<bool, Fault> {
        if self.left == 0 && !self.is_last {
            self.left = self.input.block()?;
            self.is_last = self.left == 0;
        }
        if self.is_last {
            return Ok(false);
        }
        self.left -= 1;
        Ok(true)
    }

    fn value(&mut self) -> Value<'p, '_, 'de> {
        Value { plan: self.plan, node: self.node, depth: self.depth, input: self.input }
    }
}

impl<'de> SeqAccess<'de> for Items<'_, '_, 'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        if self.has_next()? { seed.deserialize(self.value()).map(Some) } else { Ok(None) }
    }
}

impl<'de> MapAccess<'de> for Items<'_, '_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        if !self.has_next()? {
            return Ok(None);
        }
        let key = self.input.text()?;
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        seed.deserialize(self.value())
    }
}

/// The fields of a record, which are written without their names.
struct Fields<'p, 'r, 'de> {
    plan: &'p Plan,
    fields: std::slice::Iter<'p, (Box<str>, usize)>,
    /// Node of the value whose name was read.
    value: usize,
    depth: usize,
    input: &'r mut Input<'de>,
}

impl<'de> MapAccess<'de> for Fields<'_, '_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((name, node)) = self.fields.next() else { return Ok(None) };
        self.value = *node;
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        seed.deserialize(Value { plan: self.plan, node: self.value, depth: self.depth, input: self.input })
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: f64, visitor: V) -> Result<V::Value, Fault> {
    // JSON cannot write these, and no field of the contract means them.
    if number.is_finite() { visitor.visit_f64(number) } else { Err(Fault::custom("not a finite number")) }
}

/// Date and time of a clock that shows this many milliseconds since 1970.
fn local(millis: i64) -> Option<jiff::civil::DateTime> {
    let at = jiff::Timestamp::from_millisecond(millis).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(at))
}

/// Standard base64 with padding.
fn base64(bytes: &[u8]) -> String {
    const SYMBOLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let symbol = SYMBOLS[(bits >> (18 - 6 * at) & 0x3f) as usize];
            text.push(if at <= chunk.len() { char::from(symbol) } else { '=' });
        }
    }
    text
}

fn uuid(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 0xf] {
            text.push(char::from_digit(u32::from(digit), 16).expect("four bits are a hexadecimal digit"));
        }
    }
    text
}
