//! What a touchpoint makes the outside hear.

use throughline_model::{EventTime, NodeId, closed_set};

use crate::alerts::AlertTransition;
use crate::valuation::Valuation;

/// One output of [`Customer::apply`](crate::Customer::apply). Scores and the single view are coalesced per commit by the
/// caller and therefore not in here.
#[derive(Debug, Clone, PartialEq)]
pub enum Emission<'a> {
    /// The touchpoint, resolved and valued, or taken back.
    Touchpoint(ValuedTouchpoint<'a>),
    /// A transition of an alert. A suppressed one is counted always, published only where configuration says so, and
    /// never if its reason is consent.
    Alert(Box<AlertTransition>),
    /// Something left the state because its component was full, by a fixed order. Counted, never published.
    Capped(Component),
}

closed_set! {
    /// The components of a customer's state that have a cap (4.14). The strongest reasons are chosen rather than kept, so that
    /// a weaker one is not a loss.
    pub enum Component {
        /// Entries of the recent list that left before their seven days were over.
        Recent = "recent",
        /// Memories of stores and partners.
        Memories = "memories",
        /// Attribute values.
        Attributes = "attributes",
        /// Asserted identifiers.
        Links = "links",
        /// Alerts.
        Alerts = "alerts",
    }
}

/// What the experience stage adds to a touchpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValuedTouchpoint<'a> {
    /// The customer it was applied to; none without any identifier.
    pub customer: Option<NodeId>,
    /// Event time the emission speaks for.
    pub as_of: EventTime,
    /// This takes the earlier revisions back and adds nothing.
    pub retracted: bool,
    /// What it is worth; without evidence if it was taken back.
    pub valuation: &'a Valuation,
    /// The valence expected: the lifetime mean before it, absent under 8 valenced touchpoints.
    pub expected: Option<f64>,
    /// v - expected.
    pub disconfirmation: Option<f64>,
}
