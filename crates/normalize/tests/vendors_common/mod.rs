//! Reads a payload through the formats and writes each entry as one line, so that a test is a table.

use std::fmt::Write as _;

use throughline_model::touchpoint::Text;
use throughline_model::{Rejection, SourceKind, TouchpointType, Trust, Verb, WithheldReason};
use throughline_normalize::draft::{ClaimedTime, Draft};
use throughline_normalize::format::{Entries, Format, Headers, Keep, NameMap, Payload};
use throughline_normalize::formats;
use throughline_normalize::shape::Shape;

/// One header, or none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Header(pub Option<(&'static str, &'static str)>);

impl Headers for Header {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.filter(|(known, _)| *known == name).map(|(_, value)| value.as_bytes())
    }
}

/// One row of a deployment's map, or none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names(pub Option<(&'static str, TouchpointType)>);

impl NameMap for Names {
    fn kind_of(&self, name: &str) -> Option<TouchpointType> {
        self.0.filter(|(known, _)| *known == name).map(|(_, kind)| kind)
    }
}

#[derive(Default)]
struct Lines(Vec<String>);

impl<'a> Entries<'a> for Lines {
    fn boxed(&mut self, draft: Box<Draft<'a>>) {
        self.0.push(line(&draft));
    }

    fn withheld(&mut self, reason: WithheldReason, name: Text<'a>) {
        self.0.push(format!("withheld {reason} {name}"));
    }

    fn rejected(&mut self, rejection: Rejection) {
        self.0.push(format!("rejected {} {}", rejection.reason, rejection.field));
    }
}

/// Entries of a payload as lines, through the one format its shape matches.
pub fn entries(source: SourceKind, text: &str) -> Vec<String> {
    entries_with(source, text, Header::default(), Names::default())
}

/// The same with a header and a map.
pub fn entries_with(source: SourceKind, text: &str, headers: Header, names: Names) -> Vec<String> {
    let shape = match Shape::of(text) {
        Ok(shape) => shape,
        Err(rejection) => return vec![format!("rejected {} {}", rejection.reason, rejection.field)],
    };
    let matching: Vec<_> = formats::all().iter().filter(|format| format.matches(&shape)).collect();
    match matching.as_slice() {
        [] => vec!["rejected unknown_format ".to_owned()],
        [format] => read(**format, source, text, headers, names),
        several => panic!("several formats match: {:?}", several.iter().map(|it| it.name()).collect::<Vec<_>>()),
    }
}

/// Entries of a payload as lines, through the format of that name.
#[allow(dead_code)] // Not every test file needs a configured format.
pub fn entries_as(format: &str, source: SourceKind, text: &str, headers: Header) -> Vec<String> {
    read(formats::by_name(format).expect("a format of that name"), source, text, headers, Names::default())
}

fn read(format: &dyn Format, source: SourceKind, text: &str, headers: Header, names: Names) -> Vec<String> {
    let keep = Keep::new();
    let payload = Payload { text, source, source_name: "src", headers: &headers, names: &names, keep: &keep };
    let mut lines = Lines::default();
    if let Err(rejection) = format.read(&payload, &mut lines) {
        assert!(lines.0.is_empty(), "a record rejected as a whole has no entries");
        return vec![format!("rejected {} {}", rejection.reason, rejection.field)];
    }
    lines.0
}

/// Asserts the entries; a failure prints them as they would stand in the test.
#[allow(dead_code)] // Not every test file is a table.
pub fn check(actual: &[String], expected: &[&str]) {
    let mut printed = String::new();
    for line in actual {
        let _ = writeln!(printed, "            r#\"{line}\"#,");
    }
    assert!(actual == expected, "entries are\n{printed}");
}

fn line(draft: &Draft<'_>) -> String {
    let body = &draft.body;
    let row = body.kind.row();
    let mut out = format!("{} {}", body.kind, body.channel);
    if draft.verb != Verb::Add {
        let _ = write!(out, " {}", draft.verb);
    }
    if body.direction != row.direction {
        let _ = write!(out, " {}", body.direction);
    }
    if body.mode != row.mode {
        let _ = write!(out, " {}", body.mode);
    }
    let _ = write!(out, " id={} at={}", body.source_id, time(&draft.time));
    if let Some(updated) = draft.updated_at {
        let _ = write!(out, " rev={}", updated.as_millis());
    }
    for mention in &draft.identifiers {
        let mark = if mention.trust == Trust::Authenticated { '!' } else { '?' };
        let _ = write!(out, " {}{mark}{}", mention.kind, mention.value);
    }
    for (kind, value) in &body.refs {
        let _ = write!(out, " {kind}={value}");
    }
    for (kind, value) in &body.owners {
        let _ = write!(out, " {kind}={value}");
    }
    for evidence in &body.evidence {
        let _ = write!(out, " {}={}/{}..{}", evidence.kind, evidence.score, evidence.min, evidence.max);
    }
    for (intent, confidence) in &body.intents {
        let _ = write!(out, " {intent}~{confidence}");
    }
    for code in &body.codes {
        let _ = write!(out, " code={code}");
    }
    if let Some(money) = &body.money {
        let _ = write!(out, " money={} {}", money.amount_minor, money.currency);
    }
    for fact in &body.facts {
        let _ = write!(out, " {}({} {})={}", fact.kind, fact.subject, fact.region, fact.value);
    }
    for promise in &body.promises {
        let _ = write!(out, " promise {} {}", promise.kind, promise.key);
    }
    for proof in &body.proofs {
        let _ = write!(out, " proof {} {}", proof.kind, proof.key);
    }
    let result = body.result;
    for (name, value) in [
        ("resolved", result.resolved.map(|it| it.to_string())),
        ("reason", result.reason.map(|it| it.to_string())),
        ("by", result.by.map(|it| it.to_string())),
        ("wait", body.durations.wait_ms.map(|it| it.to_string())),
        ("hold", body.durations.hold_ms.map(|it| it.to_string())),
        ("handle", body.durations.handle_ms.map(|it| it.to_string())),
    ] {
        if let Some(value) = value {
            let _ = write!(out, " {name}={value}");
        }
    }
    if !body.language.is_empty() {
        let _ = write!(out, " lang={}", body.language);
    }
    if let Some(social) = &body.social
        && social.public
    {
        out.push_str(" public");
    }
    if draft.labeled {
        out.push_str(" labeled");
    }
    if !draft.text.is_empty() {
        let _ = write!(out, " text={:?}", draft.text);
    }
    out
}

fn time(time: &ClaimedTime<'_>) -> String {
    match time {
        ClaimedTime::At(at) => at.as_millis().to_string(),
        other => format!("{other:?}"),
    }
}
