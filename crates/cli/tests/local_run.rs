//! `try` and `test` as a person starts them: exit codes, stdin, what goes where.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const CANCELLED: &str = r#"{"type":"partner.trip.cancelled","source_id":"t1","occurred_at":"2026-01-05T11:59:00Z","identifiers":[{"type":"login","value":"u1","trust":"authenticated"}]}"#;

fn throughline(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
    // Neither the folder nor the environment of whoever runs the tests has a say.
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("THROUGHLINE_")) {
        command.env_remove(name);
    }
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // A program that refuses its flags reads nothing.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn code(arguments: &[&str], input: &str) -> Option<i32> {
    throughline(arguments, input).status.code()
}

#[test]
fn try_ends_well_whatever_the_fates_unless_it_is_strict() {
    let bad = format!("{CANCELLED}\ngarbage\n");
    let source = ["try", "--source", "partner", "-"];
    assert_eq!(code(&source, &bad), Some(0));
    let strict = ["try", "--source", "partner", "--strict", "-"];
    assert_eq!(code(&strict, &bad), Some(6));
    assert_eq!(code(&strict, CANCELLED), Some(0));
    assert_eq!(code(&["try", "no-such-file.json"], ""), Some(1));
    assert_eq!(code(&["try", "--format", "no-such-format", "-"], ""), Some(2));
    assert_eq!(code(&["try", "--source", "moon", "-"], ""), Some(2));
    let tried = throughline(&["try", "no-such-file.json"], "");
    assert!(text(&tried.stderr).contains("no-such-file.json"), "{}", text(&tried.stderr));
}

#[test]
fn try_prints_one_object_a_line() {
    let tried = throughline(&["try", "--source", "partner", "--json", "-"], CANCELLED);
    let topics: Vec<String> = text(&tried.stdout)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("one object a line")["topic"].to_string())
        .collect();
    let topic = |name: &str| topics.contains(&format!("\"experience.{name}\""));
    assert!(["touchpoints", "scores", "customers", "alerts", "alerts.state"].into_iter().all(topic), "{topics:?}");
    assert_eq!(text(&tried.stderr), "");
    let tried = throughline(&["try", "--source", "partner", "--set", "prefix=acme.", "--json", "-"], CANCELLED);
    assert!(text(&tried.stdout).contains("\"topic\":\"acme.experience.alerts\""), "{}", text(&tried.stderr));
}

#[test]
fn test_says_which_cases_fail_and_writes_a_report() {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/test");
    let examples = examples.to_str().expect("a path that is text");
    let report = std::env::temp_dir().join(format!("throughline-junit-{}.xml", std::process::id()));
    let path = report.to_str().expect("a path that is text");
    let tested = throughline(&["test", examples, "--junit", path], "");
    assert_eq!(tested.status.code(), Some(0), "{}{}", text(&tested.stdout), text(&tested.stderr));
    assert!(text(&tested.stdout).contains("pass  late-bus"));
    let xml = std::fs::read_to_string(&report).expect("the report");
    std::fs::remove_file(&report).expect("the report is ours");
    assert!(xml.contains("failures=\"0\""), "{xml}");
    let changed = throughline(&["test", examples, "--set", "alerts.severe_moment.mode=off"], "");
    assert_eq!(changed.status.code(), Some(6), "without the rule there is no alert");
    assert!(text(&changed.stdout).contains("FAIL  late-bus"), "{}", text(&changed.stdout));
    assert_eq!(code(&["test", "no-such-folder"], ""), Some(1));
}
