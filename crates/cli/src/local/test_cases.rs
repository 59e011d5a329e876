//! `throughline test`: folders of given records and expected outputs.
//!
//! A case is a folder with `expected.ndjson`. Its records are in files named `<anything>.<source>.<extension>`, read in the
//! order of their names as `try` reads them. `case.toml` may say more: `description`, `format`, `now`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use throughline_config::vocabulary::{Now, SourceKind};
use throughline_pipeline::local::{LocalOptions, LocalRecord, LocalRun};

use super::matching::{check, parse};
use super::options::select;
use super::print::{Place, fate_json, output_json};
use super::read::read_file;

/// The file that makes a folder a case.
const EXPECTED: &str = "expected.ndjson";
const SETTINGS: &str = "case.toml";

/// The clock of a case that sets none: 2026-01-01T00:00:00Z, until its records move it.
pub const START: Now = Now::from_millis(1_767_225_600_000);

/// How one case came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Tested {
    /// Its folder, below the folder that was named.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// What does not hold; empty if it passed.
    pub failures: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    description: String,
    format: Option<String>,
    now: Option<String>,
}

/// Runs every case below `dir`, in the order of their names.
///
/// # Errors
/// When there is no case, or the folder cannot be read. A case that cannot be read is a failed one.
pub fn test_dir(dir: &Path, options: &LocalOptions) -> Result<Vec<Tested>> {
    let mut folders = Vec::new();
    find_cases(dir, &mut folders).with_context(|| format!("cannot read {}", dir.display()))?;
    if folders.is_empty() {
        bail!("no case below {}: a case is a folder with `{EXPECTED}`", dir.display());
    }
    folders.sort();
    let tested = folders.into_iter().map(|folder| {
        let name = folder.strip_prefix(dir).unwrap_or(&folder).display().to_string();
        let name = if name.is_empty() { dir.display().to_string() } else { name };
        let started = Instant::now();
        let mut tested = Tested { name, description: String::new(), failures: Vec::new(), seconds: 0.0 };
        if let Err(error) = run_case(&folder, options.clone(), &mut tested) {
            tested.failures.push(format!("{error:#}"));
        }
        tested.seconds = started.elapsed().as_secs_f64();
        tested
    });
    Ok(tested.collect())
}

fn find_cases(dir: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if dir.join(EXPECTED).is_file() {
        found.push(dir.to_owned());
    }
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            find_cases(&path, found)?;
        }
    }
    Ok(())
}

fn run_case(folder: &Path, mut options: LocalOptions, tested: &mut Tested) -> Result<()> {
    let settings = settings(folder)?;
    tested.description = settings.description;
    let expected = std::fs::read_to_string(folder.join(EXPECTED)).with_context(|| format!("cannot read {EXPECTED}"))?;
    let expectations = parse(&expected).map_err(|error| anyhow::anyhow!("{EXPECTED}: {error}"))?;
    let mut inputs = Vec::new();
    for (path, kind) in inputs_of(folder)? {
        inputs.push((path, select(&mut options, kind, settings.format.as_deref().unwrap_or("auto"))?));
    }
    options.start = START;
    let mut run = LocalRun::new(options);
    if let Some(now) = settings.now {
        let now: jiff::Timestamp = now.parse().with_context(|| format!("{SETTINGS}: now"))?;
        run.set_now(Now::from_millis(now.as_millisecond()));
    }
    let mut actual: Vec<Value> = Vec::new();
    for (path, source) in inputs {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        read_file(&path, &mut |_| {}, &mut |line, value| {
            let pushed = run.push(source, &LocalRecord::of(value)).expect("no registry, nothing to wait for");
            actual.extend(pushed.fates.iter().map(|fate| fate_json(Place { file: &file, line }, fate)));
            actual.extend(pushed.outputs.iter().map(|output| output_json(output, "")));
            Ok(())
        })?;
    }
    actual.extend(run.finish().iter().map(|output| output_json(output, "")));
    tested.failures = check(&expectations, &actual);
    Ok(())
}

fn settings(folder: &Path) -> Result<Settings> {
    let path = folder.join(SETTINGS);
    if !path.is_file() {
        return Ok(Settings::default());
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {SETTINGS}"))?;
    toml::from_str(&text).with_context(|| SETTINGS.to_owned())
}

/// Files of records with the source that their name says, in the order of their names.
fn inputs_of(folder: &Path) -> Result<Vec<(PathBuf, SourceKind)>> {
    let mut inputs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() || name.starts_with('.') || name.ends_with(".md") || [EXPECTED, SETTINGS].contains(&&*name) {
            continue;
        }
        let source = name.rsplit('.').nth(1).and_then(SourceKind::from_name);
        let source = source.with_context(|| format!("{name}: records are in files named like `input.web.ndjson`"))?;
        inputs.push((path, source));
    }
    inputs.sort();
    if inputs.is_empty() {
        bail!("no records: they are in files named like `input.web.ndjson`");
    }
    Ok(inputs)
}

/// The report that build servers read.
pub fn junit(tested: &[Tested]) -> String {
    let failed = tested.iter().filter(|case| !case.failures.is_empty()).count();
    let seconds: f64 = tested.iter().map(|case| case.seconds).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites>\n  <testsuite name=\"throughline\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\" time=\"{seconds:.3}\">",
        tested.len()
    );
    for case in tested {
        let (name, seconds) = (escaped(&case.name), case.seconds);
        let _ = write!(out, "    <testcase classname=\"throughline.test\" name=\"{name}\" time=\"{seconds:.3}\"");
        if case.failures.is_empty() {
            out.push_str("/>\n");
            continue;
        }
        out.push_str(">\n");
        for failure in &case.failures {
            let first = failure.lines().next().unwrap_or_default();
            let _ = writeln!(out, "      <failure message=\"{}\">{}</failure>", escaped(first), escaped(failure));
        }
        out.push_str("    </testcase>\n");
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

/// Text of XML: marks escaped, characters that XML has no place for replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(character),
            control if control < ' ' || matches!(control, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
