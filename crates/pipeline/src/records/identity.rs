//! `experience.identity`: merges, splits, links, erasures.

use throughline_codec::record;
use throughline_codec::record::List;
use throughline_model::EventTime;

use super::shared::{Common, HashedIdentifier};

record! {
    /// What became of a customer id.
    pub struct IdentityRecord<'a>: "IdentityChange" {
        /// fields of every output
        pub common: Common<'a>,
        /// the surviving or concerned customer; erased: the former id
        pub customer_id: &'a str,
        /// merged, split, split_refused, refused, linked, shared, erased
        pub kind: &'a str,
        /// merged, split: the merge
        pub merge_id: Option<&'a str>,
        /// absorbed, split off or refused customer
        pub other_id: Option<&'a str>,
        /// every id ever absorbed (merged)
        pub history: List<'a, &'a str>,
        /// identifiers that proved or are concerned
        pub identifiers: List<'a, HashedIdentifier<'a>>,
        /// the touchpoint that caused it
        pub touchpoint_id: Option<&'a str>,
        /// linked: source that asserts the link
        pub source: &'a str,
        /// linked: 0..1
        pub confidence: f64,
        /// erased: the barrier
        pub at: Option<EventTime>,
        /// refused: limit, cap, conflict, block, shared, erased; split_refused: folded, busy, unknown; shared: conflict,
        /// claimed_by_many
        pub reason: &'a str,
        /// fragments moved by a split
        pub fragments: List<'a, &'a str>,
        /// fragments that can no longer be split
        pub r#final: List<'a, &'a str>,
        /// split and its refusal: the command
        pub command_id: Option<&'a str>,
    }
}
