//! One run of one system over all source records.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use throughline_config::HashKey;
use throughline_model::{Stage, Topic};
use throughline_testkit::broker::unique_name;

use super::build::{Module, Programs};
use super::system::{Store, System};
use crate::child::Child;
use crate::deployment::{Cluster, Deployment, Encoding, Outputs, TENANT};
use crate::measure::Bench;
use crate::progress::Progress;

/// How long a run may take until it has caught up.
const RUN_LIMIT: Duration = Duration::from_secs(1_200);

/// Record cache of Kafka Streams, all threads together: as much as the uncommitted state of a worker may be.
const CACHE_BYTES: u64 = 64 << 20;

/// Commit interval of everybody but Flink, where it is the interval of snapshots.
const COMMIT: Duration = Duration::from_millis(100);

/// What a run took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// CPU seconds from the start of the process to its last commit.
    pub cpu_seconds: f64,
    /// Records per second, from the first commit seen to the last.
    pub records_per_second: f64,
    /// The same two of the second half; absent where commits are too coarse to tell.
    pub late: Option<Late>,
    /// Resident bytes after the last commit.
    pub resident_bytes: Option<u64>,
}

/// What the second half of a run took, when code is compiled and caches are warm.
#[derive(Debug, Clone, Copy)]
pub struct Late {
    /// CPU seconds per million.
    pub cpu_per_million: f64,
    /// Records per second.
    pub records_per_second: f64,
}

/// Where a run was at some moment.
struct Mark {
    at: Instant,
    cpu_seconds: f64,
    /// Committed offsets of the source, and of the second hop where it goes through Kafka, summed.
    source: i64,
    second: i64,
}

impl Mark {
    /// How much is done, 0 to 1: the mean of both hops, since the first one runs ahead.
    fn share(&self, end: &Self) -> f64 {
        let source = self.source as f64 / end.source.max(1) as f64;
        if end.second == 0 { source } else { (source + self.second as f64 / end.second as f64) / 2.0 }
    }
}

/// A system that runs.
pub struct Running {
    /// Its process.
    pub child: Child,
    /// Topic of its score records.
    pub scores: String,
    source: Progress,
    /// Group and topic of the second hop, where it goes through Kafka.
    second: Option<Progress>,
    output: Openness,
    log: PathBuf,
    leftovers: Leftovers,
}

enum Leftovers {
    Service(Box<Deployment>),
    Peer { topics: Vec<String>, folder: PathBuf },
}

impl Running {
    /// Starts a system on a source topic. The copy has a way of its own ([`Bench::copy`]).
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(bench: &Bench, programs: &Programs, system: System, source: &str) -> Result<Self> {
        match system {
            System::Throughline | System::Copy => Self::service(bench, source),
            System::Streams { .. } | System::Flink { .. } => Self::peer(bench, programs, system, source),
        }
    }

    fn service(bench: &Bench, source: &str) -> Result<Self> {
        let cluster = &bench.cluster;
        let deployment = Deployment::new(cluster, source, Outputs::Scores, Encoding::Json)?;
        let name = |topic| throughline_config::topics::topic_name(&deployment.config.topics.prefix, topic);
        let child = Child::service(&bench.program, &deployment.file, &bench.set)?;
        Ok(Self {
            child,
            scores: name(Topic::Scores),
            output: Openness::new(cluster, &name(Topic::Scores))?,
            source: Progress::new(cluster, &deployment.group(Stage::Normalize), source)?,
            second: Some(Progress::new(cluster, &deployment.group(Stage::Experience), &name(Topic::ExperienceInbox))?),
            log: deployment.file.with_extension("log"),
            leftovers: Leftovers::Service(Box::new(deployment)),
        })
    }

    fn peer(bench: &Bench, programs: &Programs, system: System, source: &str) -> Result<Self> {
        let cluster = &bench.cluster;
        let application = unique_name("bench-peer");
        let scores = cluster.topic("bench-peer-scores")?;
        let folder = programs.scratch().join(&application);
        std::fs::create_dir_all(&folder).context("create a folder for the state of a peer")?;
        let log = folder.with_extension("log");
        let mut topics = vec![scores.clone()];
        let (module, store, threads, interval) = match system {
            System::Flink { store, threads, interval } => (Module::Flink, store, threads, interval),
            System::Streams { store, threads } => (Module::Streams, store, threads, COMMIT),
            System::Throughline | System::Copy => (Module::Streams, Store::Memory, 1, COMMIT),
        };
        let mut command = programs.java(module, &folder);
        let threads = threads.to_string();
        let interval = interval.as_millis().to_string();
        command
            .args(["--brokers", &cluster.brokers, "--application", &application, "--source", source])
            .args(["--scores", &scores, "--tenant", TENANT, "--key", &hex(&HashKey::DEVELOPMENT.0)])
            .args(["--threads", &threads, "--store", store.argument(), "--commit-ms", &interval])
            .args(programs.set.iter().flat_map(|setting| ["--set", setting]))
            .arg("--folder")
            .arg(&folder);
        let mut second = None;
        if module == Module::Streams {
            command.args(["--partitions", &cluster.partitions.to_string(), "--cache-bytes", &CACHE_BYTES.to_string()]);
            let inbox = format!("{application}-inbox-repartition");
            second = Some(Progress::new(cluster, &application, &inbox)?);
            topics.push(inbox);
            topics.push(format!("{application}-customers-changelog"));
        }
        Ok(Self {
            child: Child::spawn(command, &log)?,
            output: Openness::new(cluster, &scores)?,
            scores,
            source: Progress::new(cluster, &application, source)?,
            second,
            log,
            leftovers: Leftovers::Peer { topics, folder },
        })
    }

    /// Waits until every source record and everything that follows from it is committed.
    ///
    /// # Errors
    /// If the system ends, or does not catch up.
    pub fn drain(&mut self) -> Result<Figures> {
        self.watch().with_context(|| format!("catch up (log: {})", self.log.display()))
    }

    fn watch(&mut self) -> Result<Figures> {
        let ends = self.source.ends()?;
        let total: i64 = ends.iter().sum();
        let began = Instant::now();
        let mut marks: Vec<Mark> = Vec::new();
        loop {
            let committed = self.source.committed()?;
            let so_far: i64 = committed.iter().sum();
            if so_far > 0 {
                marks.push(self.mark(so_far)?);
            }
            if committed == ends && self.second_is_drained()? && self.output.is_settled()? {
                break;
            }
            self.child.ensure_running()?;
            ensure!(began.elapsed() < RUN_LIMIT, "{so_far} of {total} records read after {} s", RUN_LIMIT.as_secs());
            std::thread::sleep(Duration::from_millis(20));
        }
        let end = self.mark(total)?;
        let first = marks.first().map(|first| {
            let seconds = (end.at - first.at).as_secs_f64();
            (total - first.source) as f64 / seconds
        });
        Ok(Figures {
            cpu_seconds: end.cpu_seconds,
            records_per_second: first.unwrap_or_default(),
            late: late(&marks, &end),
            resident_bytes: Some(self.child.resident_bytes()?),
        })
    }

    fn mark(&self, source: i64) -> Result<Mark> {
        let second = match &self.second {
            Some(second) => second.committed()?.iter().sum(),
            None => 0,
        };
        Ok(Mark { at: Instant::now(), cpu_seconds: self.child.cpu_seconds()?, source, second })
    }

    /// The topic of the second hop comes into being with the first touchpoint.
    fn second_is_drained(&self) -> Result<bool> {
        self.second.as_ref().map_or(Ok(true), Progress::has_drained)
    }

    /// Ends the process and removes what it leaves behind.
    pub fn end(self, cluster: &Cluster) {
        drop(self.child);
        match self.leftovers {
            Leftovers::Service(deployment) => deployment.remove(cluster),
            Leftovers::Peer { topics, folder } => {
                cluster.remove(&topics);
                // A folder that stays does no harm; `target` may be removed at any time.
                let _ = std::fs::remove_dir_all(&folder);
                let _ = std::fs::remove_file(&self.log);
            }
        }
    }
}

/// The figures from the moment when half of everything was done.
fn late(marks: &[Mark], end: &Mark) -> Option<Late> {
    let half = marks.iter().find(|mark| mark.share(end) >= 0.5)?;
    let left = (1.0 - half.share(end)) * end.source as f64;
    // Where commits are coarse, too little is left to tell.
    (left * 5.0 >= end.source as f64).then(|| Late {
        cpu_per_million: (end.cpu_seconds - half.cpu_seconds) / left * 1e6,
        records_per_second: left / (end.at - half.at).as_secs_f64(),
    })
}

/// Tells whether a transaction is open on a topic.
struct Openness {
    topic: String,
    partitions: u32,
    /// Of a read-committed reader the end is the first offset of an open transaction.
    committed: BaseConsumer,
    written: BaseConsumer,
}

impl Openness {
    fn new(cluster: &Cluster, topic: &str) -> Result<Self> {
        let reader = |committed_only| -> Result<BaseConsumer> {
            cluster.client().reader("bench-open", committed_only).create().context("make a consumer")
        };
        Ok(Self {
            topic: topic.to_owned(),
            partitions: cluster.partitions,
            committed: reader(true)?,
            written: reader(false)?,
        })
    }

    /// Whether what was written is visible to read-committed readers.
    fn is_settled(&self) -> Result<bool> {
        Ok(self.ends(&self.committed)? == self.ends(&self.written)?)
    }

    fn ends(&self, consumer: &BaseConsumer) -> Result<Vec<i64>> {
        (0..self.partitions)
            .map(|partition| {
                let partition = i32::try_from(partition).context("count partitions")?;
                let (_, end) = consumer
                    .fetch_watermarks(&self.topic, partition, Duration::from_secs(10))
                    .context("read the end of a partition")?;
                Ok(end)
            })
            .collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_half_begins_when_both_hops_together_are_half_done() {
        let at = Instant::now();
        let mark = |seconds: u64, cpu_seconds, source, second| Mark {
            at: at + Duration::from_secs(seconds),
            cpu_seconds,
            source,
            second,
        };
        let marks = [mark(1, 2.0, 60, 10), mark(2, 3.0, 80, 40), mark(3, 4.0, 100, 60)];
        let end = mark(4, 6.0, 100, 200);
        // 80 of 100 and 40 of 200 are half of everything.
        let half = late(&marks, &end).expect("commits are fine enough");
        assert!((half.records_per_second - 25.0).abs() < 1e-9, "{half:?}");
        assert!((half.cpu_per_million - 3.0 / 50.0 * 1e6).abs() < 1e-6, "{half:?}");
        assert!(late(&marks[2..], &mark(4, 6.0, 100, 0)).is_none());
    }
}
