//! What time alone does to the alerts of a customer: the end of the minimum open time, updates that waited, settling,
//! expiry, and the review.

use throughline_model::alert::{AlertState, AlertType, Transition, TransitionReason};
use throughline_model::{EventTime, Now};

use super::lifecycle::{Evaluation, LOW_HOLD, Run, Sink};
use super::{AlertBook, AlertRecord, MINIMUM_OPEN, REOPEN_WINDOW, UPDATE_INTERVAL};
use crate::rules::AlertRules;

/// Which clock moved, and to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    /// The life of an alert among people.
    Now,
    /// Stream time reached the expiry of an alert.
    Expiry(EventTime),
    /// Stream time reached the time of a review.
    Review,
}

impl AlertRecord {
    /// When *now* changes it, if nothing comes before.
    fn now_due(&self) -> Option<Now> {
        if self.is_live() {
            let resolve = self.resolve_pending.map(|_| self.raised_at.plus_millis(MINIMUM_OPEN));
            let update = self.update_pending.then(|| self.changed_at.plus_millis(UPDATE_INTERVAL));
            return resolve.into_iter().chain(update).min();
        }
        matches!(self.state, AlertState::Resolved | AlertState::Expired)
            .then(|| self.ended_at.unwrap_or(self.changed_at).plus_millis(REOPEN_WINDOW))
    }

    /// When it ends without evidence of recovery.
    fn expires_at(&self, rules: &AlertRules) -> Option<EventTime> {
        self.is_live().then(|| self.renewed_at.plus_millis(rules.of(self.kind).expires.millis()))
    }
}

impl AlertBook {
    /// Whether somebody may still have to act on one of them.
    pub(crate) fn has_live(&self) -> bool {
        self.records.iter().any(AlertRecord::is_live)
    }

    /// When *now* changes one of them.
    pub(crate) fn now_due(&self) -> Option<Now> {
        self.records.iter().filter_map(AlertRecord::now_due).min()
    }

    /// When the first of them expires, in stream time.
    pub(crate) fn expires_at(&self, rules: &AlertRules) -> Option<EventTime> {
        self.records.iter().filter_map(|record| record.expires_at(rules)).min()
    }
}

/// Lets time pass; returns whether the alerts part changed.
pub(crate) fn pass(
    book: &mut AlertBook,
    evaluation: &Evaluation<'_, '_>,
    passing: Passing,
    emit: Sink<'_, '_>,
) -> bool {
    let mut run = Run { book, evaluation, emit, changed: false };
    if !evaluation.service_allowed {
        run.close_all();
    }
    match passing {
        Passing::Now => run.pass_now(),
        Passing::Expiry(at) => run.expire(at),
        Passing::Review => run.review(),
    }
    run.changed
}

impl Run<'_, '_, '_, '_, '_> {
    pub(super) fn close_all(&mut self) {
        for at in 0..self.book.records.len() {
            if self.book.records[at].is_live() {
                self.end(at, AlertState::Closed, (Transition::Closed, TransitionReason::Consent));
            }
        }
    }

    fn pass_now(&mut self) {
        let now = self.now();
        for at in 0..self.book.records.len() {
            let record = &mut self.book.records[at];
            if record.now_due().is_none_or(|due| due > now) {
                continue;
            }
            if !record.is_live() {
                self.settle(at);
            } else if let Some(reason) = record.resolve_pending
                && self.since(self.book.records[at].raised_at) >= MINIMUM_OPEN
            {
                self.end(at, AlertState::Resolved, (Transition::Resolved, reason));
            }
        }
        self.flush_updates();
    }

    /// Nobody can reopen it any more. The end from which its cooldown counts stays what it was.
    fn settle(&mut self, at: usize) {
        self.book.records[at].state = AlertState::Closed;
        self.changed = true;
        if self.evaluation.service_allowed {
            self.publish(at, (Transition::Closed, TransitionReason::Settled), (false, None));
        }
    }

    fn expire(&mut self, at_time: EventTime) {
        for at in 0..self.book.records.len() {
            let rules = &self.evaluation.scope.rules.read.alerts;
            if self.book.records[at].expires_at(rules).is_some_and(|due| due <= at_time) {
                self.end(at, AlertState::Expired, (Transition::Expired, TransitionReason::Time));
            }
        }
    }

    /// An evaluation without a touchpoint. It can confirm what a touchpoint began, and note that it is over; silence alone
    /// opens nothing.
    fn review(&mut self) {
        let before = (self.book.low_streak, self.book.suppressed);
        if !self.evaluation.is_low() {
            self.book.low_streak = 0;
            self.book.suppressed &= !super::lifecycle::bit(AlertType::ExperienceLow);
        } else if self.book.low_streak > 0 {
            self.book.low_streak = (self.book.low_streak + 1).min(LOW_HOLD);
        }
        self.changed |= before != (self.book.low_streak, self.book.suppressed);
        if before.0 < LOW_HOLD && self.book.low_streak >= LOW_HOLD {
            self.raise_scores();
        }
    }
}
