//! `default.toml` is the reference page: every key of it has a comment with a since-version, and every key that the raw
//! structs read is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use toml_edit::{DocumentMut, Item, Table};

use super::Finding;
use super::source::{Kind, Piece, Source};

const DEFAULTS: &str = "crates/config/default.toml";
const SOURCES: &str = "crates/config/src/";
const ROOT: &str = "RawConfig";

/// Stands for any name in a table whose keys users choose (`[sources.<name>]`).
const ANY: &str = "*";

/// Checks the reference page and the raw structs, when they are there.
pub fn check(root: &Path, sources: &[Source]) -> Result<Vec<Finding>> {
    let Ok(text) = std::fs::read_to_string(root.join(DEFAULTS)) else {
        println!("tidy: {DEFAULTS} is not there yet: configuration keys are not checked");
        return Ok(Vec::new());
    };
    let mut findings = judge_comments(&text)?;
    let structs: Structs =
        sources.iter().filter(|source| source.path.starts_with(SOURCES)).flat_map(read_structs).collect();
    if structs.contains_key(ROOT) {
        findings.extend(judge_keys(&structs, &written_keys(&text)));
    } else {
        println!("tidy: there is no struct {ROOT} below {SOURCES}: its keys are not checked");
    }
    Ok(findings)
}

fn judge_comments(text: &str) -> Result<Vec<Finding>> {
    let document: DocumentMut = text.parse().with_context(|| format!("failed to read {DEFAULTS}"))?;
    let mut findings = Vec::new();
    judge_table(document.as_table(), "", &mut findings);
    Ok(findings)
}

fn judge_table(table: &Table, prefix: &str, findings: &mut Vec<Finding>) {
    for (name, item) in table {
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        match item {
            Item::Table(inner) => judge_table(inner, &path, findings),
            Item::ArrayOfTables(tables) => tables.iter().for_each(|inner| judge_table(inner, &path, findings)),
            Item::Value(_) => {
                let key = table.key(name).expect("the name came from this table");
                let above = key.leaf_decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
                if let Some(text) = judge_comment(&path, above) {
                    findings.push(Finding::new(DEFAULTS, 0, text));
                }
            }
            Item::None => {}
        }
    }
}

/// What is wrong with the comment above a key. Only the lines directly above count: an empty line ends a comment.
fn judge_comment(path: &str, above: &str) -> Option<String> {
    let lines: Vec<&str> = above.trim_end_matches([' ', '\t']).lines().map(str::trim).collect();
    let own = lines.iter().rev().take_while(|line| line.starts_with('#'));
    let comment: String = own.copied().collect::<Vec<_>>().join(" ").to_lowercase();
    if comment.is_empty() {
        return Some(format!("{path} has no comment above it"));
    }
    (!comment.contains("since ")).then(|| format!("the comment of {path} does not say since which version it exists"))
}

/// Paths of keys that the page shows, those in comments included (`# ca_file = "..."`): a key without a default is shown so.
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

/// A field of a raw struct.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    key: String,
    line: usize,
    path: String,
    /// The identifiers of its type.
    types: Vec<String>,
}

type Structs = BTreeMap<String, Vec<Field>>;

fn judge_keys(structs: &Structs, written: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut open = vec![(Vec::<String>::new(), ROOT.to_owned())];
    while let Some((prefix, name)) = open.pop() {
        for field in structs.get(&name).into_iter().flatten() {
            let mut path = prefix.clone();
            path.push(field.key.clone());
            // Raw structs do not contain themselves; the limit keeps a mistake from running forever.
            let inner = field.types.iter().find(|name| structs.contains_key(*name)).filter(|_| path.len() < 12);
            if let Some(inner) = inner {
                if field.types.iter().any(|name| name.ends_with("Map")) {
                    path.push(ANY.to_owned());
                }
                open.push((path, inner.clone()));
            } else if !written.iter().any(|key| matches_path(key, &path)) {
                let text = format!("the key {} is not in {DEFAULTS}", path.join("."));
                findings.push(Finding::new(&field.path, field.line, text));
            }
        }
    }
    findings
}

/// True when the page shows this key, or keys below it (a table whose entries users choose).
fn matches_path(key: &str, path: &[String]) -> bool {
    let mut segments = key.split('.');
    path.iter().all(|wanted| segments.next().is_some_and(|found| wanted == ANY || found == wanted))
}

/// The structs of a file with named fields.
fn read_structs(source: &Source) -> Vec<(String, Vec<Field>)> {
    let code = &source.code;
    let mut structs = Vec::new();
    for index in 0..code.len().saturating_sub(2) {
        if !code[index].is("struct") || source.is_test(code[index].line) {
            continue;
        }
        let body = code[index + 2..].iter().position(|piece| piece.is("{") || piece.is(";") || piece.is("("));
        let Some(body) = body.map(|offset| index + 2 + offset).filter(|&body| code[body].is("{")) else { continue };
        structs.push((code[index + 1].text.clone(), read_fields(&source.path, &code[body + 1..])));
    }
    structs
}

fn read_fields(path: &str, code: &[Piece]) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    let mut renamed = None;
    let mut in_type = false;
    let mut depth = 0_i32;
    for (index, piece) in code.iter().enumerate() {
        match piece.text.as_str() {
            "{" | "(" | "[" | "<" if piece.kind == Kind::Punctuation => depth += 1,
            "}" if depth == 0 => break,
            "}" | ")" | "]" | ">" if piece.kind == Kind::Punctuation => depth -= 1,
            "," if depth == 0 => in_type = false,
            _ if in_type => {
                if let (Kind::Ident, Some(field)) = (piece.kind, fields.last_mut()) {
                    field.types.push(piece.text.clone());
                }
            }
            "rename" if depth > 0 => {
                renamed = code.get(index + 2).map(|literal| literal.text.trim_matches('"').to_owned())
            }
            ":" if depth == 0 => {
                let name = &code[index - 1];
                let key = renamed.take().unwrap_or_else(|| name.text.clone());
                fields.push(Field { key, line: name.line, path: path.to_owned(), types: Vec::new() });
                in_type = true;
            }
            _ => {}
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comments(text: &str) -> Vec<String> {
        judge_comments(text).expect("the page parses").into_iter().map(|finding| finding.text).collect()
    }

    fn keys(code: &str, page: &str) -> Vec<String> {
        let source = Source::new("crates/config/src/raw.rs", code);
        let structs = read_structs(&source).into_iter().collect();
        judge_keys(&structs, &written_keys(page)).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn a_key_without_comment_or_version_is_found() {
        let page = "# Where Kafka is. Since 0.1.\nbrokers = \"a\"\n\n[kafka]\n# What for.\ngroup = 1\nbare = 2\n";
        let expected = [
            "the comment of kafka.group does not say since which version it exists",
            "kafka.bare has no comment above it",
        ];
        assert_eq!(comments(page), expected);
    }

    #[test]
    fn a_comment_ends_at_an_empty_line() {
        assert_eq!(comments("# A heading. Since 0.1.\n\nbrokers = 1\n"), ["brokers has no comment above it"]);
    }

    const CODE: &str = "#[derive(Deserialize)]\npub struct RawConfig { pub kafka: RawKafka, sources: BTreeMap<String, RawSource> }\n\
                        pub struct RawKafka { brokers: Option<Vec<String>>, #[serde(rename = \"group-id\")] group: u8 }\n\
                        pub struct RawSource { topics: u8 }\n";

    #[test]
    fn an_undocumented_key_is_found() {
        let page = "[kafka]\nbrokers = 1\n\n[sources.web]\ntopics = 1\n";
        assert_eq!(keys(CODE, page), ["the key kafka.group-id is not in crates/config/default.toml"]);
    }

    #[test]
    fn keys_without_a_default_are_shown_in_comments() {
        let page = "[kafka]\n# brokers = [\"a\"]\ngroup-id = 1\n\n# [sources.web]\n# topics = [\"a\"]\n";
        assert_eq!(keys(CODE, page), Vec::<String>::new());
    }
}
