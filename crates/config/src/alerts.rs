//! The tables `[alerts]`.

use throughline_model::alert::RuleMode;

use crate::options::{
    AlertOptions, ExitIntentOptions, ExperienceDropOptions, ExperienceLowOptions, SevereMomentOptions,
    UrgentNeedOptions,
};
use crate::resolve::Resolver;

pub(crate) fn alert_options(resolver: &Resolver) -> AlertOptions {
    AlertOptions {
        publish_suppressed: resolver.flag("alerts.publish_suppressed"),
        context: resolver.flag("alerts.context"),
        budget: resolver.number("alerts.budget"),
        minimum_open: resolver.duration("alerts.minimum_open"),
        reopen_within: resolver.duration("alerts.reopen_within"),
        related_within: resolver.duration("alerts.related_within"),
        stale_after: resolver.duration("alerts.stale_after"),
        backfill_after: resolver.duration("alerts.backfill_after"),
        severe_moment: SevereMomentOptions {
            mode: mode(resolver, "severe_moment"),
            cooldown: resolver.duration("alerts.severe_moment.cooldown"),
            expires: resolver.duration("alerts.severe_moment.expires"),
        },
        urgent_need: UrgentNeedOptions {
            mode: mode(resolver, "urgent_need"),
            confidence: resolver.number("alerts.urgent_need.confidence"),
            due: resolver.duration("alerts.urgent_need.due"),
            quiet: resolver.duration("alerts.urgent_need.quiet"),
            expires: resolver.duration("alerts.urgent_need.expires"),
        },
        exit_intent: ExitIntentOptions {
            mode: mode(resolver, "exit_intent"),
            confidence: resolver.number("alerts.exit_intent.confidence"),
            cooldown: resolver.duration("alerts.exit_intent.cooldown"),
            expires: resolver.duration("alerts.exit_intent.expires"),
        },
        experience_low: ExperienceLowOptions {
            mode: mode(resolver, "experience_low"),
            opens_below: resolver.number("alerts.experience_low.opens_below"),
            opens_below_novice: resolver.number("alerts.experience_low.opens_below_novice"),
            resolves_at: resolver.number("alerts.experience_low.resolves_at"),
            hold: resolver.count("alerts.experience_low.hold"),
            cooldown: resolver.duration("alerts.experience_low.cooldown"),
            expires: resolver.duration("alerts.experience_low.expires"),
        },
        experience_drop: ExperienceDropOptions {
            mode: mode(resolver, "experience_drop"),
            opens_at: resolver.number("alerts.experience_drop.opens_at"),
            resolves_above: resolver.number("alerts.experience_drop.resolves_above"),
            touchpoints: resolver.count("alerts.experience_drop.touchpoints"),
            hold: resolver.count("alerts.experience_drop.hold"),
            hold_of: resolver.count("alerts.experience_drop.hold_of"),
            cooldown: resolver.duration("alerts.experience_drop.cooldown"),
            expires: resolver.duration("alerts.experience_drop.expires"),
        },
    }
}

fn mode(resolver: &Resolver, alert: &str) -> RuleMode {
    resolver.text(&format!("alerts.{alert}.mode")).parse().expect("a mode was checked when it was read")
}
