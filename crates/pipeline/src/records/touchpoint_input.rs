//! `touchpoints.<source>`: what a producer of Throughline's own contract writes. Only `type` is required.

use throughline_codec::record;
use throughline_codec::record::List;
use throughline_model::EventTime;

use super::interaction::{
    Benefit, Durations, FacetRating, Fact, Intent, Loyalty, Money, Need, Outcome, PromiseMade, Proof, Social, Source,
};
use super::shared::{ConsentGiven, DeclaredAttribute, Owners, Refs};

record! {
    /// A touchpoint as its source reports it. Only type is required; unknown fields are ignored.
    pub struct TouchpointInput<'a>: "TouchpointInput" {
        /// the source's own id of this touchpoint; empty: derived from the bytes
        pub source_id: &'a str,
        /// other than the configured one: rejected
        pub tenant: Option<&'a str>,
        /// where it was recorded
        pub source: Option<Source<'a>>,
        /// add, update, remove
        pub verb: &'a str = "add",
        /// the source's last-update time; orders revisions
        pub updated_at: Option<EventTime>,
        /// touchpoint type, vocabulary v1; required
        pub r#type: &'a str,
        /// web, app, email, chat, phone, social, review, store, field, partner, survey
        pub channel: &'a str,
        /// communication, brand_identity, environment, people, co_branding; default of the type
        pub family: &'a str,
        /// inbound, outbound, none; default of the type
        pub direction: &'a str,
        /// person, bot, self_service, automatic; default of the type
        pub mode: &'a str,
        /// event time
        pub occurred_at: Option<EventTime>,
        /// producer's send time, for skew correction only
        pub sent_at: Option<EventTime>,
        /// collector's receive time, for skew correction only
        pub collected_at: Option<EventTime>,
        /// who it was, 20 at most
        pub identifiers: List<'a, TrustedIdentifier<'a>>,
        /// people related, never merged
        pub relations: List<'a, PlainRelation<'a>>,
        /// correlation keys as the source writes them
        pub refs: Option<Refs<'a>>,
        /// who caused it
        pub owners: Option<Owners<'a>>,
        /// false (weather, strike): not charged to staff and team
        pub controllable: bool = true,
        /// what the customer needs
        pub need: Option<Need<'a>>,
        /// what the customer wants
        pub intents: List<'a, Intent<'a>>,
        /// severe, normal, minor
        pub severity: &'a str = "normal",
        /// driver and severity codes of the source, 8 at most
        pub codes: List<'a, &'a str>,
        /// service, product, process, information, price, environment, empty; at most one; default of the type
        pub driver: &'a str,
        /// answers, stars, sentiment; scale given, default that of the kind
        pub evidence: List<'a, ScaledEvidence<'a>>,
        /// how it ended
        pub result: Option<Outcome<'a>>,
        /// waits and the like, milliseconds
        pub durations: Option<Durations>,
        /// order value, refund, cost of an exception
        pub money: Option<Money<'a>>,
        /// what the customer got
        pub benefit: Option<Benefit<'a>>,
        /// facts compared across customers and channels
        pub facts: List<'a, Fact<'a>>,
        /// partner and stay ratings by facet
        pub facets: List<'a, FacetRating<'a>>,
        /// promises made here
        pub promises: List<'a, PromiseMade<'a>>,
        /// proofs given here
        pub proofs: List<'a, Proof<'a>>,
        /// hint where the source knows the journey
        pub journey: Option<JourneyHint<'a>>,
        /// of an outbound message: service, transactional, promotional, survey
        pub purpose: &'a str,
        /// counters of a post and its author
        pub social: Option<Social>,
        /// declared needs, tastes, constraints, profile values
        pub attributes: List<'a, DeclaredAttribute<'a>>,
        /// consent given or taken here
        pub consents: List<'a, ConsentGiven<'a>>,
        /// entry of a loyalty ledger
        pub loyalty: Option<Loyalty<'a>>,
        /// language of the customer's words, BCP 47
        pub language: &'a str,
        /// the customer's words; dropped after normalize
        pub text: &'a str,
        /// reference to the text in a system of its own; never fetched
        pub text_ref: &'a str,
        /// reference to the raw record in a system of its own; never fetched
        pub raw_ref: &'a str,
    }
}

record! {
    /// An identifier and how well it is known to be the customer's.
    pub struct TrustedIdentifier<'a>: "TrustedIdentifier" {
        /// customer_id, login, loyalty_card, email, phone, handle, device, cookie, visit
        pub r#type: &'a str,
        /// its value
        pub value: &'a str,
        /// authenticated, asserted, empty = default of the source
        pub trust: &'a str,
    }
}

record! {
    /// A person or account related to the customer.
    pub struct PlainRelation<'a>: "PlainRelation" {
        /// household, carer, gift, beneficiary, account
        pub kind: &'a str,
        /// type of the identifier
        pub r#type: &'a str,
        /// value of the identifier
        pub value: &'a str,
        /// end of the relation
        pub until: Option<EventTime>,
    }
}

record! {
    /// One answer, rating or sentiment on its own scale; without min and max (both 0), that of the kind.
    pub struct ScaledEvidence<'a>: "ScaledEvidence" {
        /// nps, csat, ces, stars, sentiment
        pub kind: &'a str,
        /// the value given, min..max
        pub score: f64,
        /// lower end of the scale
        pub min: f64,
        /// upper end of the scale
        pub max: f64,
        /// for effort answers: whether a high value means easy
        pub easy_is_high: bool = true,
    }
}

record! {
    /// The journey a source names.
    pub struct JourneyHint<'a>: "JourneyHint" {
        /// definition
        pub definition: &'a str,
        /// correlation key
        pub key: &'a str,
        /// step
        pub step: &'a str,
    }
}
