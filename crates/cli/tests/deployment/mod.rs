//! A deployment of the real program on a real Kafka: its configuration, its topics, its processes.
//!
//! Nothing in here sleeps: it waits for records, for lines of the log, for the end of a process, always with a limit.

#![allow(dead_code, reason = "every test program uses a part of this module")]

pub mod avro;
pub mod compare;
pub mod http;
pub mod load;
pub mod program;
pub mod records;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use throughline_testkit::broker::{Broker, unique_name};

use program::Program;
use records::Tail;

/// Partitions of every topic.
pub const PARTITIONS: i32 = 4;

/// How long anything may take that has no tighter limit of its own. It is only reached when something is wrong.
pub const LIMIT: Duration = Duration::from_secs(120);

/// `session_timeout` of every deployment: the least that brokers allow by default.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(6);

/// A source of a deployment.
#[derive(Debug, Clone)]
pub struct Source {
    /// Name of its table, a part of touchpoint ids.
    pub name: &'static str,
    /// Its only topic.
    pub topic: String,
    /// Further lines of its table.
    pub lines: &'static str,
}

/// Brokers as a deployment knows them.
#[derive(Debug, Clone)]
pub struct Kafka {
    /// `host:port` list for the test itself.
    pub direct: String,
    /// The same for the processes: that of a proxy, where one stands between.
    pub brokers: String,
    /// Copies of each partition.
    pub replication: u32,
}

impl Kafka {
    /// The broker that all tests share.
    fn shared() -> Self {
        Self { direct: Broker::shared().to_owned(), brokers: Broker::shared().to_owned(), replication: 1 }
    }
}

/// An application with topics of its own. Two of them may read the same sources.
#[derive(Debug)]
pub struct Deployment {
    /// Application id, start of the groups and transactional ids.
    pub application: String,
    /// Start of the names of its topics.
    pub prefix: String,
    /// Brokers that its processes are told.
    brokers: String,
    replication: u32,
    /// Brokers that the test itself reads from.
    direct: String,
    sources: Vec<Source>,
    commit: String,
    extra: String,
    folder: PathBuf,
    kept: std::cell::Cell<bool>,
}

impl Deployment {
    /// A deployment with its topics created. `extra` is added to the configuration.
    pub fn new(name: &str, sources: &[Source], extra: &str) -> Self {
        Self::on(Kafka::shared(), name, sources, extra)
    }

    /// The same on brokers of the test's own.
    pub fn on(kafka: Kafka, name: &str, sources: &[Source], extra: &str) -> Self {
        let application = unique_name(name);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&application);
        std::fs::create_dir_all(&folder).expect("the target folder can be written");
        let prefix = format!("{application}.");
        let Kafka { direct, brokers, replication } = kafka;
        let (sources, extra, commit) = (sources.to_vec(), extra.to_owned(), String::new());
        let deployment = Self {
            application,
            prefix,
            brokers,
            replication,
            direct,
            sources,
            commit,
            extra,
            folder,
            kept: false.into(),
        };
        deployment.call(&["topics", "apply", "--sources"]);
        deployment
    }

    /// Adds something else to the configuration from the next start on.
    pub fn set_extra(&mut self, extra: &str) {
        extra.clone_into(&mut self.extra);
    }

    /// Adds lines to the table `commit` from the next start on.
    pub fn set_commit(&mut self, lines: &str) {
        lines.clone_into(&mut self.commit);
    }

    /// A source of kind and name `web` with a topic of its own.
    pub fn web_source() -> Source {
        Source { name: "web", topic: unique_name("web"), lines: "" }
    }

    /// Leaves the folder where it is, to be looked at.
    pub fn keep(&self) {
        self.kept.set(true);
    }

    /// Folder with its configurations and the logs of its processes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Name of one of its topics.
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Starts the process with this number.
    pub fn start(&self, ordinal: u32) -> Program {
        self.start_with(ordinal, &[])
    }

    /// The same with one stage only.
    pub fn start_stage(&self, ordinal: u32, stage: &str) -> Program {
        self.start_with(ordinal, &["--stage", stage])
    }

    fn start_with(&self, ordinal: u32, arguments: &[&str]) -> Program {
        let config = self.write_config(ordinal);
        Program::start(&self.folder, &format!("{}/{ordinal}", self.application), &config, arguments)
    }

    /// Starts the process with this number and waits until it is ready.
    pub fn start_ready(&self, ordinal: u32) -> Program {
        let program = self.start(ordinal);
        program.wait_ready();
        program
    }

    /// Waits until that many touchpoints are committed.
    pub fn wait_for_touchpoints(&self, touchpoints: u64) {
        let mut count = 0;
        let topic = self.topic("experience.touchpoints");
        Tail::at(&self.direct, &topic, "read_committed").until("all touchpoints", |_| {
            count += 1;
            count == touchpoints
        });
    }

    /// Runs a command of the program that ends by itself, and returns what it printed.
    pub fn call(&self, arguments: &[&str]) -> String {
        let config = self.write_config(0);
        let output = Command::new(env!("CARGO_BIN_EXE_throughline"))
            .args(["--config"])
            .arg(config)
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .expect("the binary starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "throughline {arguments:?} ended with {}:\n{stdout}{stderr}", output.status);
        stdout
    }

    fn write_config(&self, ordinal: u32) -> PathBuf {
        let path = self.folder.join(format!("throughline-{ordinal}.toml"));
        std::fs::write(&path, self.config(ordinal)).expect("the folder can be written");
        path
    }

    fn config(&self, ordinal: u32) -> String {
        let (application, prefix, replication) = (&self.application, &self.prefix, self.replication);
        let brokers = self.brokers.replace(',', "\", \"");
        let (session, commit) = (SESSION_TIMEOUT.as_secs(), &self.commit);
        let mut text = format!(
            r#"application = "{application}"
tenant = "brand"
prefix = "{prefix}"
[instance]
ordinal = {ordinal}
[kafka]
brokers = ["{brokers}"]
[topics]
partitions = {PARTITIONS}
replication = {replication}
[workers]
normalize = 1
experience = 1
[commit]
interval = "50ms"
{commit}[transaction]
age = "2s"
timeout = "4s"
session_timeout = "{session}s"
[http]
listen = "127.0.0.1:0"
[log]
format = "json"
"#
        );
        for name in ["web", "social", "store", "call-centre", "partner", "survey", "catalog"] {
            if !self.sources.iter().any(|source| source.name == name) {
                writeln!(text, "[sources.{name}]\nenabled = false").expect("text can be written");
            }
        }
        for Source { name, topic, lines } in &self.sources {
            writeln!(text, "[sources.{name}]\ntopics = [\"{topic}\"]\n{lines}").expect("text can be written");
        }
        text + &self.extra
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        // What cannot be removed now is only disk space below `target`. After a failure it is kept to be looked at.
        if !std::thread::panicking() && !self.kept.get() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
