//! The topics of a deployment and how a cluster may differ from them.

use std::fmt::Write as _;
use std::num::NonZeroU32;

use expect_test::expect;
use throughline_config::topics::{TopicFound, TopicStep, compare, plan, source_plan};
use throughline_config::{Config, RawConfig, Surroundings};

fn resolve(file: &str) -> Config {
    let raw = RawConfig { file: Some(("t.toml".to_owned(), file.to_owned())), ..RawConfig::default() };
    let surroundings = Surroundings { cores: NonZeroU32::MIN, formats: Vec::new(), memory: None };
    raw.resolve(&surroundings).expect("the text is valid")
}

#[test]
fn the_plan_is_the_table_of_the_topic_contract() {
    let config = resolve("prefix = \"acme.\"\n[topics]\nreplication = 3\n");
    let mut text = String::new();
    for spec in plan(&config) {
        writeln!(text, "{} {} x {} {:?}", spec.name, spec.partitions, spec.replication, spec.settings)
            .expect("a string takes everything");
    }
    expect![[r#"
        acme.experience.touchpoints 32 x 3 {"cleanup.policy": "delete", "max.message.bytes": "1048576", "min.insync.replicas": "2", "retention.ms": "604800000"}
        acme.experience.scores 32 x 3 {"cleanup.policy": "compact", "delete.retention.ms": "86400000", "max.compaction.lag.ms": "604800000", "max.message.bytes": "1048576", "min.cleanable.dirty.ratio": "0.2", "min.insync.replicas": "2", "segment.bytes": "67108864", "segment.ms": "3600000"}
        acme.experience.customers 32 x 3 {"cleanup.policy": "compact", "delete.retention.ms": "86400000", "max.compaction.lag.ms": "604800000", "max.message.bytes": "1048576", "min.cleanable.dirty.ratio": "0.2", "min.insync.replicas": "2", "segment.bytes": "67108864", "segment.ms": "3600000"}
        acme.experience.changes 32 x 3 {"cleanup.policy": "delete", "max.message.bytes": "1048576", "min.insync.replicas": "2", "retention.ms": "604800000"}
        acme.experience.alerts 32 x 3 {"cleanup.policy": "delete", "max.message.bytes": "1048576", "min.insync.replicas": "2", "retention.ms": "7776000000"}
        acme.experience.alerts.state 8 x 3 {"cleanup.policy": "compact", "delete.retention.ms": "86400000", "max.compaction.lag.ms": "604800000", "max.message.bytes": "1048576", "min.cleanable.dirty.ratio": "0.2", "min.insync.replicas": "2", "segment.bytes": "67108864", "segment.ms": "3600000"}
        acme.experience.identity 32 x 3 {"cleanup.policy": "delete", "max.message.bytes": "1048576", "min.insync.replicas": "2", "retention.ms": "7776000000"}
        acme.experience.entities 32 x 3 {"cleanup.policy": "compact", "delete.retention.ms": "86400000", "max.compaction.lag.ms": "604800000", "max.message.bytes": "1048576", "min.cleanable.dirty.ratio": "0.2", "min.insync.replicas": "2", "segment.bytes": "67108864", "segment.ms": "3600000"}
        acme.experience.dead-letters 32 x 3 {"cleanup.policy": "delete", "max.message.bytes": "16777216", "min.insync.replicas": "2", "retention.ms": "604800000"}
        acme.experience.alerts.commands 8 x 3 {"cleanup.policy": "delete", "max.message.bytes": "1048576", "min.insync.replicas": "2", "retention.ms": "604800000"}
        acme.experience.identity.commands 8 x 3 {"cleanup.policy": "delete", "max.message.bytes": "1048576", "min.insync.replicas": "2", "retention.ms": "604800000"}
        acme.experience.privacy.commands 8 x 3 {"cleanup.policy": "delete", "max.message.bytes": "1048576", "min.insync.replicas": "2", "retention.ms": "604800000"}
        acme.throughline.experience.inbox 32 x 3 {"cleanup.policy": "delete", "max.message.bytes": "1048576", "min.insync.replicas": "2", "retention.ms": "-1"}
        acme.throughline.entity.inbox 32 x 3 {"cleanup.policy": "delete", "max.message.bytes": "1048576", "min.insync.replicas": "2", "retention.ms": "-1"}
        acme.throughline.experience.changelog 32 x 3 {"cleanup.policy": "compact", "delete.retention.ms": "86400000", "max.compaction.lag.ms": "604800000", "max.message.bytes": "1048576", "min.cleanable.dirty.ratio": "0.2", "min.insync.replicas": "2", "segment.bytes": "67108864", "segment.ms": "3600000"}
        acme.throughline.entity.changelog 32 x 3 {"cleanup.policy": "compact", "delete.retention.ms": "86400000", "max.compaction.lag.ms": "604800000", "max.message.bytes": "1048576", "min.cleanable.dirty.ratio": "0.2", "min.insync.replicas": "2", "segment.bytes": "67108864", "segment.ms": "3600000"}
        acme.throughline.instances 1 x 3 {"cleanup.policy": "compact", "delete.retention.ms": "86400000", "max.compaction.lag.ms": "604800000", "max.message.bytes": "1048576", "min.cleanable.dirty.ratio": "0.2", "min.insync.replicas": "2", "segment.bytes": "67108864", "segment.ms": "3600000"}
        acme.throughline.audit 8 x 3 {"cleanup.policy": "delete", "max.message.bytes": "1048576", "min.insync.replicas": "2", "retention.ms": "7776000000"}
    "#]].assert_eq(&text);
}

#[test]
fn outputs_that_are_off_have_no_topic() {
    let names = |file: &str| plan(&resolve(file)).into_iter().map(|spec| spec.name).collect::<Vec<_>>();
    let off = names("[outputs]\ntouchpoints = \"off\"\nalerts = \"off\"\n");
    assert!(!off.iter().any(|name| name == "experience.touchpoints" || name.starts_with("experience.alerts.state")));
    assert!(off.iter().any(|name| name == "experience.identity"));
}

#[test]
fn alerts_with_personal_fields_are_kept_shorter() {
    let retention = |file: &str| {
        let specs = plan(&resolve(file));
        let alerts = specs.into_iter().find(|spec| spec.name == "experience.alerts").expect("alerts are on");
        alerts.settings["retention.ms"].clone()
    };
    assert_eq!(retention(""), "7776000000");
    assert_eq!(retention("[alerts]\ncontext = true"), "604800000");
}

#[test]
fn differences_are_exact_and_partitions_are_never_changed() {
    let config = resolve("");
    let wanted: Vec<_> = plan(&config).into_iter().take(4).collect();
    let mut found: Vec<TopicFound> = wanted
        .iter()
        .take(3)
        .map(|spec| TopicFound {
            name: spec.name.clone(),
            partitions: spec.partitions,
            replication: spec.replication,
            settings: spec.settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        })
        .collect();
    found[1].partitions = 16;
    found[2].settings.insert("cleanup.policy".to_owned(), "delete".to_owned());
    let steps = compare(&wanted, &found);
    assert_eq!(steps[0], TopicStep::Keep { name: wanted[0].name.clone() });
    assert!(
        matches!(&steps[1], TopicStep::Refuse { problem, .. } if problem.starts_with("has 16 partitions instead of 32"))
    );
    let change = ("cleanup.policy", Some("delete".to_owned()), "compact".to_owned());
    assert_eq!(steps[2], TopicStep::Alter { name: wanted[2].name.clone(), settings: vec![change] });
    assert_eq!(steps[3], TopicStep::Create(wanted[3].clone()));
    assert_eq!(source_plan(&config).len(), 7);
}
