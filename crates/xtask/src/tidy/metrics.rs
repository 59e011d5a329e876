//! Dashboards, alert rules and code name only metrics of the catalogue, and every metric of it says what it counts.
//!
//! The catalogue is the golden file of a test in `service`. A line is a metric, in either of two forms:
//! `# HELP name text` (the exposition format; other lines that begin with `#` are skipped), or `name type {labels} text`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;

use super::source::{Kind, Source};
use super::{Finding, files_below, shown};

const CATALOGUE: &str = "crates/service/tests/metrics_catalogue.txt";
const PREFIX: &str = "throughline_";
const TYPES: &[&str] = &["counter", "gauge", "histogram", "summary", "untyped"];

/// What a histogram or summary adds to its name.
const SUFFIXES: &[&str] = &["_bucket", "_sum", "_count"];

/// Checks the dashboards, the rules and the code, when there is a catalogue.
pub fn check(root: &Path, sources: &[Source]) -> Result<Vec<Finding>> {
    let Ok(text) = std::fs::read_to_string(root.join(CATALOGUE)) else {
        println!("tidy: {CATALOGUE} is not there yet: metrics are not checked");
        return Ok(Vec::new());
    };
    let catalogue = parse(&text);
    let mut findings = judge_catalogue(&catalogue);
    let dashboards = files_below(&root.join("deploy/grafana"), &["json"]);
    let rules = files_below(&root.join("deploy/prometheus"), &["yml", "yaml"]);
    for path in dashboards.into_iter().chain(rules) {
        findings.extend(judge_file(&shown(root, &path), &std::fs::read_to_string(&path)?, &catalogue));
    }
    findings.extend(sources.iter().flat_map(|source| judge_source(source, &catalogue)));
    Ok(findings)
}

/// Names with their help text.
type Catalogue = BTreeMap<String, String>;

fn parse(text: &str) -> Catalogue {
    let mut catalogue = Catalogue::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
            catalogue.insert(name.to_owned(), help.trim().to_owned());
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            catalogue.entry(kind.split(' ').next().unwrap_or_default().to_owned()).or_default();
        } else if line.starts_with(PREFIX) {
            let end = line.find(|letter: char| !is_name(letter)).unwrap_or(line.len());
            let mut rest = line[end..].trim_matches(|letter: char| letter.is_whitespace() || letter == '|');
            for kind in TYPES {
                rest = rest.strip_prefix(kind).unwrap_or(rest).trim_start_matches([' ', '\t', '|']);
            }
            if rest.starts_with('{') {
                rest = rest.split_once('}').map_or("", |(_, help)| help);
            }
            let help = rest.trim_matches([' ', '\t', '|']).to_owned();
            catalogue.insert(line[..end].to_owned(), help);
        }
    }
    catalogue
}

fn judge_catalogue(catalogue: &Catalogue) -> Vec<Finding> {
    let silent = catalogue.iter().filter(|(_, help)| help.is_empty());
    silent.map(|(name, _)| Finding::new(CATALOGUE, 0, format!("{name} has no help text"))).collect()
}

fn judge_file(path: &str, text: &str, catalogue: &Catalogue) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for name in names(line) {
            if !is_known(name, catalogue) {
                findings.push(Finding::new(path, number, format!("no metric is called {name}")));
            }
        }
    }
    findings
}

/// Literals of the files that make metrics. The catalogue itself comes from what was registered, so this finds a metric that
/// is never registered, or a catalogue that was not written anew.
fn judge_source(source: &Source, catalogue: &Catalogue) -> Vec<Finding> {
    if !source.path.ends_with("/metrics.rs") || source.path.starts_with("crates/xtask/") {
        return Vec::new();
    }
    let literals = source.code.iter().filter(|piece| piece.kind == Kind::Literal && !source.is_test(piece.line));
    let named = literals.map(|piece| (piece.line, piece.text.trim_matches('"')));
    let unknown = named
        .filter(|(_, name)| name.starts_with(PREFIX) && name.chars().all(is_name) && !catalogue.contains_key(*name));
    unknown.map(|(line, name)| Finding::new(&source.path, line, format!("{name} is not in {CATALOGUE}"))).collect()
}

/// The metrics that a line of a dashboard or rule names. Names with a colon are recording rules, defined beside their use.
fn names(line: &str) -> BTreeSet<&str> {
    let words = line.split(|letter: char| !is_name(letter) && letter != ':');
    words.filter(|word| word.starts_with(PREFIX) && !word.contains(':')).collect()
}

fn is_known(name: &str, catalogue: &Catalogue) -> bool {
    let base = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix));
    catalogue.contains_key(name) || base.is_some_and(|base| catalogue.contains_key(base))
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "throughline_a_total counter {stage} Records read.\n\
                         throughline_b_seconds\thistogram\t{}\tTime taken.\n\
                         # HELP throughline_c Lag.\n# TYPE throughline_c gauge\n";

    #[test]
    fn both_forms_of_a_line_are_read() {
        let helps: Vec<_> = parse(KNOWN).into_values().collect();
        assert_eq!(helps, ["Records read.", "Time taken.", "Lag."]);
        assert_eq!(parse("throughline_d | gauge | {x, y} | Text | here\n")["throughline_d"], "Text | here");
    }

    #[test]
    fn a_metric_without_help_is_found() {
        for text in ["throughline_a_total counter {stage}\n", "# TYPE throughline_a_total counter\n"] {
            assert_eq!(judge_catalogue(&parse(text)).len(), 1, "{text}");
        }
        assert!(judge_catalogue(&parse(KNOWN)).is_empty());
    }

    #[test]
    fn a_dashboard_names_only_what_exists() {
        let line = r#""expr": "rate(throughline_b_seconds_bucket[5m]) / throughline_a_total + throughline_gone""#;
        let findings = judge_file("d.json", line, &parse(KNOWN));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].text.contains("throughline_gone"));
        assert!(judge_file("r.yml", "record: throughline_a:rate5m\n", &parse(KNOWN)).is_empty());
    }

    #[test]
    fn an_undocumented_metric_of_the_code_is_found() {
        let source = Source::new("crates/api/src/metrics.rs", "const A: &str = \"throughline_new_total\";\n");
        assert_eq!(judge_source(&source, &parse(KNOWN)).len(), 1);
        let source = Source::new("crates/api/src/metrics.rs", "const A: &str = \"throughline_a_total\";\n");
        assert!(judge_source(&source, &parse(KNOWN)).is_empty());
    }
}
