//! `cargo xtask guards`: takes away one guard at a time, and expects its tests to fail.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use toml_edit::{DocumentMut, Table};

use crate::steps::cargo;

const LIST: &str = include_str!("../guards.toml");

/// Which guards to take away.
#[derive(Debug, clap::Args)]
pub struct Guards {
    /// Only those of this scenario
    #[arg(long)]
    scenario: Option<i64>,
    /// Only those whose description has this in it
    #[arg(long)]
    only: Option<String>,
}

/// A guard, and the tests that miss it.
#[derive(Debug)]
struct Guard {
    scenario: i64,
    what: String,
    file: PathBuf,
    find: String,
    replace: String,
    tests: Vec<String>,
    /// Runs within which it must be missed; more than one where a fault only sometimes meets it.
    tries: i64,
}

impl Guard {
    fn read(table: &Table) -> Result<Self> {
        let text = |key: &str| {
            let value = table.get(key).and_then(|item| item.as_str());
            value.map(str::to_owned).with_context(|| format!("`{key}` of a guard is no text: {table}"))
        };
        let number = |key: &str| table.get(key).and_then(|item| item.as_integer());
        Ok(Self {
            scenario: number("scenario").with_context(|| format!("a guard without a scenario: {table}"))?,
            what: text("what")?,
            file: text("file")?.into(),
            find: text("find")?,
            replace: text("replace")?,
            tests: text("tests")?.split_whitespace().map(str::to_owned).collect(),
            tries: number("tries").unwrap_or(1),
        })
    }

    /// The file without the guard.
    fn without(&self) -> Result<(String, String)> {
        let path = crate::root().join(&self.file);
        let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let times = text.matches(&self.find).count();
        ensure!(times == 1, "{}: found {times} times, not once: {}", self.file.display(), self.find);
        Ok((text.replacen(&self.find, &self.replace, 1), text))
    }
}

fn guards() -> Result<Vec<Guard>> {
    let list: DocumentMut = LIST.parse().context("guards.toml is no TOML")?;
    let tables = list.get("guard").and_then(|item| item.as_array_of_tables()).context("guards.toml has no guards")?;
    tables.iter().map(Guard::read).collect()
}

/// A file that is put back as it was.
struct Changed {
    path: PathBuf,
    original: String,
}

impl Drop for Changed {
    fn drop(&mut self) {
        if let Err(error) = std::fs::write(&self.path, &self.original) {
            eprintln!("{} could not be put back ({error}): git checkout {0}", self.path.display());
        }
    }
}

/// Takes the guards away, one after the other.
pub fn run(wanted: &Guards) -> Result<ExitCode> {
    let status = Command::new("git").args(["status", "--porcelain", "crates"]).current_dir(crate::root()).output()?;
    ensure!(status.stdout.is_empty(), "crates/ has changes: commit or stash them, files are changed and put back here");
    let mut missed = Vec::new();
    for guard in guards()? {
        let is_wanted = wanted.scenario.is_none_or(|scenario| scenario == guard.scenario)
            && wanted.only.as_ref().is_none_or(|part| guard.what.contains(part.as_str()));
        if is_wanted && !is_missed(&guard)? {
            missed.push(guard);
        }
    }
    for guard in &missed {
        println!("nothing fails without it: {}: {}", guard.scenario, guard.what);
    }
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the tests of a guard fail without it.
fn is_missed(guard: &Guard) -> Result<bool> {
    let (changed, original) = guard.without()?;
    let path = crate::root().join(&guard.file);
    let began = Instant::now();
    let restored = Changed { path: path.clone(), original };
    std::fs::write(&path, changed).with_context(|| format!("{} cannot be written", path.display()))?;
    let tests: Vec<&str> = guard.tests.iter().map(String::as_str).collect();
    let built = cargo(&["test", "-q", "--no-run"]).args(&tests).stdout(Stdio::null()).status()?;
    ensure!(built.success(), "does not compile without the guard: {}: {}", guard.scenario, guard.what);
    let mut is_missed = false;
    for _ in 0..guard.tries {
        let output = cargo(&["test", "-q"]).args(&tests).env("RUST_BACKTRACE", "0").output()?;
        // A broker that did not start would also end in a failure, but no test would have said so.
        is_missed = !output.status.success() && String::from_utf8_lossy(&output.stdout).contains("test result: FAILED");
        if is_missed {
            break;
        }
    }
    drop(restored);
    let verdict = if is_missed { "missed" } else { "NOT MISSED" };
    println!("{:>3} {verdict:<10} {:>4} s  {}", guard.scenario, began.elapsed().as_secs(), guard.what);
    Ok(is_missed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guard_is_where_the_list_says() {
        let guards = guards().expect("the list is well formed");
        assert!(!guards.is_empty());
        for guard in guards {
            let (changed, original) = guard.without().expect("it is there once");
            assert_ne!(changed, original, "{}", guard.what);
        }
    }
}
