//! The touchpoints that matter most to the relationship score (4.2): a top-5 set.
//!
//! A touchpoint matters by `|w v| 2^(t/h)`. Decay never changes that order, so the set can be kept while entries leave the
//! recent list, and it is the same in any order of input. The landmark of the relationship sums stands in for the epoch: it
//! is never earlier than a touchpoint, and moving it multiplies all of them by the same power of two.

use std::cmp::Ordering;

use smallvec::SmallVec;
use throughline_model::{EventTime, TouchpointId, TouchpointType};

use crate::decay::factor;
use crate::recent::{Entry, RecentList};
use crate::span::Span;

/// Reasons kept and published.
pub const REASONS_MAX: usize = 5;

/// One touchpoint that moved the relationship score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reason {
    /// Id of the touchpoint.
    pub id: TouchpointId,
    /// Event time.
    pub occurred_at: EventTime,
    /// Valence in units of 1e-4, not 0.
    pub v_units: i16,
    /// Weight in units of 1e-3.
    pub w_units: u16,
    /// Type of the touchpoint.
    pub kind: TouchpointType,
}

impl Reason {
    /// What an entry would be as a reason; a valence of 0 moves the score by nothing that could be named.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Self> {
        (entry.is_valenced() && entry.v_units != 0).then_some(Self {
            id: entry.id,
            occurred_at: entry.occurred_at,
            v_units: entry.v_units,
            w_units: entry.w_units,
            kind: entry.kind,
        })
    }

    /// `w v`, undecayed.
    #[must_use]
    pub fn weighted(&self) -> f64 {
        // The product of two whole numbers is exact; one division rounds once.
        (i64::from(self.v_units) * i64::from(self.w_units)) as f64 / 1e7
    }
}

/// A reason with `w v g` at some landmark: sign, order and, times the discount, contribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// `w v g`.
    pub decayed: f64,
    /// The reason.
    pub reason: Reason,
}

impl Ranked {
    fn new(reason: Reason, half_life: Span, landmark: i32) -> Self {
        Self { decayed: reason.weighted() * factor(reason.occurred_at, half_life, landmark), reason }
    }
}

/// Strongest first; ties: later first, then the smaller id.
fn stronger(left: &Ranked, right: &Ranked) -> Ordering {
    right
        .decayed
        .abs()
        .total_cmp(&left.decayed.abs())
        .then_with(|| right.reason.occurred_at.cmp(&left.reason.occurred_at))
        .then_with(|| left.reason.id.cmp(&right.reason.id))
}

/// The strongest reasons, strongest first.
pub type Strongest = SmallVec<[Ranked; REASONS_MAX]>;

/// The five strongest of some reasons, seen from a landmark that is not earlier than any of them.
#[must_use]
pub fn strongest(reasons: impl Iterator<Item = Reason>, half_life: Span, landmark: i32) -> Strongest {
    let mut best = Strongest::new();
    for reason in reasons {
        let ranked = Ranked::new(reason, half_life, landmark);
        let at = best.iter().position(|other| stronger(&ranked, other) == Ordering::Less).unwrap_or(best.len());
        if at < REASONS_MAX {
            best.truncate(REASONS_MAX - 1);
            best.insert(at, ranked);
        }
    }
    best
}

/// The reasons among entries that have left the recent list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FoldedReasons {
    /// At most five, strongest first.
    pub reasons: Vec<Reason>,
}

impl FoldedReasons {
    /// Takes in an entry that leaves the recent list.
    pub fn fold(&mut self, entry: &Entry, half_life: Span, landmark: i32) {
        let Some(reason) = Reason::of(entry) else { return };
        let ranked = Ranked::new(reason, half_life, landmark);
        // What leaves is mostly later than what left before, so that the first comparison decides.
        let weaker = |held: &Reason| stronger(&ranked, &Ranked::new(*held, half_life, landmark)) == Ordering::Less;
        let at = self.reasons.iter().position(weaker).unwrap_or(self.reasons.len());
        if at < REASONS_MAX {
            self.reasons.truncate(REASONS_MAX - 1);
            self.reasons.reserve_exact(1);
            self.reasons.insert(at, reason);
        }
    }

    /// Joins the reasons of another state.
    pub fn join(&mut self, other: &Self, half_life: Span, landmark: i32) {
        let both = self.reasons.iter().chain(&other.reasons).copied();
        self.reasons = strongest(both, half_life, landmark).iter().map(|ranked| ranked.reason).collect();
    }

    /// The five strongest of what was folded and what is recent.
    #[must_use]
    pub fn read(&self, recent: &RecentList, half_life: Span, landmark: i32) -> Strongest {
        let recent = recent.entries.iter().filter_map(Reason::of);
        strongest(self.reasons.iter().copied().chain(recent), half_life, landmark)
    }
}
