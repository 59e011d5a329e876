//! Reading objects in place.
//!
//! A derived reader keeps each field in a variable of its own and moves all of them into the struct at the end, and the
//! struct out of each level of the call. For the structs of a busy format that is kilobytes a record; these are filled
//! where they lie.

use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use throughline_model::Rejection;

use super::{Many, Obj, Pairs, Str, Time};

/// A struct whose fields are members of an object; declared by [`members!`](crate::json::members).
pub trait Members<'de>: Default {
    /// Reads the members of an object into the fields.
    ///
    /// # Errors
    /// Those of the reader.
    fn fill_members<A: MapAccess<'de>>(&mut self, map: A) -> Result<(), A::Error>;
}

/// A value that can be read in place; starts as its default.
pub trait Fill<'de> {
    /// Reads the value.
    ///
    /// # Errors
    /// Those of the reader.
    fn fill<D: Deserializer<'de>>(&mut self, from: D) -> Result<(), D::Error>;
}

/// Reads into the value it holds.
#[derive(Debug)]
pub struct Place<'p, T>(pub &'p mut T);

impl<'de, T: Fill<'de>> DeserializeSeed<'de> for Place<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        self.0.fill(from)
    }
}

/// Decodes one JSON document that fills the whole text into a struct that is still its default.
///
/// # Errors
/// Those of [`from_str`](super::from_str).
pub fn read_into<'a, T: Members<'a> + Deserialize<'a>>(text: &'a str, place: &mut T) -> Result<(), Rejection> {
    try_into(text, place).map_err(|error| super::rejection::<T>(text, &error))
}

/// The same with the decoder's own error, for texts that may be of another format.
///
/// # Errors
/// Not such a document.
pub fn try_into<'a, T: Members<'a>>(text: &'a str, place: &mut T) -> serde_json::Result<()> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_map(MembersVisitor(place))?;
    reader.end()
}

/// Reads the members of an object; anything else is an error.
#[derive(Debug)]
pub struct MembersVisitor<'p, T>(pub &'p mut T);

impl<'de, T: Members<'de>> Visitor<'de> for MembersVisitor<'_, T> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.fill_members(map)
    }
}

/// Reads the members of an object; anything else leaves the default.
struct ObjectVisitor<'p, T>(&'p mut T);

impl<'de, T: Members<'de>> Visitor<'de> for ObjectVisitor<'_, T> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.fill_members(map)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

impl<'de, T: Members<'de>> Fill<'de> for Obj<T> {
    fn fill<D: Deserializer<'de>>(&mut self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(ObjectVisitor(&mut self.0))
    }
}

impl<'de, T: Deserialize<'de>> Fill<'de> for Many<T> {
    fn fill<D: Deserializer<'de>>(&mut self, from: D) -> Result<(), D::Error> {
        *self = Self::deserialize(from)?;
        Ok(())
    }
}

/// Small values are read as always, and put into their place.
macro_rules! fill_whole {
    ($($type:ty),*) => {
        $(impl<'de> $crate::json::fill::Fill<'de> for $type {
            fn fill<D: ::serde::Deserializer<'de>>(&mut self, from: D) -> Result<(), D::Error> {
                *self = ::serde::Deserialize::deserialize(from)?;
                Ok(())
            }
        })*
    };
}
pub(crate) use fill_whole;

fill_whole!(Str<'de>, Time<'de>, Pairs<'de>, Option<&'de RawValue>, Option<IgnoredAny>);

/// Declares a struct that is read in place: each field with the name of its member. With `last` in front, the last one of a
/// member that is there twice holds; else it is an error.
macro_rules! members {
    (last $($struct:tt)*) => {
        $crate::json::fill::members!(@true $($struct)*);
    };
    (@$last:tt $(#[$meta:meta])* $vis:vis struct $name:ident<'a> {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty = $member:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        $vis struct $name<'a> {
            $($(#[$field_meta])* $field_vis $field: $type,)*
        }

        impl<'a> $crate::json::fill::Members<'a> for $name<'a> {
            fn fill_members<A: ::serde::de::MapAccess<'a>>(&mut self, mut map: A) -> Result<(), A::Error> {
                #[allow(non_camel_case_types)] // Each variant is named like its field.
                #[derive(Clone, Copy)]
                enum Field { $($field,)* Other }
                struct Fields;
                impl<'de> ::serde::de::DeserializeSeed<'de> for Fields {
                    type Value = Field;

                    fn deserialize<D: ::serde::Deserializer<'de>>(self, from: D) -> Result<Field, D::Error> {
                        from.deserialize_identifier(self)
                    }
                }
                impl ::serde::de::Visitor<'_> for Fields {
                    type Value = Field;

                    fn expecting(&self, out: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        out.write_str("the name of a member")
                    }
                    fn visit_str<E>(self, name: &str) -> Result<Field, E> {
                        Ok(match name { $($member => Field::$field,)* _ => Field::Other })
                    }
                }
                let mut seen = 0_u64;
                while let Some(field) = map.next_key_seed(Fields)? {
                    let bit = 1 << field as u32;
                    match field {
                        $(Field::$field => {
                            if !$last && seen & bit != 0 {
                                return Err(::serde::de::Error::duplicate_field($member));
                            }
                            map.next_value_seed($crate::json::fill::Place(&mut self.$field))?;
                        })*
                        Field::Other => {
                            map.next_value::<::serde::de::IgnoredAny>()?;
                        }
                    }
                    seen |= bit;
                }
                Ok(())
            }
        }

        impl<'a> ::serde::Deserialize<'a> for $name<'a> {
            fn deserialize<D: ::serde::Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
                let mut place = Self::default();
                from.deserialize_map($crate::json::fill::MembersVisitor(&mut place))?;
                Ok(place)
            }
        }
    };
    ($($struct:tt)*) => {
        $crate::json::fill::members!(@false $($struct)*);
    };
}
pub(crate) use members;
