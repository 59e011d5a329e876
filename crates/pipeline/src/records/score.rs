//! `experience.scores`: the latest scores of each customer.

use throughline_codec::record;
use throughline_codec::record::List;
use throughline_model::EventTime;

use super::shared::{Common, Reason};

record! {
    /// The scores of a customer. Idempotence key: customer_id and version.
    pub struct ScoreRecord<'a>: "Score" {
        /// fields of every output
        pub common: Common<'a>,
        /// the customer, 34 hex digits
        pub customer_id: &'a str,
        /// rises by one per record of a customer
        pub version: i64,
        /// set in the last record of an absorbed id; every other field is default
        pub merged_into: Option<&'a str>,
        /// 0..100; relationship score and journey mean in equal parts, the relationship score alone without a journey
        pub overall: f64,
        /// experience score with half-life 12 h, 0..100; 60 without evidence
        pub moment: f64,
        /// experience score with half-life 30 d, 0..100; 60 without evidence
        pub relationship: f64,
        /// experience score with half-life 730 d, 0..100; 60 without evidence
        pub lifetime: f64,
        /// valenced touchpoints in the sums
        pub touchpoints: i64,
        /// how little is known, 0..1
        pub uncertainty: f64,
        /// channels seen in 90 d / channels ever seen or declared, 0..1
        pub coverage: f64,
        /// the coverage vector: channels ever seen or declared
        pub channels: List<'a, ChannelSeen<'a>>,
        /// personal baseline; absent below 8 valenced touchpoints
        pub baseline: Option<Baseline>,
        /// 0..100, higher is worse; the worst need
        pub effort: Option<f64>,
        /// need_key of the worst need
        pub effort_need: Option<&'a str>,
        /// 0..100 from the latest CES under 30 d
        pub effort_survey: Option<f64>,
        /// channel consistency, 0..100; absent under two channels
        pub consistency: Option<f64>,
        /// gap between the best and the worst channel, 0..2; absent under two channels
        pub channel_gap: Option<f64>,
        /// journey mean, 0..100; absent without a journey
        pub journey_mean: Option<f64>,
        /// none, bgnbd, mbgnbd
        pub churn_model: &'a str = "none",
        /// probability that the customer still buys, 0..1
        pub p_alive: Option<f64>,
        /// purchases expected in 13 weeks
        pub expected_purchases: Option<f64>,
        /// risk of losing the customer
        pub risk: Option<Risk<'a>>,
        /// risk >= .6, left below .4 for 7 d
        pub at_risk: bool,
        /// shares of the relationship weight; sum 1, all 0 without evidence
        pub evidence_mix: Option<EvidenceMix>,
        /// at most 5; contribution in points to relationship
        pub reasons: List<'a, Reason<'a>>,
        /// points of all other evidence; 50 + prior + sum of reasons + other = relationship
        pub other: f64,
        /// points of the prior
        pub prior: f64,
        /// B / (B + k), 0..1: how much of the score was observed rather than assumed
        pub observed_share: f64,
    }
}

record! {
    /// A channel of the coverage vector.
    pub struct ChannelSeen<'a>: "ChannelSeen" {
        /// channel
        pub channel: &'a str,
        /// event time of its last touchpoint
        pub last_at: EventTime,
        /// whether it was seen, or only declared
        pub seen: bool,
    }
}

record! {
    /// What is usual for this customer.
    pub struct Baseline: "Baseline" {
        /// mean valence, -1..1
        pub mean: f64,
        /// standard deviation of the valence
        pub sd: f64,
        /// how unusual the last valenced touchpoint was, in standard deviations
        pub z: Option<f64>,
        /// valenced touchpoints in it
        pub n: i64,
    }
}

record! {
    /// Risk of losing the customer and its parts.
    pub struct Risk<'a>: "Risk" {
        /// 0..1
        pub value: f64,
        /// part of silence, 0..1
        pub silent: f64,
        /// part of bad experience, 0..1
        pub experience: f64,
        /// part of what was said, 0..1
        pub intent: f64,
        /// model, no_model, no_order
        pub basis: &'a str,
    }
}

record! {
    /// Shares of the relationship weight by kind of evidence.
    pub struct EvidenceMix: "EvidenceMix" {
        /// answers, 0..1
        pub survey: f64,
        /// sentiment of text, 0..1
        pub text: f64,
        /// facts, 0..1
        pub fact: f64,
        /// promises, 0..1
        pub promise: f64,
    }
}
