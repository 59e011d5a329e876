//! `experience.touchpoints`: one record per applied touchpoint, revision or retraction.

use throughline_codec::record;
use throughline_codec::record::List;
use throughline_model::{EventTime, ReceivedAt};

use super::interaction::{
    Benefit, Durations, FacetRating, Fact, Intent, Loyalty, Money, Need, Outcome, PromiseMade, Proof, Social, Source,
};
use super::shared::{Common, HashedIdentifier, Owners, Refs};

record! {
    /// A touchpoint, resolved to a customer and valued. Idempotence key: touchpoint_id and revision.
    pub struct TouchpointRecord<'a>: "Touchpoint" {
        /// fields of every output
        pub common: Common<'a>,
        /// hash of tenant, source system and source id; the same wherever the record is sent again, revisions share it
        pub touchpoint_id: &'a str,
        /// the source's own id of this touchpoint
        pub source_id: &'a str,
        /// where it was recorded
        pub source: Option<Source<'a>>,
        /// lineage: the source record and the index inside it
        pub origin: Option<Origin<'a>>,
        /// order of copies: updated_at (absent = 0), version of the mapping, verb (add < update < remove)
        pub revision: Option<Revision<'a>>,
        /// this record takes the earlier revisions of touchpoint_id back and adds nothing
        pub retracted: bool,
        /// touchpoint type, vocabulary v1
        pub r#type: &'a str,
        /// web, app, email, chat, phone, social, review, store, field, partner, survey
        pub channel: &'a str,
        /// communication, brand_identity, environment, people, co_branding
        pub family: &'a str,
        /// inbound, outbound, none
        pub direction: &'a str,
        /// person, bot, self_service, automatic
        pub mode: &'a str,
        /// event time after its corrections
        pub occurred_at: Option<EventTime>,
        /// Kafka timestamp of the source record
        pub received_at: ReceivedAt,
        /// exact, corrected, zoned, day, clamped, missing
        pub time_quality: &'a str,
        /// the customer at that moment; absent without any identifier
        pub customer_id: Option<&'a str>,
        /// identifiers as keyed hashes
        pub identifiers: List<'a, HashedIdentifier<'a>>,
        /// people related, never merged
        pub relations: List<'a, HashedRelation<'a>>,
        /// correlation keys as the source writes them
        pub refs: Option<Refs<'a>>,
        /// who caused it
        pub owners: Option<Owners<'a>>,
        /// always brand; no configuration changes it
        pub relationship_owner: &'a str = "brand",
        /// kind:id of the most specific owner, for instance partner:red-line; brand if none
        pub operational_owner: &'a str = "brand",
        /// false (weather, strike): not charged to staff and team
        pub controllable: bool = true,
        /// what the customer needs
        pub need: Option<Need<'a>>,
        /// key of the need it belongs to
        pub need_key: Option<&'a str>,
        /// touchpoint_id of the earliest entry of the need; a late contact can change it
        pub need_id: Option<&'a str>,
        /// what the customer wants
        pub intents: List<'a, Intent<'a>>,
        /// severe, normal, minor; from the source only
        pub severity: &'a str = "normal",
        /// whether the moment was severe
        pub severe: bool,
        /// driver and severity codes of the source, 8 at most
        pub codes: List<'a, &'a str>,
        /// service, product, process, information, price, environment, empty; at most one
        pub driver: &'a str,
        /// evidence on one scale, facts and promises included
        pub evidence: List<'a, ValuedEvidence<'a>>,
        /// valence, -1..1; absent without evidence
        pub v: Option<f64>,
        /// confidence, 0..1; absent without evidence
        pub q: Option<f64>,
        /// weight: q x touchpoint weight x lambda if v < 0; absent without evidence
        pub w: Option<f64>,
        /// the valence expected: 0.3 where a promise is proved or broken, else the customer's lifetime mean, absent under 8
        /// valenced touchpoints
        pub expected: Option<f64>,
        /// v - expected
        pub disconfirmation: Option<f64>,
        /// how it ended
        pub result: Option<Outcome<'a>>,
        /// waits and the like, milliseconds
        pub durations: Option<Durations>,
        /// points of effort that belong to this touchpoint
        pub effort: List<'a, EffortPoints<'a>>,
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
        /// what it did to promises
        pub promise_states: List<'a, PromiseState<'a>>,
        /// instances of journeys it belongs to at that moment
        pub journeys: List<'a, JourneyStep<'a>>,
        /// the response clock it started
        pub response: Option<ResponseClock<'a>>,
        /// of an outbound message: service, transactional, promotional, survey
        pub purpose: &'a str,
        /// counters of a post and its author
        pub social: Option<Social>,
        /// entry of a loyalty ledger
        pub loyalty: Option<Loyalty<'a>>,
        /// language of the customer's words, BCP 47
        pub language: &'a str,
        /// reference to the text in a system of its own; never fetched
        pub text_ref: &'a str,
        /// reference to the raw record in a system of its own; never fetched
        pub raw_ref: &'a str,
        /// missing parts of a connection: mode, benefit, touchpoint; valid, counted
        pub incomplete: List<'a, &'a str>,
    }
}

record! {
    /// The source record and the index inside it.
    pub struct Origin<'a>: "Origin" {
        /// source topic
        pub topic: &'a str,
        /// source partition
        pub partition: i32,
        /// offset of the source record
        pub offset: i64,
        /// index in the record, from 0
        pub entry: i32,
    }
}

record! {
    /// Orders the copies of one touchpoint.
    pub struct Revision<'a>: "Revision" {
        /// the source's last-update time; absent counts as 0
        pub updated_at: Option<EventTime>,
        /// version of the mapping
        pub mapping: i32,
        /// add, update, remove
        pub verb: &'a str,
    }
}

record! {
    /// A person or account related to the customer.
    pub struct HashedRelation<'a>: "HashedRelation" {
        /// household, carer, gift, beneficiary, account
        pub kind: &'a str,
        /// type of the identifier
        pub r#type: &'a str,
        /// keyed hash of the identifier, 32 hex digits
        pub hash: &'a str,
        /// end of the relation
        pub until: Option<EventTime>,
    }
}

record! {
    /// Evidence on the scale of valence.
    pub struct ValuedEvidence<'a>: "ValuedEvidence" {
        /// nps, csat, ces, stars, sentiment, fact, promise:<promise_id>
        pub kind: &'a str,
        /// valence, -1..1
        pub v: f64,
        /// confidence, 0..1
        pub q: f64,
    }
}

record! {
    /// Effort that a touchpoint cost the customer.
    pub struct EffortPoints<'a>: "EffortPoints" {
        /// what cost it
        pub code: &'a str,
        /// points
        pub points: f64,
    }
}

record! {
    /// What a touchpoint did to a promise.
    pub struct PromiseState<'a>: "PromiseState" {
        /// promise
        pub promise_id: &'a str,
        /// open, kept, broken, kept_late, withdrawn, superseded
        pub state: &'a str,
        /// valence it has, -1..1
        pub v: Option<f64>,
    }
}

record! {
    /// A step of a journey.
    pub struct JourneyStep<'a>: "JourneyStep" {
        /// instance
        pub journey_id: &'a str,
        /// definition
        pub definition: &'a str,
        /// step
        pub step: &'a str,
    }
}

record! {
    /// The clock that an unanswered touchpoint started.
    pub struct ResponseClock<'a>: "ResponseClock" {
        /// the promise_id of the round's response promise
        pub clock_id: &'a str,
        /// first response due within, milliseconds of open time
        pub target_ms: i64,
        /// first response due
        pub due_at: EventTime,
        /// hash of the catalog row
        pub catalog_version: &'a str,
    }
}
