//! The model file beside the configuration.

use std::num::NonZeroU32;

use expect_test::{Expect, expect};
use throughline_config::model::DEFAULT_MODEL_TOML;
use throughline_config::{Config, KeyPath, RawConfig, Surroundings};
use throughline_experience::Rules;
use throughline_experience::span::Span;
use throughline_model::alert::{AlertType, RuleMode};

fn resolve(file: &str) -> Config {
    let raw = RawConfig { file: Some(("t.toml".to_owned(), file.to_owned())), ..RawConfig::default() };
    let surroundings = Surroundings { cores: NonZeroU32::MIN, formats: Vec::new(), memory: None };
    raw.resolve(&surroundings).expect("the text is valid")
}

fn check(file: &str, model: &str, expected: Expect) {
    let errors = resolve(file).rules(Some(("m.toml", model))).expect_err("the model is bad");
    let printed: Vec<String> = errors.iter().map(ToString::to_string).collect();
    expected.assert_eq(&(printed.join("\n") + "\n"));
}

#[test]
fn the_embedded_model_is_the_default_of_the_rules() {
    assert_eq!(resolve("").rules(None), Ok(Rules::default()));
    assert_eq!(resolve("").rules(Some(("m.toml", DEFAULT_MODEL_TOML))), Ok(Rules::default()));
    assert_eq!(resolve("").rules(Some(("m.toml", ""))), Ok(Rules::default()));
}

#[test]
fn the_reference_shows_the_alert_rules_of_the_embedded_model() {
    let mut shown = resolve("");
    let before = shown.settings.clone();
    let rules = shown.rules(Some(("m.toml", DEFAULT_MODEL_TOML))).expect("the embedded model is valid");
    for (path, setting) in &shown.settings {
        assert_eq!(before.get(path).map(|before| &before.value), Some(&setting.value), "{path}");
    }
    assert_eq!(rules.version(), Rules::default().version());
}

#[test]
fn every_key_of_the_model_has_a_comment() {
    let lines: Vec<&str> = DEFAULT_MODEL_TOML.lines().collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.contains(" = ") && !line.starts_with('#')) {
        assert!(at > 0 && lines[at - 1].starts_with('#'), "{line}");
    }
}

#[test]
fn the_configuration_goes_before_the_model_and_the_model_before_the_defaults() {
    let model = "name = \"ours\"\n[read.alerts.experience_low]\nopens_at = 30.0\nresolves_at = 45.0\n";
    let file = "[alerts.experience_low]\nresolves_at = 48\n[alerts.exit_intent]\nmode = \"shadow\"\n[consent]\nstrict = true\n\
                [event_time]\nmax_age = \"10000d\"\n";
    let mut config = resolve(file);
    let rules = config.rules(Some(("m.toml", model))).expect("the model is valid");
    let low = rules.read.alerts.of(AlertType::ExperienceLow);
    assert_eq!((low.opens_at, low.resolves_at), (Some(30.0), Some(48.0)));
    assert_eq!(rules.read.alerts.of(AlertType::ExitIntent).mode, RuleMode::Shadow);
    assert!(rules.deployment.strict_consent);
    assert_eq!(rules.deployment.max_age, Span::days(10_000));
    let shown = |key: &str| config.settings[&KeyPath::of(key)].clone();
    assert_eq!(shown("alerts.experience_low.opens_at").origin.to_string(), "derived from m.toml");
    assert_eq!(shown("alerts.experience_low.opens_at").value.to_string(), "30.0");
    assert_eq!(shown("alerts.experience_low.resolves_at").value.to_string(), "48.0");
}

#[test]
fn only_the_read_half_follows_the_configuration() {
    let (before, after) = (resolve("").rules(None), resolve("[alerts.experience_low]\nopens_at = 35\n").rules(None));
    let (before, after) = (before.expect("valid"), after.expect("valid"));
    assert_eq!(before.fold_hash(), after.fold_hash());
    assert_ne!(before.version(), after.version());
}

#[test]
fn mistakes_of_the_model_are_told_with_their_place() {
    check(
        "",
        "name = \"x\"\n[fold]\nbrand_share = 0.5\nlamda = 2.0\n[raed]\nx = 1\n",
        expect![[r#"
            error: `fold.brand_share`: unknown key of the model
              --> m.toml:3:1
              = help: the brand answers in full for what its partners do; no key takes that share away, and entities are scored beside it
            error: `fold.lamda`: unknown key of the model
              --> m.toml:4:1
              = help: did you mean `lambda`?
            error: `raed`: unknown key of the model
              --> m.toml:5:2
              = help: did you mean `read`?
        "#]],
    );
    check(
        "",
        "[fold]\nlambda = 9.0\nnps = [2.0,0,0,0,0,0,0,0,0,0,0]\n[fold.facts]\n\"order.wrng\" = -0.5\n",
        expect![[r#"
            error: `fold.nps`: valences are from -1 to 1
              --> m.toml:3:1
            error: `fold.facts.order.wrng`: unknown touchpoint type
              --> m.toml:5:1
            error: `fold.lambda`: from 1 to 3
              --> m.toml:2:1
        "#]],
    );
    check(
        "",
        "[fold]\nlambda = \"two\"\n",
        expect![[r#"
        error: invalid type: string "two", expected f64
          --> m.toml:2:10
    "#]],
    );
    check(
        "",
        "[read.alerts.severe_moment]\ncooldwn = \"1h\"\n",
        expect![[r#"
        error: unknown field `cooldwn`, expected one of `mode`, `opens_at`, `resolves_at`, `cooldown`, `expires`, `due`
          --> m.toml:2:1
    "#]],
    );
    check(
        "",
        "fold\n",
        expect![[r#"
        error: not TOML: key with no value, expected `=`
          --> m.toml:1:5
    "#]],
    );
    check(
        "[alerts.experience_low]\nresolves_at = 42\n",
        "[read.alerts.experience_low]\nopens_at = 45.0\n",
        expect![[r#"
            error: `read.alerts.experience_low`: resolves_at lies below opens_at
              --> derived from m.toml and [alerts]
        "#]],
    );
}
