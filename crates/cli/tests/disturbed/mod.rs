//! A deployment behind a proxy: its load, its end, and what the verifier says about it.

#![allow(dead_code, reason = "every test program uses a part of this module")]

pub mod feeder;
pub mod load;
pub mod onlooker;
pub mod storm;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{TopicPartitionList, TopicPartitionListElem};
use throughline_testkit::cluster::Cluster;
use throughline_testkit::proxy::Proxy;
use throughline_testkit::verifier::{Capture, Captured, Verdict, verify};

use crate::deployment::program::Program;
use crate::deployment::records::{self, Tail, client_at, produce_at};
use crate::deployment::{Deployment, Kafka, PARTITIONS, Source};
use load::Load;

/// How long nothing may come out before the wait for the rest is given up.
const QUIET: Duration = Duration::from_secs(120);

const INBOX: &str = "throughline.experience.inbox";

/// A deployment whose processes reach their brokers through a proxy only.
pub struct Disturbed {
    /// Between processes and brokers.
    pub proxy: Proxy,
    /// What is disturbed.
    pub deployment: Deployment,
    /// Where its records come from.
    pub load: Load,
    web: Source,
    direct: String,
}

impl Disturbed {
    /// A deployment behind a proxy before one of the proxied listeners.
    pub fn new(cluster: &Cluster, listener: usize, name: &str, seed: u64) -> Self {
        let proxy = Proxy::start(&cluster.endpoints(listener)).expect("a proxy starts");
        let web = Deployment::web_source();
        let replication = cluster.brokers() as u32;
        let kafka = Kafka { direct: cluster.bootstrap(), brokers: proxy.bootstrap(), replication };
        let deployment = Deployment::on(kafka, name, std::slice::from_ref(&web), "");
        Self { proxy, deployment, load: Load::new(seed), web, direct: cluster.bootstrap() }
    }

    /// The source topic.
    pub fn source(&self) -> &str {
        &self.web.topic
    }

    /// Sends the records with these numbers and waits until brokers have them.
    pub fn feed(&self, numbers: Range<u64>) {
        let load = self.load;
        produce_at(&self.direct, &self.web.topic, numbers.flat_map(|number| load.records(number)));
    }

    /// What the group of the experience stage has committed, by partition of its inbox: positions, and what is written beside
    /// them. Waits while a transaction moves them.
    pub fn committed(&self) -> Vec<(i64, String)> {
        let mut config = client_at(&self.direct);
        config.set("group.id", format!("{}-experience", self.deployment.application));
        let consumer: BaseConsumer = config.set("isolation.level", "read_committed").create().expect("a consumer");
        let topic = self.deployment.topic(INBOX);
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&topic, 0, PARTITIONS - 1);
        let began = Instant::now();
        loop {
            let asked = consumer.committed_offsets(list.clone(), Duration::from_secs(10));
            match asked.and_then(|found| found.elements().iter().try_for_each(|at| at.error()).map(|()| found)) {
                Ok(found) => {
                    let read =
                        |at: TopicPartitionListElem<'_>| (at.offset().to_raw().unwrap_or(-1), at.metadata().to_owned());
                    return found.elements().into_iter().map(read).collect();
                }
                Err(error) => assert!(began.elapsed() < QUIET, "offsets are not readable: {error}"),
            }
        }
    }

    /// Whether the experience stage has read everything that is committed in its inbox.
    pub fn is_read(&self) -> bool {
        let mut next = [0; PARTITIONS as usize];
        for found in Tail::at(&self.direct, &self.deployment.topic(INBOX), "read_committed").read_to_end() {
            next[found.partition as usize] = found.offset + 1;
        }
        self.committed().iter().zip(next).all(|((committed, _), next)| *committed >= next)
    }

    /// Marks the end of every source partition and waits until everything before it has come out, or nothing comes any more.
    pub fn settle(&self) {
        let load = self.load;
        produce_at(&self.direct, &self.web.topic, (0..PARTITIONS).map(|partition| load.last(partition)));
        let mut sent = BTreeSet::new();
        for found in self.read("", self.source(), "read_committed") {
            let text = String::from_utf8(found.value.unwrap_or_default()).unwrap_or_default();
            let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            sent.extend(value["source_id"].as_str().map(str::to_owned));
        }
        let topic = self.deployment.topic("experience.touchpoints");
        let mut tail = Tail::at(&self.direct, &topic, "read_committed");
        let mut grown = Instant::now();
        while !sent.is_empty() && grown.elapsed() < QUIET {
            if let Some(found) = tail.next(Duration::from_millis(100)) {
                grown = Instant::now();
                if let Some(source_id) = found.json()["source_id"].as_str() {
                    sent.remove(source_id);
                }
            }
        }
    }

    /// Ends the processes in an orderly way and captures everything that is committed.
    pub fn finish(&self, programs: Vec<Program>) -> Capture {
        self.settle();
        programs.into_iter().for_each(Program::drain);
        self.capture()
    }

    /// The same, judged: nothing may be wrong.
    pub fn check(&self, programs: Vec<Program>) {
        let verdict = self.judge(programs);
        assert!(verdict.is_clean(), "{verdict}");
    }

    fn judge(&self, programs: Vec<Program>) -> Verdict {
        let verdict = verify(&self.finish(programs));
        assert!(verdict.counts.touchpoints > 0 && verdict.counts.alerts > 0, "there is something to judge: {verdict}");
        verdict
    }

    /// Everything that a read-committed reader finds.
    pub fn capture(&self) -> Capture {
        let read = |name: &str| self.read(&self.deployment.prefix, name, "read_committed");
        Capture {
            sources: self.read("", self.source(), "read_committed"),
            inbox: read(INBOX),
            touchpoints: read("experience.touchpoints"),
            scores: read("experience.scores"),
            customers: read("experience.customers"),
            alerts: read("experience.alerts"),
            alert_states: read("experience.alerts.state"),
            dead_letters: read("experience.dead-letters"),
            seen: BTreeSet::new(),
        }
    }

    /// What the processes did about it, by their logs: how often each of these was said.
    pub fn reactions(&self) -> BTreeMap<&'static str, usize> {
        const SAID: [&str; 7] = [
            "assigned",
            "revoked",
            "lost",
            "restored",
            "outcome unknown, asking",
            "fenced, taking partitions anew",
            "joining again",
        ];
        let mut counts = BTreeMap::new();
        let files = std::fs::read_dir(self.deployment.folder()).expect("the folder can be read");
        for path in
            files.filter_map(|file| Some(file.ok()?.path())).filter(|path| path.to_string_lossy().ends_with("log"))
        {
            let text = std::fs::read_to_string(path).expect("logs are text");
            for said in SAID {
                *counts.entry(said).or_insert(0) += text.matches(&format!("\"message\":\"{said}\"")).count();
            }
        }
        counts
    }

    fn read(&self, prefix: &str, name: &str, isolation: &str) -> Vec<Captured> {
        let found = Tail::at(&self.direct, &format!("{prefix}{name}"), isolation).read_to_end();
        found.into_iter().map(captured).collect()
    }
}

fn captured(found: records::Found) -> Captured {
    let record = found.record;
    let headers = record.headers.into_iter().filter_map(|(name, value)| Some((name, value?)));
    Captured {
        partition: found.partition,
        offset: found.offset,
        key: record.key.unwrap_or_default(),
        value: record.value,
        headers: headers.collect(),
    }
}
