//! From option structs to what each component takes.

use std::sync::Arc;

use throughline_config::{Config, Encoding as SourceEncoding, KafkaOptions, SourceOptions as Source};
use throughline_experience::Rules;
use throughline_kafka::client::ClientOptions;
use throughline_model::{IdHasher, SourceKind, Topic};
use throughline_normalize::{Encoding, Formats, NormalizeOptions, SourceOptions};
use throughline_pipeline::{ExperienceOptions, OutputSwitches, StaffOutput, TouchpointOutput};

use crate::error::ServiceError;
use crate::schemas::Schemas;
use crate::secrets::{hash_key, secret};

/// Client settings with secrets read.
///
/// # Errors
/// If a secret cannot be read, or the program was built without TLS.
pub fn client(kafka: &KafkaOptions) -> Result<ClientOptions, ServiceError> {
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
    if let Some(zone) = &source.time_zone {
        options.time_zone = Some(jiff::tz::TimeZone::get(zone).map_err(|error| {
            ServiceError::Configuration(format!("sources.{}.time_zone: {error}", source.name))
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
