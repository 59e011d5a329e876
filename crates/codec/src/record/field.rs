//! Which Rust types may stand in a record, and lists.

use std::ops::Deref;

use throughline_model::{EventTime, Now, ReceivedAt};

use super::{FieldName, Record, Sink};

/// A type that a field of a record may have.
pub trait Field {
    /// Shows the value to `sink` under that name.
    fn visit<S: Sink>(&self, field: FieldName, sink: &mut S);
}

/// Members of an array field, borrowed where they exist already.
#[derive(Debug, Clone)]
pub enum List<'a, T> {
    /// Members that live elsewhere; no allocation.
    Borrowed(&'a [T]),
    /// Members that the record owns.
    Owned(Vec<T>),
}

impl<T> Default for List<'_, T> {
    fn default() -> Self {
        Self::Borrowed(&[])
    }
}

impl<T> Deref for List<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::Borrowed(members) => members,
            Self::Owned(members) => members,
        }
    }
}

impl<T: PartialEq> PartialEq for List<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<'a, T> From<&'a [T]> for List<'a, T> {
    fn from(members: &'a [T]) -> Self {
        Self::Borrowed(members)
    }
}

impl<'a, T, const N: usize> From<&'a [T; N]> for List<'a, T> {
    fn from(members: &'a [T; N]) -> Self {
        Self::Borrowed(members)
    }
}

impl<T> From<Vec<T>> for List<'_, T> {
    fn from(members: Vec<T>) -> Self {
        Self::Owned(members)
    }
}

impl<T> FromIterator<T> for List<'_, T> {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        Self::Owned(members.into_iter().collect())
    }
}

macro_rules! field {
    ($($type:ty, $method:ident, $opt_method:ident, |$value:ident| $shown:expr;)+) => {
        $(
            impl Field for $type {
                #[inline]
                fn visit<S: Sink>(&self, field: FieldName, sink: &mut S) {
                    let $value = *self;
                    sink.$method(field, $shown);
                }
            }

            impl Field for Option<$type> {
                #[inline]
                fn visit<S: Sink>(&self, field: FieldName, sink: &mut S) {
                    sink.$opt_method(field, self.map(|$value| $shown));
                }
            }
        )+
    };
}

field! {
    &str, string, opt_string, |value| value;
    i64, long, opt_long, |value| value;
    i32, int, opt_int, |value| value;
    f64, double, opt_double, |value| value;
    bool, boolean, opt_boolean, |value| value;
    EventTime, timestamp, opt_timestamp, |value| value.as_millis();
    ReceivedAt, timestamp, opt_timestamp, |value| value.as_millis();
    Now, timestamp, opt_timestamp, |value| value.as_millis();
}

impl<R: Record> Field for Option<R> {
    #[inline]
    fn visit<S: Sink>(&self, field: FieldName, sink: &mut S) {
        sink.opt_record(field, self.as_ref());
    }
}

impl<R: Record> Field for List<'_, R> {
    #[inline]
    fn visit<S: Sink>(&self, field: FieldName, sink: &mut S) {
        sink.array_of_records(field, self);
    }
}

impl Field for List<'_, &str> {
    #[inline]
    fn visit<S: Sink>(&self, field: FieldName, sink: &mut S) {
        sink.array_of_strings(field, self);
    }
}
