//! Which touchpoints open an alert on their own, and which end one.

use std::fmt;

use throughline_model::alert::{AlertType, TransitionReason};
use throughline_model::{Direction, Intent, Mode, RefKind, Touchpoint, TouchpointType, UrgentTag};

use super::{AlertRecord, NEED_QUIET};
use crate::rules::AlertRules;
use crate::valuation::Valuation;

/// The key of a need (4.5): the first of case id, order id, topic; journeys come between when they exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeedKey<'t> {
    /// A case.
    Case(&'t str),
    /// An order.
    Order(&'t str),
    /// A topic.
    Topic(&'t str),
    /// Nothing says which.
    Other,
}

impl fmt::Display for NeedKey<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Case(id) => write!(out, "case:{id}"),
            Self::Order(id) => write!(out, "order:{id}"),
            Self::Topic(topic) => write!(out, "topic:{topic}"),
            Self::Other => out.write_str("other"),
        }
    }
}

impl NeedKey<'_> {
    /// Whether `text` is this key written out; without writing it out.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        let (prefix, id) = match *self {
            Self::Case(id) => ("case:", id),
            Self::Order(id) => ("order:", id),
            Self::Topic(topic) => ("topic:", topic),
            Self::Other => ("other", ""),
        };
        text.strip_prefix(prefix) == Some(id)
    }
}

/// The need a touchpoint belongs to.
#[must_use]
pub fn need_key<'t>(touchpoint: &'t Touchpoint<'_>) -> NeedKey<'t> {
    let body = touchpoint.body();
    let topic = body.need.as_ref().map(|need| need.topic.as_ref()).filter(|topic| !topic.is_empty());
    body.reference(RefKind::Case)
        .map(NeedKey::Case)
        .or_else(|| body.reference(RefKind::Order).map(NeedKey::Order))
        .or(topic.map(NeedKey::Topic))
        .unwrap_or(NeedKey::Other)
}

/// A touchpoint that is a cause on its own.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Match {
    pub kind: AlertType,
    pub scope: Box<str>,
    pub value: Option<f64>,
}

/// The most urgent-tag confidence, if it reaches the threshold.
fn urgent(touchpoint: &Touchpoint<'_>, threshold: f64) -> Option<f64> {
    let need = touchpoint.body().need.as_ref()?;
    need.tags
        .iter()
        .filter(|(tag, confidence)| *confidence >= threshold && UrgentTag::from_name(tag).is_some())
        .map(|(_, confidence)| *confidence)
        .reduce(f64::max)
}

/// Confidence that the customer means to leave; a cancellation request says so itself.
fn leaving(touchpoint: &Touchpoint<'_>, threshold: f64) -> Option<f64> {
    let body = touchpoint.body();
    if body.kind == TouchpointType::CancelRequested {
        return Some(1.0);
    }
    body.intents
        .iter()
        .filter(|(intent, confidence)| *intent == Intent::Exit && *confidence >= threshold)
        .map(|(_, confidence)| *confidence)
        .reduce(f64::max)
}

/// What the touchpoint causes on its own, in the order of the types.
pub(super) fn matches(touchpoint: &Touchpoint<'_>, valuation: &Valuation, rules: &AlertRules) -> [Option<Match>; 3] {
    let severe = valuation.severe().then(|| Match {
        kind: AlertType::SevereMoment,
        scope: valuation.driver.map_or("", |driver| driver.as_str()).into(),
        value: valuation.is_valenced().then(|| f64::from(valuation.worst_units) / 10_000.0),
    });
    let urgent = urgent(touchpoint, rules.urgent_need.opens_at.unwrap_or(1.0)).map(|confidence| Match {
        kind: AlertType::UrgentNeed,
        scope: need_key(touchpoint).to_string().into(),
        value: Some(confidence),
    });
    let exit = leaving(touchpoint, rules.exit_intent.opens_at.unwrap_or(1.0)).map(|confidence| Match {
        kind: AlertType::ExitIntent,
        scope: "".into(),
        value: Some(confidence),
    });
    [severe, urgent, exit]
}

/// Notes on an `urgent_need` what the touchpoint says about its need; returns whether anything changed.
pub(super) fn follow_need(record: &mut AlertRecord, touchpoint: &Touchpoint<'_>) -> bool {
    if record.kind != AlertType::UrgentNeed || !belongs(record, touchpoint) {
        return false;
    }
    let (body, at) = (touchpoint.body(), touchpoint.header().occurred_at);
    let before = (record.answered_at, record.inbound_at);
    if body.direction == Direction::Inbound {
        record.inbound_at = record.inbound_at.max(Some(at));
    }
    if answers(touchpoint) && at >= record.renewed_at {
        record.answered_at = record.answered_at.max(Some(at));
    }
    before != (record.answered_at, record.inbound_at)
}

/// Whether a person answered: a response, or the resolved end of a contact that a person had.
fn answers(touchpoint: &Touchpoint<'_>) -> bool {
    let body = touchpoint.body();
    body.mode == Mode::Person && (body.kind.row().is_response() || ends_resolved(touchpoint))
}

fn ends_resolved(touchpoint: &Touchpoint<'_>) -> bool {
    let body = touchpoint.body();
    matches!(body.kind, TouchpointType::ContactEnded | TouchpointType::AssistEnded)
        && body.result.resolved == Some(true)
}

/// Whether the touchpoint is about the need of the record: the same key, or the same conversation.
fn belongs(record: &AlertRecord, touchpoint: &Touchpoint<'_>) -> bool {
    if need_key(touchpoint).is(&record.scope) {
        return true;
    }
    let conversation = touchpoint.body().reference(RefKind::Conversation);
    conversation.is_some()
        && record.refs.iter().any(|(kind, id)| *kind == RefKind::Conversation && Some(id.as_ref()) == conversation)
}

/// Whether this touchpoint, just applied, is evidence that ends the alert, and why. Score thresholds are the caller's.
pub(super) fn ends(record: &AlertRecord, touchpoint: &Touchpoint<'_>, v: Option<f64>) -> Option<TransitionReason> {
    let (body, at) = (touchpoint.body(), touchpoint.header().occurred_at);
    match record.kind {
        AlertType::SevereMoment => {
            (body.kind.row().is_recovery() && at > record.renewed_at).then_some(TransitionReason::Recovered)
        }
        AlertType::UrgentNeed => {
            let answered_at = record.answered_at?;
            let ended = ends_resolved(touchpoint) && belongs(record, touchpoint) && at >= answered_at;
            let quiet_since = record.inbound_at.unwrap_or(record.renewed_at).max(record.renewed_at);
            let quiet = at.as_millis() - quiet_since.as_millis() >= NEED_QUIET;
            (ended || quiet).then_some(TransitionReason::Answered)
        }
        AlertType::ExitIntent if at <= record.renewed_at => None,
        AlertType::ExitIntent if body.kind == TouchpointType::ContractEnded => Some(TransitionReason::Lost),
        AlertType::ExitIntent => {
            let bought = matches!(body.kind, TouchpointType::OrderCreated | TouchpointType::ContractRenewed)
                || body.result.purchased == Some(true);
            (bought || v.is_some_and(|v| v >= WON_BACK_V)).then_some(TransitionReason::WonBack)
        }
        AlertType::ExperienceLow | AlertType::ExperienceDrop => {
            // Rule R: no touchpoint, no recovery.
            (at > record.renewed_at && v.is_some_and(|v| v > 0.0)).then_some(TransitionReason::Recovered)
        }
    }
}

/// A touchpoint of this valence wins a customer back (4.9.2).
const WON_BACK_V: f64 = 0.3;
