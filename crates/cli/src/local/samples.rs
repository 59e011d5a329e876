//! Every sample that vendors print in their documentation, through `throughline try`: the touchpoints it should give, or
//! why it gives none.
//!
//! The samples lie beside the repository, at `../shared/data/formats` seen from the workspace root; where they are missing
//! the test says so and passes.

use std::path::PathBuf;

use serde_json::Value;
use throughline_config::vocabulary::SourceKind;

use super::tests::tried;

#[test]
#[allow(clippy::print_stderr)] // A skipped test says so.
fn printed_samples_give_what_the_documents_say() {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/formats"));
    if !root.is_dir() {
        eprintln!("{} is missing; nothing to test", root.display());
        return;
    }
    let mut wrong = Vec::new();
    for (file, source, expected) in SAMPLES {
        let (summary, text) = tried(&root.join(file), *source, "auto", true);
        assert_eq!(summary.records, 1, "{file} is one record");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("one object a line"));
        let told: Vec<String> = lines.filter_map(|line| told(&line)).collect();
        if told != *expected {
            wrong.push(format!("{file}: {told:?}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn no_sample_is_forgotten() {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/formats"));
    let Ok(list) = std::fs::read_to_string(root.join("ATTRIBUTION.csv")) else { return };
    let count = list.lines().skip(1).filter(|line| !line.trim().is_empty()).count();
    assert_eq!(SAMPLES.len(), count);
}

/// What a printed line says about the record, if anything: a type, or a fate with its reason.
fn told(line: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match (line["topic"].as_str(), line["fate"].as_str()) {
        (Some("experience.touchpoints"), _) => Some(text(&line["value"]["type"])),
        (Some("experience.dead-letters"), _) => Some(format!("rejected {}", text(&line["reason"]))),
        (None, Some(fate)) => Some(format!("{fate} {}", text(&line["reason"]))),
        _ => None,
    }
}

type Sample = (&'static str, SourceKind, &'static [&'static str]);

#[rustfmt::skip] // A table reads as a table.
const SAMPLES: &[Sample] = &[
    ("web/posthog/03_posthog_js_0.json", SourceKind::Web, &["consent.changed"]),
    ("web/posthog/04_posthog_js_1.json", SourceKind::Web, &["relation.declared"]),
    ("web/posthog/07_posthog_js_0.json", SourceKind::Web, &["withheld filtered"]),
    ("web/posthog/07_posthog_js_1.json", SourceKind::Web, &["withheld filtered"]),
    ("web/posthog/09_posthog_js_0.json", SourceKind::Web, &["withheld filtered"]),
    ("web/posthog/11_posthog_js_1.json", SourceKind::Web, &["withheld filtered"]),
    ("web/segment/alias_01_syntax.json", SourceKind::Web, &["profile.changed"]),
    ("web/segment/b2b-saas_01_example.json", SourceKind::Web, &["account.created"]),
    ("web/segment/b2b-saas_02_example.json", SourceKind::Web, &["contract.ended"]),
    ("web/segment/b2b-saas_05_example.json", SourceKind::Web, &["session.ended"]),
    ("web/segment/b2b-saas_08_example.json", SourceKind::Web, &["withheld unmapped"]),
    ("web/segment/b2b-saas_09_example.json", SourceKind::Web, &["withheld unmapped"]),
    ("web/segment/b2b-saas_10_example.json", SourceKind::Web, &["withheld unmapped"]),
    ("web/segment/common_01_structure.json", SourceKind::Web, &["withheld unmapped"]),
    ("web/segment/group_01_block.json", SourceKind::Web, &["relation.declared"]),
    ("web/segment/identify_01_block.json", SourceKind::Web, &["profile.changed"]),
    ("web/segment/identify_02_example.json", SourceKind::Web, &["profile.changed"]),
    ("web/segment/track_01_block.json", SourceKind::Web, &["withheld unmapped"]),
    ("web/snowplow/enriched_go_full.tsv", SourceKind::Web, &["page.viewed"]),
    ("social/meta_webhooks/feed-comment-add-25.json", SourceKind::Social, &["message.sent"]),
    ("social/meta_webhooks/feed-like-add-25.json", SourceKind::Social, &["reaction.changed"]),
    ("social/meta_webhooks/feed-reaction-add-comment.json", SourceKind::Social, &["withheld filtered"]),
    ("social/meta_webhooks/feed-reaction-edit.json", SourceKind::Social, &["withheld filtered"]),
    ("social/meta_webhooks/feed-reaction-remove.json", SourceKind::Social, &["withheld filtered"]),
    ("social/meta_webhooks/messaging-message-nlp-distance.json", SourceKind::Social, &["message.received"]),
    ("social/meta_webhooks/messaging-message-nlp-email-2.json", SourceKind::Social, &["message.received"]),
    ("social/meta_webhooks/messaging-pass-thread-control.json", SourceKind::Social, &["withheld filtered"]),
    ("social/meta_webhooks/messaging-take-thread-control.json", SourceKind::Social, &["withheld filtered"]),
    ("social/meta_webhooks/unknown-change-value.json", SourceKind::Social, &["withheld unmapped"]),
    ("store/shopify_go/draft_order.json", SourceKind::Store, &["withheld filtered"]),
    ("store/shopify_go/order_with_transaction.json", SourceKind::Store, &["withheld filtered"]),
    ("store/shopify_go/transactions.json", SourceKind::Store, &["withheld filtered"]),
    ("store/shopify_go/webhook.json", SourceKind::Store, &["withheld filtered"]),
    ("store/woocommerce/order-refunds_2_http_request.json", SourceKind::Store, &["refund.completed"]),
    ("store/woocommerce/order-refunds_3_http_request.json", SourceKind::Store, &["refund.completed", "refund.completed"]),
    ("store/woocommerce/webhooks_1_http_request.json", SourceKind::Store, &["withheld filtered"]),
    ("callcentre/amazon_connect/contact-events_01_sample_contact_event_for_when_a_voice_call_is_conn.json", SourceKind::CallCentre, &["response.sent"]),
    ("callcentre/amazon_connect/contact-lens-example-output-files_01_example_original_analyzed_file_for_a_call.json", SourceKind::CallCentre, &["rejected undecodable"]),
    ("callcentre/amazon_connect/contact-lens-rules-eventbridge-event_02_example_eventbridge_payloads.json", SourceKind::CallCentre, &["rejected undecodable"]),
    ("callcentre/amazon_connect/sample-agent-event-stream_01_sample_agent_event_stream.json", SourceKind::CallCentre, &["rejected undecodable"]),
    ("support/segment/live-chat_01_example.json", SourceKind::CallCentre, &["contact.started"]),
];
