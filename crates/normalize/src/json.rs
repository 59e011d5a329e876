//! Lenient building blocks for the typed structs that formats decode JSON into.
//!
//! Vendors write numbers as strings, strings as numbers, `null` for absent and `[]` for an empty object, and change
//! between them without notice. These types take any of it, borrow text from the record where it holds no escapes, and
//! never fail a whole record over a field nobody needs: a value of a wrong shape reads as absent. Required fields are
//! checked by the format, which then says `missing_field` with the path.
//!
//! `#[serde(borrow)] Option<Cow<str>>` does not borrow; [`Str`] does. Fields of these types need
//! `#[serde(borrow, default)]` (or `#[serde(default)]` on the struct and `#[serde(borrow)]` on the field).

pub(crate) mod fill;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer, StrDeserializer};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use throughline_model::touchpoint::Text;
use throughline_model::{EventTime, Rejection, RejectionReason};

use crate::blank::is_blank;
use crate::draft::ClaimedTime;
use crate::time;

pub(crate) use fill::{members, read_into, try_into};

/// Decodes one JSON document that fills the whole text.
///
/// # Errors
/// `undecodable` for what is not JSON (comments and trailing text included), `too_deep`, and `invalid_field` or
/// `missing_field` with the path of the field where the JSON is good but does not fit.
pub fn from_str<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Rejection> {
    serde_json::from_str(text).map_err(|error| rejection::<T>(text, &error))
}

/// Says what is wrong with a document; reads it a second time to find the path, because good records must not pay for it.
#[cold]
fn rejection<'a, T: Deserialize<'a>>(text: &'a str, error: &serde_json::Error) -> Rejection {
    let detail = error.to_string();
    if detail.starts_with("recursion limit exceeded") {
        return Rejection::new(RejectionReason::TooDeep, "nested deeper than the decoder reads");
    }
    let out_of_range = detail.starts_with("number out of range");
    if !error.is_data() && !out_of_range {
        return Rejection::new(RejectionReason::Undecodable, bounded(detail));
    }
    // A good prefix that does not fit may still be followed by what is not JSON; decoding comes before fitting.
    if !out_of_range && let Err(syntax) = serde_json::from_str::<IgnoredAny>(text) {
        return Rejection::new(RejectionReason::Undecodable, bounded(syntax.to_string()));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let path = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(located) => located.path().to_string(),
        Ok(_) => String::new(),
    };
    let path = if path == "." { String::new() } else { path };
    let reason =
        if detail.starts_with("missing field") { RejectionReason::MissingField } else { RejectionReason::InvalidField };
    Rejection::field(reason, path, bounded(detail))
}

fn bounded(mut detail: String) -> String {
    // serde_json quotes the offending value, which may be a megabyte long.
    if detail.len() > 300 {
        let mut end = 300;
        while !detail.is_char_boundary(end) {
            end -= 1;
        }
        detail.truncate(end);
    }
    detail
}

/// Text: a string, or a number or boolean as it is written; anything else is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Str<'a>(pub Text<'a>);

impl<'a> Str<'a> {
    /// The text, if it is not blank.
    #[must_use]
    pub fn some(&self) -> Option<&str> {
        (!is_blank(&self.0)).then_some(self.0.as_ref())
    }

    /// The text itself.
    #[must_use]
    pub fn take(self) -> Text<'a> {
        self.0
    }

    /// This text, or `other` if this is blank.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.some().is_some() { self } else { other }
    }
}

impl Deref for Str<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<Str<'a>> for Text<'a> {
    fn from(text: Str<'a>) -> Self {
        text.0
    }
}

impl<'a> From<&Str<'a>> for Text<'a> {
    /// Copies only text that was not borrowed from the record.
    #[inline]
    fn from(text: &Str<'a>) -> Self {
        match &text.0 {
            Cow::Borrowed(text) => Cow::Borrowed(text),
            Cow::Owned(text) => Cow::Owned(text.clone()),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(StrVisitor(PhantomData)).map(Self)
    }
}

struct StrVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for StrVisitor<'a> {
    type Value = Text<'a>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("text")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'a>, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E>(self, text: &str) -> Result<Text<'a>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Text<'a>, E> {
        Ok(Cow::Owned(text))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Text<'a>, E> {
        Ok(Cow::Owned(number.to_string()))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Text<'a>, E> {
        Ok(Cow::Owned(number.to_string()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Text<'a>, E> {
        Ok(Cow::Owned(number.to_string()))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Text<'a>, E> {
        Ok(Cow::Borrowed(if value { "true" } else { "false" }))
    }
    fn visit_unit<E>(self) -> Result<Text<'a>, E> {
        Ok(Cow::Borrowed(""))
    }
    fn visit_none<E>(self) -> Result<Text<'a>, E> {
        Ok(Cow::Borrowed(""))
    }
    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Text<'a>, D::Error> {
        from.deserialize_any(self)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'a>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cow::Borrowed(""))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text<'a>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cow::Borrowed(""))
    }
}

/// A scalar as JSON writes it, the base of the lenient numbers.
enum Scalar {
    Absent,
    Flag(bool),
    Int(i64),
    Float(f64),
}

struct ScalarVisitor;

impl ScalarVisitor {
    fn of_text(text: &str) -> Scalar {
        let text = text.trim();
        if let Ok(number) = text.parse::<i64>() {
            Scalar::Int(number)
        } else if let Ok(number) = text.parse::<f64>() {
            Scalar::Float(number)
        } else if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("yes") {
            Scalar::Flag(true)
        } else if text.eq_ignore_ascii_case("false") || text.eq_ignore_ascii_case("no") {
            Scalar::Flag(false)
        } else {
            Scalar::Absent
        }
    }
}

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a number")
    }
    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Self::of_text(text))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(number).map_or(Scalar::Float(number as f64), Scalar::Int))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Int(number))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Float(number))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Flag(value))
    }
    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Absent)
    }
    fn visit_none<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Absent)
    }
    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Scalar, D::Error> {
        from.deserialize_any(self)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Absent)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Absent)
    }
}

/// A number, as such or as text. Text such as `NaN` stays not a number, so that validation rejects it by its field.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Num(pub Option<f64>);

impl<'de> Deserialize<'de> for Num {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(match from.deserialize_any(ScalarVisitor)? {
            Scalar::Int(number) => Some(number as f64),
            Scalar::Float(number) => Some(number),
            Scalar::Flag(_) | Scalar::Absent => None,
        }))
    }
}

/// A whole number, as such, as text, or as a float without a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Int(pub Option<i64>);

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(match from.deserialize_any(ScalarVisitor)? {
            Scalar::Int(number) => Some(number),
            Scalar::Float(number) if number.is_finite() && number.abs() < 9.0e15 => Some(number as i64),
            Scalar::Float(_) | Scalar::Flag(_) | Scalar::Absent => None,
        }))
    }
}

/// A truth value: a boolean, `"true"`, `"yes"`, or a number (0 is false).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flag(pub Option<bool>);

impl Flag {
    /// Whether it says true.
    #[must_use]
    pub fn is_true(self) -> bool {
        self.0 == Some(true)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(match from.deserialize_any(ScalarVisitor)? {
            Scalar::Flag(value) => Some(value),
            Scalar::Int(number) => Some(number != 0),
            Scalar::Float(number) => Some(number != 0.0),
            Scalar::Absent => None,
        }))
    }
}

/// A time in any of the forms of [`time::read`], or a number of seconds, milliseconds or microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time<'a>(pub ClaimedTime<'a>);

impl Default for Time<'_> {
    fn default() -> Self {
        Self(ClaimedTime::Missing)
    }
}

impl<'a> Time<'a> {
    /// The instant, if the value names one with its zone.
    #[must_use]
    pub fn at(&self) -> Option<EventTime> {
        match self.0 {
            ClaimedTime::At(at) => Some(at),
            _ => None,
        }
    }

    /// The same, where a time without a zone is documented to be UTC.
    #[must_use]
    pub fn in_utc(self) -> Self {
        Self(time::in_utc(self.0))
    }

    /// This time, or `other` if this one is absent.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.0 == ClaimedTime::Missing { other } else { self }
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.0 == ClaimedTime::Missing
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Time<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TimeVisitor(PhantomData)).map(Self)
    }
}

struct TimeVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for TimeVisitor<'a> {
    type Value = ClaimedTime<'a>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a time")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<ClaimedTime<'a>, E> {
        Ok(time::read(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<ClaimedTime<'a>, E> {
        Ok(time::read(Cow::Owned(text.to_owned())))
    }
    fn visit_u64<E>(self, number: u64) -> Result<ClaimedTime<'a>, E> {
        Ok(time::of_number(number as f64))
    }
    fn visit_i64<E>(self, number: i64) -> Result<ClaimedTime<'a>, E> {
        Ok(time::of_number(number as f64))
    }
    fn visit_f64<E>(self, number: f64) -> Result<ClaimedTime<'a>, E> {
        Ok(time::of_number(number))
    }
    fn visit_bool<E>(self, value: bool) -> Result<ClaimedTime<'a>, E> {
        Ok(ClaimedTime::Unreadable(Cow::Borrowed(if value { "true" } else { "false" })))
    }
    fn visit_unit<E>(self) -> Result<ClaimedTime<'a>, E> {
        Ok(ClaimedTime::Missing)
    }
    fn visit_none<E>(self) -> Result<ClaimedTime<'a>, E> {
        Ok(ClaimedTime::Missing)
    }
    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<ClaimedTime<'a>, D::Error> {
        from.deserialize_any(self)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ClaimedTime<'a>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(ClaimedTime::Unreadable(Cow::Borrowed("an object")))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ClaimedTime<'a>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(ClaimedTime::Unreadable(Cow::Borrowed("an array")))
    }
}

/// A list: an array, a single value for a list of one, or `null` for none. Members of a wrong shape fail, so `T` should
/// itself be lenient ([`Str`], [`Obj`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Many<T>(pub Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for Many<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> IntoIterator for Many<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ManyVisitor(PhantomData)).map(Self)
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(member) = seq.next_element()? {
            list.push(member);
        }
        Ok(list)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
        Ok(vec![T::deserialize(MapAccessDeserializer::new(map))?])
    }
    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Vec<T>, E> {
        Ok(vec![T::deserialize(BorrowedStrDeserializer::new(text))?])
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<T>, E> {
        Ok(vec![T::deserialize(StrDeserializer::new(text))?])
    }
    fn visit_unit<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
    fn visit_none<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
    fn visit_bool<E>(self, _: bool) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Vec<T>, D::Error> {
        from.deserialize_any(self)
    }
    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Vec<T>, E> {
        Ok(vec![T::deserialize(serde::de::IntoDeserializer::into_deserializer(number))?])
    }
    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Vec<T>, E> {
        Ok(vec![T::deserialize(serde::de::IntoDeserializer::into_deserializer(number))?])
    }
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Vec<T>, E> {
        Ok(vec![T::deserialize(serde::de::IntoDeserializer::into_deserializer(number))?])
    }
}

/// An object, or its default where the value is `null`, `[]`, text or a number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Obj<T>(pub T);

impl<T> Deref for Obj<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Obj<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ObjVisitor(PhantomData)).map(|value| Self(value.unwrap_or_default()))
    }
}

/// An object, or none where the value is `null`, `[]`, text or a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maybe<T>(pub Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ObjVisitor(PhantomData)).map(Self)
    }
}

struct ObjVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Option<T>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
    fn visit_str<E>(self, _: &str) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_none<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Option<T>, D::Error> {
        from.deserialize_any(self)
    }
}

/// The values of the top-level scalars of an object with open names, in order; nested values are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pairs<'a>(pub Vec<(Text<'a>, Text<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Debug, Default)]
        struct Rest<'a>(Vec<(Text<'a>, Text<'a>)>);
        impl<'de: 'a, 'a> Deserialize<'de> for Rest<'a> {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Open<'a>(PhantomData<&'a ()>);
                impl<'de: 'a, 'a> Visitor<'de> for Open<'a> {
                    type Value = Rest<'a>;

                    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                        out.write_str("an object")
                    }
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rest<'a>, A::Error> {
                        let mut list = Vec::new();
                        while let Some((name, value)) = map.next_entry::<Str<'a>, Str<'a>>()? {
                            if !value.is_empty() {
                                list.push((name.0, value.0));
                            }
                        }
                        Ok(Rest(list))
                    }
                }
                from.deserialize_map(Open(PhantomData))
            }
        }
        Obj::<Rest<'a>>::deserialize(from).map(|rest| Self(rest.0.0))
    }
}

#[cfg(test)]
mod tests;
