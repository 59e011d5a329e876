//! The model file: read, checked against the embedded one, joined with what the configuration sets beside it.

use std::ops::Range;
use std::time::Duration;

pub use throughline_experience::Rules;
use throughline_experience::rules::AlertRule;
use throughline_experience::span::Span;
use throughline_model::alert::AlertType;
use toml_edit::{Document, TableLike};

use crate::error::{ConfigError, Origin};
use crate::kind::nearest;
use crate::layers::{KeyPath, Setting, refused_by_design};
use crate::resolve::Config;
use crate::units::show_duration;
use crate::value::Value;

/// The embedded model file.
pub const DEFAULT_MODEL_TOML: &str = include_str!("../../../models/default.toml");

impl Config {
    /// The rules of this deployment: the model file (its name and text; none: the embedded one), then what the configuration
    /// sets under `[alerts]`, `[consent]` and `[event_time]`. What the model says about alerts becomes visible in
    /// [`Config::settings`] where nobody set anything else.
    ///
    /// # Errors
    /// Every mistake of the file, and thresholds that do not fit together any more.
    pub fn rules(&mut self, model: Option<(&str, &str)>) -> Result<Rules, Vec<ConfigError>> {
        let (file, text) = model.unwrap_or(("models/default.toml", DEFAULT_MODEL_TOML));
        let mut rules = read_model(file, text)?;
        for (kind, change) in &self.alerts.changes {
            let rule = rules.read.alerts.of_mut(*kind);
            rule.mode = change.mode.unwrap_or(rule.mode);
            rule.opens_at = change.opens_at.or(rule.opens_at);
            rule.resolves_at = change.resolves_at.or(rule.resolves_at);
            rule.cooldown = change.cooldown.map(span).or(rule.cooldown);
            rule.expires = change.expires.map_or(rule.expires, span);
            rule.due = change.due.map(span).or(rule.due);
        }
        rules.deployment.strict_consent = self.consent_strict;
        rules.deployment.max_age = span(self.event_time.max_age);
        let problems = rules.problems();
        if !problems.is_empty() {
            let origin = Origin::Derived { from: format!("{file} and [alerts]") };
            let errors = problems.into_iter().map(|(key, why)| ConfigError::new(key, origin.clone(), why));
            return Err(errors.collect());
        }
        if model.is_some() {
            self.note_model(&rules, file);
        }
        Ok(rules)
    }

    /// Shows the model's alert rules where nobody set anything, so that what is printed is what holds.
    fn note_model(&mut self, rules: &Rules, file: &str) {
        for kind in AlertType::ALL {
            for (key, value) in rule_values(rules.read.alerts.of(*kind)) {
                let path = KeyPath::of(&format!("alerts.{kind}.{key}"));
                let is_set = self.settings.get(&path).is_some_and(|setting| setting.origin.is_set());
                if let (Some(value), false) = (value, is_set) {
                    let origin = Origin::Derived { from: file.to_owned() };
                    self.settings.insert(path, Setting { value, origin, snippet: None });
                }
            }
        }
    }
}

/// An alert rule as values of the configuration.
fn rule_values(rule: &AlertRule) -> [(&'static str, Option<Value>); 6] {
    let duration = |span: Span| Value::Duration(Duration::from_millis(span.millis().unsigned_abs()));
    [
        ("mode", Some(Value::Text(rule.mode.as_str().to_owned()))),
        ("opens_at", rule.opens_at.map(Value::Number)),
        ("resolves_at", rule.resolves_at.map(Value::Number)),
        ("cooldown", rule.cooldown.map(duration)),
        ("expires", Some(duration(rule.expires))),
        ("due", rule.due.map(duration)),
    ]
}

fn span(duration: Duration) -> Span {
    Span::parse(&show_duration(duration))
        .expect("the ranges of these keys start at a minute and end at a hundred years")
}

/// Reads a model file and checks its numbers.
fn read_model(file: &str, text: &str) -> Result<Rules, Vec<ConfigError>> {
    let place = |span: Option<Range<usize>>| {
        let before = &text[..span.map_or(0, |span| span.start)];
        let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
        Origin::File { file: file.to_owned(), line: before.matches('\n').count() + 1, column }
    };
    let document = Document::parse(text)
        .map_err(|error| vec![ConfigError::new("", place(error.span()), format!("not TOML: {}", error.message()))])?;
    let known = Document::parse(DEFAULT_MODEL_TOML).expect("the embedded model is TOML");
    let mut unknown = Vec::new();
    find_unknown(document.as_table(), known.as_table(), &mut Vec::new(), &mut unknown);
    if !unknown.is_empty() {
        let errors = unknown.into_iter().map(|(key, span, hint)| {
            let error = ConfigError::new(key, place(span), "unknown key of the model");
            match hint {
                Some(hint) => error.with_help(hint),
                None => error,
            }
        });
        return Err(errors.collect());
    }
    let rules: Rules = toml::from_str(text).map_err(|error| {
        let problem = error.message().lines().collect::<Vec<_>>().join(", ");
        vec![ConfigError::new("", place(error.span()), problem)]
    })?;
    let problems = rules.problems();
    if problems.is_empty() {
        return Ok(rules);
    }
    let errors = problems.into_iter().map(|(key, why)| {
        let origin = place(span_of(document.as_table(), &key));
        ConfigError::new(key, origin, why)
    });
    Err(errors.collect())
}

type Unknown = (String, Option<Range<usize>>, Option<String>);

/// Keys that the embedded model does not have. Below `fold.facts` and one type of alert, names are checked by their meaning.
fn find_unknown(table: &dyn TableLike, known: &dyn TableLike, path: &mut Vec<String>, unknown: &mut Vec<Unknown>) {
    for (name, item) in table.iter() {
        path.push(name.to_owned());
        match known.get(name) {
            None => {
                let near = nearest(name, known.iter().map(|(name, _)| name));
                let near = near.map(|near| format!("did you mean `{near}`?"));
                let hint = refused_by_design(name).map(str::to_owned).or(near);
                unknown.push((path.join("."), table.key(name).and_then(toml_edit::Key::span), hint));
            }
            Some(known) => {
                let is_open = path[0] == "fold" && name == "facts" || path.len() == 3 && path[1] == "alerts";
                if let (Some(inner), Some(known), false) = (item.as_table_like(), known.as_table_like(), is_open) {
                    find_unknown(inner, known, path, unknown);
                }
            }
        }
        path.pop();
    }
}

/// Where a key of the file is, as far down as the file goes.
fn span_of(table: &dyn TableLike, key: &str) -> Option<Range<usize>> {
    // Names of touchpoint types have dots of their own.
    let (first, rest) = key.split_once('.').unwrap_or((key, ""));
    let span = |name: &str| table.key(name).and_then(toml_edit::Key::span);
    if let Some(found) = span(key) {
        return Some(found);
    }
    let inner = table.get(first)?.as_table_like()?;
    span_of(inner, rest).or_else(|| span(first))
}
