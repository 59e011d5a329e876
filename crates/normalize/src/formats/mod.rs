//! One module per vendor format, each with its table from source fields to touchpoint types.

mod amazon_connect;
mod amount;
mod contact_lens;
pub mod contract;
mod generic_contact;
mod generic_mention;
mod generic_review;
mod generic_survey;
mod meta;
mod posthog;
mod qualtrics;
mod segment;
mod shopify;
mod snowplow;
mod woocommerce;

use crate::format::Format;

/// Every format, in the order their names are listed to people. They exclude each other, so the order decides nothing.
static ALL: &[&dyn Format] = &[
    &contract::Contract,
    &segment::Segment,
    &snowplow::Snowplow,
    &posthog::PostHog,
    &meta::Meta,
    &shopify::Shopify,
    &woocommerce::WooCommerce,
    &amazon_connect::ContactEvent,
    &amazon_connect::ContactRecord,
    &amazon_connect::AgentStream,
    &contact_lens::ContactLens,
    &qualtrics::Qualtrics,
    &generic_survey::SurveyResponse,
    &generic_mention::Mention,
    &generic_review::SiteReview,
    &generic_contact::GenericContact,
];

/// Every format.
#[must_use]
pub fn all() -> &'static [&'static dyn Format] {
    ALL
}

/// The format of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    ALL.iter().copied().find(|format| format.name() == name)
}
