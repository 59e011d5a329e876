//! `check --connect` on a broker of its own that asks who we are and what we may.

use std::process::{Command, Output};

use serde_json::Value;
use throughline_testkit::broker::{Broker, BrokerOptions};

/// A broker with two users: `admin`, who may everything, and `app`, who may nothing.
fn guarded() -> Broker {
    let users = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"admin\" \
                 password=\"admin-secret\" user_admin=\"admin-secret\" user_app=\"app-secret\";";
    let properties = [
        ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_PLAINTEXT"),
        ("sasl.enabled.mechanisms", "PLAIN"),
        ("sasl.mechanism.inter.broker.protocol", "PLAIN"),
        ("listener.name.plaintext.plain.sasl.jaas.config", users),
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        // The controller's listener knows nobody by name.
        ("super.users", "User:admin;User:ANONYMOUS"),
    ];
    let properties = properties.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    Broker::start(&BrokerOptions { properties, ..BrokerOptions::default() }).expect("a broker can be started")
}

fn call(broker: &Broker, user: &str, password: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
    command.args(arguments).current_dir(env!("CARGO_TARGET_TMPDIR")).env_clear();
    let sets = [
        format!("kafka.brokers={}", broker.bootstrap()),
        "kafka.sasl.mechanism=plain".to_owned(),
        format!("kafka.sasl.username={user}"),
        "topics.partitions=1".to_owned(),
    ];
    for set in sets {
        command.args(["--set", &set]);
    }
    // A secret belongs in no list of processes.
    command.env("THROUGHLINE__KAFKA__SASL__PASSWORD", password).output().expect("the binary starts")
}

/// Details of the lines with this check and outcome.
fn details(output: &Output, check: &str, outcome: &str) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|line| line["check"] == check && line["outcome"] == outcome)
        .map(|line| line["detail"].as_str().expect("text").to_owned())
        .collect()
}

#[test]
fn authentication_and_rights_are_told_apart() {
    let broker = guarded();
    let check = ["check", "--connect", "--json"];
    let applied = call(&broker, "admin", "admin-secret", &["topics", "apply", "--sources"]);
    assert!(applied.status.success(), "{applied:?}");

    let allowed = call(&broker, "admin", "admin-secret", &check);
    assert_eq!(allowed.status.code(), Some(0), "{allowed:?}");
    assert_eq!(details(&allowed, "authentication", "passed"), ["PLAIN as admin"]);

    let wrong = call(&broker, "app", "guessed", &check);
    assert_eq!(wrong.status.code(), Some(6), "{wrong:?}");
    assert_eq!(details(&wrong, "brokers", "passed"), ["a broker answers"]);
    assert_eq!(details(&wrong, "authentication", "failed").len(), 1, "{wrong:?}");
    assert!(details(&wrong, "topic", "failed").is_empty(), "nothing else can be said: {wrong:?}");

    let powerless = call(&broker, "app", "app-secret", &check);
    assert_eq!(powerless.status.code(), Some(6), "{powerless:?}");
    assert_eq!(details(&powerless, "authentication", "passed"), ["PLAIN as app"]);
    assert_eq!(details(&powerless, "transactions", "failed").len(), 1, "{powerless:?}");

    let refused = call(&broker, "app", "app-secret", &["run", "--set", "http.listen=127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("may not see them") && said.contains("throughline check --connect"), "{said}");
}
