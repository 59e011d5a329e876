//! Sections 4.1 and 4.2 of the formulas, written anew: what a touchpoint is worth, and the score of a list of them.
//!
//! The sums are taken over the whole list, from the youngest back, with the plain power of two; what is judged keeps running
//! sums with a landmark. Both must agree to the sixth decimal.

const HOUR: f64 = 3_600_000.0;
const DAY: f64 = 24.0 * HOUR;

/// Half-lives of the three horizons, by their field.
pub(super) const HORIZONS: [(&str, f64); 3] =
    [("moment", 12.0 * HOUR), ("relationship", 30.0 * DAY), ("lifetime", 730.0 * DAY)];

/// Losses weigh double.
const LAMBDA: f64 = 2.0;
const SEVERE: f64 = 2.0;
const PRIOR_WEIGHT: f64 = 2.0;
const PRIOR_MEAN: f64 = 0.2;

const NPS: [f64; 11] = [-1.0, -0.8833, -0.7667, -0.65, -0.5333, -0.4167, -0.3, 0.0, 0.2, 0.7, 1.0];

/// What a touchpoint is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worth {
    /// Valence, -1 to 1, in steps of 1e-4.
    pub v: f64,
    /// Weight in steps of 1e-3.
    pub w: f64,
}

/// Valence and confidence of a fact, from the table of types. Only the types that these loads send are here.
fn fact(kind: &str) -> Option<(f64, f64)> {
    (kind == "order.created").then_some((0.3, 0.7))
}

/// Valence and confidence of an answer.
fn answer(kind: &str, score: f64) -> Option<(f64, f64)> {
    match kind {
        "nps" => NPS.get(score as usize).map(|v| (*v, 1.0)),
        "csat" => Some(((score - 3.0) / 2.0, 1.0)),
        "ces" => Some(((score - 4.0) / 3.0, 1.0)),
        _ => None,
    }
}

/// Valence and weight of a touchpoint; nothing without evidence.
pub(super) fn worth(kind: &str, answers: &[(&str, f64)], severe: bool) -> Option<Worth> {
    let told = answers.iter().filter_map(|(kind, score)| answer(kind, *score));
    let evidence: Vec<(f64, f64)> = fact(kind).into_iter().chain(told).collect();
    let sure = evidence.iter().map(|(_, q)| *q).reduce(f64::max)?;
    let weighted: f64 = evidence.iter().map(|(v, q)| q * v).sum();
    let total: f64 = evidence.iter().map(|(_, q)| q).sum();
    let v = (weighted / total * 10_000.0).round() / 10_000.0;
    let w = sure * if severe { SEVERE } else { 1.0 } * if v < 0.0 { LAMBDA } else { 1.0 };
    Some(Worth { v, w: (w * 1_000.0).round() / 1_000.0 })
}

/// The experience score of touchpoints (event time, worth) read at `at`.
pub(super) fn score(touchpoints: &[(i64, Worth)], at: i64, half_life: f64) -> f64 {
    let mut ordered: Vec<_> = touchpoints.to_vec();
    ordered.sort_by_key(|(time, _)| *time);
    let (mut sum, mut weight) = (0.0, 0.0);
    for (time, worth) in ordered {
        let share = worth.w * (-((at - time) as f64) / half_life).exp2();
        sum += share * worth.v;
        weight += share;
    }
    50.0 + 50.0 * (sum + PRIOR_WEIGHT * PRIOR_MEAN) / (weight + PRIOR_WEIGHT)
}

/// Milliseconds of a time as outputs write it (`2026-11-22T03:54:29.123Z`, seconds with any number of decimals).
pub(super) fn millis(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, by: char| text.split(by).map(|part| part.parse().ok()).collect::<Option<Vec<f64>>>();
    let (date, time) = (numbers(date, '-')?, numbers(time, ':')?);
    let ([year, month, day], [hour, minute, second]) = (*date.first_chunk()?, *time.first_chunk()?);
    // Days since 1970 by the calendar that begins in March, so that the leap day is the last one of a year.
    let (year, month) = if month > 2.0 { (year, month - 3.0) } else { (year - 1.0, month + 9.0) };
    let leap_days = (year / 4.0).floor() - (year / 100.0).floor() + (year / 400.0).floor();
    let days = year * 365.0 + leap_days + ((153.0 * month + 2.0) / 5.0).floor() + day - 1.0 - 719_468.0;
    Some(((days * 24.0 + hour) * 3_600_000.0 + minute * 60_000.0 + second * 1_000.0).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> Vec<(i64, Worth)> {
        let list = [(0, 0.4, 1.0), (3, -0.6, 1.5), (10, 0.8, 1.0), (12, -1.0, 2.0), (20, 0.5, 1.0)];
        let worth = |v: f64, w: f64| Worth { v, w: if v < 0.0 { w * LAMBDA } else { w } };
        list.iter().map(|(day, v, w)| (day * DAY as i64, worth(*v, *w))).collect()
    }

    #[test]
    fn the_golden_case_of_the_document() {
        let at = 30 * DAY as i64;
        assert!((score(&golden(), at, 30.0 * DAY) - 37.131_539_141).abs() < 1e-9);
        assert!((score(&[], at, DAY) - 60.0).abs() < 1e-12);
        let bad = [(at, Worth { v: -1.0, w: 2.0 })];
        assert!((score(&bad, at, 30.0 * DAY) - 30.0).abs() < 1e-12);
        assert!((score(&bad, at + 30 * DAY as i64, 30.0 * DAY) - 40.0).abs() < 1e-12);
    }

    #[test]
    fn evidence_counts_once() {
        assert_eq!(worth("page.viewed", &[], false), None);
        assert_eq!(worth("order.created", &[], false), Some(Worth { v: 0.3, w: 0.7 }));
        assert_eq!(worth("survey.answered", &[("nps", 0.0)], true), Some(Worth { v: -1.0, w: 4.0 }));
        assert_eq!(worth("order.created", &[("csat", 1.0)], false), Some(Worth { v: -0.4647, w: 2.0 }));
    }

    #[test]
    fn times_are_read_as_outputs_write_them() {
        assert_eq!(millis("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(millis("2024-02-29T12:30:01.250Z"), Some(1_709_209_801_250));
        assert_eq!(millis("2023-12-31T23:59:59.999Z"), Some(1_704_067_199_999));
        assert_eq!(millis("yesterday"), None);
    }
}
