//! The program with a local log on a real Kafka: killed and started again, looked into, damaged; and a second process on the
//! same directory.

mod deployment;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use deployment::load::Load;
use deployment::records::{Tail, produce};
use deployment::{Deployment, PARTITIONS};
use serde_json::Value;

/// Runs `throughline state` in the folder of a deployment; it may end as it likes.
fn state(deployment: &Deployment, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_throughline"))
        .args(["--config", "throughline-0.toml", "state"])
        .args(arguments)
        .current_dir(deployment.folder())
        .output()
        .expect("the binary starts")
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn sum(lines: &[Value], field: &str) -> u64 {
    lines.iter().map(|line| line[field].as_u64().expect("a number")).sum()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

/// The largest file of the logs.
fn largest(folder: &Path) -> PathBuf {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                files.push((entry.metadata().expect("a file").len(), entry.path()));
            }
        }
    }
    files.into_iter().max().expect("files").1
}

#[test]
fn a_local_log_survives_a_kill_and_is_looked_into() {
    let web = Deployment::web_source();
    let deployment = Deployment::new("state", std::slice::from_ref(&web), "[state]\ndirectory = \"state\"\n");
    let load = Load::sized(4_000);
    let program = deployment.start_ready(0);
    produce(&web.topic, load.part(0, 2));
    deployment.wait_for_touchpoints(load.touchpoints / 2);

    // Both processes are told the same directory.
    let mut second = deployment.start(1);
    let ended = second.wait_end(Duration::from_secs(30));
    assert_eq!(ended.code(), Some(2), "{}", second.log());
    assert!(second.log().contains("another process uses the state directory state"), "{}", second.log());

    // Everybody sees who is there, and which state format it reads.
    let mut instances = Tail::new(&deployment.topic("throughline.instances"));
    let key = format!("instance/{}-0", deployment.application);
    let myself = instances.read_to_end().into_iter().rfind(|found| found.key() == key).expect("it said so").json();
    assert_eq!(myself["state_format"], 1);
    assert_eq!(myself["stages"], serde_json::json!(["normalize", "experience"]));

    program.kill();
    let program = deployment.start_ready(0);
    program.wait_for_line("the local log", |line| line.contains("loading the local log").then_some(()));
    produce(&web.topic, load.part(1, 2));
    deployment.wait_for_touchpoints(load.touchpoints);
    let customers = program.json("/v1/status")["customers"].as_u64().expect("a number");
    program.drain();

    let verified = state(&deployment, &["verify", "--against-changelog", "--json"]);
    assert_eq!(code(&verified), Some(0), "{verified:?}");
    assert_eq!(lines(&verified).len(), PARTITIONS as usize);
    let inspected = lines(&state(&deployment, &["inspect", "--json"]));
    assert_eq!(sum(&inspected, "customers"), customers);
    let topic = deployment.topic("throughline.experience.changelog");
    let changelog = lines(&state(&deployment, &["inspect", "--topic", &topic, "--json"]));
    assert_eq!((changelog.len(), sum(&changelog, "customers")), (PARTITIONS as usize, customers));
    let only = state(&deployment, &["verify", "--topic", &topic, "--partition", "1"]);
    assert_eq!(code(&only), Some(0), "{only:?}");
    assert_eq!(code(&state(&deployment, &["verify", "--topic", &topic, "--partition", "99"])), Some(2));

    let file = largest(&deployment.folder().join("state"));
    let mut bytes = fs::read(&file).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).expect("written");
    let damaged = state(&deployment, &["verify"]);
    assert_eq!(code(&damaged), Some(6), "{damaged:?}");
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(String::from_utf8_lossy(&damaged.stdout).contains(&name), "{damaged:?}");

    // A damaged log costs time and nothing else.
    let program = deployment.start_ready(0);
    assert_eq!(program.json("/v1/status")["customers"].as_u64(), Some(customers));
    program.drain();
    assert_eq!(code(&state(&deployment, &["verify", "--against-changelog"])), Some(0));
}
