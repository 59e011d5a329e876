//! What happens to a customer through time alone.
//!
//! State says when something is due; whoever keeps timers only has to look at the customer by then. Stream time moves
//! absence (expiry, review), *now* moves the life of alerts and the pace of the single view.

use throughline_model::time::{DAY, MINUTE};
use throughline_model::touchpoint::{Body, Header, Origin, Revision};
use throughline_model::{
    EventTime, NodeId, Now, OwnerKind, ReceivedAt, SourceKind, StreamTime, TimeQuality, Touchpoint, TouchpointType,
    Verb,
};

use crate::alerts::{self, Passing};
use crate::customer::{Customer, Part, Scope, nothing_valued};
use crate::emission::Emission;
use crate::recent::Entry;
use crate::rules::Rules;
use crate::view::VIEW_INTERVAL;

/// A customer is reviewed daily for so long after the last touchpoint, then weekly.
const DAILY_REVIEWS: i64 = 60 * DAY;
const WEEK_DAYS: i64 = 7;

/// When a customer is to be looked at again without a touchpoint, by each clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dues {
    /// On the injected clock.
    pub now: Option<Now>,
    /// On stream time by all sources.
    pub stream: Option<StreamTime>,
}

/// What fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fired {
    /// The single view that was put off is due.
    pub view: bool,
    /// The oldest due time that the injected clock had passed.
    pub now: Option<Now>,
    /// The oldest due time that stream time had passed.
    pub stream: Option<StreamTime>,
}

impl Customer {
    /// When time alone changes something next.
    #[must_use]
    pub fn dues(&self, rules: &Rules) -> Dues {
        let published = &self.core.published;
        let view = published.customers_at.filter(|_| published.view_pending).map(|at| at.plus_millis(VIEW_INTERVAL));
        let Some(book) = &self.alerts else { return Dues { now: view, stream: None } };
        let now = view.into_iter().chain(book.now_due()).min();
        let review = book.has_live().then(|| self.review_after(self.as_of()));
        let stream = book.expires_at(&rules.read.alerts).into_iter().chain(review).min();
        Dues { now, stream: stream.map(|at| StreamTime::from_millis(at.as_millis())) }
    }

    /// Fires what is due, in the order of its due times. `cause` is the [`echo`](Self::echo) of this customer.
    pub fn fire(
        &mut self,
        cause: &Touchpoint<'_>,
        stream: Option<StreamTime>,
        scope: &Scope<'_>,
        emit: &mut dyn FnMut(Emission<'_>),
    ) -> Fired {
        let dues = self.dues(scope.rules);
        let mut fired = Fired::default();
        if let Some(stream) = stream.filter(|stream| dues.stream.is_some_and(|due| due <= *stream)) {
            fired.stream = dues.stream;
            self.pass_stream(EventTime::from_millis(stream.as_millis()), cause, scope, emit);
        }
        if dues.now.is_some_and(|due| due <= scope.now) {
            fired.now = dues.now;
            fired.view = self.take_view_pending(scope.now);
            self.pass(Passing::Now, cause, scope, emit);
        }
        fired
    }

    /// Expiries and reviews up to `stream`. Reviews that were missed are one: nothing happened between them.
    fn pass_stream(
        &mut self,
        stream: EventTime,
        cause: &Touchpoint<'_>,
        scope: &Scope<'_>,
        emit: &mut dyn FnMut(Emission<'_>),
    ) {
        while let Some(book) = self.alerts.as_ref().filter(|book| book.has_live()) {
            let expiry = book.expires_at(&scope.rules.read.alerts).filter(|at| *at <= stream);
            let until = expiry.unwrap_or(stream);
            let review = self.review_after(self.as_of());
            if review <= until {
                self.move_as_of(self.review_before(until).max(review));
                self.pass(Passing::Review, cause, scope, emit);
            }
            let Some(expiry) = expiry else { return };
            self.move_as_of(expiry);
            self.pass(Passing::Expiry(expiry), cause, scope, emit);
        }
    }

    fn pass(
        &mut self,
        passing: Passing,
        cause: &Touchpoint<'_>,
        scope: &Scope<'_>,
        emit: &mut dyn FnMut(Emission<'_>),
    ) {
        let Some(mut book) = self.alerts.take() else { return };
        let nothing = nothing_valued();
        let changed = alerts::pass(&mut book, &self.evaluation(cause, &nothing, false, scope), passing, emit);
        if changed {
            self.mark(Part::Alerts);
        }
        self.alerts = Some(book).filter(|book| !book.is_empty());
    }

    fn move_as_of(&mut self, at: EventTime) {
        if at > self.core.as_of {
            self.core.as_of = at;
            self.mark(Part::Core);
        }
    }

    /// The touchpoint that a timer goes back to, as far as state remembers it: the latest bad one, else the latest.
    #[must_use]
    pub fn echo(&self) -> Touchpoint<'static> {
        let entries = &self.recent.entries;
        let is_bad = |entry: &&Entry| entry.is_valenced() && entry.v_units < 0;
        let entry = entries.iter().rev().find(is_bad).or(entries.last());
        let occurred_at = entry.map_or(self.as_of(), |entry| entry.occurred_at);
        let header = Header {
            touchpoint_id: entry.map(|entry| entry.id).unwrap_or_default(),
            revision: Revision { updated_at: 0, mapping: 0, verb: Verb::Add },
            occurred_at,
            received_at: entry.map_or(ReceivedAt::from_millis(occurred_at.as_millis()), |entry| entry.received_at),
            time_quality: TimeQuality::Exact,
            origin: Origin { topic: "".into(), partition: 0, offset: 0, entry: 0 },
            node: Some(self.node()),
            identifiers: Default::default(),
            relations: Vec::new(),
            response: None,
            replayed: false,
            trace: None,
        };
        let kind = entry.map_or(TouchpointType::PageViewed, |entry| entry.kind);
        let channel = entry.map_or(throughline_model::Channel::Web, |entry| entry.channel);
        let mut body = Body::new(kind, channel, SourceKind::Web);
        for (owner, id) in [
            (OwnerKind::Store, entry.and_then(|entry| entry.store.as_ref())),
            (OwnerKind::Partner, entry.and_then(|entry| entry.partner.as_ref())),
        ] {
            if let Some(id) = id {
                body.set_owner(owner, id.to_string());
            }
        }
        Touchpoint::new(header, body).expect("nothing in it could be invalid")
    }

    /// The next review after `after`: at the customer's own minute of the day, in the end on its own day of the week.
    fn review_after(&self, after: EventTime) -> EventTime {
        let (minute, weekday) = own_time(self.node());
        let day = (after.as_millis() - minute).div_euclid(DAY) + 1;
        let daily = EventTime::from_millis(day * DAY + minute);
        if self.is_reviewed_daily(daily) {
            return daily;
        }
        let days = (weekday - day).rem_euclid(WEEK_DAYS);
        daily.plus_millis(days * DAY)
    }

    /// The last review at or before `until`.
    fn review_before(&self, until: EventTime) -> EventTime {
        let (minute, weekday) = own_time(self.node());
        let day = (until.as_millis() - minute).div_euclid(DAY);
        let daily = EventTime::from_millis(day * DAY + minute);
        if self.is_reviewed_daily(daily) {
            return daily;
        }
        let weekly = daily.plus_millis(-(day - weekday).rem_euclid(WEEK_DAYS) * DAY);
        let last_daily = (self.last_at().as_millis() + DAILY_REVIEWS - minute).div_euclid(DAY) * DAY + minute;
        weekly.max(EventTime::from_millis(last_daily))
    }

    fn is_reviewed_daily(&self, at: EventTime) -> bool {
        at.as_millis() - self.last_at().as_millis() <= DAILY_REVIEWS
    }

    /// Event time of the latest touchpoint; later reviews and expiries move only the time that numbers speak for.
    fn last_at(&self) -> EventTime {
        self.recent.entries.iter().map(|entry| entry.occurred_at).max().unwrap_or_default()
    }
}

/// Minute of the day in milliseconds, and day of the week, that a customer is reviewed at: spread evenly by the id.
fn own_time(node: NodeId) -> (i64, i64) {
    let hash = node.hash().0;
    let spread = i64::from(u16::from_be_bytes([hash[0], hash[1]]));
    (spread % (DAY / MINUTE) * MINUTE, i64::from(hash[2]) % WEEK_DAYS)
}
