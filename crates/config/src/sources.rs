//! The tables `[sources.<name>]`: fills what is left out, checks each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use throughline_model::SourceKind;

use crate::kind::nearest;
use crate::layers::KeyPath;
use crate::options::{Encoding, SourceOptions};
use crate::resolve::Resolver;
use crate::value::Value;

/// Kinds that later versions read. Until then a source of such a kind is refused, so that nobody believes it is read.
const READ_LATER: &[SourceKind] = &[SourceKind::Profile, SourceKind::Consent];

/// Every enabled source.
pub(crate) fn source_options(resolver: &mut Resolver, formats: &[String]) -> Vec<SourceOptions> {
    let names: BTreeSet<String> = resolver
        .settings
        .keys()
        .filter_map(|path| match path.0.as_slice() {
            [first, name, ..] if first == "sources" => Some(name.clone()),
            _ => None,
        })
        .collect();
    let mut sources = Vec::new();
    for name in names {
        sources.extend(one_source(resolver, &name, formats));
    }
    check_shared_topics(resolver, &sources);
    sources
}

fn one_source(resolver: &mut Resolver, name: &str, formats: &[String]) -> Option<SourceOptions> {
    let at = |key: &str| KeyPath(vec!["sources".to_owned(), name.to_owned(), key.to_owned()]);
    let Some(kind) = resolver.settings.get(&at("kind")).and_then(|kind| kind.value.texts().pop()) else {
        missing_kind(resolver, name);
        return None;
    };
    let kind: SourceKind = kind.parse().expect("a kind was checked when it was read");
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) || name.is_empty() {
        let help = "letters, digits, `_` and `-`: the name is part of identifiers";
        resolver.error_at(&at("kind"), format!("`{name}` is not a name for a source"), help);
    }
    fill(resolver, name, kind);
    let duration = |resolver: &Resolver, key: &str| match resolver.settings[&at(key)].value {
        Value::Duration(duration) => duration,
        _ => unreachable!("a duration was checked when it was read"),
    };
    let texts = |resolver: &Resolver, key: &str| resolver.settings[&at(key)].value.texts();
    let text = |resolver: &Resolver, key: &str| texts(resolver, key).pop().unwrap_or_default();
    if resolver.settings[&at("enabled")].value == Value::Flag(false) {
        return None;
    }
    if READ_LATER.contains(&kind) {
        let help = "set `enabled = false`, or leave the table out";
        resolver.error_at(&at("kind"), format!("records of kind `{kind}` are not read by this version"), help);
    }
    let topics = texts(resolver, "topics");
    if topics.is_empty() {
        resolver.error_at(&at("topics"), "a source needs at least one topic", "or set `enabled = false`");
    }
    let wanted = texts(resolver, "formats");
    let auto = wanted.iter().any(|format| format == "auto");
    if (auto && wanted.len() > 1) || wanted.is_empty() {
        resolver.error_at(&at("formats"), "`auto` stands alone", "list the formats to try, or `auto` alone");
    }
    for format in wanted.iter().filter(|format| !auto && !formats.is_empty() && !formats.contains(format)) {
        let help = nearest(format, formats.iter().map(String::as_str))
            .map_or_else(|| format!("formats: {}", formats.join(", ")), |near| format!("did you mean `{near}`?"));
        resolver.error_at(&at("formats"), format!("`{format}` is not a format"), help);
    }
    Some(SourceOptions {
        name: name.to_owned(),
        kind,
        topics,
        formats: if auto { Vec::new() } else { wanted },
        encoding: match text(resolver, "encoding").as_str() {
            "json" => Encoding::Json,
            "avro" => Encoding::Avro,
            _ => Encoding::Auto,
        },
        system: text_or_name(text(resolver, "system"), name),
        visits: text_or_name(text(resolver, "visits"), name),
        producer: text_or_name(text(resolver, "producer"), name),
        calling_code: text(resolver, "calling_code"),
        time_zone: Some(text(resolver, "time_zone")).filter(|zone| !zone.is_empty()),
        lateness: duration(resolver, "lateness"),
        idle_after: duration(resolver, "idle_after"),
        names: map(resolver, name, "names"),
        trust: map(resolver, name, "trust"),
    })
}

fn text_or_name(text: String, name: &str) -> String {
    if text.is_empty() { name.to_owned() } else { text }
}

fn missing_kind(resolver: &mut Resolver, name: &str) {
    let first = resolver.settings.keys().find(|path| path.0.len() > 1 && path.0[0] == "sources" && path.0[1] == name);
    let first = first.expect("the name was taken from a key").clone();
    let kinds: Vec<&str> = SourceKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let help = format!("add `kind`, one of {}", kinds.join(", "));
    resolver.error_at(&first, format!("source `{name}` has no `kind`"), help);
}

/// Fills what the table leaves out.
fn fill(resolver: &mut Resolver, name: &str, kind: SourceKind) {
    // Stores and partners send what is collected first.
    let (lateness, from) = match kind {
        SourceKind::Store => (Duration::from_secs(300), "sources.store"),
        SourceKind::Partner => (Duration::from_secs(300), "sources.partner"),
        _ => (Duration::from_secs(5), "sources.web"),
    };
    let usual = [
        ("enabled", Value::Flag(true)),
        ("topics", Value::List(Vec::new())),
        ("formats", Value::List(vec![Value::Text("auto".to_owned())])),
        ("encoding", Value::Text("auto".to_owned())),
        ("system", Value::Text(String::new())),
        ("visits", Value::Text(String::new())),
        ("producer", Value::Text(String::new())),
        ("time_zone", Value::Text(String::new())),
        ("calling_code", Value::Text(String::new())),
        ("lateness", Value::Duration(lateness)),
        ("idle_after", Value::Duration(Duration::from_secs(30))),
    ];
    for (key, value) in usual {
        let path = KeyPath(vec!["sources".to_owned(), name.to_owned(), key.to_owned()]);
        if !resolver.settings.contains_key(&path) {
            let from = if key == "lateness" { from } else { "sources.web" };
            resolver.set_derived(path, value, from);
        }
    }
}

fn map<T: std::str::FromStr>(resolver: &Resolver, source: &str, table: &str) -> BTreeMap<String, T> {
    resolver
        .settings
        .iter()
        .filter_map(|(path, setting)| match path.0.as_slice() {
            [first, name, middle, field] if first == "sources" && name == source && middle == table => {
                let member = setting.value.texts().pop()?.parse().ok()?;
                Some((field.clone(), member))
            }
            _ => None,
        })
        .collect()
}

/// One topic belongs to one source: otherwise each record would have two kinds and two clocks.
fn check_shared_topics(resolver: &mut Resolver, sources: &[SourceOptions]) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for source in sources {
        let path = KeyPath(vec!["sources".to_owned(), source.name.clone(), "topics".to_owned()]);
        for topic in &source.topics {
            if let Some(owner) = owners.insert(topic, &source.name) {
                let problem = if owner == source.name {
                    format!("topic `{topic}` is listed twice")
                } else {
                    format!("topic `{topic}` belongs to source `{owner}` already")
                };
                resolver.error_at(&path, problem, "a topic has one source; several formats may share it");
            }
        }
    }
}
