//! The rules of the house that no compiler holds. Each rule is a pure function over sources or figures, with a test that plants
//! what it forbids.

mod arrows;
mod conduct;
mod config;
mod lengths;
mod metrics;
mod source;
mod words;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use source::Source;

/// One violation of one rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path from the root of the workspace.
    path: String,
    /// Line, counted from 1; 0 when the finding is about the whole file.
    line: usize,
    /// What is wrong and what to do.
    text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.text),
            line => write!(f, "{}:{line}: {}", self.path, self.text),
        }
    }
}

/// Checks the workspace; with `update` the recorded lengths are lowered first.
pub fn run(update: bool) -> Result<ExitCode> {
    let root = crate::root();
    let sources = read_sources(&root)?;
    if update {
        lengths::update(&root, &sources)?;
    }
    let mut findings = arrows::check(&root)?;
    findings.extend(sources.iter().flat_map(words::check));
    findings.extend(sources.iter().flat_map(conduct::check));
    findings.extend(lengths::check(&root, &sources)?);
    findings.extend(metrics::check(&root, &sources)?);
    findings.extend(config::check(&root, &sources)?);
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} files, {} findings", sources.len(), findings.len());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every Rust file that is or would be in the repository.
fn read_sources(root: &Path) -> Result<Vec<Source>> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "--", "*.rs"])
        .current_dir(root)
        .output()
        .context("failed to run git")?;
    ensure!(listed.status.success(), "git ls-files ended with {}", listed.status);
    let mut sources = Vec::new();
    for path in String::from_utf8_lossy(&listed.stdout).lines() {
        // A file that was just deleted is still listed.
        if let Ok(text) = std::fs::read_to_string(root.join(path)) {
            sources.push(Source::new(path, &text));
        }
    }
    Ok(sources)
}

/// The files with one of `extensions` in `folder` and below, sorted; none when there is no such folder.
pub fn files_below(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A path as findings show it.
fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
