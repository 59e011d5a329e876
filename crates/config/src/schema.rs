//! JSON Schema of the configuration file, for editors: shapes from the table of keys, words and defaults from the reference.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::error::Origin;
use crate::keys::KEYS;
use crate::layers::{DEFAULT_TOML, KeyPath, RawConfig};

/// The comment above each key of `default.toml`, by path; what is allowed there is its last line.
#[must_use]
pub fn comments() -> BTreeMap<KeyPath, String> {
    let (settings, _) = RawConfig::default().layers();
    let lines: Vec<&str> = DEFAULT_TOML.lines().collect();
    settings
        .into_iter()
        .map(|(path, setting)| {
            let Origin::Default { line } = setting.origin else { unreachable!("only the defaults were read") };
            (path, comment_above(&lines, line - 1))
        })
        .collect()
}

/// The lines of comment directly above a line, without their marks.
fn comment_above(lines: &[&str], at: usize) -> String {
    let start = lines[..at].iter().rposition(|line| !line.starts_with('#')).map_or(0, |before| before + 1);
    let words: Vec<&str> = lines[start..at].iter().map(|line| line.trim_start_matches('#').trim()).collect();
    words.join("\n")
}

/// The whole schema.
#[must_use]
pub fn json_schema() -> Json {
    let comments = comments();
    let (defaults, _) = RawConfig::default().layers();
    let mut root = table();
    for key in KEYS {
        // A key under `*` is described once, by the first table that shows it.
        let shown =
            KeyPath(key.path.split('.').map(|name| if name == "*" { "web" } else { name }.to_owned()).collect());
        let mut schema = key.kind.to_schema();
        if let Some(comment) = comments.get(&shown) {
            schema.insert("description".to_owned(), comment.as_str().into());
        }
        if let (Some(default), false) = (defaults.get(&shown), key.path.contains('*')) {
            schema.insert("default".to_owned(), default.value.to_json());
        }
        let segments: Vec<&str> = key.path.split('.').collect();
        insert(&mut root, &segments, schema);
    }
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Throughline configuration",
    });
    let object = schema.as_object_mut().expect("it was written as an object");
    object.extend(root);
    schema
}

fn table() -> Map<String, Json> {
    Map::from_iter([
        ("type".to_owned(), json!("object")),
        ("properties".to_owned(), json!({})),
        ("additionalProperties".to_owned(), json!(false)),
    ])
}

fn insert(table_schema: &mut Map<String, Json>, path: &[&str], schema: Map<String, Json>) {
    let (first, rest) = path.split_first().expect("a path has a segment");
    if matches!(*first, "*" | "**") {
        let inner = table_schema.entry("additionalProperties").or_insert(Json::Null);
        if rest.is_empty() {
            *inner = Json::Object(schema);
            return;
        }
        if !inner.is_object() {
            *inner = Json::Object(table());
        }
        insert(inner.as_object_mut().expect("it was made an object"), rest, schema);
        return;
    }
    let properties = table_schema.get_mut("properties").and_then(Json::as_object_mut);
    let properties = properties.expect("every table has properties");
    if rest.is_empty() {
        properties.insert((*first).to_owned(), Json::Object(schema));
    } else {
        let inner = properties.entry(*first).or_insert_with(|| Json::Object(table()));
        insert(inner.as_object_mut().expect("a table is an object"), rest, schema);
    }
}
