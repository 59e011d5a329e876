//! What Throughline writes.

use throughline_model::ReceivedAt;

use super::super::{
    AlertReason, AlertRecord, AuditRecord, Baseline, ChangeRecord, ChannelSeen, Common, ConsentState, CustomerRecord,
    EntityRecord, EvidenceMix, Gates, HashedIdentifier, IdentityRecord, Member, Memory, OpenAlert, Origin, Owners,
    Promise, PromiseKeeping, Reason, Recipient, Refs, Revision, Risk, ScoreCopy, ScoreRecord, Source, Subject,
    SurveyAnswer, TouchpointRecord, ValuedEvidence,
};
use super::{ALERT, COMPLAINT, CUSTOMER, DELAY, Sample, event_time, now, sample};

const EMAIL: &str = "5911e87a810d8f9571835e716a1330ea";
const ABSORBED: &str = "0491a034e0255a60c98d90568fff2537c4";

fn common(hour: i64, minute: i64) -> Common<'static> {
    Common {
        tenant: "acme",
        as_of: event_time(hour, minute),
        emitted_at: now(hour, minute),
        model_version: "default@3f9a1c20.b7d40e15",
        mixed: false,
    }
}

pub(in super::super) fn touchpoint() -> Vec<Sample> {
    let delay = TouchpointRecord {
        common: common(8, 5),
        touchpoint_id: DELAY,
        source_id: "trip-4-delay",
        source: Some(Source { system: "red-line", producer: "red-line-operations", version: "1", ..Source::default() }),
        origin: Some(Origin { topic: "touchpoints.partner", partition: 2, offset: 1_904, entry: 0 }),
        revision: Some(Revision { updated_at: None, mapping: 1, verb: "add" }),
        r#type: "partner.trip.delayed",
        channel: "partner",
        family: "co_branding",
        direction: "none",
        mode: "automatic",
        occurred_at: Some(event_time(8, 5)),
        received_at: ReceivedAt::from_millis(event_time(8, 5).as_millis() + 740),
        time_quality: "exact",
        customer_id: Some(CUSTOMER),
        identifiers: vec![HashedIdentifier { r#type: "email", hash: EMAIL, trust: "asserted" }].into(),
        refs: Some(Refs { booking_id: "b-4", ..Refs::default() }),
        owners: Some(Owners { partner: "red-line", ..Owners::default() }),
        operational_owner: "partner:red-line",
        severity: "severe",
        severe: true,
        driver: "service",
        evidence: vec![ValuedEvidence { kind: "fact", v: -0.8, q: 0.7 }].into(),
        v: Some(-0.8),
        q: Some(0.7),
        w: Some(2.8),
        ..TouchpointRecord::default()
    };
    let retracted = TouchpointRecord {
        common: common(8, 40),
        revision: Some(Revision { updated_at: Some(event_time(8, 39)), mapping: 1, verb: "remove" }),
        retracted: true,
        evidence: Vec::new().into(),
        v: None,
        q: None,
        w: None,
        severe: false,
        ..delay.clone()
    };
    vec![sample("delay", &delay), sample("retracted", &retracted)]
}

pub(in super::super) fn score() -> Vec<Sample> {
    let low = ScoreRecord {
        common: common(10, 30),
        customer_id: CUSTOMER,
        version: 14,
        overall: 38.25,
        moment: 22.140_625,
        relationship: 38.25,
        lifetime: 55.5,
        touchpoints: 9,
        uncertainty: 0.41,
        coverage: 0.75,
        channels: vec![
            ChannelSeen { channel: "partner", last_at: event_time(8, 5), seen: true },
            ChannelSeen { channel: "phone", last_at: event_time(10, 30), seen: true },
        ]
        .into(),
        baseline: Some(Baseline { mean: 0.21, sd: 0.34, z: Some(-2.970_588), n: 9 }),
        consistency: Some(71.0),
        channel_gap: Some(0.58),
        risk: Some(Risk { value: 0.18, silent: 0.0, experience: 0.18, intent: 0.0, basis: "no_order" }),
        evidence_mix: Some(EvidenceMix { survey: 0.2, text: 0.3, fact: 0.5, promise: 0.0 }),
        reasons: vec![
            Reason { touchpoint_id: DELAY, contribution: -17.5, code: "partner.trip.delayed" },
            Reason { touchpoint_id: COMPLAINT, contribution: -6.25, code: "contact.ended" },
        ]
        .into(),
        other: 8.5,
        prior: 3.5,
        observed_share: 0.65,
        ..ScoreRecord::default()
    };
    let merged = ScoreRecord {
        common: common(11, 0),
        customer_id: ABSORBED,
        version: 3,
        merged_into: Some(CUSTOMER),
        ..ScoreRecord::default()
    };
    vec![sample("low", &low), sample("merged", &merged)]
}

pub(in super::super) fn customer() -> Vec<Sample> {
    let customer = CustomerRecord {
        common: common(10, 30),
        customer_id: CUSTOMER,
        version: 5,
        members: vec![Member { r#type: "email", hash: EMAIL, since_at: event_time(7, 2), proved_by: DELAY }].into(),
        members_total: 1,
        loyalty_stage: "active",
        stage_since_at: event_time(7, 2),
        flags: vec!["complaint_open"].into(),
        gates: Some(Gates { promo_hold: true, promo_hold_cause: ALERT, ..Gates::default() }),
        scores: Some(ScoreCopy {
            version: 14,
            overall: 38.25,
            moment: 22.140_625,
            relationship: 38.25,
            lifetime: 55.5,
            uncertainty: 0.41,
            coverage: 0.75,
            consistency: Some(71.0),
            risk: Some(0.18),
            ..ScoreCopy::default()
        }),
        surveys: vec![SurveyAnswer {
            instrument: "nps",
            score: 2.0,
            answered_at: event_time(9, 0),
            touchpoint_id: COMPLAINT,
        }]
        .into(),
        promises: vec![arrival()].into(),
        memories: vec![Memory {
            scope: "brand",
            kind: "worst",
            touchpoint_id: DELAY,
            occurred_at: event_time(8, 5),
            v: -0.8,
            magnitude: 1.6,
            recovered: false,
        }]
        .into(),
        consent: vec![ConsentState {
            purpose: "marketing",
            status: "revoked",
            source: "preference-center",
            status_at: Some(event_time(9, 50)),
            valid_until: None,
        }]
        .into(),
        open_alerts: vec![OpenAlert {
            alert_id: ALERT,
            r#type: "severe_moment",
            severity: "P1",
            opened_at: event_time(8, 5),
        }]
        .into(),
        ..CustomerRecord::default()
    };
    vec![sample("customer", &customer)]
}

fn arrival() -> Promise<'static> {
    Promise {
        promise_id: "0b6d9f3a8e2c47d5b10f6c1d3e8a7299",
        kind: "trip_arrival",
        key: "b-4",
        state: "open",
        made_by: "partner:red-line",
        owner: "partner:red-line",
        made_at: Some(event_time(7, 2)),
        due_at: Some(event_time(9, 0)),
        v: None,
    }
}

pub(in super::super) fn change() -> Vec<Sample> {
    let gate = ChangeRecord {
        common: common(8, 5),
        change_id: "e2a9d3f08a2c47e5b90f6c1d3e8a7201",
        customer_id: CUSTOMER,
        kind: "gate",
        subject: "promo_hold",
        before: "open",
        after: "held",
        owner: "partner:red-line",
        reasons: vec![Reason { touchpoint_id: DELAY, contribution: -17.5, code: "partner.trip.delayed" }].into(),
        ..ChangeRecord::default()
    };
    vec![sample("gate", &gate)]
}

pub(in super::super) fn alert() -> Vec<Sample> {
    let opened = AlertRecord {
        common: common(8, 5),
        alert_id: ALERT,
        seq: 1,
        r#type: "severe_moment",
        severity: "P1",
        state: "open",
        transition: "opened",
        subject: Some(Subject { kind: "customer", id: CUSTOMER }),
        scope: "service",
        dedup_key: "4f0c7d1a9b3e25868d40f1c2a6e79b99",
        episode: 1,
        customer_id: Some(CUSTOMER),
        opened_at: event_time(8, 5),
        detected_at: now(8, 5),
        changed_at: now(8, 5),
        due_at: Some(now(8, 35)),
        next_escalation_at: Some(now(8, 20)),
        expires_at: Some(now(8 + 14 * 24, 5)),
        page: true,
        value: Some(-0.8),
        opens_at: Some(-0.8),
        count: 1,
        driver: "service",
        operational_owner: "partner:red-line",
        owners: Some(Owners { partner: "red-line", ..Owners::default() }),
        refs: Some(Refs { booking_id: "b-4", ..Refs::default() }),
        reasons: vec![AlertReason {
            touchpoint_id: DELAY,
            contribution: -17.5,
            code: "partner.trip.delayed",
            text: "The bus of red-line was late and the customer was stranded.",
        }]
        .into(),
        recipients: vec![Recipient { role: "service_desk", target: "desk-1", level: 0, since_at: now(8, 5) }].into(),
        outcome: "open",
        consent: "service:unknown",
        ..AlertRecord::default()
    };
    let resolved = AlertRecord {
        common: common(11, 15),
        seq: 2,
        state: "resolved",
        transition: "resolved",
        transition_reason: "recovery",
        changed_at: now(11, 15),
        next_escalation_at: None,
        page: false,
        page_blocked: "severity",
        ..opened.clone()
    };
    vec![sample("opened", &opened), sample("resolved", &resolved)]
}

pub(in super::super) fn identity() -> Vec<Sample> {
    let merged = IdentityRecord {
        common: common(11, 0),
        customer_id: CUSTOMER,
        kind: "merged",
        merge_id: Some("aa11d3f08a2c47e5b90f6c1d3e8a7202"),
        other_id: Some(ABSORBED),
        history: vec![ABSORBED].into(),
        identifiers: vec![HashedIdentifier { r#type: "email", hash: EMAIL, trust: "authenticated" }].into(),
        touchpoint_id: Some(COMPLAINT),
        ..IdentityRecord::default()
    };
    vec![sample("merged", &merged)]
}

pub(in super::super) fn entity() -> Vec<Sample> {
    let partner = EntityRecord {
        common: common(10, 30),
        key: "partner:red-line",
        kind: "partner",
        id: "red-line",
        version: 210,
        score: Some(-0.184),
        lower: Some(-0.26),
        upper: Some(-0.108),
        score_points: Some(40.8),
        norm: 0.12,
        touchpoints: 1_204,
        customers: 731,
        weight: 318.4,
        mean: -0.21,
        sd: 0.48,
        promises: Some(PromiseKeeping { kept: 81.5, broken: 22.25, keeping_rate: 0.79, keeping_lower: 0.712 }),
        gates: vec!["campaign_hold"].into(),
        baseline_version: 3,
        ..EntityRecord::default()
    };
    vec![sample("partner", &partner)]
}

pub(in super::super) fn audit() -> Vec<Sample> {
    let lookup = AuditRecord {
        audit_id: "6c1d3e8a725491b6d3f08a2c47e5b90f",
        occurred_at: now(9, 0),
        actor: "agent-7",
        role: "read",
        interface: "http",
        action: "lookup",
        customer_id: CUSTOMER,
        purpose: "case-42",
        result: "found",
        request_id: "r-1",
    };
    vec![sample("lookup", &lookup)]
}
