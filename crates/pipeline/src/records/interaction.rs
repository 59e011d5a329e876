//! Parts of a touchpoint that read the same on the way in and on the way out.

use throughline_codec::record;
use throughline_codec::record::List;
use throughline_model::EventTime;

record! {
    /// Where a touchpoint was recorded.
    pub struct Source<'a>: "Source" {
        /// source system; part of the touchpoint's id
        pub system: &'a str,
        /// application of the source
        pub app: &'a str,
        /// team or process that produced the record, for its report card
        pub producer: &'a str,
        /// schema of the source payload
        pub schema: &'a str,
        /// version of the application or format
        pub version: &'a str,
    }
}

record! {
    /// What the customer needs.
    pub struct Need<'a>: "Need" {
        /// topic
        pub topic: &'a str,
        /// category
        pub category: &'a str,
        /// medical, safety, stranded, food make it urgent at confidence >= .7; others are free text
        pub tags: List<'a, NeedTag<'a>>,
    }
}

record! {
    /// A tag of a need.
    pub struct NeedTag<'a>: "NeedTag" {
        /// tag
        pub tag: &'a str,
        /// confidence, 0..1
        pub confidence: f64,
    }
}

record! {
    /// What the customer wants.
    pub struct Intent<'a>: "Intent" {
        /// help, question, complaint, exit, recommend, praise, idea
        pub intent: &'a str,
        /// confidence, 0..1
        pub confidence: f64,
    }
}

record! {
    /// How an interaction ended.
    pub struct Outcome<'a>: "Outcome" {
        /// whether the need was met
        pub resolved: Option<bool>,
        /// whether something was bought
        pub purchased: Option<bool>,
        /// why not: knowledge, attitude, authority, stock, wait, system, other
        pub reason: &'a str,
        /// who called it off: customer, brand, partner
        pub by: &'a str,
    }
}

record! {
    /// Durations, milliseconds.
    pub struct Durations: "Durations" {
        /// waited, milliseconds
        pub wait_ms: i64,
        /// wait that was announced, milliseconds
        pub stated_wait_ms: i64,
        /// on hold, milliseconds
        pub hold_ms: i64,
        /// handled, milliseconds
        pub handle_ms: i64,
    }
}

record! {
    /// An amount; currencies are never converted or added.
    pub struct Money<'a>: "Money" {
        /// minor units of the currency
        pub amount_minor: i64,
        /// ISO 4217
        pub currency: &'a str,
    }
}

record! {
    /// What the customer got.
    pub struct Benefit<'a>: "Benefit" {
        /// discount, refund, points, upgrade, gift, answer
        pub kind: &'a str,
        /// minor units of the currency
        pub amount_minor: i64,
        /// ISO 4217
        pub currency: &'a str,
        /// points
        pub points: i64,
    }
}

record! {
    /// A fact compared across customers and channels.
    pub struct Fact<'a>: "Fact" {
        /// price, offer, policy_answer, stock
        pub kind: &'a str,
        /// what it is about
        pub subject: &'a str,
        /// region it holds in
        pub region: &'a str,
        /// value, a price as 12.00 EUR
        pub value: &'a str,
    }
}

record! {
    /// A rating of one facet of a partner or a stay.
    pub struct FacetRating<'a>: "FacetRating" {
        /// facet
        pub facet: &'a str,
        /// rating, min..max
        pub score: f64,
        /// lower end of the scale
        pub min: f64,
        /// upper end of the scale
        pub max: f64,
    }
}

record! {
    /// A promise made by a touchpoint.
    pub struct PromiseMade<'a>: "PromiseMade" {
        /// time: delivery, response, callback, install, repair, refund, trip_start, trip_arrival; value: price, rating, claim
        pub kind: &'a str,
        /// correlation key
        pub key: &'a str,
        /// by (time), at_least, at_most
        pub sense: &'a str,
        /// unit of the value
        pub unit: &'a str,
        /// channel, staff, partner or campaign that made it
        pub made_by: &'a str,
        /// when it was made; the touchpoint's event time if absent
        pub made_at: Option<EventTime>,
        /// deadline
        pub due_at: Option<EventTime>,
        /// value promised, in its unit
        pub value: Option<f64>,
        /// milliseconds for times, share of the value else
        pub tolerance: Option<f64>,
        /// campaign that made it
        pub campaign_id: &'a str,
    }
}

record! {
    /// A proof of a promise.
    pub struct Proof<'a>: "Proof" {
        /// kind of the promise
        pub kind: &'a str,
        /// correlation key of the promise
        pub key: &'a str,
        /// when it was proved; the touchpoint's event time if absent
        pub proved_at: Option<EventTime>,
        /// value delivered, in the promise's unit
        pub value: Option<f64>,
        /// delivered, withdrawn
        pub outcome: &'a str,
    }
}

record! {
    /// Counters of a post and its author, as the platform gives them.
    pub struct Social: "Social" {
        /// whether anybody can read it
        pub public: bool,
        /// followers of the author
        pub author_followers: i64,
        /// accounts the author follows
        pub author_following: i64,
        /// posts of the author
        pub author_posts: i64,
        /// times shown
        pub impressions: i64,
        /// reposts
        pub reposts: i64,
        /// quotes
        pub quotes: i64,
        /// replies
        pub replies: i64,
        /// likes
        pub likes: i64,
        /// a score of influence from outside, where one is bought
        pub outside_score: Option<f64>,
        /// when the counters were read
        pub metric_at: Option<EventTime>,
    }
}

record! {
    /// An entry of a loyalty ledger.
    pub struct Loyalty<'a>: "Loyalty" {
        /// account
        pub account: &'a str,
        /// enroll, earn, burn, expire, adjust, tier
        pub kind: &'a str,
        /// tier after the entry
        pub tier: &'a str,
        /// points of the entry
        pub points: i64,
        /// points after the entry
        pub balance: i64,
    }
}
