//! The web samples as their vendors print them. They stay outside the repository: where they are missing, this says so and
//! passes.

#![allow(clippy::disallowed_methods, clippy::print_stderr)] // The samples are files; a test that could not look says so.

mod common;

use std::path::{Path, PathBuf};

use common::{detail, ids, record};
use throughline_model::SourceKind;
use throughline_normalize::format::NoHeaders;
use throughline_normalize::{Catalog, NoSchemas, NormalizeOptions, Normalizer, SourceOptions};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/formats")
}

/// As `try` reads a file: the received time is the event time.
fn normalize(value: &[u8]) -> Vec<String> {
    let options = NormalizeOptions { received_at_event_time: true, ..NormalizeOptions::default() };
    let mut out = Vec::new();
    let source = SourceOptions::new("web", SourceKind::Web);
    Normalizer::new(options, ids())
        .normalize(&source, &record(Some(value), &NoHeaders), &NoSchemas, &Catalog::default(), &mut |_, entry| {
            out.push(detail(&entry));
        })
        .expect("no schema is needed");
    out
}

#[test]
fn every_web_sample_gives_what_its_table_says() {
    if !folder().is_dir() {
        eprintln!("skipped: {} is not there", folder().display());
        return;
    }
    let autocapture = "withheld(filtered) $autocapture";
    for (file, expected) in [
        ("web/segment/alias_01_syntax.json", "profile.changed web * missing [LOGIN email] -> login"),
        ("web/segment/b2b-saas_01_example.json", "account.created web * missing [LOGIN] -> login"),
        ("web/segment/b2b-saas_02_example.json", "contract.ended web * missing [LOGIN] -> login"),
        ("web/segment/b2b-saas_05_example.json", "session.ended web * missing [LOGIN] -> login"),
        ("web/segment/b2b-saas_08_example.json", "withheld(unmapped) Account Removed User"),
        ("web/segment/b2b-saas_09_example.json", "withheld(unmapped) Trial Started"),
        ("web/segment/b2b-saas_10_example.json", "withheld(unmapped) Trial Ended"),
        ("web/segment/common_01_structure.json", "withheld(unmapped) Report Submitted"),
        ("web/segment/group_01_block.json", "relation.declared web * missing [] -> nobody"),
        ("web/segment/identify_01_block.json", "profile.changed web * missing [LOGIN] -> login"),
        (
            "web/segment/identify_02_example.json",
            "profile.changed web 022bb90c-bbac-11e4-8dfc-aa07a5b093db exact 1424730535111 [LOGIN COOKIE] -> login",
        ),
        ("web/segment/track_01_block.json", "withheld(unmapped) User Registered"),
        ("support/segment/live-chat_01_example.json", "contact.started chat * missing [LOGIN VISIT] -> login"),
        (
            "web/snowplow/enriched_go_full.tsv",
            "page.viewed web c6ef3124-b53a-4b13-a233-0088f79dcbcb exact 1385424237885 [LOGIN COOKIE COOKIE VISIT] -> login",
        ),
        (
            "web/posthog/03_posthog_js_0.json",
            "consent.changed web 018a981f-4b2e-7bd3-bb30-6616657c38fa exact 1694769302318 [DEVICE COOKIE VISIT] -> device",
        ),
        (
            "web/posthog/04_posthog_js_1.json",
            "relation.declared web 018a981f-4b36-7798-a4ce-f3cb0e052fd3 exact 1694769302326 [LOGIN DEVICE VISIT] -> login",
        ),
        ("web/posthog/07_posthog_js_0.json", autocapture),
        ("web/posthog/07_posthog_js_1.json", autocapture),
        ("web/posthog/09_posthog_js_0.json", autocapture),
        ("web/posthog/11_posthog_js_1.json", "withheld(filtered) $feature_flag_called"),
    ] {
        let value = std::fs::read(folder().join(file)).expect(file);
        let found = normalize(&value);
        assert_eq!(found.len(), 1, "{file}: {found:?}");
        assert_eq!(simplified(&found[0], expected), expected, "{file}");
    }
}

/// Derived ids are shown as a star, event times in full.
fn simplified(found: &str, expected: &str) -> String {
    let mut words: Vec<String> = found.split(' ').map(str::to_owned).collect();
    if expected.split(' ').nth(2) == Some("*") {
        words[2] = "*".to_owned();
    }
    if let Some((quality, apart)) = words.get(3).and_then(|word| word.split_once(['+', '-'])) {
        let sign = if words[3].contains('-') { -1 } else { 1 };
        let at = common::RECEIVED_AT + sign * apart.parse::<i64>().expect("milliseconds");
        words[3] = format!("{quality} {at}");
    }
    words.join(" ")
}
