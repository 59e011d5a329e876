//! `experience.entities`: scores of partners, stores, teams and other causes.

use throughline_codec::record;
use throughline_codec::record::List;
use throughline_model::EventTime;

use super::shared::Common;

record! {
    /// How one partner, store, team or other cause does. Idempotence key: key and version.
    pub struct EntityRecord<'a>: "Entity" {
        /// fields of every output
        pub common: Common<'a>,
        /// kind:id[:facet]; a colon or percent sign inside an id or facet is percent-encoded
        pub key: &'a str,
        /// brand, partner, store, team, staff, provider, process, journey, policy, campaign, topic, segment, subject, intent,
        /// need, fairness, source, baseline
        pub kind: &'a str,
        /// id
        pub id: &'a str,
        /// facet
        pub facet: &'a str,
        /// rises by one per record of a key
        pub version: i64,
        /// -1..1, shrunk to the kind's norm, case mix removed
        pub score: Option<f64>,
        /// lower 90 % bound of score
        pub lower: Option<f64>,
        /// upper 90 % bound of score
        pub upper: Option<f64>,
        /// 50 + 50 x score, for gates and for people
        pub score_points: Option<f64>,
        /// norm of the kind, -1..1
        pub norm: f64,
        /// touchpoints
        pub touchpoints: i64,
        /// customers, exact to 256, then estimated
        pub customers: i64,
        /// decayed weight
        pub weight: f64,
        /// raw mean of valence
        pub mean: f64,
        /// standard deviation of valence
        pub sd: f64,
        /// promises kept and broken
        pub promises: Option<PromiseKeeping>,
        /// shares of the negative weight
        pub drivers: List<'a, DriverShare<'a>>,
        /// campaign_hold
        pub gates: List<'a, &'a str>,
        /// reliability, responsiveness, assurance, empathy, tangibles
        pub dimensions: List<'a, Dimension<'a>>,
        /// reported beside scores, never used in them
        pub complaints: Option<Complaints>,
        /// response times of fairness groups and channels
        pub responses: Option<Responses>,
        /// pairs with n >= 100 on both sides
        pub fairness: List<'a, FairnessPair<'a>>,
        /// groups too small to compare
        pub skipped: List<'a, &'a str>,
        /// kind need: how well a channel solves it
        pub fit: Option<Fit>,
        /// knowledge failures, breached journeys, exceptions, topic people, unmapped records
        pub rate: Option<Rate>,
        /// kind segment
        pub segment: Option<SegmentFigures>,
        /// alert_ids
        pub open_alerts: List<'a, &'a str>,
        /// version of the baseline used; the score is a function of the input and of it
        pub baseline_version: i64,
    }
}

record! {
    /// Promises kept and broken.
    pub struct PromiseKeeping: "PromiseKeeping" {
        /// decayed count
        pub kept: f64,
        /// decayed count
        pub broken: f64,
        /// 0..1, prior 90 %
        pub keeping_rate: f64,
        /// lower Wilson bound for ranking, 0..1
        pub keeping_lower: f64,
    }
}

record! {
    /// A driver's share of the negative weight.
    pub struct DriverShare<'a>: "DriverShare" {
        /// service, product, process, information, price, environment
        pub driver: &'a str,
        /// 0..1
        pub share: f64,
    }
}

record! {
    /// A dimension of the SERVQUAL report.
    pub struct Dimension<'a>: "Dimension" {
        /// reliability, responsiveness, assurance, empathy, tangibles
        pub dimension: &'a str,
        /// perceived quality
        pub perceived: f64,
        /// perceived minus expected
        pub gap: f64,
    }
}

record! {
    /// Complaints.
    pub struct Complaints: "Complaints" {
        /// open now
        pub open: i64,
        /// opened in 30 d
        pub opened_30d: i64,
        /// how many customers stand behind one complaint
        pub iceberg_factor: f64,
    }
}

record! {
    /// Response times.
    pub struct Responses: "Responses" {
        /// responses
        pub n: i64,
        /// median, milliseconds
        pub p50_ms: f64,
        /// 90th percentile, milliseconds
        pub p90_ms: f64,
        /// share answered within the target, 0..1
        pub target_met: f64,
    }
}

record! {
    /// A group compared with another.
    pub struct FairnessPair<'a>: "FairnessPair" {
        /// the other group
        pub other: &'a str,
        /// ratio of the medians
        pub median_ratio: f64,
        /// how unlikely by chance, in standard deviations
        pub z: f64,
        /// ratio of the shares within the target
        pub target_met_ratio: f64,
    }
}

record! {
    /// How well a channel solves a need.
    pub struct Fit: "Fit" {
        /// solved
        pub solved: i64,
        /// all
        pub all: i64,
        /// 0..1
        pub rate: f64,
        /// whether this channel is recommended for the need
        pub recommended: bool,
    }
}

record! {
    /// How often something happens, and how often it usually does.
    pub struct Rate: "Rate" {
        /// hits in the window
        pub hits: i64,
        /// all in the window
        pub all: i64,
        /// hits / all, 0..1
        pub share: f64,
        /// usual share, 0..1
        pub usual: f64,
        /// start of the window
        pub from_at: EventTime,
        /// end of the window
        pub to_at: EventTime,
    }
}

record! {
    /// Figures of a segment.
    pub struct SegmentFigures: "SegmentFigures" {
        /// customers in it
        pub customers: i64,
        /// mean relationship score, 0..100
        pub relationship_mean: f64,
        /// mean risk, 0..1
        pub risk_mean: f64,
    }
}
