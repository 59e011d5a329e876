//! `server.properties` and the logging settings of a broker of ours.

use std::path::Path;

use super::BrokerError;

/// Warnings and errors go to the standard output of the broker, which is its log file.
const LOGGING: &str = "\
status = error
appender.stdout.type = Console
appender.stdout.name = STDOUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = STDOUT
";

/// One replica of everything, few partitions of the internal topics, small files: what a single process on a busy machine needs.
/// A timed-out transaction is looked for every second, so that a test of fencing does not wait for the default of ten. Short
/// session timeouts are allowed for the same reason, and the log cleaner does not rest for 15 s between two rounds.
const FIXED: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("controller.listener.names", "CONTROLLER"),
    ("inter.broker.listener.name", "PLAINTEXT"),
    ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"),
    ("auto.create.topics.enable", "false"),
    ("num.partitions", "1"),
    ("offsets.topic.replication.factor", "1"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("transaction.state.log.num.partitions", "4"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("share.coordinator.state.topic.num.partitions", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "500"),
    ("num.network.threads", "2"),
    ("num.io.threads", "4"),
    ("background.threads", "2"),
    ("log.segment.bytes", "67108864"),
    ("log.index.size.max.bytes", "1048576"),
    ("log.cleaner.dedupe.buffer.size", "16777216"),
    ("log.cleaner.backoff.ms", "250"),
    ("offsets.topic.segment.bytes", "8388608"),
    ("transaction.state.log.segment.bytes", "8388608"),
    ("metadata.log.segment.bytes", "8388608"),
];

/// Writes both files into `folder`. `properties` come last, so that they win over ours.
pub(crate) fn write(
    folder: &Path,
    client_port: u16,
    controller_port: u16,
    properties: &[(String, String)],
) -> Result<(), BrokerError> {
    let text = server_properties(folder, client_port, controller_port, properties);
    let server = folder.join("server.properties");
    std::fs::write(&server, text).map_err(BrokerError::files("write", &server))?;
    let logging = folder.join("log4j2.properties");
    std::fs::write(&logging, LOGGING).map_err(BrokerError::files("write", &logging))
}

fn server_properties(folder: &Path, client_port: u16, controller_port: u16, properties: &[(String, String)]) -> String {
    let own = [
        (
            "listeners".to_owned(),
            format!("PLAINTEXT://127.0.0.1:{client_port},CONTROLLER://127.0.0.1:{controller_port}"),
        ),
        ("advertised.listeners".to_owned(), format!("PLAINTEXT://127.0.0.1:{client_port}")),
        ("controller.quorum.voters".to_owned(), format!("1@127.0.0.1:{controller_port}")),
        ("log.dirs".to_owned(), folder.join("partitions").display().to_string()),
    ];
    let fixed = FIXED.iter().map(|&(key, value)| (key.to_owned(), value.to_owned()));
    let mut lines: Vec<(String, String)> = Vec::new();
    for (key, value) in own.into_iter().chain(fixed).chain(properties.iter().cloned()) {
        match lines.iter_mut().find(|(known, _)| *known == key) {
            Some(line) => line.1 = value,
            None => lines.push((key, value)),
        }
    }
    lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_of_the_caller_replaces_ours_and_stands_once() {
        let properties = [("num.partitions".to_owned(), "7".to_owned()), ("added".to_owned(), "x".to_owned())];
        let text = server_properties(Path::new("/f"), 1, 2, &properties);
        assert_eq!(text.matches("\nnum.partitions=").count(), 1);
        assert!(text.contains("\nnum.partitions=7\n") && text.contains("added=x\n"), "{text}");
        assert!(text.contains("listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2\n"), "{text}");
    }
}
