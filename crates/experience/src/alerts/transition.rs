//! A transition of an alert as published (`topics.md` 4.6).

use throughline_model::alert::{AlertSeverity, AlertState, AlertType, PageBlocked, Transition, TransitionReason};
use throughline_model::{
    AlertId, Channel, ConsentStatus, Driver, EventTime, Hash128, NodeId, Now, OwnerKind, RefKind, Touchpoint,
    TouchpointId, TouchpointType,
};

use super::lifecycle::Evaluation;
use super::{AlertRecord, first_escalation};
use crate::score::ScoreReason;

/// One published transition. Everything that exists without timers and commands is set.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertTransition {
    /// Event time it speaks for.
    pub as_of: EventTime,
    /// Identity.
    pub alert_id: AlertId,
    /// Rises by one per transition; 0 for a suppressed one, which has no life.
    pub seq: u32,
    /// Type.
    pub kind: AlertType,
    /// Severity.
    pub severity: AlertSeverity,
    /// State after it.
    pub state: AlertState,
    /// What happened.
    pub transition: Transition,
    /// Why.
    pub reason: TransitionReason,
    /// The customer.
    pub customer: NodeId,
    /// What it is about besides the customer.
    pub scope: Box<str>,
    /// hash("dedup", tenant, type, subject now, scope).
    pub dedup_key: Hash128,
    /// 1 + earlier episodes known.
    pub episode: u32,
    /// Earlier episode.
    pub previous: Option<AlertId>,
    /// Other live alerts of the customer raised within ten minutes.
    pub related: Vec<AlertId>,
    /// Event time of the opening cause.
    pub opened_at: EventTime,
    /// *Now* at the opening.
    pub detected_at: Now,
    /// *Now* at this transition.
    pub changed_at: Now,
    /// When someone must have acted.
    pub due_at: Option<EventTime>,
    /// Next escalation while it is open.
    pub next_escalation_at: Option<Now>,
    /// End without evidence of recovery, stream time, while it lives.
    pub expires_at: Option<EventTime>,
    /// 0..=3.
    pub level: u8,
    /// Whether a person should be interrupted.
    pub page: bool,
    /// If not, why.
    pub page_blocked: Option<PageBlocked>,
    /// The cause was over 24 h old when it was read.
    pub stale: bool,
    /// The number the rule looks at.
    pub value: Option<f64>,
    /// The same before the cause.
    pub value_before: Option<f64>,
    /// Threshold that opened.
    pub opens_at: Option<f64>,
    /// Threshold that resolves.
    pub resolves_at: Option<f64>,
    /// Touchpoints in it.
    pub count: u32,
    /// Driver of the cause.
    pub driver: Option<Driver>,
    /// `kind:id` of the most specific owner, `brand` if none.
    pub operational_owner: String,
    /// Owners of the cause.
    pub owners: Vec<(OwnerKind, Box<str>)>,
    /// Need key (`urgent_need`).
    pub need_key: Option<Box<str>>,
    /// Correlation keys of the cause.
    pub refs: Vec<(RefKind, Box<str>)>,
    /// At most five, with a sentence each.
    pub reasons: Vec<AlertReason>,
    /// Who gets it.
    pub recipients: Vec<Recipient>,
    /// What to do; only with consent for personalization.
    pub next_action: Option<NextAction>,
    /// Status of the purpose `service` that was checked.
    pub service: ConsentStatus,
}

/// One touchpoint behind an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertReason {
    /// The touchpoint.
    pub touchpoint_id: TouchpointId,
    /// Points it adds to the relationship score.
    pub contribution: f64,
    /// Type of the touchpoint.
    pub code: TouchpointType,
    /// One sentence.
    pub text: String,
}

/// A role that gets the alert; routing turns it into a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Role.
    pub role: &'static str,
    /// Entity whose role it is, `kind:id` or `brand`.
    pub entity: String,
    /// Level that added it.
    pub level: u8,
    /// *Now* when it was added.
    pub since_at: Now,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextAction {
    /// In words.
    pub action: &'static str,
    /// First role to do it.
    pub role: &'static str,
    /// Channel the customer last used for it.
    pub channel: Channel,
    /// When it must be done.
    pub due_at: Option<EventTime>,
}

/// The most specific owner of a touchpoint: staff, team, store, partner, then provider and process; none is the brand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationalOwner<'t>(pub Option<(OwnerKind, &'t str)>);

impl std::fmt::Display for OperationalOwner<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some((kind, id)) => write!(out, "{kind}:{id}"),
            None => out.write_str("brand"),
        }
    }
}

const SPECIFIC_FIRST: [OwnerKind; 6] =
    [OwnerKind::Staff, OwnerKind::Team, OwnerKind::Store, OwnerKind::Partner, OwnerKind::Provider, OwnerKind::Process];

fn most_specific<'t>(find: impl Fn(OwnerKind) -> Option<&'t str>, kinds: &[OwnerKind]) -> OperationalOwner<'t> {
    OperationalOwner(kinds.iter().find_map(|&kind| find(kind).map(|id| (kind, id))))
}

/// The operational owner of a touchpoint; the relationship owner is the brand, always.
#[must_use]
pub fn operational_owner<'t>(touchpoint: &'t Touchpoint<'_>) -> OperationalOwner<'t> {
    most_specific(|kind| touchpoint.body().owner(kind), &SPECIFIC_FIRST)
}

impl AlertRecord {
    fn owner(&self, kind: OwnerKind) -> Option<&str> {
        self.owners.iter().find(|(held, _)| *held == kind).map(|(_, id)| id.as_ref())
    }

    /// Front line: who can act. A person of staff is reached through team or store.
    fn front_line(&self) -> (&'static str, String) {
        let owner = most_specific(|kind| self.owner(kind), &SPECIFIC_FIRST[1..]);
        let role = match owner.0 {
            Some((OwnerKind::Team, _)) => "team",
            Some((OwnerKind::Store, _)) => "store",
            Some((OwnerKind::Partner, _)) => "partner_manager",
            Some((OwnerKind::Provider, _)) => "vendor_manager",
            Some((OwnerKind::Process, _)) => "process_owner",
            _ => "customer_care",
        };
        (role, owner.to_string())
    }

    fn recipients(&self) -> Vec<Recipient> {
        let (role, entity) = self.front_line();
        let mut recipients = vec![Recipient { role, entity: entity.clone(), level: 0, since_at: self.raised_at }];
        if self.severity() == AlertSeverity::P1 {
            recipients.push(Recipient { role: "lead", entity, level: 0, since_at: self.raised_at });
        }
        recipients
    }

    fn next_action(&self, due_at: Option<EventTime>) -> NextAction {
        let (action, role) = match self.kind {
            AlertType::SevereMoment | AlertType::ExitIntent => ("call back with authority to put it right", "lead"),
            AlertType::UrgentNeed => ("help now, then ask", self.front_line().0),
            AlertType::ExperienceLow | AlertType::ExperienceDrop => {
                ("review the last reasons, make contact", "customer_care")
            }
        };
        NextAction { action, role, channel: self.channel, due_at }
    }
}

/// Builds what is published about the record's last transition.
pub(super) fn published(
    record: &AlertRecord,
    related: Vec<AlertId>,
    transition: (Transition, TransitionReason),
    page: (bool, Option<PageBlocked>),
    evaluation: &Evaluation<'_, '_>,
) -> AlertTransition {
    let scope = evaluation.scope;
    let rule = scope.rules.read.alerts.of(record.kind);
    let subject = evaluation.customer.node().hex();
    let due_at = rule.due.map(|due| record.opened_at.plus_millis(due.millis()));
    let escalation = first_escalation(record.severity()).map(|after| record.raised_at.plus_millis(after));
    AlertTransition {
        as_of: evaluation.customer.as_of(),
        alert_id: record.id,
        seq: record.seq,
        kind: record.kind,
        severity: record.severity(),
        state: record.state,
        transition: transition.0,
        reason: transition.1,
        customer: evaluation.customer.node(),
        scope: record.scope.clone(),
        dedup_key: scope
            .ids
            .hash("dedup", &[record.kind.as_str().as_bytes(), subject.as_bytes(), record.scope.as_bytes()]),
        episode: record.episode,
        previous: record.previous,
        related,
        opened_at: record.opened_at,
        detected_at: record.detected_at,
        changed_at: record.changed_at,
        due_at,
        next_escalation_at: escalation.filter(|_| record.state == AlertState::Open),
        expires_at: record.is_live().then(|| record.renewed_at.plus_millis(rule.expires.millis())),
        level: 0,
        page: page.0,
        page_blocked: page.1,
        stale: record.stale,
        value: record.value,
        value_before: record.value_before,
        opens_at: rule.opens_at,
        resolves_at: rule.resolves_at,
        count: record.count,
        driver: record.driver,
        operational_owner: most_specific(|kind| record.owner(kind), &SPECIFIC_FIRST).to_string(),
        owners: record.owners.clone(),
        need_key: (record.kind == AlertType::UrgentNeed).then(|| record.scope.clone()),
        refs: record.refs.clone(),
        reasons: reasons(record, evaluation),
        recipients: record.recipients(),
        next_action: (evaluation.personalization && record.is_live()).then(|| record.next_action(due_at)),
        service: evaluation.service,
    }
}

fn reasons(record: &AlertRecord, evaluation: &Evaluation<'_, '_>) -> Vec<AlertReason> {
    let by_score = matches!(record.kind, AlertType::ExperienceLow | AlertType::ExperienceDrop);
    let score = evaluation.customer.score_reasons(evaluation.scope.rules, evaluation.customer.as_of());
    if by_score {
        return score
            .iter()
            .map(|reason| AlertReason {
                touchpoint_id: reason.touchpoint_id,
                contribution: reason.contribution,
                code: reason.code,
                text: score_sentence(record, reason),
            })
            .collect();
    }
    record
        .causes
        .iter()
        .take(5)
        .map(|&id| AlertReason {
            touchpoint_id: id,
            contribution: score
                .iter()
                .find(|reason| reason.touchpoint_id == id)
                .map_or(0.0, |found| found.contribution),
            code: record.cause_kind,
            text: cause_sentence(record),
        })
        .collect()
}

fn score_sentence(record: &AlertRecord, reason: &ScoreReason) -> String {
    let direction = if reason.contribution < 0.0 { "lowers" } else { "raises" };
    let points = reason.contribution.abs();
    let value = record.value.unwrap_or_default();
    match record.kind {
        AlertType::ExperienceDrop => format!(
            "{} {direction} the score by {points:.1} points; the moment is {value:.1} spreads from this customer's usual.",
            reason.code
        ),
        _ => format!("{} {direction} the relationship score by {points:.1} points; it is {value:.1}.", reason.code),
    }
}

fn cause_sentence(record: &AlertRecord) -> String {
    let (what, channel) = (record.cause_kind, record.channel);
    match record.kind {
        AlertType::SevereMoment => {
            let driver = record.driver.map_or_else(String::new, |driver| format!(" because of {driver}"));
            format!("{what} through {channel} was severe{driver}.")
        }
        AlertType::UrgentNeed => format!("{what} through {channel} names a need that cannot wait ({}).", record.scope),
        AlertType::ExitIntent => format!("{what} through {channel} says that the customer means to leave."),
        AlertType::ExperienceLow | AlertType::ExperienceDrop => format!("{what} through {channel}."),
    }
}
