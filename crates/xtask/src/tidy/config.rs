//! `default.toml` is the reference page: every key of it has a comment above it and a version since which it exists, and every
//! key that may be set is on it.
//!
//! What may be set is the table in `keys.rs`: calls `key("kafka.brokers", ...)` or values `Key { path: "kafka.brokers", ... }`, which
//! also hold the version.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use toml_edit::{DocumentMut, Item, Table};

use super::Finding;
use super::source::{Kind, Source};

const DEFAULTS: &str = "crates/config/default.toml";
const KEYS: &str = "crates/config/src/keys.rs";

/// In a path of the table: one name that users choose (`[sources.<name>]`).
const ANY: &str = "*";

/// In a path of the table: whatever follows.
const REST: &str = "**";

/// Checks the reference page and the table of keys, when they are there.
pub fn check(root: &Path, sources: &[Source]) -> Result<Vec<Finding>> {
    let Ok(page) = std::fs::read_to_string(root.join(DEFAULTS)) else {
        println!("tidy: {DEFAULTS} is not there yet: configuration keys are not checked");
        return Ok(Vec::new());
    };
    let table = sources.iter().find(|source| source.path == KEYS).map(read_table).unwrap_or_default();
    if table.is_empty() {
        println!("tidy: {KEYS} has no keys: only the comments of {DEFAULTS} are checked");
    }
    let mut findings = judge_page(&page, &table)?;
    findings.extend(judge_table_keys(&page, &table));
    Ok(findings)
}

/// A key of the table with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Allowed {
    path: Vec<String>,
    line: usize,
}

impl Allowed {
    fn fits(&self, key: &str) -> bool {
        let mut segments = key.split('.');
        for wanted in &self.path {
            match segments.next() {
                Some(_) if wanted == REST => return true,
                Some(found) if wanted == ANY || wanted == found => {}
                // A table whose keys users choose may be shown as one value: `names = {}`.
                None => return wanted == ANY || wanted == REST,
                Some(_) => return false,
            }
        }
        segments.next().is_none()
    }
}

/// The literals behind `key(` and `path:`.
fn read_table(source: &Source) -> Vec<Allowed> {
    let is_path =
        |text: &str| !text.is_empty() && text.chars().all(|letter| is_key(letter) || matches!(letter, '.' | '*'));
    let mut table = Vec::new();
    for window in source.code.windows(3).filter(|window| !source.is_test(window[0].line)) {
        let named = (window[0].is("key") && window[1].is("(")) || (window[0].is("path") && window[1].is(":"));
        let text = window[2].text.trim_matches('"');
        if named && window[2].kind == Kind::Literal && is_path(text) {
            table.push(Allowed { path: text.split('.').map(str::to_owned).collect(), line: window[2].line });
        }
    }
    table
}

fn judge_table_keys(page: &str, table: &[Allowed]) -> Vec<Finding> {
    let written = written_keys(page);
    let missing = table.iter().filter(|allowed| !written.iter().any(|key| allowed.fits(key)));
    missing
        .map(|allowed| {
            Finding::new(KEYS, allowed.line, format!("the key {} is not in {DEFAULTS}", allowed.path.join(".")))
        })
        .collect()
}

fn judge_page(page: &str, table: &[Allowed]) -> Result<Vec<Finding>> {
    let document: DocumentMut = page.parse().with_context(|| format!("failed to read {DEFAULTS}"))?;
    let mut findings = Vec::new();
    judge_table(document.as_table(), "", table, &mut findings);
    Ok(findings)
}

fn judge_table(table: &Table, prefix: &str, allowed: &[Allowed], findings: &mut Vec<Finding>) {
    for (name, item) in table {
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        match item {
            Item::Table(inner) => judge_table(inner, &path, allowed, findings),
            Item::ArrayOfTables(tables) => tables.iter().for_each(|inner| judge_table(inner, &path, allowed, findings)),
            Item::Value(_) => {
                let key = table.key(name).expect("the name came from this table");
                let above = key.leaf_decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
                let versioned = allowed.iter().any(|allowed| allowed.fits(&path));
                if let Some(text) = judge_comment(&path, above, versioned) {
                    findings.push(Finding::new(DEFAULTS, 0, text));
                }
            }
            Item::None => {}
        }
    }
}

/// What is wrong with the comment above a key. Only the lines directly above count: an empty line ends a comment.
fn judge_comment(path: &str, above: &str, versioned: bool) -> Option<String> {
    let lines: Vec<&str> = above.trim_end_matches([' ', '\t']).lines().map(str::trim).collect();
    let own = lines.iter().rev().take_while(|line| line.starts_with('#'));
    let comment: String = own.copied().collect::<Vec<_>>().join(" ").to_lowercase();
    if comment.is_empty() {
        return Some(format!("{path} has no comment above it"));
    }
    (!versioned && !comment.contains("since "))
        .then(|| format!("the comment of {path} does not say since which version it exists"))
}

/// Paths of keys and tables that the page shows, those in comments included (`# ca_file = "..."`): a key without a default is shown so.
fn written_keys(text: &str) -> BTreeSet<String> {
    let mut table = String::new();
    let mut keys = BTreeSet::new();
    for line in text.lines() {
        let line = line.trim_start_matches(['#', ' ', '\t']).trim_end();
        let header = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        if let Some((header, _)) = header {
            let header = header.trim_start_matches('[');
            if header.chars().all(|letter| is_key(letter) || letter == '.') {
                table = header.to_owned();
                keys.insert(table.clone());
            }
        } else if let Some((key, _)) = line.split_once('=') {
            let key = key.trim();
            if !key.is_empty() && key.chars().all(|letter| is_key(letter) || letter == '.') {
                keys.insert(if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") });
            }
        }
    }
    keys
}

fn is_key(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '<' | '>' | '"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(code: &str) -> Vec<Allowed> {
        read_table(&Source::new(KEYS, code))
    }

    fn comments(page: &str, code: &str) -> Vec<String> {
        let findings = judge_page(page, &table(code)).expect("the page parses");
        findings.into_iter().map(|finding| finding.text).collect()
    }

    fn keys(page: &str, code: &str) -> Vec<String> {
        judge_table_keys(page, &table(code)).into_iter().map(|finding| finding.text).collect()
    }

    const NONE: [String; 0] = [];

    #[test]
    fn a_key_without_comment_or_version_is_found() {
        let page = "# Where Kafka is. Since 0.1.\nbrokers = \"a\"\n\n[kafka]\n# What for.\ngroup = 1\nbare = 2\n";
        let group = "the comment of kafka.group does not say since which version it exists";
        assert_eq!(comments(page, ""), [group, "kafka.bare has no comment above it"]);
        assert_eq!(comments(page, "key(\"kafka.group\", NAME)"), ["kafka.bare has no comment above it"]);
    }

    #[test]
    fn a_comment_ends_at_an_empty_line() {
        assert_eq!(comments("# A heading. Since 0.1.\n\nbrokers = 1\n", ""), ["brokers has no comment above it"]);
    }

    #[test]
    fn an_undocumented_key_is_found() {
        let code =
            "const KEYS: [Key; 2] = [key(\"kafka.brokers\", LIST), Key { path: \"sources.*.topics\", kind: LIST }];";
        let page = "[kafka]\nbrokers = 1\n\n[sources.web]\nkind = 1\n";
        assert_eq!(keys(page, code), ["the key sources.*.topics is not in crates/config/default.toml"]);
    }

    #[test]
    fn keys_without_a_default_and_keys_that_users_choose_are_on_the_page() {
        let code = "[key(\"kafka.brokers\", LIST), key(\"kafka.client.**\", RAW), key(\"sources.*.topics\", LIST)]";
        let page =
            "[kafka]\n# brokers = [\"a\"]\n[kafka.client]\n\"linger.ms\" = 5\n\n# [sources.web]\n# topics = [\"a\"]\n";
        assert_eq!(keys(page, code), NONE);
    }
}
