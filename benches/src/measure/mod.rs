//! What is measured.

pub mod latency;
pub mod memory;
pub mod restore;
pub mod score;
pub mod takeover;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use throughline_model::{Stage, Topic};

use crate::child::Child;
use crate::deployment::{Cluster, Deployment};
use crate::progress::Progress;

/// Where things are, and what is the same in all measurements.
#[derive(Debug)]
pub struct Bench {
    /// Broker and registry.
    pub cluster: Cluster,
    /// The release binary of the service.
    pub program: PathBuf,
    /// This program, for the copy.
    pub own: PathBuf,
    /// Customers.
    pub keys: u32,
    /// Seed of the generator.
    pub seed: u64,
    /// Settings of the service besides those that a measurement makes, `KEY=VALUE` each.
    pub set: Vec<String>,
}

/// How long a run may take until it has caught up.
const RUN_LIMIT: Duration = Duration::from_secs(900);

/// What a run of the service took.
#[derive(Debug, Clone, Copy)]
pub struct Drained {
    /// CPU seconds, start included.
    pub cpu_seconds: f64,
    /// Records per second, from the first commit seen to the last.
    pub records_per_second: f64,
}

/// Waits until `child` has read all of `source` and everything that follows from it.
fn wait_drained(cluster: &Cluster, deployment: &Deployment, source: &str, child: &mut Child) -> Result<Drained> {
    let normalize = Progress::new(cluster, &deployment.group(Stage::Normalize), source)?;
    let inbox = throughline_config::topics::topic_name(&deployment.config.topics.prefix, Topic::ExperienceInbox);
    let experience = Progress::new(cluster, &deployment.group(Stage::Experience), &inbox)?;
    let ends = normalize.ends()?;
    let total: i64 = ends.iter().sum();
    let began = Instant::now();
    let mut first: Option<(Instant, i64)> = None;
    loop {
        let committed = normalize.committed()?;
        let so_far: i64 = committed.iter().sum();
        if first.is_none() && so_far > 0 {
            first = Some((Instant::now(), so_far));
        }
        if committed == ends && experience.has_drained()? {
            break;
        }
        child.ensure_running()?;
        ensure!(began.elapsed() < RUN_LIMIT, "{so_far} of {total} records read after {} s", RUN_LIMIT.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
    let cpu_seconds = child.cpu_seconds()?;
    let records_per_second = first.map_or(0.0, |(at, before)| (total - before) as f64 / at.elapsed().as_secs_f64());
    Ok(Drained { cpu_seconds, records_per_second })
}
