//! Medians, a table and one line of JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The middle of some measurements; the mean of the two in the middle if their number is even. Absent without any.
#[must_use]
pub fn median(measured: &[f64]) -> Option<f64> {
    let mut sorted = measured.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// The value below which a share of the sorted measurements lies; `share` from 0 to 1. Absent without any.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    // The rank is a whole number not above `last`.
    sorted.get((last as f64 * share).round() as usize).copied()
}

/// Figures in the order in which they were added.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
    figures: Map<String, Value>,
}

#[derive(Debug)]
struct Row {
    what: String,
    value: String,
    target: String,
}

impl Report {
    /// Adds a figure to table and JSON. `limit` is the most that the target allows.
    pub fn add(&mut self, name: &str, what: &str, value: f64, decimals: usize, limit: Option<f64>) {
        let rounded = (value * 1e4).round() / 1e4;
        self.figures.insert(name.to_owned(), rounded.into());
        let target = limit.map_or(String::new(), |limit| {
            format!("at most {limit}: {}", if value <= limit { "met" } else { "missed" })
        });
        self.rows.push(Row { what: what.to_owned(), value: format!("{value:.decimals$}"), target });
    }

    /// Adds something to JSON alone.
    pub fn note(&mut self, name: &str, value: Value) {
        self.figures.insert(name.to_owned(), value);
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> String {
        let width = self.rows.iter().map(|row| row.what.len()).max().unwrap_or_default();
        self.rows.iter().fold(String::new(), |mut table, row| {
            let _ = writeln!(table, "{:<width$}  {:>12}  {}", row.what, row.value, row.target);
            table
        })
    }

    /// One line.
    #[must_use]
    pub fn json(&self) -> String {
        Value::Object(self.figures.clone()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_quantiles() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        let sorted: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(quantile(&sorted, 0.99), Some(99.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_missed_target_is_said_and_the_line_is_json() {
        let mut report = Report::default();
        report.add("ratio", "against the copy", 1.91, 2, Some(1.8));
        assert!(report.table().contains("at most 1.8: missed"), "{}", report.table());
        assert_eq!(report.json(), r#"{"ratio":1.91}"#);
    }
}
