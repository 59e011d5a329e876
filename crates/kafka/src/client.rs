//! Client configurations: the settings that matter, and which of them are ours.

use rdkafka::ClientConfig;

/// How to reach the brokers, and raw librdkafka settings of the operator.
#[derive(Debug, Clone, Default)]
pub struct ClientOptions {
    /// `host:port` list, comma separated.
    pub brokers: String,
    /// Raw librdkafka settings, applied last but one: the ones that this crate owns win.
    pub settings: Vec<(String, String)>,
}

/// Kilobytes fetched ahead by a worker.
const FETCH_QUEUE_KBYTES: u64 = 32_768;
/// Outputs of a worker that may be unacknowledged.
const PRODUCER_QUEUE_RECORDS: u64 = 500_000;

impl ClientOptions {
    /// Bytes that a worker fetches ahead at most.
    #[must_use]
    pub fn fetch_queue_bytes(&self) -> u64 {
        self.number("queued.max.messages.kbytes", FETCH_QUEUE_KBYTES).saturating_mul(1_024)
    }

    /// Outputs of a worker that may be unacknowledged at most.
    #[must_use]
    pub fn producer_queue_records(&self) -> u64 {
        self.number("queue.buffering.max.messages", PRODUCER_QUEUE_RECORDS)
    }

    fn number(&self, key: &str, default: u64) -> u64 {
        let set = self.settings.iter().rev().find(|(name, _)| name == key);
        set.and_then(|(_, value)| value.parse().ok()).unwrap_or(default)
    }

    fn base(&self, client_id: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        self.overlay(&mut config, client_id);
        config
    }

    /// Configuration of an admin client.
    #[must_use]
    pub fn admin(&self, client_id: &str) -> ClientConfig {
        self.base(client_id)
    }

    /// Configuration of a group consumer of a worker.
    #[must_use]
    pub fn consumer(&self, client_id: &str, group: &str, instance: &str, session_timeout_ms: u32) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("queued.max.messages.kbytes", FETCH_QUEUE_KBYTES.to_string())
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.wait.max.ms", "50")
            .set("statistics.interval.ms", "1000")
            .set("heartbeat.interval.ms", (session_timeout_ms / 5).max(200).to_string())
            .set("max.poll.interval.ms", "60000");
        self.overlay(&mut config, client_id);
        config
            .set("session.timeout.ms", session_timeout_ms.to_string())
            .set("group.id", group)
            .set("group.instance.id", instance)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed");
        config
    }

    /// Configuration of the transactional producer of a worker.
    #[must_use]
    pub fn producer(&self, client_id: &str, transactional_id: &str, transaction_timeout_ms: u32) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("compression.codec", "lz4")
            .set("partitioner", "murmur2_random")
            .set("queue.buffering.max.messages", PRODUCER_QUEUE_RECORDS.to_string())
            .set("queue.buffering.max.kbytes", "65536")
            .set("message.max.bytes", "17825792")
            .set("linger.ms", "5")
            .set("batch.num.messages", "20000");
        self.overlay(&mut config, client_id);
        config
            .set("transaction.timeout.ms", transaction_timeout_ms.to_string())
            .set("transactional.id", transactional_id)
            .set("enable.idempotence", "true")
            .set("delivery.report.only.error", "true");
        config
    }

    /// Configuration of a reader without a group: restores, tables, taps.
    #[must_use]
    pub fn reader(&self, client_id: &str, committed_only: bool) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("queued.max.messages.kbytes", "65536").set("fetch.wait.max.ms", "50");
        self.overlay(&mut config, client_id);
        config
            // librdkafka wants a group id even where partitions are assigned by hand; nothing is ever committed to it.
            .set("group.id", format!("{client_id}-reader"))
            // The operator's belongs to the workers: a short one would be refused beside the session timeout that a reader has
            // and never uses.
            .set("max.poll.interval.ms", "300000")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("isolation.level", if committed_only { "read_committed" } else { "read_uncommitted" });
        config
    }

    fn overlay(&self, config: &mut ClientConfig, client_id: &str) {
        // Never from the map of another configuration: it shows passwords as a remark that they are hidden.
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", client_id)
            // Brokers that are back are found again in 2 s; the default of 10 s would be most of a takeover.
            .set("reconnect.backoff.max.ms", "2000");
        for (key, value) in &self.settings {
            config.set(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_poll_interval_of_the_operator_is_for_workers_alone() {
        let settings = vec![("max.poll.interval.ms".to_owned(), "7000".to_owned())];
        let options = ClientOptions { brokers: "localhost:9092".to_owned(), settings };
        let created = |config: ClientConfig| config.create::<rdkafka::consumer::BaseConsumer>().is_ok();
        assert_eq!(options.consumer("a", "g", "i", 6_000).get("max.poll.interval.ms"), Some("7000"));
        assert!(created(options.consumer("a", "g", "i", 6_000)));
        assert!(
            created(options.reader("a", true)),
            "restores must not end where it is shorter than the default session"
        );
    }

    #[test]
    fn every_client_has_the_password_itself() {
        let options = ClientOptions {
            brokers: "localhost:9092".to_owned(),
            settings: vec![("sasl.password".to_owned(), "hunter2".to_owned())],
        };
        let configs = [
            options.admin("a"),
            options.consumer("a", "g", "i", 6_000),
            options.producer("a", "t", 4_000),
            options.reader("a", true),
        ];
        for config in configs {
            assert_eq!(config.get("sasl.password"), Some("hunter2"));
        }
    }
}
