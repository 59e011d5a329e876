//! A configured value, checked against the kind of its key.

use std::fmt;
use std::time::Duration;

use crate::units::{show_duration, show_size};

/// A value of the kind that its key has.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// Text, a name or a member of a closed set.
    Text(String),
    /// A whole number.
    Count(u64),
    /// A number.
    Number(f64),
    /// A length of time.
    Duration(Duration),
    /// Bytes.
    Size(u64),
    /// Several values.
    List(Vec<Value>),
    /// A secret: shown as `***`.
    Secret(String),
    /// To be derived from the machine or from other keys.
    Auto,
}

impl Value {
    /// Texts of a list.
    pub(crate) fn texts(&self) -> Vec<String> {
        match self {
            Self::List(items) => items.iter().flat_map(Self::texts).collect(),
            Self::Text(text) => vec![text.clone()],
            _ => Vec::new(),
        }
    }

    /// The value for a reader of JSON; secrets are redacted.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Flag(flag) => (*flag).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Count(count) => (*count).into(),
            Self::Number(number) => (*number).into(),
            Self::Duration(duration) => show_duration(*duration).into(),
            Self::Size(bytes) => show_size(*bytes).into(),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Secret(secret) if secret.is_empty() => "".into(),
            Self::Secret(_) => "***".into(),
            Self::Auto => "auto".into(),
        }
    }
}

/// The value as it is written in a configuration file; secrets are redacted.
impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(out, "{flag}"),
            Self::Text(text) => write!(out, "{}", quoted(text)),
            Self::Count(count) => write!(out, "{count}"),
            Self::Number(number) => write!(out, "{number:?}"),
            Self::Duration(duration) => write!(out, "{}", quoted(&show_duration(*duration))),
            Self::Size(bytes) => write!(out, "{}", quoted(&show_size(*bytes))),
            Self::List(items) => {
                out.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.write_str(", ")?;
                    }
                    write!(out, "{item}")?;
                }
                out.write_str("]")
            }
            Self::Secret(secret) if secret.is_empty() => out.write_str("\"\""),
            Self::Secret(_) => out.write_str("\"***\""),
            Self::Auto => out.write_str("\"auto\""),
        }
    }
}

/// As written in a file, so that a secret never reaches a log through `{:?}` either.
impl fmt::Debug for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string().trim().to_owned()
}

/// A text that must not be seen: `Debug` and `Display` print `***`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_shown() {
        let secret = Value::Secret("hunter2".to_owned());
        let shown = format!("{secret} {secret:?} {} {:?}", secret.to_json(), Secret::new("hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
