//! One word for one thing: the vague words that the vocabulary in `ARCHITECTURE.md` bans, in names that we declare and in
//! comments. What others named (their types, their fields in strings, anything in backticks) is not ours to judge.

use super::Finding;
use super::source::{Kind, Piece, Source};

/// Banned wherever they are part of a declared name.
const VAGUE_PARTS: &[&str] = &["manager", "helper", "helpers", "util", "utils", "checkpoint", "checkpoints"];

/// Banned as a whole name, and as the last word of one (`CustomerInfo`, `parsed_data`).
const VAGUE_ENDINGS: &[&str] = &["event", "events", "message", "messages", "data", "info"];

/// Banned in comments. (`data` is not: "stdout is data" is how the house speaks.)
const VAGUE_NOUNS: &[&str] = &[
    "event",
    "events",
    "message",
    "messages",
    "info",
    "manager",
    "managers",
    "helper",
    "helpers",
    "util",
    "utils",
    "checkpoint",
    "checkpoints",
];

/// A noun only behind one of these; else it is the verb.
const ARTICLES: &[&str] = &["a", "the", "this", "that", "each", "its", "every", "no"];

/// Two words that are one term of somebody else or of ours. The first is the word before, or the word itself.
const TERMS: &[(&str, &str)] = &[
    ("event", "time"),
    ("event", "times"),
    ("cloud", "event"),
    ("cloud", "events"),
    ("error", "message"),
    ("error", "messages"),
    // What companies and customers write to each other.
    ("chat", "message"),
    ("chat", "messages"),
    ("direct", "message"),
    ("direct", "messages"),
    ("outbound", "message"),
    ("outbound", "messages"),
    ("text", "message"),
    ("text", "messages"),
];

/// Places where vendors' words are the subject.
const EXEMPT: &[(&str, &str)] = &[
    ("crates/normalize/src/formats/", "the fields and record types of vendors have their own names"),
    ("crates/normalize/tests/", "payloads of vendors"),
    ("crates/api/src/error.rs", "what an HTTP error says to a person is its message everywhere"),
    ("crates/codec/src/dead_letter.rs", "the headers of Kafka Connect"),
    ("crates/normalize/src/envelope.rs", "the attributes of CloudEvents"),
    ("crates/pipeline/src/records/asyncapi.rs", "the fields of an AsyncAPI document"),
    ("crates/pipeline/tests/schemas.rs", "the fields of an AsyncAPI document"),
    ("crates/testkit/src/registry/", "the fields of the registry's API"),
    ("crates/xtask/src/tidy/", "names the words that it bans"),
];

/// Keywords that a declared name follows.
const DECLARING: &[&str] = &["fn", "struct", "enum", "union", "trait", "type", "mod", "const", "static", "let", "mut"];

/// Checks one file.
pub fn check(source: &Source) -> Vec<Finding> {
    if EXEMPT.iter().any(|(prefix, _)| source.path.starts_with(prefix)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for name in declared(&source.code) {
        if let Some(word) = vague_part(&name.text) {
            let text = format!("`{}` says `{word}`, which the vocabulary bans: name the thing", name.text);
            findings.push(Finding::new(&source.path, name.line, text));
        }
    }
    let mut fenced = false;
    for comment in &source.comments {
        for (line, text) in (comment.line..).zip(comment.text.lines()) {
            if text.contains("```") {
                fenced = !fenced;
            } else if !fenced {
                for word in vague_nouns(text) {
                    let text = format!("the comment says \"{word}\", which the vocabulary bans: name the thing");
                    findings.push(Finding::new(&source.path, line, text));
                }
            }
        }
    }
    findings
}

/// Names that this file declares: items, bindings, and fields or parameters with a type.
fn declared(code: &[Piece]) -> impl Iterator<Item = &Piece> {
    let declares = |index: usize| {
        let name = &code[index];
        let before = index.checked_sub(1).map(|index| &code[index]);
        let typed = code.get(index + 1).is_some_and(|piece| piece.is(":"))
            && !code.get(index + 2).is_some_and(|piece| piece.is(":"));
        name.kind == Kind::Ident
            && before.is_some_and(|before| {
                DECLARING.iter().any(|keyword| before.is(keyword))
                    || (typed && ["pub", ")", "(", "{", ","].iter().any(|text| before.is(text)))
            })
    };
    (0..code.len()).filter(move |&index| declares(index)).map(|index| &code[index])
}

fn vague_part(name: &str) -> Option<String> {
    let words = split_name(name);
    let part = words.iter().find(|word| VAGUE_PARTS.contains(&word.as_str()));
    let term = |pair: &[String]| TERMS.iter().any(|&(first, second)| pair[0] == first && pair[1] == second);
    let last = words.last().filter(|word| VAGUE_ENDINGS.contains(&word.as_str()));
    let last = last.filter(|_| !words.windows(2).next_back().is_some_and(term));
    part.or(last).cloned()
}

/// The words of a name in snake or camel case, in lower case.
fn split_name(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut previous_lower = false;
    let mut open = false;
    for letter in name.chars() {
        if letter == '_' {
            open = false;
            continue;
        }
        if !open || (letter.is_uppercase() && previous_lower) {
            words.push(String::new());
            open = true;
        }
        previous_lower = letter.is_lowercase() || letter.is_ascii_digit();
        words.last_mut().expect("a word was opened above").extend(letter.to_lowercase());
    }
    words
}

fn vague_nouns(line: &str) -> Vec<String> {
    // Every second part of a line is in backticks.
    let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ` ");
    let words: Vec<String> = prose
        .split_whitespace()
        .filter(|word| !word.contains("://"))
        .flat_map(|word| word.split(['-', '/']))
        .map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric()).to_lowercase())
        .collect();
    let is_term = |first: Option<&String>, second: Option<&String>| {
        first.zip(second).is_some_and(|(first, second)| TERMS.contains(&(first.as_str(), second.as_str())))
    };
    let is_vague = |index: usize| {
        let word = words[index].as_str();
        let before = index.checked_sub(1).and_then(|index| words.get(index));
        let term = is_term(words.get(index), words.get(index + 1)) || is_term(before, words.get(index));
        let handle =
            matches!(word, "handle" | "handles") && before.is_some_and(|before| ARTICLES.contains(&before.as_str()));
        handle || (VAGUE_NOUNS.contains(&word) && !term)
    };
    (0..words.len()).filter(|&index| is_vague(index)).map(|index| words[index].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn lines(text: &str) -> Vec<usize> {
        check(&Source::new("crates/a/src/a.rs", text)).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn vague_names_are_found_where_they_are_declared() {
        assert_eq!(lines("struct TopicManager;\nfn a(event: u8) {}\nstruct A { pub parsed_data: u8 }\n"), [1, 2, 3]);
        assert_eq!(lines("mod util;\nlet mut info = 1;\n"), [1, 2]);
    }

    #[test]
    fn names_of_others_and_terms_pass() {
        assert_eq!(lines("use rdkafka::message::Message;\nlet event_time = record.message();\n"), NONE);
        assert_eq!(lines("tracing::info!(\"data\");\nstruct EventTime(i64);\nlet metadata = 1;\n"), NONE);
        assert_eq!(lines("struct CloudEvent<'a> { #[serde(rename = \"data\")] payload: &'a str }\n"), NONE);
    }

    #[test]
    fn vague_nouns_in_comments_are_found() {
        assert_eq!(lines("// Sends the event on.\n"), [1]);
        assert_eq!(lines("/// One.\n///\n/// A message, or a handle to it.\n"), [3, 3]);
    }

    #[test]
    fn terms_verbs_code_and_backticks_pass() {
        assert_eq!(lines("// Event time decides; callers handle it. `data.object` and the `event` field.\n"), NONE);
        assert_eq!(lines("/// ```\n/// let event = 1;\n/// ```\n"), NONE);
        assert_eq!(lines("// Personal data stays in the record; stdout is data.\n"), NONE);
    }
}
