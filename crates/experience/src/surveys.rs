//! The latest answer per survey instrument.

use throughline_model::{EventTime, EvidenceKind, TouchpointId};

use crate::recent::{Entry, RecentList};

/// The latest answer to one instrument.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatestAnswer {
    /// NPS, CSAT, CES or stars.
    pub instrument: EvidenceKind,
    /// On the usual scale of the instrument; CES 7 is easy.
    pub score: f64,
    /// Event time.
    pub answered_at: EventTime,
    /// The touchpoint.
    pub id: TouchpointId,
}

impl LatestAnswer {
    fn is_later_than(&self, other: &Self) -> bool {
        (self.answered_at, self.id) > (other.answered_at, other.id)
    }
}

/// The latest answers among entries that have left the recent list, in the order of the instruments.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Surveys {
    /// At most one an instrument.
    pub answers: Vec<LatestAnswer>,
}

impl Surveys {
    fn keep_later(&mut self, answer: LatestAnswer) {
        match self.answers.binary_search_by_key(&answer.instrument, |held| held.instrument) {
            Ok(at) if answer.is_later_than(&self.answers[at]) => self.answers[at] = answer,
            Ok(_) => {}
            Err(at) => self.answers.insert(at, answer),
        }
    }

    /// Takes in an entry that leaves the recent list.
    pub fn fold(&mut self, entry: &Entry) {
        for &(instrument, score) in &entry.answers {
            self.keep_later(LatestAnswer { instrument, score, answered_at: entry.occurred_at, id: entry.id });
        }
    }

    /// Joins the answers of another state.
    pub fn join(&mut self, other: &Self) {
        other.answers.iter().for_each(|&answer| self.keep_later(answer));
    }

    /// The latest answer to an instrument, of what was folded and what is recent.
    #[must_use]
    pub fn latest(&self, instrument: EvidenceKind, recent: &RecentList) -> Option<LatestAnswer> {
        let mut latest = self.answers.iter().find(|held| held.instrument == instrument).copied();
        for entry in &recent.entries {
            for &(kind, score) in &entry.answers {
                let answer = LatestAnswer { instrument: kind, score, answered_at: entry.occurred_at, id: entry.id };
                if kind == instrument && latest.as_ref().is_none_or(|held| answer.is_later_than(held)) {
                    latest = Some(answer);
                }
            }
        }
        latest
    }

    /// The latest answers to all instruments, of what was folded and what is recent.
    #[must_use]
    pub fn read(&self, recent: &RecentList) -> Vec<LatestAnswer> {
        [EvidenceKind::Nps, EvidenceKind::Csat, EvidenceKind::Ces, EvidenceKind::Stars]
            .into_iter()
            .filter_map(|instrument| self.latest(instrument, recent))
            .collect()
    }
}
