//! WooCommerce webhooks and REST resources: bare as the REST API since version 1 of `wc` writes them, or in the envelope of
//! the older API (`{"order": {...}}`, `{"order_refunds": [...]}`).
//!
//! | source | becomes | source id |
//! |---|---|---|
//! | order, any status but the two below | `order.created` | `order/<id>` |
//! | order, status failed | `payment.failed` | `order/<id>` |
//! | order, status cancelled | `order.cancelled` by the brand (the shop system does not say who) | `order/<id>` |
//! | order, status auto-draft, checkout-draft, trash | filtered | |
//! | `refunds[]` of an order; refund, bare or in `order_refund`, `order_refunds[]` | `refund.completed` | `refund/<id>` |
//! | customer | `profile.changed` | `customer/<id>` |
//! | webhook subscription and its deliveries, the ping `{webhook_id}`, note, coupon, product | filtered | |
//! | action hook `{action, arg}` | by the deployment's map of the action, else unmapped | |
//!
//! An order has one touchpoint at a time: each status replaces the one before, as `order/<id>` is its id.
//!
//! | fact | from |
//! |---|---|
//! | event time | `date_created_gmt` (UTC without a zone), `created_at`, else `date_created` (local); of failed and cancelled `date_modified_gmt`, `updated_at` |
//! | revision | `date_modified_gmt`, `updated_at` |
//! | customer | `customer_id` (0 is a guest): handle `woocommerce:<id>`; the order: visit `<source>:order:<id>`; billing `email`, `phone` are asserted |
//! | money, facts | `total`, `currency`; `line_items[].price` by SKU, else variation, else product |
//!
//! A refund alone names no order and no customer.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use throughline_model::touchpoint::{Benefit, Proof, ValueFact};
use throughline_model::{
    BenefitKind, Channel, EventTime, FactKind, IdentifierType, Party, PromiseKind, ProofOutcome, RefKind, Rejection,
    RejectionReason, TouchpointType, Trust, WithheldReason,
};

use super::amount;
use super::shopify::is_woocommerce;
use crate::draft::{ClaimedTime, Draft};
use crate::format::{Entries, Format, Payload};
use crate::json::{self, Many, Maybe, Obj, Str, Time};
use crate::shape::Shape;

/// The format.
#[derive(Debug)]
pub struct WooCommerce;

/// Envelopes no other vendor uses.
const ENVELOPES: &[&str] = &[
    "order_refund",
    "order_refunds",
    "order_note",
    "order_notes",
    "order_statuses",
    "webhook_delivery",
    "webhook_deliveries",
    "coupon",
    "coupons",
    "product_category",
    "product_categories",
    "webhook_id",
];

impl Format for WooCommerce {
    fn name(&self) -> &'static str {
        "woocommerce"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        if let [envelope] = shape.keys.as_slice() {
            return ENVELOPES.contains(envelope) || is_woocommerce(shape, envelope);
        }
        let any = |keys: &[&str]| keys.iter().any(|key| shape.has(key));
        let dated = any(&["date_created", "date_created_gmt"]);
        let order = any(&["order_key", "created_via", "customer_id", "billing", "total"]);
        let refund = shape.has("amount") && any(&["reason", "refunded_by", "refunded_payment"]);
        let customer = any(&["is_paying_customer", "avatar_url"]) && shape.has("username");
        shape.has("id") && dated && (order || refund || customer || any(&["sku", "discount_type"]))
            || any(&["delivery_url", "request_url", "customer_note"]) && shape.has("id")
            || shape.has("action") && shape.has("arg")
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let record: Record<'a> = json::from_str(payload.text)?;
        if record.id.some().is_some() || record.action.some().is_some() {
            return read_bare(payload, record, sink);
        }
        let Record { order, orders, order_refund, order_refunds, customer, customers, webhook, webhooks, .. } = record;
        let mut found = false;
        for order in order.0.into_iter().chain(orders.into_iter().map(|Obj(order)| order)) {
            found = true;
            read_order(payload, order, sink);
        }
        for refund in order_refund.0.into_iter().chain(order_refunds.into_iter().map(|Obj(refund)| refund)) {
            found = true;
            sink.touchpoint(refund_of(payload, None, refund));
        }
        for customer in customer.0.into_iter().chain(customers.into_iter().map(|Obj(customer)| customer)) {
            found = true;
            read_customer(payload, customer, sink);
        }
        if webhook.0.is_some() || !webhooks.is_empty() {
            found = true;
            sink.withheld(WithheldReason::Filtered, Cow::Borrowed("webhook"));
        }
        if !found {
            sink.withheld(WithheldReason::Filtered, Cow::Borrowed("resource"));
        }
        Ok(())
    }
}

/// A resource without an envelope; what it is shows in the fields only it has.
fn read_bare<'a>(payload: &Payload<'a>, bare: Record<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
    if let Some(action) = bare.action.some() {
        let Some(kind) = payload.names.kind_of(action) else {
            sink.withheld(WithheldReason::Unmapped, bare.action.take());
            return Ok(());
        };
        sink.touchpoint(Draft::new(kind, Channel::Web, payload.source));
    } else if bare.refunded_by.is_some()
        || bare.refunded_payment.is_some()
        || bare.amount.is_some() && bare.total.is_none()
    {
        if bare.discount_type.is_some() {
            sink.withheld(WithheldReason::Filtered, Cow::Borrowed("coupon"));
        } else {
            sink.touchpoint(refund_of(payload, None, json::from_str(payload.text)?));
        }
    } else if bare.total.is_some() || bare.order_key.is_some() || bare.billing.is_some() && bare.status.some().is_some()
    {
        read_order(payload, json::from_str(payload.text)?, sink);
    } else if bare.username.is_some() || bare.is_paying_customer.is_some() {
        read_customer(payload, json::from_str(payload.text)?, sink);
    } else {
        sink.withheld(WithheldReason::Filtered, Cow::Borrowed("resource"));
    }
    Ok(())
}

fn read_order<'a>(payload: &Payload<'a>, order: Order<'a>, sink: &mut dyn Entries<'a>) {
    if order.id.some().is_none() {
        return sink.rejected(Rejection::field(RejectionReason::MissingField, "id", "an order without an id"));
    }
    // Versions before 2 of the database write `wc-` before the status.
    let status = order.status.strip_prefix("wc-").unwrap_or(&order.status);
    let kind = match status {
        "auto-draft" | "checkout-draft" | "draft" | "trash" => {
            return sink.withheld(WithheldReason::Filtered, order.status.take());
        }
        "failed" => TouchpointType::PaymentFailed,
        "cancelled" | "canceled" => TouchpointType::OrderCancelled,
        _ => TouchpointType::OrderCreated,
    };
    let mut draft = Draft::new(kind, Channel::Web, payload.source);
    draft.body.source_id = Cow::Owned(format!("order/{}", &*order.id));
    let created = order.created();
    let modified = order.modified();
    draft.updated_at = at(&modified);
    draft.time = match kind {
        TouchpointType::OrderCreated => created,
        _ if modified == ClaimedTime::Missing => created,
        _ => modified,
    };
    if kind == TouchpointType::OrderCancelled {
        draft.body.result.by = Some(Party::Brand);
    }
    draft.body.money = amount::money(&order.total, &order.currency);
    if kind == TouchpointType::OrderCreated {
        draft.body.facts = facts(&order);
    }
    mention(payload, &mut draft, &order);
    let refunds: Vec<Draft<'a>> =
        order.refunds.iter().map(|Obj(refund)| refund_of(payload, Some(&order), refund.clone())).collect();
    sink.touchpoint(draft);
    for refund in refunds {
        sink.touchpoint(refund);
    }
}

fn mention<'a>(payload: &Payload<'a>, draft: &mut Draft<'a>, order: &Order<'a>) {
    draft.body.set_reference(RefKind::Order, &order.id);
    let visit = format!("{}:order:{}", payload.source_name, &*order.id);
    draft.mention(IdentifierType::Visit, visit, Trust::Authenticated, "id");
    let customer = if is_known(&order.customer_id) { &order.customer_id } else { &order.customer.id };
    if is_known(customer) {
        draft.mention(
            IdentifierType::Handle,
            format!("woocommerce:{}", &**customer),
            Trust::Authenticated,
            "customer_id",
        );
    }
    for address in [&order.billing, &order.billing_address] {
        draft.mention(IdentifierType::Email, &address.email, Trust::Asserted, "billing.email");
        draft.mention(IdentifierType::Phone, &address.phone, Trust::Asserted, "billing.phone");
    }
    let account: &Str<'a> = &order.customer.0.email;
    if !draft.identifiers.iter().any(|mention| *mention.value == **account) {
        draft.mention(IdentifierType::Email, account, Trust::Asserted, "customer.email");
    }
}

/// Guests have customer id 0.
fn is_known(id: &Str<'_>) -> bool {
    id.some().is_some_and(|id| id != "0")
}

fn refund_of<'a>(payload: &Payload<'a>, order: Option<&Order<'a>>, refund: Refund<'a>) -> Draft<'a> {
    let mut draft = Draft::new(TouchpointType::RefundCompleted, Channel::Web, payload.source);
    if let Some(id) = refund.id.some() {
        draft.body.source_id = Cow::Owned(format!("refund/{id}"));
    }
    draft.time = refund.created();
    draft.updated_at = at(&refund.modified());
    if is_known(&refund.refunded_by) {
        draft.body.set_owner(throughline_model::OwnerKind::Staff, &refund.refunded_by);
    }
    if let Some(order) = order {
        if draft.time == ClaimedTime::Missing {
            // Refunds inside an order carry no time of their own.
            draft.time = order.modified();
        }
        mention(payload, &mut draft, order);
        draft.body.proofs.push(Proof {
            kind: PromiseKind::Refund,
            key: Cow::from(&order.id),
            proved_at: None,
            value: None,
            outcome: ProofOutcome::Delivered,
        });
    } else if is_known(&refund.parent_id) {
        draft.body.set_reference(RefKind::Order, &refund.parent_id);
        let visit = format!("{}:order:{}", payload.source_name, &*refund.parent_id);
        draft.mention(IdentifierType::Visit, visit, Trust::Authenticated, "parent_id");
    }
    let amount = refund.amount.or(refund.total);
    let currency = order.map_or(refund.currency, |order| order.currency.clone());
    if let Some(money) = amount::money(&amount, &currency) {
        draft.body.benefit = Some(Box::new(Benefit {
            kind: BenefitKind::Refund,
            amount_minor: money.amount_minor,
            currency: money.currency.clone(),
            points: 0,
        }));
        draft.body.money = Some(money);
    }
    draft
}

fn read_customer<'a>(payload: &Payload<'a>, customer: Customer<'a>, sink: &mut dyn Entries<'a>) {
    let mut draft = Draft::new(TouchpointType::ProfileChanged, Channel::Web, payload.source);
    if is_known(&customer.id) {
        draft.body.source_id = Cow::Owned(format!("customer/{}", &*customer.id));
        draft.mention(IdentifierType::Handle, format!("woocommerce:{}", &*customer.id), Trust::Authenticated, "id");
    }
    draft.mention(IdentifierType::Email, &customer.email, Trust::Asserted, "email");
    draft.mention(IdentifierType::Phone, &customer.billing.phone, Trust::Asserted, "billing.phone");
    let modified = customer.modified();
    draft.updated_at = at(&modified);
    draft.time = if modified == ClaimedTime::Missing { customer.created() } else { modified };
    sink.touchpoint(draft);
}

fn facts<'a>(order: &Order<'a>) -> Vec<ValueFact<'a>> {
    let country = order.shipping.0.country.clone().or(order.shipping_address.0.country.clone());
    let region = if country.some().is_some() { country.take() } else { Cow::Borrowed("all") };
    let items = order.line_items.iter().filter_map(|Obj(item)| {
        let known = |id: &Str<'a>| is_known(id).then(|| Cow::from(id));
        let subject = known(&item.sku).or_else(|| known(&item.variation_id)).or_else(|| known(&item.product_id))?;
        let value = Cow::Owned(amount::price(&item.price, &order.currency)?);
        Some(ValueFact { kind: FactKind::Price, subject, region: region.clone(), value })
    });
    items.collect()
}

fn at(time: &ClaimedTime<'_>) -> Option<EventTime> {
    if let ClaimedTime::At(at) = time { Some(*at) } else { None }
}

/// The envelopes, which a bare resource leaves empty, and what it is told apart by.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow)]
    id: Str<'a>,
    #[serde(borrow)]
    order: Maybe<Order<'a>>,
    #[serde(borrow)]
    orders: Many<Obj<Order<'a>>>,
    #[serde(borrow)]
    order_refund: Maybe<Refund<'a>>,
    #[serde(borrow)]
    order_refunds: Many<Obj<Refund<'a>>>,
    #[serde(borrow)]
    customer: Maybe<Customer<'a>>,
    #[serde(borrow)]
    customers: Many<Obj<Customer<'a>>>,
    webhook: Maybe<IgnoredAny>,
    webhooks: Many<IgnoredAny>,

    // The members that tell bare resources apart.
    #[serde(borrow)]
    action: Str<'a>,
    #[serde(borrow)]
    status: Str<'a>,
    refunded_by: Option<IgnoredAny>,
    refunded_payment: Option<IgnoredAny>,
    amount: Option<IgnoredAny>,
    discount_type: Option<IgnoredAny>,
    total: Option<IgnoredAny>,
    order_key: Option<IgnoredAny>,
    billing: Option<IgnoredAny>,
    username: Option<IgnoredAny>,
    is_paying_customer: Option<IgnoredAny>,
}

/// A resource with the times of both generations of the interface.
macro_rules! resource {
    ($lt:lifetime, $name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        #[derive(Debug, Clone, Deserialize, Default)]
        #[serde(default)]
        struct $name<$lt> {
            $(#[serde(borrow)] $field: $type,)+
            #[serde(borrow)]
            created_at: Time<$lt>,
            #[serde(borrow)]
            updated_at: Time<$lt>,
            #[serde(borrow)]
            date_created: Time<$lt>,
            #[serde(borrow)]
            date_created_gmt: Time<$lt>,
            #[serde(borrow)]
            date_modified: Time<$lt>,
            #[serde(borrow)]
            date_modified_gmt: Time<$lt>,
        }

        impl<$lt> $name<$lt> {
            fn created(&self) -> ClaimedTime<$lt> {
                self.date_created_gmt.clone().in_utc().or(self.created_at.clone()).or(self.date_created.clone()).0
            }

            fn modified(&self) -> ClaimedTime<$lt> {
                self.date_modified_gmt.clone().in_utc().or(self.updated_at.clone()).or(self.date_modified.clone()).0
            }
        }
    };
}

resource!('a, Order {
    id: Str<'a>,
    status: Str<'a>,
    total: Str<'a>,
    currency: Str<'a>,
    customer_id: Str<'a>,
    billing: Obj<Address<'a>>,
    billing_address: Obj<Address<'a>>,
    shipping: Obj<Address<'a>>,
    shipping_address: Obj<Address<'a>>,
    customer: Obj<Customer<'a>>,
    line_items: Many<Obj<Item<'a>>>,
    refunds: Many<Obj<Refund<'a>>>,
});

resource!('a, Refund {
    id: Str<'a>,
    parent_id: Str<'a>,
    amount: Str<'a>,
    total: Str<'a>,
    currency: Str<'a>,
    refunded_by: Str<'a>,
});

resource!('a, Customer {
    id: Str<'a>,
    email: Str<'a>,
    billing: Obj<Address<'a>>,
});

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Address<'a> {
    #[serde(borrow)]
    email: Str<'a>,
    #[serde(borrow)]
    phone: Str<'a>,
    #[serde(borrow)]
    country: Str<'a>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Item<'a> {
    #[serde(borrow)]
    sku: Str<'a>,
    #[serde(borrow)]
    variation_id: Str<'a>,
    #[serde(borrow)]
    product_id: Str<'a>,
    #[serde(borrow)]
    price: Str<'a>,
}
