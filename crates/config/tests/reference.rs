//! `default.toml` is the reference: complete, commented, true.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use expect_test::{expect, expect_file};
use throughline_config::keys::{KEYS, Place, place};
use throughline_config::{Config, DEFAULT_TOML, KeyPath, Origin, RawConfig, Surroundings, schema};

fn surroundings() -> Surroundings {
    Surroundings { cores: NonZeroU32::new(4).expect("four is not zero"), formats: Vec::new(), memory: None }
}

fn resolve(text: &str) -> Config {
    let raw = RawConfig { file: Some(("t.toml".to_owned(), text.to_owned())), ..RawConfig::default() };
    raw.resolve(&surroundings()).expect("the text is valid")
}

/// `default.toml` with the last line of each comment as the table of keys says it.
fn with_facts() -> String {
    let (settings, _) = RawConfig::default().layers();
    let mut lines: Vec<String> = DEFAULT_TOML.lines().map(str::to_owned).collect();
    let mut at_lines: Vec<_> = settings
        .iter()
        .map(|(path, setting)| match setting.origin {
            Origin::Default { line } => (line - 1, path),
            _ => unreachable!("only the defaults were read"),
        })
        .collect();
    at_lines.sort();
    for (line, path) in at_lines.into_iter().rev() {
        let (Place::Key(key) | Place::Rest(key)) = place(&path.0) else { unreachable!("{path} is in the table") };
        let mut words = key.kind.describe();
        words[..1].make_ascii_uppercase();
        let fact = format!("# {words}; since {}.", key.since);
        if lines[line - 1].starts_with('#') && lines[line - 1].contains("; since ") {
            lines[line - 1] = fact;
        } else {
            lines.insert(line, fact);
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn every_comment_ends_with_what_the_table_allows() {
    expect_file!["../default.toml"].assert_eq(&with_facts());
}

#[test]
fn every_comment_says_more_than_what_is_allowed() {
    for (path, comment) in schema::comments() {
        assert!(comment.lines().count() >= 2, "`{path}` has no words of its own: {comment:?}");
        assert!(comment.len() > 10, "`{path}`: {comment:?}");
    }
}

#[test]
fn every_key_of_the_table_is_in_the_reference() {
    let (settings, errors) = RawConfig::default().layers();
    assert_eq!(errors, []);
    let shown: BTreeSet<&str> = settings
        .keys()
        .filter_map(|path| match place(&path.0) {
            Place::Key(key) | Place::Rest(key) => Some(key.path),
            _ => None,
        })
        .collect();
    for key in KEYS {
        // Maps of names are shown as empty tables with an example in the comment.
        let is_open_map = key.path.ends_with(".*");
        assert!(is_open_map || shown.contains(key.path), "`{}` is not in default.toml", key.path);
    }
}

#[test]
fn the_reference_as_a_file_changes_nothing_but_origins() {
    let (by_default, from_file) = (resolve(""), resolve(DEFAULT_TOML));
    let plain = |config: &Config| {
        let mut config = config.clone();
        config.settings.clear();
        config.warnings.clear();
        // What a person set goes before the model, also where it says the same.
        config.alerts.changes.clear();
        config
    };
    assert_eq!(plain(&by_default), plain(&from_file));
}

#[test]
fn what_is_shown_can_be_read_again() {
    let config = resolve(
        "[sources.shop]\nkind = \"store\"\ntopics = [\"shop.orders\"]\n[sources.shop.names]\n\"Checkout Failed\" = \"page.failed\"",
    );
    let lines: Vec<String> =
        config.settings.iter().map(|(path, setting)| format!("{path} = {}", setting.value)).collect();
    let again = resolve(&lines.join("\n"));
    assert_eq!(config.sources, again.sources);
    assert_eq!(config.kafka, again.kafka);
}

#[test]
fn the_defaults_work_on_a_development_machine_and_say_so() {
    let config = resolve("");
    assert_eq!(config.kafka.brokers, ["127.0.0.1:9092"]);
    assert_eq!(config.sources.len(), 7);
    assert_eq!((config.workers.normalize.get(), config.workers.experience.get()), (2, 2));
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    expect![[r#"
        warning: `identity.hash_key_file`: no hash key is set: ids are made with the development key, which everybody knows; set `identity.hash_key_file` before real customers are read, it cannot change later
          --> default.toml:449 (built in)"#]]
    .assert_eq(&warnings.join("\n"));
}

#[test]
fn the_schema_knows_every_key_with_its_words() {
    let schema = schema::json_schema();
    let interval = &schema["properties"]["commit"]["properties"]["interval"];
    expect![[r#"
        {
          "default": "100ms",
          "description": "Longest time between two commits of a worker.\nDuration, 5ms to 2s; since 0.1.0.",
          "pattern": "^([0-9]+(ms|s|min|h|d) ?)+$",
          "type": "string"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(interval).expect("JSON can be written"));
    assert_eq!(schema["properties"]["kafka"]["additionalProperties"], false);
    let source = &schema["properties"]["sources"]["additionalProperties"];
    assert_eq!(source["properties"]["enabled"]["type"], "boolean");
    assert!(source["properties"]["names"]["additionalProperties"]["enum"].is_array());
    assert!(schema["properties"]["kafka"]["properties"]["client"]["additionalProperties"].is_object());
}

#[test]
fn key_paths_are_written_as_in_a_file() {
    let path = KeyPath(vec!["kafka".to_owned(), "client".to_owned(), "socket.timeout.ms".to_owned()]);
    assert_eq!(path.to_string(), "kafka.client.\"socket.timeout.ms\"");
}
