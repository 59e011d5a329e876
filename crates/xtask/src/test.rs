//! `cargo xtask test`: everything that must hold, cheapest first, one shared broker for the tests that need Kafka.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, anyhow};
use cargo_metadata::{Metadata, MetadataCommand};
use throughline_testkit::broker::{BROKER_VARIABLE, Broker, BrokerOptions};

use crate::steps::{Steps, cargo};
use crate::{generate, tidy};

/// Integration tests that need a broker are files of this name: `crates/*/tests/kafka_*.rs`.
const KAFKA_PREFIX: &str = "kafka_";

/// Runs all checks and tests, or with `quick` those that need no broker.
pub fn run(quick: bool) -> Result<ExitCode> {
    let targets = Targets::read()?;
    let mut steps = Steps::default();
    steps.command("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    steps.check("tidy", || tidy::run(false).map(|code| code == ExitCode::SUCCESS))?;
    steps.check("generated files", || generate::run(true).map(|code| code == ExitCode::SUCCESS))?;
    steps.command(
        "clippy",
        locked(&mut cargo(&["clippy", "--workspace", "--all-targets"])).args(["--", "-D", "warnings"]),
    )?;
    let mut unit = cargo(&["test", "--workspace", "--lib", "--bins"]);
    steps.command("unit and integration tests", targets.select(locked(&mut unit), false))?;
    steps.command("documentation tests", locked(&mut cargo(&["test", "--workspace", "--doc"])))?;
    optional(&mut steps)?;
    instructions(&mut steps)?;
    if !quick && targets.names.iter().any(|name| name.starts_with(KAFKA_PREFIX)) {
        with_broker(&mut steps, &targets)?;
    }
    Ok(steps.close())
}

/// The tests on a real Kafka: the broker of the environment, or one that lives as long as this step.
fn with_broker(steps: &mut Steps, targets: &Targets) -> Result<()> {
    if !steps.is_green() {
        return Ok(());
    }
    let mut tests = cargo(&["test", "--workspace"]);
    targets.select(locked(&mut tests), true);
    // Building first keeps the compiler and the broker from sharing the machine.
    let mut build = cargo(&["test", "--workspace", "--no-run"]);
    steps.command("building the tests on a real Kafka", targets.select(locked(&mut build), true))?;
    if std::env::var_os(BROKER_VARIABLE).is_some() {
        return steps.command("tests on the Kafka of the environment", &mut tests);
    }
    let mut broker = None;
    steps.check("starting a real Kafka", || match Broker::start(&BrokerOptions::default()) {
        Ok(started) => {
            println!("a broker answers at {}", started.bootstrap());
            broker = Some(started);
            Ok(true)
        }
        Err(error) => Err(anyhow!("failed to {error}")),
    })?;
    let Some(mut broker) = broker else { return Ok(()) };
    steps.command("tests on a real Kafka", tests.env(BROKER_VARIABLE, broker.bootstrap()))?;
    broker.stop();
    Ok(())
}

/// Checks by programs that not every machine has. Where one is missing, a line says so.
fn optional(steps: &mut Steps) -> Result<()> {
    if !steps.is_green() {
        return Ok(());
    }
    let root = crate::root();
    if is_there("cargo-deny", "--version") {
        steps.command("licenses and sources", &mut cargo(&["deny", "--workspace", "check"]))?;
    } else {
        println!("cargo-deny is not installed: licenses and sources are not checked");
    }
    let rules = tidy::files_below(&root.join("deploy/prometheus"), &["yml", "yaml"]);
    if rules.is_empty() {
        return Ok(());
    }
    if !is_there("promtool", "--version") {
        println!("promtool is not installed: the Prometheus rules are not tested");
        return Ok(());
    }
    let (tests, rules): (Vec<_>, Vec<_>) = rules
        .into_iter()
        .partition(|path| path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("test")));
    let rules = rules.iter().filter(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains("groups:")));
    steps.command("Prometheus rules", Command::new("promtool").args(["check", "rules"]).args(rules))?;
    if !tests.is_empty() {
        steps.command("tests of Prometheus rules", Command::new("promtool").args(["test", "rules"]).args(tests))?;
    }
    Ok(())
}

/// Version of the program that runs instruction counts; that of the crate `gungraun` in `Cargo.toml`.
const RUNNER: &str = "0.20.0";

/// Instruction counts of the hot functions against their limits, where Valgrind is installed. The program that runs them is
/// installed once, where `cargo install` puts programs.
fn instructions(steps: &mut Steps) -> Result<()> {
    if !steps.is_green() {
        return Ok(());
    }
    if !is_there("valgrind", "--version") {
        println!("valgrind is not installed: instructions of the hot functions are not counted");
        return Ok(());
    }
    let installed = cargo(&["install", "--list"]).output().context("failed to list installed programs")?;
    if !String::from_utf8_lossy(&installed.stdout).contains(&format!("gungraun-runner v{RUNNER}:")) {
        let version = format!("={RUNNER}");
        let install = ["install", "--quiet", "--locked", "--debug", "gungraun-runner", "--version", &version];
        steps.command("installing the counter of instructions", &mut cargo(&install))?;
    }
    let mut count = cargo(&["bench", "--package", "throughline-stages", "--bench", "instructions"]);
    steps.command("instructions of the hot functions", locked(&mut count))
}

fn is_there(program: &str, argument: &str) -> bool {
    Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// In CI the lock file is taken as it is, so that what was tested is what was committed.
fn locked(command: &mut Command) -> &mut Command {
    if std::env::var_os("CI").is_some() {
        command.arg("--locked");
    }
    command
}

/// The names of all integration tests of the workspace.
struct Targets {
    names: Vec<String>,
}

impl Targets {
    fn read() -> Result<Self> {
        let metadata = MetadataCommand::new().current_dir(crate::root()).no_deps().exec();
        Ok(Self { names: test_names(&metadata.context("failed to read the workspace")?) })
    }

    /// Adds `--test NAME` for the tests that need Kafka, or for all others.
    fn select<'a>(&self, command: &'a mut Command, kafka: bool) -> &'a mut Command {
        for name in self.names.iter().filter(|name| name.starts_with(KAFKA_PREFIX) == kafka) {
            command.args(["--test", name]);
        }
        command
    }
}

fn test_names(metadata: &Metadata) -> Vec<String> {
    let targets = metadata.packages.iter().flat_map(|package| &package.targets);
    let mut names: Vec<String> = targets.filter(|target| target.is_test()).map(|target| target.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}
