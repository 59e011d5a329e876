//! Alerts of a customer (`alerts.md`): what is kept about them, and what is published at every transition.
//!
//! ```text
//! open ─> resolved, expired ─72 h─> closed      open ─> retracted ─> closed      open ─> closed (consent, capped)
//!   ^        └─condition back─ reopened      suppressed: counted, never kept
//! ```
//!
//! Commands and escalation come later; their deadlines are in the transitions already.

mod clocks;
mod lifecycle;
mod matching;
mod transition;

use smallvec::SmallVec;
use throughline_model::alert::{AlertSeverity, AlertState, AlertType, TransitionReason};
use throughline_model::time::{DAY, HOUR, MINUTE};
use throughline_model::{AlertId, Channel, Driver, EventTime, Now, OwnerKind, RefKind, TouchpointId, TouchpointType};

pub(crate) use clocks::{Passing, pass};
pub use lifecycle::Evaluation;
pub(crate) use lifecycle::{close_without_consent, evaluate};
pub use matching::{NeedKey, need_key};
pub use transition::{AlertReason, AlertTransition, NextAction, OperationalOwner, Recipient, operational_owner};

/// Alerts kept per customer.
pub const ALERTS_MAX: usize = 32;
/// Causes remembered per alert; more of them only raise its count.
pub const CAUSES_MAX: usize = 8;
/// An earlier resolve takes effect at the end of this, in milliseconds of *now*.
pub const MINIMUM_OPEN: i64 = 10 * MINUTE;
/// The condition back within this after a resolve reopens the same alert, in milliseconds of *now*.
pub const REOPEN_WINDOW: i64 = 72 * HOUR;
/// An alert of a customer whose other alert was paged within this is related and does not page.
pub const RELATED_WINDOW: i64 = 10 * MINUTE;
/// Updates of one alert are at least this far apart, in milliseconds of *now*.
pub const UPDATE_INTERVAL: i64 = MINUTE;
/// A cause older than this when it was received suppresses; older than this when it is read, it makes the alert stale.
pub const OLD_CAUSE: i64 = DAY;
/// Quiet time of a need after its answer that resolves `urgent_need`, in milliseconds of event time.
pub const NEED_QUIET: i64 = 24 * HOUR;

/// Severity of a type.
#[must_use]
pub const fn severity(kind: AlertType) -> AlertSeverity {
    match kind {
        AlertType::SevereMoment | AlertType::UrgentNeed | AlertType::ExitIntent => AlertSeverity::P1,
        AlertType::ExperienceLow | AlertType::ExperienceDrop => AlertSeverity::P2,
    }
}

/// First escalation of a severity, milliseconds of *now* from the opening.
#[must_use]
pub const fn first_escalation(severity: AlertSeverity) -> Option<i64> {
    match severity {
        AlertSeverity::P1 => Some(15 * MINUTE),
        AlertSeverity::P2 => Some(4 * HOUR),
        AlertSeverity::P3 => Some(3 * DAY),
        AlertSeverity::Ops => None,
    }
}

/// One alert as kept in state: the latest episode of its (type, scope).
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRecord {
    /// Opaque id; never changes.
    pub id: AlertId,
    /// Type.
    pub kind: AlertType,
    /// What it is about besides the customer: driver, need key; empty for the others.
    pub scope: Box<str>,
    /// State as last published.
    pub state: AlertState,
    /// Number of the last transition, from 1.
    pub seq: u32,
    /// 1 + earlier episodes known.
    pub episode: u32,
    /// The earlier episode.
    pub previous: Option<AlertId>,
    /// Event time of the opening cause.
    pub opened_at: EventTime,
    /// Event time of the latest cause: what comes after it can resolve.
    pub renewed_at: EventTime,
    /// *Now* at the opening.
    pub detected_at: Now,
    /// *Now* at the opening or the latest reopening: the minimum open time counts from here.
    pub raised_at: Now,
    /// *Now* at the last transition.
    pub changed_at: Now,
    /// *Now* at the end; absent while it lives, and after a retraction, which starts no cooldown.
    pub ended_at: Option<Now>,
    /// *Now* at the last page.
    pub paged_at: Option<Now>,
    /// The cause was over 24 h old when it was read.
    pub stale: bool,
    /// The number the rule looks at, as of the last transition.
    pub value: Option<f64>,
    /// The same before the cause.
    pub value_before: Option<f64>,
    /// Touchpoints in it.
    pub count: u32,
    /// Touchpoints that hold it open; taking back the last one takes back the alert.
    pub causes: SmallVec<[TouchpointId; 1]>,
    /// A resolve that waits for the minimum open time.
    pub resolve_pending: Option<TransitionReason>,
    /// A new count that waits for the update interval.
    pub update_pending: bool,
    /// When a person answered (`urgent_need`).
    pub answered_at: Option<EventTime>,
    /// Latest inbound touchpoint of the need (`urgent_need`).
    pub inbound_at: Option<EventTime>,
    /// Driver of the cause.
    pub driver: Option<Driver>,
    /// Type of the opening cause.
    pub cause_kind: TouchpointType,
    /// Channel of the opening cause.
    pub channel: Channel,
    /// Owners of the opening cause.
    pub owners: Vec<(OwnerKind, Box<str>)>,
    /// Correlation keys of the opening cause.
    pub refs: Vec<(RefKind, Box<str>)>,
    /// Encoded fields of a later version, written back as they were.
    pub kept: Vec<u8>,
}

impl AlertRecord {
    /// Whether somebody may still have to act.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.state, AlertState::Open | AlertState::Acknowledged | AlertState::Snoozed)
    }

    /// Severity of its type.
    #[must_use]
    pub const fn severity(&self) -> AlertSeverity {
        severity(self.kind)
    }
}

/// An open alert in the single view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenAlert {
    /// Id.
    pub alert_id: AlertId,
    /// Type.
    pub kind: AlertType,
    /// Severity.
    pub severity: AlertSeverity,
    /// State.
    pub state: AlertState,
    /// Event time of the cause.
    pub opened_at: EventTime,
}

/// The alerts part of a customer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlertBook {
    /// At most one per (type, scope), in the order of opening.
    pub records: Vec<AlertRecord>,
    /// Consecutive evaluations with a low relationship score, up to 2.
    pub low_streak: u8,
    /// The last three evaluations of z, the latest in bit 0; a set bit is a drop.
    pub drops: u8,
    /// Types whose present condition was suppressed, one bit a type: it is counted once and stays suppressed until the
    /// condition ends or fresh bad evidence comes.
    pub suppressed: u8,
}

impl AlertBook {
    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.low_streak == 0 && self.drops == 0 && self.suppressed == 0
    }

    /// Index of the record of a type and scope.
    fn find(&self, kind: AlertType, scope: &str) -> Option<usize> {
        self.records.iter().position(|record| record.kind == kind && *record.scope == *scope)
    }

    /// The live alerts, most severe first, then in the order of opening.
    #[must_use]
    pub fn open(&self) -> Vec<OpenAlert> {
        let mut open: Vec<_> = self
            .records
            .iter()
            .filter(|record| record.is_live())
            .map(|record| OpenAlert {
                alert_id: record.id,
                kind: record.kind,
                severity: record.severity(),
                state: record.state,
                opened_at: record.opened_at,
            })
            .collect();
        open.sort_by_key(|alert| (alert.severity, alert.opened_at, alert.alert_id));
        open
    }

    /// Joins the alerts of another state. Of two of one type and scope the live one stays, of two live ones the older; the
    /// transitions that say so belong to the merge of identities.
    pub fn join(&mut self, other: Self) {
        for record in other.records {
            match self.find(record.kind, &record.scope) {
                None => self.records.push(record),
                Some(at) => {
                    let held = &self.records[at];
                    let stays = (held.is_live(), std::cmp::Reverse((held.opened_at, held.id)))
                        >= (record.is_live(), std::cmp::Reverse((record.opened_at, record.id)));
                    if !stays {
                        self.records[at] = record;
                    }
                }
            }
        }
        self.low_streak = self.low_streak.max(other.low_streak);
        self.drops |= other.drops;
        self.suppressed |= other.suppressed;
    }
}
