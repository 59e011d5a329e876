//! Forward decay with a power-of-two landmark (4.2).
//!
//! A contribution at time t weighs `g = 2^(t/h - e)`, where `e` is the largest whole number of half-lives `h` since the
//! epoch of any contribution so far. Raising `e` multiplies the sums by a power of two, which is exact, so late
//! contributions, joins and subtractions are exact too. Floor and remainder are taken in whole milliseconds.

use throughline_model::EventTime;

use crate::span::Span;

/// `2^exponent`, exactly; 0 below the smallest subnormal, which is where a contribution ends to count.
#[inline]
#[must_use]
pub fn power_of_two(exponent: i64) -> f64 {
    match exponent {
        -1022..=1023 => f64::from_bits(((exponent + 1023) as u64) << 52),
        -1074..=-1023 => f64::from_bits(1 << (exponent + 1074)),
        1024.. => f64::MAX,
        _ => 0.0,
    }
}

/// Whole half-lives since the epoch, and the fraction of the next one in 0..1.
#[inline]
fn split(at: EventTime, half_life: Span) -> (i64, f64) {
    let whole = at.as_millis().div_euclid(half_life.millis());
    let rest = at.as_millis() - whole * half_life.millis();
    (whole, rest as f64 / half_life.millis() as f64)
}

/// `2^((later - earlier) / half_life)` for the age of one thing; both signs.
#[must_use]
pub fn ratio(age_millis: i64, half_life: Span) -> f64 {
    libm::exp2(age_millis as f64 / half_life.millis() as f64)
}

/// The factor g of a contribution at `at` for sums with that landmark. Two landmarks give factors that differ by a power of
/// two, so comparisons do not depend on which one is used.
#[inline]
#[must_use]
pub fn factor(at: EventTime, half_life: Span, landmark: i32) -> f64 {
    let (whole, fraction) = split(at, half_life);
    libm::exp2(fraction) * power_of_two(whole - i64::from(landmark))
}

/// Decayed sums of one kind: weights `b = sum(w g)` and weighted valences `a = sum(w v g)`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Decayed {
    /// Landmark: largest whole number of half-lives since the epoch of a contribution so far.
    pub landmark: i32,
    /// `sum(w v g)`.
    pub a: f64,
    /// `sum(w g)`.
    pub b: f64,
}

impl Decayed {
    /// The factor g of a contribution at `at`, after moving the landmark there if it is later. The second number is
    /// what sums of the same landmark that are kept elsewhere must be multiplied by; it is 1 unless the landmark moved.
    #[inline]
    pub fn weigh(&mut self, at: EventTime, half_life: Span) -> (f64, f64) {
        let (whole, fraction) = split(at, half_life);
        let scale = self.raise(whole);
        (libm::exp2(fraction) * power_of_two(whole - i64::from(self.landmark)), scale)
    }

    /// Moves the landmark up to `whole` and returns the factor the sums were multiplied by.
    #[inline]
    pub fn raise(&mut self, whole: i64) -> f64 {
        if whole <= i64::from(self.landmark) {
            return 1.0;
        }
        let scale = power_of_two(i64::from(self.landmark) - whole);
        self.a *= scale;
        self.b *= scale;
        self.landmark = i32::try_from(whole).unwrap_or(i32::MAX);
        scale
    }

    /// Adds (or with a negative weight takes back) a contribution of weight `w` and valence `v`.
    #[inline]
    pub fn add(&mut self, at: EventTime, half_life: Span, v: f64, w: f64) -> (f64, f64) {
        let (g, scale) = self.weigh(at, half_life);
        self.a += w * v * g;
        self.b += w * g;
        (g, scale)
    }

    /// Joins the sums of another state; returns the factors that were applied to this and to the other one.
    pub fn join(&mut self, mut other: Self) -> (f64, f64) {
        let mine = self.raise(i64::from(other.landmark));
        let theirs = other.raise(i64::from(self.landmark));
        self.a += other.a;
        self.b += other.b;
        (mine, theirs)
    }

    /// Forgets the sums but not the landmark.
    pub fn clear(&mut self) {
        self.a = 0.0;
        self.b = 0.0;
    }

    /// `D = 2^-(at/h - e)`: what sums are multiplied by when they are read at `at`.
    #[inline]
    #[must_use]
    pub fn discount(&self, at: EventTime, half_life: Span) -> f64 {
        let (whole, fraction) = split(at, half_life);
        libm::exp2(-fraction) * power_of_two(i64::from(self.landmark) - whole)
    }

    /// The mean valence `a / b`, absent without weight. It does not depend on the time of reading.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.b > 0.0).then(|| self.a / self.b)
    }
}

#[cfg(test)]
mod tests {
    use throughline_model::time::DAY;

    use super::*;

    #[test]
    fn powers_of_two_are_exact_over_the_whole_range() {
        for exponent in [-1074, -1073, -1023, -1022, -1, 0, 1, 1023] {
            assert_eq!(power_of_two(exponent), libm::ldexp(1.0, exponent as i32), "{exponent}");
        }
        assert_eq!(power_of_two(-1075), 0.0);
        assert_eq!(power_of_two(i64::MIN), 0.0);
    }

    #[test]
    fn a_contribution_halves_with_every_half_life() {
        let half_life = Span::days(30);
        let at = EventTime::from_millis(1_700_000_000_123);
        let mut sums = Decayed::default();
        sums.add(at, half_life, -1.0, 2.0);
        for lives in 0..40 {
            let discount = sums.discount(at.plus_millis(lives * 30 * DAY), half_life);
            let expected = 2.0 * power_of_two(-lives);
            assert!((sums.b * discount - expected).abs() <= 1e-12 * expected, "{lives}");
        }
        let much_later = at.plus_millis(2_000 * 30 * DAY);
        assert_eq!(sums.discount(much_later, half_life), 0.0);
        sums.add(much_later, half_life, 1.0, 1.0);
        assert_eq!(sums.mean(), Some(1.0));
    }

    #[test]
    fn times_before_the_epoch_split_downward() {
        assert_eq!(split(EventTime::from_millis(-1), Span::hours(12)).0, -1);
        assert!(split(EventTime::from_millis(-1), Span::hours(12)).1 > 0.99);
    }
}
