//! `check --connect`: what the configuration names is asked, line by line. Nothing is created and nothing is written, but
//! for one transactional id of its own, which the brokers forget by themselves.

use std::time::Duration;

use throughline_config::topics::{TopicStep, plan};
use throughline_config::{Config, HashKeySource, RegistryOptions};
use throughline_kafka::admin::Admin;
use throughline_kafka::client::ClientOptions;
use throughline_kafka::probe::{self, Probe, ProbeError};
use throughline_model::{SourceKind, Stage, Topic};

use crate::observer::now_millis;
use crate::registry::{Registry, SubjectState};
use crate::{schemas, secrets, topics, wiring};

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What came of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Somebody has to do something.
    Failed,
    /// Not asked, and why.
    Skipped,
}

impl Outcome {
    /// One word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of question: `secrets`, `brokers`, `authentication`, `cluster`, `topic`, `read`, `write`, `group`,
    /// `transactions`, `clock`, `registry`, `schema`.
    pub check: &'static str,
    /// What it is about: a topic, a group, an address.
    pub subject: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What was found, and what to do, a lowercase fragment.
    pub detail: String,
}

/// All findings, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The lines.
    pub findings: Vec<Finding>,
    /// Brokers were asked and none answered.
    pub unreachable: bool,
}

impl Report {
    /// Lines of one outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.findings.iter().filter(|finding| finding.outcome == outcome).count()
    }

    fn add(&mut self, check: &'static str, subject: impl Into<String>, outcome: Outcome, detail: impl Into<String>) {
        self.findings.push(Finding { check, subject: subject.into(), outcome, detail: detail.into() });
    }

    fn passed(&mut self, check: &'static str, subject: impl Into<String>, detail: impl Into<String>) {
        self.add(check, subject, Outcome::Passed, detail);
    }

    fn failed(&mut self, check: &'static str, subject: impl Into<String>, detail: impl Into<String>) {
        self.add(check, subject, Outcome::Failed, detail);
    }

    fn skipped(&mut self, check: &'static str, subject: impl Into<String>, detail: impl Into<String>) {
        self.add(check, subject, Outcome::Skipped, detail);
    }
}

/// Asks everything that the configuration names. Blocks between its awaits: it is for a command, not for a service.
pub async fn connect(config: &Config) -> Report {
    let mut report = Report::default();
    read_secrets(config, &mut report);
    match wiring::client(&config.kafka) {
        Ok(client) => kafka(config, &client, &mut report).await,
        Err(error) => report.failed("secrets", "kafka", error.to_string()),
    }
    match &config.registry {
        Some(options) => registry(config, options, &mut report),
        None => report.skipped("registry", "", "registry.url is empty: outputs are JSON"),
    }
    report
}

fn read_secrets(config: &Config, report: &mut Report) {
    match secrets::hash_key(&config.identity.hash_key) {
        Ok(_) if config.identity.hash_key == HashKeySource::Development => {
            report.skipped("secrets", "identity.hash_key", "none is set: the development key, which everybody knows");
        }
        Ok(_) => report.passed("secrets", "identity.hash_key", "readable"),
        Err(error) => report.failed("secrets", "identity.hash_key", error.to_string()),
    }
    let Some(http) = &config.http else { return };
    let tokens = [
        ("http.metrics_token", &http.metrics_token),
        ("http.read_token", &http.read_token),
        ("http.operate_token", &http.operate_token),
    ];
    for (key, source) in tokens {
        match source.as_ref().map(secrets::secret) {
            Some(Err(error)) => report.failed("secrets", key, error.to_string()),
            Some(Ok(_)) => report.passed("secrets", key, "readable"),
            None => {}
        }
    }
}

async fn kafka(config: &Config, client: &ClientOptions, report: &mut Report) {
    let client_id = format!("{}-check", config.application);
    let probe = match Probe::new(client, &client_id, TIMEOUT) {
        Ok(probe) => probe,
        Err(error) => return report.failed("brokers", &client.brokers, error.to_string()),
    };
    if !contact(config, client, &probe, report) {
        return;
    }
    let admin = match Admin::new(client, TIMEOUT) {
        Ok(admin) => admin,
        Err(error) => return report.failed("brokers", &client.brokers, error.to_string()),
    };
    let found = admin.cluster_id();
    match (topics::same_cluster(config.kafka.cluster_id.as_deref(), &admin), &config.kafka.cluster_id) {
        // Everything below would be about a cluster that nobody means.
        (Err(error), _) => return report.failed("cluster", found.unwrap_or_default(), error.to_string()),
        (Ok(()), Some(_)) => report.passed("cluster", found.unwrap_or_default(), "the one that is meant"),
        (Ok(()), None) => {
            let detail = "any cluster is accepted; set kafka.cluster_id to this one";
            report.skipped("cluster", found.unwrap_or_default(), detail);
        }
    }
    let existing: Vec<String> = match admin.partitions() {
        Ok(partitions) => partitions.into_keys().collect(),
        Err(error) => return report.failed("topic", "", error.to_string()),
    };
    own_topics(config, report).await;
    source_topics(config, &existing, report);
    rights(config, client, &client_id, &probe, &existing, report);
}

/// Whether any broker lets us in.
fn contact(config: &Config, client: &ClientOptions, probe: &Probe, report: &mut Report) -> bool {
    let who = match (&config.kafka.sasl, &config.kafka.tls) {
        (Some(sasl), _) => format!("{} as {}", sasl.mechanism, sasl.username),
        (None, Some(tls)) if tls.client.is_some() => "client certificate".to_owned(),
        _ => "none is configured".to_owned(),
    };
    match probe.brokers() {
        Ok(count) => {
            report.passed("brokers", &client.brokers, format!("{count} in the cluster"));
            report.passed("authentication", "", who);
            true
        }
        Err(ProbeError::Unauthenticated(why)) => {
            report.passed("brokers", &client.brokers, "a broker answers");
            report.failed("authentication", who, why);
            false
        }
        Err(error) => {
            report.unreachable = matches!(error, ProbeError::Unreachable(_));
            report.failed("brokers", &client.brokers, error.to_string());
            false
        }
    }
}

/// The topics that are written here, against the plan.
async fn own_topics(config: &Config, report: &mut Report) {
    let steps = match topics::steps(config, &plan(config)).await {
        Ok(steps) => steps,
        Err(error) => return report.failed("topic", "", format!("cannot be compared with the plan: {error}")),
    };
    for step in steps {
        match step {
            TopicStep::Keep { name } => report.passed("topic", name, "as planned"),
            TopicStep::Create(spec) => report.failed("topic", spec.name, "is missing; throughline topics apply"),
            TopicStep::Refuse { name, problem } => report.failed("topic", name, problem),
            TopicStep::Alter { name, settings } => {
                let differs = settings.iter().map(|(setting, found, wanted)| {
                    format!("{setting} is {} instead of {wanted}", found.as_deref().unwrap_or("not set"))
                });
                let differs: Vec<String> = differs.collect();
                report.failed("topic", name, format!("{}; throughline topics apply", differs.join(", ")));
            }
        }
    }
}

/// The topics that others own.
fn source_topics(config: &Config, existing: &[String], report: &mut Report) {
    for source in &config.sources {
        for topic in &source.topics {
            if existing.contains(topic) {
                report.passed("topic", topic, format!("source {} is there", source.name));
            } else if source.kind == SourceKind::Catalog {
                report.skipped("topic", topic, "no catalog: stores have no zones and channels no hours");
            } else {
                let detail = format!("source {} is missing; its owner creates it, or disable the source", source.name);
                report.failed("topic", topic, detail);
            }
        }
    }
}

/// What may be read and used, by doing it; and the clock, since the newest records were just read.
fn rights(
    config: &Config,
    client: &ClientOptions,
    client_id: &str,
    probe: &Probe,
    existing: &[String],
    report: &mut Report,
) {
    let sources = || config.sources.iter().flat_map(|source| source.topics.iter().cloned());
    let inbox = wiring::topic(config, Topic::ExperienceInbox);
    let internal = [inbox.clone(), wiring::topic(config, Topic::ExperienceChangelog)];
    let mut newest: Option<(i64, String)> = None;
    for topic in sources().chain(internal).filter(|topic| existing.contains(topic)) {
        match probe.newest(&topic) {
            Ok(at) => {
                newest = newest.max(at.map(|at| (at, topic.clone())));
                report.passed("read", topic, if at.is_some() { "a record was read" } else { "nothing in it yet" });
            }
            Err(error) => report.failed("read", topic, error.to_string()),
        }
    }
    let first_source = sources().find(|topic| existing.contains(topic));
    for (stage, topic) in [(Stage::Normalize, first_source), (Stage::Experience, Some(inbox))] {
        let group = format!("{}-{stage}", config.application);
        let Some(topic) = topic.filter(|topic| existing.contains(topic)) else { continue };
        match probe::group(client, client_id, &group, &topic, TIMEOUT) {
            Ok(()) => report.passed("group", group, "its offsets may be read"),
            Err(error) => report.failed("group", group, error.to_string()),
        }
    }
    match probe::transactions(client, client_id, client_id, TIMEOUT) {
        Ok(()) => {
            report.passed("transactions", format!("{}-*", config.application), "an id of this prefix may be used")
        }
        Err(error) => report.failed("transactions", format!("{}-*", config.application), error.to_string()),
    }
    report.skipped("write", "", "not asked: the only proof is to write, and nothing is written here");
    clock(config, newest, report);
}

/// Brokers do not tell their time; a record that is newer than now does.
fn clock(config: &Config, newest: Option<(i64, String)>, report: &mut Report) {
    let Some((at, topic)) = newest else {
        return report.skipped("clock", "", "no record to compare with");
    };
    let ahead_ms = at - now_millis();
    let tolerated_ms = i64::try_from(config.event_time.ahead.as_millis()).unwrap_or(i64::MAX);
    if ahead_ms > tolerated_ms {
        let seconds = ahead_ms / 1_000;
        report.failed(
            "clock",
            topic,
            format!("its newest record is {seconds} s ahead of this machine; compare clocks"),
        );
    } else {
        report.passed("clock", topic, "no record is ahead of this machine's clock");
    }
}

fn registry(config: &Config, options: &RegistryOptions, report: &mut Report) {
    let registry = match Registry::new(options) {
        Ok(registry) => registry,
        Err(error) => return report.failed("registry", &options.url, format!("{error:#}")),
    };
    let outputs = [Topic::Touchpoints, Topic::Scores, Topic::Customers, Topic::Alerts, Topic::AlertsState];
    let wanted = schemas::wanted(config, options.subjects, &outputs);
    let states = match registry.plan(&wanted) {
        Ok(states) => states,
        Err(error) => return report.failed("registry", &options.url, error.to_string()),
    };
    report.passed("registry", &options.url, "answers");
    for (schema, state) in wanted.into_iter().zip(states) {
        match state {
            SubjectState::Registered(id) => report.passed("schema", schema.subject, format!("id {id}")),
            SubjectState::Missing | SubjectState::Behind if options.register => {
                report.passed("schema", schema.subject, "run registers it");
            }
            SubjectState::Missing => report.failed("schema", schema.subject, "is missing; throughline schemas apply"),
            SubjectState::Behind => report.failed("schema", schema.subject, "is behind; throughline schemas apply"),
            SubjectState::Incompatible(why) => report.failed("schema", schema.subject, why.join("; ")),
        }
    }
}
