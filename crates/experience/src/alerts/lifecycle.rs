//! Opens, updates, resolves, reopens and takes back the alerts of one customer when a touchpoint was applied.

use smallvec::smallvec;
use throughline_model::alert::{
    AlertSeverity, AlertState, AlertType, PageBlocked, RuleMode, Transition, TransitionReason,
};
use throughline_model::{AlertId, ConsentStatus, Now, Touchpoint, Verb};

use super::matching::{Match, ends, follow_need, matches};
use super::transition::{AlertTransition, published};
use super::{
    ALERTS_MAX, AlertBook, AlertRecord, CAUSES_MAX, MINIMUM_OPEN, OLD_CAUSE, RELATED_WINDOW, REOPEN_WINDOW,
    UPDATE_INTERVAL,
};
use crate::customer::{Customer, Scope};
use crate::emission::{Component, Emission};
use crate::valuation::Valuation;

/// Evaluations a low score must hold.
pub(super) const LOW_HOLD: u8 = 2;
/// Of the last three evaluations of z, how many must be drops.
const DROP_HOLD: u32 = 2;

/// One evaluation: the touchpoint just applied and the customer after it.
#[derive(Debug, Clone, Copy)]
pub struct Evaluation<'c, 't> {
    /// The touchpoint.
    pub touchpoint: &'c Touchpoint<'t>,
    /// What it is worth; nothing if it was a removal.
    pub valuation: &'c Valuation,
    /// Whether an earlier copy of it was taken back.
    pub corrects: bool,
    /// The customer, without the alerts that are being evaluated.
    pub customer: &'c Customer,
    /// Rules, ids, now.
    pub scope: &'c Scope<'c>,
    /// Status of the purpose `service`.
    pub service: ConsentStatus,
    /// Whether `service` is allowed.
    pub service_allowed: bool,
    /// Whether `personalization` is allowed.
    pub personalization: bool,
    /// Relationship score as published.
    pub relationship: f64,
    /// z as published, if it exists and the touchpoint is valenced or corrects one.
    pub z: Option<f64>,
}

impl Evaluation<'_, '_> {
    fn threshold(&self, kind: AlertType) -> f64 {
        self.scope.rules.read.alerts.of(kind).opens_at.unwrap_or(f64::NEG_INFINITY)
    }

    fn mode(&self, kind: AlertType) -> RuleMode {
        self.scope.rules.read.alerts.of(kind).mode
    }

    pub(super) fn is_low(&self) -> bool {
        self.relationship < self.threshold(AlertType::ExperienceLow)
    }

    fn is_drop(&self) -> Option<bool> {
        self.z.map(|z| z <= self.threshold(AlertType::ExperienceDrop))
    }

    /// The number a score alert looks at.
    fn value(&self, kind: AlertType) -> Option<f64> {
        match kind {
            AlertType::ExperienceLow => Some(self.relationship),
            AlertType::ExperienceDrop => self.z,
            _ => None,
        }
    }
}

/// What goes out, as the caller's sink.
pub(super) type Sink<'s, 'f> = &'s mut (dyn FnMut(Emission<'_>) + 'f);

/// Evaluates the rules; returns whether the alerts part changed.
pub(crate) fn evaluate(book: &mut Option<Box<AlertBook>>, evaluation: &Evaluation<'_, '_>, emit: Sink<'_, '_>) -> bool {
    let removed = evaluation.touchpoint.header().revision.verb == Verb::Remove;
    let rules = &evaluation.scope.rules.read.alerts;
    let found = if removed { [None, None, None] } else { matches(evaluation.touchpoint, evaluation.valuation, rules) };
    let quiet = found.iter().all(Option::is_none) && !evaluation.is_low() && evaluation.is_drop() != Some(true);
    if book.is_none() && quiet {
        return false;
    }
    let book = book.get_or_insert_with(Box::default);
    let mut run = Run { book, evaluation, emit, changed: false };
    run.note_holds();
    if evaluation.corrects {
        run.correct(&found, removed);
    }
    run.follow(&found);
    for cause in found.into_iter().flatten() {
        run.raise(cause);
    }
    run.raise_scores();
    run.flush_updates();
    run.changed
}

/// Closes every live alert because `service` was withdrawn; returns whether there was one.
pub(crate) fn close_without_consent(book: &mut AlertBook, evaluation: &Evaluation<'_, '_>, emit: Sink<'_, '_>) -> bool {
    let mut run = Run { book, evaluation, emit, changed: false };
    run.close_all();
    run.changed
}

pub(super) struct Run<'r, 'c, 't, 'e, 'f> {
    pub(super) book: &'r mut AlertBook,
    pub(super) evaluation: &'r Evaluation<'c, 't>,
    pub(super) emit: Sink<'e, 'f>,
    pub(super) changed: bool,
}

impl Run<'_, '_, '_, '_, '_> {
    pub(super) fn now(&self) -> Now {
        self.evaluation.scope.now
    }

    pub(super) fn since(&self, earlier: Now) -> i64 {
        self.now().as_millis() - earlier.as_millis()
    }

    /// Moves the holds by one evaluation. One without data decides nothing.
    fn note_holds(&mut self) {
        let before = (self.book.low_streak, self.book.drops, self.book.suppressed);
        if self.evaluation.is_low() {
            self.book.low_streak = (self.book.low_streak + 1).min(LOW_HOLD);
        } else {
            self.book.low_streak = 0;
            self.book.suppressed &= !bit(AlertType::ExperienceLow);
        }
        // z is evaluated at valenced touchpoints only; a removal has none.
        if let Some(drop) = self.evaluation.is_drop().filter(|_| self.evaluation.valuation.is_valenced()) {
            self.book.drops = (self.book.drops << 1 | u8::from(drop)) & 0b111;
            if !drop {
                self.book.suppressed &= !bit(AlertType::ExperienceDrop);
            }
        }
        self.changed |= before != (self.book.low_streak, self.book.drops, self.book.suppressed);
    }

    /// Takes back what the corrected touchpoint caused and causes no longer.
    fn correct(&mut self, found: &[Option<Match>; 3], removed: bool) {
        let id = self.evaluation.touchpoint.header().touchpoint_id;
        let reason = if removed { TransitionReason::Removed } else { TransitionReason::Corrected };
        for at in 0..self.book.records.len() {
            let record = &mut self.book.records[at];
            let stands = match record.kind {
                AlertType::ExperienceLow => self.evaluation.is_low(),
                AlertType::ExperienceDrop => self.evaluation.is_drop() == Some(true),
                kind => found.iter().flatten().any(|cause| cause.kind == kind && cause.scope == record.scope),
            };
            if !record.is_live() || stands || !record.causes.contains(&id) {
                continue;
            }
            record.causes.retain(|cause| *cause != id);
            record.count = record.count.saturating_sub(1);
            if record.causes.is_empty() {
                self.end(at, AlertState::Retracted, (Transition::Retracted, reason));
                // A retraction settles at once, and starts no cooldown: it never was true.
                self.end(at, AlertState::Closed, (Transition::Closed, TransitionReason::Settled));
                self.book.records[at].ended_at = None;
            } else {
                record.update_pending = true;
            }
            self.changed = true;
        }
    }

    /// Publishes new counts that waited for the update interval.
    pub(super) fn flush_updates(&mut self) {
        for at in 0..self.book.records.len() {
            let record = &self.book.records[at];
            if record.is_live() && record.update_pending && self.since(record.changed_at) >= UPDATE_INTERVAL {
                self.book.records[at].update_pending = false;
                self.publish(at, (Transition::Updated, TransitionReason::Count), (false, None));
            }
        }
    }

    /// Resolves what the touchpoint ends, or notes that it will be resolved at the end of the minimum open time.
    fn follow(&mut self, found: &[Option<Match>; 3]) {
        for at in 0..self.book.records.len() {
            if !self.book.records[at].is_live() {
                continue;
            }
            self.changed |= follow_need(&mut self.book.records[at], self.evaluation.touchpoint);
            let record = &self.book.records[at];
            let back = match record.kind {
                AlertType::ExperienceLow => self.evaluation.is_low(),
                AlertType::ExperienceDrop => self.evaluation.is_drop() == Some(true),
                kind => found.iter().flatten().any(|cause| cause.kind == kind && cause.scope == record.scope),
            };
            if back {
                self.changed |= self.book.records[at].resolve_pending.take().is_some();
                continue;
            }
            let Some(reason) = self.resolved_by(record).or(record.resolve_pending) else { continue };
            if self.since(record.raised_at) >= MINIMUM_OPEN {
                self.end(at, AlertState::Resolved, (Transition::Resolved, reason));
            } else if record.resolve_pending.is_none() {
                self.book.records[at].resolve_pending = Some(reason);
                self.changed = true;
            }
        }
    }

    fn resolved_by(&self, record: &AlertRecord) -> Option<TransitionReason> {
        // A removal is no evidence of anything.
        if self.evaluation.touchpoint.header().revision.verb == Verb::Remove {
            return None;
        }
        let reason = ends(record, self.evaluation.touchpoint, self.evaluation.valuation.v())?;
        let threshold = self.evaluation.scope.rules.read.alerts.of(record.kind).resolves_at;
        let holds = match record.kind {
            AlertType::ExperienceLow => threshold.is_none_or(|threshold| self.evaluation.relationship >= threshold),
            AlertType::ExperienceDrop => {
                self.evaluation.z.is_some_and(|z| threshold.is_none_or(|threshold| z > threshold))
            }
            _ => true,
        };
        holds.then_some(reason)
    }

    pub(super) fn raise_scores(&mut self) {
        let held = [
            (AlertType::ExperienceLow, self.evaluation.is_low() && self.book.low_streak >= LOW_HOLD),
            (
                AlertType::ExperienceDrop,
                self.evaluation.is_drop() == Some(true)
                    && self.evaluation.valuation.is_valenced()
                    && self.book.drops.count_ones() >= DROP_HOLD,
            ),
        ];
        for (kind, held) in held {
            if !held || self.book.find(kind, "").is_some_and(|at| self.book.records[at].is_live()) {
                continue;
            }
            // What was suppressed stays so until fresh bad evidence comes; people are left alone about the old.
            let fresh = self.evaluation.valuation.v().is_some_and(|v| v < 0.0);
            if self.book.suppressed & bit(kind) == 0 || fresh {
                self.raise(Match { kind, scope: "".into(), value: self.evaluation.value(kind) });
            }
        }
    }

    /// The condition of a key holds: counts it, reopens, opens, or says why not.
    fn raise(&mut self, cause: Match) {
        if self.evaluation.mode(cause.kind) == RuleMode::Off {
            return;
        }
        let held = self.book.find(cause.kind, &cause.scope);
        if let Some(at) = held
            && self.book.records[at].is_live()
        {
            self.count(at);
            return;
        }
        if let Some(reason) = self.suppressed(cause.kind, held) {
            self.suppress(&cause, reason);
            return;
        }
        self.book.suppressed &= !bit(cause.kind);
        let record = self.record(cause, held);
        match held {
            Some(at) if self.reopens(at) || self.book.records[at].id == record.id => self.reopen(at, record),
            _ => self.open(held, record),
        }
    }

    /// One more touchpoint in a live alert.
    fn count(&mut self, at: usize) {
        let header = self.evaluation.touchpoint.header();
        let record = &mut self.book.records[at];
        if record.causes.contains(&header.touchpoint_id) {
            return;
        }
        record.count = record.count.saturating_add(1);
        if record.causes.len() < CAUSES_MAX {
            record.causes.push(header.touchpoint_id);
        }
        record.renewed_at = record.renewed_at.max(header.occurred_at);
        record.resolve_pending = None;
        record.update_pending = true;
        self.changed = true;
    }

    /// Why a new opening of this key is not published, if so.
    fn suppressed(&self, kind: AlertType, held: Option<usize>) -> Option<TransitionReason> {
        let evaluation = self.evaluation;
        let header = evaluation.touchpoint.header();
        if !evaluation.service_allowed {
            return Some(TransitionReason::Consent);
        }
        if evaluation.scope.rebuild {
            return Some(TransitionReason::Rebuild);
        }
        if header.received_at.as_millis() - header.occurred_at.as_millis() > OLD_CAUSE {
            return Some(TransitionReason::Backfill);
        }
        if evaluation.mode(kind) == RuleMode::Shadow {
            return Some(TransitionReason::Shadow);
        }
        let record = held.map(|at| &self.book.records[at])?;
        let cooldown = evaluation.scope.rules.read.alerts.of(kind).cooldown?;
        let ended = record.ended_at?;
        let reopens = record.state == AlertState::Resolved && self.since(ended) < REOPEN_WINDOW;
        (!reopens && self.since(ended) < cooldown.millis()).then_some(TransitionReason::Cooldown)
    }

    fn reopens(&self, at: usize) -> bool {
        let record = &self.book.records[at];
        record.state == AlertState::Resolved && record.ended_at.is_some_and(|ended| self.since(ended) < REOPEN_WINDOW)
    }

    fn suppress(&mut self, cause: &Match, reason: TransitionReason) {
        let score = matches!(cause.kind, AlertType::ExperienceLow | AlertType::ExperienceDrop);
        let counted = score && self.book.suppressed & bit(cause.kind) != 0;
        if score && !counted {
            self.book.suppressed |= bit(cause.kind);
            self.changed = true;
        }
        if counted {
            return;
        }
        let mut record = self.record(cause.clone(), None);
        record.state = AlertState::Suppressed;
        record.seq = 0;
        let transition =
            published(&record, Vec::new(), (Transition::Suppressed, reason), (false, None), self.evaluation);
        self.emit(transition);
    }

    /// The record of a new episode.
    fn record(&self, cause: Match, held: Option<usize>) -> AlertRecord {
        let evaluation = self.evaluation;
        let (header, body) = (evaluation.touchpoint.header(), evaluation.touchpoint.body());
        let now = self.now();
        let earlier = held.map(|at| &self.book.records[at]);
        AlertRecord {
            id: self.alert_id(&cause),
            kind: cause.kind,
            state: AlertState::Open,
            seq: 1,
            episode: earlier.map_or(1, |earlier| earlier.episode + 1),
            previous: earlier.map(|earlier| earlier.id),
            opened_at: header.occurred_at,
            renewed_at: header.occurred_at,
            detected_at: now,
            raised_at: now,
            changed_at: now,
            ended_at: None,
            paged_at: None,
            stale: now.as_millis() - header.occurred_at.as_millis() > OLD_CAUSE,
            value: cause.value,
            value_before: self.value_before(cause.kind),
            count: 1,
            causes: smallvec![header.touchpoint_id],
            resolve_pending: None,
            update_pending: false,
            answered_at: None,
            inbound_at: None,
            driver: evaluation.valuation.driver,
            cause_kind: body.kind,
            channel: body.channel,
            owners: body.owners.iter().map(|(kind, id)| (*kind, id.as_ref().into())).collect(),
            refs: body.refs.iter().map(|(kind, id)| (*kind, id.as_ref().into())).collect(),
            scope: cause.scope,
            kept: Vec::new(),
        }
    }

    fn value_before(&self, kind: AlertType) -> Option<f64> {
        let header = self.evaluation.touchpoint.header();
        (kind == AlertType::ExperienceLow)
            .then(|| self.evaluation.customer.relationship_without(header.touchpoint_id, self.evaluation.scope.rules))
    }

    fn alert_id(&self, cause: &Match) -> AlertId {
        let subject = self.evaluation.customer.node().hex();
        let touchpoint = self.evaluation.touchpoint.header().touchpoint_id.hex();
        self.evaluation.scope.ids.hash(
            "alert",
            &[cause.kind.as_str().as_bytes(), subject.as_bytes(), cause.scope.as_bytes(), touchpoint.as_bytes()],
        )
    }

    fn open(&mut self, held: Option<usize>, record: AlertRecord) {
        let at = match held {
            Some(at) => {
                self.book.records[at] = record;
                at
            }
            None => {
                self.make_room();
                self.book.records.push(record);
                self.book.records.len() - 1
            }
        };
        self.changed = true;
        let page = self.page(at, true);
        self.announce(at, (Transition::Opened, TransitionReason::Rule), page);
    }

    fn reopen(&mut self, at: usize, fresh: AlertRecord) {
        let record = &mut self.book.records[at];
        record.state = AlertState::Open;
        record.seq += 1;
        record.raised_at = fresh.raised_at;
        record.renewed_at = record.renewed_at.max(fresh.renewed_at);
        record.changed_at = fresh.changed_at;
        record.ended_at = None;
        record.stale = fresh.stale;
        record.value_before = fresh.value_before;
        record.value = fresh.value;
        record.count += 1;
        record.causes = fresh.causes;
        record.answered_at = None;
        record.resolve_pending = None;
        record.update_pending = false;
        self.changed = true;
        let page = self.page(at, false);
        self.announce(at, (Transition::Reopened, TransitionReason::ConditionBack), page);
    }

    fn page(&self, at: usize, opened: bool) -> (bool, Option<PageBlocked>) {
        let record = &self.book.records[at];
        let severity = record.severity();
        if severity > AlertSeverity::P2 {
            return (false, Some(PageBlocked::Severity));
        }
        let paged = self.book.records.iter().enumerate().any(|(other, held)| {
            other != at
                && held.severity() <= severity
                && held.paged_at.is_some_and(|paged| self.since(paged) < RELATED_WINDOW)
        });
        match (opened && paged, record.stale) {
            (true, _) => (false, Some(PageBlocked::Related)),
            (false, true) => (false, Some(PageBlocked::Stale)),
            (false, false) => (true, None),
        }
    }

    /// Publishes a transition that may page, without counting it.
    fn announce(&mut self, at: usize, transition: (Transition, TransitionReason), page: (bool, Option<PageBlocked>)) {
        let now = self.now();
        if page.0 {
            self.book.records[at].paged_at = Some(now);
        }
        let related = self.related(at);
        let transition = published(&self.book.records[at], related, transition, page, self.evaluation);
        self.emit(transition);
    }

    /// Counts a transition and publishes it.
    pub(super) fn publish(
        &mut self,
        at: usize,
        transition: (Transition, TransitionReason),
        page: (bool, Option<PageBlocked>),
    ) {
        let now = self.now();
        let record = &mut self.book.records[at];
        record.seq += 1;
        record.changed_at = now;
        self.changed = true;
        self.announce(at, transition, page);
    }

    pub(super) fn end(&mut self, at: usize, state: AlertState, transition: (Transition, TransitionReason)) {
        let now = self.now();
        let value = self.evaluation.value(self.book.records[at].kind);
        let record = &mut self.book.records[at];
        record.state = state;
        record.ended_at = Some(now);
        record.resolve_pending = None;
        record.update_pending = false;
        if value.is_some() {
            record.value = value;
        }
        self.publish(at, transition, (false, None));
    }

    fn related(&self, at: usize) -> Vec<AlertId> {
        let others = self.book.records.iter().enumerate();
        others
            .filter(|(other, held)| *other != at && held.is_live() && self.since(held.raised_at) < RELATED_WINDOW)
            .map(|(_, held)| held.id)
            .collect()
    }

    /// Over the cap the oldest settled record leaves, else the oldest of the lowest severity.
    fn make_room(&mut self) {
        if self.book.records.len() < ALERTS_MAX {
            return;
        }
        let weakest = (0..self.book.records.len())
            .min_by_key(|&at| {
                let record = &self.book.records[at];
                let rank = record.is_live().then(|| std::cmp::Reverse(record.severity()));
                (rank, record.changed_at, record.id)
            })
            .expect("there are as many as the cap");
        if self.book.records[weakest].state != AlertState::Closed {
            self.end(weakest, AlertState::Closed, (Transition::Closed, TransitionReason::Capped));
        }
        self.book.records.remove(weakest);
        (self.emit)(Emission::Capped(Component::Alerts));
    }

    fn emit(&mut self, transition: AlertTransition) {
        (self.emit)(Emission::Alert(Box::new(transition)));
    }
}

pub(super) const fn bit(kind: AlertType) -> u8 {
    1 << kind.code()
}
