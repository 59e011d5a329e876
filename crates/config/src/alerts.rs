//! The tables `[alerts]`.

use throughline_model::alert::AlertType;

use crate::layers::KeyPath;
use crate::options::{AlertOptions, AlertRuleChange};
use crate::resolve::Resolver;
use crate::value::Value;

pub(crate) fn alert_options(resolver: &Resolver) -> AlertOptions {
    AlertOptions {
        publish_suppressed: resolver.flag("alerts.publish_suppressed"),
        context: resolver.flag("alerts.context"),
        changes: AlertType::ALL.iter().map(|kind| (*kind, change(resolver, *kind))).collect(),
    }
}

fn change(resolver: &Resolver, kind: AlertType) -> AlertRuleChange {
    let set = |key: &str| {
        let setting = resolver.settings.get(&KeyPath::of(&format!("alerts.{kind}.{key}")));
        setting.filter(|setting| setting.origin.is_set()).map(|setting| &setting.value)
    };
    let number = |key: &str| match set(key) {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    };
    let duration = |key: &str| match set(key) {
        Some(Value::Duration(duration)) => Some(*duration),
        _ => None,
    };
    AlertRuleChange {
        mode: set("mode").and_then(|mode| mode.texts().pop()).and_then(|mode| mode.parse().ok()),
        opens_at: number("opens_at"),
        resolves_at: number("resolves_at"),
        cooldown: duration("cooldown"),
        expires: duration("expires"),
        due: duration("due"),
    }
}
