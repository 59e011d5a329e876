//! `--peers`: the same job on Kafka Streams and on Flink, beside the service and the bare transactional copy.
//!
//! **What it does.** [`build`] makes the programs in `benches/peers`, [`run`] starts one of them on the source topic and
//! measures it like the service, [`latency`] feeds all of them at one pace, [`check`] proves that they do the same job, and
//! this file takes turns and prints.
//!
//! **What it does not.** It changes nothing of what the engines recommend; what they were given is in `README.md`.

pub mod build;
pub mod check;
pub mod latency;
pub mod run;
pub mod system;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use self::build::Programs;
use self::run::{Figures, Running};
use self::system::{System, title};
use crate::measure::Bench;
use crate::measure::latency::Latency;
use crate::measure::score::Source;
use crate::report::median;

/// What one system showed, a value a run.
#[derive(Debug, Default)]
struct Shown {
    cpu: Vec<f64>,
    late_cpu: Vec<f64>,
    speed: Vec<f64>,
    late_speed: Vec<f64>,
    resident: Vec<f64>,
    latency: Option<Latency>,
}

impl Shown {
    fn add(&mut self, figures: &Figures, millions: f64) {
        self.cpu.push(figures.cpu_seconds / millions);
        self.speed.push(figures.records_per_second);
        self.late_cpu.extend(figures.late.map(|late| late.cpu_per_million));
        self.late_speed.extend(figures.late.map(|late| late.records_per_second));
        self.resident.extend(figures.resident_bytes.map(|bytes| bytes as f64 / (1 << 20) as f64));
    }
}

/// How systems are measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How often each takes its turn.
    pub runs: usize,
    /// Records per second and how long, where latency is measured too.
    pub latency: Option<(f64, Duration)>,
}

/// Runs all systems in turn and returns a table and a line of JSON for each system.
///
/// # Errors
/// If one of them fails.
pub fn measure(
    bench: &Bench,
    programs: &Programs,
    systems: &[(&str, System)],
    source: &Source,
    plan: Plan,
) -> Result<(String, String)> {
    let runs = plan.runs;
    let millions = source.records as f64 / 1e6;
    let mut shown: Vec<Shown> = systems.iter().map(|_| Shown::default()).collect();
    for turn in 1..=runs {
        for ((_, system), shown) in systems.iter().zip(&mut shown) {
            let figures = one(bench, programs, *system, source)?;
            eprintln!(
                "{turn}/{runs} {}: {:.2} CPU s per million, {:.0} records/s",
                title(*system),
                figures.cpu_seconds / millions,
                figures.records_per_second
            );
            shown.add(&figures, millions);
        }
    }
    if let Some((rate, duration)) = plan.latency {
        for ((_, system), shown) in systems.iter().zip(&mut shown).filter(|((_, system), _)| *system != System::Copy) {
            let latency = latency::measure(bench, programs, *system, rate, duration)?;
            eprintln!("{}: p50 {:.0} ms, p99 {:.0} ms", title(*system), latency.p50, latency.p99);
            shown.latency = Some(latency);
        }
    }
    Ok((table(systems, &shown), lines(systems, &shown)))
}

fn one(bench: &Bench, programs: &Programs, system: System, source: &Source) -> Result<Figures> {
    if system == System::Copy {
        let copied = bench.copy(source)?;
        return Ok(Figures {
            cpu_seconds: copied.cpu_seconds,
            records_per_second: source.records as f64 / copied.seconds,
            ..Figures::default()
        });
    }
    let mut running = Running::start(bench, programs, system, &source.topic)?;
    let figures = running.drain().with_context(|| format!("measure {}", title(system)))?;
    running.end(&bench.cluster);
    Ok(figures)
}

/// CPU time of each run over that of the service in the same turn, median; absent without the service.
fn ratio(systems: &[(&str, System)], shown: &[Shown], at: usize) -> Option<f64> {
    let ours = systems.iter().position(|(_, system)| *system == System::Throughline)?;
    let ratios: Vec<f64> = shown[at].cpu.iter().zip(&shown[ours].cpu).map(|(theirs, ours)| theirs / ours).collect();
    median(&ratios)
}

fn table(systems: &[(&str, System)], shown: &[Shown]) -> String {
    let heads = ["CPU s/mio", "2nd half", "x ours", "records/s", "2nd half", "MiB", "p50 ms", "p99 ms"];
    let mut table = row("", heads.map(str::to_owned));
    for (at, ((_, system), shown_here)) in systems.iter().zip(shown).enumerate() {
        let cells = [
            (median(&shown_here.cpu), 2),
            (median(&shown_here.late_cpu), 2),
            (ratio(systems, shown, at), 2),
            (median(&shown_here.speed), 0),
            (median(&shown_here.late_speed), 0),
            (median(&shown_here.resident), 0),
            (shown_here.latency.map(|latency| latency.p50), 0),
            (shown_here.latency.map(|latency| latency.p99), 0),
        ];
        let cell = |(value, decimals): (Option<f64>, usize)| value.map_or(String::new(), |v| format!("{v:.decimals$}"));
        table.push_str(&row(&title(*system), cells.map(cell)));
    }
    table
}

fn row(title: &str, cells: [String; 8]) -> String {
    let cells: String = cells.iter().map(|cell| format!(" {cell:>9}")).collect();
    format!("{title:<36}{cells}\n")
}

fn lines(systems: &[(&str, System)], shown: &[Shown]) -> String {
    let rounded = |value: Option<f64>| value.map(|value| (value * 1e4).round() / 1e4);
    let mut lines = String::new();
    for (at, ((name, _), shown_here)) in systems.iter().zip(shown).enumerate() {
        let line = json!({
            "system": name,
            "cpu_seconds_per_million": rounded(median(&shown_here.cpu)),
            "cpu_seconds_per_million_runs": shown_here.cpu.iter().map(|cpu| rounded(Some(*cpu))).collect::<Vec<_>>(),
            "cpu_seconds_per_million_second_half": rounded(median(&shown_here.late_cpu)),
            "times_ours": rounded(ratio(systems, shown, at)),
            "records_per_second": rounded(median(&shown_here.speed)),
            "records_per_second_second_half": rounded(median(&shown_here.late_speed)),
            "resident_mib": rounded(median(&shown_here.resident)),
            "latency_p50_ms": shown_here.latency.map(|latency| latency.p50),
            "latency_p99_ms": shown_here.latency.map(|latency| latency.p99),
            "latency_missing": shown_here.latency.map(|latency| latency.missing),
        });
        let _ = writeln!(lines, "{line}");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_taken_turn_by_turn_and_absent_figures_are_left_out() {
        let systems = [system::named("throughline").expect("known"), system::named("copy").expect("known")];
        let ours = Shown { cpu: vec![4.0, 5.0], speed: vec![10.0, 20.0], ..Shown::default() };
        let copy = Shown { cpu: vec![2.0, 3.0], speed: vec![30.0, 30.0], ..Shown::default() };
        let shown = [ours, copy];
        assert_eq!(ratio(&systems, &shown, 1), Some(0.55));
        let last = lines(&systems, &shown).lines().last().map(str::to_owned).expect("a line a system");
        let line: serde_json::Value = serde_json::from_str(&last).expect("JSON");
        assert_eq!(line["times_ours"], 0.55);
        assert!(line["resident_mib"].is_null());
        assert_eq!(table(&systems, &shown).lines().count(), 3);
    }
}
