//! The topics a deployment needs, and how they differ from those a cluster has. Settings are those of the topic contract.

use std::collections::BTreeMap;

use throughline_model::Topic;

use crate::options::{SourceOptions, TouchpointOutput};
use crate::resolve::Config;
use throughline_model::SourceKind;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const MIB: u64 = 1 << 20;

/// Commands and the latest state of alerts are few: eight partitions are plenty, fewer if the deployment has fewer.
const SMALL_TOPIC_PARTITIONS: u32 = 8;

/// A topic as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name, with the prefix.
    pub name: String,
    /// The logical topic; none for a source, which others own.
    pub topic: Option<Topic>,
    /// Partitions.
    pub partitions: u32,
    /// Copies of each.
    pub replication: u32,
    /// Settings of the topic, by Kafka's names.
    pub settings: BTreeMap<&'static str, String>,
}

/// A topic as a cluster has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFound {
    /// Name.
    pub name: String,
    /// Partitions.
    pub partitions: u32,
    /// Copies of the first partition.
    pub replication: u32,
    /// Settings, by Kafka's names.
    pub settings: BTreeMap<String, String>,
}

/// What `topics apply` would do about one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicStep {
    /// It is as it should be.
    Keep {
        /// Name.
        name: String,
    },
    /// It is missing.
    Create(TopicSpec),
    /// Settings differ.
    Alter {
        /// Name.
        name: String,
        /// Setting, value found (none: the broker's default), value wanted.
        settings: Vec<(&'static str, Option<String>, String)>,
    },
    /// It differs in a way that nobody may change: keys would move to other partitions.
    Refuse {
        /// Name.
        name: String,
        /// Why, a lowercase fragment.
        problem: String,
    },
}

/// Name of a topic of this deployment.
#[must_use]
pub fn topic_name(prefix: &str, topic: Topic) -> String {
    format!("{prefix}{topic}")
}

/// Every topic that is written or owned here, in the order of the contract; switched-off outputs are left out.
#[must_use]
pub fn plan(config: &Config) -> Vec<TopicSpec> {
    Topic::ALL.iter().filter(|topic| is_wanted(config, **topic)).map(|topic| spec(config, *topic)).collect()
}

/// The topics of the sources as a development broker needs them; in production others own them.
#[must_use]
pub fn source_plan(config: &Config) -> Vec<TopicSpec> {
    let specs = config.sources.iter().flat_map(|source| {
        source.topics.iter().map(|name| TopicSpec {
            name: name.clone(),
            topic: None,
            partitions: if source.kind == SourceKind::Catalog { 1 } else { config.topics.partitions.get() },
            replication: config.topics.replication.get(),
            settings: source_settings(config, source),
        })
    });
    specs.collect()
}

/// What differs between the plan and a cluster, topic by topic in the order of the plan.
#[must_use]
pub fn compare(wanted: &[TopicSpec], found: &[TopicFound]) -> Vec<TopicStep> {
    wanted.iter().map(|spec| step(spec, found.iter().find(|found| found.name == spec.name))).collect()
}

fn step(spec: &TopicSpec, found: Option<&TopicFound>) -> TopicStep {
    let name = spec.name.clone();
    let Some(found) = found else { return TopicStep::Create(spec.clone()) };
    if found.partitions != spec.partitions {
        let problem = format!(
            "has {} partitions instead of {}; their number is fixed for the life of a deployment",
            found.partitions, spec.partitions
        );
        return TopicStep::Refuse { name, problem };
    }
    let settings: Vec<_> = spec
        .settings
        .iter()
        .filter(|(setting, value)| found.settings.get(**setting) != Some(value))
        .map(|(setting, value)| (*setting, found.settings.get(*setting).cloned(), value.clone()))
        .collect();
    if settings.is_empty() { TopicStep::Keep { name } } else { TopicStep::Alter { name, settings } }
}

fn is_wanted(config: &Config, topic: Topic) -> bool {
    match topic {
        Topic::Touchpoints => config.outputs.touchpoints != TouchpointOutput::Off,
        Topic::Scores => config.outputs.scores,
        Topic::Customers => config.outputs.customers,
        Topic::Alerts | Topic::AlertsState => config.outputs.alerts,
        _ => true,
    }
}

fn spec(config: &Config, topic: Topic) -> TopicSpec {
    let all = config.topics.partitions.get();
    let partitions = match topic {
        Topic::AlertsState
        | Topic::AlertsCommands
        | Topic::IdentityCommands
        | Topic::PrivacyCommands
        | Topic::Audit => all.min(SMALL_TOPIC_PARTITIONS),
        // One small table that every instance reads completely.
        Topic::Instances => 1,
        _ => all,
    };
    let mut settings = cleanup(config, topic);
    let largest = if topic == Topic::DeadLetters { 16 * MIB } else { MIB };
    settings.insert("max.message.bytes", largest.to_string());
    settings.insert("min.insync.replicas", config.topics.min_in_sync.to_string());
    TopicSpec {
        name: topic_name(&config.topics.prefix, topic),
        topic: Some(topic),
        partitions,
        replication: config.topics.replication.get(),
        settings,
    }
}

fn cleanup(config: &Config, topic: Topic) -> BTreeMap<&'static str, String> {
    match topic {
        Topic::Scores
        | Topic::Customers
        | Topic::AlertsState
        | Topic::Entities
        | Topic::ExperienceChangelog
        | Topic::EntityChangelog
        | Topic::Instances => compacted(),
        // Records are deleted up to the committed offset; time alone never deletes what was not read yet.
        Topic::ExperienceInbox | Topic::EntityInbox => {
            BTreeMap::from([("cleanup.policy", "delete".to_owned()), ("retention.ms", "-1".to_owned())])
        }
        // Declared attributes in alerts: the shorter retention that an erasure needs.
        Topic::Alerts if config.alerts.context => deleted_after(7),
        Topic::Alerts | Topic::Identity | Topic::Audit => deleted_after(90),
        Topic::Touchpoints
        | Topic::Changes
        | Topic::DeadLetters
        | Topic::AlertsCommands
        | Topic::IdentityCommands
        | Topic::PrivacyCommands => deleted_after(7),
    }
}

fn deleted_after(days: u64) -> BTreeMap<&'static str, String> {
    BTreeMap::from([("cleanup.policy", "delete".to_owned()), ("retention.ms", (days * DAY_MS).to_string())])
}

fn compacted() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("cleanup.policy", "compact".to_owned()),
        ("max.compaction.lag.ms", (7 * DAY_MS).to_string()),
        ("delete.retention.ms", DAY_MS.to_string()),
        ("min.cleanable.dirty.ratio", "0.2".to_owned()),
        ("segment.ms", HOUR_MS.to_string()),
        ("segment.bytes", (64 * MIB).to_string()),
    ])
}

fn source_settings(config: &Config, source: &SourceOptions) -> BTreeMap<&'static str, String> {
    let mut settings = match source.kind {
        SourceKind::Profile | SourceKind::Consent | SourceKind::Catalog => compacted(),
        _ => deleted_after(7),
    };
    // More than is accepted, so that a value that is too large is rejected here with a reason rather than by the broker.
    settings.insert("max.message.bytes", (16 * MIB).to_string());
    settings.insert("min.insync.replicas", config.topics.min_in_sync.to_string());
    settings
}
