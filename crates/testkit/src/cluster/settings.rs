//! The lines of `server.properties` in which the brokers of a cluster differ from the single one.

use super::{BROKER_SESSION, Ports};

/// Topics that Kafka keeps for itself: as many replicas as there are brokers, of which all but one must be in sync.
const REPLICATED: [&str; 3] = [
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "share.coordinator.state.topic.replication.factor",
];
const IN_SYNC: [&str; 3] =
    ["min.insync.replicas", "transaction.state.log.min.isr", "share.coordinator.state.topic.min.isr"];

/// The lines of broker `number` of those with these ports.
pub(super) fn of_member(number: usize, ports: &[Ports]) -> Vec<(String, String)> {
    let own = &ports[number];
    let listed = |port: fn(&super::Endpoint) -> u16| -> String {
        own.endpoints.iter().enumerate().map(|(at, endpoint)| format!(",{}", listener(at, port(endpoint)))).collect()
    };
    let voters: Vec<String> =
        ports.iter().enumerate().map(|(at, ports)| format!("{}@127.0.0.1:{}", at + 1, ports.controller)).collect();
    let protocols: String = (0..own.endpoints.len()).map(|at| format!(",PROXIED{at}:PLAINTEXT")).collect();
    let direct = format!("PLAINTEXT://127.0.0.1:{}", own.direct);
    let mut lines = vec![
        ("node.id", (number + 1).to_string()),
        ("controller.quorum.voters", voters.join(",")),
        (
            "listeners",
            format!("{direct},CONTROLLER://127.0.0.1:{}{}", own.controller, listed(|endpoint| endpoint.behind)),
        ),
        ("advertised.listeners", format!("{direct}{}", listed(|endpoint| endpoint.advertised))),
        ("listener.security.protocol.map", format!("CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT{protocols}")),
        ("broker.session.timeout.ms", BROKER_SESSION.as_millis().to_string()),
        ("broker.heartbeat.interval.ms", "500".to_owned()),
    ];
    let replicas = ports.len();
    lines.push(("default.replication.factor", replicas.to_string()));
    lines.extend(REPLICATED.map(|key| (key, replicas.to_string())));
    lines.extend(IN_SYNC.map(|key| (key, replicas.saturating_sub(1).max(1).to_string())));
    lines.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn listener(at: usize, port: u16) -> String {
    format!("PROXIED{at}://127.0.0.1:{port}")
}

#[cfg(test)]
mod tests {
    use super::super::Endpoint;
    use super::*;

    fn ports(first: u16) -> Ports {
        let endpoints = vec![Endpoint { behind: first + 2, advertised: first + 3 }];
        Ports { direct: first, controller: first + 1, endpoints }
    }

    fn line<'a>(lines: &'a [(String, String)], key: &str) -> &'a str {
        &lines.iter().find(|(known, _)| known == key).expect("the line is there").1
    }

    #[test]
    fn each_broker_of_three_knows_all_controllers_and_tells_the_port_of_the_proxy() {
        let lines = of_member(1, &[ports(10), ports(20), ports(30)]);
        assert_eq!(line(&lines, "node.id"), "2");
        assert_eq!(line(&lines, "controller.quorum.voters"), "1@127.0.0.1:11,2@127.0.0.1:21,3@127.0.0.1:31");
        assert_eq!(
            line(&lines, "listeners"),
            "PLAINTEXT://127.0.0.1:20,CONTROLLER://127.0.0.1:21,PROXIED0://127.0.0.1:22"
        );
        assert_eq!(line(&lines, "advertised.listeners"), "PLAINTEXT://127.0.0.1:20,PROXIED0://127.0.0.1:23");
        assert_eq!(line(&lines, "transaction.state.log.min.isr"), "2");
        assert_eq!(line(&lines, "offsets.topic.replication.factor"), "3");
    }

    #[test]
    fn one_broker_needs_no_other() {
        let lines = of_member(0, &[ports(10)]);
        assert_eq!(line(&lines, "min.insync.replicas"), "1");
        assert_eq!(line(&lines, "default.replication.factor"), "1");
    }
}
