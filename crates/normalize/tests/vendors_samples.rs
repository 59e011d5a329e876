//! Every sample of the vendors printed in their documentation gives what the documents say.
//!
//! The samples lie beside the repository, at `../shared/data/formats` seen from the workspace root; where they are missing
//! the test says so and passes.

#![allow(clippy::disallowed_methods, clippy::print_stderr)] // The samples are files, and where they are missing a person is told.

mod vendors_common;

use std::path::PathBuf;

use throughline_model::SourceKind;
use vendors_common::{check, entries};

#[test]
fn printed_samples_give_what_the_documents_say() {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/formats"));
    if !root.is_dir() {
        eprintln!("{} is missing; nothing to test", root.display());
        return;
    }
    for (file, source, expected) in SAMPLES {
        let text = std::fs::read_to_string(root.join(file)).expect("a sample");
        eprintln!("{file}");
        check(&entries(*source, &text), expected);
    }
}

type Sample = (&'static str, SourceKind, &'static [&'static str]);

#[rustfmt::skip] // A table reads as a table.
const SAMPLES: &[Sample] = &[
    ("social/meta_webhooks/feed-comment-add-25.json", SourceKind::Social, &[
        r#"message.sent social id=901097836652708_903438993085259 at=1449135003000 rev=1449135003000 conversation_id=1234567890321_901097836652708 post_id=1234567890321_901097836652708 parent_id=1234567890321_901097836652708 public"#,
    ]),
    ("social/meta_webhooks/feed-like-add-25.json", SourceKind::Social, &[
        r#"reaction.changed social id=909653922461664_940663242694065//909653922461664 at=1450701319000 rev=1450701319000 handle!facebook:1234567890321:909653922461664 post_id=909653922461664_940663242694065 parent_id=909653922461664_940663242694065 public"#,
    ]),
    ("social/meta_webhooks/feed-reaction-add-comment.json", SourceKind::Social, &[
        r#"withheld filtered reaction"#,
    ]),
    ("social/meta_webhooks/feed-reaction-edit.json", SourceKind::Social, &[
        r#"withheld filtered reaction"#,
    ]),
    ("social/meta_webhooks/feed-reaction-remove.json", SourceKind::Social, &[
        r#"withheld filtered reaction"#,
    ]),
    ("social/meta_webhooks/messaging-message-nlp-distance.json", SourceKind::Social, &[
        r#"message.received social id=mid.$cAAFnKHM6z25j0QQm0ldn77eaCVEy at=1501623672530 rev=1501623672530 handle!facebook:12345654332:987654321432 conversation_id=facebook:12345654332:987654321432 text="Saabruecken is about 20km away""#,
    ]),
    ("social/meta_webhooks/messaging-message-nlp-email-2.json", SourceKind::Social, &[
        r#"message.received social id=-DpM1dbY54v72W76CMcpFC67x9QLy11IvvcmRE at=1546990267208 rev=1546990267208 handle!facebook:349489628480201:987654321432 email?mail@example.org conversation_id=facebook:349489628480201:987654321432 sentiment=0/-1..1 labeled text="You can contact me at mail@example.org""#,
    ]),
    ("social/meta_webhooks/messaging-pass-thread-control.json", SourceKind::Social, &[
        r#"withheld filtered pass_thread_control"#,
    ]),
    ("social/meta_webhooks/messaging-take-thread-control.json", SourceKind::Social, &[
        r#"withheld filtered take_thread_control"#,
    ]),
    ("social/meta_webhooks/unknown-change-value.json", SourceKind::Social, &[
        r#"withheld unmapped foo"#,
    ]),
    ("store/shopify_go/order_with_transaction.json", SourceKind::Store, &[
        r#"withheld filtered test order"#,
    ]),
    ("store/shopify_go/draft_order.json", SourceKind::Store, &[
        r#"withheld filtered draft_order"#,
    ]),
    ("store/shopify_go/transactions.json", SourceKind::Store, &[
        r#"withheld filtered test transaction"#,
    ]),
    ("store/shopify_go/webhook.json", SourceKind::Store, &[
        r#"withheld filtered webhook"#,
    ]),
    ("store/woocommerce/order-refunds_2_http_request.json", SourceKind::Store, &[
        r#"refund.completed web id=refund/649 at=1422300572000"#,
    ]),
    ("store/woocommerce/order-refunds_3_http_request.json", SourceKind::Store, &[
        r#"refund.completed web id=refund/649 at=1422300572000"#,
        r#"refund.completed web id=refund/647 at=1422299946000"#,
    ]),
    ("store/woocommerce/webhooks_1_http_request.json", SourceKind::Store, &[
        r#"withheld filtered webhook"#,
    ]),
    ("callcentre/amazon_connect/contact-events_01_sample_contact_event_for_when_a_voice_call_is_conn.json", SourceKind::CallCentre, &[
        r#"response.sent phone id=11111111-1111-1111-1111-111111111111/response.sent at=1628098149000 visit!src:call:11111111-1111-1111-1111-111111111111 conversation_id=11111111-1111-1111-1111-111111111111 staff=12345678-1234-1234-1234-123456789012 team=12345678-1234-1234-1234-123456789012 wait=5000"#,
    ]),
    ("callcentre/amazon_connect/sample-agent-event-stream_01_sample_agent_event_stream.json", SourceKind::CallCentre, &[
        r#"rejected undecodable "#,
    ]),
    ("callcentre/amazon_connect/contact-lens-example-output-files_01_example_original_analyzed_file_for_a_call.json", SourceKind::CallCentre, &[
        r#"rejected undecodable "#,
    ]),
    ("callcentre/amazon_connect/contact-lens-rules-eventbridge-event_02_example_eventbridge_payloads.json", SourceKind::CallCentre, &[
        r#"rejected undecodable "#,
    ]),
];
