//! Files in, printed lines out, as the two commands do it.

use std::path::{Path, PathBuf};

use serde_json::Value;
use throughline_config::HashKey;
use throughline_config::vocabulary::{IdHasher, SourceKind};
use throughline_pipeline::local::LocalOptions;

use super::options::select;
use super::test_cases::{START, junit, test_dir};
use super::try_files::{Summary, TryRequest, try_files};

fn options() -> LocalOptions {
    LocalOptions::new(IdHasher::new(HashKey::DEVELOPMENT.0, "default"), START)
}

/// A folder of its own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("throughline-local-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) fn tried(file: &Path, source: SourceKind, format: &str, json: bool) -> (Summary, String) {
    let mut options = options();
    let source = select(&mut options, source, format).expect("source and format");
    let mut out = Vec::new();
    let files = [file.to_owned()];
    let request = TryRequest { files: &files, source, until: None, prefix: "", json };
    let summary = try_files(&request, options, &mut out).expect("the file can be read");
    (summary, String::from_utf8(out).expect("text"))
}

const PAGE: &str = r#"{"type":"page","messageId":"m1","userId":"u1","timestamp":"2026-01-05T11:59:00Z"}"#;
const UNMAPPED: &str = r#"{"type":"track","event":"Video Started","messageId":"m2","userId":"u1"}"#;

#[test]
fn every_line_of_json_is_an_output_or_a_fate() {
    let folder = Folder::new("json");
    let file = folder.write("web.ndjson", [PAGE, "{torn", UNMAPPED, PAGE, ""].join("\n"));
    let (summary, text) = tried(&file, SourceKind::Web, "auto", true);
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("one object a line"));
    // How often a single view is written is none of this test's business.
    let lines: Vec<Value> = lines.filter(|line| line["topic"] != "experience.customers").collect();
    let told: Vec<(&str, u64, &str)> = lines
        .iter()
        .map(|line| {
            let reason = line["fate"].as_str().or(line["reason"].as_str()).unwrap_or_default();
            (line["topic"].as_str().unwrap_or("-"), line["line"].as_u64().unwrap_or_default(), reason)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("experience.touchpoints", 0, ""),
            ("experience.scores", 0, ""),
            ("experience.dead-letters", 2, "undecodable"),
            ("-", 3, "withheld"),
            ("-", 4, "duplicate"),
            ("-", 0, ""),
        ]
    );
    assert!(lines.iter().all(|line| line["headers"].is_object() && line.get("key").is_some()));
    assert_eq!((&lines[2]["value"], &lines[2]["headers"]["throughline_code"]), (&"{torn".into(), &"TL-R01".into()));
    assert_eq!((&lines[3]["reason"], &lines[3]["detail"]), (&"unmapped".into(), &"Video Started".into()));
    assert_eq!(lines[5]["summary"]["fates"]["withheld.unmapped"], 1);
    assert_eq!((summary.records, summary.rejected(), summary.customers), (4, 1, 1));
}

#[test]
fn people_read_lines_with_reasons_and_a_summary() {
    let folder = Folder::new("people");
    let cancelled = r#"{"type":"partner.trip.cancelled","source_id":"t1","occurred_at":"2026-01-05T11:59:00Z","owners":{"partner":"red-line"},"identifiers":[{"type":"login","value":"u1","trust":"authenticated"}]}"#;
    let file = folder.write("partner.ndjson", [cancelled, "nonsense", ""].join("\n"));
    let (summary, text) = tried(&file, SourceKind::Partner, "auto", false);
    for part in [
        "partner.ndjson:1  partner.trip.cancelled",
        "partner:red-line",
        "opened  severe_moment  P1",
        "partner.ndjson:2  rejected  undecodable",
        "undecodable TL-R01",
        "1 applied, 1 rejected undecodable",
        "alerts       1 severe_moment",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    assert_eq!(summary.alerts.len(), 1);
}

#[test]
fn bytes_that_are_no_text_are_shown_as_base64() {
    let folder = Folder::new("bytes");
    let (_, text) = tried(&folder.write("a.json", b"{\"a\":\"\xff\"}"), SourceKind::Web, "auto", true);
    let letter: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&letter["value"], &letter["value_base64"]), (&Value::Null, &"eyJhIjoi/yJ9".into()));
}

#[test]
fn a_format_can_be_named() {
    let folder = Folder::new("format");
    let file = folder.write("a.json", PAGE);
    let (summary, _) = tried(&file, SourceKind::Web, "segment", true);
    assert_eq!(summary.types["page.viewed"], 1);
    let error = select(&mut options(), SourceKind::Web, "sigment").expect_err("no such format");
    assert!(error.to_string().contains("segment"));
    assert!(
        try_files(
            &TryRequest { files: &[folder.0.join("nothing")], source: 0, until: None, prefix: "", json: true },
            options(),
            &mut Vec::new()
        )
        .is_err()
    );
}

#[test]
fn cases_pass_or_say_what_differs() {
    let folder = Folder::new("cases");
    folder.write("good/input.web.ndjson", [PAGE, UNMAPPED].join("\n"));
    folder.write("good/case.toml", "description = \"a page\"\nnow = \"2026-01-06T00:00:00Z\"");
    let expected = [
        r#"{"topic":"experience.touchpoints","value":{"type":"page.viewed","emitted_at":"2026-01-06T00:00:00.000Z"}}"#,
        r#"{"fate":"withheld","reason":"unmapped","line":2}"#,
        r#"{"topic":"experience.alerts","count":0}"#,
    ];
    folder.write("good/expected.ndjson", expected.join("\n"));
    folder.write("bad/input.web.json", PAGE);
    folder.write("bad/expected.ndjson", r#"{"topic":"experience.touchpoints","value":{"type":"a<b"}}"#);
    folder.write("odd/input.ndjson", PAGE);
    folder.write("odd/expected.ndjson", r#"{"topic":"experience.scores"}"#);
    let tested = test_dir(&folder.0, &options()).expect("cases");
    let names: Vec<(&str, usize)> = tested.iter().map(|case| (case.name.as_str(), case.failures.len())).collect();
    assert_eq!(names, [("bad", 1), ("good", 0), ("odd", 1)], "{tested:?}");
    assert!(tested[0].failures[0].contains("value.type: expected \"a<b\", found \"page.viewed\""));
    let report = junit(&tested);
    assert!(report.contains("tests=\"3\" failures=\"2\""), "{report}");
    assert!(report.contains("expected &quot;a&lt;b&quot;"), "{report}");
    assert!(test_dir(&folder.0.join("good/none"), &options()).is_err());
}

#[test]
fn the_example_passes() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/test");
    let tested = test_dir(&examples, &options()).expect("cases");
    for case in tested {
        assert_eq!(case.failures, [""; 0], "{}", case.name);
    }
}

#[test]
fn time_passes_only_when_asked() {
    let folder = Folder::new("until");
    let file = folder.write(
        "cancelled.json",
        r#"{"type":"partner.trip.cancelled","source_id":"1","occurred_at":"2026-01-05T12:00:00Z","channel":"partner",
            "identifiers":[{"type":"login","value":"ann","trust":"authenticated"}]}"#,
    );
    let tried = |until: Option<&str>| {
        let until = until.map(|until| until.parse::<jiff::Timestamp>().expect("a time").as_millisecond());
        let until = until.map(throughline_config::vocabulary::Now::from_millis);
        let files = [file.clone()];
        let request = TryRequest { files: &files, source: 4, until, prefix: "", json: true };
        let mut out = Vec::new();
        try_files(&request, options(), &mut out).expect("the file can be read");
        let text = String::from_utf8(out).expect("text");
        let transitions = ["opened", "expired", "closed"];
        transitions.map(|transition| text.matches(&format!("\"throughline_transition\":\"{transition}\"")).count())
    };
    let (quiet, later) = (tried(None), tried(Some("2026-01-25T12:00:00Z")));
    assert_eq!((quiet[1], quiet[2]), (0, 0), "a file that was tried has no future: {quiet:?}");
    assert!(later[1] > 0 && later[2] > 0, "14 days later it expired, three more and it settled: {later:?}");
}
