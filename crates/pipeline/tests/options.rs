//! What a deployment may set about the stages: when a source pauses, whom alerts name, what they carry.

mod local;

use std::sync::Arc;

use local::{Stage, service_options, touchpoint};
use serde_json::json;
use throughline_model::{IdHasher, Now, ReceivedAt, RecordOffset, SourceKind, Topic};
use throughline_normalize::{NoSchemas, NormalizeOptions, Normalizer, SourceOptions};
use throughline_pipeline::local::LocalRun;
use throughline_pipeline::{ExperienceOptions, HealthLimits, NormalizeStage, Targets};
use throughline_worker::{InputRecord, Outputs, ProcessContext, Processor, Stall, TaskId};

const NOW: Now = Now::from_millis(local::START);

/// A normalize stage after `rejected` of ten records of its only partition were garbage: what the next record gets.
fn after_ten(rejected: u32, limits: HealthLimits) -> Result<(), Stall> {
    let normalizer = Normalizer::new(NormalizeOptions::default(), IdHasher::new([7; 32], "acme"));
    let sources = vec![("web".to_owned(), Arc::new(SourceOptions::new("web", SourceKind::Web)))];
    let mut stage = NormalizeStage::new(normalizer, sources, NoSchemas, Arc::default(), 1).with_limits(limits);
    let good = touchpoint("page.viewed", "ann", 0.0, json!({})).to_string();
    let mut push = |value: &str, offset: i64| {
        let headers: Vec<(String, Option<Vec<u8>>)> = Vec::new();
        let record = InputRecord {
            task: TaskId { topic: 0, partition: 0 },
            offset: RecordOffset(offset),
            received_at: ReceivedAt::from_millis(local::START),
            key: None,
            value: Some(value.as_bytes()),
            headers: &headers,
        };
        stage.process(&record, ProcessContext { now: NOW, reject: false }, &mut Outputs::default())
    };
    for at in 0..10 {
        push(if at < rejected { "{" } else { &good }, i64::from(at)).expect("a window that is not full judges nobody");
    }
    push(&good, 10)
}

#[test]
fn a_source_partition_pauses_above_the_share_that_is_set() {
    let limits = HealthLimits { window_records: 10, rejected_share: 0.3 };
    assert_eq!(after_ten(3, limits), Ok(()), "at the share is not above it");
    assert_eq!(after_ten(4, limits), Err(Stall::Rejecting));
    assert_eq!(after_ten(10, HealthLimits { rejected_share: 1.0, ..limits }), Ok(()), "at 1 nothing pauses");
    assert_eq!(after_ten(10, HealthLimits::default()), Ok(()), "the usual window is larger");
}

fn stage(change: impl FnOnce(&mut ExperienceOptions)) -> Stage {
    let mut options = service_options();
    options.normalize.received_at_event_time = true;
    change(&mut options.experience);
    Stage { run: LocalRun::new(options), outputs: Vec::new() }
}

fn lost_bag(stage: &mut Stage) {
    let owners = json!({"owners": {"partner": "red-line", "store": "12"}});
    stage.touchpoint(SourceKind::Partner, &touchpoint("partner.trip.cancelled", "ann", 0.5, owners));
}

#[test]
fn recipients_are_the_targets_of_the_routing() {
    let mut plain = stage(|_| {});
    lost_bag(&mut plain);
    let alert = &plain.values(Topic::Alerts)[0];
    let roles: Vec<_> = alert["recipients"].as_array().expect("recipients").clone();
    assert!(!roles.is_empty());
    assert!(
        roles.iter().all(|recipient| recipient["target"] == ""),
        "without a routing file roles stand alone: {alert}"
    );

    let first = local::text(&roles[0]["role"]);
    let known = first.clone();
    let find = move |role: &str, entity: &str| (role == known).then(|| format!("queue:{role}:{entity}"));
    let mut routed = stage(|options| options.targets = Targets::new(Arc::new(find)));
    lost_bag(&mut routed);
    let alert = &routed.values(Topic::Alerts)[0];
    let target = local::text(&alert["recipients"][0]["target"]);
    assert!(target.starts_with(&format!("queue:{first}:")), "{alert}");
}

#[test]
fn context_is_declared_and_allowed_or_not_there() {
    let attributes = json!({"attributes": [
        {"name": "diet", "value": "vegan"},
        {"name": "budget", "value": "low", "purpose": "marketing"},
    ]});
    let granted = json!({"consents": [{"purpose": "personalization", "status": "granted", "status_at": local::START}]});
    let context = |switched_on: bool, consent: bool| {
        let mut stage = stage(|options| options.switches.alert_context = switched_on);
        if consent {
            stage.touchpoint(SourceKind::Web, &touchpoint("consent.changed", "ann", 0.1, granted.clone()));
        }
        stage.touchpoint(SourceKind::Web, &touchpoint("profile.changed", "ann", 0.2, attributes.clone()));
        lost_bag(&mut stage);
        stage.values(Topic::Alerts)[0]["context"].clone()
    };
    assert_eq!(context(true, true), json!([{"name": "diet", "value": "vegan"}]));
    assert_eq!(context(true, false), json!([]), "personalization needs a grant");
    assert_eq!(context(false, true), json!([]), "off unless switched on");
}
