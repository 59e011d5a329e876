//! Throughline's own contract: the record that every vendor format is mapped to, written by producers themselves.
//!
//! | field | becomes |
//! |---|---|
//! | every field marked "in" of the published touchpoint record | itself |
//! | `type` not in the vocabulary | the deployment's map, else `withheld(unmapped)` |
//! | `channel` absent | the first channel of the type, else that of the source |
//! | `occurred_at`; absent with `sent_at` or `collected_at` | event time; nothing to correct without a creation time |
//! | `identifiers[].trust` empty | the default of the source and type |
//! | `evidence[]` without a scale | the scale of its kind |
//! | zero durations, counters | absent: Avro writes zero for what was not said |
//!
//! JSON and Avro have the same fields; Avro is decoded with the schema it was written with, found by its id.

mod avro;
mod wire;

pub use self::avro::{ContractSchema, NotOurs};

use smallvec::SmallVec;
use throughline_model::touchpoint::{
    Attribute, Benefit, Body, Consent, Durations, Evidence, Facet, JourneyHint, Loyalty, Money, Need, Outcome,
    PromiseMade, Proof, Social, Text, ValueFact,
};
use throughline_model::{
    BenefitKind, Channel, ConsentStatus, Direction, Driver, EventTime, EvidenceKind, FactKind, Family, IdentifierType,
    Intent, LoyaltyKind, Mode, OutboundPurpose, OwnerKind, Party, PromiseKind, PromiseSense, ProofOutcome, RefKind,
    Rejection, RejectionReason, RelationKind, ResultReason, Severity, SourceKind, TouchpointType, Trust, Verb,
    WithheldReason,
};

use self::wire::{Instant, Record, Word};
use crate::draft::{ClaimedTime, Draft, Mention, MentionedRelation};
use crate::format::{Entries, Format, Payload};
use crate::json;
use crate::shape::Shape;
use crate::trust;

/// The own contract.
#[derive(Debug)]
pub struct Contract;

/// Members that only the contract has.
const OWN: [&str; 8] = ["identifiers", "occurred_at", "source_id", "evidence", "refs", "intents", "promises", "proofs"];
/// Members by which other vendors' records with a dotted `type` give themselves away.
const FOREIGN: [&str; 6] =
    ["specversion", "object", "detail-type", "zendesk_event_version", "messageId", "distinct_id"];

impl Format for Contract {
    fn name(&self) -> &'static str {
        "throughline"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        let Some(kind) = shape.string("type") else { return false };
        if FOREIGN.iter().any(|member| shape.has(member)) {
            return false;
        }
        TouchpointType::from_name(kind).is_some()
            || (is_dotted(kind) && (OWN.iter().any(|member| shape.has(member)) || !kind.starts_with('.')))
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let record: Record<'a> = json::from_str(payload.text)?;
        read_record(payload, record, sink)
    }
}

fn is_dotted(kind: &str) -> bool {
    kind.contains('.') && kind.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'_'))
}

/// Decodes one Avro record and maps it.
///
/// # Errors
/// `undecodable` where the bytes are not those of the schema, `missing_field` or `invalid_field`.
pub fn read_avro<'a>(
    bytes: &'a [u8],
    schema: &ContractSchema,
    payload: &Payload<'a>,
    sink: &mut dyn Entries<'a>,
) -> Result<(), Rejection> {
    let record = schema.decode::<Record<'a>>(bytes)?;
    read_record(payload, record, sink)
}

fn read_record<'a>(payload: &Payload<'a>, record: Record<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
    if record.kind.trim().is_empty() {
        return Err(Rejection::field(RejectionReason::MissingField, "type", "a touchpoint needs a type"));
    }
    let kind = TouchpointType::from_name(record.kind.trim()).or_else(|| payload.names.kind_of(record.kind.trim()));
    match kind {
        Some(kind) => sink.touchpoint(draft(payload, record, kind)?),
        None => sink.withheld(WithheldReason::Unmapped, record.kind.0),
    }
    Ok(())
}

/// A member of a closed set by its name; empty is absent.
fn one_of<T>(name: &str, field: &'static str, find: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Rejection> {
    match name.trim() {
        "" => Ok(None),
        name => find(name).map(Some).ok_or_else(|| unknown(field, name)),
    }
}

fn unknown(field: impl Into<std::borrow::Cow<'static, str>>, name: &str) -> Rejection {
    let name: String = name.chars().take(100).collect();
    Rejection::field(RejectionReason::InvalidField, field, format!("unknown member {name:?}"))
}

/// The same for a required member of a list.
fn member<T>(name: &str, list: &str, at: usize, field: &str, find: impl Fn(&str) -> Option<T>) -> Result<T, Rejection> {
    find(name.trim()).ok_or_else(|| unknown(format!("{list}[{at}].{field}"), name))
}

fn instant(time: &Instant<'_>, field: &'static str) -> Result<Option<EventTime>, Rejection> {
    match &time.0 {
        ClaimedTime::Missing => Ok(None),
        ClaimedTime::At(at) => Ok(Some(*at)),
        _ => Err(Rejection::field(RejectionReason::InvalidField, field, "not a time with a zone")),
    }
}

fn draft<'a>(payload: &Payload<'a>, record: Record<'a>, kind: TouchpointType) -> Result<Draft<'a>, Rejection> {
    let channel = one_of(&record.channel, "channel", Channel::from_name)?
        .unwrap_or_else(|| trust::default_channel(kind, payload.source));
    let mut draft = Draft::new(kind, channel, payload.source);
    draft.tenant = record.tenant.0;
    draft.verb = one_of(&record.verb, "verb", Verb::from_name)?.unwrap_or(Verb::Add);
    draft.updated_at = instant(&record.updated_at, "updated_at")?;
    draft.time = record.occurred_at.0;
    // Both clocks are read so that a wrong one is reported, but without a creation time there is nothing to correct.
    instant(&record.sent_at, "sent_at")?;
    instant(&record.collected_at, "collected_at")?;
    draft.text = record.text.0;
    draft.identifiers = mentions(payload.source, record.identifiers)?;
    draft.relations = relations(record.relations)?;

    let body = &mut draft.body;
    body.family = one_of(&record.family, "family", Family::from_name)?.unwrap_or(body.family);
    body.direction = one_of(&record.direction, "direction", Direction::from_name)?.unwrap_or(body.direction);
    body.mode = one_of(&record.mode, "mode", Mode::from_name)?.unwrap_or(body.mode);
    body.severity = one_of(&record.severity, "severity", Severity::from_name)?.unwrap_or(Severity::Normal);
    body.driver = one_of(&record.driver, "driver", Driver::from_name)?;
    body.purpose = one_of(&record.purpose, "purpose", OutboundPurpose::from_name)?;
    body.controllable = record.controllable.unwrap_or(true);
    body.source_id = record.source_id.0;
    body.language = record.language.0;
    body.text_ref = record.text_ref.0;
    body.raw_ref = record.raw_ref.0;
    if let Some(source) = record.source {
        body.system = source.system.0;
        body.app = source.app.0;
        body.producer = source.producer.0;
        body.schema = source.schema.0;
        body.version = source.version.0;
    }
    body.codes = record.codes.into_iter().flatten().map(|code| code.0).filter(|code| !code.is_empty()).collect();
    set_refs(body, record.refs);
    set_owners(body, record.owners);
    body.need = record.need.map(need).filter(|need| **need != Need::default());
    body.intents = intents(record.intents)?;
    body.evidence = evidence(record.evidence)?;
    body.result = record.result.map_or(Ok(Outcome::default()), outcome)?;
    body.durations = record.durations.map_or_else(Durations::default, durations);
    body.money = record.money.map_or(Ok(None), money)?;
    body.benefit = record.benefit.map_or(Ok(None), benefit)?;
    body.facts = facts(record.facts)?;
    body.facets = facets(record.facets);
    body.promises = promises(record.promises)?;
    body.proofs = proofs(record.proofs)?;
    body.journey = record.journey.map(journey).filter(|journey| **journey != JourneyHint::default());
    body.social = record.social.map_or(Ok(None), social)?;
    body.attributes = attributes(record.attributes)?;
    body.consents = consents(record.consents)?;
    body.loyalty = record.loyalty.map_or(Ok(None), loyalty)?;
    // A producer that sends sentiment has scored the text already.
    draft.labeled = draft.body.evidence.iter().any(|evidence| evidence.kind == EvidenceKind::Sentiment);
    Ok(draft)
}

fn mentions<'a>(
    source: SourceKind,
    list: Option<Vec<wire::Identifier<'a>>>,
) -> Result<SmallVec<[Mention<'a>; 4]>, Rejection> {
    let mut mentions = SmallVec::new();
    for (at, identifier) in list.into_iter().flatten().enumerate() {
        let kind = member(&identifier.r#type, "identifiers", at, "type", |name| {
            IdentifierType::from_name(name).filter(|kind| *kind != IdentifierType::Unlinked)
        })?;
        let trust = match identifier.trust.trim() {
            "" => trust::default_trust(source, kind),
            name => member(name, "identifiers", at, "trust", Trust::from_name)?,
        };
        mentions.push(Mention { kind, value: identifier.value.0, trust, field: "identifiers" });
    }
    Ok(mentions)
}

fn relations<'a>(list: Option<Vec<wire::Relation<'a>>>) -> Result<Vec<MentionedRelation<'a>>, Rejection> {
    let relations = list.into_iter().flatten().enumerate();
    relations
        .map(|(at, relation)| {
            Ok(MentionedRelation {
                kind: member(&relation.kind, "relations", at, "kind", RelationKind::from_name)?,
                identifier: member(&relation.r#type, "relations", at, "type", IdentifierType::from_name)?,
                value: relation.value.0,
                until: instant(&relation.until, "relations.until")?,
            })
        })
        .collect()
}

fn set_refs<'a>(body: &mut Body<'a>, refs: Option<wire::Refs<'a>>) {
    let Some(refs) = refs else { return };
    for (kind, value) in [
        (RefKind::Case, refs.case_id),
        (RefKind::Order, refs.order_id),
        (RefKind::Item, refs.item_id),
        (RefKind::Booking, refs.booking_id),
        (RefKind::Reservation, refs.reservation_id),
        (RefKind::Return, refs.return_id),
        (RefKind::Account, refs.account_id),
        (RefKind::Contract, refs.contract_id),
        (RefKind::Campaign, refs.campaign_id),
        (RefKind::Visit, refs.visit_id),
        (RefKind::Session, refs.session_id),
        (RefKind::Conversation, refs.conversation_id),
        (RefKind::Post, refs.post_id),
        (RefKind::Parent, refs.parent_id),
        (RefKind::Survey, refs.survey_id),
        (RefKind::Response, refs.response_id),
        (RefKind::Idea, refs.idea_id),
    ] {
        body.set_reference(kind, value.0);
    }
}

fn set_owners<'a>(body: &mut Body<'a>, owners: Option<wire::Owners<'a>>) {
    let Some(owners) = owners else { return };
    for (kind, value) in [
        (OwnerKind::Partner, owners.partner),
        (OwnerKind::Store, owners.store),
        (OwnerKind::Team, owners.team),
        (OwnerKind::Staff, owners.staff),
        (OwnerKind::Process, owners.process),
        (OwnerKind::Provider, owners.provider),
        (OwnerKind::Policy, owners.policy),
    ] {
        body.set_owner(kind, value.0);
    }
}

fn need(need: wire::Need<'_>) -> Box<Need<'_>> {
    let tags = need.tags.into_iter().flatten().filter(|tag| !tag.tag.is_empty());
    Box::new(Need {
        topic: need.topic.0,
        category: need.category.0,
        tags: tags.map(|tag| (tag.tag.0, tag.confidence.unwrap_or(CONFIDENCE))).collect(),
    })
}

/// Confidence of a label whose source names none.
const CONFIDENCE: f64 = 0.9;

fn intents(list: Option<Vec<wire::Intent<'_>>>) -> Result<SmallVec<[(Intent, f64); 1]>, Rejection> {
    let intents = list.into_iter().flatten().enumerate();
    intents
        .map(|(at, intent)| {
            let kind = member(&intent.intent, "intents", at, "intent", Intent::from_name)?;
            Ok((kind, intent.confidence.unwrap_or(CONFIDENCE)))
        })
        .collect()
}

fn evidence(list: Option<Vec<wire::Evidence<'_>>>) -> Result<SmallVec<[Evidence; 1]>, Rejection> {
    let evidence = list.into_iter().flatten().enumerate();
    evidence
        .map(|(at, given)| {
            let kind = member(&given.kind, "evidence", at, "kind", EvidenceKind::from_name)?;
            let Some(score) = given.score else {
                let path = format!("evidence[{at}].score");
                return Err(Rejection::field(RejectionReason::MissingField, path, "evidence needs a score"));
            };
            let mut evidence = Evidence::new(kind, score);
            // Avro writes an absent scale as 0..0 and an absent flag as false; the usual scale has its usual direction.
            if given.min != 0.0 || given.max != 0.0 {
                evidence.min = given.min;
                evidence.max = given.max;
                evidence.easy_is_high = given.easy_is_high.unwrap_or(true);
            }
            Ok(evidence)
        })
        .collect()
}

fn outcome(result: wire::Outcome<'_>) -> Result<Outcome, Rejection> {
    Ok(Outcome {
        resolved: result.resolved,
        purchased: result.purchased,
        reason: one_of(&result.reason, "result.reason", ResultReason::from_name)?,
        by: one_of(&result.by, "result.by", Party::from_name)?,
    })
}

fn said(number: i64) -> Option<i64> {
    (number != 0).then_some(number)
}

fn durations(durations: wire::Durations<'_>) -> Durations {
    Durations {
        wait_ms: said(durations.wait_ms),
        stated_wait_ms: said(durations.stated_wait_ms),
        hold_ms: said(durations.hold_ms),
        handle_ms: said(durations.handle_ms),
    }
}

fn money(money: wire::Money<'_>) -> Result<Option<Money<'_>>, Rejection> {
    match (money.amount_minor, money.currency.trim()) {
        (0, "") => Ok(None),
        (_, "") => Err(Rejection::field(RejectionReason::MissingField, "money.currency", "an amount needs a currency")),
        (amount_minor, _) => Ok(Some(Money { amount_minor, currency: money.currency.0 })),
    }
}

fn benefit(benefit: wire::Benefit<'_>) -> Result<Option<Box<Benefit<'_>>>, Rejection> {
    let kind = one_of(&benefit.kind, "benefit.kind", BenefitKind::from_name)?;
    Ok(kind.map(|kind| {
        Box::new(Benefit {
            kind,
            amount_minor: benefit.amount_minor,
            currency: benefit.currency.0,
            points: benefit.points,
        })
    }))
}

fn facts(list: Option<Vec<wire::Fact<'_>>>) -> Result<Vec<ValueFact<'_>>, Rejection> {
    let facts = list.into_iter().flatten().enumerate();
    facts
        .map(|(at, fact)| {
            Ok(ValueFact {
                kind: member(&fact.kind, "facts", at, "kind", FactKind::from_name)?,
                subject: fact.subject.0,
                region: if fact.region.is_empty() { Text::Borrowed("all") } else { fact.region.0 },
                value: fact.value.0,
            })
        })
        .collect()
}

fn facets(list: Option<Vec<wire::Facet<'_>>>) -> Vec<Facet<'_>> {
    let facets = list.into_iter().flatten();
    facets
        .map(|facet| {
            let (min, max) = if facet.min == 0.0 && facet.max == 0.0 { (1.0, 5.0) } else { (facet.min, facet.max) };
            Facet { facet: facet.facet.0, score: facet.score, min, max }
        })
        .collect()
}

fn promise_member<T>(name: &Word<'_>, list: &str, at: usize, find: impl Fn(&str) -> Option<T>) -> Result<T, Rejection> {
    find(name.trim()).ok_or_else(|| {
        let name: String = name.chars().take(100).collect();
        Rejection::field(RejectionReason::InvalidPromise, format!("{list}[{at}]"), format!("unknown member {name:?}"))
    })
}

fn promises(list: Option<Vec<wire::Promise<'_>>>) -> Result<Vec<PromiseMade<'_>>, Rejection> {
    let promises = list.into_iter().flatten().enumerate();
    promises
        .map(|(at, promise)| {
            let kind = promise_member(&promise.kind, "promises", at, PromiseKind::from_name)?;
            let sense = match (promise.sense.trim(), kind) {
                ("", PromiseKind::Price) => PromiseSense::AtMost,
                ("", PromiseKind::Rating) => PromiseSense::AtLeast,
                ("", _) => PromiseSense::By,
                _ => promise_member(&promise.sense, "promises", at, PromiseSense::from_name)?,
            };
            Ok(PromiseMade {
                kind,
                key: promise.key.0,
                sense,
                unit: promise.unit.0,
                made_by: promise.made_by.0,
                made_at: instant(&promise.made_at, "promises.made_at")?,
                due_at: instant(&promise.due_at, "promises.due_at")?,
                value: promise.value,
                tolerance: promise.tolerance,
                campaign: promise.campaign_id.0,
            })
        })
        .collect()
}

fn proofs(list: Option<Vec<wire::Proof<'_>>>) -> Result<Vec<Proof<'_>>, Rejection> {
    let proofs = list.into_iter().flatten().enumerate();
    proofs
        .map(|(at, proof)| {
            let outcome = match proof.outcome.trim() {
                "" => ProofOutcome::Delivered,
                _ => promise_member(&proof.outcome, "proofs", at, ProofOutcome::from_name)?,
            };
            Ok(Proof {
                kind: promise_member(&proof.kind, "proofs", at, PromiseKind::from_name)?,
                key: proof.key.0,
                proved_at: instant(&proof.proved_at, "proofs.proved_at")?,
                value: proof.value,
                outcome,
            })
        })
        .collect()
}

fn journey(journey: wire::Journey<'_>) -> Box<JourneyHint<'_>> {
    Box::new(JourneyHint { definition: journey.definition.0, key: journey.key.0, step: journey.step.0 })
}

fn social(social: wire::Social<'_>) -> Result<Option<Box<Social>>, Rejection> {
    Ok(Some(Box::new(Social {
        public: social.public,
        author_followers: said(social.author_followers),
        author_following: said(social.author_following),
        author_posts: said(social.author_posts),
        impressions: said(social.impressions),
        reposts: said(social.reposts),
        quotes: said(social.quotes),
        replies: said(social.replies),
        likes: said(social.likes),
        outside_score: social.outside_score,
        metric_at: instant(&social.metric_at, "social.metric_at")?,
    })))
}

fn attributes(list: Option<Vec<wire::Attribute<'_>>>) -> Result<Vec<Attribute<'_>>, Rejection> {
    let attributes = list.into_iter().flatten().filter(|attribute| !attribute.name.is_empty());
    attributes
        .map(|attribute| {
            Ok(Attribute {
                name: attribute.name.0,
                value: attribute.value.0,
                purpose: attribute.purpose.0,
                valid_from: instant(&attribute.valid_from, "attributes.valid_from")?,
                expires_at: instant(&attribute.expires_at, "attributes.expires_at")?,
            })
        })
        .collect()
}

fn consents(list: Option<Vec<wire::Consent<'_>>>) -> Result<Vec<Consent<'_>>, Rejection> {
    let consents = list.into_iter().flatten().enumerate();
    consents
        .map(|(at, consent)| {
            Ok(Consent {
                purpose: consent.purpose.0,
                status: member(&consent.status, "consents", at, "status", ConsentStatus::from_name)?,
                status_at: instant(&consent.status_at, "consents.status_at")?,
                valid_until: instant(&consent.valid_until, "consents.valid_until")?,
                policy_version: consent.policy_version.0,
            })
        })
        .collect()
}

fn loyalty(loyalty: wire::Loyalty<'_>) -> Result<Option<Box<Loyalty<'_>>>, Rejection> {
    let kind = one_of(&loyalty.kind, "loyalty.kind", LoyaltyKind::from_name)?;
    Ok(kind.map(|kind| {
        Box::new(Loyalty {
            account: loyalty.account.0,
            kind,
            tier: loyalty.tier.0,
            points: loyalty.points,
            balance: loyalty.balance,
        })
    }))
}
