//! Shopify webhooks and REST resources, bare, in their envelope, or under `detail.payload` of EventBridge.
//!
//! | source | becomes | source id |
//! |---|---|---|
//! | order | `order.created` | `order/<id>/order.created` |
//! | order with `cancelled_at` | `order.cancelled`; reason `customer`: by the customer, else by the brand | `order/<id>/order.cancelled` |
//! | order with `financial_status` paid; transaction: sale or capture, success | `payment.completed` | `order/<id>/payment.completed` |
//! | transaction: sale, capture or authorization, failure or error | `payment.failed` | `order/<id>/payment.failed/<transaction>` |
//! | other transactions (authorization, void, refund, pending) | filtered | |
//! | fulfillment, bare or in an order, status success | `order.shipped`; cancelled: taken back; other status: filtered | `order/<id>/order.shipped/<fulfillment>` |
//! | fulfillment with `shipment_status` delivered, fulfillment step delivered | `order.delivered` | `order/<id>/order.delivered/<fulfillment>` |
//! | refund, bare or in an order | `refund.completed` with the sum of its successful refund transactions; all failed: filtered | `order/<id>/refund.completed/<refund>` |
//! | checkout | `checkout.started` | `checkout/<id>/checkout.started` |
//! | customer; topic `customers/create` | `profile.changed`; `account.created` | `customer/<id>/<type>` |
//! | `test` true, draft order, webhook subscription, cart, catalog and shop settings | filtered | |
//! | anything else | by the deployment's map of the header topic, else unmapped | |
//!
//! | fact | from |
//! |---|---|
//! | what a record is | header `X-Shopify-Topic`, else its envelope, its global id, its fields |
//! | event time | `processed_at`, else `created_at`; `cancelled_at`; `happened_at` |
//! | revision | `updated_at` |
//! | customer | `customer.id`: handle `shopify:<id>`; the order: visit `<source>:order:<id>`; `email`, `phone` are asserted |
//! | channel | `location_id` or `source_name` pos: store (owner store, staff `user_id`); iphone, android: app; else web |
//! | money, facts | `total_price`, `currency`; `line_items[].price` by SKU, else variant, else product |

mod order;
mod record;

use std::borrow::Cow;

use throughline_model::{Channel, IdentifierType, RefKind, Rejection, TouchpointType, Trust, WithheldReason};

use crate::draft::Draft;
use crate::format::{Entries, Format, Payload};
use crate::json;
use crate::shape::Shape;

use order::Scope;
use record::{Customer, Record, Resource};

/// The format.
#[derive(Debug)]
pub struct Shopify;

/// Members that say that an envelope is WooCommerce's, where both vendors use its name.
pub(super) const WOOCOMMERCE_MEMBERS: &[(&str, &[&str])] = &[
    ("order", WOOCOMMERCE_ORDER),
    ("orders", WOOCOMMERCE_ORDER),
    ("customer", WOOCOMMERCE_CUSTOMER),
    ("customers", WOOCOMMERCE_CUSTOMER),
    ("webhook", WOOCOMMERCE_WEBHOOK),
    ("webhooks", WOOCOMMERCE_WEBHOOK),
    ("product", WOOCOMMERCE_PRODUCT),
    ("products", WOOCOMMERCE_PRODUCT),
];
const WOOCOMMERCE_ORDER: &[&str] =
    &["total", "status", "payment_details", "total_line_items_quantity", "view_order_url", "customer_ip"];
const WOOCOMMERCE_CUSTOMER: &[&str] = &["username", "avatar_url", "last_order_date", "role"];
const WOOCOMMERCE_WEBHOOK: &[&str] = &["delivery_url", "resource", "hooks", "event"];
const WOOCOMMERCE_PRODUCT: &[&str] = &["regular_price", "permalink", "in_stock", "catalog_visibility"];

/// Envelopes of orders and what belongs to them.
const ENVELOPES: &[&str] = &[
    "order",
    "orders",
    "refund",
    "refunds",
    "transaction",
    "transactions",
    "fulfillment",
    "fulfillments",
    "fulfillment_event",
    "fulfillment_events",
    "checkout",
    "checkouts",
    "customer",
    "customers",
    "draft_order",
    "draft_orders",
    "webhook",
    "webhooks",
];

/// Envelopes of catalog, shop and billing resources: known, without a touchpoint.
const SILENT: &[&str] = &[
    "access_scopes",
    "address",
    "addresses",
    "application_charge",
    "article",
    "asset",
    "blog",
    "carrier_service",
    "carrier_services",
    "collect",
    "collection",
    "custom_collection",
    "customer_address",
    "discount_code",
    "discount_codes",
    "draft_order_invoice",
    "fulfillment_order",
    "fulfillment_orders",
    "fulfillment_service",
    "fulfillment_services",
    "gift_card",
    "gift_cards",
    "events",
    "image",
    "images",
    "inventory_item",
    "inventory_items",
    "inventory_level",
    "inventory_levels",
    "location",
    "locations",
    "metafield",
    "metafields",
    "order_edit",
    "page",
    "payout",
    "payouts",
    "price_rule",
    "price_rules",
    "product",
    "product_listing",
    "products",
    "recurring_application_charge",
    "recurring_application_charges",
    "redirect",
    "risk",
    "risks",
    "script_tag",
    "script_tags",
    "shipping_zones",
    "shop",
    "smart_collection",
    "storefront_access_token",
    "storefront_access_tokens",
    "theme",
    "usage_charge",
    "usage_charges",
    "variant",
    "variants",
];

impl Format for Shopify {
    fn name(&self) -> &'static str {
        "shopify"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        if let [envelope] = shape.keys.as_slice() {
            let known = ENVELOPES.contains(envelope) || SILENT.contains(envelope);
            return known && !is_woocommerce(shape, envelope);
        }
        if shape.has("detail") {
            let partner = shape.string("source").is_some_and(|source| source.starts_with("aws.partner/shopify"));
            return partner && shape.has_nested("detail", "payload");
        }
        let global = shape.string("admin_graphql_api_id").is_some_and(|id| id.starts_with("gid://shopify/"));
        let any = |keys: &[&str]| keys.iter().any(|key| shape.has(key));
        let all = |keys: &[&str]| keys.iter().all(|key| shape.has(key));
        global
            || shape.has("id")
                && !any(&["date_created", "date_created_gmt", "delivery_url"])
                && (any(&["refund_line_items", "abandoned_checkout_url", "invoice_sent_at"])
                    || all(&["fulfillment_id", "happened_at"])
                    || all(&["order_id", "kind", "status"])
                    || shape.has("order_id") && any(&["tracking_company", "tracking_numbers", "shipment_status"])
                    || all(&["financial_status", "total_price"])
                    || all(&["line_items", "total_price"])
                    || any(&["verified_email", "email_marketing_consent"])
                    || all(&["accepts_marketing", "orders_count"])
                    || all(&["address", "topic"])
                    || all(&["token", "line_items"]))
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let mut record: Record<'a> = json::from_str(payload.text)?;
        let mut topic = header_topic(payload);
        if let Some(detail) = record.detail.0.take() {
            if let Cow::Borrowed(named) = detail.metadata.0.topic.take() {
                topic = Some(named).filter(|named| !named.is_empty()).or(topic);
            }
            record = detail.payload.0.map(|inner| *inner).unwrap_or_default();
        }
        let scope = Scope { payload };
        if record.id.some().is_none() && unwrap(&scope, &record, topic, sink) {
            return Ok(());
        }
        match topic.and_then(resource_of_topic).or_else(|| record.resource()) {
            Some(resource) => one(&scope, resource, &record, topic, sink),
            None => unlisted(payload, topic, sink),
        }
        Ok(())
    }
}

/// Whether a shared envelope holds what only WooCommerce writes.
pub(super) fn is_woocommerce(shape: &Shape<'_>, envelope: &str) -> bool {
    WOOCOMMERCE_MEMBERS
        .iter()
        .find(|(name, _)| *name == envelope)
        .is_some_and(|(_, members)| members.iter().any(|member| shape.has_nested(envelope, member)))
}

fn header_topic<'a>(payload: &Payload<'a>) -> Option<&'a str> {
    let value = payload.headers.get("X-Shopify-Topic").or_else(|| payload.headers.get("x-shopify-topic"))?;
    std::str::from_utf8(value).ok()
}

fn resource_of_topic(topic: &str) -> Option<Resource> {
    let (resource, action) = topic.split_once('/')?;
    match (resource, action) {
        ("orders", "delete" | "edited" | "risk_assessment_changed") => Some(Resource::Silent("order notice")),
        ("customers", "delete" | "data_request" | "redact") => Some(Resource::Silent("customer notice")),
        ("orders", _) => Some(Resource::Order),
        ("refunds", _) => Some(Resource::Refund),
        ("order_transactions", _) => Some(Resource::Transaction),
        ("fulfillments", _) => Some(Resource::Fulfillment),
        ("fulfillment_events", _) => Some(Resource::FulfillmentStep),
        ("checkouts", "delete") => Some(Resource::Silent("checkout notice")),
        ("checkouts", _) => Some(Resource::Checkout),
        ("customers", _) => Some(Resource::Customer),
        ("draft_orders", _) => Some(Resource::Silent("draft_order")),
        ("carts", _) => Some(Resource::Silent("cart")),
        _ => None,
    }
}

/// Reads what is inside an envelope; false if there is none.
fn unwrap<'a>(scope: &Scope<'_, 'a>, record: &Record<'a>, topic: Option<&str>, sink: &mut dyn Entries<'a>) -> bool {
    let single = [
        (&record.order, Resource::Order),
        (&record.refund, Resource::Refund),
        (&record.transaction, Resource::Transaction),
        (&record.fulfillment, Resource::Fulfillment),
        (&record.fulfillment_event, Resource::FulfillmentStep),
        (&record.checkout, Resource::Checkout),
    ];
    let lists = [
        (&record.orders, Resource::Order),
        (&record.refunds, Resource::Refund),
        (&record.transactions, Resource::Transaction),
        (&record.fulfillments, Resource::Fulfillment),
        (&record.fulfillment_events, Resource::FulfillmentStep),
        (&record.checkouts, Resource::Checkout),
    ];
    let mut found = false;
    for (inner, resource) in single {
        if let Some(inner) = &inner.0 {
            found = true;
            one(scope, resource, inner, topic, sink);
        }
    }
    for (list, resource) in lists {
        if list.is_present() && list.iter().next().is_none() {
            found = true;
            sink.withheld(WithheldReason::Filtered, Cow::Borrowed("empty list"));
        }
        for member in list.iter() {
            found = true;
            one(scope, resource, member, topic, sink);
        }
    }
    for customer in record.customer.0.iter().chain(record.customers.iter()) {
        found = true;
        customer_touchpoint(scope, customer, topic, sink);
    }
    let silent = [
        (record.draft_order.0 || record.draft_orders.0, "draft_order"),
        (record.webhook.0 || record.webhooks.0, "webhook"),
    ];
    for (present, name) in silent {
        if present {
            found = true;
            sink.withheld(WithheldReason::Filtered, Cow::Borrowed(name));
        }
    }
    found
}

fn one<'a>(
    scope: &Scope<'_, 'a>,
    resource: Resource,
    record: &Record<'a>,
    topic: Option<&str>,
    sink: &mut dyn Entries<'a>,
) {
    match resource {
        Resource::Order => scope.order(record, sink),
        Resource::Refund => scope.refund(None, record, sink),
        Resource::Transaction => scope.transaction(record, sink),
        Resource::Fulfillment => scope.fulfillment(None, record, sink),
        Resource::FulfillmentStep => scope.step(record, sink),
        Resource::Checkout => checkout(scope, record, sink),
        Resource::Customer => {
            let customer = Customer {
                id: record.id.clone(),
                email: record.email.clone(),
                phone: record.phone.clone(),
                created_at: record.created_at.clone(),
                updated_at: record.updated_at.clone(),
            };
            customer_touchpoint(scope, &customer, topic, sink);
        }
        Resource::Silent(name) => sink.withheld(WithheldReason::Filtered, Cow::Borrowed(name)),
    }
}

fn checkout<'a>(scope: &Scope<'_, 'a>, record: &Record<'a>, sink: &mut dyn Entries<'a>) {
    let id = if record.id.some().is_some() { &record.id } else { &record.token };
    let mut draft = Draft::new(TouchpointType::CheckoutStarted, Channel::Web, scope.payload.source);
    if id.some().is_some() {
        draft.body.source_id = Cow::Owned(format!("checkout/{}/checkout.started", &**id));
    }
    draft.time = record.created_at.clone().0;
    draft.updated_at = record.updated_at.at();
    draft.body.money = super::amount::money(&record.total_price, &record.currency);
    draft.body.set_reference(RefKind::Session, record.cart_token.clone().or(record.token.clone()));
    order::mention_customer(&mut draft, record);
    sink.touchpoint(draft);
}

fn customer_touchpoint<'a>(
    scope: &Scope<'_, 'a>,
    customer: &Customer<'a>,
    topic: Option<&str>,
    sink: &mut dyn Entries<'a>,
) {
    let created = topic == Some("customers/create");
    let kind = if created { TouchpointType::AccountCreated } else { TouchpointType::ProfileChanged };
    let mut draft = Draft::new(kind, Channel::Web, scope.payload.source);
    if let Some(id) = customer.id.some() {
        draft.body.source_id = Cow::Owned(format!("customer/{id}/{kind}"));
        draft.mention(IdentifierType::Handle, format!("shopify:{id}"), Trust::Authenticated, "customer.id");
    }
    draft.mention(IdentifierType::Email, &customer.email, Trust::Asserted, "customer.email");
    draft.mention(IdentifierType::Phone, &customer.phone, Trust::Asserted, "customer.phone");
    let updated = customer.updated_at.clone();
    draft.updated_at = updated.at();
    draft.time = if created { customer.created_at.clone() } else { updated.or(customer.created_at.clone()) }.0;
    sink.touchpoint(draft);
}

/// A resource nobody reads: known ones are filtered, others may be named by the deployment's map.
fn unlisted<'a>(payload: &Payload<'a>, topic: Option<&'a str>, sink: &mut dyn Entries<'a>) {
    #[derive(serde::Deserialize)]
    struct Names<'a>(#[serde(borrow)] std::collections::BTreeMap<Cow<'a, str>, serde::de::IgnoredAny>);
    let envelope = json::from_str::<Names<'a>>(payload.text).ok().and_then(|names| match names.0.len() {
        1 => names.0.into_keys().next(),
        _ => None,
    });
    if let Some(kind) = topic.and_then(|topic| payload.names.kind_of(topic)) {
        let mut draft = Draft::new(kind, Channel::Web, payload.source);
        let record: Record<'a> = json::from_str(payload.text).unwrap_or_default();
        draft.body.source_id = record.id.clone().take();
        draft.time = record.created_at.clone().0;
        draft.updated_at = record.updated_at.at();
        order::mention_customer(&mut draft, &record);
        return sink.touchpoint(draft);
    }
    match envelope {
        Some(name) if SILENT.contains(&&*name) => sink.withheld(WithheldReason::Filtered, name),
        Some(name) => sink.withheld(WithheldReason::Unmapped, name),
        None => sink.withheld(WithheldReason::Unmapped, Cow::Borrowed(topic.unwrap_or("resource"))),
    }
}
