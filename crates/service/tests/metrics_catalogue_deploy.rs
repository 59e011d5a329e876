//! Dashboards and alert rules under `deploy/` are documented, and the rules pass their own tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

fn text(path: &str) -> String {
    std::fs::read_to_string(deploy().join(path)).unwrap_or_else(|cause| panic!("{path}: {cause}"))
}

#[test]
fn every_panel_says_which_question_it_answers() {
    let dashboard: Value = serde_json::from_str(&text("grafana/dashboards/throughline.json")).expect("valid JSON");
    let page = text("grafana/README.md");
    let panels = dashboard["panels"].as_array().expect("a list");
    let mut ids: Vec<_> = panels.iter().map(|panel| panel["id"].as_i64().expect("a number")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), panels.len(), "panel ids are unique");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().expect("a title");
        let question = panel["description"].as_str().unwrap_or_default();
        assert!(question.contains('?'), "{title}: the description is a question");
        assert!(page.contains(&format!("| {title} | {question} |")), "{title} is not on the page as it is described");
        assert!(!panel["targets"].as_array().expect("a list").is_empty(), "{title} shows nothing");
    }
}

#[test]
fn every_alert_says_what_to_do() {
    let rules = text("prometheus/rules.yml");
    let runbook = text("prometheus/README.md");
    let tests = text("prometheus/rules_test.yml");
    let alerts: Vec<_> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 10);
    for alert in alerts {
        let name = alert.lines().next().expect("a name").trim();
        for part in ["severity: ", "summary: ", "description: "] {
            assert!(alert.contains(part), "{name} has no {part}");
        }
        let anchor = format!("README.md#{}\"", name.to_lowercase());
        assert!(alert.contains("runbook_url: ") && alert.contains(&anchor), "{name} links to its own part of the page");
        let section = runbook.split("\n### ").find(|section| section.starts_with(&format!("{name}\n")));
        let section = section.unwrap_or_else(|| panic!("{name} is not on the page"));
        for part in ["Cause: ", "Check: ", "Fix: "] {
            assert!(section.contains(part), "{name}: the page has no {part}");
        }
        assert!(tests.contains(name), "{name} has no test");
    }
}

/// Passes with a line on stderr where `promtool` is not installed: it comes with Prometheus.
#[test]
#[expect(clippy::print_stderr, reason = "a test that leaves something out says so")]
fn the_rules_pass_their_tests() {
    for arguments in [["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yml"]] {
        let run = Command::new("promtool").args(arguments).current_dir(deploy().join("prometheus")).output();
        match run {
            Err(cause) => return eprintln!("promtool is not installed, its tests are left out: {cause}"),
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}
