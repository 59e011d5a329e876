//! Durations and sizes as people write them: a number with its unit.

use std::time::Duration;

const DURATION_UNITS: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

const SIZE_UNITS: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Reads `250ms`, `30s`, `5min`, `26h`, `30d`, or several of them together (`1h30min`).
///
/// # Errors
/// What is wrong with it, as a lowercase fragment.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    sum_of_units(text, DURATION_UNITS, "ms, s, min, h, d").map(Duration::from_millis)
}

/// Reads `512B`, `64KiB`, `16MiB`, `1GiB`, or decimal `kB`, `MB`, `GB`; gives bytes.
///
/// # Errors
/// What is wrong with it, as a lowercase fragment.
pub fn parse_size(text: &str) -> Result<u64, String> {
    sum_of_units(text, SIZE_UNITS, "B, KiB, MiB, GiB, kB, MB, GB")
}

/// Writes a duration the way [`parse_duration`] reads it, in the largest unit that keeps it whole.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    in_largest_unit(millis, DURATION_UNITS)
}

/// Writes a size the way [`parse_size`] reads it, in the largest binary unit that keeps it whole.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    if bytes == 0 {
        return "0B".to_owned();
    }
    let binary = [SIZE_UNITS[0], SIZE_UNITS[1], SIZE_UNITS[2], SIZE_UNITS[6]];
    in_largest_unit(bytes, &binary)
}

fn in_largest_unit(amount: u64, units: &[(&str, u64)]) -> String {
    let (name, size) = units
        .iter()
        .find(|(_, size)| amount.is_multiple_of(*size))
        .expect("the smallest unit is one and divides everything");
    format!("{}{name}", amount / size)
}

fn sum_of_units(text: &str, units: &[(&str, u64)], allowed: &str) -> Result<u64, String> {
    let text = text.trim();
    let mut rest = text;
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err("is empty".to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if number.is_empty() {
            return Err(format!("`{text}` is not a whole number with a unit ({allowed})"));
        }
        if unit.is_empty() {
            return Err(format!("`{text}` has no unit ({allowed})"));
        }
        let Some((_, size)) = units.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("`{unit}` in `{text}` is not a unit ({allowed})"));
        };
        total = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*size))
            .and_then(|amount| total.checked_add(amount))
            .ok_or_else(|| format!("`{text}` is too large"))?;
        rest = after.trim_start();
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_trip() {
        for text in ["250ms", "30s", "5min", "26h", "30d", "0s"] {
            assert_eq!(show_duration(parse_duration(text).expect(text)), text);
        }
        assert_eq!(parse_duration("1h 30min"), Ok(Duration::from_secs(5_400)));
    }

    #[test]
    fn sizes_round_trip() {
        for text in ["512B", "64KiB", "16MiB", "1GiB", "0B"] {
            assert_eq!(show_size(parse_size(text).expect(text)), text);
        }
        assert_eq!(parse_size("10MB"), Ok(10_000_000));
    }

    #[test]
    fn a_unit_is_never_guessed() {
        assert_eq!(parse_duration("30"), Err("`30` has no unit (ms, s, min, h, d)".to_owned()));
        assert_eq!(parse_duration("5m"), Err("`m` in `5m` is not a unit (ms, s, min, h, d)".to_owned()));
        assert!(parse_duration("-1s").is_err());
        assert!(parse_duration("").is_err());
        assert!(parse_size("1.5MiB").is_err());
        assert!(parse_size("99999999999999999999GiB").is_err());
    }
}
