//! Default, file, environment, flag: the later one holds, and each value knows where it was set.

use std::num::NonZeroU32;
use std::time::Duration;

use throughline_config::{Config, HashKeySource, KeyPath, Memory, MemoryNeed, RawConfig, Surroundings};

fn resolve(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Config {
    let raw = RawConfig {
        file: Some(("t.toml".to_owned(), file.to_owned())),
        variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
    };
    let surroundings =
        Surroundings { cores: NonZeroU32::new(8).expect("eight is not zero"), formats: Vec::new(), memory: None };
    raw.resolve(&surroundings).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn origin(config: &Config, key: &str) -> String {
    config.settings[&KeyPath::of(key)].origin.to_string()
}

#[test]
fn the_later_layer_holds() {
    let file = "tenant = \"file\"\n[commit]\nrecords = 1\n[kafka]\nbrokers = [\"file:1\"]";
    let variables = [("THROUGHLINE__KAFKA__BROKERS", "a:1, b:2"), ("THROUGHLINE__COMMIT__RECORDS", "2")];
    let config = resolve(file, &variables, &["commit.records=3"]);
    assert_eq!(config.tenant, "file");
    assert_eq!(config.kafka.brokers, ["a:1", "b:2"]);
    assert_eq!(config.commit.records.get(), 3);
    assert!(origin(&config, "application").starts_with("default.toml:"));
    assert_eq!(origin(&config, "tenant"), "t.toml:1:1");
    assert_eq!(origin(&config, "kafka.brokers"), "environment variable THROUGHLINE__KAFKA__BROKERS");
    assert_eq!(origin(&config, "commit.records"), "flag --set commit.records");
    assert_eq!(origin(&config, "workers.normalize"), "derived from 8 cores");
}

#[test]
fn variables_reach_names_they_cannot_spell() {
    let variables = [
        ("THROUGHLINE__SOURCES__CALL_CENTRE__TOPICS", "calls"),
        ("THROUGHLINE__KAFKA__CLIENT__SOCKET_TIMEOUT_MS", "5000"),
        ("THROUGHLINE_TEST_KAFKA", "ignored:1"),
    ];
    let config = resolve("", &variables, &["sources.shop.kind=store", "sources.shop.topics=[\"x\", \"y\"]"]);
    let topics =
        |name: &str| config.sources.iter().find(|source| source.name == name).map(|source| source.topics.clone());
    assert_eq!(topics("call-centre"), Some(vec!["calls".to_owned()]));
    assert_eq!(topics("shop"), Some(vec!["x".to_owned(), "y".to_owned()]));
    assert_eq!(config.kafka.client["socket.timeout.ms"], "5000");
}

#[test]
fn what_is_left_open_is_derived() {
    let config = resolve(
        "[commit]\nprofile = \"low_latency\"\n[topics]\nreplication = 3\n[sources.store]\nenabled = true",
        &[],
        &[],
    );
    assert_eq!(config.commit.interval, Duration::from_millis(25));
    assert_eq!(config.topics.min_in_sync.get(), 2);
    assert_eq!(origin(&config, "sources.store.encoding"), "derived from sources.web");
    let slower = resolve("[commit]\nprofile = \"low_latency\"\ninterval = \"40ms\"", &[], &[]);
    assert_eq!(slower.commit.interval, Duration::from_millis(40));
}

#[test]
fn a_hash_key_comes_from_a_file_or_a_variable() {
    let key = "00".repeat(32);
    let config = resolve("", &[("THROUGHLINE__IDENTITY__HASH_KEY", &key)], &[]);
    assert!(matches!(config.identity.hash_key, HashKeySource::Inline(_)));
    assert!(config.warnings.is_empty());
    assert!(!format!("{config:?}").contains(&key));
    let config = resolve("[identity]\nhash_key_file = \"/run/secrets/key\"", &[], &[]);
    assert!(matches!(config.identity.hash_key, HashKeySource::File(_)));
}

#[test]
fn every_format_of_this_build_may_be_listed() {
    let surroundings = Surroundings::new(NonZeroU32::MIN);
    assert!(!surroundings.formats.is_empty());
    for format in &surroundings.formats {
        let raw = RawConfig { flags: vec![format!("sources.web.formats={format}")], ..RawConfig::default() };
        let config = raw.resolve(&surroundings).unwrap_or_else(|errors| panic!("{errors:?}"));
        let web = config.sources.iter().find(|source| source.name == "web").expect("web is on");
        assert_eq!(web.formats, std::slice::from_ref(format));
    }
}

#[test]
fn many_transaction_markers_are_remarked() {
    let warned = |file: &str| resolve(file, &[], &[]).warnings.iter().any(|warning| warning.key == "commit.interval");
    assert!(!warned("[commit]\nprofile = \"low_latency\"\n"));
    assert!(warned("[commit]\ninterval = \"10ms\"\n[topics]\npartitions = 128\n"));
}

fn on_machine(gibibytes: u64, file: &str) -> Config {
    let raw = RawConfig { file: Some(("t.toml".to_owned(), file.to_owned())), ..RawConfig::default() };
    let memory = Memory { bytes: gibibytes << 30, from: "memory of the machine".to_owned() };
    let surroundings = Surroundings { cores: NonZeroU32::MIN, formats: Vec::new(), memory: Some(memory) };
    raw.resolve(&surroundings).unwrap_or_else(|errors| panic!("{errors:?}"))
}

#[test]
fn the_memory_limit_is_what_is_there_unless_it_is_written() {
    let config = on_machine(16, "");
    assert_eq!(config.limits.memory_bytes, Some(16 << 30));
    assert_eq!(origin(&config, "limits.memory"), "derived from memory of the machine");
    assert_eq!(on_machine(16, "limits.memory = \"1GiB\"").limits.memory_bytes, Some(1 << 30));
    assert_eq!(resolve("", &[], &[]).limits.memory_bytes, None);
}

#[test]
fn bounds_that_fit_in_two_processes_only_are_remarked() {
    let remarks = |config: &Config| config.warnings.iter().filter(|warning| warning.key == "limits.memory").count();
    assert_eq!(remarks(&on_machine(1, "")), 0);
    let need = MemoryNeed::of(&on_machine(1, ""), true, true);
    assert_eq!(need.bytes(), 320 << 20);
    assert_eq!(remarks(&on_machine(1, "limits.memory = \"300MiB\"")), 1);
    let on_a_small_machine = on_machine(1, "kafka.client.\"queue.buffering.max.kbytes\" = 900000");
    assert_eq!(remarks(&on_a_small_machine), 1, "nobody wrote the limit: the start refuses");
}
