//! What a deployment wrote, checked for itself and against another that read the same records.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;
use throughline_codec::frame::{self, EntryKind};
use throughline_pipeline::state::encode_part;
use throughline_pipeline::table::{self, GROUPS, read_key};

use super::program::Program;
use super::records::{self, Found};
use super::{Deployment, load::Load};

/// Everything that a read-committed reader finds.
#[derive(Debug)]
pub struct Outputs {
    scores: BTreeMap<String, Value>,
    touchpoints: BTreeMap<(String, String), Value>,
    alerts: BTreeMap<String, i64>,
    entries: BTreeMap<u64, u32>,
}

impl Outputs {
    /// Reads all outputs and checks what must hold in any of them: no touchpoint twice (XO-1), versions without gaps (XO-2).
    pub fn read(deployment: &Deployment) -> Self {
        let name = &deployment.application;
        let mut touchpoints = BTreeMap::new();
        for found in records::read(&deployment.topic("experience.touchpoints")) {
            let value = found.json();
            let key = (text(&value, "touchpoint_id"), value["revision"].to_string());
            let at = format!("partition {} offset {}", found.partition, found.offset);
            if let Some(before) = touchpoints.insert(key.clone(), value) {
                panic!("{name}: touchpoint {key:?} is there twice, again at {at}; first {before}");
            }
        }
        touchpoints.values_mut().for_each(|value| strip(value, "emitted_at"));
        let mut scores = versioned(name, &records::read(&deployment.topic("experience.scores")));
        // How often a score was written depends on how many touchpoints shared a commit.
        scores.values_mut().for_each(|value| strip_all(value, &["emitted_at", "version"]));
        versioned(name, &records::read(&deployment.topic("experience.customers")));
        let alerts = sequenced(name, &records::read(&deployment.topic("experience.alerts")));
        let states = records::read(&deployment.topic("experience.alerts.state"));
        for (alert, seq) in sequenced(name, &states) {
            assert_eq!(alerts.get(&alert), Some(&seq), "{name}: alert {alert} differs between both topics");
        }
        Self { scores, touchpoints, alerts, entries: entries(deployment) }
    }

    /// How many touchpoints there are.
    pub fn touchpoints(&self) -> u64 {
        self.touchpoints.len() as u64
    }

    /// How many customers have a score.
    pub fn customers(&self) -> u64 {
        self.scores.len() as u64
    }

    /// Ids of alerts.
    pub fn alerts(&self) -> usize {
        self.alerts.len()
    }

    /// Checks that these are the outputs of `undisturbed`.
    pub fn assert_same(&self, undisturbed: &Self) {
        let missing = undisturbed.touchpoints.keys().filter(|key| !self.touchpoints.contains_key(key)).count();
        let surplus = self.touchpoints.keys().filter(|key| !undisturbed.touchpoints.contains_key(key)).count();
        assert_eq!((missing, surplus), (0, 0), "touchpoints missing and in surplus");
        for (key, value) in &undisturbed.touchpoints {
            assert_eq!(&self.touchpoints[key], value, "touchpoint {key:?}");
        }
        assert!(self.scores.keys().eq(undisturbed.scores.keys()), "the same customers have scores");
        for (customer, score) in &self.scores {
            assert_eq!(score, &undisturbed.scores[customer], "score of customer {customer}");
        }
        assert_eq!(self.alerts, undisturbed.alerts, "alerts and how far they have come");
        assert!(self.entries == undisturbed.entries, "entries of the inbox, each as often");
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}")).to_owned()
}

/// Last value per key, with versions that rise by one.
fn versioned(name: &str, found: &[Found]) -> BTreeMap<String, Value> {
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    for found in found {
        let (key, value) = (found.key(), found.json());
        let before = last.get(&key).map_or(0, |before| before["version"].as_i64().unwrap_or(i64::MIN));
        assert_eq!(value["version"].as_i64(), Some(before + 1), "{name}: version of {key} after {before}: {value}");
        last.insert(key, value);
    }
    last
}

/// Last sequence number per alert, without gap or repetition.
fn sequenced(name: &str, found: &[Found]) -> BTreeMap<String, i64> {
    let mut last = BTreeMap::new();
    for found in found {
        let value = found.json();
        let (alert, seq) = (text(&value, "alert_id"), value["seq"].as_i64().expect("a number"));
        let before = last.insert(alert.clone(), seq).unwrap_or(0);
        assert_eq!(seq, before + 1, "{name}: seq of alert {alert}: {value}");
    }
    last
}

/// Touchpoints between both stages, by a hash of their bytes, with how often each is there: a second one would be recognized
/// as a duplicate later and show nowhere else.
fn entries(deployment: &Deployment) -> BTreeMap<u64, u32> {
    let mut entries = BTreeMap::new();
    for found in records::read(&deployment.topic("throughline.experience.inbox")) {
        let value = found.record.value.expect("a frame has bytes");
        let mut frame = frame::open(&value).expect("a frame of this version");
        while let Some(entry) = frame.next().expect("a whole frame") {
            if entry.kind == EntryKind::Touchpoint {
                let mut hasher = DefaultHasher::new();
                (frame.context(entry.context), entry.bytes).hash(&mut hasher);
                *entries.entry(hasher.finish()).or_insert(0) += 1;
            }
        }
    }
    entries
}

/// What a process answers about some customers, at one event time, once it knows of the last commit. The clock of the answer
/// is left out.
pub fn look_up(deployment: &Deployment, program: &Program, load: &Load) -> BTreeMap<String, Value> {
    let scores = records::read(&deployment.topic("experience.scores"));
    let published: BTreeMap<String, Value> =
        scores.iter().map(|found| (found.key(), found.json()["version"].clone())).collect();
    let look = |login: String| {
        let mut answer = Value::Null;
        program.wait_until("the last commit in the view", || {
            answer = program.json(&format!("/v1/customers?type=login&value={login}&at={}", load.end()));
            answer["scores"]["version"] == published[&text(&answer, "customer_id")]
        });
        // Progress of the sources moves the position in the inbox also where nothing happens to a customer.
        strip_all(&mut answer, &["emitted_at", "reflects"]);
        (login, answer)
    };
    load.sample(50).into_iter().map(look).collect()
}

/// The same without what two runs may differ in: how often something was published, and where in the inbox it stood.
pub fn comparable(mut answers: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    for answer in answers.values_mut() {
        strip(answer, "version");
    }
    answers
}

fn strip_all(value: &mut Value, fields: &[&str]) {
    fields.iter().for_each(|field| strip(value, field));
}

fn strip(value: &mut Value, field: &str) {
    match value {
        Value::Object(members) => {
            members.remove(field);
            members.values_mut().for_each(|member| strip(member, field));
        }
        Value::Array(members) => members.iter_mut().for_each(|member| strip(member, field)),
        _ => {}
    }
}

/// The customers of the changelog as compaction leaves it, without what time alone moves: when their single view was written,
/// and whether one waits.
pub fn state(deployment: &Deployment) -> BTreeMap<(i32, Vec<u8>), Vec<u8>> {
    let mut state = BTreeMap::new();
    for Found { partition, record, .. } in records::read(&deployment.topic("throughline.experience.changelog")) {
        let key = (partition, record.key.expect("state has keys"));
        match record.value {
            Some(value) => state.insert(key, value),
            None => state.remove(&key),
        };
    }
    // Reserved keys hold what the deployment knows about itself and its sources.
    state.retain(|(_, key), _| read_key(key).is_some());
    state
        .into_iter()
        .map(|(at, value)| {
            let settled = settled(&at.1, value);
            (at, settled)
        })
        .collect()
}

fn settled(key: &[u8], value: Vec<u8>) -> Vec<u8> {
    let (node, group) = read_key(key).expect("reserved keys were left out");
    if group != GROUPS[0] {
        return value;
    }
    let mut customer = table::read(node, &value).expect("state is readable");
    let published = &mut customer.core.published;
    (published.view_pending, published.customers_at, published.customers_version) = (false, None, 0);
    let mut settled = Vec::new();
    for part in group.parts {
        encode_part(&customer, *part, &mut settled);
    }
    settled
}
