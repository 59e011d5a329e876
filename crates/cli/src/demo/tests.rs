//! The story holds what it tells: through the same stages as the demo, in memory.

use serde_json::Value;
use throughline_config::HashKey;
use throughline_config::identifiers::hash_identifier;
use throughline_config::vocabulary::{Fate, IdHasher, IdentifierType, Now, ReceivedAt, RejectionReason, Topic};
use throughline_pipeline::local::{LocalOptions, LocalRecord, LocalRun, Output};

use super::story::{StoryRecord, story};

/// 2026-03-02T08:00:00Z.
const START: i64 = 1_772_438_400_000;

fn ids() -> IdHasher {
    IdHasher::new(HashKey::DEVELOPMENT.0, "demo")
}

/// Customer id of an identifier as a source writes it.
fn node(kind: IdentifierType, value: &str) -> String {
    let hashed = hash_identifier(&HashKey::DEVELOPMENT, "demo", kind, value, "").expect("an identifier");
    hashed.node.to_string()
}

struct Told {
    /// What the demo says and writes, with the milliseconds after which it does.
    outputs: Vec<(u64, Output)>,
    fates: Vec<(u64, &'static str, Fate)>,
}

fn tell(seed: u64, seconds: u64) -> Told {
    let mut options = LocalOptions::new(ids(), Now::from_millis(START));
    options.normalize.received_at_event_time = false;
    let mut run = LocalRun::new(options);
    let mut told = Told { outputs: Vec::new(), fates: Vec::new() };
    for record in story(START, seed).take_while(|record| record.after_ms < 1_000 * seconds) {
        let now = START + record.after_ms as i64;
        run.set_now(Now::from_millis(now));
        let headers = record.headers.iter().map(|(name, value)| ((*name).to_owned(), Some(value.clone().into_bytes())));
        let local = LocalRecord {
            key: Some(record.key.into_bytes()),
            value: Some(record.value),
            headers: headers.collect(),
            received_at: Some(ReceivedAt::from_millis(now)),
        };
        let source = run.options().source(record.source).expect("a touchpoint source");
        let pushed = run.push(source, &local).expect("no schema");
        told.fates.extend(pushed.fates.into_iter().map(|fate| (record.after_ms, record.says, fate.fate)));
        told.outputs.extend(pushed.outputs.into_iter().map(|output| (record.after_ms, output)));
    }
    told
}

impl Told {
    fn values(&self, topic: Topic) -> impl Iterator<Item = (u64, Value)> {
        self.outputs
            .iter()
            .filter(move |(_, output)| output.topic == topic)
            .filter_map(|(at, it)| Some((*at, it.json()?)))
    }

    fn opened(&self) -> Vec<(u64, String, String)> {
        let opened = self.values(Topic::Alerts).filter(|(_, alert)| alert["transition"] == "opened");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        opened.map(|(at, alert)| (at, text(&alert["type"]), text(&alert["customer_id"]))).collect()
    }

    fn scores(&self, kind: IdentifierType, value: &str) -> Vec<f64> {
        let node = node(kind, value);
        let scores = self.values(Topic::Scores).filter(|(_, score)| score["customer_id"] == node.as_str());
        scores.map(|(_, score)| score["relationship"].as_f64().expect("a number")).collect()
    }
}

#[test]
fn every_type_of_alert_opens_in_the_first_twenty_seconds() {
    let told = tell(7, 20);
    let mut types: Vec<String> = told.opened().into_iter().map(|(_, kind, _)| kind).collect();
    types.sort();
    let expected = ["exit_intent", "experience_drop", "experience_low", "severe_moment", "urgent_need"];
    assert_eq!(types, expected, "each once in one telling");
    let ann = node(IdentifierType::Login, "ann-0");
    assert!(told.opened().contains(&(6_500, "severe_moment".to_owned(), ann)));
    let mara = node(IdentifierType::CustomerId, "K-mara-0");
    assert!(told.opened().contains(&(15_500, "experience_drop".to_owned(), mara)));
    let ben = node(IdentifierType::CustomerId, "K-ben-0");
    assert!(told.opened().contains(&(11_500, "experience_low".to_owned(), ben)));
}

#[test]
fn scores_move_as_told() {
    let told = tell(7, 20);
    let ann = told.scores(IdentifierType::Login, "ann-0");
    let (first, lowest, last) = (ann[0], ann.iter().copied().fold(f64::MAX, f64::min), ann[ann.len() - 1]);
    assert!(first > 60.0 && lowest < 50.0 && last > lowest, "the ride, then the apology: {ann:?}");
    let ben = told.scores(IdentifierType::CustomerId, "K-ben-0");
    assert!(ben.windows(2).all(|pair| pair[1] <= pair[0]) && ben[ben.len() - 1] < 40.0, "{ben:?}");
    let kim = told.scores(IdentifierType::LoyaltyCard, "card-kim-0");
    assert!(kim[kim.len() - 1] < 60.0, "silence does not hide what nobody could answer: {kim:?}");
    let mara = told.scores(IdentifierType::CustomerId, "K-mara-0");
    assert!(mara[mara.len() - 1] > 60.0, "her score alone would have raised no alarm: {mara:?}");
}

#[test]
fn nothing_is_lost_and_a_copy_counts_once() {
    let told = tell(7, 20);
    let rejected: Vec<_> = told.fates.iter().filter(|(_, _, fate)| matches!(fate, Fate::Rejected(_))).collect();
    assert_eq!(rejected.len(), 1, "{rejected:?}");
    assert_eq!((rejected[0].0, rejected[0].2), (16_500, Fate::Rejected(RejectionReason::Undecodable)));
    assert_eq!(told.outputs.iter().filter(|(_, output)| output.topic == Topic::DeadLetters).count(), 1);
    let twice: Vec<_> = told.fates.iter().filter(|(at, says, _)| *at == 17_500 && !says.is_empty()).collect();
    assert!(!twice.is_empty() && twice.iter().all(|(_, _, fate)| *fate == Fate::Duplicate), "{twice:?}");
    let late = told.fates.iter().filter(|(_, _, fate)| matches!(fate, Fate::Late(_))).count();
    assert_eq!(late, 0);
}

#[test]
fn the_story_follows_from_start_and_seed_and_is_told_again() {
    let take = |seed| story(START, seed).take(2_000).collect::<Vec<StoryRecord>>();
    assert_eq!(take(7), take(7));
    assert_ne!(take(7), take(8));
    assert!(take(7).windows(2).all(|pair| pair[0].after_ms <= pair[1].after_ms), "time never goes back");
    let opened = tell(3, 50).opened();
    assert_eq!(opened.len(), 10, "twice in two tellings: {opened:?}");
}
