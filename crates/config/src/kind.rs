//! Kinds of values: what a key may hold, how it is read from a file or a text, how it is described.

use std::time::Duration;

use serde_json::{Map, json};
use toml_edit::Item;

use crate::units::{parse_duration, parse_size, show_duration, show_size};
use crate::value::Value;

/// What a key may hold.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// Any text; may be empty.
    Text,
    /// Letters, digits, `.`, `_` and `-`, at most 200: part of the name of a topic, a group or an id. Empty if `optional`.
    Name {
        /// Whether it may be empty.
        optional: bool,
    },
    /// `host:port`.
    Address,
    /// An `http` or `https` address; may be empty.
    Url,
    /// Path of a file, relative to the working directory; may be empty.
    Path,
    /// Path of a directory, relative to the working directory; may be empty.
    Directory,
    /// A member of a closed set.
    OneOf(fn() -> Vec<&'static str>),
    /// A whole number.
    Count {
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// A whole number, or `auto`.
    AutoCount {
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// A number.
    Number {
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
    },
    /// A length of time with its unit.
    Duration {
        /// Shortest.
        min: Duration,
        /// Longest.
        max: Duration,
    },
    /// Bytes with their unit.
    Size {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// Bytes with their unit, or `auto`.
    AutoSize {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// RFC 3339.
    Instant,
    /// IANA name of a time zone; may be empty.
    Zone,
    /// Country calling code of telephone numbers, 1 to 3 digits; may be empty.
    CallingCode,
    /// A text that is never shown; may be empty.
    Secret,
    /// A setting of librdkafka: text, number or flag, kept as text.
    Setting,
    /// Several values of one kind.
    ListOf(&'static Kind),
}

impl Kind {
    /// What is allowed, in words: the last sentence of a key's comment and the hint of an error.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Name { optional: false } => "letters, digits, `.`, `_`, `-`, 1 to 200".to_owned(),
            Self::Name { optional: true } => "letters, digits, `.`, `_`, `-`, at most 200; may be empty".to_owned(),
            Self::Address => "host:port".to_owned(),
            Self::Url => "http or https address; may be empty".to_owned(),
            Self::Path => "path of a file; may be empty".to_owned(),
            Self::Directory => "path of a directory; may be empty".to_owned(),
            Self::OneOf(members) => describe_members(&members()),
            Self::Count { min, max } => format!("whole number, {min} to {max}"),
            Self::AutoCount { min, max } => format!("\"auto\" or whole number, {min} to {max}"),
            Self::Number { min, max } => format!("number, {min} to {max}"),
            Self::Duration { min, max } => {
                format!("duration, {} to {}", show_duration(*min), show_duration(*max))
            }
            Self::Size { min, max } => format!("size, {} to {}", show_size(*min), show_size(*max)),
            Self::AutoSize { min, max } => format!("\"auto\" or size, {} to {}", show_size(*min), show_size(*max)),
            Self::Instant => "RFC 3339 time".to_owned(),
            Self::Zone => "IANA time zone; may be empty".to_owned(),
            Self::CallingCode => "1 to 3 digits as text; may be empty".to_owned(),
            Self::Secret => "secret text; may be empty".to_owned(),
            Self::Setting => "text, number or flag as librdkafka documents it".to_owned(),
            Self::ListOf(kind) => format!("list of: {}", kind.describe()),
        }
    }

    /// Reads a value of a file.
    ///
    /// # Errors
    /// What is wrong with it, as a lowercase fragment.
    pub fn read(&self, item: &Item) -> Result<Value, String> {
        let item = item.as_value().ok_or_else(|| format!("is {}", article(item.type_name())))?;
        self.read_value(item)
    }

    /// Reads a value of an environment variable or a flag. A list is separated by commas, or written as in a file.
    ///
    /// # Errors
    /// What is wrong with it, as a lowercase fragment.
    pub fn read_text(&self, text: &str) -> Result<Value, String> {
        match self {
            Self::ListOf(kind) if text.trim_start().starts_with('[') => {
                let list: toml_edit::Value = text.trim().parse().map_err(|_| "is not a list".to_owned())?;
                Self::ListOf(kind).read_value(&list)
            }
            Self::ListOf(kind) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                items.map(|item| kind.read_text(item)).collect::<Result<_, _>>().map(Value::List)
            }
            Self::Flag => match text.trim() {
                "true" => Ok(Value::Flag(true)),
                "false" => Ok(Value::Flag(false)),
                other => Err(format!("`{other}` is not true or false")),
            },
            Self::AutoCount { .. } if text.trim() == "auto" => Ok(Value::Auto),
            Self::Count { min, max } | Self::AutoCount { min, max } => {
                let count = text.trim().parse().map_err(|_| format!("`{text}` is not a whole number"))?;
                in_range(count, *min, *max).map(Value::Count)
            }
            Self::Number { min, max } => {
                let number = text.trim().parse().map_err(|_| format!("`{text}` is not a number"))?;
                number_in_range(number, *min, *max)
            }
            _ => self.check_text(text),
        }
    }

    fn read_value(&self, value: &toml_edit::Value) -> Result<Value, String> {
        use toml_edit::Value as Toml;
        match (self, value) {
            (Self::Flag, Toml::Boolean(flag)) => Ok(Value::Flag(*flag.value())),
            (Self::Count { min, max } | Self::AutoCount { min, max }, Toml::Integer(number)) => {
                let number = *number.value();
                let count = u64::try_from(number).map_err(|_| format!("{number} is negative"))?;
                in_range(count, *min, *max).map(Value::Count)
            }
            (Self::AutoCount { .. }, Toml::String(text)) if text.value() == "auto" => Ok(Value::Auto),
            (Self::Number { min, max }, Toml::Float(number)) => number_in_range(*number.value(), *min, *max),
            (Self::Number { min, max }, Toml::Integer(number)) => {
                // Thresholds are small: every whole number in a range is exact as a float.
                number_in_range(*number.value() as f64, *min, *max)
            }
            (Self::Setting, Toml::Boolean(flag)) => Ok(Value::Text(flag.value().to_string())),
            (Self::Setting, Toml::Integer(number)) => Ok(Value::Text(number.value().to_string())),
            (Self::Setting, Toml::Float(number)) => Ok(Value::Text(number.value().to_string())),
            (Self::ListOf(kind), Toml::Array(items)) => {
                items.iter().map(|item| kind.read_value(item)).collect::<Result<_, _>>().map(Value::List)
            }
            (Self::ListOf(_), _) => Err(format!("is {}, not a list", article(value.type_name()))),
            (Self::Flag | Self::Count { .. } | Self::Number { .. } | Self::AutoCount { .. }, _) => {
                Err(format!("is {}", article(value.type_name())))
            }
            (_, Toml::String(text)) => self.check_text(text.value()),
            (Self::Duration { .. } | Self::Size { .. } | Self::AutoSize { .. }, Toml::Integer(number)) => {
                Err(format!("{} has no unit; write it as text with one", number.value()))
            }
            _ => Err(format!("is {}, not a text", article(value.type_name()))),
        }
    }

    fn check_text(&self, text: &str) -> Result<Value, String> {
        match self {
            Self::Name { optional } => check_name(text, *optional)?,
            Self::Address => check_address(text)?,
            Self::Url if !text.is_empty() => check_url(text)?,
            Self::OneOf(members) if !members().contains(&text) => {
                let hint = nearest(text, members().into_iter()).map(|name| format!("; did you mean `{name}`?"));
                return Err(format!("`{text}` is not a member{}", hint.unwrap_or_default()));
            }
            Self::Duration { min, max } => {
                let duration = parse_duration(text)?;
                if duration < *min || duration > *max {
                    return Err(format!("`{text}` is out of range"));
                }
                return Ok(Value::Duration(duration));
            }
            Self::AutoSize { .. } if text.trim() == "auto" => return Ok(Value::Auto),
            Self::Size { min, max } | Self::AutoSize { min, max } => {
                let size = parse_size(text)?;
                if size < *min || size > *max {
                    return Err(format!("`{text}` is out of range"));
                }
                return Ok(Value::Size(size));
            }
            Self::Instant if text.parse::<jiff::Timestamp>().is_err() => {
                return Err(format!("`{text}` is not an RFC 3339 time such as 2000-01-01T00:00:00Z"));
            }
            Self::Zone if !text.is_empty() => check_zone(text)?,
            Self::CallingCode if text.len() > 3 || !text.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(format!("`{text}` is not a calling code such as 49"));
            }
            Self::Secret => return Ok(Value::Secret(text.to_owned())),
            _ => {}
        }
        Ok(Value::Text(text.to_owned()))
    }

    /// The JSON Schema of a value, for editors.
    #[must_use]
    pub fn to_schema(&self) -> Map<String, serde_json::Value> {
        let schema = match self {
            Self::Flag => json!({"type": "boolean"}),
            Self::OneOf(members) => json!({"type": "string", "enum": members()}),
            Self::Name { optional: false } => json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,200}$"}),
            Self::Name { optional: true } => json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{0,200}$"}),
            Self::Count { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
            Self::AutoCount { min, max } => {
                json!({"oneOf": [{"const": "auto"}, {"type": "integer", "minimum": min, "maximum": max}]})
            }
            Self::Number { min, max } => json!({"type": "number", "minimum": min, "maximum": max}),
            Self::Duration { .. } => json!({"type": "string", "pattern": "^([0-9]+(ms|s|min|h|d) ?)+$"}),
            Self::Size { .. } => json!({"type": "string", "pattern": "^([0-9]+(B|KiB|MiB|GiB|kB|MB|GB) ?)+$"}),
            Self::AutoSize { .. } => {
                json!({"type": "string", "pattern": "^(auto|([0-9]+(B|KiB|MiB|GiB|kB|MB|GB) ?)+)$"})
            }
            Self::CallingCode => json!({"type": "string", "pattern": "^[0-9]{0,3}$"}),
            Self::Instant => json!({"type": "string", "format": "date-time"}),
            Self::Setting => json!({"type": ["string", "number", "boolean"]}),
            Self::ListOf(kind) => json!({"type": "array", "items": kind.to_schema()}),
            Self::Text | Self::Address | Self::Url | Self::Path | Self::Directory | Self::Zone | Self::Secret => {
                json!({"type": "string"})
            }
        };
        match schema {
            serde_json::Value::Object(map) => map,
            _ => unreachable!("every kind is written as an object"),
        }
    }
}

/// The candidate that `text` was probably meant to be.
pub(crate) fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(text, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|left, right| left.0.total_cmp(&right.0).then(right.1.cmp(left.1)))
        .map(|(_, candidate)| candidate)
}

fn describe_members(members: &[&str]) -> String {
    // Nobody reads eighty names in an error; the schema has them for the editor to complete.
    if members.len() > 20 {
        let first = members[..3].join(", ");
        return format!("one of {} names such as {first}; `throughline config schema` lists them", members.len());
    }
    format!("one of {}", members.join(", "))
}

fn article(type_name: &str) -> String {
    match type_name.chars().next() {
        Some('a' | 'e' | 'i' | 'o' | 'u') => format!("an {type_name}"),
        _ => format!("a {type_name}"),
    }
}

fn in_range(count: u64, min: u64, max: u64) -> Result<u64, String> {
    if (min..=max).contains(&count) { Ok(count) } else { Err(format!("{count} is out of range")) }
}

fn number_in_range(number: f64, min: f64, max: f64) -> Result<Value, String> {
    // NaN is in no range.
    if number >= min && number <= max { Ok(Value::Number(number)) } else { Err(format!("{number} is out of range")) }
}

fn check_name(text: &str, optional: bool) -> Result<(), String> {
    if text.is_empty() {
        return if optional { Ok(()) } else { Err("is empty".to_owned()) };
    }
    if text.len() > 200 {
        return Err(format!("has {} characters", text.len()));
    }
    match text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))) {
        Some(bad) => Err(format!("`{text}` has the character `{bad}`")),
        None => Ok(()),
    }
}

fn check_address(text: &str) -> Result<(), String> {
    match text.rsplit_once(':') {
        None => Err(format!("`{text}` has no port")),
        Some(("", _)) => Err(format!("`{text}` has no host")),
        Some((_, port)) if port.parse::<u16>().is_err() => Err(format!("`{port}` in `{text}` is not a port")),
        Some((host, _)) if host.contains("//") || host.contains('/') => Err(format!("`{text}` is not host:port")),
        Some(_) => Ok(()),
    }
}

fn check_url(text: &str) -> Result<(), String> {
    // A password in an address would end up in logs, and in this very error.
    if text.contains('@') {
        return Err("holds a user or a password, which have keys of their own".to_owned());
    }
    match text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) {
        None => Err(format!("`{text}` does not start with http:// or https://")),
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Err(format!("`{text}` has no host")),
        Some(_) => Ok(()),
    }
}

fn check_zone(text: &str) -> Result<(), String> {
    let zones = jiff::tz::TimeZoneDatabase::bundled();
    if zones.get(text).is_ok() {
        return Ok(());
    }
    let names: Vec<_> = zones.available().map(|name| name.as_str().to_owned()).collect();
    let hint = nearest(text, names.iter().map(String::as_str)).map(|name| format!("; did you mean `{name}`?"));
    Err(format!("`{text}` is not a time zone{}", hint.unwrap_or_default()))
}
