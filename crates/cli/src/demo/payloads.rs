//! Payloads as the vendors send them. Every builder takes the time of what happened, in milliseconds since 1970.

use serde_json::{Value, json};
use throughline_config::vocabulary::SourceKind;

/// The page whose webhooks these are.
const PAGE: &str = "106880001";

/// A source record without its time of sending.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    /// Where it goes.
    pub source: SourceKind,
    /// Its key; nobody relies on it.
    pub key: String,
    /// Headers of the vendor.
    pub headers: Vec<(&'static str, String)>,
    /// Value.
    pub value: Vec<u8>,
}

impl Payload {
    fn new(source: SourceKind, key: &str, value: &Value) -> Self {
        Self { source, key: key.to_owned(), headers: Vec::new(), value: value.to_string().into_bytes() }
    }
}

/// RFC 3339 with milliseconds, as most vendors write it.
pub fn rfc3339(at: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at).expect("story times are those of our century");
    format!("{at:.3}")
}

/// A Segment call of a signed-in user.
pub fn segment(user: &str, id: &str, at: i64, call: Value) -> Payload {
    let mut value = json!({
        "messageId": format!("ajs-{id}"),
        "userId": user,
        "anonymousId": format!("anon-{user}"),
        "timestamp": rfc3339(at),
        "sentAt": rfc3339(at + 40),
        "context": {"library": {"name": "analytics.js", "version": "2.1.0"}, "locale": "en-GB"},
        "integrations": {},
    });
    merge(&mut value, call);
    Payload::new(SourceKind::Web, user, &value)
}

/// A Segment page call.
pub fn page(user: &str, id: &str, at: i64, path: &str) -> Payload {
    let url = format!("https://shop.example{path}");
    segment(user, id, at, json!({"type": "page", "name": path, "properties": {"path": path, "url": url}}))
}

/// A Segment track call.
pub fn track(user: &str, id: &str, at: i64, name: &str, properties: Value) -> Payload {
    segment(user, id, at, json!({"type": "track", "event": name, "properties": properties}))
}

/// A comment under a post of the page.
pub fn comment(author: &str, id: &str, at: i64, text: &str) -> Payload {
    feed(
        author,
        at,
        json!({"item": "comment", "verb": "add", "comment_id": format!("500_{id}"), "post_id": format!("{PAGE}_500"),
            "parent_id": format!("{PAGE}_500"), "from": {"id": author, "name": "A. Customer"},
            "created_time": at / 1_000, "message": text}),
    )
}

/// A reaction to a post of the page.
pub fn like(author: &str, at: i64) -> Payload {
    feed(
        author,
        at,
        json!({"item": "reaction", "verb": "add", "reaction_type": "like", "post_id": format!("{PAGE}_500"),
            "from": {"id": author, "name": "A. Customer"}, "created_time": at / 1_000}),
    )
}

fn feed(author: &str, at: i64, change: Value) -> Payload {
    let value = json!({"object": "page", "entry": [{"id": PAGE, "time": at / 1_000,
        "changes": [{"field": "feed", "value": change}]}]});
    Payload::new(SourceKind::Social, author, &value)
}

/// A direct message to the page; `is_echo`: one that the page sent.
pub fn direct(person: &str, id: &str, at: i64, text: &str, is_echo: bool) -> Payload {
    let (from, to) = if is_echo { (PAGE, person) } else { (person, PAGE) };
    let mut said = json!({"mid": format!("m_{id}"), "text": text});
    if is_echo {
        said["is_echo"] = json!(true);
    }
    let value = json!({"object": "page", "entry": [{"id": PAGE, "time": at, "messaging": [
        {"sender": {"id": from}, "recipient": {"id": to}, "timestamp": at, "message": said}]}]});
    Payload::new(SourceKind::Social, person, &value)
}

/// A Shopify order webhook.
pub fn shopify_order(customer: u64, order: u64, at: i64, total: &str) -> Payload {
    let value = json!({"id": order, "order_number": order, "name": format!("#{order}"), "created_at": rfc3339(at),
        "processed_at": rfc3339(at), "updated_at": rfc3339(at), "source_name": "web", "location_id": null, "test": false,
        "total_price": total, "currency": "EUR", "financial_status": "paid", "fulfillment_status": null,
        "customer": {"id": customer, "email": format!("c{customer}@mail.example"), "phone": null},
        "line_items": [{"id": order * 10, "sku": "TEA-250", "price": total, "quantity": 1, "title": "Tea, 250 g"}],
        "refunds": []});
    let mut payload = Payload::new(SourceKind::Store, &order.to_string(), &value);
    payload.headers = vec![
        ("X-Shopify-Topic", "orders/create".to_owned()),
        ("X-Shopify-Shop-Domain", "acme.myshop.example".to_owned()),
        ("X-Shopify-Webhook-Id", format!("w-{order}")),
    ];
    payload
}

/// A WooCommerce order webhook.
pub fn woocommerce_order(customer: u64, order: u64, at: i64, total: &str) -> Payload {
    let stamp = rfc3339(at);
    let utc = stamp.trim_end_matches('Z');
    let value = json!({"id": order, "number": order.to_string(), "status": "processing", "currency": "EUR",
        "date_created_gmt": utc, "date_modified_gmt": utc, "total": total, "customer_id": customer,
        "billing": {"email": format!("w{customer}@mail.example"), "phone": ""}, "shipping": {"country": "DE"},
        "payment_method": "card", "line_items": [{"id": 1, "sku": "MUG-1", "price": total, "quantity": 1}], "refunds": []});
    let mut payload = Payload::new(SourceKind::Store, &order.to_string(), &value);
    payload.headers = vec![("X-WC-Webhook-Topic", "order.created".to_owned())];
    payload
}

/// A step of a call in Amazon Connect, as EventBridge wraps it. `enqueued` is the time of queueing, `agent` who answered.
pub fn call(step: &str, contact: &str, customer: &str, at: i64, enqueued: Option<i64>, agent: Option<&str>) -> Payload {
    let mut detail = json!({"eventType": step, "contactId": contact, "initialContactId": contact, "channel": "VOICE",
        "instanceArn": "arn:aws:connect:eu-central-1:1:instance/i", "initiationMethod": "INBOUND",
        "initiationTimestamp": rfc3339(enqueued.unwrap_or(at)), "attributes": {"customerId": customer}});
    if let Some(enqueued) = enqueued {
        detail["queueInfo"] = json!({"queueType": "STANDARD", "enqueueTimestamp": rfc3339(enqueued),
            "queueArn": "arn:aws:connect:eu-central-1:1:instance/i/queue/care"});
    }
    if let Some(agent) = agent {
        detail["agentInfo"] = json!({"connectedToAgentTimestamp": rfc3339(at),
            "agentArn": format!("arn:aws:connect:eu-central-1:1:instance/i/agent/{agent}")});
    }
    if step == "DISCONNECTED" {
        detail["disconnectTimestamp"] = json!(rfc3339(at));
        detail["disconnectReason"] = json!("CUSTOMER_DISCONNECT");
    }
    let value = json!({"version": "0", "id": format!("{contact}-{step}"), "detail-type": "Amazon Connect Contact Event",
        "source": "aws.connect", "account": "1", "time": rfc3339(at), "region": "eu-central-1", "resources": [],
        "detail": detail});
    Payload::new(SourceKind::CallCentre, contact, &value)
}

/// A record of Throughline's own contract, about a customer named by one authenticated identifier.
pub fn contract(source: SourceKind, kind: &str, id: &str, (by, value): (&str, &str), at: i64, more: Value) -> Payload {
    let mut record = json!({"type": kind, "source_id": format!("{kind}/{id}"), "occurred_at": rfc3339(at),
        "identifiers": [{"type": by, "value": value, "trust": "authenticated"}]});
    merge(&mut record, more);
    Payload::new(source, value, &record)
}

/// An answer to a survey; `scale` is the lowest and highest answer.
pub fn answer(customer: &str, id: &str, at: i64, instrument: &str, score: f64, scale: (i64, i64)) -> Payload {
    let value = json!({"response_id": id, "survey_id": "after-visit", "instrument": instrument, "score": score,
        "scale_min": scale.0, "scale_max": scale.1, "answered_at": rfc3339(at), "recipient_customer_id": customer,
        "language": "en"});
    Payload::new(SourceKind::Survey, customer, &value)
}

/// A record that a till tore in the middle.
pub fn torn(order: u64, at: i64) -> Payload {
    let mut payload = shopify_order(1, order, at, "9.90");
    payload.value.truncate(payload.value.len() / 2);
    payload
}

fn merge(value: &mut Value, more: Value) {
    if let (Value::Object(members), Value::Object(more)) = (value, more) {
        members.extend(more);
    }
}
