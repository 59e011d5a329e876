//! A review on a review site or in an application store.
//!
//! | source | becomes | source id | time |
//! |---|---|---|---|
//! | `review_id` | `review.submitted` with stars on the scale given (default 1 to 5); an update is a revision | `review_id` | `created_at` |
//! | `reply_at` or `reply` | `response.sent` too | `<review>/response.sent` | `reply_at` |
//!
//! | fact | from |
//! |---|---|
//! | verb, revision | `deleted` true: remove; `updated_at` |
//! | customer | `author_id`, else `author`, with `platform`: handle `platform:id`; `order_id`, `email` are asserted |
//! | owners, refs | `store`; `product` (item), conversation is the review |
//!
//! Names in camel case are accepted too.

use serde::Deserialize;
use throughline_model::touchpoint::Evidence;
use throughline_model::{
    Channel, EvidenceKind, IdentifierType, OwnerKind, RefKind, Rejection, RejectionReason, TouchpointType, Trust, Verb,
};

use super::generic_survey::is_contract;
use crate::draft::Draft;
use crate::format::{Entries, Format, Payload};
use crate::json::{self, Flag, Num, Str, Time};
use crate::shape::Shape;

/// The format.
#[derive(Debug)]
pub struct SiteReview;

impl Format for SiteReview {
    fn name(&self) -> &'static str {
        "review"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        let any = |keys: &[&str]| keys.iter().any(|key| shape.has(key));
        !is_contract(shape) && any(&["review_id", "reviewId"]) && any(&["rating", "stars", "text", "title"])
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let review: Review<'a> = json::from_str(payload.text)?;
        if review.review_id.some().is_none() {
            return Err(Rejection::field(RejectionReason::MissingField, "review_id", "a review without an id"));
        }
        let mut draft = draft(payload, TouchpointType::ReviewSubmitted, &review);
        draft.body.source_id = review.review_id.0.clone();
        draft.verb = if review.deleted.is_true() { Verb::Remove } else { Verb::Add };
        draft.time = review.created_at.clone().0;
        draft.updated_at = review.updated_at.at();
        if let Some(stars) = review.rating.0 {
            let usual = Evidence::new(EvidenceKind::Stars, stars);
            let min = review.scale_min.0.unwrap_or(usual.min);
            let max = review.scale_max.0.unwrap_or(usual.max);
            draft.body.evidence.push(Evidence { min, max, ..usual });
        }
        draft.body.language = review.language.0.clone();
        draft.text = match (review.title.some(), review.text.some()) {
            (Some(title), Some(text)) => format!("{title}\n{text}").into(),
            _ => review.text.clone().or(review.title.clone()).take(),
        };
        sink.touchpoint(draft);
        if !review.reply_at.is_missing() || review.reply.some().is_some() {
            let mut draft = self::draft(payload, TouchpointType::ResponseSent, &review);
            draft.body.source_id = format!("{}/response.sent", &*review.review_id).into();
            draft.time = review.reply_at.0;
            sink.touchpoint(draft);
        }
        Ok(())
    }
}

fn draft<'a>(payload: &Payload<'a>, kind: TouchpointType, review: &Review<'a>) -> Draft<'a> {
    let mut draft = Draft::new(kind, Channel::Review, payload.source);
    let body = &mut draft.body;
    body.set_reference(RefKind::Conversation, &review.review_id);
    body.set_reference(RefKind::Item, &review.product);
    body.set_reference(RefKind::Order, &review.order_id);
    body.set_owner(OwnerKind::Store, &review.store);
    body.text_ref = review.url.0.clone();
    let author = review.author_id.some().or(review.author.some());
    if let (Some(platform), Some(author)) = (review.platform.some(), author) {
        let handle = format!("{platform}:{author}");
        draft.mention(IdentifierType::Handle, handle, Trust::Authenticated, "author");
    }
    draft.mention(IdentifierType::Email, &review.email, Trust::Asserted, "email");
    if let Some(order) = review.order_id.some() {
        let visit = format!("{}:order:{order}", payload.source_name);
        draft.mention(IdentifierType::Visit, visit, Trust::Asserted, "order_id");
    }
    draft
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Review<'a> {
    #[serde(borrow, alias = "reviewId")]
    review_id: Str<'a>,
    #[serde(borrow, alias = "site")]
    platform: Str<'a>,
    #[serde(alias = "stars")]
    rating: Num,
    #[serde(alias = "scaleMin")]
    scale_min: Num,
    #[serde(alias = "scaleMax", alias = "scale")]
    scale_max: Num,
    #[serde(borrow)]
    title: Str<'a>,
    #[serde(borrow)]
    text: Str<'a>,
    #[serde(borrow, alias = "authorId")]
    author_id: Str<'a>,
    #[serde(borrow)]
    author: Str<'a>,
    #[serde(borrow)]
    email: Str<'a>,
    #[serde(borrow, alias = "storeId", alias = "store_id")]
    store: Str<'a>,
    #[serde(borrow, alias = "productId", alias = "product_id")]
    product: Str<'a>,
    #[serde(borrow, alias = "orderId")]
    order_id: Str<'a>,
    #[serde(borrow, alias = "createdAt")]
    created_at: Time<'a>,
    #[serde(borrow, alias = "updatedAt")]
    updated_at: Time<'a>,
    deleted: Flag,
    #[serde(borrow, alias = "reply_text", alias = "replyText")]
    reply: Str<'a>,
    #[serde(borrow, alias = "replyAt", alias = "replied_at")]
    reply_at: Time<'a>,
    #[serde(borrow)]
    language: Str<'a>,
    #[serde(borrow)]
    url: Str<'a>,
}
