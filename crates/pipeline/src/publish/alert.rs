//! `experience.alerts` and `experience.alerts.state`.

use throughline_codec::record::{Encoding, to_json};
use throughline_experience::AlertTransition;
use throughline_experience::alerts::{AlertRecord as Held, NextAction as Action};
use throughline_model::{CustomerId, EventTime, Now, OwnerKind};

use super::{Deployment, owners, refs};
use crate::records::{AlertReason, AlertRecord, ContextValue, NextAction, Recipient, Subject};

/// What a deployment adds to an alert: who exactly is told, and what they may know of the customer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Addressed<'a> {
    /// Targets in the order of the recipients; one that is missing or empty is unknown.
    pub targets: &'a [String],
    /// Names and values of declared attributes.
    pub context: &'a [(Box<str>, Box<str>)],
}

/// Writes one transition in each of the encodings given.
pub fn alert(
    deployment: &Deployment,
    transition: &AlertTransition,
    addressed: &Addressed<'_>,
    now: Now,
    encodings: &[Encoding],
    mut write: impl FnMut(usize, &dyn Fn(&mut Vec<u8>)),
) {
    let id = transition.alert_id.hex();
    let customer = transition.customer.hex();
    let dedup = transition.dedup_key.hex();
    let previous = transition.previous.map(|id| id.hex());
    let related: Vec<_> = transition.related.iter().map(|id| id.hex()).collect();
    let hashes: Vec<_> = transition.reasons.iter().map(|reason| reason.touchpoint_id.hex()).collect();
    let staff_plain =
        transition.owners.iter().find(|(kind, _)| *kind == OwnerKind::Staff).map_or("", |(_, id)| id.as_ref());
    let staff = deployment.staff(staff_plain);
    let owner = deployment.owner(&transition.operational_owner);
    let consent = format!("service:{}", transition.service);
    let runbook = format!("throughline explain {}", transition.kind);
    let record = AlertRecord {
        common: deployment.common(transition.as_of, now),
        alert_id: id.as_str(),
        seq: i64::from(transition.seq),
        r#type: transition.kind.as_str(),
        severity: transition.severity.as_str(),
        state: transition.state.as_str(),
        transition: transition.transition.as_str(),
        transition_reason: transition.reason.as_str(),
        subject: Some(Subject { kind: "customer", id: customer.as_str() }),
        scope: &transition.scope,
        dedup_key: dedup.as_str(),
        episode: transition.episode as i32,
        previous_alert_id: previous.as_ref().map(|id| id.as_str()),
        related: related.iter().map(|id| id.as_str()).collect(),
        customer_id: Some(customer.as_str()),
        opened_at: transition.opened_at,
        detected_at: transition.detected_at,
        changed_at: transition.changed_at,
        due_at: transition.due_at.map(at),
        next_escalation_at: transition.next_escalation_at,
        expires_at: transition.expires_at.map(at),
        level: i32::from(transition.level),
        page: transition.page,
        page_blocked: transition.page_blocked.map_or("", |blocked| blocked.as_str()),
        stale: transition.stale,
        value: transition.value,
        value_before: transition.value_before,
        opens_at: transition.opens_at,
        resolves_at: transition.resolves_at,
        count: transition.count as i32,
        driver: transition.driver.map_or("", |driver| driver.as_str()),
        operational_owner: &owner,
        owners: owners(transition.owners.iter().map(|(kind, id)| (*kind, id.as_ref())), &staff),
        need_key: transition.need_key.as_deref(),
        refs: refs(transition.refs.iter().map(|(kind, value)| (*kind, value.as_ref()))),
        reasons: transition
            .reasons
            .iter()
            .zip(&hashes)
            .map(|(reason, hash)| AlertReason {
                touchpoint_id: hash.as_str(),
                contribution: reason.contribution,
                code: reason.code.as_str(),
                text: &reason.text,
            })
            .collect(),
        recipients: transition
            .recipients
            .iter()
            .enumerate()
            .map(|(at, recipient)| Recipient {
                role: recipient.role,
                target: addressed.targets.get(at).map_or("", String::as_str),
                level: i32::from(recipient.level),
                since_at: recipient.since_at,
            })
            .collect(),
        next_action: transition.next_action.as_ref().map(next_action),
        context: addressed.context.iter().map(|(name, value)| ContextValue { name, value }).collect(),
        consent: &consent,
        runbook_url: &runbook,
        ..AlertRecord::default()
    };
    for (at, encoding) in encodings.iter().enumerate() {
        write(at, &|out| encoding.encode(&record, out));
    }
}

fn next_action(action: &Action) -> NextAction<'_> {
    NextAction {
        action: action.action,
        role: action.role,
        channel: action.channel.as_str(),
        not_before: None,
        due_at: action.due_at.map(at),
    }
}

const fn at(time: EventTime) -> Now {
    Now::from_millis(time.as_millis())
}

/// What queries show of an alert that is known from state alone, as after a restore: the published record, but for what
/// only its last transition said (reasons, recipients).
#[must_use]
pub fn open_alert_json(
    deployment: &Deployment,
    customer: CustomerId,
    alert: &Held,
    due_at: Option<EventTime>,
) -> String {
    let (id, node) = (alert.id.hex(), customer.hex());
    let previous = alert.previous.map(|id| id.hex());
    let staff_plain = alert.owners.iter().find(|(kind, _)| *kind == OwnerKind::Staff).map_or("", |(_, id)| id.as_ref());
    let staff = deployment.staff(staff_plain);
    let record = AlertRecord {
        common: deployment.common(alert.renewed_at, alert.changed_at),
        alert_id: id.as_str(),
        seq: i64::from(alert.seq),
        r#type: alert.kind.as_str(),
        severity: alert.severity().as_str(),
        state: alert.state.as_str(),
        subject: Some(Subject { kind: "customer", id: node.as_str() }),
        scope: &alert.scope,
        episode: alert.episode as i32,
        previous_alert_id: previous.as_ref().map(|id| id.as_str()),
        customer_id: Some(node.as_str()),
        opened_at: alert.opened_at,
        detected_at: alert.detected_at,
        changed_at: alert.changed_at,
        due_at: due_at.map(at),
        stale: alert.stale,
        value: alert.value,
        value_before: alert.value_before,
        count: alert.count as i32,
        driver: alert.driver.map_or("", |driver| driver.as_str()),
        owners: owners(alert.owners.iter().map(|(kind, id)| (*kind, id.as_ref())), &staff),
        refs: refs(alert.refs.iter().map(|(kind, value)| (*kind, value.as_ref()))),
        ..AlertRecord::default()
    };
    let mut out = Vec::new();
    to_json(&record, &mut out);
    String::from_utf8(out).expect("JSON is written as text")
}
