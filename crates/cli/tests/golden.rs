//! What the binary prints, word for word: help, usage errors, the commands that need no broker.
//!
//! Each file under `golden/` holds one call with its exit code, stdout and stderr. `UPDATE_EXPECT=1` writes them anew.

use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect_file;

/// A folder of its own for one test, so that no configuration file lies about.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// Runs the binary in a folder without any environment, and writes down what came of it.
fn call(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_throughline"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("the binary starts");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
    (output.status.code().expect("the binary exits"), text(&output.stdout), text(&output.stderr))
}

fn check(name: &str, file: Option<&str>, arguments: &[&str]) {
    let folder = folder(name);
    let config = folder.join("throughline.toml");
    let _ = std::fs::remove_file(&config);
    if let Some(text) = file {
        std::fs::write(&config, text).expect("the folder can be written");
    }
    let (code, stdout, stderr) = call(&folder, arguments);
    let written =
        format!("$ throughline {}\n--- exit {code}\n--- stdout\n{stdout}--- stderr\n{stderr}", arguments.join(" "));
    let written: Vec<String> =
        written.lines().map(|line| without_lines(&without_model(&without_machine(line)))).collect();
    expect_file![format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"))]
        .assert_eq(&(written.join("\n") + "\n"));
}

/// A new key of the reference moves those below it, which is no change of what is printed.
fn without_lines(line: &str) -> String {
    let mut line = line.to_owned();
    for before in ["default.toml:", "\"layer\":\"default\",\"line\":"] {
        if let Some((left, right)) = line.split_once(before) {
            line = format!("{left}{before}N{}", right.trim_start_matches(|digit: char| digit.is_ascii_digit()));
        }
    }
    line
}

/// The hashes of the model are tested where the model is.
fn without_model(line: &str) -> String {
    match line.find("default@") {
        Some(at) => format!("{}FOLD.READ{}", &line[..at + 8], line.get(at + 25..).unwrap_or_default()),
        None => line.to_owned(),
    }
}

/// How many cores and how much memory this machine has is no part of the contract.
fn without_machine(line: &str) -> String {
    match line.split_once(" = ") {
        Some((key @ ("workers.experience" | "workers.normalize" | "limits.memory"), _)) => format!("{key} = N"),
        _ => line.trim_end().to_owned(),
    }
}

#[test]
fn help_of_every_command() {
    check("help", None, &["--help"]);
    for command in [
        "demo",
        "try",
        "test",
        "run",
        "check",
        "config",
        "topics",
        "schemas",
        "inspect",
        "state",
        "status",
        "explain",
        "identity",
        "completions",
        "man",
    ] {
        check(&format!("help_{command}"), None, &[command, "--help"]);
    }
    check("help_inspect_customer", None, &["inspect", "customer", "--help"]);
    check("help_state_inspect", None, &["state", "inspect", "--help"]);
    check("help_state_verify", None, &["state", "verify", "--help"]);
    check("help_identity_hash", None, &["identity", "hash", "--help"]);
    check("version", None, &["--version"]);
}

#[test]
fn wrong_usage_exits_with_2() {
    check("usage_none", None, &[]);
    check("usage_unknown_command", None, &["strat"]);
    check("usage_unknown_source", None, &["try", "--source", "fax", "x.json"]);
    check("usage_unknown_identifier", None, &["identity", "hash", "mail", "x"]);
    check("usage_seconds", None, &["demo", "--seconds", "0"]);
}

#[test]
fn check_says_everything_at_once() {
    check("check_default", None, &["check"]);
    check("check_default_json", None, &["check", "--json"]);
    check("check_strict", None, &["check", "--strict"]);
    let bad = "[kafka]\nbroker = [\"a:9092\"]\n[commit]\ninterval = \"9s\"\n[attribution]\nbrand_share = 0.5\n";
    check("check_bad", Some(bad), &["check", "--set", "log.level=loud"]);
    check("check_bad_json", Some(bad), &["check", "--json"]);
    check("check_bad_files", Some("[model]\nfile = \"model.toml\"\n[routing]\nfile = \"routing.toml\"\n"), &["check"]);
    check("check_no_file", None, &["check", "-c", "missing.toml"]);
    check("check_good", Some("tenant = \"acme\"\n[identity]\nhash_key_file = \"/run/secrets/hash-key\"\n"), &["check"]);
}

#[test]
fn what_this_build_cannot_do_is_a_mistake() {
    if cfg!(feature = "tls") {
        return;
    }
    let tls = "[kafka.tls]\nenabled = true\n";
    check("check_tls", Some(tls), &["check"]);
    check("run_tls", Some(tls), &["run"]);
    let scram = "[kafka.sasl]\nmechanism = \"scram-sha-512\"\nusername = \"u\"\npassword = \"hunter2\"\n";
    check("check_scram_json", Some(scram), &["check", "--json"]);
}

#[test]
fn questions_to_an_instance_say_why_they_have_no_answer() {
    let id = "035911e87a810d8f9571835e716a1330ea";
    // Nothing listens on the discard port of a test machine.
    let url = "http://127.0.0.1:9";
    check("inspect_silent", None, &["inspect", "customer", id, "--url", url]);
    check("inspect_no_type", None, &["inspect", "customer", "ann@example.org", "--url", url]);
    check("status_silent_json", None, &["status", "--url", url, "--json"]);
    check("status_not_served", Some("[http]\nenabled = false\n"), &["status"]);
}

#[test]
fn config_shows_origins_and_hides_secrets() {
    let file =
        "tenant = \"acme\"\n[kafka.sasl]\nmechanism = \"scram-sha-512\"\nusername = \"u\"\npassword = \"hunter2\"\n";
    check("config_show", Some(file), &["config", "show", "--set", "commit.profile=low_latency"]);
    check("config_show_changed_json", Some(file), &["config", "show", "--changed", "--json"]);
}

#[test]
fn the_reference_is_printed_as_it_is() {
    let (code, stdout, _) = call(&folder("reference"), &["config", "default"]);
    assert_eq!((code, stdout.as_str()), (0, throughline_config::DEFAULT_TOML));
    let (code, stdout, _) = call(&folder("reference"), &["config", "schema"]);
    assert_eq!(code, 0);
    assert!(serde_json::from_str::<serde_json::Value>(&stdout).is_ok());
}

#[test]
fn schemas_need_a_registry_that_answers() {
    check("schemas_plan_none", None, &["schemas", "plan"]);
    check("schemas_apply_none", None, &["schemas", "apply"]);
}

#[test]
fn topics_are_planned_offline() {
    check("topics_plan", None, &["topics", "plan", "--set", "prefix=acme."]);
    check("topics_plan_json", None, &["topics", "plan", "--sources", "--json"]);
}

#[test]
fn identifiers_hash_to_the_test_vectors() {
    let acme = Some("tenant = \"acme\"\n");
    check("identity_hash", acme, &["identity", "hash", "email", "ann@example.org"]);
    check("identity_hash_json", acme, &["identity", "hash", "phone", "+491701234567", "--json"]);
    check("identity_hash_normalized", acme, &["identity", "hash", "email", " Ann@Example.org"]);
    check("identity_hash_national", acme, &["identity", "hash", "phone", "0170 1234567", "--calling-code", "49"]);
    check("identity_hash_blocked", acme, &["identity", "hash", "login", "null"]);
}

#[test]
fn codes_are_explained() {
    check("explain", None, &["explain"]);
    check("explain_code", None, &["explain", "tl-r01"]);
    check("explain_name_json", None, &["explain", "experience_low", "--json"]);
    check("explain_two_pages", None, &["explain", "unknown_customer"]);
    check("explain_unknown", None, &["explain", "time_zone"]);
}

#[test]
fn completions_and_the_manual_cover_every_command() {
    let folder = folder("generated");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, stdout, stderr) = call(&folder, &["completions", shell]);
        assert_eq!((code, stderr.as_str()), (0, ""), "{shell}");
        assert!(stdout.contains("topics") && stdout.contains("explain"), "{shell}");
    }
    let (code, stdout, _) = call(&folder, &["man"]);
    assert_eq!(code, 0);
    for section in ["TOPICS PLAN", "IDENTITY HASH", "INSPECT CUSTOMER", "CHECK"] {
        assert!(stdout.contains(&format!(".SH \"{section}\"")), "{section}");
    }
}
