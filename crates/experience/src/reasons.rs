//! The touchpoints that matter most to the relationship score (4.2): a top-5 set.
//!
//! A touchpoint matters by `|w v| 2^(t/h)`. Decay never changes that order, so the set can be kept while entries leave the
//! recent list, and it is the same in any order of input.

use std::cmp::Ordering;

use smallvec::SmallVec;
use throughline_model::{EventTime, TouchpointId, TouchpointType};

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

    /// `log2(|w v|) + t/h`: the order of reasons as a number.
    fn rank(&self, half_life: Span) -> f64 {
        libm::log2(self.weighted().abs()) + self.occurred_at.as_millis() as f64 / half_life.millis() as f64
    }
}

/// Strongest first; ties: later first, then the smaller id.
fn stronger(left: &(f64, Reason), right: &(f64, Reason)) -> Ordering {
    right
        .0
        .total_cmp(&left.0)
        .then_with(|| right.1.occurred_at.cmp(&left.1.occurred_at))
        .then_with(|| left.1.id.cmp(&right.1.id))
}

/// The strongest reasons, strongest first.
pub type Strongest = SmallVec<[Reason; REASONS_MAX]>;

/// The five strongest of some reasons.
#[must_use]
pub fn strongest(reasons: impl Iterator<Item = Reason>, half_life: Span) -> Strongest {
    let mut best: SmallVec<[(f64, Reason); REASONS_MAX + 1]> = SmallVec::new();
    for reason in reasons {
        let ranked = (reason.rank(half_life), reason);
        let at = best.iter().position(|other| stronger(&ranked, other) == Ordering::Less).unwrap_or(best.len());
        if at < REASONS_MAX {
            best.insert(at, ranked);
            best.truncate(REASONS_MAX);
        }
    }
    best.into_iter().map(|(_, reason)| reason).collect()
}

/// The reasons among entries that have left the recent list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FoldedReasons {
    /// At most five, strongest first.
    pub reasons: Vec<Reason>,
}

impl FoldedReasons {
    /// Takes in an entry that leaves the recent list.
    pub fn fold(&mut self, entry: &Entry, half_life: Span) {
        let Some(reason) = Reason::of(entry) else { return };
        let ranked = (reason.rank(half_life), reason);
        // What leaves is mostly later than what left before, so that the first comparison decides.
        let weaker = |held: &Reason| stronger(&ranked, &(held.rank(half_life), *held)) == Ordering::Less;
        let at = self.reasons.iter().position(weaker).unwrap_or(self.reasons.len());
        if at < REASONS_MAX {
            self.reasons.truncate(REASONS_MAX - 1);
            self.reasons.reserve_exact(1);
            self.reasons.insert(at, reason);
        }
    }

    /// Joins the reasons of another state.
    pub fn join(&mut self, other: &Self, half_life: Span) {
        let both = self.reasons.iter().chain(&other.reasons).copied();
        self.reasons = strongest(both, half_life).to_vec();
    }

    /// The five strongest of what was folded and what is recent.
    #[must_use]
    pub fn read(&self, recent: &RecentList, half_life: Span) -> Strongest {
        strongest(self.reasons.iter().copied().chain(recent.entries.iter().filter_map(Reason::of)), half_life)
    }
}
