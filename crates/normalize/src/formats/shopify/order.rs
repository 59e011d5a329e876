//! Orders and what belongs to them: cancellation, payments, shipping, refunds.

use std::borrow::Cow;

use throughline_model::touchpoint::{Benefit, Money, Proof, ValueFact};
use throughline_model::{
    BenefitKind, Channel, FactKind, IdentifierType, Mode, OwnerKind, Party, PromiseKind, ProofOutcome, RefKind,
    Rejection, RejectionReason, ResultReason, TouchpointType, Trust, Verb, WithheldReason,
};

use super::record::Record;
use crate::draft::Draft;
use crate::format::{Entries, Payload};
use crate::formats::amount;
use crate::json::{Str, Time};

/// What every entry of one record shares.
pub(super) struct Scope<'p, 'a> {
    pub payload: &'p Payload<'a>,
}

impl<'a> Scope<'_, 'a> {
    pub(super) fn order(&self, order: &Record<'a>, sink: &mut dyn Entries<'a>) {
        if order.test.is_true() {
            return sink.withheld(WithheldReason::Filtered, Cow::Borrowed("test order"));
        }
        if order.id.some().is_none() {
            return sink.rejected(Rejection::field(RejectionReason::MissingField, "id", "an order without an id"));
        }
        sink.touchpoint(self.created(order));
        if order.cancelled_at.at().is_some() || !order.cancelled_at.is_missing() {
            sink.touchpoint(self.cancelled(order));
        }
        let mut paid = &*order.financial_status == "paid";
        if paid {
            let mut draft = self.draft(TouchpointType::PaymentCompleted, order, &order.id, "");
            draft.body.money = amount::money(&order.total_price, &order.currency);
            draft.body.facts = facts(order);
            sink.touchpoint(draft);
        }
        for transaction in order.transactions.iter() {
            match outcome(transaction) {
                // The order's own word and its captures speak of one payment.
                Outcome::Completed if paid => {}
                Outcome::Silent(_) => {}
                Outcome::Completed => {
                    paid = true;
                    sink.touchpoint(self.payment(TouchpointType::PaymentCompleted, order, transaction));
                }
                Outcome::Failed => sink.touchpoint(self.payment(TouchpointType::PaymentFailed, order, transaction)),
            }
        }
        for fulfillment in order.fulfillments.iter() {
            self.fulfillment(Some(order), fulfillment, sink);
        }
        for refund in order.refunds.iter() {
            self.refund(Some(order), refund, sink);
        }
    }

    fn created(&self, order: &Record<'a>) -> Draft<'a> {
        let mut draft = self.draft(TouchpointType::OrderCreated, order, &order.id, "");
        draft.body.money = amount::money(&order.total_price, &order.currency);
        draft.body.facts = facts(order);
        draft.body.language = order.customer_locale.clone().take();
        if draft.body.channel == Channel::Store {
            draft.body.mode = Mode::Person;
        }
        draft
    }

    fn cancelled(&self, order: &Record<'a>) -> Draft<'a> {
        let mut draft = self.draft(TouchpointType::OrderCancelled, order, &order.id, "");
        draft.time = order.cancelled_at.clone().0;
        draft.body.money = amount::money(&order.total_price, &order.currency);
        let reason: &str = &order.cancel_reason;
        draft.body.result.by = Some(if reason == "customer" { Party::Customer } else { Party::Brand });
        draft.body.result.reason = match reason {
            "inventory" => Some(ResultReason::Stock),
            "declined" => Some(ResultReason::System),
            _ => None,
        };
        draft
    }

    /// A transaction on its own.
    pub(super) fn transaction(&self, transaction: &Record<'a>, sink: &mut dyn Entries<'a>) {
        let kind = match outcome(transaction) {
            Outcome::Completed => TouchpointType::PaymentCompleted,
            Outcome::Failed => TouchpointType::PaymentFailed,
            Outcome::Silent(name) => return sink.withheld(WithheldReason::Filtered, Cow::Borrowed(name)),
        };
        if transaction.order_id.some().is_none() {
            let why = "a transaction without its order";
            return sink.rejected(Rejection::field(RejectionReason::MissingField, "order_id", why));
        }
        sink.touchpoint(self.payment(kind, transaction, transaction));
    }

    /// A payment told by an order or by the transaction alone (then both are the same record).
    fn payment(&self, kind: TouchpointType, order: &Record<'a>, transaction: &Record<'a>) -> Draft<'a> {
        let id = if transaction.order_id.some().is_some() { &transaction.order_id } else { &order.id };
        // An order is paid once however many captures that takes; every failure is one of its own.
        let suffix = if kind == TouchpointType::PaymentFailed { &*transaction.id } else { "" };
        let mut draft = self.draft(kind, order, id, suffix);
        draft.time = happened(transaction);
        draft.body.money = amount::money(&transaction.amount, &transaction.currency);
        draft
    }

    pub(super) fn fulfillment(&self, order: Option<&Record<'a>>, fulfillment: &Record<'a>, sink: &mut dyn Entries<'a>) {
        let id = order.map_or(&fulfillment.order_id, |order| &order.id);
        if id.some().is_none() {
            let why = "a fulfillment without its order";
            return sink.rejected(Rejection::field(RejectionReason::MissingField, "order_id", why));
        }
        let verb = match &*fulfillment.status {
            "" | "success" => Verb::Add,
            "cancelled" => Verb::Remove,
            _ => return sink.withheld(WithheldReason::Filtered, fulfillment.status.clone().take()),
        };
        let mut draft = self.draft(TouchpointType::OrderShipped, order.unwrap_or(fulfillment), id, &fulfillment.id);
        draft.verb = verb;
        draft.time = fulfillment.created_at.clone().0;
        draft.updated_at = fulfillment.updated_at.at().or(draft.updated_at);
        draft.body.channel = Channel::Field;
        draft.body.set_owner(OwnerKind::Partner, fulfillment.tracking_company.text().to_owned());
        sink.touchpoint(draft);
        if fulfillment.shipment_status.text() == "delivered" && verb == Verb::Add {
            let time = fulfillment.updated_at.clone().or(fulfillment.created_at.clone());
            let mut draft = self.delivered(order.unwrap_or(fulfillment), id, &fulfillment.id, time);
            draft.body.set_owner(OwnerKind::Partner, fulfillment.tracking_company.text().to_owned());
            sink.touchpoint(draft);
        }
    }

    /// A step of a fulfillment; only the delivery is one of the customer's.
    pub(super) fn step(&self, step: &Record<'a>, sink: &mut dyn Entries<'a>) {
        if &*step.status != "delivered" {
            return sink.withheld(WithheldReason::Filtered, step.status.clone().take());
        }
        if step.order_id.some().is_none() {
            let why = "a fulfillment step without its order";
            return sink.rejected(Rejection::field(RejectionReason::MissingField, "order_id", why));
        }
        let time = step.happened_at.clone().or(step.created_at.clone());
        sink.touchpoint(self.delivered(step, &step.order_id, &step.fulfillment_id, time));
    }

    fn delivered(&self, about: &Record<'a>, order: &Str<'a>, fulfillment: &str, time: Time<'a>) -> Draft<'a> {
        let mut draft = self.draft(TouchpointType::OrderDelivered, about, order, fulfillment);
        draft.body.channel = Channel::Field;
        draft.body.proofs.push(proof(PromiseKind::Delivery, order));
        draft.time = time.0;
        draft
    }

    pub(super) fn refund(&self, order: Option<&Record<'a>>, refund: &Record<'a>, sink: &mut dyn Entries<'a>) {
        let id = order.map_or(&refund.order_id, |order| &order.id);
        if id.some().is_none() {
            let why = "a refund without its order";
            return sink.rejected(Rejection::field(RejectionReason::MissingField, "order_id", why));
        }
        let mut transactions = 0;
        let mut refunded = 0;
        let mut sum: Option<Money<'a>> = None;
        for transaction in refund.transactions.iter() {
            transactions += 1;
            let good = matches!(&*transaction.status, "" | "success") && !transaction.test.is_true();
            if good && matches!(&*transaction.kind, "" | "refund") {
                refunded += 1;
                let part = amount::money(&transaction.amount, &transaction.currency);
                sum = match (sum.take(), part) {
                    (Some(sum), Some(part)) if sum.currency == part.currency => {
                        Some(Money { amount_minor: sum.amount_minor.saturating_add(part.amount_minor), ..sum })
                    }
                    (one, other) => one.or(other),
                };
            }
        }
        if transactions > 0 && refunded == 0 {
            return sink.withheld(WithheldReason::Filtered, Cow::Borrowed("refund without a completed transaction"));
        }
        let mut draft = self.draft(TouchpointType::RefundCompleted, order.unwrap_or(refund), id, &refund.id);
        draft.time = happened(refund);
        draft.updated_at = draft.updated_at.or_else(|| refund.processed_at.at()).or_else(|| refund.created_at.at());
        draft.body.proofs.push(proof(PromiseKind::Refund, id));
        draft.body.set_owner(OwnerKind::Staff, &refund.user_id);
        if let Some(money) = sum {
            draft.body.benefit = Some(Box::new(Benefit {
                kind: BenefitKind::Refund,
                amount_minor: money.amount_minor,
                currency: money.currency.clone(),
                points: 0,
            }));
            draft.body.money = Some(money);
        }
        sink.touchpoint(draft);
    }

    /// A draft about an order: ids, channel, customer.
    fn draft(&self, kind: TouchpointType, about: &Record<'a>, order: &Str<'a>, suffix: &str) -> Draft<'a> {
        let mut draft = Draft::new(kind, channel(about), self.payload.source);
        let slash = if suffix.is_empty() { "" } else { "/" };
        draft.body.source_id = Cow::Owned(format!("order/{}/{kind}{slash}{suffix}", &**order));
        draft.time = happened(about);
        draft.updated_at = about.updated_at.at();
        draft.body.set_reference(RefKind::Order, order);
        if draft.body.channel == Channel::Store {
            draft.body.set_owner(OwnerKind::Store, &about.location_id);
            draft.body.set_owner(OwnerKind::Staff, &about.user_id);
        }
        let visit = format!("{}:order:{}", self.payload.source_name, &**order);
        draft.mention(IdentifierType::Visit, visit, Trust::Authenticated, "id");
        mention_customer(&mut draft, about);
        draft
    }
}

/// The customer of a record: the shop's own id is known to be theirs, addresses are what was typed.
pub(super) fn mention_customer<'a>(draft: &mut Draft<'a>, record: &Record<'a>) {
    if let Some(customer) = &record.customer.0 {
        if let Some(id) = customer.id.some() {
            draft.mention(IdentifierType::Handle, format!("shopify:{id}"), Trust::Authenticated, "customer.id");
        }
        draft.mention(IdentifierType::Email, &customer.email, Trust::Asserted, "customer.email");
        draft.mention(IdentifierType::Phone, &customer.phone, Trust::Asserted, "customer.phone");
    }
    for (kind, value, field) in [
        (IdentifierType::Email, &record.email, "email"),
        (IdentifierType::Email, &record.contact_email, "contact_email"),
        (IdentifierType::Phone, &record.phone, "phone"),
    ] {
        let known = draft.identifiers.iter().any(|mention| mention.kind == kind && *mention.value == **value);
        if !known {
            draft.mention(kind, value, Trust::Asserted, field);
        }
    }
}

/// What a transaction says about the payment.
enum Outcome {
    Completed,
    Failed,
    Silent(&'static str),
}

fn outcome(transaction: &Record<'_>) -> Outcome {
    if transaction.test.is_true() {
        return Outcome::Silent("test transaction");
    }
    match (&*transaction.kind, &*transaction.status) {
        ("sale" | "capture", "success") => Outcome::Completed,
        ("sale" | "capture" | "authorization", "failure" | "error") => Outcome::Failed,
        ("authorization", _) => Outcome::Silent("authorization"),
        ("refund", _) => Outcome::Silent("refund transaction"),
        ("void", _) => Outcome::Silent("void"),
        _ => Outcome::Silent("transaction"),
    }
}

fn happened<'a>(record: &Record<'a>) -> crate::draft::ClaimedTime<'a> {
    record.processed_at.clone().or(record.created_at.clone()).0
}

fn proof<'a>(kind: PromiseKind, order: &Str<'a>) -> Proof<'a> {
    Proof { kind, key: order.into(), proved_at: None, value: None, outcome: ProofOutcome::Delivered }
}

fn channel(record: &Record<'_>) -> Channel {
    match &*record.source_name {
        "pos" => Channel::Store,
        "iphone" | "android" => Channel::App,
        "web" | "shopify_draft_order" => Channel::Web,
        _ if record.financial_status.some().is_some() && record.location_id.some().is_some() => Channel::Store,
        _ => Channel::Web,
    }
}

fn facts<'a>(order: &Record<'a>) -> Vec<ValueFact<'a>> {
    let region: &Str<'a> = &order.shipping_address.0.country_code;
    let region = if region.some().is_some() { region.into() } else { Cow::Borrowed("all") };
    let items = order.line_items.iter().filter_map(|item| {
        let subject = item.sku.clone().or(item.variant_id.clone()).or(item.product_id.clone()).take();
        let value = amount::price(&item.price, &order.currency)?;
        (!subject.is_empty()).then(|| ValueFact {
            kind: FactKind::Price,
            subject,
            region: region.clone(),
            value: Cow::Owned(value),
        })
    });
    items.collect()
}
