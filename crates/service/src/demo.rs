//! A whole deployment inside one process, on librdkafka's mock cluster: for `throughline demo`.

use std::time::Duration;

use throughline_config::Config;
use throughline_config::topics::{plan, source_plan};
use throughline_experience::Rules;
use throughline_kafka::client::ClientOptions;
use throughline_kafka::mock::MockBrokers;
use throughline_kafka::tail::{Sender, Tail, TailRecord};
use throughline_model::{SourceKind, Topic};

use crate::error::ServiceError;
use crate::run::{Instance, Stages};
use crate::wiring;

/// Brokers inside this process, with the topics that a configuration needs.
pub struct Stand {
    brokers: MockBrokers,
}

impl Stand {
    /// Starts the brokers.
    ///
    /// # Errors
    /// If they cannot be started.
    pub fn start(config: &Config) -> Result<Self, ServiceError> {
        let topics: Vec<(String, u32)> =
            plan(config).into_iter().chain(source_plan(config)).map(|topic| (topic.name, topic.partitions)).collect();
        let brokers = MockBrokers::start(&topics).map_err(|error| ServiceError::Unexpected(error.to_string()))?;
        Ok(Self { brokers })
    }

    /// `host:port` to configure.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.brokers.bootstrap()
    }
}

/// A deployment under demonstration.
pub struct Demo {
    instance: Instance,
    sender: Sender,
    tail: Tail,
    sources: Vec<(SourceKind, String)>,
    names: Vec<(Topic, String)>,
}

impl Demo {
    /// Starts the service and what feeds and watches it.
    ///
    /// # Errors
    /// If something does not start.
    pub async fn start(config: &Config, rules: Rules) -> Result<Self, ServiceError> {
        let client: ClientOptions = wiring::client(&config.kafka)?;
        let instance = Instance::start(config, rules, Stages::ALL).await?;
        let names: Vec<(Topic, String)> =
            Topic::ALL.iter().map(|topic| (*topic, wiring::topic(config, *topic))).collect();
        let watched = [Topic::Scores, Topic::Alerts, Topic::DeadLetters].map(|topic| wiring::topic(config, topic));
        Ok(Self {
            instance,
            sender: Sender::new(&client, "demo-sources")
                .map_err(|error| ServiceError::Unexpected(error.to_string()))?,
            tail: Tail::open(&client, "demo-subscriber", &watched)
                .map_err(|error| ServiceError::Unexpected(error.to_string()))?,
            sources: config
                .sources
                .iter()
                .filter_map(|source| Some((source.kind, source.topics.first()?.clone())))
                .collect(),
            names,
        })
    }

    /// Where HTTP is served.
    #[must_use]
    pub const fn address(&self) -> Option<std::net::SocketAddr> {
        self.instance.address
    }

    /// Whether all workers serve.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        use throughline_api::Health;
        self.instance.committed.ready() == throughline_api::Probe::Passed
    }

    /// Sends a record to the topic of its source.
    ///
    /// # Errors
    /// If it is not taken.
    pub fn send(
        &self,
        source: SourceKind,
        key: &str,
        headers: &[(&str, &str)],
        value: &[u8],
    ) -> Result<(), ServiceError> {
        let topic = self.sources.iter().find(|(kind, _)| *kind == source).map_or("", |(_, topic)| topic.as_str());
        self.sender
            .send(topic, Some(key.as_bytes()), headers, Some(value))
            .map_err(|error| ServiceError::Unexpected(error.to_string()))
    }

    /// The next score, alert or dead letter with its logical topic.
    ///
    /// # Errors
    /// As the client says, or if a worker ended.
    pub fn next(&self, timeout: Duration) -> Result<Option<(Topic, TailRecord)>, ServiceError> {
        self.instance.poll_ended()?;
        let record = self.tail.next(timeout).map_err(|error| ServiceError::Unexpected(error.to_string()))?;
        Ok(record.and_then(|record| {
            let topic = self.names.iter().find(|(_, name)| *name == record.topic)?.0;
            Some((topic, record))
        }))
    }

    /// Drains and stops.
    ///
    /// # Errors
    /// If a worker does not end in time.
    pub async fn stop(self) -> Result<(), ServiceError> {
        self.instance.stop().await
    }
}
