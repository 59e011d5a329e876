//! What happens to everybody's latency when one of two processes is killed: how long its partitions write nothing, and what
//! the partitions of the other one notice while it takes them over and reads their state back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use throughline_model::Topic;

use super::Bench;
use super::latency::{Seen, Watched, as_of};
use crate::child::{self, Child};
use crate::deployment::{Deployment, Encoding, Outputs, free_port};
use crate::feed::now_millis;
use crate::report::quantile;

/// Time of even load before the kill; its first part is not counted.
const BEFORE: Duration = Duration::from_secs(25);
/// What is counted of it.
const COUNTED: Duration = Duration::from_secs(15);
/// Time of load after the kill: session timeout, rebalance, restore.
const AFTER: Duration = Duration::from_secs(40);
/// How long two processes may take to share the partitions.
const SHARED: Duration = Duration::from_secs(60);

/// What a takeover took, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Takeover {
    /// Keys of state of the partitions that moved.
    pub keys: u64,
    /// Partitions that moved.
    pub partitions: usize,
    /// From the kill to the first new score of the first of them.
    pub first: f64,
    /// The same for the last of them.
    pub last: f64,
    /// p99 of the partitions that stayed, before.
    pub before: f64,
    /// p99 of the partitions that stayed, from the kill until the last partition was taken over.
    pub during: f64,
    /// The slowest of them.
    pub during_max: f64,
}

impl Bench {
    /// Kills one of two processes that share `keys` keys of state, under a load of `rate` records a second.
    ///
    /// # Errors
    /// If the service fails.
    pub fn takeover(&self, keys: u64, rate: f64) -> Result<Takeover> {
        let source = self.cluster.topic("bench-takeover")?;
        let deployment = Deployment::new(&self.cluster, &source, Outputs::Scores, Encoding::Avro)?;
        let (keys, _) = self.fill_state(&deployment, &source, keys)?;
        let stays = Child::service(&self.program, &deployment.file, &self.set)?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut set = self.set.clone();
        set.extend(["instance.ordinal=1".to_owned(), format!("http.listen={address}")]);
        let second = deployment.file.with_extension("second.toml");
        std::fs::copy(&deployment.file, &second).context("copy the configuration")?;
        // Source partitions of a dead normalize would delay records of every inbox partition.
        let leaves = Child::stages(&self.program, &second, &set, &["experience"])?;
        let moving = self.shared(&deployment.address, &address)?;
        let scores = throughline_config::topics::topic_name(&deployment.config.topics.prefix, Topic::Scores);
        let (mut leaves, mut killed_at) = (Some(leaves), 0);
        let began = Instant::now();
        let watched = self.watch_scores(&source, &scores, as_of, rate, BEFORE + AFTER, || {
            if began.elapsed() >= BEFORE
                && let Some(child) = leaves.take()
            {
                killed_at = now_millis();
                child.kill()?;
            }
            Ok(())
        })?;
        stays.stop()?;
        deployment.remove(&self.cluster);
        self.cluster.remove(&[source]);
        for extension in ["toml", "log"] {
            let _ = std::fs::remove_file(second.with_extension(extension));
        }
        let share = keys * moving.len() as u64 / u64::from(self.cluster.partitions);
        judge(&watched, &moving, killed_at, share)
    }

    /// Inbox partitions of the second process, once each has its half.
    fn shared(&self, first: &str, second: &str) -> Result<BTreeSet<i32>> {
        let began = Instant::now();
        loop {
            let held = [first, second].map(inbox_partitions);
            let total: usize = held.iter().map(BTreeSet::len).sum();
            let [_, second] = held;
            if total == self.cluster.partitions as usize && second.len() == total / 2 {
                return Ok(second);
            }
            ensure!(began.elapsed() < SHARED, "two processes did not share the partitions in {} s", SHARED.as_secs());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Inbox partitions that the process at `address` serves.
fn inbox_partitions(address: &str) -> BTreeSet<i32> {
    let status = child::get(address, "/v1/status").and_then(|body| serde_json::from_str::<Value>(&body).ok());
    let workers = status.iter().flat_map(|status| status["workers"].as_array().into_iter().flatten());
    let experience = workers.filter(|worker| worker["stage"] == "experience");
    let partitions = experience.flat_map(|worker| worker["partitions"].as_array().into_iter().flatten());
    let serving = partitions.filter(|at| at["state"] == "serving");
    serving.filter_map(|at| at["partition"].as_i64().and_then(|partition| i32::try_from(partition).ok())).collect()
}

fn judge(watched: &Watched, moving: &BTreeSet<i32>, killed_at: i64, keys: u64) -> Result<Takeover> {
    let after = |seen: &&Seen| moving.contains(&seen.partition) && seen.at > killed_at;
    let mut firsts = BTreeMap::new();
    for seen in watched.seen.iter().filter(after) {
        firsts.entry(seen.partition).or_insert((seen.visible - killed_at) as f64);
    }
    ensure!(firsts.len() == moving.len(), "{} of {} partitions were taken over", firsts.len(), moving.len());
    let first = firsts.values().copied().fold(f64::INFINITY, f64::min);
    let last = firsts.values().copied().fold(0.0, f64::max);
    let over = killed_at + last as i64;
    let counted = killed_at - i64::try_from(COUNTED.as_millis())?;
    let waits = |from: i64, to: i64| {
        let stays = |seen: &&Seen| !moving.contains(&seen.partition) && (from..to).contains(&seen.at);
        let mut waits: Vec<f64> =
            watched.seen.iter().filter(stays).map(|seen| (seen.visible - seen.at) as f64).collect();
        waits.sort_by(f64::total_cmp);
        waits
    };
    // A record just before the kill may be seen after it.
    let (before, during) = (waits(counted, killed_at - 1_000), waits(killed_at, over));
    let at = |waits: &[f64], share| quantile(waits, share).context("no score of a partition that stays was seen");
    Ok(Takeover {
        keys,
        partitions: moving.len(),
        first,
        last,
        before: at(&before, 0.99)?,
        during: at(&during, 0.99)?,
        during_max: at(&during, 1.0)?,
    })
}
