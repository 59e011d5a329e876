//! Topics: what is there, what is missing, what differs.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication,
};
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

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFound {
    /// Name.
    pub name: String,
    /// Partitions.
    pub partitions: u32,
    /// Replicas of the first partition.
    pub replication: u32,
    /// Every setting that holds.
    pub settings: BTreeMap<String, String>,
    /// Settings that were set for this topic.
    pub own: BTreeMap<String, String>,
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
        Ok(metadata.topics().iter().map(|topic| (topic.name().to_owned(), topic.partitions().len() as u32)).collect())
    }

    /// Those of `names` that exist, with their settings.
    ///
    /// # Errors
    /// If the brokers cannot be asked.
    pub async fn find(&self, names: &[&str]) -> Result<Vec<TopicFound>, AdminError> {
        let metadata = self.client.inner().fetch_metadata(None, self.timeout)?;
        let mut found = Vec::new();
        for topic in metadata.topics().iter().filter(|topic| names.contains(&topic.name())) {
            found.push(TopicFound {
                name: topic.name().to_owned(),
                partitions: topic.partitions().len() as u32,
                replication: topic.partitions().first().map_or(0, |first| first.replicas().len() as u32),
                settings: BTreeMap::new(),
                own: BTreeMap::new(),
            });
        }
        for topic in &mut found {
            self.settings(topic).await?;
        }
        Ok(found)
    }

    async fn settings(&self, topic: &mut TopicFound) -> Result<(), AdminError> {
        let options = AdminOptions::new().request_timeout(Some(self.timeout));
        let resources = [ResourceSpecifier::Topic(&topic.name)];
        let described = self.client.describe_configs(&resources, &options).await?;
        for resource in described {
            let resource =
                resource.map_err(|code| AdminError::Refused { topic: topic.name.clone(), why: code.to_string() })?;
            for entry in resource.entries {
                let Some(value) = entry.value else { continue };
                if entry.source == ConfigSource::DynamicTopic {
                    topic.own.insert(entry.name.clone(), value.clone());
                }
                topic.settings.insert(entry.name, value);
            }
        }
        Ok(())
    }

    /// Changes settings of a topic; what was set for it before and is not named stays.
    ///
    /// # Errors
    /// If the brokers refuse.
    pub async fn alter(&self, topic: &TopicFound, settings: &[(&str, String)]) -> Result<(), AdminError> {
        let mut all = topic.own.clone();
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut change = AlterConfig::new(ResourceSpecifier::Topic(&topic.name));
        for (name, value) in &all {
            change = change.set(name, value);
        }
        let options = AdminOptions::new().request_timeout(Some(self.timeout));
        for result in self.client.alter_configs(&[change], &options).await? {
            result.map_err(|(_, code)| AdminError::Refused { topic: topic.name.clone(), why: code.to_string() })?;
        }
        Ok(())
    }

    /// Id of the cluster.
    #[must_use]
    pub fn cluster_id(&self) -> Option<String> {
        self.client.inner().fetch_cluster_id(self.timeout)
    }

    /// Creates topics.
    ///
    /// # Errors
    /// If the brokers refuse one.
    pub async fn create(&self, specs: &[TopicSpec]) -> Result<(), AdminError> {
        let topics: Vec<NewTopic<'_>> = specs
            .iter()
            .map(|spec| {
                let mut topic =
                    NewTopic::new(&spec.name, spec.partitions as i32, TopicReplication::Fixed(spec.replication as i32));
                for (name, value) in &spec.settings {
                    topic = topic.set(name, value);
                }
                topic
            })
            .collect();
        let options = AdminOptions::new().request_timeout(Some(self.timeout)).operation_timeout(Some(self.timeout));
        for result in self.client.create_topics(&topics, &options).await? {
            result.map_err(|(topic, code)| AdminError::Refused { topic, why: code.to_string() })?;
        }
        Ok(())
    }
}
