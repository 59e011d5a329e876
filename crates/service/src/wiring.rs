//! From option structs to what each component takes.

use std::sync::Arc;

use throughline_config::routing::Routing;
use throughline_config::{Config, Encoding as SourceEncoding, KafkaOptions, SourceOptions as Source};
use throughline_experience::Rules;
use throughline_kafka::client::ClientOptions;
use throughline_kafka::local_log::{Keeper, KeeperOptions};
use throughline_model::{IdHasher, SourceKind, Topic};
use throughline_normalize::{Encoding, Formats, NormalizeOptions, SourceOptions};
use throughline_pipeline::{
    ExperienceOptions, FormatGate, HealthLimits, OutputSwitches, StaffOutput, Targets, TouchpointOutput,
};

use crate::error::ServiceError;
use crate::schemas::Schemas;
use crate::secrets::{hash_key, secret};

/// Whether this program was built with OpenSSL under its Kafka client. The schema registry's client does not need it.
pub const HAS_TLS: bool = cfg!(feature = "tls");

/// What to do about [`unsupported`].
pub const TLS_HELP: &str = "build with `cargo build --release --features tls`, or use the image of deploy/Dockerfile";

/// The key of the configuration that this build cannot serve, and why; none if it can serve all of it. TLS and the
/// challenges of SCRAM both come from OpenSSL, which is built only where it is asked for: it takes minutes.
#[must_use]
pub fn unsupported(kafka: &KafkaOptions, has_tls: bool) -> Option<(&'static str, String)> {
    if has_tls {
        return None;
    }
    if kafka.tls.is_some() {
        return Some(("kafka.tls.enabled", "this program was built without TLS to brokers".to_owned()));
    }
    let sasl = kafka.sasl.as_ref().filter(|sasl| sasl.mechanism.starts_with("SCRAM"))?;
    Some(("kafka.sasl.mechanism", format!("this program was built without {}, which needs OpenSSL", sasl.mechanism)))
}

/// Client settings with secrets read.
///
/// # Errors
/// If a secret cannot be read, or the program was built without what the settings need.
pub fn client(kafka: &KafkaOptions) -> Result<ClientOptions, ServiceError> {
    if let Some((key, problem)) = unsupported(kafka, HAS_TLS) {
        return Err(ServiceError::Configuration(format!("{key}: {problem}; {TLS_HELP}")));
    }
    let mut settings: Vec<(String, String)> =
        kafka.client.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let mut set = |key: &str, value: String| settings.push((key.to_owned(), value));
    if let Some(tls) = &kafka.tls {
        if let Some(ca) = &tls.ca_file {
            set("ssl.ca.location", ca.display().to_string());
        }
        if let Some((certificate, key)) = &tls.client {
            set("ssl.certificate.location", certificate.display().to_string());
            set("ssl.key.location", key.display().to_string());
        }
        if let Some(password) = &kafka.tls_key_password {
            set("ssl.key.password", secret(password)?);
        }
    }
    if let Some(sasl) = &kafka.sasl {
        set("sasl.mechanism", sasl.mechanism.to_owned());
        set("sasl.username", sasl.username.clone());
        set("sasl.password", secret(&sasl.password)?);
    }
    let protocol = match (kafka.tls.is_some(), kafka.sasl.is_some()) {
        (false, false) => None,
        (true, false) => Some("ssl"),
        (false, true) => Some("sasl_plaintext"),
        (true, true) => Some("sasl_ssl"),
    };
    if let Some(protocol) = protocol {
        set("security.protocol", protocol.to_owned());
    }
    Ok(ClientOptions { brokers: kafka.brokers.join(","), settings })
}

/// Makes the ids of the deployment.
///
/// # Errors
/// If the hash key cannot be read.
pub fn ids(config: &Config) -> Result<IdHasher, ServiceError> {
    Ok(IdHasher::new(hash_key(&config.identity.hash_key)?, &config.tenant))
}

/// The local logs, if the configuration wants them. Their directory is locked from now on.
///
/// # Errors
/// If another process uses the directory, or it cannot be written.
pub fn keeper(config: &Config) -> Result<Option<Arc<Keeper>>, ServiceError> {
    let Some(directory) = &config.state.directory else { return Ok(None) };
    let mut options = KeeperOptions::new(directory.clone());
    options.limits.age_max = i64::try_from(config.state.snapshot_after.as_millis()).unwrap_or(i64::MAX);
    Keeper::start(options).map(Some).map_err(|error| ServiceError::Configuration(error.to_string()))
}

/// What the normalizer takes.
#[must_use]
pub fn normalize_options(config: &Config) -> NormalizeOptions {
    NormalizeOptions {
        earliest: config.event_time.earliest,
        future_max: i64::try_from(config.event_time.ahead.as_millis()).unwrap_or(i64::MAX),
        received_at_event_time: false,
        brand_names: config.brands.clone(),
    }
}

/// When a source partition pauses because too much of it is rejected.
#[must_use]
pub const fn health_limits(config: &Config) -> HealthLimits {
    HealthLimits { window_records: config.limits.rejected_window, rejected_share: config.limits.rejected_share }
}

/// Whom roles are, from the routing file that the configuration names.
///
/// # Errors
/// If the file cannot be read, or is not valid.
pub fn targets(config: &Config) -> Result<Targets, ServiceError> {
    let Some(file) = &config.routing_file else { return Ok(Targets::default()) };
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| ServiceError::Configuration(format!("routing.file: cannot read {name}: {error}")))?;
    let routing = Routing::parse(&name, &text).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        ServiceError::Configuration(errors.join("\n"))
    })?;
    Ok(Targets::new(Arc::new(move |role, entity| routing.target(role, entity).map(str::to_owned))))
}

/// One source as the normalizer takes it.
///
/// # Errors
/// If a format or a zone is not known.
pub fn source(source: &Source) -> Result<SourceOptions, ServiceError> {
    let mut options = SourceOptions::new(&source.name, source.kind);
    if !source.formats.is_empty() {
        let mut formats = Vec::with_capacity(source.formats.len());
        for name in &source.formats {
            formats.push(throughline_normalize::formats::by_name(name).ok_or_else(|| {
                ServiceError::Configuration(format!("sources.{}.formats: unknown format {name:?}", source.name))
            })?);
        }
        options.formats = Formats::Only(formats);
    }
    options.system.clone_from(&source.system);
    options.visits.clone_from(&source.visits);
    options.producer.clone_from(&source.producer);
    options.names = source.names.iter().map(|(name, kind)| (name.clone(), *kind)).collect();
    options.trust = source.trust.iter().map(|(field, trust)| (field.clone(), *trust)).collect();
    options.encoding = match source.encoding {
        SourceEncoding::Auto => Encoding::Auto,
        SourceEncoding::Json => Encoding::Json,
        SourceEncoding::Avro => Encoding::Avro,
    };
    options.calling_code.clone_from(&source.calling_code);
    options.lateness = source.lateness;
    options.idle_after = source.idle_after;
    if let Some(zone) = &source.time_zone {
        options.time_zone = Some(throughline_normalize::catalog::zone_named(zone).ok_or_else(|| {
            ServiceError::Configuration(format!("sources.{}.time_zone: unknown time zone {zone:?}", source.name))
        })?);
    }
    Ok(options)
}

/// Every topic that normalize reads with its source, in the order of the worker's input topics.
///
/// # Errors
/// As [`source`].
pub fn sources(config: &Config) -> Result<Vec<(String, Arc<SourceOptions>)>, ServiceError> {
    let mut sources = Vec::new();
    for feed in config.sources.iter().filter(|feed| feed.kind != SourceKind::Catalog) {
        let options = Arc::new(source(feed)?);
        sources.extend(feed.topics.iter().map(|topic| (topic.clone(), Arc::clone(&options))));
    }
    Ok(sources)
}

/// What the experience stage takes.
#[must_use]
pub fn experience_options(config: &Config, rules: &Arc<Rules>, ids: &IdHasher, schemas: &Schemas) -> ExperienceOptions {
    use throughline_config::{StaffOutput as Staff, TouchpointOutput as Touchpoints};
    ExperienceOptions {
        rules: Arc::clone(rules),
        ids: ids.clone(),
        switches: OutputSwitches {
            touchpoints: match config.outputs.touchpoints {
                Touchpoints::On => TouchpointOutput::On,
                Touchpoints::Off => TouchpointOutput::Off,
                Touchpoints::Valenced => TouchpointOutput::Valenced,
            },
            scores: config.outputs.scores,
            customers: config.outputs.customers,
            alerts: config.outputs.alerts,
            suppressed_alerts: config.alerts.publish_suppressed,
            alert_context: config.alerts.context,
            staff: match config.outputs.staff {
                Staff::Off => StaffOutput::Off,
                Staff::Hashed => StaffOutput::Hashed,
                Staff::Plain => StaffOutput::Plain,
            },
        },
        encodings: schemas.encodings,
        partitions: config.topics.partitions.get(),
        inputs: vec![topic(config, Topic::ExperienceInbox)],
        mixed: false,
        targets: Targets::default(),
        gate: FormatGate::default(),
    }
}

/// Name of a topic of this deployment.
#[must_use]
pub fn topic(config: &Config, topic: Topic) -> String {
    throughline_config::topics::topic_name(&config.topics.prefix, topic)
}

/// Names of all topics in the order of their codes.
#[must_use]
pub fn topic_names(config: &Config) -> Vec<String> {
    Topic::ALL.iter().map(|name| topic(config, *name)).collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use throughline_config::{RawConfig, Surroundings};

    use super::*;

    fn config(text: &str) -> Config {
        let raw = RawConfig { file: Some(("throughline.toml".to_owned(), text.to_owned())), ..RawConfig::default() };
        raw.resolve(&Surroundings::new(NonZeroU32::MIN)).expect("the text is valid")
    }

    #[test]
    fn what_openssl_is_needed_for_is_refused_without_it() {
        let refused = |text: &str, has_tls| unsupported(&config(text).kafka, has_tls).map(|(key, _)| key);
        let tls = "[kafka.tls]\nenabled = true\n";
        let scram = "[kafka.sasl]\nmechanism = \"scram-sha-256\"\nusername = \"u\"\npassword = \"p\"\n";
        let plain = "[kafka.sasl]\nmechanism = \"plain\"\nusername = \"u\"\npassword = \"p\"\n";
        assert_eq!(refused(tls, false), Some("kafka.tls.enabled"));
        assert_eq!(refused(scram, false), Some("kafka.sasl.mechanism"));
        assert_eq!(refused(plain, false), None);
        assert_eq!((refused(tls, true), refused(scram, true)), (None, None));
    }
}
