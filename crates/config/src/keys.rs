//! The table of every key: its path, its kind, the version since which it exists.
//!
//! `default.toml` holds the values and the words; this table holds what may be written there. A test compares the two, and
//! the JSON Schema for editors is made from both.

use std::time::Duration;

use throughline_model::alert::RuleMode;
use throughline_model::{SourceKind, TouchpointType, Trust};

use crate::kind::Kind;

/// A key of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Path with dots. A segment `*` stands for any name, a last segment `**` for any rest with dots.
    pub path: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// Version since which it exists.
    pub since: &'static str,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// A key with a value.
    Key(&'static Key),
    /// A key whose name is the rest of the path, joined by dots.
    Rest(&'static Key),
    /// A table that holds keys.
    Table,
    /// Nothing known.
    Nothing,
}

/// Where a path leads.
#[must_use]
pub fn place(path: &[String]) -> Place {
    let mut found = Place::Nothing;
    for key in KEYS {
        let pattern: Vec<&str> = key.path.split('.').collect();
        let rest = pattern.last() == Some(&"**");
        let fits = pattern.iter().zip(path).all(|(want, name)| matches!(*want, "*" | "**") || want == name);
        if !fits {
            continue;
        }
        if rest && path.len() >= pattern.len() {
            return Place::Rest(key);
        }
        if path.len() == pattern.len() {
            return Place::Key(key);
        }
        if path.len() < pattern.len() {
            found = Place::Table;
        }
    }
    found
}

/// Names that may stand where `path` ends, for a hint.
pub(crate) fn siblings(path: &[String]) -> Vec<&'static str> {
    let Some((_, parents)) = path.split_last() else { return Vec::new() };
    let mut names: Vec<&str> = KEYS
        .iter()
        .filter_map(|key| {
            let mut pattern = key.path.split('.');
            let fits = parents.iter().all(|name| pattern.next().is_some_and(|want| want == "*" || want == name));
            if fits { pattern.next() } else { None }
        })
        .filter(|name| !name.starts_with('*'))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Names of all members of a closed set of the vocabulary.
macro_rules! members {
    ($set:ty) => {
        Kind::OneOf(|| <$set>::ALL.iter().map(|member| member.as_str()).collect())
    };
}

const fn key(path: &'static str, kind: Kind) -> Key {
    Key { path, kind, since: "0.1.0" }
}

const fn millis(min: u64, max: u64) -> Kind {
    Kind::Duration { min: Duration::from_millis(min), max: Duration::from_millis(max) }
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const MIB: u64 = 1 << 20;

const NAME: Kind = Kind::Name { optional: false };
const OPTIONAL_NAME: Kind = Kind::Name { optional: true };
const MODE: Kind = members!(RuleMode);
const ON_OFF: Kind = Kind::OneOf(|| vec!["on", "off"]);
const COOLDOWN: Kind = millis(MINUTE, 365 * DAY);
const EXPIRY: Kind = millis(HOUR, 730 * DAY);
const CONFIDENCE: Kind = Kind::Number { min: 0.0, max: 1.0 };
const POINTS: Kind = Kind::Number { min: 0.0, max: 100.0 };
const DEVIATIONS: Kind = Kind::Number { min: -10.0, max: 10.0 };

/// Every key, in the order of `default.toml`.
pub const KEYS: &[Key] = &[
    key("application", NAME),
    key("tenant", NAME),
    key("prefix", OPTIONAL_NAME),
    key("instance.id", OPTIONAL_NAME),
    key("instance.ordinal", Kind::Count { min: 0, max: 9_999 }),
    key("kafka.brokers", Kind::ListOf(&Kind::Address)),
    key("kafka.cluster_id", Kind::Text),
    key("kafka.tls.enabled", Kind::Flag),
    key("kafka.tls.ca_file", Kind::Path),
    key("kafka.tls.certificate_file", Kind::Path),
    key("kafka.tls.key_file", Kind::Path),
    key("kafka.tls.key_password", Kind::Secret),
    key("kafka.tls.key_password_file", Kind::Path),
    key("kafka.sasl.mechanism", Kind::OneOf(|| vec!["none", "plain", "scram-sha-256", "scram-sha-512"])),
    key("kafka.sasl.username", Kind::Text),
    key("kafka.sasl.password", Kind::Secret),
    key("kafka.sasl.password_file", Kind::Path),
    key("kafka.client.**", Kind::Setting),
    key("registry.url", Kind::Url),
    key("registry.auth", Kind::OneOf(|| vec!["none", "basic", "bearer"])),
    key("registry.username", Kind::Text),
    key("registry.password", Kind::Secret),
    key("registry.password_file", Kind::Path),
    key("registry.token", Kind::Secret),
    key("registry.token_file", Kind::Path),
    key("registry.ca_file", Kind::Path),
    key("registry.certificate_file", Kind::Path),
    key("registry.key_file", Kind::Path),
    key("registry.subjects", Kind::OneOf(|| vec!["topic", "record", "topic_record"])),
    key("registry.register", Kind::Flag),
    key("registry.timeout", millis(100, MINUTE)),
    key("topics.partitions", Kind::Count { min: 1, max: 4_096 }),
    key("topics.replication", Kind::Count { min: 1, max: 16 }),
    key("topics.min_in_sync", Kind::AutoCount { min: 1, max: 16 }),
    key("sources.*.enabled", Kind::Flag),
    key("sources.*.kind", members!(SourceKind)),
    key("sources.*.topics", Kind::ListOf(&NAME)),
    key("sources.*.formats", Kind::ListOf(&NAME)),
    key("sources.*.encoding", Kind::OneOf(|| vec!["auto", "json", "avro"])),
    key("sources.*.system", OPTIONAL_NAME),
    key("sources.*.visits", OPTIONAL_NAME),
    key("sources.*.producer", OPTIONAL_NAME),
    key("sources.*.time_zone", Kind::Zone),
    key("sources.*.calling_code", Kind::CallingCode),
    key("sources.*.lateness", millis(0, 30 * DAY)),
    key("sources.*.idle_after", millis(SECOND, DAY)),
    key("sources.*.names.*", members!(TouchpointType)),
    key("sources.*.trust.*", members!(Trust)),
    key("outputs.touchpoints", Kind::OneOf(|| vec!["on", "off", "valenced"])),
    key("outputs.scores", ON_OFF),
    key("outputs.customers", ON_OFF),
    key("outputs.alerts", ON_OFF),
    key("outputs.staff", Kind::OneOf(|| vec!["off", "hashed", "plain"])),
    key("workers.normalize", Kind::AutoCount { min: 1, max: 256 }),
    key("workers.experience", Kind::AutoCount { min: 1, max: 256 }),
    key("commit.profile", Kind::OneOf(|| vec!["standard", "low_latency"])),
    key("commit.interval", millis(5, 2 * SECOND)),
    key("commit.records", Kind::Count { min: 1, max: 1_000_000 }),
    key("commit.overlay", Kind::Size { min: MIB, max: 4 << 30 }),
    key("transaction.age", millis(100, 10 * MINUTE)),
    key("transaction.timeout", millis(SECOND, 15 * MINUTE)),
    key("transaction.session_timeout", millis(SECOND, 30 * MINUTE)),
    key("transaction.shutdown", millis(SECOND, 10 * MINUTE)),
    key("state.directory", Kind::Directory),
    key("state.snapshot_after", millis(MINUTE, 23 * HOUR)),
    key("state.warm", millis(0, DAY / 2)),
    key("state.readers", Kind::Count { min: 1, max: 64 }),
    key("limits.memory", Kind::AutoSize { min: 64 * MIB, max: 1 << 44 }),
    key("limits.catalog", Kind::Size { min: MIB, max: 1 << 30 }),
    key("limits.rejected_share", Kind::Number { min: 0.01, max: 1.0 }),
    key("limits.rejected_window", Kind::Count { min: 100, max: 1_000_000 }),
    key("event_time.earliest", Kind::Instant),
    key("event_time.ahead", millis(0, DAY)),
    key("event_time.max_age", millis(DAY, 36_500 * DAY)),
    key("text.brands", Kind::ListOf(&Kind::Text)),
    key("consent.strict", Kind::Flag),
    key("identity.hash_key", Kind::Secret),
    key("identity.hash_key_file", Kind::Path),
    key("model.file", Kind::Path),
    key("routing.file", Kind::Path),
    key("alerts.publish_suppressed", Kind::Flag),
    key("alerts.context", Kind::Flag),
    key("alerts.severe_moment.mode", MODE),
    key("alerts.severe_moment.cooldown", COOLDOWN),
    key("alerts.severe_moment.expires", EXPIRY),
    key("alerts.urgent_need.mode", MODE),
    key("alerts.urgent_need.opens_at", CONFIDENCE),
    key("alerts.urgent_need.due", millis(MINUTE, 30 * DAY)),
    key("alerts.urgent_need.expires", EXPIRY),
    key("alerts.exit_intent.mode", MODE),
    key("alerts.exit_intent.opens_at", CONFIDENCE),
    key("alerts.exit_intent.cooldown", COOLDOWN),
    key("alerts.exit_intent.expires", EXPIRY),
    key("alerts.experience_low.mode", MODE),
    key("alerts.experience_low.opens_at", POINTS),
    key("alerts.experience_low.resolves_at", POINTS),
    key("alerts.experience_low.cooldown", COOLDOWN),
    key("alerts.experience_low.expires", EXPIRY),
    key("alerts.experience_drop.mode", MODE),
    key("alerts.experience_drop.opens_at", DEVIATIONS),
    key("alerts.experience_drop.resolves_at", DEVIATIONS),
    key("alerts.experience_drop.cooldown", COOLDOWN),
    key("alerts.experience_drop.expires", EXPIRY),
    key("http.enabled", Kind::Flag),
    key("http.listen", Kind::Address),
    key("http.metrics_token", Kind::Secret),
    key("http.metrics_token_file", Kind::Path),
    key("http.read_token", Kind::Secret),
    key("http.read_token_file", Kind::Path),
    key("http.operate_token", Kind::Secret),
    key("http.operate_token_file", Kind::Path),
    key("log.level", Kind::OneOf(|| vec!["error", "warn", "info", "debug", "trace"])),
    key("log.format", Kind::OneOf(|| vec!["text", "json"])),
];
