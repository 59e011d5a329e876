//! `experience.changes`: one record per transition of a stage, promise, journey, clock, gate.

use throughline_codec::record;
use throughline_codec::record::List;
use throughline_model::EventTime;

use super::shared::{Common, Reason, Refs};

record! {
    /// Something about a customer changed. Idempotence key: change_id.
    pub struct ChangeRecord<'a>: "Change" {
        /// fields of every output
        pub common: Common<'a>,
        /// the change, 32 hex digits
        pub change_id: &'a str,
        /// the customer, 34 hex digits
        pub customer_id: &'a str,
        /// loyalty_stage, flag, promise, journey, response_clock, outcome, gate, recognition, ripple
        pub kind: &'a str,
        /// id of what changed
        pub subject: &'a str,
        /// before, closed set per kind
        pub before: &'a str,
        /// after, closed set per kind
        pub after: &'a str,
        /// what the kind measures
        pub value: Option<f64>,
        /// unit of value
        pub unit: &'a str,
        /// valence it has at as_of (promises), -1..1
        pub v: Option<f64>,
        /// deadline, where there is one
        pub due_at: Option<EventTime>,
        /// kind:id of the operational owner, brand if none
        pub owner: &'a str = "brand",
        /// correlation keys as the source writes them
        pub refs: Option<Refs<'a>>,
        /// at most 5
        pub reasons: List<'a, Reason<'a>>,
    }
}
