//! Vendors change the shapes of fields without notice: a field of any wrong shape costs at most what it said, never the
//! record, and no change makes a payload match two formats.

mod vendors_common;

use serde_json::{Value, json};
use throughline_model::SourceKind;
use vendors_common::entries;

const PAYLOADS: &[&str] = &[
    r#"{"object":"page","entry":[{"id":"77","time":1700000100,
        "changes":[{"field":"feed","value":{"item":"comment","verb":"add","comment_id":"9_5","post_id":"77_9","from":{"id":"501"},"message":"m","created_time":1}}],
        "messaging":[{"sender":{"id":"501"},"recipient":{"id":"77"},"timestamp":1700000100000,"message":{"mid":"m1","text":"t","is_echo":false,
            "nlp":{"entities":{"email":[{"value":"a@b.example"}]},"traits":{"wit$sentiment":[{"value":"positive","confidence":0.5}]},"detected_locales":[{"locale":"en_XX"}]}}}]}]}"#,
    r#"{"id":1001,"order_number":1,"processed_at":"2024-05-01T09:59:00+02:00","updated_at":"2024-05-02T08:00:00Z","total_price":"25.50","currency":"EUR",
        "financial_status":"paid","cancelled_at":"2024-05-02T08:00:00Z","cancel_reason":"other","customer":{"id":42,"email":"kim@x.example"},
        "shipping_address":{"country_code":"DE"},"line_items":[{"sku":"TEA","price":"12.75"}],"location_id":1,"user_id":2,"test":false,
        "fulfillments":[{"id":5,"status":"success","shipment_status":"delivered"}],"refunds":[{"id":3,"transactions":[{"kind":"refund","amount":"5.00"}]}],
        "transactions":[{"id":1,"kind":"sale","status":"failure","amount":"1"}]}"#,
    r#"{"transactions":[{"id":1,"order_id":2,"kind":"sale","status":"success","amount":"1.00","currency":"EUR","created_at":"2024-05-01T09:59:00Z"}]}"#,
    r#"{"id":727,"order_key":"k","currency":"EUR","date_created_gmt":"2024-05-01T10:00:00","status":"failed","total":"29.35","customer_id":26,
        "billing":{"email":"kim@x.example"},"shipping":{"country":"DE"},"line_items":[{"product_id":93,"price":3}],"refunds":[{"id":1,"total":"-1.00"}]}"#,
    r#"{"order_refunds":[{"id":1,"created_at":"2024-05-01T10:00:00Z","amount":"10.00"}]}"#,
    r#"{"version":"0","source":"aws.connect","time":"2024-05-01T10:30:00Z","detail-type":"Amazon Connect Contact Event","detail":{"eventType":"DISCONNECTED","contactId":"c3",
        "channel":"VOICE","queueInfo":{"queueArn":"q","enqueueTimestamp":"2024-05-01T10:01:00Z"},"agentInfo":{"agentArn":"a"},"attributes":{"customerId":"K1"}}}"#,
    r#"{"AWSContactTraceRecordFormatVersion":"2017-03-10","ContactId":"c2","Channel":"VOICE","InitiationMethod":"TRANSFER","PreviousContactId":"c1",
        "InitiationTimestamp":"2024-05-01T10:00:00Z","LastUpdateTimestamp":"2024-05-01T10:20:00Z","Attributes":{"customer_id":"K1"},
        "CustomerEndpoint":{"Address":"+4917000001","Type":"TELEPHONE_NUMBER"},"Queue":{"ARN":"q","Duration":1},"Agent":{"ARN":"a","NumberOfHolds":2}}"#,
    r#"{"Channel":"VOICE","JobStatus":"COMPLETED","LanguageCode":"en-US","CustomerMetadata":{"ContactId":"c2"},"Participants":[{"ParticipantId":"p1","ParticipantRole":"CUSTOMER"}],
        "Categories":{"MatchedCategories":["x"]},"ConversationCharacteristics":{"TotalConversationDurationMillis":1,"Sentiment":{"OverallSentiment":{"p1":-2.5}}},
        "Transcript":[{"ParticipantId":"p1","Content":"t"}]}"#,
    r#"{"Topic":"x","Status":"Complete","SurveyID":"SV_1","ResponseID":"R_1","RecipientID":"M","CompletedDate":"2024-05-01 10:00:00","Scores":[{"instrument":"nps","score":3}]}"#,
    r#"{"response_id":"r1","instrument":"csat","score":2,"answers":[{"instrument":"nps","score":9}],"topics":["t"],"answered_at":"2024-05-01T10:00:00Z"}"#,
    r#"{"platform":"p","post_id":"1","posted_at":"2024-05-01T10:00:00Z","metric_at":"2024-05-02T10:00:00Z","likes":3,"topics":["t"]}"#,
    r#"{"review_id":"v1","rating":4,"title":"t","text":"x","created_at":"2024-05-01T10:00:00Z"}"#,
    r#"{"contact_id":"t1","channel":"voice","started_at":"2024-05-01T10:00:00Z","hold_ms":125000,"ended_at":"2024-05-01T10:10:00Z","outcome":"x"}"#,
];

#[test]
fn a_field_of_a_wrong_shape_never_costs_the_record() {
    let shapes = [
        Value::Null,
        json!(true),
        json!(-7),
        json!(1.5e300),
        json!(""),
        json!("text"),
        json!([]),
        json!([null, 1, "x", {}]),
        json!({}),
        json!({"a": {"b": [1]}}),
    ];
    for text in PAYLOADS {
        let good: Value = serde_json::from_str(text).expect("good JSON");
        for path in paths(&good) {
            for shape in &shapes {
                let mut bad = good.clone();
                *bad.pointer_mut(&path).expect("a path of this document") = shape.clone();
                let bad = bad.to_string();
                for line in entries(SourceKind::Social, &bad) {
                    let fine = !line.starts_with("rejected") || line.starts_with("rejected missing_field");
                    assert!(fine || line == "rejected unknown_format ", "{path} as {shape}: {line}");
                }
            }
        }
    }
}

/// Pointers to every value below the top.
fn paths(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, child)| (name.replace('~', "~0"), child)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(at, child)| (at.to_string(), child)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        found.push(format!("/{name}"));
        found.extend(paths(child).into_iter().map(|rest| format!("/{name}{rest}")));
    }
    found
}
