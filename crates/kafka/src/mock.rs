//! librdkafka's mock cluster, for the demo and for error injection only.
//!
//! It ignores `read_committed`, throws away offsets sent in a transaction, never fences, keeps 5 MiB a partition and has no
//! compaction: nothing about exactly-once, recovery or speed can be shown on it.

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

/// Brokers inside this process.
pub struct MockBrokers {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl MockBrokers {
    /// Starts one broker with these topics: name and partitions.
    ///
    /// # Errors
    /// If the mock cannot be started.
    pub fn start(topics: &[(String, u32)]) -> Result<Self, KafkaError> {
        let cluster = MockCluster::new(1)?;
        for (name, partitions) in topics {
            cluster.create_topic(name, *partitions as i32, 1)?;
        }
        Ok(Self { cluster })
    }

    /// `host:port` of the broker.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}
