//! A ticket or call of any contact-center system, as the minimum it must say.
//!
//! | fields | becomes | time |
//! |---|---|---|
//! | `started_at` | `contact.started` | itself |
//! | `queued_at` or `queue_wait` | `contact.queued` | `queued_at`, else the start |
//! | `answered_at` | `response.sent` by a person | itself |
//! | `hold` over 0 | `contact.held` | `answered_at`, else the start |
//! | `transfers` over 0 or `transferred_at` | `contact.transferred` | `transferred_at`, else the end |
//! | `abandoned` true | `contact.abandoned` | `ended_at` |
//! | `ended_at` or `outcome` | `contact.ended`; outcome solved, resolved, closed: resolved; `callback_promised_at`: promise of a callback | `ended_at` |
//!
//! With `type` (one of these types) only that one is told, at its time, else at `occurred_at`; such records look like the own
//! contract, so the topic has to name this format.
//!
//! | fact | from |
//! |---|---|
//! | source id | `<contact_id>/<type>` |
//! | revision | `updated_at` |
//! | customer | `calling_number`, `customer_id`; the call and the case: visits `<source>:call:<id>`, `<source>:ticket:<id>`; `email`, `phone` are asserted |
//! | durations | `queue_wait`, `hold`, each `_ms` or `_s` |
//! | owners, need | `agent`, `team`, `provider`, `queue` (team, if none is named); `reason` |
//!
//! Names in camel case are accepted too.

use serde::Deserialize;
use throughline_model::touchpoint::{Need, PromiseMade};
use throughline_model::{
    Channel, Direction, EventTime, IdentifierType, Mode, OwnerKind, PromiseKind, PromiseSense, RefKind, Rejection,
    RejectionReason, ResultReason, TouchpointType, Trust, WithheldReason,
};

use super::generic_survey::is_contract;
use crate::draft::Draft;
use crate::format::{Entries, Format, Payload};
use crate::json::{self, Flag, Int, Str, Time};
use crate::shape::Shape;

/// The format.
#[derive(Debug)]
pub struct GenericContact;

impl Format for GenericContact {
    fn name(&self) -> &'static str {
        "contact"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        let any = |keys: &[&str]| keys.iter().any(|key| shape.has(key));
        // Amazon writes `contactId` too, beside fields of its own.
        let amazon = any(&["eventType", "initiationTimestamp", "initiationMethod", "instanceArn"]);
        let own = any(&["startedAt", "endedAt", "outcome", "abandoned", "caseId"]);
        !is_contract(shape) && (shape.has("contact_id") || shape.has("contactId") && own && !amazon)
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let contact: Contact<'a> = json::from_str(payload.text)?;
        if contact.contact_id.some().is_none() {
            return Err(Rejection::field(RejectionReason::MissingField, "contact_id", "a contact without an id"));
        }
        let told = contact.kind.some();
        let only = told.and_then(TouchpointType::from_name);
        if told.is_some() && only.is_none_or(|kind| !kind.as_str().starts_with("contact.") && kind != RESPONSE) {
            sink.withheld(WithheldReason::Unmapped, contact.kind.take());
            return Ok(());
        }
        let steps = contact.steps();
        let mut silent = true;
        for (there, kind, time) in steps {
            if only.map_or(there, |only| only == kind) {
                silent = false;
                sink.touchpoint(contact.draft(payload, kind, time.or(contact.occurred_at.clone())));
            }
        }
        if silent && let Some(kind) = only {
            sink.touchpoint(contact.draft(payload, kind, contact.occurred_at.clone()));
        } else if silent {
            sink.withheld(WithheldReason::Filtered, "contact without a step".into());
        }
        Ok(())
    }
}

const RESPONSE: TouchpointType = TouchpointType::ResponseSent;

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Contact<'a> {
    #[serde(borrow, alias = "contactId")]
    contact_id: Str<'a>,
    #[serde(borrow, rename = "type")]
    kind: Str<'a>,
    #[serde(borrow, alias = "caseId")]
    case_id: Str<'a>,
    #[serde(borrow)]
    channel: Str<'a>,
    #[serde(borrow)]
    direction: Str<'a>,
    #[serde(borrow)]
    reason: Str<'a>,
    #[serde(borrow)]
    queue: Str<'a>,
    #[serde(borrow, alias = "occurredAt")]
    occurred_at: Time<'a>,
    #[serde(borrow, alias = "startedAt")]
    started_at: Time<'a>,
    #[serde(borrow, alias = "queuedAt")]
    queued_at: Time<'a>,
    #[serde(borrow, alias = "answeredAt", alias = "connected_at", alias = "connectedAt")]
    answered_at: Time<'a>,
    #[serde(borrow, alias = "transferredAt")]
    transferred_at: Time<'a>,
    #[serde(borrow, alias = "endedAt")]
    ended_at: Time<'a>,
    #[serde(borrow, alias = "updatedAt")]
    updated_at: Time<'a>,
    #[serde(borrow, alias = "callbackPromisedAt")]
    callback_promised_at: Time<'a>,
    #[serde(alias = "queueWaitMs")]
    queue_wait_ms: Int,
    #[serde(alias = "queue_wait", alias = "queueWaitS", alias = "queueWait")]
    queue_wait_s: Int,
    #[serde(alias = "holdMs")]
    hold_ms: Int,
    #[serde(alias = "hold", alias = "holdS")]
    hold_s: Int,
    transfers: Int,
    abandoned: Flag,
    #[serde(borrow)]
    outcome: Str<'a>,
    #[serde(borrow, alias = "agentId", alias = "agent_id")]
    agent: Str<'a>,
    #[serde(borrow, alias = "teamId", alias = "team_id")]
    team: Str<'a>,
    #[serde(borrow)]
    provider: Str<'a>,
    #[serde(borrow, alias = "customerId")]
    customer_id: Str<'a>,
    #[serde(borrow, alias = "callingNumber")]
    calling_number: Str<'a>,
    #[serde(borrow)]
    email: Str<'a>,
    #[serde(borrow)]
    phone: Str<'a>,
    #[serde(borrow, alias = "orderId")]
    order_id: Str<'a>,
    #[serde(borrow)]
    language: Str<'a>,
}

impl<'a> Contact<'a> {
    /// What happened, in the order of the table: whether it did, what it is, when.
    fn steps(&self) -> [(bool, TouchpointType, Time<'a>); 7] {
        let positive = |number: Option<i64>| number.is_some_and(|number| number > 0);
        let queued = !self.queued_at.is_missing() || positive(self.wait_ms());
        let transferred = positive(self.transfers.0) || !self.transferred_at.is_missing();
        let abandoned = self.abandoned.is_true();
        let ended = !abandoned && (!self.ended_at.is_missing() || self.outcome.some().is_some());
        let or = |one: &Time<'a>, other: &Time<'a>| one.clone().or(other.clone());
        [
            (!self.started_at.is_missing(), TouchpointType::ContactStarted, self.started_at.clone()),
            (queued, TouchpointType::ContactQueued, or(&self.queued_at, &self.started_at)),
            (!self.answered_at.is_missing(), RESPONSE, self.answered_at.clone()),
            (positive(self.held_ms()), TouchpointType::ContactHeld, or(&self.answered_at, &self.started_at)),
            (transferred, TouchpointType::ContactTransferred, or(&self.transferred_at, &self.ended_at)),
            (abandoned, TouchpointType::ContactAbandoned, or(&self.ended_at, &self.started_at)),
            (ended, TouchpointType::ContactEnded, self.ended_at.clone()),
        ]
    }

    fn wait_ms(&self) -> Option<i64> {
        self.queue_wait_ms.0.or_else(|| self.queue_wait_s.0.and_then(|seconds| seconds.checked_mul(1_000)))
    }

    fn held_ms(&self) -> Option<i64> {
        self.hold_ms.0.or_else(|| self.hold_s.0.and_then(|seconds| seconds.checked_mul(1_000)))
    }

    fn draft(&self, payload: &Payload<'a>, kind: TouchpointType, time: Time<'a>) -> Draft<'a> {
        let mut draft = Draft::new(kind, self.channel(), payload.source);
        draft.body.source_id = format!("{}/{kind}", &*self.contact_id).into();
        draft.time = time.0;
        draft.updated_at = self.updated_at.at();
        let body = &mut draft.body;
        body.set_reference(RefKind::Conversation, &self.contact_id);
        body.set_reference(RefKind::Case, &self.case_id);
        body.set_reference(RefKind::Order, &self.order_id);
        body.set_owner(OwnerKind::Staff, &self.agent);
        body.set_owner(OwnerKind::Team, self.team.clone().or(self.queue.clone()));
        body.set_owner(OwnerKind::Provider, &self.provider);
        body.language = self.language.0.clone();
        if self.reason.some().is_some() {
            body.need = Some(Box::new(Need { topic: self.reason.0.clone(), ..Need::default() }));
        }
        match kind {
            TouchpointType::ContactStarted => {
                if let Some(direction) = Direction::from_name(&self.direction.to_ascii_lowercase()) {
                    body.direction = direction;
                }
            }
            TouchpointType::ContactQueued | TouchpointType::ContactAbandoned => body.durations.wait_ms = self.wait_ms(),
            TouchpointType::ContactHeld => body.durations.hold_ms = self.held_ms(),
            RESPONSE => {
                body.mode = Mode::Person;
                body.durations.wait_ms = self.wait_ms();
            }
            TouchpointType::ContactEnded => self.end(&mut draft),
            _ => {}
        }
        self.identify(payload, &mut draft);
        draft
    }

    fn end(&self, draft: &mut Draft<'a>) {
        let body = &mut draft.body;
        body.result.resolved = match self.outcome.to_ascii_lowercase().as_str() {
            "solved" | "resolved" | "closed" | "done" | "success" | "true" => Some(true),
            "unsolved" | "unresolved" | "open" | "failed" | "escalated" | "false" => Some(false),
            _ => None,
        };
        body.result.reason = ResultReason::from_name(&self.outcome);
        if body.result.reason.is_some() {
            body.result.resolved = Some(false);
        }
        body.durations.hold_ms = self.held_ms();
        body.durations.wait_ms = self.wait_ms();
        let talked = |from: EventTime, until: EventTime| until.as_millis().checked_sub(from.as_millis());
        body.durations.handle_ms = self
            .answered_at
            .at()
            .zip(self.ended_at.at())
            .and_then(|(from, until)| talked(from, until))
            .filter(|it| *it >= 0);
        if let Some(due_at) = self.callback_promised_at.at() {
            body.promises.push(PromiseMade {
                kind: PromiseKind::Callback,
                key: self.case_id.clone().or(self.contact_id.clone()).take(),
                sense: PromiseSense::By,
                unit: "".into(),
                made_by: self.agent.0.clone(),
                made_at: None,
                due_at: Some(due_at),
                value: None,
                tolerance: None,
                campaign: "".into(),
            });
        }
    }

    fn identify(&self, payload: &Payload<'a>, draft: &mut Draft<'a>) {
        draft.mention(IdentifierType::CustomerId, &self.customer_id, Trust::Authenticated, "customer_id");
        draft.mention(IdentifierType::Phone, &self.calling_number, Trust::Authenticated, "calling_number");
        draft.mention(IdentifierType::Email, &self.email, Trust::Asserted, "email");
        draft.mention(IdentifierType::Phone, &self.phone, Trust::Asserted, "phone");
        let call = format!("{}:call:{}", payload.source_name, &*self.contact_id);
        draft.mention(IdentifierType::Visit, call, Trust::Authenticated, "contact_id");
        if let Some(case) = self.case_id.some() {
            let ticket = format!("{}:ticket:{case}", payload.source_name);
            draft.mention(IdentifierType::Visit, ticket, Trust::Authenticated, "case_id");
        }
    }

    fn channel(&self) -> Channel {
        match self.channel.to_ascii_lowercase().as_str() {
            "voice" | "call" | "telephone" | "" => Channel::Phone,
            "mail" | "ticket" => Channel::Email,
            "sms" | "messaging" => Channel::Chat,
            name => Channel::from_name(name).unwrap_or(Channel::Phone),
        }
    }
}
