//! `experience.touchpoints`.

use throughline_codec::record::Encoding;
use throughline_experience::ValuedTouchpoint;
use throughline_experience::alerts::operational_owner;
use throughline_model::touchpoint::{Body, Durations, Outcome};
use throughline_model::{EventTime, Mode, Now, OwnerKind, Purpose, RefKind, Touchpoint};

use super::{Deployment, owners, refs, text};
use crate::records::{
    self, HashedIdentifier, HashedRelation, Intent, NeedTag, Origin, ResponseClock, Revision, TouchpointRecord,
    ValuedEvidence,
};

/// Writes a resolved and valued touchpoint. `social` says whether the purpose influence is granted.
pub fn touchpoint(
    deployment: &Deployment,
    touchpoint: &Touchpoint<'_>,
    valued: &ValuedTouchpoint<'_>,
    allows: &dyn Fn(Purpose) -> bool,
    now: Now,
    encoding: Encoding,
    out: &mut Vec<u8>,
) {
    let (header, body) = (touchpoint.header(), touchpoint.body());
    let id = header.touchpoint_id.hex();
    let customer = valued.customer.map(|node| node.hex());
    let hashes: Vec<_> = header.identifiers.iter().map(|identifier| identifier.hash.hex()).collect();
    let relation_hashes: Vec<_> = header.relations.iter().map(|relation| relation.hash.hex()).collect();
    let staff = deployment.staff(text(&body.owners, OwnerKind::Staff));
    let owner = deployment.owner(&operational_owner(touchpoint).to_string());
    let valuation = &valued.valuation;
    let record = TouchpointRecord {
        common: deployment.common(valued.as_of, now),
        touchpoint_id: id.as_str(),
        source_id: &body.source_id,
        source: Some(records::Source {
            system: &body.system,
            app: &body.app,
            producer: &body.producer,
            schema: &body.schema,
            version: &body.version,
        }),
        origin: Some(Origin {
            topic: &header.origin.topic,
            partition: header.origin.partition,
            offset: header.origin.offset,
            entry: header.origin.entry as i32,
        }),
        revision: Some(Revision {
            updated_at: (header.revision.updated_at != 0).then(|| EventTime::from_millis(header.revision.updated_at)),
            mapping: header.revision.mapping as i32,
            verb: header.revision.verb.as_str(),
        }),
        retracted: valued.retracted,
        r#type: body.kind.as_str(),
        channel: body.channel.as_str(),
        family: body.family.as_str(),
        direction: body.direction.as_str(),
        mode: body.mode.as_str(),
        occurred_at: Some(header.occurred_at),
        received_at: header.received_at,
        time_quality: header.time_quality.as_str(),
        customer_id: customer.as_ref().map(|id| id.as_str()),
        identifiers: header
            .identifiers
            .iter()
            .zip(&hashes)
            .map(|(identifier, hash)| HashedIdentifier {
                r#type: identifier.kind.as_str(),
                hash: hash.as_str(),
                trust: identifier.trust.as_str(),
            })
            .collect(),
        relations: header
            .relations
            .iter()
            .zip(&relation_hashes)
            .map(|(relation, hash)| HashedRelation {
                kind: relation.kind.as_str(),
                r#type: relation.identifier.as_str(),
                hash: hash.as_str(),
                until: relation.until,
            })
            .collect(),
        refs: refs(body.refs.iter().map(|(kind, value)| (*kind, value.as_ref()))),
        owners: owners(body.owners.iter().map(|(kind, value)| (*kind, value.as_ref())), &staff),
        operational_owner: &owner,
        controllable: body.controllable,
        severity: body.severity.as_str(),
        severe: valuation.severe(),
        codes: body.codes.iter().map(AsRef::as_ref).collect(),
        driver: valuation.driver.map_or("", |driver| driver.as_str()),
        evidence: valuation
            .evidence
            .iter()
            .map(|evidence| ValuedEvidence { kind: evidence.kind.as_str(), v: evidence.v, q: evidence.q })
            .collect(),
        v: valuation.v(),
        q: valuation.is_valenced().then_some(valuation.q),
        w: valuation.w(),
        expected: valued.expected,
        disconfirmation: valued.disconfirmation,
        response: header.response.as_ref().map(|response| ResponseClock {
            clock_id: "",
            target_ms: response.target_ms,
            due_at: response.due_at,
            catalog_version: &response.catalog_version,
        }),
        purpose: body.purpose.map_or("", |purpose| purpose.as_str()),
        social: allows(Purpose::Influence).then(|| social(body)).flatten(),
        language: &body.language,
        text_ref: &body.text_ref,
        raw_ref: &body.raw_ref,
        incomplete: incomplete(body),
        ..TouchpointRecord::default()
    };
    encoding.encode(&with_details(record, body), out);
}

/// The fields that few touchpoints carry.
fn with_details<'a>(mut record: TouchpointRecord<'a>, body: &'a Body<'_>) -> TouchpointRecord<'a> {
    record.need = body.need.as_ref().map(|need| records::Need {
        topic: &need.topic,
        category: &need.category,
        tags: need.tags.iter().map(|(tag, confidence)| NeedTag { tag, confidence: *confidence }).collect(),
    });
    record.intents = body
        .intents
        .iter()
        .map(|(intent, confidence)| Intent { intent: intent.as_str(), confidence: *confidence })
        .collect();
    record.result = (body.result != Outcome::default()).then(|| records::Outcome {
        resolved: body.result.resolved,
        purchased: body.result.purchased,
        reason: body.result.reason.map_or("", |reason| reason.as_str()),
        by: body.result.by.map_or("", |by| by.as_str()),
    });
    record.durations = (body.durations != Durations::default()).then(|| records::Durations {
        wait_ms: body.durations.wait_ms.unwrap_or(0),
        stated_wait_ms: body.durations.stated_wait_ms.unwrap_or(0),
        hold_ms: body.durations.hold_ms.unwrap_or(0),
        handle_ms: body.durations.handle_ms.unwrap_or(0),
    });
    record.money =
        body.money.as_ref().map(|money| records::Money { amount_minor: money.amount_minor, currency: &money.currency });
    record.benefit = body.benefit.as_ref().map(|benefit| records::Benefit {
        kind: benefit.kind.as_str(),
        amount_minor: benefit.amount_minor,
        currency: &benefit.currency,
        points: benefit.points,
    });
    record.facts = body
        .facts
        .iter()
        .map(|fact| records::Fact {
            kind: fact.kind.as_str(),
            subject: &fact.subject,
            region: &fact.region,
            value: &fact.value,
        })
        .collect();
    record.facets = body
        .facets
        .iter()
        .map(|facet| records::FacetRating { facet: &facet.facet, score: facet.score, min: facet.min, max: facet.max })
        .collect();
    record.promises = body
        .promises
        .iter()
        .map(|promise| records::PromiseMade {
            kind: promise.kind.as_str(),
            key: &promise.key,
            sense: promise.sense.as_str(),
            unit: &promise.unit,
            made_by: &promise.made_by,
            made_at: promise.made_at,
            due_at: promise.due_at,
            value: promise.value,
            tolerance: promise.tolerance,
            campaign_id: &promise.campaign,
        })
        .collect();
    record.proofs = body
        .proofs
        .iter()
        .map(|proof| records::Proof {
            kind: proof.kind.as_str(),
            key: &proof.key,
            proved_at: proof.proved_at,
            value: proof.value,
            outcome: proof.outcome.as_str(),
        })
        .collect();
    record.loyalty = body.loyalty.as_ref().map(|loyalty| records::Loyalty {
        account: &loyalty.account,
        kind: loyalty.kind.as_str(),
        tier: &loyalty.tier,
        points: loyalty.points,
        balance: loyalty.balance,
    });
    record
}

fn social(body: &Body<'_>) -> Option<records::Social> {
    body.social.as_ref().map(|social| records::Social {
        public: social.public,
        author_followers: social.author_followers.unwrap_or(0),
        author_following: social.author_following.unwrap_or(0),
        author_posts: social.author_posts.unwrap_or(0),
        impressions: social.impressions.unwrap_or(0),
        reposts: social.reposts.unwrap_or(0),
        quotes: social.quotes.unwrap_or(0),
        replies: social.replies.unwrap_or(0),
        likes: social.likes.unwrap_or(0),
        outside_score: social.outside_score,
        metric_at: social.metric_at,
    })
}

/// The parts of a connection that are missing (S3-1): who acted on the brand's side is always known by type; a purchase
/// should say what the customer got, a contact what it is about.
fn incomplete(body: &Body<'_>) -> throughline_codec::record::List<'static, &'static str> {
    let mut missing = Vec::new();
    if body.mode == Mode::Person && body.kind.row().is_response() && body.owner(OwnerKind::Staff).is_none() {
        missing.push("mode");
    }
    if matches!(body.kind, throughline_model::TouchpointType::OrderCreated) && body.money.is_none() {
        missing.push("benefit");
    }
    if body.refs.is_empty() && body.need.is_none() && body.reference(RefKind::Session).is_none() {
        missing.push("touchpoint");
    }
    missing.into()
}
