//! Outputs and fates for people and, one object a line, for programs.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use throughline_config::vocabulary::{Fate, Topic};
use throughline_pipeline::local::{EntryFate, Output};

/// Where a record stands.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// File.
    pub file: &'a str,
    /// Line or number, from 1.
    pub line: u64,
}

/// An output as one object. Of a dead letter the value is the text that was rejected, or `value_base64` its bytes.
pub fn output_json(output: &Output, prefix: &str) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = output.headers.iter().map(|(name, value)| (name.clone(), Value::String(text(value))));
    let mut object = json!({
        "topic": format!("{prefix}{}", output.topic),
        "key": output.key.as_deref().map(text),
        "headers": headers.collect::<Map<_, _>>(),
        "value": Value::Null,
    });
    match (&output.value, output.topic) {
        (None, _) => {}
        (Some(bytes), Topic::DeadLetters) => match std::str::from_utf8(bytes) {
            Ok(text) => object["value"] = json!(text),
            Err(_) => object["value_base64"] = json!(STANDARD.encode(bytes)),
        },
        (Some(_), _) => object["value"] = output.json().unwrap_or_default(),
    }
    object
}

/// The same as one line, with the value as it would be on the topic. A dead letter says where its record stands.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_output_json(
    out: &mut dyn Write,
    output: &Output,
    prefix: &str,
    place: Option<Place<'_>>,
) -> io::Result<()> {
    if let (Topic::DeadLetters, Some(place)) = (output.topic, place) {
        let mut object = output_json(output, prefix);
        object["reason"] = json!(output.header("throughline_reason"));
        object["file"] = json!(place.file);
        object["line"] = json!(place.line);
        return writeln!(out, "{object}");
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    write!(out, "{{\"topic\":\"{prefix}{}\",\"key\":{}", output.topic, json!(output.key.as_deref().map(text)))?;
    out.write_all(b",\"headers\":{")?;
    for (at, (name, value)) in output.headers.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        write!(out, "{comma}{}:{}", json!(name), json!(text(value)))?;
    }
    out.write_all(b"},\"value\":")?;
    out.write_all(output.value.as_deref().unwrap_or(b"null"))?;
    out.write_all(b"}\n")
}

/// The short name and the reason of a fate.
pub fn fate_words(fate: Fate) -> (&'static str, &'static str) {
    match fate {
        Fate::Applied => ("applied", ""),
        Fate::Duplicate => ("duplicate", ""),
        Fate::Late(reason) => ("late", reason.as_str()),
        Fate::Withheld(reason) => ("withheld", reason.as_str()),
        Fate::Rejected(reason) => ("rejected", reason.as_str()),
        Fate::Forwarded => ("forwarded", ""),
    }
}

/// A fate as one object; it has the members of an output, empty, so that a reader of outputs passes over it.
pub fn fate_json(place: Place<'_>, fate: &EntryFate) -> Value {
    let (word, reason) = fate_words(fate.fate);
    json!({"topic": null, "key": null, "headers": {}, "value": null, "fate": word, "reason": reason,
        "detail": fate.detail, "field": fate.field, "format": fate.format,
        "type": fate.kind.map(|kind| kind.as_str()), "file": place.file, "line": place.line, "entry": fate.entry})
}

/// One line for people about what happened to an entry, if something did that they should know.
pub fn fate_line(place: Place<'_>, fate: &EntryFate) -> Option<String> {
    let (word, reason) = fate_words(fate.fate);
    let name = match fate.fate {
        Fate::Applied => return None,
        Fate::Rejected(_) if fate.field.is_empty() => fate.detail.clone(),
        Fate::Rejected(_) => format!("{}: {}", fate.field, fate.detail),
        Fate::Withheld(_) => fate.detail.clone(),
        _ => fate.kind.map(|kind| kind.to_string()).unwrap_or_default(),
    };
    let entry = if fate.entry > 0 { format!(" entry {}", fate.entry) } else { String::new() };
    let words = [word, reason, name.as_str()].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>();
    Some(format!("{}:{}{entry}  {}", place.file, place.line, words.join("  ")))
}

/// One line for people about an output.
///
/// # Errors
/// When `out` cannot be written.
pub fn print_output(out: &mut dyn Write, output: &Output, prefix: &str) -> io::Result<()> {
    let key = output.key_text().unwrap_or_default();
    let key: String = key.chars().take(12).collect();
    let gist = match output.json() {
        _ if output.topic == Topic::DeadLetters => letter_gist(output),
        Some(value) => gist(output.topic, &value),
        None => "deleted".to_owned(),
    };
    writeln!(out, "  {prefix}{:<25} {key:<12}  {gist}", output.topic.as_str())
}

fn letter_gist(output: &Output) -> String {
    let header = |name| output.header(name).unwrap_or_default();
    let field = header("throughline_field");
    let field = if field.is_empty() { String::new() } else { format!(" {field}") };
    let format = header("throughline_format");
    let format = if format.is_empty() { String::new() } else { format!(" ({format})") };
    let (reason, code) = (header("throughline_reason"), header("throughline_code"));
    format!("{reason} {code}{field}: {}{format}", header("__connect.errors.exception.message"))
}

fn gist(topic: Topic, value: &Value) -> String {
    let members: &[(&str, &str)] = match topic {
        Topic::Touchpoints => &[
            ("", "/type"),
            ("", "/channel"),
            ("", "/occurred_at"),
            ("v", "/v"),
            ("w", "/w"),
            ("severe", "/severe"),
            ("owner", "/operational_owner"),
            ("retracted", "/retracted"),
        ],
        Topic::Scores => &[
            ("relationship", "/relationship"),
            ("moment", "/moment"),
            ("lifetime", "/lifetime"),
            ("z", "/baseline/z"),
            ("touchpoints", "/touchpoints"),
            ("version", "/version"),
        ],
        Topic::Alerts | Topic::AlertsState => &[
            ("", "/transition"),
            ("", "/type"),
            ("", "/severity"),
            ("reason", "/transition_reason"),
            ("value", "/value"),
            ("scope", "/scope"),
            ("owner", "/operational_owner"),
            ("page", "/page"),
            ("seq", "/seq"),
        ],
        _ => &[("version", "/version"), ("as of", "/as_of")],
    };
    let mut words = Vec::new();
    for (name, pointer) in members {
        let shown = match value.pointer(pointer) {
            None | Some(Value::Null | Value::Bool(false)) => continue,
            Some(Value::String(text)) if text.is_empty() || text == "brand" => continue,
            Some(Value::String(text)) => text.clone(),
            Some(Value::Bool(true)) => String::new(),
            Some(Value::Number(number)) if number.is_f64() => format!("{:.2}", number.as_f64().unwrap_or_default()),
            Some(other) => other.to_string(),
        };
        words.push([*name, &shown].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "));
    }
    words.join("  ")
}
