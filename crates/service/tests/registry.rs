//! The registry client against the registry of the test kit.

use std::time::Duration;

use throughline_config::{RegistryAuth, RegistryOptions, Secret, SecretSource, SubjectNames, TlsOptions};
use throughline_pipeline::records::{RecordRole, all_schemas};
use throughline_service::registry::{Lookup, Registry, RegistryError, SubjectState, WantedSchema, wanted};
use throughline_testkit::registry::{Access, Outage, Registry as TestRegistry};

const VISIT: &str = r#"{"type":"record","name":"Visit","fields":[{"name":"page","type":"string"}]}"#;
const VISIT_WITH_ID: &str =
    r#"{"type":"record","name":"Visit","fields":[{"name":"page","type":"string"},{"name":"id","type":"string"}]}"#;

fn options(registry: &TestRegistry) -> RegistryOptions {
    RegistryOptions {
        url: registry.url(),
        auth: RegistryAuth::Anonymous,
        tls: TlsOptions::default(),
        subjects: SubjectNames::Topic,
        register: false,
        timeout: Duration::from_secs(5),
    }
}

fn client(registry: &TestRegistry) -> Registry {
    Registry::new(&options(registry)).expect("the options are complete")
}

fn outputs() -> Vec<WantedSchema> {
    let schemas = all_schemas();
    let outputs = schemas.iter().filter(|schema| schema.role == RecordRole::Output);
    wanted(outputs.map(|schema| (schema.topic, schema)), SubjectNames::Topic)
}

fn visit(schema: &str) -> WantedSchema {
    WantedSchema { subject: "visits/web-value".to_owned(), text: schema.to_owned() }
}

#[test]
fn a_known_id_is_asked_for_once() {
    let registry = TestRegistry::start();
    let id = registry.register("visits-value", VISIT);
    let client = client(&registry);
    assert_eq!(client.cached(id), None);
    for _ in 0..3 {
        assert_eq!(client.lookup(id), Lookup::Known(VISIT.into()));
    }
    assert_eq!(registry.seen().len(), 1);
    registry.set_outage(Some(Outage::Dropped));
    assert_eq!(client.cached(id), Some(Lookup::Known(VISIT.into())));
}

#[test]
fn an_unknown_id_is_not_an_outage() {
    let registry = TestRegistry::start();
    let client = client(&registry);
    assert!(matches!(client.lookup(77), Lookup::Unknown(_)));
    assert!(matches!(client.lookup(77), Lookup::Unknown(_)));
    assert_eq!(registry.seen().len(), 1, "an unknown id is left alone for a while");
}

#[test]
fn an_outage_or_missing_rights_leave_the_schema_pending() {
    for outage in [Outage::Status(503), Outage::Status(500), Outage::Status(404), Outage::Dropped] {
        let registry = TestRegistry::start();
        let id = registry.register("visits-value", VISIT);
        registry.set_outage(Some(outage));
        assert_eq!(client(&registry).lookup(id), Lookup::Pending, "{outage:?}");
    }
    let registry = TestRegistry::start();
    let id = registry.register("visits-value", VISIT);
    registry.set_access(Access::Bearer("token".to_owned()));
    assert_eq!(client(&registry).lookup(id), Lookup::Pending);
}

#[test]
fn credentials_are_shown() {
    let registry = TestRegistry::start();
    let id = registry.register("visits-value", VISIT);
    let secret = |text: &str| SecretSource::Inline(Secret::new(text));
    let basic = RegistryAuth::Basic { username: "Aladdin".to_owned(), password: secret("open sesame") };
    for (access, auth) in [
        (Access::Basic("QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned()), basic),
        (Access::Bearer("t-1".to_owned()), RegistryAuth::Bearer(secret("t-1"))),
    ] {
        registry.set_access(access);
        let client = Registry::new(&RegistryOptions { auth, ..options(&registry) }).expect("the options are complete");
        assert_eq!(client.lookup(id), Lookup::Known(VISIT.into()));
        assert!(!format!("{client:?}").contains("t-1"), "secrets are not shown in logs");
    }
}

#[test]
fn apply_does_what_plan_says_and_is_done_then() {
    let registry = TestRegistry::start();
    let client = client(&registry);
    let outputs = outputs();
    assert!(client.plan(&outputs).expect("the registry answers").iter().all(|state| *state == SubjectState::Missing));
    assert!(client.ids(&outputs, false).is_err(), "nothing is registered unless asked");

    let ids = client.apply(&outputs).expect("every schema is taken");
    let states: Vec<_> = ids.iter().copied().map(SubjectState::Registered).collect();
    assert_eq!(client.plan(&outputs), Ok(states));
    assert_eq!(client.apply(&outputs), Ok(ids.clone()), "twice is once");
    assert_eq!(client.ids(&outputs, false).expect("all are there"), ids);
    assert_eq!(client.ids(&outputs, true).expect("all are there"), ids);
}

#[test]
fn an_incompatible_schema_is_planned_as_such_and_refused() {
    let registry = TestRegistry::start();
    let client = client(&registry);
    client.apply(&[visit(VISIT)]).expect("the first is taken");
    let states = client.plan(&[visit(VISIT_WITH_ID)]).expect("the registry answers");
    assert!(matches!(&states[..], [SubjectState::Incompatible(_)]), "{states:?}");
    assert!(matches!(client.apply(&[visit(VISIT_WITH_ID)]), Err(RegistryError::Refused { code: 409, .. })));
}

#[test]
fn subjects_are_named_by_the_strategy() {
    let schemas = all_schemas();
    let scores = schemas.iter().find(|schema| schema.topic == "experience.scores").expect("scores have a schema");
    let named = |names| wanted([("acme.experience.scores", scores)], names)[0].subject.clone();
    assert_eq!(named(SubjectNames::Topic), "acme.experience.scores-value");
    assert_eq!(named(SubjectNames::Record), "throughline.Score");
    assert_eq!(named(SubjectNames::TopicRecord), "acme.experience.scores-throughline.Score");
}
