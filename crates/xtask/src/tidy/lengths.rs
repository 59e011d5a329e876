//! Files of at most 600 lines, functions of at most 70 (a test may be one long table). What is longer is recorded, and may only
//! shrink.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::Finding;
use super::source::{Kind, Source};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Lines of `<lines> <path>` or `<lines> <path>::<function>`.
const RECORD: &str = "crates/xtask/lengths.txt";

/// What is over its limit, by name, with its length in lines.
type Lengths = BTreeMap<String, usize>;

/// Compares the lengths with those on record.
pub fn check(root: &Path, sources: &[Source]) -> Result<Vec<Finding>> {
    Ok(judge(&measure(sources), &read_record(root)?))
}

/// Lowers the recorded lengths to what they are, and forgets what is within its limit. Nothing is ever added or raised.
pub fn update(root: &Path, sources: &[Source]) -> Result<()> {
    let measured = measure(sources);
    let lowered = lower(&read_record(root)?, &measured);
    let text: String = lowered.iter().map(|(name, lines)| format!("{lines} {name}\n")).collect();
    std::fs::write(root.join(RECORD), text).with_context(|| format!("failed to write {RECORD}"))
}

fn read_record(root: &Path) -> Result<Lengths> {
    let text = std::fs::read_to_string(root.join(RECORD)).unwrap_or_default();
    let parse = |line: &str| {
        let (lines, name) = line.split_once(' ')?;
        Some((name.to_owned(), lines.parse().ok()?))
    };
    text.lines().map(|line| parse(line).with_context(|| format!("failed to read {RECORD}: {line}"))).collect()
}

fn judge(measured: &Lengths, recorded: &Lengths) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, &lines) in measured {
        let max = limit(name);
        let (path, part) = name.split_once("::").unwrap_or((name, "this file"));
        let text = match recorded.get(name) {
            None => format!("{part} has {lines} lines, at most {max}: split it"),
            Some(&known) if lines > known => format!("{part} grew from {known} to {lines} lines and may only shrink"),
            Some(&known) if lines < known => {
                format!("{part} shrank from {known} to {lines} lines: run `cargo xtask tidy --update` to keep it so")
            }
            Some(_) => continue,
        };
        findings.push(Finding::new(path, 0, text));
    }
    for name in recorded.keys().filter(|name| !measured.contains_key(*name)) {
        let text = format!("{name} is within its limit: run `cargo xtask tidy --update` to keep it so");
        findings.push(Finding::new(RECORD, 0, text));
    }
    findings
}

fn lower(recorded: &Lengths, measured: &Lengths) -> Lengths {
    let lowered = |(name, &known): (&String, &usize)| Some((name.clone(), known.min(*measured.get(name)?)));
    recorded.iter().filter_map(lowered).collect()
}

fn limit(name: &str) -> usize {
    if name.contains("::") { FUNCTION_LINES_MAX } else { FILE_LINES_MAX }
}

fn measure(sources: &[Source]) -> Lengths {
    let mut lengths = Lengths::new();
    for source in sources {
        if source.lines > FILE_LINES_MAX {
            lengths.insert(source.path.clone(), source.lines);
        }
        for (name, lines) in functions(source) {
            if lines > FUNCTION_LINES_MAX {
                let longest = lengths.entry(format!("{}::{name}", source.path)).or_default();
                *longest = lines.max(*longest);
            }
        }
    }
    lengths
}

/// Every function with a body, outside tests: its name, and its lines from `fn` to the closing brace.
fn functions(source: &Source) -> Vec<(&str, usize)> {
    let code = &source.code;
    let mut found = Vec::new();
    for (index, pair) in code.windows(2).enumerate() {
        if !pair[0].is("fn") || pair[1].kind != Kind::Ident || source.is_test(pair[0].line) {
            continue;
        }
        let (mut braces, mut brackets) = (0_i32, 0_i32);
        for piece in code[index..].iter().filter(|piece| piece.kind == Kind::Punctuation) {
            match piece.text.as_str() {
                "[" => brackets += 1,
                "]" => brackets -= 1,
                "{" => braces += 1,
                "}" => braces -= 1,
                // A signature without a body. The semicolon of an array type ends nothing.
                ";" if braces == 0 && brackets == 0 => break,
                _ => {}
            }
            if piece.is("}") && braces == 0 {
                found.push((pair[1].text.as_str(), piece.line - pair[0].line + 1));
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(pairs: &[(&str, usize)]) -> Lengths {
        pairs.iter().map(|&(name, lines)| (name.to_owned(), lines)).collect()
    }

    #[test]
    fn a_long_file_and_a_long_function_are_measured() {
        let body = "    a();\n".repeat(70);
        let long = Source::new("long.rs", &format!("fn long(a: [u8; 2]) {{\n{body}}}\nfn short();\n"));
        assert_eq!(measure(&[long]), lengths(&[("long.rs::long", 72)]));
        assert_eq!(measure(&[Source::new("a.rs", &"\n".repeat(601))]), lengths(&[("a.rs", 601)]));
    }

    #[test]
    fn what_is_recorded_may_only_shrink() {
        let record = lengths(&[("a.rs", 700)]);
        assert!(judge(&lengths(&[("a.rs", 700)]), &record).is_empty());
        assert!(judge(&lengths(&[("a.rs", 701)]), &record)[0].text.contains("grew from 700 to 701"));
        assert!(judge(&lengths(&[("a.rs", 650)]), &record)[0].text.contains("shrank"));
        assert!(judge(&lengths(&[]), &record)[0].text.contains("within its limit"));
        assert!(judge(&lengths(&[("b.rs", 601)]), &record)[0].text.contains("at most 600"));
    }

    #[test]
    fn an_update_never_raises_and_never_adds() {
        let record = lengths(&[("a.rs", 700), ("b.rs", 700), ("c.rs", 700)]);
        let measured = lengths(&[("a.rs", 650), ("b.rs", 900), ("d.rs", 800)]);
        assert_eq!(lower(&record, &measured), lengths(&[("a.rs", 650), ("b.rs", 700)]));
    }
}
