//! From append to read-committed score, at one pace for everybody.

use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::build::Programs;
use super::run::Running;
use super::system::{System, title};
use crate::measure::Bench;
use crate::measure::latency::Latency;

/// Records that a system reads before: code that is compiled while it runs is compiled then.
const WARM_UP: u64 = 300_000;

/// Feeds `rate` records per second for `duration` to one system that has read a backlog before.
///
/// # Errors
/// If the system fails.
pub fn measure(bench: &Bench, programs: &Programs, system: System, rate: f64, duration: Duration) -> Result<Latency> {
    let source = bench.source(WARM_UP)?.topic;
    let mut running = Running::start(bench, programs, system, &source)?;
    running.drain()?;
    let latency = bench
        .watched(&source, &running.scores, as_of, rate, duration)
        .with_context(|| format!("measure the latency of {}", title(system)))?;
    running.end(&bench.cluster);
    bench.cluster.remove(&[source]);
    Ok(latency)
}

/// The time that a score in JSON speaks for, in milliseconds since 1970: its first member of that name.
fn as_of(value: &[u8]) -> Option<i64> {
    const MEMBER: &[u8] = b"\"as_of\":\"";
    let from = value.windows(MEMBER.len()).position(|window| window == MEMBER)? + MEMBER.len();
    let length = value[from..].iter().position(|byte| *byte == b'"')?;
    let text = std::str::from_utf8(&value[from..from + length]).ok()?;
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_score_is_found_in_its_text() {
        let value = br#"{"tenant":"bench","as_of":"1970-01-01T00:00:01.500Z","emitted_at":"1970-01-01T00:00:02.000Z"}"#;
        assert_eq!(as_of(value), Some(1_500));
        assert_eq!(as_of(br#"{"as_of":"yesterday"}"#), None);
        assert_eq!(as_of(b"{}"), None);
    }
}
