//! A length of time as people write it in the model file: `"12h"`, `"30d"`, `"10min"`.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use throughline_model::time::{DAY, HOUR, MINUTE, SECOND};

/// A length of time in whole milliseconds, above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(i64);

const UNITS: [(&str, i64); 5] = [("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", SECOND), ("ms", 1)];

impl Span {
    /// That many days.
    #[must_use]
    pub const fn days(count: i64) -> Self {
        Self(count * DAY)
    }

    /// That many hours.
    #[must_use]
    pub const fn hours(count: i64) -> Self {
        Self(count * HOUR)
    }

    /// That many minutes.
    #[must_use]
    pub const fn minutes(count: i64) -> Self {
        Self(count * MINUTE)
    }

    /// Milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Reads a whole number and a unit: `d`, `h`, `min`, `s` or `ms`. Nothing shorter than 1 ms or longer than 1,000
    /// years is a span.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() - text.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let unit = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?.1;
        let millis = number.parse::<i64>().ok()?.checked_mul(unit)?;
        (1..=365_250 * DAY).contains(&millis).then_some(Self(millis))
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, unit) = UNITS.into_iter().find(|(_, unit)| self.0 % unit == 0).expect("1 ms divides everything");
        write!(out, "{}{name}", self.0 / unit)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("{text:?} is no length of time; write for instance \"12h\" or \"30d\""))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_back_as_written() {
        for text in ["12h", "30d", "10min", "730d", "1500ms", "90s"] {
            assert_eq!(Span::parse(text).map(|span| span.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Span::parse("24h"), Some(Span::days(1)));
        for text in ["", "12", "h", "-1h", "1.5h", "1w", "0h", "99999999999999999999d", "9999999999d"] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }
}
