//! What a touchpoint may carry besides its type: needs, answers, money, promises, counters, attributes.

use smallvec::SmallVec;

use super::Text;
use crate::time::EventTime;
use crate::vocabulary::{
    BenefitKind, ConsentStatus, EvidenceKind, FactKind, LoyaltyKind, Party, PromiseKind, PromiseSense, ProofOutcome,
    ResultReason,
};

/// A need: what it is about and how urgent its tags make it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Need<'a> {
    /// Topic.
    pub topic: Text<'a>,
    /// Category.
    pub category: Text<'a>,
    /// Tags with confidence 0..=1.
    pub tags: SmallVec<[(Text<'a>, f64); 1]>,
}

/// One answer, rating or sentiment on its own scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// Kind.
    pub kind: EvidenceKind,
    /// The value given, between `min` and `max`.
    pub score: f64,
    /// Lower end of the scale.
    pub min: f64,
    /// Upper end of the scale.
    pub max: f64,
    /// For effort answers: whether a high value means easy.
    pub easy_is_high: bool,
}

impl Evidence {
    /// A value on the usual scale of its kind.
    #[must_use]
    pub const fn new(kind: EvidenceKind, score: f64) -> Self {
        let (min, max) = match kind {
            EvidenceKind::Nps => (0.0, 10.0),
            EvidenceKind::Csat | EvidenceKind::Stars => (1.0, 5.0),
            EvidenceKind::Ces => (1.0, 7.0),
            EvidenceKind::Sentiment => (-1.0, 1.0),
        };
        Self { kind, score, min, max, easy_is_high: true }
    }
}

/// How an interaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Whether the need was met.
    pub resolved: Option<bool>,
    /// Whether something was bought.
    pub purchased: Option<bool>,
    /// Why not.
    pub reason: Option<ResultReason>,
    /// Who called it off.
    pub by: Option<Party>,
}

/// Durations in milliseconds; absent ones are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Durations {
    /// Waited.
    pub wait_ms: Option<i64>,
    /// Wait that was announced.
    pub stated_wait_ms: Option<i64>,
    /// On hold.
    pub hold_ms: Option<i64>,
    /// Handled.
    pub handle_ms: Option<i64>,
}

/// An amount in minor units of a currency; currencies are never converted or added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money<'a> {
    /// Minor units (cents).
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: Text<'a>,
}

/// What the customer got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Benefit<'a> {
    /// Kind.
    pub kind: BenefitKind,
    /// Minor units, 0 if none.
    pub amount_minor: i64,
    /// ISO 4217, empty if no amount.
    pub currency: Text<'a>,
    /// Points, 0 if none.
    pub points: i64,
}

/// A fact compared exactly across customers and channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueFact<'a> {
    /// Kind.
    pub kind: FactKind,
    /// What it is about (an item).
    pub subject: Text<'a>,
    /// Region, `all` if none.
    pub region: Text<'a>,
    /// Value, a price as `12.00 EUR`.
    pub value: Text<'a>,
}

/// A rating of one facet on its own scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Facet<'a> {
    /// Facet.
    pub facet: Text<'a>,
    /// Rating between `min` and `max`.
    pub score: f64,
    /// Lower end.
    pub min: f64,
    /// Upper end.
    pub max: f64,
}

/// A promise made by a touchpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct PromiseMade<'a> {
    /// Kind.
    pub kind: PromiseKind,
    /// Correlation key.
    pub key: Text<'a>,
    /// Which way it binds.
    pub sense: PromiseSense,
    /// Unit of a value.
    pub unit: Text<'a>,
    /// Channel, staff, partner or campaign that made it.
    pub made_by: Text<'a>,
    /// When; the touchpoint's event time if absent.
    pub made_at: Option<EventTime>,
    /// Deadline.
    pub due_at: Option<EventTime>,
    /// Value promised.
    pub value: Option<f64>,
    /// Tolerance: milliseconds for times, share of the value else.
    pub tolerance: Option<f64>,
    /// Campaign.
    pub campaign: Text<'a>,
}

/// A proof of a promise.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof<'a> {
    /// Kind of the promise.
    pub kind: PromiseKind,
    /// Correlation key.
    pub key: Text<'a>,
    /// When; the touchpoint's event time if absent.
    pub proved_at: Option<EventTime>,
    /// Value delivered.
    pub value: Option<f64>,
    /// Done or called off.
    pub outcome: ProofOutcome,
}

/// The journey a source names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JourneyHint<'a> {
    /// Definition.
    pub definition: Text<'a>,
    /// Correlation key.
    pub key: Text<'a>,
    /// Step.
    pub step: Text<'a>,
}

/// Counters as the platform gives them; absent ones are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Social {
    /// Whether anybody can read it.
    pub public: bool,
    /// Followers of the author.
    pub author_followers: Option<i64>,
    /// Accounts the author follows.
    pub author_following: Option<i64>,
    /// Posts of the author.
    pub author_posts: Option<i64>,
    /// Times shown.
    pub impressions: Option<i64>,
    /// Reposts.
    pub reposts: Option<i64>,
    /// Quotes.
    pub quotes: Option<i64>,
    /// Replies.
    pub replies: Option<i64>,
    /// Likes.
    pub likes: Option<i64>,
    /// A score from outside, where one is bought.
    pub outside_score: Option<f64>,
    /// When the counters were read.
    pub metric_at: Option<EventTime>,
}

/// A declared value with purpose and validity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Name.
    pub name: Text<'a>,
    /// Value.
    pub value: Text<'a>,
    /// Purpose it may be used for; unmapped purposes are denied.
    pub purpose: Text<'a>,
    /// Attribute time.
    pub valid_from: Option<EventTime>,
    /// End of validity.
    pub expires_at: Option<EventTime>,
}

/// One answer about one purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent<'a> {
    /// Purpose; unmapped ones are denied.
    pub purpose: Text<'a>,
    /// Answer.
    pub status: ConsentStatus,
    /// When it was given; the touchpoint's event time if absent.
    pub status_at: Option<EventTime>,
    /// End of validity.
    pub valid_until: Option<EventTime>,
    /// Version of the policy it refers to.
    pub policy_version: Text<'a>,
}

/// An entry of a loyalty ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loyalty<'a> {
    /// Account.
    pub account: Text<'a>,
    /// Kind.
    pub kind: LoyaltyKind,
    /// Tier.
    pub tier: Text<'a>,
    /// Points moved.
    pub points: i64,
    /// Balance after.
    pub balance: i64,
}
