//! What others write.

use throughline_codec::record::List;

use super::super::{
    AlertCommand, CatalogInput, ConsentGiven, ConsentInput, DeclaredAttribute, Durations, FacetRating, IdentityCommand,
    Intent, MemberHash, Money, MuteScope, Need, NeedTag, OpeningHours, Outcome, Owners, PlainIdentifier, Preferences,
    PrivacyCommand, ProfileInput, ProfileRelation, PromiseMade, Refs, ScaledEvidence, Social, Source, Subject,
    TouchpointInput, TrustedIdentifier,
};
use super::{ALERT, CUSTOMER, Sample, event_time, now, sample};

fn identifiers<'a>(kind: &'a str, value: &'a str, trust: &'a str) -> List<'a, TrustedIdentifier<'a>> {
    vec![TrustedIdentifier { r#type: kind, value, trust }].into()
}

fn source<'a>(system: &'a str, producer: &'a str) -> Option<Source<'a>> {
    Some(Source { system, producer, version: "1", ..Source::default() })
}

/// The least that is a touchpoint, and an order.
pub(in super::super) fn web() -> Vec<Sample> {
    let least = TouchpointInput { r#type: "page.viewed", ..TouchpointInput::default() };
    let order = TouchpointInput {
        source_id: "order-20117",
        source: source("shop", "web-team"),
        r#type: "order.created",
        channel: "web",
        occurred_at: Some(event_time(7, 2)),
        identifiers: vec![
            TrustedIdentifier { r#type: "email", value: "ann@example.org", trust: "authenticated" },
            TrustedIdentifier { r#type: "cookie", value: "c-81f2", trust: "" },
        ]
        .into(),
        refs: Some(Refs { order_id: "20117", ..Refs::default() }),
        result: Some(Outcome { purchased: Some(true), ..Outcome::default() }),
        money: Some(Money { amount_minor: 4_900, currency: "EUR" }),
        promises: vec![PromiseMade {
            kind: "delivery",
            key: "20117",
            sense: "by",
            made_by: "web",
            made_at: Some(event_time(7, 2)),
            due_at: Some(event_time(31, 2)),
            ..PromiseMade::default()
        }]
        .into(),
        language: "en",
        ..TouchpointInput::default()
    };
    vec![sample("least", &least), sample("order", &order)]
}

/// A post about the late bus.
pub(in super::super) fn social() -> Vec<Sample> {
    let post = TouchpointInput {
        source_id: "post-55",
        source: source("network", "social-team"),
        r#type: "post.published",
        channel: "social",
        occurred_at: Some(event_time(9, 40)),
        identifiers: identifiers("handle", "network:ann", ""),
        refs: Some(Refs { post_id: "post-55", ..Refs::default() }),
        owners: Some(Owners { partner: "red-line", ..Owners::default() }),
        intents: vec![Intent { intent: "complaint", confidence: 0.8 }].into(),
        social: Some(Social {
            public: true,
            author_followers: 1_840,
            reposts: 12,
            likes: 64,
            metric_at: Some(event_time(10, 0)),
            ..Social::default()
        }),
        language: "en",
        text: "Two hours at a bus stop. Nobody could tell us anything.",
        ..TouchpointInput::default()
    };
    vec![sample("post", &post)]
}

/// A question nobody could answer.
pub(in super::super) fn store() -> Vec<Sample> {
    let assist = TouchpointInput {
        source_id: "assist-9",
        source: source("floor", "store-operations"),
        r#type: "assist.ended",
        channel: "store",
        occurred_at: Some(event_time(15, 20)),
        identifiers: identifiers("loyalty_card", "7700112", "authenticated"),
        refs: Some(Refs { visit_id: "v-310", ..Refs::default() }),
        owners: Some(Owners { store: "s-12", staff: "e-7", ..Owners::default() }),
        need: Some(Need { topic: "warranty", category: "luggage", tags: List::default() }),
        result: Some(Outcome { resolved: Some(false), reason: "knowledge", ..Outcome::default() }),
        ..TouchpointInput::default()
    };
    vec![sample("assist", &assist)]
}

/// A call with a wait, answers left open, and an urgent tag.
pub(in super::super) fn call_centre() -> Vec<Sample> {
    let call = TouchpointInput {
        source_id: "call-771/contact.ended",
        source: source("calls", "service-team"),
        verb: "update",
        updated_at: Some(event_time(10, 31)),
        r#type: "contact.ended",
        channel: "phone",
        mode: "person",
        occurred_at: Some(event_time(10, 30)),
        sent_at: Some(event_time(10, 31)),
        identifiers: identifiers("phone", "+491701234567", "authenticated"),
        refs: Some(Refs { case_id: "case-42", conversation_id: "call-771", ..Refs::default() }),
        need: Some(Need {
            topic: "stranded trip",
            category: "trip",
            tags: vec![NeedTag { tag: "stranded", confidence: 0.92 }].into(),
        }),
        codes: vec!["stranded"].into(),
        result: Some(Outcome { resolved: Some(false), reason: "authority", ..Outcome::default() }),
        durations: Some(Durations { wait_ms: 540_000, stated_wait_ms: 120_000, hold_ms: 61_000, handle_ms: 402_000 }),
        ..TouchpointInput::default()
    };
    vec![sample("call", &call)]
}

/// The late bus and a stay.
pub(in super::super) fn partner() -> Vec<Sample> {
    let delay = TouchpointInput {
        source_id: "trip-4-delay",
        source: source("red-line", "red-line-operations"),
        r#type: "partner.trip.delayed",
        channel: "partner",
        occurred_at: Some(event_time(8, 5)),
        identifiers: identifiers("email", "ann@example.org", "asserted"),
        refs: Some(Refs { booking_id: "b-4", ..Refs::default() }),
        owners: Some(Owners { partner: "red-line", ..Owners::default() }),
        severity: "severe",
        driver: "service",
        ..TouchpointInput::default()
    };
    let stay = TouchpointInput {
        source_id: "stay-8",
        source: source("grand-hotel", "grand-hotel"),
        r#type: "stay.reported",
        channel: "partner",
        occurred_at: Some(event_time(20, 0)),
        identifiers: identifiers("email", "ann@example.org", "asserted"),
        owners: Some(Owners { partner: "grand-hotel", ..Owners::default() }),
        facets: vec![FacetRating { facet: "room", score: 9.0, min: 0.0, max: 10.0 }].into(),
        ..TouchpointInput::default()
    };
    vec![sample("delay", &delay), sample("stay", &stay)]
}

/// An answer to an NPS and a CES question.
pub(in super::super) fn survey() -> Vec<Sample> {
    let answer = TouchpointInput {
        source_id: "response-3",
        source: source("surveys", "insight-team"),
        r#type: "survey.answered",
        channel: "survey",
        occurred_at: Some(event_time(18, 45)),
        identifiers: identifiers("customer_id", "crm-1", "authenticated"),
        refs: Some(Refs { survey_id: "relationship", response_id: "3", ..Refs::default() }),
        evidence: vec![
            ScaledEvidence { kind: "nps", score: 2.0, max: 10.0, ..ScaledEvidence::default() },
            ScaledEvidence { kind: "ces", score: 6.0, min: 1.0, max: 7.0, easy_is_high: false },
        ]
        .into(),
        ..TouchpointInput::default()
    };
    vec![sample("answer", &answer)]
}

pub(in super::super) fn profile() -> Vec<Sample> {
    let profile = ProfileInput {
        customer_id: "crm-1",
        identifiers: vec![
            PlainIdentifier { r#type: "email", value: "ann@example.org" },
            PlainIdentifier { r#type: "phone", value: "+491701234567" },
        ]
        .into(),
        attributes: vec![DeclaredAttribute {
            name: "tier",
            value: "gold",
            purpose: "personalization",
            valid_from: Some(event_time(0, 0)),
            expires_at: None,
        }]
        .into(),
        preferences: Some(Preferences {
            channels_refused: vec!["phone"].into(),
            quiet_from: "21:00",
            quiet_to: "08:00",
            time_zone: "Europe/Berlin",
            language: "en",
            promotional_cap_7d: Some(1),
            ..Preferences::default()
        }),
        relations: vec![ProfileRelation { kind: "household", customer_id: "crm-2", until: None }].into(),
        language: "en",
        time_zone: "Europe/Berlin",
        valid_from: event_time(0, 0),
        source: "crm",
    };
    vec![sample("profile", &profile)]
}

pub(in super::super) fn consent() -> Vec<Sample> {
    let consent = ConsentInput {
        identifiers: vec![PlainIdentifier { r#type: "email", value: "ann@example.org" }].into(),
        consents: vec![ConsentGiven {
            purpose: "marketing",
            status: "revoked",
            status_at: Some(event_time(9, 50)),
            valid_until: None,
            policy_version: "2026-01",
        }]
        .into(),
        source: "preference-center",
    };
    vec![sample("revoked", &consent)]
}

pub(in super::super) fn catalog() -> Vec<Sample> {
    let row = CatalogInput {
        kind: "channel",
        channel: "phone",
        target_ms: Some(3_600_000),
        target_urgent_ms: Some(900_000),
        hours: vec![OpeningHours { weekday: 1, from: "08:00", to: "20:00" }].into(),
        time_zone: "Europe/Berlin",
        holidays: vec!["2026-12-25"].into(),
        issues: vec!["trip", "refund"].into(),
        region: "de",
        valid_from: event_time(0, 0),
        ..CatalogInput::default()
    };
    vec![sample("phone", &row)]
}

pub(in super::super) fn alert_command() -> Vec<Sample> {
    let acknowledge = AlertCommand {
        command_id: "cmd-1",
        actor: "agent-7",
        issued_at: now(8, 12),
        alert_id: ALERT,
        subject: Some(Subject { kind: "customer", id: CUSTOMER }),
        action: "acknowledge",
        if_seq: Some(1),
        ..AlertCommand::default()
    };
    let mute = AlertCommand {
        command_id: "cmd-2",
        actor: "shift-lead",
        issued_at: now(8, 30),
        action: "mute",
        until: Some(now(12, 0)),
        reason: "the line is closed, everybody knows",
        scope: Some(MuteScope { partner: "red-line", r#type: "severe_moment", ..MuteScope::default() }),
        ..AlertCommand::default()
    };
    vec![sample("acknowledge", &acknowledge), sample("mute", &mute)]
}

pub(in super::super) fn identity_command() -> Vec<Sample> {
    let split = IdentityCommand {
        command_id: "cmd-3",
        actor: "steward",
        issued_at: now(13, 0),
        action: "split",
        customer_id: CUSTOMER,
        members: vec![MemberHash { r#type: "phone", hash: "91a034e0255a60c98d90568fff2537c4" }].into(),
        ..IdentityCommand::default()
    };
    vec![sample("split", &split)]
}

pub(in super::super) fn privacy_command() -> Vec<Sample> {
    let erase = PrivacyCommand {
        command_id: "cmd-4",
        actor: "privacy-office",
        issued_at: now(14, 0),
        request_id: "request-19",
        action: "erase",
        identifiers: vec![PlainIdentifier { r#type: "email", value: "ann@example.org" }].into(),
        requested_at: event_time(13, 30),
        ..PrivacyCommand::default()
    };
    vec![sample("erase", &erase)]
}
