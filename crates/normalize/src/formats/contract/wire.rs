//! The record of the contract as producers write it; JSON and Avro decode into the same structs.
//!
//! Stricter than the vendor formats: a producer who writes to the contract wants to be told which field is wrong.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use throughline_model::EventTime;
use throughline_model::touchpoint::Text;

use crate::draft::ClaimedTime;
use crate::time;

/// A string or null, which is empty; nothing else.
#[derive(Debug, Clone, Default)]
pub(super) struct Word<'a>(pub Text<'a>);

impl std::ops::Deref for Word<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(WordVisitor(PhantomData))
    }
}

struct WordVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for WordVisitor<'a> {
    type Value = Word<'a>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Word<'a>, E> {
        Ok(Word(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Word<'a>, E> {
        Ok(Word(Cow::Owned(text.to_owned())))
    }
    fn visit_string<E>(self, text: String) -> Result<Word<'a>, E> {
        Ok(Word(Cow::Owned(text)))
    }
    fn visit_unit<E>(self) -> Result<Word<'a>, E> {
        Ok(Word::default())
    }
    fn visit_none<E>(self) -> Result<Word<'a>, E> {
        Ok(Word::default())
    }
    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Word<'a>, D::Error> {
        from.deserialize_any(self)
    }
}

/// A time: RFC 3339 text, or integer milliseconds (microseconds are told apart by their size).
#[derive(Debug, Clone)]
pub(super) struct Instant<'a>(pub ClaimedTime<'a>);

impl Default for Instant<'_> {
    fn default() -> Self {
        Self(ClaimedTime::Missing)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Instant<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(InstantVisitor(PhantomData)).map(Self)
    }
}

struct InstantVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for InstantVisitor<'a> {
    type Value = ClaimedTime<'a>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a time: RFC 3339 or integer milliseconds")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<ClaimedTime<'a>, E> {
        Ok(time::read(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<ClaimedTime<'a>, E> {
        Ok(time::read(Cow::Owned(text.to_owned())))
    }
    fn visit_i64<E>(self, number: i64) -> Result<ClaimedTime<'a>, E> {
        let millis = if number.unsigned_abs() < 100_000_000_000_000 { number } else { number / 1_000 };
        Ok(ClaimedTime::At(EventTime::from_millis(millis)))
    }
    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<ClaimedTime<'a>, E> {
        let number = i64::try_from(number).map_err(|_| E::custom("time out of range"))?;
        self.visit_i64(number)
    }
    fn visit_unit<E>(self) -> Result<ClaimedTime<'a>, E> {
        Ok(ClaimedTime::Missing)
    }
    fn visit_none<E>(self) -> Result<ClaimedTime<'a>, E> {
        Ok(ClaimedTime::Missing)
    }
    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<ClaimedTime<'a>, D::Error> {
        from.deserialize_any(self)
    }
}

/// A field that JSON may leave out and Avro may hold as null, with the default of its type.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

macro_rules! wire {
    ($(#[$meta:meta])* $name:ident { words: [$($word:ident),* $(,)?], times: [$($time:ident),* $(,)?], rest: { $($field:ident: $type:ty),* $(,)? } }) => {
        $(#[$meta])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(default)]
        pub(super) struct $name<'a> {
            $(#[serde(borrow)] pub $word: Word<'a>,)*
            $(#[serde(borrow)] pub $time: Instant<'a>,)*
            $(#[serde(deserialize_with = "or_default")] pub $field: $type,)*
            #[serde(skip)]
            pub borrowed: PhantomData<&'a ()>,
        }
    };
}

/// A touchpoint of the contract.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    pub source_id: Word<'a>,
    #[serde(borrow)]
    pub tenant: Word<'a>,
    #[serde(borrow)]
    pub source: Option<Source<'a>>,
    #[serde(borrow)]
    pub verb: Word<'a>,
    #[serde(borrow)]
    pub updated_at: Instant<'a>,
    #[serde(borrow, rename = "type")]
    pub kind: Word<'a>,
    #[serde(borrow)]
    pub channel: Word<'a>,
    #[serde(borrow)]
    pub family: Word<'a>,
    #[serde(borrow)]
    pub direction: Word<'a>,
    #[serde(borrow)]
    pub mode: Word<'a>,
    #[serde(borrow)]
    pub occurred_at: Instant<'a>,
    #[serde(borrow)]
    pub sent_at: Instant<'a>,
    #[serde(borrow)]
    pub collected_at: Instant<'a>,
    #[serde(borrow)]
    pub identifiers: Option<Vec<Identifier<'a>>>,
    #[serde(borrow)]
    pub relations: Option<Vec<Relation<'a>>>,
    #[serde(borrow)]
    pub refs: Option<Refs<'a>>,
    #[serde(borrow)]
    pub owners: Option<Owners<'a>>,
    pub controllable: Option<bool>,
    #[serde(borrow)]
    pub need: Option<Need<'a>>,
    #[serde(borrow)]
    pub intents: Option<Vec<Intent<'a>>>,
    #[serde(borrow)]
    pub severity: Word<'a>,
    #[serde(borrow)]
    pub codes: Option<Vec<Word<'a>>>,
    #[serde(borrow)]
    pub driver: Word<'a>,
    #[serde(borrow)]
    pub evidence: Option<Vec<Evidence<'a>>>,
    #[serde(borrow)]
    pub result: Option<Outcome<'a>>,
    #[serde(borrow)]
    pub durations: Option<Durations<'a>>,
    #[serde(borrow)]
    pub money: Option<Money<'a>>,
    #[serde(borrow)]
    pub benefit: Option<Benefit<'a>>,
    #[serde(borrow)]
    pub facts: Option<Vec<Fact<'a>>>,
    #[serde(borrow)]
    pub facets: Option<Vec<Facet<'a>>>,
    #[serde(borrow)]
    pub promises: Option<Vec<Promise<'a>>>,
    #[serde(borrow)]
    pub proofs: Option<Vec<Proof<'a>>>,
    #[serde(borrow)]
    pub journey: Option<Journey<'a>>,
    #[serde(borrow)]
    pub purpose: Word<'a>,
    #[serde(borrow)]
    pub social: Option<Social<'a>>,
    #[serde(borrow)]
    pub attributes: Option<Vec<Attribute<'a>>>,
    #[serde(borrow)]
    pub consents: Option<Vec<Consent<'a>>>,
    #[serde(borrow)]
    pub loyalty: Option<Loyalty<'a>>,
    #[serde(borrow)]
    pub language: Word<'a>,
    #[serde(borrow)]
    pub text: Word<'a>,
    #[serde(borrow)]
    pub text_ref: Word<'a>,
    #[serde(borrow)]
    pub raw_ref: Word<'a>,
}

wire! { Source { words: [system, app, producer, schema, version], times: [], rest: {} } }
wire! { Identifier { words: [r#type, value, trust], times: [], rest: {} } }
wire! { Relation { words: [kind, r#type, value], times: [until], rest: {} } }
wire! {
    Refs {
        words: [
            case_id, order_id, item_id, booking_id, reservation_id, return_id, account_id, contract_id, campaign_id,
            visit_id, session_id, conversation_id, post_id, parent_id, survey_id, response_id, idea_id,
        ],
        times: [],
        rest: {}
    }
}
wire! { Owners { words: [partner, store, team, staff, process, provider, policy], times: [], rest: {} } }
wire! { Tag { words: [tag], times: [], rest: { confidence: Option<f64> } } }
wire! { Intent { words: [intent], times: [], rest: { confidence: Option<f64> } } }
wire! { Evidence { words: [kind], times: [], rest: { score: Option<f64>, min: f64, max: f64, easy_is_high: Option<bool> } } }
wire! { Outcome { words: [reason, by], times: [], rest: { resolved: Option<bool>, purchased: Option<bool> } } }
wire! { Durations { words: [], times: [], rest: { wait_ms: i64, stated_wait_ms: i64, hold_ms: i64, handle_ms: i64 } } }
wire! { Money { words: [currency], times: [], rest: { amount_minor: i64 } } }
wire! { Benefit { words: [kind, currency], times: [], rest: { amount_minor: i64, points: i64 } } }
wire! { Fact { words: [kind, subject, region, value], times: [], rest: {} } }
wire! { Facet { words: [facet], times: [], rest: { score: f64, min: f64, max: f64 } } }
wire! {
    Promise {
        words: [kind, key, sense, unit, made_by, campaign_id],
        times: [made_at, due_at],
        rest: { value: Option<f64>, tolerance: Option<f64> }
    }
}
wire! { Proof { words: [kind, key, outcome], times: [proved_at], rest: { value: Option<f64> } } }
wire! { Journey { words: [definition, key, step], times: [], rest: {} } }
wire! {
    Social {
        words: [],
        times: [metric_at],
        rest: {
            public: bool, author_followers: i64, author_following: i64, author_posts: i64, impressions: i64,
            reposts: i64, quotes: i64, replies: i64, likes: i64, outside_score: Option<f64>,
        }
    }
}
wire! { Attribute { words: [name, value, purpose], times: [valid_from, expires_at], rest: {} } }
wire! { Consent { words: [purpose, status, policy_version], times: [status_at, valid_until], rest: {} } }
wire! { Loyalty { words: [account, kind, tier], times: [], rest: { points: i64, balance: i64 } } }

/// What the customer needs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Need<'a> {
    #[serde(borrow)]
    pub topic: Word<'a>,
    #[serde(borrow)]
    pub category: Word<'a>,
    #[serde(borrow)]
    pub tags: Option<Vec<Tag<'a>>>,
}
