//! The state of one customer and the fold over their touchpoints.

use std::sync::Arc;

use throughline_model::{
    CustomerId, EventTime, Fate, IdHasher, LateReason, NodeId, Now, OwnerKind, Purpose, ReceivedAt, Touchpoint,
    TouchpointId, TouchpointType, Trust, Verb, WithheldReason, closed_set,
};

use crate::alerts::{self, AlertBook, Evaluation, OpenAlert};
use crate::consent;
use crate::emission::{Component, Emission, ValuedTouchpoint};
use crate::memories::Memories;
use crate::profile::{Kept, Profile};
use crate::reasons::FoldedReasons;
use crate::recent::{Entry, RecentList, WHOLE_MIX};
use crate::rules::Rules;
use crate::score::PublishedScore;
use crate::sums::{Channels, Sums};
use crate::surveys::Surveys;
use crate::valuation::{Valuation, usual_scale, valuation};

closed_set! {
    /// Parts in which a customer is written; only changed ones are.
    pub enum Part {
        /// Sums, reasons, memories, surveys, what was published.
        Core = "core",
        /// Recent list.
        Recent = "recent",
        /// Needs, journeys, promises; nothing yet.
        Open = "open",
        /// Consent, attributes, links.
        Profile = "profile",
        /// Alerts and their holds.
        Alerts = "alerts",
    }
}

/// A set of [`Part`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartSet(u8);

impl PartSet {
    /// No part.
    pub const EMPTY: Self = Self(0);

    /// Adds a part.
    pub const fn insert(&mut self, part: Part) {
        self.0 |= 1 << part.code();
    }

    /// Whether the part is in it.
    #[must_use]
    pub const fn contains(self, part: Part) -> bool {
        self.0 & (1 << part.code()) != 0
    }

    /// Whether no part is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The parts, in their order.
    pub fn iter(self) -> impl Iterator<Item = Part> {
        Part::ALL.iter().copied().filter(move |part| self.contains(*part))
    }
}

/// What a fold needs besides the touchpoint.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The model.
    pub rules: &'a Rules,
    /// Makes alert ids.
    pub ids: &'a IdHasher,
    /// The worker's clock; only alerts look at it.
    pub now: Now,
    /// A rebuild recomputes state and leaves people alone.
    pub rebuild: bool,
}

/// Sums, folded extremes, and what was published last.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Core {
    /// Decayed sums on three horizons.
    pub sums: Sums,
    /// Decayed sums by channel.
    pub channels: Channels,
    /// Strongest reasons among entries that have left the recent list.
    pub reasons: FoldedReasons,
    /// Worst and best memories among them.
    pub memories: Memories,
    /// Latest survey answers among them.
    pub surveys: Surveys,
    /// Latest valenced touchpoint among them.
    pub folded_valenced_at: Option<EventTime>,
    /// Earliest event time applied.
    pub first_at: Option<EventTime>,
    /// Largest event time applied; the epoch before the first.
    pub as_of: EventTime,
    /// What was published last.
    pub published: Published,
}

/// Versions and numbers of the last published records.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Published {
    /// Version of the last score record, 0 before the first.
    pub scores_version: u64,
    /// Its numbers.
    pub score: Option<PublishedScore>,
    /// Version of the last single-view record, 0 before the first.
    pub customers_version: u64,
    /// When that was written.
    pub customers_at: Option<Now>,
    /// Something changed since, and the next one had to wait for its ten seconds.
    pub view_pending: bool,
}

/// Fields of a later version, kept and written back, one buffer a [`Part`].
pub type KeptFields = [Vec<u8>; 5];

/// One customer.
#[derive(Debug, Clone, PartialEq)]
pub struct Customer {
    node: NodeId,
    /// Sums, folded extremes, what was published.
    pub core: Core,
    /// Recent list.
    pub recent: RecentList,
    /// Consent, attributes, links; most customers have none.
    pub profile: Option<Box<Profile>>,
    /// Alerts; most customers have none.
    pub alerts: Option<Box<AlertBook>>,
    /// Unknown fields of the parts, if there are any.
    pub kept: Option<Box<KeptFields>>,
    dirty: PartSet,
}

impl Customer {
    /// A customer of whom nothing is known.
    #[must_use]
    pub fn new(node: NodeId) -> Self {
        Self {
            node,
            core: Core::default(),
            recent: RecentList::default(),
            profile: None,
            alerts: None,
            kept: None,
            dirty: PartSet::EMPTY,
        }
    }

    /// The root node: the customer's id.
    #[must_use]
    pub const fn node(&self) -> CustomerId {
        self.node
    }

    /// Largest event time applied; the time every decayed number of an emission speaks for.
    #[must_use]
    pub const fn as_of(&self) -> EventTime {
        self.core.as_of
    }

    /// Parts that changed since [`clear_dirty`](Self::clear_dirty).
    #[must_use]
    pub const fn dirty_parts(&self) -> PartSet {
        self.dirty
    }

    /// Notes that all parts are written.
    pub const fn clear_dirty(&mut self) {
        self.dirty = PartSet::EMPTY;
    }

    /// Notes that the core part changed.
    pub(crate) const fn mark_core(&mut self) {
        self.dirty.insert(Part::Core);
    }

    /// Notes that a part changed.
    pub(crate) const fn mark(&mut self, part: Part) {
        self.dirty.insert(part);
    }

    /// Applies one touchpoint: exactly one fate, and what the outside must hear.
    pub fn apply(
        &mut self,
        touchpoint: &Touchpoint<'_>,
        scope: &Scope<'_>,
        emit: &mut dyn FnMut(Emission<'_>),
    ) -> Fate {
        let (header, body) = (touchpoint.header(), touchpoint.body());
        let held = self.recent.position(header.touchpoint_id);
        if held.is_some_and(|at| header.revision <= self.recent.entries[at].revision) {
            return Fate::Duplicate;
        }
        // A statement about consent has a time of its own: it holds however late it is, and before anything else.
        let consent_moved = !body.consents.is_empty() && self.take_in_consents(touchpoint);
        let fate = self.fate_of(touchpoint, held, scope.rules);
        if fate != Fate::Applied {
            if consent_moved {
                self.close_without_consent(touchpoint, scope, emit);
            }
            return fate;
        }
        let removed = header.revision.verb == Verb::Remove;
        let valued = if removed { nothing_valued() } else { valuation(touchpoint, scope.rules) };
        if let Some(at) = held {
            let old = self.recent.entries.remove(at);
            self.retract(&old, scope.rules);
        }
        let expected = (self.core.sums.count >= scope.rules.read.baseline.touchpoints_min)
            .then(|| self.core.sums.lifetime.mean())
            .flatten();
        self.add(self.entry(touchpoint, &valued, removed), scope.rules, emit);
        self.core.as_of = self.core.as_of.max(header.occurred_at);
        self.core.first_at = Some(self.core.first_at.map_or(header.occurred_at, |first| first.min(header.occurred_at)));
        self.take_in_profile(touchpoint, emit);
        self.dirty.insert(Part::Core);
        self.dirty.insert(Part::Recent);
        if self.allows(Purpose::Service, self.as_of(), scope.rules) {
            let as_of = self.as_of();
            emit(touchpoint_emission(self.node, as_of, removed, &valued, expected));
        }
        if consent_moved {
            self.close_without_consent(touchpoint, scope, emit);
        }
        self.evaluate(touchpoint, &valued, held.is_some(), scope, emit);
        fate
    }

    /// The fate of a touchpoint that is no duplicate.
    fn fate_of(&self, touchpoint: &Touchpoint<'_>, held: Option<usize>, rules: &Rules) -> Fate {
        let header = touchpoint.header();
        let age = header.received_at.as_millis().saturating_sub(header.occurred_at.as_millis());
        if age > rules.deployment.max_age.millis() {
            return Fate::Late(LateReason::MaxAge);
        }
        if held.is_none() && !header.replayed && self.revision_expired(touchpoint) {
            return Fate::Late(LateReason::RevisionExpired);
        }
        let at = self.as_of().max(header.occurred_at);
        // A change of consent itself is always applied, or nobody could ever allow again.
        if touchpoint.body().kind != TouchpointType::ConsentChanged && !self.allows(Purpose::Process, at, rules) {
            return Fate::Withheld(WithheldReason::Consent);
        }
        Fate::Applied
    }

    /// Whether this revises something that may have been counted and is no longer remembered.
    ///
    /// A revision may overtake the first copy; it is expired only if the first copy could have come and gone.
    fn revision_expired(&self, touchpoint: &Touchpoint<'_>) -> bool {
        let header = touchpoint.header();
        let late_update =
            header.revision.updated_at > header.occurred_at.plus_millis(crate::recent::WINDOW).as_millis();
        late_update
            || (header.revision.verb != Verb::Add
                && self.recent.may_have_forgotten(header.occurred_at, header.received_at))
    }

    fn entry(&self, touchpoint: &Touchpoint<'_>, valued: &Valuation, removed: bool) -> Entry {
        let (header, body) = (touchpoint.header(), touchpoint.body());
        let owner = |kind| -> Option<Arc<str>> {
            if removed { None } else { body.owner(kind).map(|id| self.recent.shared(id)) }
        };
        Entry {
            id: header.touchpoint_id,
            revision: header.revision,
            occurred_at: header.occurred_at,
            received_at: header.received_at,
            v_units: valued.v_units,
            worst_units: valued.worst_units,
            w_units: valued.w_units,
            mix: mix_of(valued),
            kind: body.kind,
            channel: body.channel,
            weight: valued.weight,
            contact: !removed && body.direction != throughline_model::Direction::None,
            recovery: !removed && body.kind.row().is_recovery(),
            store: owner(OwnerKind::Store),
            partner: owner(OwnerKind::Partner),
            answers: if removed {
                smallvec::SmallVec::new()
            } else {
                let surveys = body.evidence.iter().filter(|answer| is_survey(answer.kind));
                surveys.map(|answer| (answer.kind, usual_scale(answer))).collect()
            },
        }
    }

    fn add(&mut self, entry: Entry, rules: &Rules, emit: &mut dyn FnMut(Emission<'_>)) {
        if entry.is_valenced() {
            self.core.sums.add(&entry, &rules.fold.half_life);
            self.core.channels.add(&entry, &rules.fold.half_life);
        }
        self.recent.insert(entry);
        self.fold_leaving(rules, emit);
    }

    fn retract(&mut self, entry: &Entry, rules: &Rules) {
        if entry.is_valenced() {
            self.core.sums.retract(entry, &rules.fold.half_life);
            self.core.channels.retract(entry, &rules.fold.half_life);
        }
    }

    /// Extremes cannot be subtracted: they are folded only when an entry can no longer be revised.
    fn fold_leaving(&mut self, rules: &Rules, emit: &mut dyn FnMut(Emission<'_>)) {
        let (leaving, capped) = self.recent.leaving();
        (0..capped).for_each(|_| emit(Emission::Capped(Component::Recent)));
        for entry in self.recent.entries.drain(..leaving) {
            let core = &mut self.core;
            core.channels.fold(&entry);
            core.reasons.fold(&entry, rules.fold.half_life.relationship, core.sums.relationship.landmark);
            let forgotten = core.memories.fold(&entry, &rules.fold);
            (0..forgotten).for_each(|_| emit(Emission::Capped(Component::Memories)));
            core.surveys.fold(&entry);
            if entry.is_valenced() {
                core.folded_valenced_at = core.folded_valenced_at.max(Some(entry.occurred_at));
            }
        }
    }

    fn take_in_consents(&mut self, touchpoint: &Touchpoint<'_>) -> bool {
        let (header, body) = (touchpoint.header(), touchpoint.body());
        let source = source_of(touchpoint);
        let profile = self.profile.get_or_insert_with(Box::default);
        let mut moved = false;
        for statement in &body.consents {
            moved |= profile.consents.state(statement, header.occurred_at, source);
        }
        self.profile_moved(moved);
        moved
    }

    fn profile_moved(&mut self, moved: bool) {
        if moved {
            self.dirty.insert(Part::Profile);
        }
        // Most customers have no profile: one without content is none.
        self.profile = self.profile.take().filter(|profile| **profile != Profile::default());
    }

    fn take_in_profile(&mut self, touchpoint: &Touchpoint<'_>, emit: &mut dyn FnMut(Emission<'_>)) {
        let (header, body) = (touchpoint.header(), touchpoint.body());
        let asserted = header.identifiers.iter().any(|identifier| identifier.trust == Trust::Asserted);
        if !asserted && body.attributes.is_empty() {
            return;
        }
        let source = source_of(touchpoint);
        let profile = self.profile.get_or_insert_with(Box::default);
        let mut moved = false;
        let mut note = |kept: Kept, component| {
            moved |= kept != Kept::Unchanged;
            if kept == Kept::Displaced {
                emit(Emission::Capped(component));
            }
        };
        for attribute in &body.attributes {
            note(profile.declare(attribute, header.occurred_at, source), Component::Attributes);
        }
        for identifier in &header.identifiers {
            // The identifier that routed here is the customer; linking it to itself says nothing.
            if identifier.hash != self.node.hash() {
                note(profile.link(identifier, body.source, header.occurred_at), Component::Links);
            }
        }
        self.profile_moved(moved);
    }

    /// Whether a purpose is allowed as of `at`: unknown allows `process` and, unless strict, `service`.
    #[must_use]
    pub fn allows(&self, purpose: Purpose, at: EventTime, rules: &Rules) -> bool {
        consent::allows(self.consent(purpose, at), purpose, rules.deployment.strict_consent)
    }

    /// The status of a purpose as of `at`.
    #[must_use]
    pub fn consent(&self, purpose: Purpose, at: EventTime) -> throughline_model::ConsentStatus {
        self.profile
            .as_ref()
            .map_or(throughline_model::ConsentStatus::Unknown, |profile| profile.consents.status(purpose, at))
    }

    /// Live alerts, most severe first.
    #[must_use]
    pub fn open_alerts(&self) -> Vec<OpenAlert> {
        self.alerts.as_ref().map_or_else(Vec::new, |book| book.open())
    }

    fn evaluate(
        &mut self,
        touchpoint: &Touchpoint<'_>,
        valued: &Valuation,
        corrects: bool,
        scope: &Scope<'_>,
        emit: &mut dyn FnMut(Emission<'_>),
    ) {
        let mut book = self.alerts.take();
        let evaluation = self.evaluation(touchpoint, valued, corrects, scope);
        if alerts::evaluate(&mut book, &evaluation, emit) {
            self.dirty.insert(Part::Alerts);
        }
        self.alerts = book.filter(|book| !book.is_empty());
    }

    fn close_without_consent(
        &mut self,
        touchpoint: &Touchpoint<'_>,
        scope: &Scope<'_>,
        emit: &mut dyn FnMut(Emission<'_>),
    ) {
        if self.allows(Purpose::Service, self.as_of(), scope.rules) {
            return;
        }
        let Some(mut book) = self.alerts.take() else { return };
        let nothing = nothing_valued();
        let evaluation = self.evaluation(touchpoint, &nothing, false, scope);
        if alerts::close_without_consent(&mut book, &evaluation, emit) {
            self.dirty.insert(Part::Alerts);
        }
        self.alerts = Some(book);
    }

    pub(crate) fn evaluation<'c, 't>(
        &'c self,
        touchpoint: &'c Touchpoint<'t>,
        valued: &'c Valuation,
        corrects: bool,
        scope: &'c Scope<'c>,
    ) -> Evaluation<'c, 't> {
        let at = self.as_of();
        Evaluation {
            touchpoint,
            valuation: valued,
            corrects,
            customer: self,
            scope,
            service: self.consent(Purpose::Service, at),
            service_allowed: self.allows(Purpose::Service, at, scope.rules),
            personalization: self.allows(Purpose::Personalization, at, scope.rules),
            relationship: self.relationship(scope.rules, at),
            z: if valued.is_valenced() || corrects { self.z(scope.rules) } else { None },
        }
    }

    /// Joins the state of another customer that turned out to be the same person. A touchpoint both have counted is taken
    /// back once: the lower revision, else the other customer's copy.
    pub fn merge(&mut self, other: Self, rules: &Rules) {
        let mine = &mut self.core;
        mine.sums.join(&other.core.sums);
        mine.channels.join(&other.core.channels);
        let landmark = mine.sums.relationship.landmark;
        mine.reasons.join(&other.core.reasons, rules.fold.half_life.relationship, landmark);
        mine.memories.join(&other.core.memories);
        mine.surveys.join(&other.core.surveys);
        mine.folded_valenced_at = mine.folded_valenced_at.max(other.core.folded_valenced_at);
        mine.first_at = [mine.first_at, other.core.first_at].into_iter().flatten().min();
        mine.as_of = mine.as_of.max(other.core.as_of);
        for entry in other.recent.entries {
            match self.recent.position(entry.id) {
                None => self.recent.insert(entry),
                Some(at) if entry.revision > self.recent.entries[at].revision => {
                    let lower = self.recent.entries.remove(at);
                    self.retract(&lower, rules);
                    self.recent.insert(entry);
                }
                Some(_) => self.retract(&entry, rules),
            }
        }
        // Two halves of a customer together may hold more than one; what leaves for that is no sign of a full state.
        self.fold_leaving(rules, &mut |_| ());
        self.dirty.insert(Part::Core);
        self.dirty.insert(Part::Recent);
        if let Some(profile) = other.profile {
            self.profile.get_or_insert_with(Box::default).join(&profile);
            self.dirty.insert(Part::Profile);
        }
        if let Some(book) = other.alerts {
            self.alerts.get_or_insert_with(Box::default).join(*book);
            self.dirty.insert(Part::Alerts);
        }
    }

    /// Relationship score at `as_of` without what one recent touchpoint adds, rounded.
    pub(crate) fn relationship_without(&self, id: TouchpointId, rules: &Rules) -> f64 {
        let mut sums = self.core.sums;
        if let Some(entry) = self.recent.position(id).map(|at| &self.recent.entries[at])
            && entry.is_valenced()
        {
            sums.retract(entry, &rules.fold.half_life);
        }
        crate::score::relationship(&sums, rules, self.as_of())
    }

    /// Received time of the newest recent touchpoint, for expiry.
    #[must_use]
    pub fn last_received_at(&self) -> Option<ReceivedAt> {
        self.recent.newest()
    }
}

const fn is_survey(kind: throughline_model::EvidenceKind) -> bool {
    !matches!(kind, throughline_model::EvidenceKind::Sentiment)
}

fn source_of<'t>(touchpoint: &'t Touchpoint<'_>) -> &'t str {
    let body = touchpoint.body();
    if body.system.is_empty() { body.source.as_str() } else { &body.system }
}

/// Shares matter, not their scale: evidence of a single kind has all of the weight, whatever its confidence.
fn mix_of(valued: &Valuation) -> [u16; 4] {
    if valued.mix.iter().filter(|&&q| q > 0).count() == 1 {
        valued.mix.map(|q| if q > 0 { WHOLE_MIX } else { 0 })
    } else {
        valued.mix
    }
}

pub(crate) fn nothing_valued() -> Valuation {
    Valuation {
        v_units: 0,
        worst_units: 0,
        w_units: 0,
        q: 0.0,
        mix: [0; 4],
        weight: crate::valuation::TouchpointWeight::Normal,
        driver: None,
        evidence: smallvec::SmallVec::new(),
    }
}

fn touchpoint_emission(
    node: NodeId,
    as_of: EventTime,
    retracted: bool,
    valued: &Valuation,
    expected: Option<f64>,
) -> Emission<'_> {
    let expected = expected.map(throughline_model::round6);
    let disconfirmation = valued.v().zip(expected).map(|(v, expected)| throughline_model::round6(v - expected));
    Emission::Touchpoint(ValuedTouchpoint {
        customer: Some(node),
        as_of,
        retracted,
        valuation: valued,
        expected: expected.filter(|_| valued.is_valenced()),
        disconfirmation,
    })
}
