//! Bounds on a real Kafka: memory that is short makes sources wait and nothing else, and a record of 10 MB and a key with half
//! of the traffic pass beside the others.

mod deployment;

use std::collections::{BTreeMap, BTreeSet};

use deployment::load::now_ms;
use deployment::program::Program;
use deployment::records::{Record, Tail, produce, read};
use deployment::{Deployment, PARTITIONS, SESSION_TIMEOUT, http};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

/// A memory limit, and queues that fit into little of it.
fn limits(memory: u64) -> String {
    format!(
        "[kafka.client]\n\"queued.max.messages.kbytes\" = 2048\n\"queue.buffering.max.kbytes\" = 20480\n\
         [limits]\nmemory = \"{}MiB\"\ncatalog = \"1MiB\"\n",
        memory / MIB
    )
}

fn touchpoint(login: &str, id: &str, text: &str) -> Record {
    let value = json!({
        "type": "survey.answered", "source_id": id, "occurred_at": now_ms() - 60_000, "text": text,
        "identifiers": [{"type": "login", "value": login, "trust": "authenticated"}],
        "evidence": [{"kind": "csat", "score": 4, "min": 1, "max": 5}],
    });
    Record { key: Some(login.as_bytes().to_vec()), value: Some(value.to_string().into_bytes()), ..Record::default() }
}

fn workers(status: &Value) -> impl Iterator<Item = &Value> {
    status["workers"].as_array().expect("a list").iter()
}

/// The bound of the first worker of the experience stage.
fn bound<'s>(status: &'s Value, name: &str) -> &'s Value {
    let worker = workers(status).find(|worker| worker["stage"] == "experience").expect("a worker");
    let bounds = worker["bounds"].as_array().expect("a list");
    bounds.iter().find(|bound| bound["bound"] == name).unwrap_or(&Value::Null)
}

/// When the workers of a stage last committed, as text that sorts.
fn committed_at(program: &Program, stage: &str) -> String {
    let status = program.json("/v1/status");
    let worker = workers(&status).find(|worker| worker["stage"] == stage).expect("a worker");
    worker["committed_at"].as_str().unwrap_or_default().to_owned()
}

/// Partitions that wait for memory.
fn pressed(status: &Value) -> usize {
    let partitions = workers(status).flat_map(|worker| worker["partitions"].as_array().expect("a list"));
    partitions.filter(|partition| partition["paused"] == "backpressure").count()
}

const CUSTOMERS: u32 = 50_000;

/// A touchpoint with so much declared about its customer that memory is soon full.
fn declaring(at: u32) -> Record {
    let attributes: Vec<Value> = (0..12)
        .map(|name| json!({"name": format!("declared-{name}"), "value": "x".repeat(200), "purpose": "service"}))
        .collect();
    let value = json!({
        "type": "page.viewed", "source_id": format!("t{at}"), "occurred_at": now_ms() - 60_000, "attributes": attributes,
        "identifiers": [{"type": "login", "value": format!("u{at}"), "trust": "authenticated"}],
    });
    Record { value: Some(value.to_string().into_bytes()), ..Record::default() }
}

#[test]
fn sources_wait_for_memory_and_nothing_else_does() {
    let source = Deployment::web_source();
    let topic = source.topic.clone();
    let limit = 192 * MIB;
    let mut deployment = Deployment::new("memory", &[source], "");
    deployment.set_commit("overlay = \"4MiB\"\n");
    deployment.set_extra(&limits(limit));
    produce(&topic, (0..CUSTOMERS).map(declaring));
    let program = deployment.start_ready(0);
    let below = |program: &Program| {
        let used = program.resident_bytes();
        assert!(used < limit, "{used} bytes of {limit}: {}", program.json("/v1/status"));
    };

    // The customers of the backlog alone need more than there is.
    program.wait_until("sources wait, and a note says for which bound", || {
        below(&program);
        let status = program.json("/v1/status");
        let memory = bound(&status, "memory_bytes");
        let mut notes = status["notes"].as_array().expect("a list").iter().filter(|note| note["code"] == "TL-P4");
        memory["holds"] == true
            && memory["limit"] == limit
            && pressed(&status) == 2 * PARTITIONS as usize
            && notes.any(|note| note["text"].as_str().is_some_and(|text| text.contains("memory_bytes")))
    });
    let url = format!("http://{}", program.address());
    program.wait_until("the command says the same", || {
        below(&program);
        let shown = deployment.call(&["status", "--url", &url]);
        ["full: memory_bytes", "memory is short", "throughline explain TL-P4", "(backpressure)"]
            .iter()
            .all(|line| shown.contains(line))
    });

    // Progress of the sources is committed every second, for longer than a member may be silent.
    let mut commits = BTreeSet::new();
    program.wait_until("commits of three session timeouts", || {
        below(&program);
        assert_eq!(http::get(program.address(), "/health/live").status, 200);
        commits.insert(committed_at(&program, "normalize"));
        commits.len() as u64 >= 3 * SESSION_TIMEOUT.as_secs()
    });
    for stage in ["normalize", "experience"] {
        let lost = program.metric(&format!("throughline_rebalances_total{{kind=\"lost\",stage=\"{stage}\"}}"));
        assert_eq!(lost, Some(0.0), "{stage} keeps its partitions");
    }
    let status = program.json("/v1/status");
    assert!(status["customers"].as_u64().is_some_and(|count| count < u64::from(CUSTOMERS)));
    program.drain();

    // With enough memory what waited is read: nothing was lost, nothing comes twice.
    deployment.set_extra(&limits(2_048 * MIB));
    let program = deployment.start_ready(0);
    deployment.wait_for_touchpoints(u64::from(CUSTOMERS));
    program.wait_until("all customers are seen", || program.json("/v1/status")["customers"] == CUSTOMERS);
    assert_eq!(pressed(&program.json("/v1/status")), 0);
    program.drain();
    assert_eq!(read(&deployment.topic("experience.touchpoints")).len(), CUSTOMERS as usize);
}

#[test]
fn bounds_that_cannot_fit_are_refused_at_the_start_by_name() {
    let source = Deployment::web_source();
    let mut deployment = Deployment::new("unfit", &[source], "");
    deployment.set_extra("[limits]\nmemory = \"300MiB\"\n");
    let mut program = deployment.start(0);
    let ended = program.wait_end(deployment::LIMIT);
    assert_eq!(ended.code(), Some(2), "{}", program.log());
    assert!(program.log().contains("commit.overlay") && program.log().contains("320MiB"), "{}", program.log());
}

#[test]
fn a_record_of_ten_megabytes_passes_beside_the_others() {
    let source = Deployment::web_source();
    let topic = source.topic.clone();
    let limit = 256 * MIB;
    let mut deployment = Deployment::new("large", &[source], "");
    deployment.set_commit("overlay = \"16MiB\"\n");
    deployment.set_extra(&limits(limit));
    let program = deployment.start_ready(0);
    let letters = deployment.topic("experience.dead-letters");
    let mut letters = Tail::new(&letters);
    let normal = |round: u32| (0..500).map(move |at| touchpoint(&format!("u{at}"), &format!("t{round}-{at}"), ""));
    let large = (0..4).map(|at| touchpoint("large", &format!("large-{at}"), &"x".repeat(10_000_000)));
    produce(&topic, normal(0));
    produce(&topic, large);
    produce(&topic, normal(1));
    let mut found = 0;
    let read = letters.until("the dead letters", |_| {
        found += 1;
        found == 4
    });
    for letter in &read {
        assert_eq!(letter.header("throughline_reason"), Some("too_large"));
        assert!(letter.record.value.as_ref().is_some_and(|value| value.len() > 10_000_000), "as it came");
    }
    deployment.wait_for_touchpoints(1_000);
    let used = program.resident_bytes();
    assert!(used < limit, "{used} bytes of {limit}");
    program.drain();
}

#[test]
fn a_key_with_half_of_the_traffic_hides_no_other() {
    let source = Deployment::web_source();
    let topic = source.topic.clone();
    let deployment = Deployment::new("hot", &[source], "");
    let program = deployment.start_ready(0);
    let (hot, others) = (4_000_u32, 400_u32);
    let records = (0..hot).flat_map(|at| {
        let other = format!("u{}", at % others);
        [touchpoint("hot", &format!("hot-{at}"), ""), touchpoint(&other, &format!("cold-{at}"), "")]
    });
    produce(&topic, records);
    deployment.wait_for_touchpoints(u64::from(2 * hot));
    let mut touchpoints: BTreeMap<String, u64> = BTreeMap::new();
    program.wait_until("all scores", || {
        for found in read(&deployment.topic("experience.scores")) {
            touchpoints.insert(found.key(), found.json()["touchpoints"].as_u64().unwrap_or_default());
        }
        touchpoints.values().sum::<u64>() == u64::from(2 * hot)
    });
    let mut counts: Vec<u64> = touchpoints.into_values().collect();
    counts.sort_unstable();
    assert_eq!(counts.pop(), Some(u64::from(hot)));
    assert_eq!(counts, vec![u64::from(hot / others); others as usize]);
    program.wait_until("what the hot key forgets is counted", || {
        let capped = program.metric("throughline_state_capped_total{component=\"recent\"}");
        capped == Some(f64::from(hot - 128))
    });
    program.drain();
}
