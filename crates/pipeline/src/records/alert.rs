//! `experience.alerts` and `experience.alerts.state`: one record per transition, the same value on both.

use throughline_codec::record;
use throughline_codec::record::List;
use throughline_model::{EventTime, Now};

use super::shared::{Common, Owners, Refs, Subject};

record! {
    /// A transition of an alert. Idempotence key: alert_id and seq.
    pub struct AlertRecord<'a>: "Alert" {
        /// fields of every output
        pub common: Common<'a>,
        /// identity; opaque, never changes
        pub alert_id: &'a str,
        /// starts at 1 and rises by one per transition
        pub seq: i64,
        /// type, or custom.<name>
        pub r#type: &'a str,
        /// P1, P2, P3, ops
        pub severity: &'a str,
        /// open, acknowledged, snoozed, resolved, expired, retracted, suppressed, closed
        pub state: &'a str,
        /// opened, updated, acknowledged, assigned, snoozed, woken, escalated, resolved, expired, retracted, rejected,
        /// reopened, re_keyed, suppressed, closed
        pub transition: &'a str,
        /// closed set per transition
        pub transition_reason: &'a str,
        /// who or what it is about now: customer, store and the other entity kinds, source, identity
        pub subject: Option<Subject<'a>>,
        /// what it is about besides the subject: need key, promise id, visit id, driver, region, ...
        pub scope: &'a str,
        /// hash of tenant, type, subject now and scope
        pub dedup_key: &'a str,
        /// 1 + earlier episodes known under the dedup_key, for display
        pub episode: i32,
        /// earlier episode
        pub previous_alert_id: Option<&'a str>,
        /// the entity alert with the same cause
        pub parent_alert_id: Option<&'a str>,
        /// alerts attached to this one
        pub related: List<'a, &'a str>,
        /// the customer, 34 hex digits
        pub customer_id: Option<&'a str>,
        /// plain customer id, only where the deployment publishes it
        pub crm_id: Option<&'a str>,
        /// event time or due time of the cause
        pub opened_at: EventTime,
        /// worker's clock at opening
        pub detected_at: Now,
        /// worker's clock at this transition
        pub changed_at: Now,
        /// when someone must have acted
        pub due_at: Option<Now>,
        /// when the next level is told
        pub next_escalation_at: Option<Now>,
        /// when it ends by itself
        pub expires_at: Option<Now>,
        /// end of the snooze
        pub snoozed_until: Option<Now>,
        /// level of escalation, 0..3
        pub level: i32,
        /// whether a person should be interrupted
        pub page: bool,
        /// if not, why: parent, related, stale, budget, muted, shadow, test, severity
        pub page_blocked: &'a str,
        /// cause over 24 h old when read
        pub stale: bool,
        /// a drill
        pub test: bool,
        /// the number the rule looks at, now
        pub value: Option<f64>,
        /// the number the rule looks at, before the cause
        pub value_before: Option<f64>,
        /// threshold that opens, novice ones included
        pub opens_at: Option<f64>,
        /// threshold that resolves, novice ones included
        pub resolves_at: Option<f64>,
        /// touchpoints in it (burst, repeat need, entity windows)
        pub count: i32,
        /// start of the window of entity rules
        pub window_from_at: Option<EventTime>,
        /// end of the window of entity rules
        pub window_to_at: Option<EventTime>,
        /// service, product, process, information, price, environment, empty
        pub driver: &'a str,
        /// always brand; no configuration changes it
        pub relationship_owner: &'a str = "brand",
        /// kind:id of the most specific owner; brand if none
        pub operational_owner: &'a str = "brand",
        /// who caused it
        pub owners: Option<Owners<'a>>,
        /// for whom the customer acts
        pub relation: Option<ActsFor<'a>>,
        /// journey it happened in
        pub journey_id: Option<&'a str>,
        /// need it is about
        pub need_key: Option<&'a str>,
        /// promise it is about
        pub promise_id: Option<&'a str>,
        /// response clock it is about
        pub clock_id: Option<&'a str>,
        /// correlation keys as the source writes them
        pub refs: Option<Refs<'a>>,
        /// at most 5; text in the deployment's language
        pub reasons: List<'a, AlertReason<'a>>,
        /// who is told, never one record per recipient
        pub recipients: List<'a, Recipient<'a>>,
        /// as the command gave it
        pub assignee: &'a str,
        /// as the command gave it
        pub acknowledged_by: &'a str,
        /// as the command gave it
        pub last_actor: &'a str,
        /// purpose personalization; never a refused channel or hour
        pub next_action: Option<NextAction<'a>>,
        /// declared attributes; purpose personalization, only where switched on
        pub context: List<'a, ContextValue<'a>>,
        /// of the command: fixed, compensated, explained, unreachable, not_needed
        pub resolution: &'a str,
        /// of the command: false_alarm, duplicate, wrong_customer, wrong_severity
        pub reject_reason: &'a str,
        /// open, kept, lost, unknown; set 90 d after closing
        pub outcome: &'a str,
        /// purpose checked and its answer, for instance service:unknown
        pub consent: &'a str,
        /// what to do, for people
        pub runbook_url: &'a str,
    }
}

record! {
    /// For whom the customer acts.
    pub struct ActsFor<'a>: "ActsFor" {
        /// household, carer, gift, beneficiary, account
        pub kind: &'a str,
        /// the other customer
        pub customer_id: &'a str,
    }
}

record! {
    /// Why an alert fired: one touchpoint, its share, and a sentence.
    pub struct AlertReason<'a>: "AlertReason" {
        /// touchpoint; promise:<promise_id> or need:<need_id> for evidence that no touchpoint carries
        pub touchpoint_id: &'a str,
        /// points it contributes to the relationship score
        pub contribution: f64,
        /// touchpoint type, promise.<kind>.<state> or need.solved
        pub code: &'a str,
        /// one sentence in the deployment's language
        pub text: &'a str,
    }
}

record! {
    /// Who is told.
    pub struct Recipient<'a>: "Recipient" {
        /// role
        pub role: &'a str,
        /// whom or what exactly
        pub target: &'a str,
        /// level of escalation, 0..3
        pub level: i32,
        /// worker's clock when it was added
        pub since_at: Now,
    }
}

record! {
    /// What to do next.
    pub struct NextAction<'a>: "NextAction" {
        /// action
        pub action: &'a str,
        /// role that acts
        pub role: &'a str,
        /// channel to use
        pub channel: &'a str,
        /// not before the customer's quiet hours end
        pub not_before: Option<Now>,
        /// when it must be done
        pub due_at: Option<Now>,
    }
}

record! {
    /// A declared attribute.
    pub struct ContextValue<'a>: "ContextValue" {
        /// name
        pub name: &'a str,
        /// value
        pub value: &'a str,
    }
}
