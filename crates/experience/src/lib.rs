//! Customer state, scores and alerts as a fold over touchpoints.
//!
//! **What it does.** [`Customer::apply`] folds one touchpoint into the state of one customer: duplicates, revisions and
//! retractions, decayed sums on three horizons, reasons, memories, surveys, consent, attributes; then it evaluates the
//! alert rules. What the outside must hear comes out as [`Emission`]s. [`Customer::score`] and [`Customer::view`] read
//! the numbers at a time of the reader's choice. [`Rules`] is the model file.
//!
//! **What it does not.** It reads no clock, knows no Avro, no Kafka and no threads, and holds one customer at a time.
//! Journeys, promises, effort, churn and stages are not part of it yet; their state has its own [`Part`]s.
//!
//! **Invariants.** The same touchpoints in any order give the same sums, counts, reasons, memories, surveys, consent and
//! attributes (decayed numbers to 1e-9). Sums are only ever changed by products that can be subtracted again; extremes
//! are read from a folded part and the recent list. Time is an input: event time for arithmetic, [`Now`] only for the
//! life of an alert. Transcendental functions come from `libm`, so that every platform gets the same bits.
//!
//! **Where to start.** [`customer`], then [`valuation`](mod@valuation), [`score`], [`alerts`].
//!
//! [`Now`]: throughline_model::Now

pub mod customer;
pub mod emission;
pub mod rules;
pub mod span;

pub mod valuation;

pub mod decay;
pub mod recent;
pub mod sums;

pub mod memories;
pub mod reasons;
pub mod surveys;

pub mod consent;
pub mod profile;

pub mod score;
pub mod timers;
pub mod view;

pub mod alerts;

pub use alerts::{AlertTransition, OpenAlert};
pub use customer::{Customer, Part, PartSet, Scope};
pub use emission::{Component, Emission, ValuedTouchpoint};
pub use rules::Rules;
pub use score::ScoreView;
pub use timers::{Dues, Fired};
pub use valuation::{Valuation, valuation};
pub use view::CustomerView;
