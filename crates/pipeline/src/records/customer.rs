//! `experience.customers`: the single view of each customer, and an import for CRM and loyalty.

use throughline_codec::record;
use throughline_codec::record::List;
use throughline_model::EventTime;

use super::shared::{Common, Preferences};

record! {
    /// Everything that is known about a customer now. Lists carry totals where they are cut. Idempotence key: customer_id and
    /// version.
    pub struct CustomerRecord<'a>: "Customer" {
        /// fields of every output
        pub common: Common<'a>,
        /// the customer, 34 hex digits
        pub customer_id: &'a str,
        /// rises by one per record of a customer
        pub version: i64,
        /// set in the last record of an absorbed id; every other field is default
        pub merged_into: Option<&'a str>,
        /// plain customer id, only where the deployment publishes it
        pub crm_id: Option<&'a str>,
        /// identifiers, the 50 strongest by rank, then newest
        pub members: List<'a, Member<'a>>,
        /// count of all identifiers
        pub members_total: i32,
        /// asserted identifiers that did not merge; 16 newest
        pub links: List<'a, Link<'a>>,
        /// people related, never merged
        pub relations: List<'a, CustomerRelation<'a>>,
        /// prospect, new, active, loyal, advocate
        pub loyalty_stage: &'a str,
        /// since when the stage holds
        pub stage_since_at: EventTime,
        /// at_risk, lapsed, detractor, won_back, walkaway_suspected, walkaway_confirmed, complaint_open, hot
        pub flags: List<'a, &'a str>,
        /// what must not be sent or given now
        pub gates: Option<Gates<'a>>,
        /// copy of the latest score
        pub scores: Option<ScoreCopy>,
        /// latest NPS, CSAT, CES, stars
        pub surveys: List<'a, SurveyAnswer<'a>>,
        /// 16 open, 16 closed under 180 d
        pub journeys: List<'a, Journey<'a>>,
        /// needs, 16 at most
        pub needs: List<'a, CustomerNeed<'a>>,
        /// 32 live, 32 settled under 90 d
        pub promises: List<'a, Promise<'a>>,
        /// open response clocks
        pub clocks: List<'a, Clock<'a>>,
        /// worst and best for brand, 8 stores, 8 partners
        pub memories: List<'a, Memory<'a>>,
        /// what was bought
        pub orders: Option<Orders<'a>>,
        /// the customer's rules
        pub preferences: Option<Preferences<'a>>,
        /// outbound contacts
        pub pressure: Option<Pressure>,
        /// fair exchange of 60 d
        pub value: Option<Exchange<'a>>,
        /// declared values, 32 at most, purpose personalization
        pub attributes: List<'a, CustomerAttribute<'a>>,
        /// how many attributes have sources that disagree
        pub attribute_conflicts: i32,
        /// purpose influence
        pub influence: Option<Influence>,
        /// purpose marketing
        pub marketing: Option<Marketing<'a>>,
        /// consent by purpose
        pub consent: List<'a, ConsentState<'a>>,
        /// names of the predicates that hold
        pub segments: List<'a, &'a str>,
        /// open alerts, 32 at most
        pub open_alerts: List<'a, OpenAlert<'a>>,
    }
}

record! {
    /// An identifier of the customer.
    pub struct Member<'a>: "Member" {
        /// type of the identifier
        pub r#type: &'a str,
        /// keyed hash, 32 hex digits
        pub hash: &'a str,
        /// since when it belongs to the customer
        pub since_at: EventTime,
        /// touchpoint that proved it
        pub proved_by: &'a str,
    }
}

record! {
    /// An asserted identifier that did not merge.
    pub struct Link<'a>: "Link" {
        /// type of the identifier
        pub r#type: &'a str,
        /// keyed hash, 32 hex digits
        pub hash: &'a str,
        /// source that asserts it
        pub source: &'a str,
        /// 0..1
        pub confidence: f64,
        /// when it was last asserted
        pub last_seen_at: EventTime,
    }
}

record! {
    /// A person or account related to the customer.
    pub struct CustomerRelation<'a>: "CustomerRelation" {
        /// household, carer, gift, beneficiary, account
        pub kind: &'a str,
        /// the other customer; empty while unknown
        pub customer_id: &'a str,
        /// type of the identifier
        pub r#type: &'a str,
        /// keyed hash, 32 hex digits
        pub hash: &'a str,
        /// source that names it
        pub source: &'a str,
        /// end of the relation
        pub until: Option<EventTime>,
    }
}

record! {
    /// What must not be sent or given now; true = closed.
    pub struct Gates<'a>: "Gates" {
        /// no promotions
        pub promo_hold: bool,
        /// no benefits as a means of sale
        pub benefits_hold: bool,
        /// what closed the promotions
        pub promo_hold_cause: &'a str,
        /// entity keys of the campaigns that are held
        pub campaign_holds: List<'a, &'a str>,
    }
}

record! {
    /// Copy of the latest score.
    pub struct ScoreCopy: "ScoreCopy" {
        /// version of the score record
        pub version: i64,
        /// 0..100
        pub overall: f64,
        /// 0..100, half-life 12 h
        pub moment: f64,
        /// 0..100, half-life 30 d
        pub relationship: f64,
        /// 0..100, half-life 730 d
        pub lifetime: f64,
        /// 0..1
        pub uncertainty: f64,
        /// 0..1
        pub coverage: f64,
        /// 0..100, higher is worse
        pub effort: Option<f64>,
        /// 0..100
        pub consistency: Option<f64>,
        /// 0..100
        pub journey_mean: Option<f64>,
        /// purchases expected in 13 weeks
        pub expected_purchases: Option<f64>,
        /// 0..1
        pub risk: Option<f64>,
    }
}

record! {
    /// The latest answer to an instrument.
    pub struct SurveyAnswer<'a>: "SurveyAnswer" {
        /// nps, csat, ces, stars
        pub instrument: &'a str,
        /// on the scale of the instrument
        pub score: f64,
        /// when it was answered
        pub answered_at: EventTime,
        /// touchpoint of the answer
        pub touchpoint_id: &'a str,
    }
}

record! {
    /// An instance of a journey.
    pub struct Journey<'a>: "Journey" {
        /// instance
        pub journey_id: &'a str,
        /// definition
        pub definition: &'a str,
        /// version of the definition
        pub version: &'a str,
        /// correlation key
        pub key: &'a str,
        /// open, idle, closed
        pub state: &'a str,
        /// first touchpoint
        pub started_at: EventTime,
        /// last touchpoint
        pub last_at: EventTime,
        /// steps taken
        pub steps: List<'a, &'a str>,
        /// journey score, 0..100
        pub j: Option<f64>,
        /// whether the customer is new to it
        pub novice: bool,
        /// promises broken in it
        pub breaches: i32,
        /// touchpoints that came before the key existed
        pub adopted: List<'a, &'a str>,
    }
}

record! {
    /// A need of the customer.
    pub struct CustomerNeed<'a>: "CustomerNeed" {
        /// touchpoint_id of its earliest entry
        pub need_id: &'a str,
        /// key; does not change
        pub need_key: &'a str,
        /// topic
        pub topic: &'a str,
        /// first contact
        pub opened_at: EventTime,
        /// last contact
        pub last_at: EventTime,
        /// contacts about it
        pub contacts: i32,
        /// channels used
        pub channels: List<'a, &'a str>,
        /// 0..100, higher is worse
        pub effort: f64,
        /// open, solved, unsolved
        pub state: &'a str,
    }
}

record! {
    /// A promise made to the customer.
    pub struct Promise<'a>: "Promise" {
        /// promise
        pub promise_id: &'a str,
        /// kind
        pub kind: &'a str,
        /// correlation key
        pub key: &'a str,
        /// open, kept, broken, kept_late, withdrawn, superseded
        pub state: &'a str,
        /// channel, staff, partner or campaign that made it
        pub made_by: &'a str,
        /// kind:id of the operational owner
        pub owner: &'a str,
        /// when it was made
        pub made_at: Option<EventTime>,
        /// deadline
        pub due_at: Option<EventTime>,
        /// valence, -1..1
        pub v: Option<f64>,
    }
}

record! {
    /// An open response clock.
    pub struct Clock<'a>: "Clock" {
        /// the promise_id of the round's response promise
        pub clock_id: &'a str,
        /// channel
        pub channel: &'a str,
        /// first unanswered touchpoint
        pub started_at: EventTime,
        /// first response due
        pub due_at: EventTime,
        /// due, overdue
        pub state: &'a str,
    }
}

record! {
    /// A moment that is remembered.
    pub struct Memory<'a>: "Memory" {
        /// brand, store or partner, kind:id
        pub scope: &'a str,
        /// worst, best
        pub kind: &'a str,
        /// touchpoint
        pub touchpoint_id: &'a str,
        /// event time
        pub occurred_at: EventTime,
        /// valence, -1..1
        pub v: f64,
        /// how strong it still is
        pub magnitude: f64,
        /// whether it was made good
        pub recovered: bool,
    }
}

record! {
    /// What the customer bought.
    pub struct Orders<'a>: "Orders" {
        /// purchases
        pub count: i64,
        /// distinct UTC days with a purchase
        pub purchase_days: i64,
        /// first purchase
        pub first_at: Option<EventTime>,
        /// last purchase
        pub last_at: Option<EventTime>,
        /// usual days between purchase days
        pub gap_days: Option<f64>,
        /// spend of 365 d by currency
        pub spend: List<'a, Spend<'a>>,
    }
}

record! {
    /// Spend in one currency.
    pub struct Spend<'a>: "Spend" {
        /// ISO 4217
        pub currency: &'a str,
        /// minor units of the currency
        pub amount_minor: i64,
    }
}

record! {
    /// Outbound contacts and how they are received.
    pub struct Pressure: "Pressure" {
        /// promotional contacts in 7 d
        pub promotional_7d: i32,
        /// promotional contacts in 30 d
        pub promotional_30d: i32,
        /// share neither ignored nor complained about in 30 d, 0..1
        pub relevance_30d: Option<f64>,
    }
}

record! {
    /// What the customer gave and got in 60 d.
    pub struct Exchange<'a>: "Exchange" {
        /// what the customer gave
        pub given: Option<Given>,
        /// what the customer got
        pub received: Option<Received<'a>>,
    }
}

record! {
    /// What the customer gave in 60 d.
    pub struct Given: "Given" {
        /// points of effort
        pub effort: f64,
        /// requests for personal data
        pub data_requests: i32,
    }
}

record! {
    /// What the customer got in 60 d.
    pub struct Received<'a>: "Received" {
        /// benefits
        pub benefits: i32,
        /// minor units of the currency
        pub amount_minor: i64,
        /// ISO 4217
        pub currency: &'a str,
    }
}

record! {
    /// A declared value and the source that won.
    pub struct CustomerAttribute<'a>: "CustomerAttribute" {
        /// name
        pub name: &'a str,
        /// value
        pub value: &'a str,
        /// source it comes from
        pub source: &'a str,
        /// attribute time
        pub valid_from: Option<EventTime>,
        /// end of validity
        pub expires_at: Option<EventTime>,
    }
}

record! {
    /// How far the customer's word reaches.
    pub struct Influence: "Influence" {
        /// people reached
        pub reach: i64,
        /// how much others pass on
        pub amplification: f64,
        /// posts in 30 d
        pub posting_rate_30d: f64,
        /// followers
        pub followers: i64,
        /// a score from outside, where one is bought
        pub outside_score: Option<f64>,
    }
}

record! {
    /// For marketing.
    pub struct Marketing<'a>: "Marketing" {
        /// why the customer is an advocate
        pub advocate_evidence: List<'a, &'a str>,
        /// campaigns the customer is in
        pub campaigns: List<'a, &'a str>,
    }
}

record! {
    /// Consent for one purpose.
    pub struct ConsentState<'a>: "ConsentState" {
        /// process, service, personalization, marketing, influence
        pub purpose: &'a str,
        /// granted, denied, revoked, unknown
        pub status: &'a str,
        /// source that said so
        pub source: &'a str,
        /// when it was said
        pub status_at: Option<EventTime>,
        /// end of validity
        pub valid_until: Option<EventTime>,
    }
}

record! {
    /// An open alert.
    pub struct OpenAlert<'a>: "OpenAlert" {
        /// alert
        pub alert_id: &'a str,
        /// type
        pub r#type: &'a str,
        /// P1, P2, P3, ops
        pub severity: &'a str,
        /// event time or due time of the cause
        pub opened_at: EventTime,
    }
}
