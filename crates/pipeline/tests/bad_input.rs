//! Bad input, end to end: every line of it has its fate, nothing stops the pipeline, nothing is lost.

mod local;

use std::sync::Arc;

use local::{START, Stage, service, service_options};
use serde_json::json;
use throughline_codec::dead_letter::DeadLetter;
use throughline_model::{Fate, ReceivedAt, RejectionReason, SourceKind, Topic, WithheldReason};
use throughline_normalize::{Encoding, Lookup, NeedSchema, SchemaSource};
use throughline_pipeline::local::{LocalOptions, LocalRecord, LocalRun, Output, Pushed};

fn web(value: impl Into<Vec<u8>>) -> LocalRecord {
    LocalRecord {
        key: Some(b"k1".to_vec()),
        headers: vec![("traceparent".to_owned(), Some(b"00-1-2-01".to_vec())), ("empty".to_owned(), None)],
        received_at: Some(ReceivedAt::from_millis(START)),
        ..LocalRecord::of(value)
    }
}

fn segment(members: &str) -> String {
    format!(r#"{{"type":"page","messageId":"m1","userId":"u1","timestamp":"2026-01-05T11:59:00Z"{members}}}"#)
}

fn contract(members: &str) -> String {
    format!(r#"{{"type":"page.viewed","source_id":"s1"{members}}}"#)
}

/// The letter is the record as it came, and says why and where from.
fn check_letter(letter: &Output, record: &LocalRecord, reason: RejectionReason, entry: u32) {
    assert_eq!((letter.topic, letter.partition), (Topic::DeadLetters, None));
    assert_eq!(letter.key, record.key);
    let kept = record.value.as_ref().filter(|value| value.len() <= 15 << 20);
    assert!(letter.value.as_ref() == kept, "the raw bytes");
    assert_eq!(letter.timestamp, Some(START));
    for (name, value) in &record.headers {
        assert!(letter.headers.contains(&(name.clone(), value.clone().unwrap_or_default())), "carries {name}");
    }
    let headers = letter.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    let decoded = DeadLetter::decode(headers).expect("complete headers");
    assert_eq!((decoded.reason, decoded.entry), (reason, entry));
    assert_eq!((&*decoded.origin.topic, decoded.origin.partition.0), ("touchpoints.web", 0));
    assert_eq!(decoded.rejected_at.as_millis(), START);
    assert!(!decoded.detail.is_empty());
}

/// What stays the same when a letter is produced again: all but where and when it was rejected.
fn lasting(letter: &Output) -> Output {
    let moves = ["__connect.errors.offset", "throughline_rejected_at"];
    let mut letter = letter.clone();
    letter.headers.retain(|(name, _)| !moves.contains(&name.as_str()));
    letter.headers.sort();
    letter
}

fn again(letter: &Output) -> LocalRecord {
    LocalRecord {
        key: letter.key.clone(),
        value: letter.value.clone(),
        headers: letter.headers.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect(),
        received_at: letter.timestamp.map(ReceivedAt::from_millis),
    }
}

fn letters(pushed: &Pushed) -> Vec<&Output> {
    pushed.outputs.iter().filter(|output| output.topic == Topic::DeadLetters).collect()
}

/// Rejected for `reason`, as one letter; the letter produced again gives the same; a good record passes after it.
fn check_rejected(value: impl Into<Vec<u8>>, reason: RejectionReason) {
    let record = web(value);
    let mut stage = service();
    let pushed = stage.record(SourceKind::Web, &record);
    let fates: Vec<Fate> = pushed.fates.iter().map(|fate| fate.fate).collect();
    assert_eq!(fates, [Fate::Rejected(reason)], "{:?}", pushed.fates);
    let letters = letters(&pushed);
    let [letter] = letters.as_slice() else { panic!("{} letters", letters.len()) };
    check_letter(letter, &record, reason, 0);
    check_again(&mut stage, letter);
    check_alive(&mut stage);
}

fn check_again(stage: &mut Stage, letter: &Output) {
    let second = stage.record(SourceKind::Web, &again(letter));
    let second = letters(&second).into_iter().map(lasting).collect::<Vec<_>>();
    assert_eq!(second, [lasting(letter)], "the same again");
}

fn check_alive(stage: &mut Stage) {
    let good = stage.record(SourceKind::Web, &web(segment("")));
    assert_eq!(good.fates.iter().map(|fate| fate.fate).collect::<Vec<_>>(), [Fate::Applied]);
}

#[test]
fn invalid_json_is_a_dead_letter() {
    for value in ["{\"type\":", "{} trailing", "{\"a\":1 // why\n}", "nonsense"] {
        check_rejected(value, RejectionReason::Undecodable);
    }
}

#[test]
fn wrong_avro_is_a_dead_letter() {
    check_rejected(b"\0\0\0\0".to_vec(), RejectionReason::Undecodable);
    let mut options = service_options();
    let mut source = (*options.sources[0].1).clone();
    source.encoding = Encoding::Avro;
    options.sources[0].1 = Arc::new(source);
    let mut stage = Stage { run: LocalRun::new(options), outputs: Vec::new() };
    let record = web(segment(""));
    let pushed = stage.record(SourceKind::Web, &record);
    check_letter(letters(&pushed)[0], &record, RejectionReason::Undecodable, 0);
}

#[test]
fn an_unknown_schema_id_is_a_dead_letter() {
    check_rejected(b"\0\0\0\0\x2a\x02\x02".to_vec(), RejectionReason::UnknownSchema);
}

#[derive(Debug, Clone)]
struct Down;

impl SchemaSource for Down {
    fn schema(&self, _: u32) -> Lookup {
        Lookup::Pending
    }
}

#[test]
fn while_the_registry_is_down_a_record_waits_and_is_no_dead_letter() {
    let mut run = LocalRun::with_schemas(service_options(), Down);
    let framed = web(b"\0\0\0\0\x2a\x02\x02".to_vec());
    assert_eq!(run.push(0, &framed), Err(NeedSchema(42)));
    assert_eq!(run.counts().normalized.total(), 0, "nothing was counted");
    let other = run.push(0, &web(segment(""))).expect("JSON needs no registry");
    assert_eq!(other.fates[0].fate, Fate::Applied);
}

#[test]
fn a_null_value_is_a_dead_letter_without_value() {
    let mut stage = service();
    let record = LocalRecord { value: None, ..web("") };
    let pushed = stage.record(SourceKind::Web, &record);
    let letter = letters(&pushed)[0].clone();
    check_letter(&letter, &record, RejectionReason::NullValue, 0);
    assert_eq!(letter.value, None);
    check_again(&mut stage, &letter);
    check_alive(&mut stage);
}

#[test]
fn a_null_key_does_not_matter() {
    let mut stage = service();
    let pushed = stage.record(SourceKind::Web, &LocalRecord { key: None, ..web(segment("")) });
    assert_eq!(pushed.fates[0].fate, Fate::Applied);
}

#[test]
fn values_beyond_the_limits_are_dead_letters() {
    check_rejected(vec![b' '; (10 << 20) + 1], RejectionReason::TooLarge);
    check_rejected(segment(&format!(r#","properties":{{"x":"{}"}}"#, "y".repeat(1 << 20))), RejectionReason::TooLarge);
    check_rejected(format!("[{}0]", "0,".repeat(1_000)), RejectionReason::TooManyEntries);
    let nested = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    check_rejected(segment(&format!(r#","properties":{nested}"#)), RejectionReason::TooDeep);
}

#[test]
fn a_letter_that_could_not_be_written_leaves_its_value_out() {
    let mut stage = service();
    let record = web(vec![b' '; 17 << 20]);
    let pushed = stage.record(SourceKind::Web, &record);
    let letter = letters(&pushed)[0];
    assert_eq!(letter.value, None);
    check_letter(letter, &record, RejectionReason::TooLarge, 0);
}

#[test]
fn an_unknown_format_is_a_dead_letter() {
    check_rejected(r#"{"hello":"world"}"#, RejectionReason::UnknownFormat);
}

#[test]
fn without_an_identifier_a_touchpoint_is_applied_and_published_without_a_customer() {
    let mut stage = service();
    let pushed = stage.record(SourceKind::Web, &web(contract("")));
    assert_eq!(pushed.fates[0].fate, Fate::Applied);
    assert_eq!(pushed.fates[0].customer, None);
    let [touchpoint] = stage.values(Topic::Touchpoints).try_into().expect("one touchpoint");
    assert_eq!(touchpoint.get("customer_id"), None);
    assert_eq!(pushed.outputs[0].key_text(), touchpoint["touchpoint_id"].as_str());
    assert!(stage.values(Topic::Scores).is_empty());
}

#[test]
fn impossible_event_times_become_the_received_time() {
    for (time, quality) in [
        ("1970-01-01T00:00:00Z", "missing"),
        ("3000-01-01T00:00:00Z", "clamped"),
        ("2026-01-05T12:05:01Z", "clamped"),
        ("2026-01-05T11:59:00Z", "exact"),
    ] {
        let mut stage = service();
        let record = web(contract(&format!(r#","occurred_at":"{time}""#)));
        assert_eq!(stage.record(SourceKind::Web, &record).fates[0].fate, Fate::Applied);
        let touchpoint = &stage.values(Topic::Touchpoints)[0];
        assert_eq!(touchpoint["time_quality"], quality, "{time}");
        if quality != "exact" {
            assert_eq!(local::millis(&touchpoint["occurred_at"]), START, "{time}");
        }
    }
}

#[test]
fn numbers_that_are_none_are_dead_letters() {
    for score in ["NaN", "Infinity", "-Infinity"] {
        let value = contract(&format!(r#","evidence":[{{"kind":"csat","score":{score}}}]"#));
        check_rejected(value, RejectionReason::Undecodable);
    }
    for score in ["\"NaN\"", "1e999", "true"] {
        let value = contract(&format!(r#","evidence":[{{"kind":"csat","score":{score}}}]"#));
        let mut stage = service();
        let pushed = stage.record(SourceKind::Web, &web(value));
        assert!(
            matches!(
                pushed.fates[0].fate,
                Fate::Rejected(RejectionReason::InvalidField | RejectionReason::Undecodable)
            ),
            "{score}: {:?}",
            pushed.fates
        );
        check_again(&mut stage, letters(&pushed)[0]);
    }
}

#[test]
fn invalid_utf8_is_a_dead_letter_with_its_bytes() {
    check_rejected(b"{\"type\":\"page\",\"userId\":\"\xff\xfe\"}".to_vec(), RejectionReason::Undecodable);
}

#[test]
fn another_tenant_is_a_dead_letter() {
    check_rejected(contract(r#","tenant":"other""#), RejectionReason::WrongTenant);
}

#[test]
fn unknown_types_and_names_are_withheld_not_rejected() {
    for (value, name) in [
        (contract("").replace("page.viewed", "page.eaten"), "page.eaten"),
        (
            r#"{"type":"track","event":"Video Playback Started","messageId":"m","userId":"u"}"#.to_owned(),
            "Video Playback Started",
        ),
    ] {
        let mut stage = service();
        let pushed = stage.record(SourceKind::Web, &web(value));
        assert_eq!(pushed.fates.len(), 1);
        assert_eq!(pushed.fates[0].fate, Fate::Withheld(WithheldReason::Unmapped));
        assert_eq!(pushed.fates[0].detail, name);
        assert_eq!(pushed.outputs, []);
    }
}

#[test]
fn a_bad_entry_does_not_take_its_siblings_with_it() {
    let record = web(format!("[{},{},{}]", contract(""), r#"{"type":"page.viewed","verb":"eat"}"#, segment("")));
    let mut stage = service();
    let pushed = stage.record(SourceKind::Web, &record);
    let fates: Vec<(u32, Fate)> = pushed.fates.iter().map(|fate| (fate.entry, fate.fate)).collect();
    let rejected = Fate::Rejected(RejectionReason::InvalidField);
    assert_eq!(fates, [(0, Fate::Applied), (1, rejected), (2, Fate::Applied)]);
    let letter = letters(&pushed)[0].clone();
    check_letter(&letter, &record, RejectionReason::InvalidField, 1);
    assert_eq!(letter.header("throughline_field"), Some("verb"));
    let second = stage.record(SourceKind::Web, &again(&letter));
    assert_eq!(second.fates.len(), 1, "only the entry that the letter names: {:?}", second.fates);
    assert_eq!(lasting(letters(&second)[0]), lasting(&letter));
}

#[test]
fn a_source_of_garbage_does_not_stop_a_local_run() {
    let mut stage = service();
    for _ in 0..10_001 {
        stage.run.push(0, &LocalRecord::of("garbage")).expect("no schema");
    }
    check_alive(&mut stage);
}

/// XO-5: entries = touchpoints + withheld + rejected; touchpoints = their fates.
#[test]
fn xo_5_the_books_balance() {
    let mut options: LocalOptions = service_options();
    options.normalize.received_at_event_time = false;
    let mut run = LocalRun::new(options);
    let old = contract(r#","occurred_at":"2001-01-01T00:00:00Z","identifiers":[{"type":"login","value":"u1"}]"#);
    let denied = json!({"type": "consent.changed", "source_id": "c1", "identifiers": [{"type": "login", "value": "u2"}],
        "consents": [{"purpose": "process", "status": "denied", "status_at": START}]});
    let after = json!({"type": "page.viewed", "source_id": "c2", "identifiers": [{"type": "login", "value": "u2"}]});
    let batch = format!(r#"{{"batch":[{},{{"type":"track","event":"Nothing Known","userId":"u1"}},7]}}"#, segment(""));
    let values = [
        segment(""),
        segment(""),
        old.replace("s1", "s2"),
        denied.to_string(),
        after.to_string(),
        batch,
        "garbage".to_owned(),
        "[]".to_owned(),
    ];
    let mut fates = Vec::new();
    for value in values {
        fates.extend(run.push(0, &web(value)).expect("no schema").fates.into_iter().map(|fate| fate.fate));
    }
    let counts = run.counts();
    assert_eq!(counts.records, 8);
    assert_eq!(counts.touchpoints.total(), counts.normalized.applied);
    assert_eq!(fates.len() as u64, counts.normalized.total());
    let count = |wanted: fn(&Fate) -> bool| fates.iter().filter(|fate| wanted(fate)).count();
    assert_eq!(count(|fate| *fate == Fate::Applied), 2, "{fates:?}");
    assert_eq!(count(|fate| *fate == Fate::Duplicate), 2, "{fates:?}");
    assert_eq!(count(|fate| matches!(fate, Fate::Late(_))), 1, "{fates:?}");
    assert_eq!(count(|fate| *fate == Fate::Withheld(WithheldReason::Consent)), 1, "{fates:?}");
    assert_eq!(count(|fate| *fate == Fate::Withheld(WithheldReason::Unmapped)), 1, "{fates:?}");
    assert_eq!(count(|fate| *fate == Fate::Withheld(WithheldReason::Filtered)), 1, "{fates:?}");
    assert_eq!(count(|fate| matches!(fate, Fate::Rejected(_))), 2, "{fates:?}");
}
