//! Schemas: ids for what is written, schemas for what is read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, mpsc};

use throughline_codec::record::Encoding;
use throughline_config::{Config, SubjectNames};
use throughline_model::Topic;
use throughline_normalize::{ContractSchema, Lookup, SchemaSource};
use throughline_pipeline::Encodings;
use throughline_pipeline::records::all_schemas;

use crate::error::ServiceError;
use crate::registry::{Lookup as Found, Registry, WantedSchema, subject};
use crate::wiring::topic;

/// Encodings of outputs and, where a registry is configured, its client.
#[derive(Debug, Clone)]
pub struct Schemas {
    /// Encoding per output.
    pub encodings: Encodings,
    /// The registry.
    pub registry: Option<Arc<Registry>>,
}

impl Schemas {
    /// JSON everywhere, no registry.
    #[must_use]
    pub fn json() -> Self {
        Self { encodings: Encodings::default(), registry: None }
    }

    /// Asks the registry for the ids of everything that is written, and registers what is missing where that is wanted.
    ///
    /// # Errors
    /// If the registry does not answer, or does not have a schema that it must have.
    pub fn prepare(config: &Config) -> Result<Self, ServiceError> {
        let Some(options) = &config.registry else { return Ok(Self::json()) };
        let registry = Registry::new(options).map_err(|error| ServiceError::Configuration(format!("{error:#}")))?;
        let outputs = [Topic::Touchpoints, Topic::Scores, Topic::Customers, Topic::Alerts, Topic::AlertsState];
        let wanted = wanted(config, options.subjects, &outputs);
        let ids = registry.ids(&wanted, options.register).map_err(|error| {
            ServiceError::Mismatch(format!("{error:#}; register the schemas with: throughline schemas apply"))
        })?;
        let [touchpoints, scores, customers, alerts, alerts_state] = ids[..] else {
            return Err(ServiceError::Unexpected("the registry gave another number of ids than asked for".into()));
        };
        let avro = |schema_id| Encoding::Avro { schema_id };
        Ok(Self {
            encodings: Encodings {
                touchpoints: avro(touchpoints),
                scores: avro(scores),
                customers: avro(customers),
                alerts: avro(alerts),
                alerts_state: avro(alerts_state),
            },
            registry: Some(Arc::new(registry)),
        })
    }
}

/// Subjects and schemas of these topics, in their order.
#[must_use]
pub fn wanted(config: &Config, names: SubjectNames, topics: &[Topic]) -> Vec<WantedSchema> {
    let schemas = all_schemas();
    topics
        .iter()
        .filter_map(|wanted| {
            let schema = schemas.iter().find(|schema| schema.topic == wanted.as_str())?;
            let name = topic(config, *wanted);
            Some(WantedSchema { subject: subject(&name, schema, names), text: schema.text.clone() })
        })
        .collect()
}

/// Schemas of source records, from a cache that another thread fills: the record path never waits for HTTP.
#[derive(Clone)]
pub struct CachedSchemas {
    known: Arc<Mutex<BTreeMap<u32, Lookup>>>,
    ask: Option<mpsc::Sender<u32>>,
}

impl std::fmt::Debug for CachedSchemas {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("CachedSchemas").finish_non_exhaustive()
    }
}

impl CachedSchemas {
    /// A cache in front of `registry`; without one every id is unknown.
    #[must_use]
    pub fn new(registry: Option<Arc<Registry>>) -> Self {
        let known = Arc::new(Mutex::new(BTreeMap::new()));
        let ask = registry.map(|registry| {
            let (ask, asked) = mpsc::channel::<u32>();
            let known = Arc::clone(&known);
            std::thread::Builder::new()
                .name("schema-registry".to_owned())
                .spawn(move || {
                    while let Ok(id) = asked.recv() {
                        let found = match registry.lookup(id) {
                            Found::Known(text) => match ContractSchema::parse(&text) {
                                Ok(schema) => Lookup::Known(Arc::new(schema)),
                                Err(error) => {
                                    tracing::warn!(id, %error, "schema is not one of the contract");
                                    Lookup::Unknown
                                }
                            },
                            Found::Unknown(why) => {
                                tracing::warn!(id, %why, "schema is unknown");
                                Lookup::Unknown
                            }
                            Found::Pending => {
                                tracing::warn!(id, "schema registry does not answer, partitions that need it pause");
                                continue;
                            }
                        };
                        known.lock().expect("no panic while holding schemas").insert(id, found);
                    }
                })
                .expect("a thread can be started");
            ask
        });
        Self { known, ask }
    }
}

impl SchemaSource for CachedSchemas {
    fn schema(&self, id: u32) -> Lookup {
        let Some(ask) = &self.ask else { return Lookup::Unknown };
        let known = self.known.lock().expect("no panic while holding schemas").get(&id).cloned();
        known.unwrap_or_else(|| {
            // The partition pauses and asks again: the answer is here by then. The receiver lives as long as this cache.
            let _ = ask.send(id);
            Lookup::Pending
        })
    }
}
