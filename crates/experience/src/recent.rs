//! The recent list (4.15): what a customer's touchpoints of the last days contributed, so that a copy is recognized and
//! a revision takes back exactly what its predecessor added.

use std::sync::Arc;

use smallvec::SmallVec;
use throughline_model::time::DAY;
use throughline_model::touchpoint::Revision;
use throughline_model::{Channel, EventTime, EvidenceKind, ReceivedAt, TouchpointId, TouchpointType, Verb};

use crate::valuation::TouchpointWeight;

/// How long an entry stays after it was received, counted from the newest entry.
pub const WINDOW: i64 = 7 * DAY;
/// Entries kept at most, newest by received time and id.
pub const ENTRIES_MAX: usize = 128;

/// The share of a single kind of evidence, in units of 1e-3.
pub const WHOLE_MIX: u16 = 1_000;

/// A survey answer on the usual scale of its kind.
pub type Answer = (EvidenceKind, f64);

/// What one touchpoint contributed. A removed touchpoint stays as an entry without a contribution, so that an earlier
/// copy which arrives after the removal is known to be old.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Id of the touchpoint.
    pub id: TouchpointId,
    /// Which version of it.
    pub revision: Revision,
    /// Event time.
    pub occurred_at: EventTime,
    /// Kafka timestamp of the source record.
    pub received_at: ReceivedAt,
    /// Valence in units of 1e-4.
    pub v_units: i16,
    /// Most negative evidence in units of 1e-4.
    pub worst_units: i16,
    /// Weight in units of 1e-3; 0 without evidence.
    pub w_units: u16,
    /// Summed confidence by kind of evidence mix, in units of 1e-3; [`WHOLE_MIX`] if there is a single kind.
    pub mix: [u16; 4],
    /// Type of the touchpoint.
    pub kind: TouchpointType,
    /// Channel.
    pub channel: Channel,
    /// Touchpoint weight.
    pub weight: TouchpointWeight,
    /// Whether it counts for coverage: somebody acted.
    pub contact: bool,
    /// Whether it makes amends.
    pub recovery: bool,
    /// Store that caused it.
    pub store: Option<Arc<str>>,
    /// Partner that caused it.
    pub partner: Option<Arc<str>>,
    /// Survey answers it carried.
    pub answers: SmallVec<[Answer; 1]>,
}

impl Entry {
    /// Whether it adds to the sums.
    #[must_use]
    pub const fn is_valenced(&self) -> bool {
        self.w_units > 0
    }

    /// Whether the touchpoint was taken back.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.revision.verb == Verb::Remove
    }

    /// Valence, -1..=1.
    #[must_use]
    pub fn v(&self) -> f64 {
        f64::from(self.v_units) / 10_000.0
    }

    /// Weight, 0 or above.
    #[must_use]
    pub fn w(&self) -> f64 {
        f64::from(self.w_units) / 1_000.0
    }
}

/// The entries, oldest first by (received time, id).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecentList {
    /// The entries.
    pub entries: Vec<Entry>,
}

impl RecentList {
    /// Index of the entry of that touchpoint.
    #[must_use]
    #[inline]
    pub fn position(&self, id: TouchpointId) -> Option<usize> {
        // A copy is mostly a copy of something that came a moment ago.
        self.entries.iter().rposition(|entry| entry.id == id)
    }

    /// Puts an entry at its place.
    pub fn insert(&mut self, entry: Entry) {
        let key = (entry.received_at, entry.id);
        let at =
            self.entries.iter().rposition(|other| (other.received_at, other.id) < key).map_or(0, |before| before + 1);
        if self.entries.capacity() == 0 {
            // Most customers have few recent touchpoints; room for four at once wastes most of it.
            self.entries.reserve_exact(1);
        }
        self.entries.insert(at, entry);
    }

    /// Received time of the newest entry.
    #[must_use]
    pub fn newest(&self) -> Option<ReceivedAt> {
        self.entries.last().map(|entry| entry.received_at)
    }

    /// How many of the oldest entries have to leave, and how many of those only because the list is full.
    #[must_use]
    pub fn leaving(&self) -> (usize, usize) {
        let Some(newest) = self.newest() else { return (0, 0) };
        let oldest_kept = newest.plus_millis(-WINDOW);
        let expired = self.entries.iter().take_while(|entry| entry.received_at < oldest_kept).count();
        let over = self.entries.len().saturating_sub(ENTRIES_MAX);
        (expired.max(over), over.saturating_sub(expired))
    }

    /// Whether an entry of a touchpoint that happened at `occurred_at` could have left the list by the time a revision of
    /// it is received: then nobody knows what to take back.
    #[must_use]
    pub fn may_have_forgotten(&self, occurred_at: EventTime, received_at: ReceivedAt) -> bool {
        let newest = self.newest().map_or(received_at, |newest| newest.max(received_at));
        let full = self.entries.len() >= ENTRIES_MAX;
        occurred_at.as_millis() < newest.plus_millis(-WINDOW).as_millis()
            || (full && self.entries.first().is_some_and(|oldest| occurred_at < oldest.received_at.as_event_time()))
    }

    /// The same text as an entry already has, shared.
    #[must_use]
    pub fn shared(&self, text: &str) -> Arc<str> {
        self.entries
            .iter()
            .rev()
            .flat_map(|entry| [&entry.store, &entry.partner])
            .flatten()
            .find(|known| known.as_ref() == text)
            .map_or_else(|| Arc::from(text), Arc::clone)
    }
}
