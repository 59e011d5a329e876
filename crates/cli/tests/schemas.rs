//! `schemas` against a registry.

use std::process::{Command, Output};

use throughline_testkit::registry::Registry;

fn call(registry: &Registry, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_throughline"))
        .args(arguments)
        .args(["--set", &format!("registry.url={}", registry.url()), "--set", "prefix=acme."])
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env_clear()
        .output()
        .expect("the binary starts")
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn what_is_missing_is_planned_then_registered_then_complete() {
    let registry = Registry::start();
    let planned = call(&registry, &["schemas", "plan"]);
    assert_eq!(planned.status.code(), Some(0), "{planned:?}");
    let planned = lines(&planned);
    assert!(planned.iter().any(|line| line.starts_with("acme.experience.scores-value") && line.contains("missing")));
    assert!(!planned.iter().any(|line| line.contains("touchpoints.web")), "sources are others' unless asked for");

    assert_eq!(call(&registry, &["schemas", "check"]).status.code(), Some(6));
    let applied = call(&registry, &["schemas", "apply", "--json"]);
    assert_eq!(applied.status.code(), Some(0), "{applied:?}");
    assert_eq!(lines(&applied).len(), planned.len());
    assert_eq!(call(&registry, &["schemas", "check"]).status.code(), Some(0));
    let again = call(&registry, &["schemas", "apply", "--json"]);
    assert_eq!(lines(&again), lines(&applied), "registering twice changes nothing");
}

#[test]
fn sources_are_included_when_asked_for() {
    let registry = Registry::start();
    let planned = call(&registry, &["schemas", "plan", "--sources", "--json"]);
    let subjects: Vec<String> = lines(&planned);
    for topic in ["touchpoints.web", "touchpoints.call-centre", "channel.catalog"] {
        let subject = format!("\"subject\":\"{topic}-value\"");
        assert!(subjects.iter().any(|line| line.contains(&subject)), "{subject}");
    }
}
