//! Bounded numbers and the rounding that every published or compared number goes through.

use serde::Serialize;

/// Rounds to 6 decimals, as every published number and every number compared with a threshold is.
///
/// Negative zero becomes zero, so that equal numbers are published as equal bytes.
#[must_use]
pub fn round6(value: f64) -> f64 {
    let scaled = value * 1e6;
    // Numbers too large for an exact scaled integer have no sixth decimal to round.
    if scaled.is_nan() || scaled.abs() >= 9.0e15 {
        return value;
    }
    let truncated = scaled as i64;
    let rest = scaled - truncated as f64;
    let step = if rest >= 0.5 {
        1
    } else if rest <= -0.5 {
        -1
    } else {
        0
    };
    (truncated + step) as f64 / 1e6
}

/// A published score from 0 to 100, rounded to 6 decimals. Never NaN.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
pub struct Score(f64);

impl Score {
    /// The score nearest to `value`; NaN, which no formula yields, reads as the lower end.
    #[must_use]
    pub fn clamped(value: f64) -> Self {
        if value.is_nan() { Self(0.0) } else { Self(round6(value.clamp(0.0, 100.0))) }
    }

    /// The number, 0..=100.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_away_from_zero_at_the_sixth_decimal() {
        assert_eq!(round6(1.234_567_8), 1.234_568);
        assert_eq!(round6(-1.234_567_8), -1.234_568);
        assert_eq!(round6(-0.000_000_1).to_bits(), 0.0f64.to_bits());
        assert_eq!(round6(1e300), 1e300);
    }

    #[test]
    fn scores_stay_in_their_range() {
        assert_eq!(Score::clamped(104.0).get(), 100.0);
        assert_eq!(Score::clamped(f64::NAN).get(), 0.0);
    }
}
