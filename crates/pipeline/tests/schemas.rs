//! The files under `schemas/`: equal to what the records give, readable across every version, compatible both ways.

#![allow(clippy::disallowed_methods, reason = "the tests read the committed files, the crate does not")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use apache_avro::schema_compatibility::SchemaCompatibility;
use apache_avro::types::Value;
use apache_avro::{Reader, Schema};
use serde_json::Value as Json;
use throughline_model::{IdHasher, IdentifierType};
use throughline_pipeline::records::{all_schemas, generate, subjects};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas")
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every committed version of a subject, oldest first.
fn versions(subject: &str, newest: u32) -> Vec<(u32, Schema)> {
    (1..=newest)
        .map(|version| {
            let path = folder().join(subject).join(format!("{version}.avsc"));
            let text = String::from_utf8(read(&path)).expect("schemas are text");
            (version, Schema::parse_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        })
        .collect()
}

fn samples(subject: &str, version: u32) -> Vec<PathBuf> {
    let folder = folder().join(subject).join("samples").join(version.to_string());
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be listed").path())
        .collect();
    paths.sort();
    paths
}

#[test]
fn committed_files_are_the_generated_ones() {
    let stale: Vec<_> = generate()
        .into_iter()
        .filter(|(path, contents)| fs::read(folder().join(path)).ok().as_ref() != Some(contents))
        .map(|(path, _)| path)
        .collect();
    assert!(stale.is_empty(), "run `cargo xtask generate`; stale: {stale:#?}");
}

#[test]
fn no_file_of_the_current_version_is_left_over() {
    let generated: Vec<_> = generate().into_iter().map(|(path, _)| folder().join(path)).collect();
    let mut left_over = Vec::new();
    for subject in subjects() {
        let sample_files = samples(&subject.subject(), subject.version);
        left_over.extend(sample_files.into_iter().filter(|path| !generated.contains(path)));
    }
    assert!(left_over.is_empty(), "not generated: {left_over:#?}");
}

#[test]
fn every_version_reads_every_other() {
    for subject in subjects() {
        let versions = versions(&subject.subject(), subject.version);
        for (at, (old, writer)) in versions.iter().enumerate() {
            for (new, reader) in &versions[at..] {
                let name = subject.subject();
                SchemaCompatibility::mutual_read(writer, reader)
                    .unwrap_or_else(|error| panic!("{name}: versions {old} and {new}: {error}"));
            }
        }
    }
}

#[test]
fn every_old_sample_is_read_by_every_newer_schema() {
    for subject in subjects() {
        let versions = versions(&subject.subject(), subject.version);
        for (written, _) in &versions {
            for path in samples(&subject.subject(), *written) {
                if path.extension().is_some_and(|ending| ending == "avro") {
                    for (_, reader) in versions.iter().filter(|(version, _)| version >= written) {
                        check_sample(&path, reader);
                    }
                }
            }
        }
    }
}

/// The container decodes to one record, and its JSON twin says nothing else.
fn check_sample(path: &Path, reader: &Schema) {
    let bytes = read(path);
    let values: Vec<Value> = Reader::builder(&bytes[..])
        .reader_schema(reader)
        .build()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let [value] = &values[..] else { panic!("{} has {} records", path.display(), values.len()) };
    let json: Json = serde_json::from_slice(&read(&path.with_extension("json"))).expect("samples are JSON");
    assert_same(value, &json, &path.display().to_string());
}

fn assert_same(avro: &Value, json: &Json, at: &str) {
    match (avro, json) {
        (Value::Union(_, avro), json) => assert_same(avro, json, at),
        (Value::Null, Json::Null) => {}
        (Value::Record(fields), Json::Object(members)) => {
            for (name, value) in fields {
                assert_same(value, members.get(name).unwrap_or(&Json::Null), &format!("{at}: {name}"));
            }
            for name in members.keys() {
                assert!(fields.iter().any(|(field, _)| field == name), "{at}: no field {name} in the schema");
            }
        }
        (Value::Array(avro), Json::Array(json)) => {
            assert_eq!(avro.len(), json.len(), "{at}");
            for (avro, json) in avro.iter().zip(json) {
                assert_same(avro, json, at);
            }
        }
        (Value::String(avro), Json::String(json)) => assert_eq!(avro, json, "{at}"),
        (Value::Boolean(avro), Json::Bool(json)) => assert_eq!(avro, json, "{at}"),
        (Value::Double(avro), Json::Number(json)) => {
            assert!(json.as_f64().is_some_and(|json| (avro - json).abs() < 1e-9), "{at}: {avro} and {json}");
        }
        (Value::Long(avro), Json::Number(json)) => assert_eq!(json.as_i64(), Some(*avro), "{at}"),
        (Value::Int(avro), Json::Number(json)) => assert_eq!(json.as_i64(), Some(i64::from(*avro)), "{at}"),
        (Value::TimestampMillis(_), Json::String(text)) => assert!(text.ends_with('Z') && text.len() == 24, "{at}"),
        (avro, json) => panic!("{at}: {avro:?} and {json}"),
    }
}

#[test]
fn a_type_name_means_one_thing_everywhere() {
    let mut definitions: BTreeMap<String, Json> = BTreeMap::new();
    for schema in all_schemas() {
        let json: Json = serde_json::from_str(&schema.text).expect("schemas are JSON");
        collect(&json, &mut |name, definition| {
            let known = definitions.entry(name.to_owned()).or_insert_with(|| definition.clone());
            assert_eq!(known, definition, "two types are called {name}");
        });
    }
}

/// Shows every named type. Parts that were defined before stand as names inside; namespace and such parts are left out, so
/// that definitions from two schemas compare.
fn collect(schema: &Json, found: &mut impl FnMut(&str, &Json)) {
    match schema {
        Json::Object(members) => {
            if let (Some(name), Some(fields)) = (members.get("name"), members.get("fields")) {
                found(name.as_str().expect("names are strings"), &outline(fields));
            }
            members.values().for_each(|member| collect(member, found));
        }
        Json::Array(members) => members.iter().for_each(|member| collect(member, found)),
        _ => {}
    }
}

/// Fields with nested definitions replaced by their names.
fn outline(schema: &Json) -> Json {
    match schema {
        Json::Object(members) if members.contains_key("fields") => members["name"].clone(),
        Json::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), outline(member)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Json::Array(members) => members.iter().map(outline).collect(),
        other => other.clone(),
    }
}

#[test]
fn the_asyncapi_document_names_files_that_exist() {
    let document: Json = serde_json::from_slice(&read(&folder().join("asyncapi.json"))).expect("the document is JSON");
    let messages = document["components"]["messages"].as_object().expect("messages are an object");
    for (topic, message) in messages {
        if let Some(path) = message["payload"]["schema"]["$ref"].as_str() {
            assert!(folder().join(path).is_file(), "{topic}: {path}");
        }
        assert!(document["channels"].get(topic).is_some(), "{topic} has no channel");
    }
}

fn readme() -> String {
    String::from_utf8(read(&folder().join("README.md"))).expect("the page is text")
}

#[test]
fn the_page_names_every_topic_and_record() {
    let page = readme();
    for subject in subjects() {
        assert!(page.contains(&format!("`{}`", subject.topic)), "{} is missing", subject.topic);
        assert!(page.contains(&format!("`{}`", subject.record)), "{} is missing", subject.record);
    }
}

#[test]
fn the_test_vectors_of_the_page_hold() {
    let hasher = IdHasher::new(std::array::from_fn(|at| at as u8), "acme");
    let mut checked = 0;
    for line in readme().lines() {
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let ["", kind, value, hash, node, ""] = cells[..] else { continue };
        let Some(kind) = IdentifierType::from_name(kind) else { continue };
        assert_eq!(hasher.identifier(kind, value).to_string(), hash, "{kind} {value}");
        assert_eq!(hasher.node(kind, value).to_string(), node, "{kind} {value}");
        checked += 1;
    }
    assert_eq!(checked, 10);
    assert!(readme().contains(&hasher.touchpoint("shop", "order-20117").to_string()));
}

#[test]
fn the_page_shows_the_code_of_the_examples() {
    let page = readme();
    for (file, function) in [("scores.py", "def apply(scores"), ("alerts.py", "def apply(last_seq")] {
        let code = String::from_utf8(read(&folder().join("examples").join(file))).expect("examples are text");
        let from = code.find(function).unwrap_or_else(|| panic!("{file} has {function}"));
        let length = code[from..].find("\n\n\n").expect("two empty lines end a function");
        assert!(page.contains(&code[from..from + length]), "{file}: the page shows another {function}");
    }
}
