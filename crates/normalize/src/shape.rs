//! What a payload looks like from outside: the facts formats recognize themselves by.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use throughline_model::Rejection;

use crate::json::{self, Str};

/// Top-level facts of a payload, read in one pass without building it.
#[derive(Debug, Clone, Default)]
pub struct Shape<'a> {
    /// Names of the top-level members, in order.
    pub keys: Vec<&'a str>,
    /// Values of top-level members that are short strings (type, object, eventType, detail-type, ...).
    pub strings: Vec<(&'a str, &'a str)>,
    /// Names of the members of every nested object; of an array, those of its first member if that is an object.
    pub nested: Vec<(&'a str, Vec<&'a str>)>,
    /// The text is not JSON but tab-separated with this many columns.
    pub columns: usize,
    /// The text is XML.
    pub xml: bool,
}

/// Longest string value a shape keeps.
const STRING_MAX: usize = 64;

impl<'a> Shape<'a> {
    /// Reads the shape of a text.
    ///
    /// # Errors
    /// `undecodable` for what is neither JSON, nor XML, nor tab-separated.
    pub fn of(text: &'a str) -> Result<Self, Rejection> {
        let start = text.trim_start().as_bytes();
        match (start.first(), start.get(1)) {
            (Some(b'<'), Some(b'?' | b'!' | b'a'..=b'z' | b'A'..=b'Z')) => {
                return Ok(Self { xml: true, ..Self::default() });
            }
            (Some(b'{' | b'['), _) | (None, _) => {}
            _ => {
                let line = text.lines().next().unwrap_or_default();
                let tabs = memchr::memchr_iter(b'\t', line.as_bytes()).count();
                if tabs > 0 {
                    return Ok(Self { columns: tabs + 1, ..Self::default() });
                }
            }
        }
        json::from_str(text)
    }

    /// Whether a top-level member of that name exists.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains(&key)
    }

    /// Value of a top-level member that is a short string.
    #[must_use]
    pub fn string(&self, key: &str) -> Option<&str> {
        self.strings.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// Whether the object under `key` has a member of that name.
    #[must_use]
    pub fn has_nested(&self, key: &str, member: &str) -> bool {
        self.nested.iter().any(|(name, members)| *name == key && members.contains(&member))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Shape<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Top(PhantomData))
    }
}

struct Top<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for Top<'a> {
    type Value = Shape<'a>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a document")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape<'a>, A::Error> {
        let mut shape = Shape::default();
        while let Some(Str(key)) = map.next_key::<Str<'a>>()? {
            let value = map.next_value::<Value<'a>>()?;
            // A name with escapes is none that a format looks for.
            let Cow::Borrowed(key) = key else { continue };
            shape.keys.push(key);
            match value {
                Value::Text(text) => shape.strings.push((key, text)),
                Value::Members(members) => shape.nested.push((key, members)),
                Value::Other => {}
            }
        }
        Ok(shape)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape<'a>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Shape::default())
    }
    fn visit_str<E>(self, _: &str) -> Result<Shape<'a>, E> {
        Ok(Shape::default())
    }
    fn visit_u64<E>(self, _: u64) -> Result<Shape<'a>, E> {
        Ok(Shape::default())
    }
    fn visit_i64<E>(self, _: i64) -> Result<Shape<'a>, E> {
        Ok(Shape::default())
    }
    fn visit_f64<E>(self, _: f64) -> Result<Shape<'a>, E> {
        Ok(Shape::default())
    }
    fn visit_bool<E>(self, _: bool) -> Result<Shape<'a>, E> {
        Ok(Shape::default())
    }
    fn visit_unit<E>(self) -> Result<Shape<'a>, E> {
        Ok(Shape::default())
    }
}

/// What a shape keeps of the value of a top-level member.
enum Value<'a> {
    Text(&'a str),
    Members(Vec<&'a str>),
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ValueVisitor(PhantomData))
    }
}

struct ValueVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for ValueVisitor<'a> {
    type Value = Value<'a>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'a>, E> {
        Ok(if text.len() <= STRING_MAX { Value::Text(text) } else { Value::Other })
    }
    fn visit_str<E>(self, _: &str) -> Result<Value<'a>, E> {
        Ok(Value::Other)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'a>, A::Error> {
        let mut members = Vec::new();
        while let Some((key, _)) = map.next_entry::<Str<'a>, IgnoredAny>()? {
            if let Cow::Borrowed(key) = key.0 {
                members.push(key);
            }
        }
        Ok(Value::Members(members))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'a>, A::Error> {
        let first = seq.next_element::<Self::Value>()?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(match first {
            Some(Value::Members(members)) => Value::Members(members),
            _ => Value::Other,
        })
    }
    fn visit_u64<E>(self, _: u64) -> Result<Value<'a>, E> {
        Ok(Value::Other)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Value<'a>, E> {
        Ok(Value::Other)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Value<'a>, E> {
        Ok(Value::Other)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Value<'a>, E> {
        Ok(Value::Other)
    }
    fn visit_unit<E>(self) -> Result<Value<'a>, E> {
        Ok(Value::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_a_document() {
        let shape = Shape::of(r#"{"type":"track","properties":{"a":1,"b":{}},"batch":[{"c":1},{"d":2}],"n":[1]}"#)
            .expect("json");
        assert_eq!(shape.keys, ["type", "properties", "batch", "n"]);
        assert_eq!(shape.string("type"), Some("track"));
        assert!(shape.has_nested("properties", "b") && shape.has_nested("batch", "c"));
        assert!(!shape.has_nested("batch", "d") && shape.has("n"));
    }

    #[test]
    fn what_is_not_json() {
        assert_eq!(Shape::of("<>a\tb\tc\n").expect("tabs").columns, 3);
        assert!(Shape::of("<?xml version='1.0'?>\t").expect("xml").xml);
        assert!(Shape::of("{} // why").is_err());
        assert!(Shape::of("a b c").is_err());
        assert!(Shape::of("").is_err());
    }
}
