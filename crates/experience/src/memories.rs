//! Worst and best memories for the brand, stores and partners (4.2).
//!
//! A memory is kept by its undecayed magnitude, so the set does not depend on the order of input; it is read decayed, and a
//! bad one that nobody made good never falls under a floor.

use std::sync::Arc;

use throughline_model::{EventTime, TouchpointId, round6};

use crate::decay::ratio;
use crate::recent::{Entry, RecentList};
use crate::rules::{Fold, MemoryRules};

/// Stores remembered, and partners.
pub const SCOPES_MAX: usize = 8;

/// What is remembered about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemoryScope {
    /// Everything.
    Brand,
    /// One store.
    Store(Arc<str>),
    /// One partner.
    Partner(Arc<str>),
}

impl std::fmt::Display for MemoryScope {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Brand => out.write_str("brand"),
            Self::Store(id) => write!(out, "store:{id}"),
            Self::Partner(id) => write!(out, "partner:{id}"),
        }
    }
}

/// One moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The touchpoint.
    pub id: TouchpointId,
    /// When.
    pub occurred_at: EventTime,
    /// Valence in units of 1e-4.
    pub v_units: i16,
    /// |v| x touchpoint weight in units of 1e-4.
    pub magnitude_units: u32,
}

impl Moment {
    fn of(entry: &Entry, v_units: i16, fold: &Fold) -> Self {
        let magnitude = f64::from(v_units.unsigned_abs()) * entry.weight.factor(fold);
        Self { id: entry.id, occurred_at: entry.occurred_at, v_units, magnitude_units: libm::round(magnitude) as u32 }
    }

    /// Larger magnitude, then later, then smaller id.
    fn outweighs(&self, other: &Self) -> bool {
        (self.magnitude_units, self.occurred_at, std::cmp::Reverse(self.id))
            > (other.magnitude_units, other.occurred_at, std::cmp::Reverse(other.id))
    }
}

fn keep_stronger(slot: &mut Option<Moment>, candidate: Option<Moment>) {
    if let Some(candidate) = candidate
        && slot.as_ref().is_none_or(|held| candidate.outweighs(held))
    {
        *slot = Some(candidate);
    }
}

/// What is remembered about one scope.
#[derive(Debug, Clone, PartialEq)]
pub struct Remembered {
    /// The scope.
    pub scope: MemoryScope,
    /// Worst moment.
    pub worst: Option<Moment>,
    /// Best moment.
    pub best: Option<Moment>,
    /// Latest touchpoint that made amends.
    pub recovered_at: Option<EventTime>,
}

impl Remembered {
    const fn nothing(scope: MemoryScope) -> Self {
        Self { scope, worst: None, best: None, recovered_at: None }
    }

    fn magnitude(&self) -> (u32, EventTime) {
        [self.worst, self.best]
            .into_iter()
            .flatten()
            .map(|moment| (moment.magnitude_units, moment.occurred_at))
            .max()
            .unwrap_or((0, self.recovered_at.unwrap_or_default()))
    }

    fn join(&mut self, other: &Self) {
        keep_stronger(&mut self.worst, other.worst);
        keep_stronger(&mut self.best, other.best);
        self.recovered_at = self.recovered_at.max(other.recovered_at);
    }
}

/// A memory as published.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// `brand`, `store:<id>`, `partner:<id>`.
    pub scope: MemoryScope,
    /// Whether it is the worst (else the best) of its scope.
    pub worst: bool,
    /// The touchpoint.
    pub touchpoint_id: TouchpointId,
    /// When.
    pub occurred_at: EventTime,
    /// Valence, -1..=1.
    pub v: f64,
    /// Decayed magnitude, 0 or above.
    pub magnitude: f64,
    /// Whether somebody made amends after it.
    pub recovered: bool,
}

/// The memories of entries that have left the recent list, in the order of their scopes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Memories {
    /// Scopes with something to remember.
    pub scopes: Vec<Remembered>,
}

impl Memories {
    /// Takes in an entry that leaves the recent list; how many scopes left for it.
    pub fn fold(&mut self, entry: &Entry, fold: &Fold) -> usize {
        self.add(entry, fold);
        self.cap()
    }

    /// Joins the memories of another state.
    pub fn join(&mut self, other: &Self) {
        for theirs in &other.scopes {
            self.of(&theirs.scope).join(theirs);
        }
        self.cap();
    }

    fn of(&mut self, scope: &MemoryScope) -> &mut Remembered {
        let at = match self.scopes.binary_search_by(|held| held.scope.cmp(scope)) {
            Ok(at) => at,
            Err(at) => {
                self.scopes.insert(at, Remembered::nothing(scope.clone()));
                at
            }
        };
        &mut self.scopes[at]
    }

    fn add(&mut self, entry: &Entry, fold: &Fold) {
        // The worst looks at the most negative evidence: politeness hides nothing.
        let worst = (entry.is_valenced() && entry.worst_units < 0).then(|| Moment::of(entry, entry.worst_units, fold));
        let best = (entry.is_valenced() && entry.v_units > 0).then(|| Moment::of(entry, entry.v_units, fold));
        let recovered_at = entry.recovery.then_some(entry.occurred_at);
        if worst.is_none() && best.is_none() && recovered_at.is_none() {
            return;
        }
        let scopes = [
            Some(MemoryScope::Brand),
            entry.store.clone().map(MemoryScope::Store),
            entry.partner.clone().map(MemoryScope::Partner),
        ];
        for scope in scopes.into_iter().flatten() {
            self.of(&scope).join(&Remembered { scope, worst, best, recovered_at });
        }
    }

    /// Above the caps the scopes with the smallest magnitudes leave; how many did.
    fn cap(&mut self) -> usize {
        let before = self.scopes.len();
        for is_kind in [(|scope| matches!(scope, MemoryScope::Store(_))) as fn(&MemoryScope) -> bool, |scope| {
            matches!(scope, MemoryScope::Partner(_))
        }] {
            while self.scopes.iter().filter(|held| is_kind(&held.scope)).count() > SCOPES_MAX {
                let weakest = (0..self.scopes.len())
                    .filter(|&at| is_kind(&self.scopes[at].scope))
                    .min_by_key(|&at| self.scopes[at].magnitude())
                    .expect("there are more than the cap");
                self.scopes.remove(weakest);
            }
        }
        before - self.scopes.len()
    }

    /// What is remembered at `at`, of what was folded and what is recent.
    #[must_use]
    pub fn read(&self, recent: &RecentList, at: EventTime, fold: &Fold, rules: &MemoryRules) -> Vec<Memory> {
        let mut all = self.clone();
        for entry in &recent.entries {
            all.add(entry, fold);
        }
        all.cap();
        let mut memories = Vec::new();
        for held in &all.scopes {
            for (moment, worst) in [(held.worst, true), (held.best, false)] {
                if let Some(moment) = moment {
                    memories.push(published(held, &moment, worst, at, rules));
                }
            }
        }
        memories
    }
}

fn published(held: &Remembered, moment: &Moment, worst: bool, at: EventTime, rules: &MemoryRules) -> Memory {
    let recovered = held.recovered_at.is_some_and(|recovered_at| recovered_at > moment.occurred_at);
    let age = (at.as_millis() - moment.occurred_at.as_millis()).max(0);
    let floor = if recovered { 0.0 } else { rules.floor };
    let magnitude = f64::from(moment.magnitude_units) / 10_000.0 * ratio(-age, rules.half_life).max(floor);
    Memory {
        scope: held.scope.clone(),
        worst,
        touchpoint_id: moment.id,
        occurred_at: moment.occurred_at,
        v: f64::from(moment.v_units) / 10_000.0,
        magnitude: round6(magnitude),
        recovered,
    }
}
