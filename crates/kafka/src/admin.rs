//! Topics: what is there, what is missing, what differs.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;

use crate::client::ClientOptions;

/// A topic as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name.
    pub name: String,
    /// Partitions.
    pub partitions: u32,
    /// Replication factor.
    pub replication: u32,
    /// Topic settings.
    pub settings: Vec<(String, String)>,
}

/// How a topic differs from its specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It does not exist.
    Missing(TopicSpec),
    /// Its partition count is fixed for life and is another one.
    Partitions {
        /// Topic.
        topic: String,
        /// As it should be.
        expected: u32,
        /// As it is.
        found: u32,
    },
    /// A setting has another value.
    Setting {
        /// Topic.
        topic: String,
        /// Setting.
        name: String,
        /// As it should be.
        expected: String,
        /// As it is.
        found: String,
    },
}

/// Why a plan could not be made or carried out.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The client failed.
    #[error("kafka client failed: {0}")]
    Client(#[from] KafkaError),
    /// The broker refused.
    #[error("{topic}: {why}")]
    Refused {
        /// Topic.
        topic: String,
        /// The broker's word.
        why: String,
    },
}

/// Looks at topics and creates them.
pub struct Admin {
    client: AdminClient<DefaultClientContext>,
    timeout: Duration,
}

impl Admin {
    /// Connects.
    ///
    /// # Errors
    /// If the configuration is refused.
    pub fn new(options: &ClientOptions, timeout: Duration) -> Result<Self, AdminError> {
        Ok(Self { client: options.admin("throughline-admin").create()?, timeout })
    }

    /// Partition counts of all topics of the cluster.
    ///
    /// # Errors
    /// If no broker answers.
    pub fn partitions(&self) -> Result<BTreeMap<String, u32>, AdminError> {
        let metadata = self.client.inner().fetch_metadata(None, self.timeout)?;
        Ok(metadata
            .topics()
            .iter()
            .map(|topic| (topic.name().to_owned(), topic.partitions().len() as u32))
            .collect())
    }

    /// Every difference between what should be and what is.
    ///
    /// # Errors
    /// If the brokers cannot be asked.
    pub async fn compare(&self, specs: &[TopicSpec]) -> Result<Vec<Difference>, AdminError> {
        let existing = self.partitions()?;
        let mut differences = Vec::new();
        for spec in specs {
            let Some(&found) = existing.get(&spec.name) else {
                differences.push(Difference::Missing(spec.clone()));
                continue;
            };
            if found != spec.partitions {
                differences.push(Difference::Partitions {
                    topic: spec.name.clone(),
                    expected: spec.partitions,
                    found,
                });
            }
            differences.extend(self.settings(spec).await?);
        }
        Ok(differences)
    }

    async fn settings(&self, spec: &TopicSpec) -> Result<Vec<Difference>, AdminError> {
        let options = AdminOptions::new().request_timeout(Some(self.timeout));
        let described = self.client.describe_configs([&ResourceSpecifier::Topic(&spec.name)], &options).await?;
        let mut differences = Vec::new();
        for resource in described {
            let resource = resource
                .map_err(|code| AdminError::Refused { topic: spec.name.clone(), why: code.to_string() })?;
            let found = resource.entry_map();
            for (name, expected) in &spec.settings {
                let value = found.get(name.as_str()).and_then(|entry| entry.value.clone()).unwrap_or_default();
                if &value != expected {
                    differences.push(Difference::Setting {
                        topic: spec.name.clone(),
                        name: name.clone(),
                        expected: expected.clone(),
                        found: value,
                    });
                }
            }
        }
        Ok(differences)
    }

    /// Creates topics.
    ///
    /// # Errors
    /// If the brokers refuse one.
    pub async fn create(&self, specs: &[TopicSpec]) -> Result<(), AdminError> {
        let topics: Vec<NewTopic<'_>> = specs
            .iter()
            .map(|spec| {
                let mut topic = NewTopic::new(
                    &spec.name,
                    spec.partitions as i32,
                    TopicReplication::Fixed(spec.replication as i32),
                );
                for (name, value) in &spec.settings {
                    topic = topic.set(name, value);
                }
                topic
            })
            .collect();
        let options =
            AdminOptions::new().request_timeout(Some(self.timeout)).operation_timeout(Some(self.timeout));
        for result in self.client.create_topics(&topics, &options).await? {
            result.map_err(|(topic, code)| AdminError::Refused { topic, why: code.to_string() })?;
        }
        Ok(())
    }
}
