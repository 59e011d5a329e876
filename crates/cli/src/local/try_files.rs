//! `throughline try`: files of records through the stages, and what would be written.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use throughline_config::vocabulary::{Fate, Now, Topic};
use throughline_pipeline::local::{EntryFate, LocalOptions, LocalRecord, LocalRun, Output};

use super::print::{Place, fate_json, fate_line, fate_words, print_output, write_output_json};
use super::read::{NotTaken, read_file};

/// Shorter files are done before a bar is worth looking at.
const LONG_BYTES: u64 = 8 << 20;

/// What to try.
#[derive(Debug, Clone)]
pub struct TryRequest<'a> {
    /// Files; `-` is stdin.
    pub files: &'a [PathBuf],
    /// Index of the source in the options.
    pub source: usize,
    /// Lets time pass until then, after the last record.
    pub until: Option<Now>,
    /// Prefix of the topics.
    pub prefix: &'a str,
    /// One object a line.
    pub json: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records read.
    pub records: u64,
    /// Touchpoints by type, whatever their fate.
    pub types: BTreeMap<&'static str, u64>,
    /// Entries by fate and reason.
    pub fates: BTreeMap<(&'static str, &'static str), u64>,
    /// Alerts opened, by type.
    pub alerts: BTreeMap<String, u64>,
    /// Records by topic.
    pub outputs: BTreeMap<&'static str, u64>,
    /// Customers with state.
    pub customers: u64,
}

impl Summary {
    /// Entries that were rejected.
    pub fn rejected(&self) -> u64 {
        self.fates.iter().filter(|((fate, _), _)| *fate == "rejected").map(|(_, count)| count).sum()
    }

    fn note_fate(&mut self, fate: &EntryFate) {
        *self.fates.entry(fate_words(fate.fate)).or_default() += 1;
        if let Some(kind) = fate.kind {
            *self.types.entry(kind.as_str()).or_default() += 1;
        }
    }

    fn note_output(&mut self, output: &Output) {
        *self.outputs.entry(output.topic.as_str()).or_default() += 1;
        if output.topic == Topic::Alerts && output.header("throughline_transition") == Some("opened") {
            let kind = output.header("throughline_type").unwrap_or_default().to_owned();
            *self.alerts.entry(kind).or_default() += 1;
        }
    }

    /// The summary as one object.
    pub fn to_json(&self) -> Value {
        let fates = self.fates.iter().map(|((fate, reason), count)| {
            let name = if reason.is_empty() { (*fate).to_owned() } else { format!("{fate}.{reason}") };
            (name, json!(count))
        });
        json!({"records": self.records, "types": self.types, "fates": fates.collect::<serde_json::Map<_, _>>(),
            "alerts": self.alerts, "outputs": self.outputs, "customers": self.customers})
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let list = |items: Vec<String>| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
        let fates =
            self.fates.iter().map(|((fate, reason), count)| format!("{count} {fate} {reason}").trim().to_owned());
        let types = self.types.iter().map(|(kind, count)| format!("{count} {kind}"));
        let alerts = self.alerts.iter().map(|(kind, count)| format!("{count} {kind}"));
        writeln!(out, "\nrecords      {}", self.records)?;
        writeln!(out, "fates        {}", list(fates.collect()))?;
        writeln!(out, "touchpoints  {}", list(types.collect()))?;
        writeln!(out, "customers    {}", self.customers)?;
        writeln!(out, "alerts       {}", list(alerts.collect()))
    }
}

/// Runs the files and writes to `out` what would be on the topics, then a summary.
///
/// # Errors
/// When a file cannot be read, or `out` cannot be written.
pub fn try_files(request: &TryRequest<'_>, options: LocalOptions, out: &mut dyn Write) -> Result<Summary> {
    let mut trial = Trial { request, run: LocalRun::new(options), summary: Summary::default(), out };
    for path in request.files {
        let bar = progress_bar(path);
        let name = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
        let read = read_file(path, &mut |bytes| bar.inc(bytes), &mut |line, value| {
            trial.record(Place { file: &name, line }, value).context(NotTaken)
        });
        bar.finish_and_clear();
        read?;
    }
    for output in trial.run.finish() {
        trial.output(&output, None)?;
    }
    if let Some(until) = request.until {
        for output in trial.run.wait(until) {
            trial.output(&output, None)?;
        }
    }
    trial.summary.customers = trial.run.table().len() as u64;
    let Trial { summary, out, .. } = trial;
    if request.json {
        writeln!(
            out,
            "{}",
            json!({"topic": null, "key": null, "headers": {}, "value": null, "summary": summary.to_json()})
        )?;
    } else {
        summary.print(out)?;
    }
    out.flush()?;
    Ok(summary)
}

struct Trial<'a> {
    request: &'a TryRequest<'a>,
    run: LocalRun,
    summary: Summary,
    out: &'a mut dyn Write,
}

impl Trial<'_> {
    fn record(&mut self, place: Place<'_>, value: Vec<u8>) -> io::Result<()> {
        let pushed =
            self.run.push(self.request.source, &LocalRecord::of(value)).expect("no registry, nothing to wait for");
        self.summary.records += 1;
        for fate in &pushed.fates {
            self.summary.note_fate(fate);
            // A rejected entry has its dead letter among the outputs, which says where it stands.
            let is_told = matches!(fate.fate, Fate::Applied | Fate::Rejected(_)) && self.request.json;
            if self.request.json && !is_told {
                writeln!(self.out, "{}", fate_json(place, fate))?;
            } else if !self.request.json
                && let Some(line) = fate_line(place, fate)
            {
                writeln!(self.out, "{line}")?;
            }
        }
        if !self.request.json && pushed.outputs.iter().any(|output| output.topic != Topic::DeadLetters) {
            let kinds: Vec<&str> = pushed.fates.iter().filter_map(|fate| fate.kind).map(|kind| kind.as_str()).collect();
            writeln!(self.out, "{}:{}  {}", place.file, place.line, kinds.join(", "))?;
        }
        for output in &pushed.outputs {
            self.output(output, Some(place))?;
        }
        Ok(())
    }

    fn output(&mut self, output: &Output, place: Option<Place<'_>>) -> io::Result<()> {
        self.summary.note_output(output);
        if self.request.json {
            write_output_json(self.out, output, self.request.prefix, place)
        } else {
            print_output(self.out, output, self.request.prefix)
        }
    }
}

/// A bar on stderr while a long file is read, unless the terminal shows the outputs themselves.
fn progress_bar(path: &Path) -> ProgressBar {
    let length = std::fs::metadata(path).map_or(0, |file| file.len());
    if length < LONG_BYTES || !io::stderr().is_terminal() || io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {bar:30} {percent}% {binary_bytes_per_sec} {eta}");
    ProgressBar::new(length).with_style(style.expect("the template is fixed")).with_message(path.display().to_string())
}
