//! Track calls: Segment's e-commerce, live chat and B2B names.
//!
//! | event | becomes |
//! |---|---|
//! | Product Viewed, Product List Viewed | `listing.viewed` with its prices as facts |
//! | Promotion Viewed | `offer.shown` |
//! | Products Searched | `page.viewed`; where the call says that nothing was found `search.failed` |
//! | Product Added, Product Removed, Cart Viewed, Checkout Step Viewed, Checkout Step Completed, Payment Info Entered, wish list calls | `page.viewed` |
//! | Checkout Started, Coupon Denied | `checkout.started`, `coupon.denied` |
//! | Order Completed, Order Updated | `order.created` and `payment.completed`; an update revises both |
//! | Order Cancelled | `order.cancelled`, by the customer where `cancelled_by` or `reason` says so |
//! | Order Refunded | `refund.completed` |
//! | Product Reviewed | `review.submitted` with `rating` as stars |
//! | Product Shared, Cart Shared | `post.published`, not public |
//! | Live Chat Conversation Started, Live Chat Message Sent, Live Chat Message Received, Live Chat Conversation Ended | `contact.started`, `message.received`, `response.sent`, `contact.ended` |
//! | Signed Up, Account Created, Signed In, Signed Out, Account Deleted | `account.created`, `account.created`, `login.completed`, `session.ended`, `contract.ended` |
//! | every other name | the deployment's map, else `withheld(unmapped)` |

use throughline_model::touchpoint::{Evidence, Money, Social, Text, ValueFact};
use throughline_model::{
    Channel, EvidenceKind, FactKind, IdentifierType, OwnerKind, Party, RefKind, Rejection, TouchpointType, Trust, Verb,
    WithheldReason,
};

use super::draft;
use super::wire::{Call, Properties};
use crate::blank::trim;
use crate::draft::{ClaimedTime, Draft};
use crate::format::{Entries, Payload};
use crate::formats::amount;
use crate::json::Str;

/// What a name of the table does beyond its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Plain,
    Search,
    Order,
    OrderUpdate,
    Cancellation,
    Refund,
    Review,
    Share,
    Chat,
    ChatText,
}

/// The table. Names differ in case between libraries, so they are compared without it.
#[rustfmt::skip] // A table reads as a table.
const NAMES: &[(&str, TouchpointType, Rule)] = &[
    ("Product Viewed", TouchpointType::ListingViewed, Rule::Plain),
    ("Product List Viewed", TouchpointType::ListingViewed, Rule::Plain),
    ("Promotion Viewed", TouchpointType::OfferShown, Rule::Plain),
    ("Products Searched", TouchpointType::PageViewed, Rule::Search),
    ("Product Added", TouchpointType::PageViewed, Rule::Plain),
    ("Product Removed", TouchpointType::PageViewed, Rule::Plain),
    ("Cart Viewed", TouchpointType::PageViewed, Rule::Plain),
    ("Checkout Step Viewed", TouchpointType::PageViewed, Rule::Plain),
    ("Checkout Step Completed", TouchpointType::PageViewed, Rule::Plain),
    ("Payment Info Entered", TouchpointType::PageViewed, Rule::Plain),
    ("Product Added to Wishlist", TouchpointType::PageViewed, Rule::Plain),
    ("Product Removed from Wishlist", TouchpointType::PageViewed, Rule::Plain),
    ("Wishlist Product Added to Cart", TouchpointType::PageViewed, Rule::Plain),
    ("Checkout Started", TouchpointType::CheckoutStarted, Rule::Plain),
    ("Coupon Denied", TouchpointType::CouponDenied, Rule::Plain),
    ("Order Completed", TouchpointType::OrderCreated, Rule::Order),
    ("Order Updated", TouchpointType::OrderCreated, Rule::OrderUpdate),
    ("Order Cancelled", TouchpointType::OrderCancelled, Rule::Cancellation),
    ("Order Canceled", TouchpointType::OrderCancelled, Rule::Cancellation),
    ("Order Refunded", TouchpointType::RefundCompleted, Rule::Refund),
    ("Product Reviewed", TouchpointType::ReviewSubmitted, Rule::Review),
    ("Product Shared", TouchpointType::PostPublished, Rule::Share),
    ("Cart Shared", TouchpointType::PostPublished, Rule::Share),
    ("Live Chat Conversation Started", TouchpointType::ContactStarted, Rule::ChatText),
    ("Live Chat Message Sent", TouchpointType::MessageReceived, Rule::ChatText),
    ("Live Chat Message Received", TouchpointType::ResponseSent, Rule::Chat),
    ("Live Chat Conversation Ended", TouchpointType::ContactEnded, Rule::Chat),
    ("Signed Up", TouchpointType::AccountCreated, Rule::Plain),
    ("Account Created", TouchpointType::AccountCreated, Rule::Plain),
    ("Signed In", TouchpointType::LoginCompleted, Rule::Plain),
    ("Signed Out", TouchpointType::SessionEnded, Rule::Plain),
    ("Account Deleted", TouchpointType::ContractEnded, Rule::Plain),
];

pub(super) fn read<'a>(payload: &Payload<'a>, call: &Call<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
    let name = trim(&call.event);
    let row = NAMES.iter().find(|(event, ..)| event.eq_ignore_ascii_case(name));
    let Some(&(_, mut kind, rule)) = row else {
        match payload.names.kind_of(name) {
            Some(kind) => sink.boxed(mapped(payload, call, kind)),
            None => sink.withheld(WithheldReason::Unmapped, Text::from(&call.event)),
        }
        return Ok(());
    };
    let properties = &call.properties.0;
    if rule == Rule::Search && found_nothing(properties) {
        kind = TouchpointType::SearchFailed;
    }
    let mut draft = with_properties(payload, call, properties, kind);
    match rule {
        Rule::Plain | Rule::Search => {}
        Rule::Order | Rule::OrderUpdate => return read_order(payload, call, properties, draft, rule, sink),
        Rule::Cancellation => {
            draft.body.result.by = cancelled_by(properties);
            mention_order(payload, &mut draft, properties);
        }
        Rule::Refund => mention_order(payload, &mut draft, properties),
        Rule::Review => {
            draft.body.channel = Channel::Review;
            draft.body.evidence.extend(stars(&properties.rating));
            draft.text = Text::from(&properties.review_body);
        }
        Rule::Share => {
            draft.body.channel = Channel::Social;
            draft.body.social = Some(Box::new(Social::default()));
            draft.text = Text::from(&properties.share_message);
        }
        Rule::Chat | Rule::ChatText => {
            read_chat(payload, &mut draft, properties);
            if rule == Rule::ChatText {
                draft.text = Text::from(&properties.message_body);
            }
        }
    }
    sink.boxed(draft);
    Ok(())
}

/// A draft of a name that only the deployment knows.
fn mapped<'a>(payload: &Payload<'a>, call: &Call<'a>, kind: TouchpointType) -> Box<Draft<'a>> {
    let properties = &call.properties.0;
    let mut draft = with_properties(payload, call, properties, kind);
    if matches!(kind, TouchpointType::OrderCreated | TouchpointType::PaymentCompleted) {
        mention_order(payload, &mut draft, properties);
    }
    draft
}

fn with_properties<'a>(
    payload: &Payload<'a>,
    call: &Call<'a>,
    properties: &Properties<'a>,
    kind: TouchpointType,
) -> Box<Draft<'a>> {
    let mut draft = draft(payload, call, kind);
    draft.mention(IdentifierType::Email, &properties.email, Trust::Asserted, "properties.email");
    draft.mention(IdentifierType::Phone, &properties.phone, Trust::Asserted, "properties.phone");
    let body = &mut draft.body;
    body.set_reference(RefKind::Order, &properties.order_id);
    let item = if properties.product_id.is_empty() { &properties.sku } else { &properties.product_id };
    body.set_reference(RefKind::Item, item);
    body.set_reference(RefKind::Campaign, &properties.promotion_id);
    body.set_reference(RefKind::Conversation, &properties.conversation_id);
    body.money = money(properties);
    if matches!(kind, TouchpointType::ListingViewed | TouchpointType::OrderCreated | TouchpointType::PaymentCompleted) {
        body.facts = prices(properties);
    }
    draft
}

/// An order is two touchpoints of one thing; both keep their ids when the order is updated.
fn read_order<'a>(
    payload: &Payload<'a>,
    call: &Call<'a>,
    properties: &Properties<'a>,
    mut order: Box<Draft<'a>>,
    rule: Rule,
    sink: &mut dyn Entries<'a>,
) -> Result<(), Rejection> {
    mention_order(payload, &mut order, properties);
    if rule == Rule::OrderUpdate {
        order.verb = Verb::Update;
        order.updated_at = match order.time {
            ClaimedTime::At(at) => Some(at),
            ClaimedTime::Raw { created, .. } => Some(created),
            _ => None,
        };
    }
    let thing = match properties.order_id.some() {
        Some(order_id) => format!("order/{}", trim(order_id)),
        None => order.body.source_id.to_string(),
    };
    let id_of = |kind: TouchpointType| match thing.as_str() {
        // Without any id both are told apart by their index in the record.
        "" => Text::Borrowed(""),
        thing => Text::Owned(format!("{thing}/{kind}")),
    };
    let mut payment = with_properties(payload, call, properties, TouchpointType::PaymentCompleted);
    payment.verb = order.verb;
    payment.updated_at = order.updated_at;
    payment.identifiers.clone_from(&order.identifiers);
    order.body.source_id = id_of(TouchpointType::OrderCreated);
    payment.body.source_id = id_of(TouchpointType::PaymentCompleted);
    // The prices are facts of the payment alone: one price seen once.
    order.body.facts.clear();
    sink.boxed(order);
    sink.boxed(payment);
    Ok(())
}

fn mention_order<'a>(payload: &Payload<'a>, draft: &mut Draft<'a>, properties: &Properties<'a>) {
    draft.visit(payload.source_name, "order", &properties.order_id, Trust::Authenticated, "properties.order_id");
}

fn read_chat<'a>(payload: &Payload<'a>, draft: &mut Draft<'a>, properties: &Properties<'a>) {
    let body = &mut draft.body;
    body.channel = Channel::Chat;
    body.set_owner(OwnerKind::Staff, &properties.agent_id);
    if body.kind == TouchpointType::ContactEnded {
        body.result.resolved = properties.resolved.0;
        let seconds = properties.conversation_duration.0.filter(|seconds| (0.0..1e9).contains(seconds));
        body.durations.handle_ms = seconds.map(|seconds| (seconds * 1e3).round() as i64);
    }
    draft.visit(
        payload.source_name,
        "conversation",
        &properties.conversation_id,
        Trust::Authenticated,
        "properties.conversation_id",
    );
}

/// Only what the call says: without a count nobody knows what was found.
fn found_nothing(properties: &Properties<'_>) -> bool {
    let counts = [&properties.results, &properties.results_count, &properties.result_count, &properties.num_results];
    counts.iter().any(|count| trim(count) == "0") || properties.products.0.as_ref().is_some_and(Vec::is_empty)
}

fn cancelled_by(properties: &Properties<'_>) -> Option<Party> {
    let says = |text: &str, word: &str| text.to_ascii_lowercase().contains(word);
    [&properties.cancelled_by, &properties.reason].iter().find_map(|text| {
        if says(text, "customer") {
            Some(Party::Customer)
        } else if says(text, "partner") {
            Some(Party::Partner)
        } else if says(text, "brand") || says(text, "merchant") || says(text, "inventory") {
            Some(Party::Brand)
        } else {
            None
        }
    })
}

/// A rating on 1..5; on 0..10 or 0..100 where it is higher than that.
fn stars(rating: &Str<'_>) -> Option<Evidence> {
    let score: f64 = trim(rating).parse().ok()?;
    let mut evidence = Evidence::new(EvidenceKind::Stars, score);
    if score > 5.0 && score <= 100.0 {
        evidence.min = 0.0;
        evidence.max = if score <= 10.0 { 10.0 } else { 100.0 };
    }
    Some(evidence)
}

/// Segment documents US dollars where no currency is named.
fn currency<'a>(named: &Str<'a>) -> Text<'a> {
    if named.is_empty() { Text::Borrowed("USD") } else { Text::from(named) }
}

fn money<'a>(properties: &Properties<'a>) -> Option<Money<'a>> {
    let amount =
        [&properties.total, &properties.revenue, &properties.value].into_iter().find(|text| !text.is_empty())?;
    amount::money(amount, currency(&properties.currency))
}

fn prices<'a>(properties: &Properties<'a>) -> Vec<ValueFact<'a>> {
    let listed = properties.products.0.iter().flatten();
    let listed = listed.map(|product| (&product.product_id, &product.sku, &product.price, &product.currency));
    let alone = (&properties.product_id, &properties.sku, &properties.price, &properties.currency);
    std::iter::once(alone)
        .chain(listed)
        .filter_map(|(id, sku, price, named)| {
            let subject = if id.is_empty() { sku } else { id };
            let named = if named.is_empty() { &properties.currency } else { named };
            let value = if subject.is_empty() { None } else { amount::price(price, &currency(named)) }?;
            Some(ValueFact {
                kind: FactKind::Price,
                subject: Text::from(subject),
                region: Text::Borrowed("all"),
                value: Text::Owned(value),
            })
        })
        .collect()
}
