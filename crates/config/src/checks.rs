//! Checks across keys, each with a name. Every one looks at what holds, whoever set it.

use std::net::{IpAddr, SocketAddr};

use throughline_model::{SourceKind, Topic};

use crate::error::{ConfigError, Origin};
use crate::kind::nearest;
use crate::layers::KeyPath;
use crate::options::{HashKey, SourceOptions};
use crate::resolve::Resolver;
use crate::units::show_duration;

pub(crate) fn check_all(resolver: &mut Resolver, sources: &[SourceOptions]) {
    timeouts_hold_each_other(resolver);
    commit_is_inside_transaction(resolver);
    secrets_have_one_place(resolver);
    sasl_is_complete(resolver);
    certificates_have_keys(resolver);
    registry_is_complete(resolver);
    client_settings_are_not_owned(resolver);
    brokers_are_listed(resolver);
    copies_fit(resolver);
    workers_have_partitions(resolver);
    http_is_open_with_tokens_only(resolver);
    hash_key_is_a_key(resolver);
    thresholds_leave_a_gap(resolver);
    outputs_are_not_sources(resolver, sources);
    something_is_read(resolver, sources);
    markers_stay_few(resolver);
}

fn timeouts_hold_each_other(resolver: &mut Resolver) {
    let rule = "transaction.age < transaction.timeout < transaction.session_timeout";
    let (age, timeout, session) = (
        resolver.duration("transaction.age"),
        resolver.duration("transaction.timeout"),
        resolver.duration("transaction.session_timeout"),
    );
    if age >= timeout {
        let problem = format!("{} is not below transaction.timeout ({})", show_duration(age), show_duration(timeout));
        resolver.error("transaction.age", problem, rule);
    }
    if timeout >= session {
        let (timeout, session) = (show_duration(timeout), show_duration(session));
        let problem = format!("{timeout} is not below transaction.session_timeout ({session})");
        resolver.error("transaction.timeout", problem, rule);
    }
}

fn commit_is_inside_transaction(resolver: &mut Resolver) {
    let (interval, age) = (resolver.duration("commit.interval"), resolver.duration("transaction.age"));
    if interval >= age {
        let problem = format!("{} is not below transaction.age ({})", show_duration(interval), show_duration(age));
        resolver.error("commit.interval", problem, "a transaction must be able to end before its age is reached");
    }
}

const SECRETS: &[&str] = &[
    "kafka.tls.key_password",
    "kafka.sasl.password",
    "registry.password",
    "registry.token",
    "identity.hash_key",
    "http.metrics_token",
    "http.read_token",
    "http.operate_token",
];

fn secrets_have_one_place(resolver: &mut Resolver) {
    for key in SECRETS {
        let twin = format!("{key}_file");
        if !resolver.text(key).is_empty() && !resolver.text(&twin).is_empty() {
            resolver.error(key, format!("is set, and so is `{twin}`"), "keep one of the two, better the file");
        }
    }
}

fn sasl_is_complete(resolver: &mut Resolver) {
    if resolver.text("kafka.sasl.mechanism") == "none" {
        if resolver.is_set("kafka.sasl.username") && !resolver.text("kafka.sasl.username").is_empty() {
            let help = "set `kafka.sasl.mechanism` to plain, scram-sha-256 or scram-sha-512";
            resolver.error("kafka.sasl.username", "is set, but no mechanism is", help);
        }
        return;
    }
    if resolver.text("kafka.sasl.username").is_empty() {
        resolver.error("kafka.sasl.mechanism", "needs `kafka.sasl.username`", "");
    }
    if resolver.secret("kafka.sasl.password").is_none() {
        resolver.error("kafka.sasl.mechanism", "needs `kafka.sasl.password` or `kafka.sasl.password_file`", "");
    }
    let far = resolver.setting("kafka.brokers").value.texts().iter().any(|broker| !is_this_machine(broker));
    if resolver.text("kafka.sasl.mechanism") == "plain" && !resolver.flag("kafka.tls.enabled") && far {
        let help = "set `kafka.tls.enabled = true`, or use scram-sha-512";
        resolver.error("kafka.sasl.mechanism", "`plain` would send the password readable to another machine", help);
    }
}

fn certificates_have_keys(resolver: &mut Resolver) {
    for table in ["kafka.tls", "registry"] {
        let (certificate, private) = (format!("{table}.certificate_file"), format!("{table}.key_file"));
        match (resolver.text(&certificate).is_empty(), resolver.text(&private).is_empty()) {
            (false, true) => resolver.error(&certificate, format!("needs `{private}`"), ""),
            (true, false) => resolver.error(&private, format!("needs `{certificate}`"), ""),
            _ => {}
        }
    }
    for key in ["ca_file", "certificate_file", "key_file"] {
        let key = format!("kafka.tls.{key}");
        if !resolver.flag("kafka.tls.enabled") && !resolver.text(&key).is_empty() {
            resolver.error(&key, "is set, but TLS is not", "set `kafka.tls.enabled = true`");
        }
    }
}

fn registry_is_complete(resolver: &mut Resolver) {
    let auth = resolver.text("registry.auth").to_owned();
    if resolver.text("registry.url").is_empty() {
        for key in ["registry.auth", "registry.register"] {
            if resolver.is_set(key) && !matches!(resolver.setting(key).value.to_string().as_str(), "false" | "\"none\"")
            {
                resolver.error(key, "is set, but there is no registry", "set `registry.url`");
            }
        }
        return;
    }
    if auth == "basic"
        && (resolver.text("registry.username").is_empty() || resolver.secret("registry.password").is_none())
    {
        let problem = "`basic` needs `registry.username` and `registry.password` or `registry.password_file`";
        resolver.error("registry.auth", problem, "");
    }
    if auth == "bearer" && resolver.secret("registry.token").is_none() {
        resolver.error("registry.auth", "`bearer` needs `registry.token` or `registry.token_file`", "");
    }
}

/// Settings of librdkafka that are refused, each with what to do instead.
const OWNED: &[(&str, &str)] = &[
    ("enable.auto.commit", "offsets are committed with the outputs, in one transaction"),
    ("enable.auto.offset.store", "offsets are committed with the outputs, in one transaction"),
    ("auto.offset.reset", "state and offsets move together; an operator resets both on purpose"),
    ("isolation.level", "only committed records are read"),
    ("transactional.id", "it is made from `application`, the stage, `instance.ordinal` and the worker"),
    ("enable.idempotence", "transactions need it"),
    ("group.id", "it is made from `application` and the stage"),
    ("group.instance.id", "it is made from `instance.ordinal` and the worker"),
    ("group.protocol", "workers are static members of classic groups"),
    ("partition.assignment.strategy", "workers move partitions cooperatively"),
    ("partitioner", "keys live where Java clients put them (murmur2_random)"),
    ("statistics.interval.ms", "lag and idleness are read from the statistics"),
    ("enable.partition.eof", "the end of a partition is read from the statistics"),
    ("acks", "transactions need all"),
    ("enable.gapless.guarantee", "a lost record ends its transaction"),
    ("transaction.timeout.ms", "set `transaction.timeout`"),
    ("session.timeout.ms", "set `transaction.session_timeout`"),
    ("bootstrap.servers", "set `kafka.brokers`"),
    ("metadata.broker.list", "set `kafka.brokers`"),
    ("client.id", "set `instance.id`"),
    ("security.protocol", "set `kafka.tls.enabled` and `kafka.sasl.mechanism`"),
    ("sasl.mechanism", "set `kafka.sasl.mechanism`"),
    ("sasl.mechanisms", "set `kafka.sasl.mechanism`"),
    ("sasl.username", "set `kafka.sasl.username`"),
    ("sasl.password", "set `kafka.sasl.password_file`"),
    ("ssl.ca.location", "set `kafka.tls.ca_file`"),
    ("ssl.certificate.location", "set `kafka.tls.certificate_file`"),
    ("ssl.key.location", "set `kafka.tls.key_file`"),
    ("ssl.key.password", "set `kafka.tls.key_password_file`"),
    ("ssl.key.pem", "set `kafka.tls.key_file`"),
    ("enable.ssl.certificate.verification", "certificates are always verified; set `kafka.tls.ca_file`"),
    ("ssl.endpoint.identification.algorithm", "host names are always verified"),
    ("plugin.library.paths", "no code is loaded"),
    ("ssl.engine.location", "no code is loaded"),
];

fn client_settings_are_not_owned(resolver: &mut Resolver) {
    let names: Vec<String> = resolver
        .settings
        .keys()
        .filter(|path| path.0.len() == 3 && path.0[0] == "kafka" && path.0[1] == "client")
        .map(|path| path.0[2].clone())
        .collect();
    for name in names {
        let path = KeyPath(vec!["kafka".to_owned(), "client".to_owned(), name.clone()]);
        if let Some((_, hint)) = OWNED.iter().find(|(owned, _)| *owned == name) {
            resolver.error_at(&path, "this setting is not yours to change", *hint);
        } else if ["password", "secret", "token"].iter().any(|word| name.contains(word)) {
            resolver.error_at(&path, "secrets have keys of their own", "see `[kafka.tls]` and `[kafka.sasl]`");
        } else if !name.contains('.') && name != "debug" && name != "retries" {
            let help =
                nearest(&name, OWNED.iter().map(|(owned, _)| *owned)).map(|near| format!("did you mean `{near}`?"));
            let help = help.unwrap_or_else(|| "names have dots, as in `socket.timeout.ms`".to_owned());
            resolver.error_at(&path, "not a setting of librdkafka", help);
        }
    }
}

fn brokers_are_listed(resolver: &mut Resolver) {
    if resolver.setting("kafka.brokers").value.texts().is_empty() {
        resolver.error("kafka.brokers", "at least one broker is needed", "kafka.brokers = [\"host:9092\"]");
    }
}

fn copies_fit(resolver: &mut Resolver) {
    let (copies, in_sync) = (resolver.count("topics.replication"), resolver.count("topics.min_in_sync"));
    if in_sync > copies {
        let problem = format!("{in_sync} copies cannot be in sync where there are {copies}");
        resolver.error("topics.min_in_sync", problem, "topics.min_in_sync <= topics.replication");
    }
    let far = resolver.setting("kafka.brokers").value.texts().iter().any(|broker| !is_this_machine(broker));
    if copies < 3 && far {
        resolver.warn("topics.replication", format!("{copies} is for development; production keeps 3 copies"));
    }
}

fn workers_have_partitions(resolver: &mut Resolver) {
    let (workers, partitions) = (resolver.count("workers.experience"), resolver.count("topics.partitions"));
    if workers > partitions {
        let problem = format!("{workers} workers cannot share {partitions} partitions");
        resolver.error("workers.experience", problem, "workers.experience <= topics.partitions");
    }
}

fn http_is_open_with_tokens_only(resolver: &mut Resolver) {
    let closed = ["http.metrics_token", "http.read_token", "http.operate_token"]
        .iter()
        .any(|key| resolver.secret(key).is_some());
    if resolver.flag("http.enabled") && !is_this_machine(resolver.text("http.listen")) && !closed {
        let problem = format!("{} is open to other machines without a token", resolver.text("http.listen"));
        let help = "set `http.read_token_file`, `http.metrics_token_file` or both; a role without a token stays closed";
        resolver.error("http.listen", problem, help);
    }
}

fn hash_key_is_a_key(resolver: &mut Resolver) {
    match resolver.text("identity.hash_key") {
        "" if resolver.text("identity.hash_key_file").is_empty() => {
            let problem = "no hash key is set: ids are made with the development key, which everybody knows; \
                           set `identity.hash_key_file` before real customers are read, it cannot change later";
            resolver.warn("identity.hash_key_file", problem);
        }
        "" => {}
        key if key.len() == 64 && HashKey::read(key.as_bytes()).is_some() => {}
        key => {
            let problem = format!("a hash key is 64 hex digits, this has {} characters", key.chars().count());
            resolver.error("identity.hash_key", problem, "`openssl rand -hex 32` makes one");
        }
    }
}

fn thresholds_leave_a_gap(resolver: &mut Resolver) {
    for alert in ["alerts.experience_low", "alerts.experience_drop"] {
        let (opens, resolves) = (format!("{alert}.opens_at"), format!("{alert}.resolves_at"));
        let (low, high) = (resolver.number(&opens), resolver.number(&resolves));
        if low >= high {
            let problem = format!("{high} is not above {opens} ({low})");
            resolver.error(&resolves, problem, "a gap between the two keeps an alert from flapping");
        }
    }
}

/// A topic that is written here and read as a source would feed itself for ever.
fn outputs_are_not_sources(resolver: &mut Resolver, sources: &[SourceOptions]) {
    let prefix = resolver.text("prefix").to_owned();
    for source in sources {
        for topic in &source.topics {
            let own = topic.strip_prefix(prefix.as_str()).and_then(Topic::from_name).is_some();
            if own {
                let path = KeyPath(vec!["sources".to_owned(), source.name.clone(), "topics".to_owned()]);
                resolver.error_at(&path, format!("topic `{topic}` is written by this deployment"), "read another one");
            }
        }
    }
}

fn something_is_read(resolver: &mut Resolver, sources: &[SourceOptions]) {
    if sources.iter().all(|source| source.kind == SourceKind::Catalog) {
        let origin = Origin::Derived { from: "the tables [sources.<name>]".to_owned() };
        let error = ConfigError::new("sources", origin, "no source is enabled");
        resolver.errors.push(error.with_help("enable one, or name your topics in one"));
    }
}

/// Every commit writes a marker into each partition it touched; brokers feel them from here on.
const MARKERS_A_SECOND: f64 = 20_000.0;

/// Counts the markers of full load: each stage's workers commit once an interval, normalize touches every inbox partition
/// with each worker, experience touches each of its partitions in every output and in the changelog.
fn markers_stay_few(resolver: &mut Resolver) {
    let partitions = f64::from(resolver.count("topics.partitions"));
    let outputs = ["touchpoints", "scores", "customers", "alerts"];
    let on = outputs.iter().filter(|output| resolver.text(&format!("outputs.{output}")) != "off").count();
    let changelog_and_offsets = 2.0;
    let experience = partitions * (on as f64 + changelog_and_offsets);
    let normalize = f64::from(resolver.count("workers.normalize")) * (partitions + 1.0);
    let rate = (experience + normalize) / resolver.duration("commit.interval").as_secs_f64();
    if rate > MARKERS_A_SECOND {
        let problem = format!(
            "up to {rate:.0} transaction markers a second, above {MARKERS_A_SECOND}; a longer interval, fewer partitions or \
             fewer outputs make fewer"
        );
        resolver.warn("commit.interval", problem);
    }
}

/// Whether an address can only be reached from this machine.
fn is_this_machine(address: &str) -> bool {
    if let Ok(address) = address.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
