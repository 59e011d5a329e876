//! The fields that few touchpoints carry: needs, money, facts, promises, counters, attributes, consents.

use smallvec::SmallVec;
use throughline_model::touchpoint::{
    Attribute, Benefit, Body, Consent, Durations, Facet, JourneyHint, Loyalty, Money, Need, Outcome, PromiseMade,
    Proof, Social, Text, ValueFact,
};
use throughline_model::{
    BenefitKind, ConsentStatus, EventTime, FactKind, LoyaltyKind, Party, PromiseKind, PromiseSense, ProofOutcome,
    ResultReason,
};

use super::member;
use crate::wire::{Reader, Value, WireError, Writer};

/// Appends the rare fields of a body, numbers 35, 41 to 49, 51 to 54.
pub(super) fn encode(body: &Body<'_>, w: &mut Writer<'_>) {
    if let Some(need) = &body.need {
        w.nested(35, |w| encode_need(need, w));
    }
    if body.result != Outcome::default() {
        w.nested(41, |w| encode_result(body.result, w));
    }
    if body.durations != Durations::default() {
        w.nested(42, |w| {
            w.opt_sint(1, body.durations.wait_ms);
            w.opt_sint(2, body.durations.stated_wait_ms);
            w.opt_sint(3, body.durations.hold_ms);
            w.opt_sint(4, body.durations.handle_ms);
        });
    }
    if let Some(money) = &body.money {
        w.nested(43, |w| {
            w.sint(1, money.amount_minor);
            w.text(2, &money.currency);
        });
    }
    if let Some(benefit) = &body.benefit {
        w.nested(44, |w| {
            w.uint(1, u64::from(benefit.kind.code()));
            w.sint(2, benefit.amount_minor);
            w.text(3, &benefit.currency);
            w.sint(4, benefit.points);
        });
    }
    for fact in &body.facts {
        w.nested(45, |w| {
            w.uint(1, u64::from(fact.kind.code()));
            w.text(2, &fact.subject);
            w.text(3, &fact.region);
            w.text(4, &fact.value);
        });
    }
    for facet in &body.facets {
        w.nested(46, |w| {
            w.text(1, &facet.facet);
            w.double(2, facet.score);
            w.double(3, facet.min);
            w.double(4, facet.max);
        });
    }
    for promise in &body.promises {
        w.nested(47, |w| encode_promise(promise, w));
    }
    for proof in &body.proofs {
        w.nested(48, |w| {
            w.uint(1, u64::from(proof.kind.code()));
            w.text(2, &proof.key);
            w.opt_sint(3, proof.proved_at.map(EventTime::as_millis));
            w.opt_double(4, proof.value);
            w.uint(5, u64::from(proof.outcome.code()));
        });
    }
    if let Some(journey) = &body.journey {
        w.nested(49, |w| {
            w.text(1, &journey.definition);
            w.text(2, &journey.key);
            w.text(3, &journey.step);
        });
    }
    if let Some(social) = &body.social {
        w.nested(51, |w| encode_social(social, w));
    }
    for attribute in &body.attributes {
        w.nested(52, |w| {
            w.text(1, &attribute.name);
            w.text(2, &attribute.value);
            w.text(3, &attribute.purpose);
            w.opt_sint(4, attribute.valid_from.map(EventTime::as_millis));
            w.opt_sint(5, attribute.expires_at.map(EventTime::as_millis));
        });
    }
    for consent in &body.consents {
        w.nested(53, |w| {
            w.text(1, &consent.purpose);
            w.uint(2, u64::from(consent.status.code()));
            w.opt_sint(3, consent.status_at.map(EventTime::as_millis));
            w.opt_sint(4, consent.valid_until.map(EventTime::as_millis));
            w.text(5, &consent.policy_version);
        });
    }
    if let Some(loyalty) = &body.loyalty {
        w.nested(54, |w| {
            w.text(1, &loyalty.account);
            w.uint(2, u64::from(loyalty.kind.code()));
            w.text(3, &loyalty.tier);
            w.sint(4, loyalty.points);
            w.sint(5, loyalty.balance);
        });
    }
}

fn encode_need(need: &Need<'_>, w: &mut Writer<'_>) {
    w.text(1, &need.topic);
    w.text(2, &need.category);
    for (tag, confidence) in &need.tags {
        w.nested(3, |w| {
            w.text(1, tag);
            w.double(2, *confidence);
        });
    }
}

fn encode_result(result: Outcome, w: &mut Writer<'_>) {
    w.opt_bool(1, result.resolved);
    w.opt_bool(2, result.purchased);
    if let Some(reason) = result.reason {
        w.uint(3, u64::from(reason.code()));
    }
    if let Some(by) = result.by {
        w.uint(4, u64::from(by.code()));
    }
}

fn encode_promise(promise: &PromiseMade<'_>, w: &mut Writer<'_>) {
    w.uint(1, u64::from(promise.kind.code()));
    w.text(2, &promise.key);
    w.uint(3, u64::from(promise.sense.code()));
    w.text(4, &promise.unit);
    w.text(5, &promise.made_by);
    w.opt_sint(6, promise.made_at.map(EventTime::as_millis));
    w.opt_sint(7, promise.due_at.map(EventTime::as_millis));
    w.opt_double(8, promise.value);
    w.opt_double(9, promise.tolerance);
    w.text(10, &promise.campaign);
}

fn encode_social(social: &Social, w: &mut Writer<'_>) {
    w.uint_or_zero(1, u64::from(social.public));
    w.opt_sint(2, social.author_followers);
    w.opt_sint(3, social.author_following);
    w.opt_sint(4, social.author_posts);
    w.opt_sint(5, social.impressions);
    w.opt_sint(6, social.reposts);
    w.opt_sint(7, social.quotes);
    w.opt_sint(8, social.replies);
    w.opt_sint(9, social.likes);
    w.opt_double(10, social.outside_score);
    w.opt_sint(11, social.metric_at.map(EventTime::as_millis));
}

/// Reads one of the rare fields; a number of a newer version is passed over.
pub(super) fn read<'a>(body: &mut Body<'a>, field: u32, value: Value<'a>) -> Result<(), WireError> {
    match field {
        35 => body.need = Some(Box::new(read_need(value.bytes(field)?)?)),
        41 => body.result = read_result(value.bytes(field)?)?,
        42 => body.durations = read_durations(value.bytes(field)?)?,
        43 => body.money = Some(read_money(value.bytes(field)?)?),
        44 => body.benefit = Some(Box::new(read_benefit(value.bytes(field)?)?)),
        45 => body.facts.push(read_fact(value.bytes(field)?)?),
        46 => body.facets.push(read_facet(value.bytes(field)?)?),
        47 => body.promises.push(read_promise(value.bytes(field)?)?),
        48 => body.proofs.push(read_proof(value.bytes(field)?)?),
        49 => body.journey = Some(Box::new(read_journey(value.bytes(field)?)?)),
        51 => body.social = Some(Box::new(read_social(value.bytes(field)?)?)),
        52 => body.attributes.push(read_attribute(value.bytes(field)?)?),
        53 => body.consents.push(read_consent(value.bytes(field)?)?),
        54 => body.loyalty = Some(Box::new(read_loyalty(value.bytes(field)?)?)),
        _ => {}
    }
    Ok(())
}

/// Runs `read` over the fields of a nested value.
fn fields<'a>(bytes: &'a [u8], mut read: impl FnMut(u32, Value<'a>) -> Result<(), WireError>) -> Result<(), WireError> {
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next()? {
        read(field, value)?;
    }
    Ok(())
}

fn text(value: Value<'_>, field: u32) -> Result<Text<'_>, WireError> {
    value.text(field).map(Text::Borrowed)
}

fn time(value: Value<'_>, field: u32) -> Result<Option<EventTime>, WireError> {
    value.sint(field).map(|millis| Some(EventTime::from_millis(millis)))
}

fn read_need(bytes: &[u8]) -> Result<Need<'_>, WireError> {
    let mut need = Need { topic: Text::Borrowed(""), category: Text::Borrowed(""), tags: SmallVec::new() };
    fields(bytes, |field, value| {
        match field {
            1 => need.topic = text(value, field)?,
            2 => need.category = text(value, field)?,
            3 => {
                let mut tag = (Text::Borrowed(""), 0.0);
                fields(value.bytes(field)?, |field, value| {
                    match field {
                        1 => tag.0 = text(value, field)?,
                        2 => tag.1 = value.double(field)?,
                        _ => {}
                    }
                    Ok(())
                })?;
                need.tags.push(tag);
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(need)
}

fn read_result(bytes: &[u8]) -> Result<Outcome, WireError> {
    let mut result = Outcome::default();
    fields(bytes, |field, value| {
        match field {
            1 => result.resolved = Some(value.boolean(field)?),
            2 => result.purchased = Some(value.boolean(field)?),
            3 => result.reason = Some(member!(ResultReason, value, field)?),
            4 => result.by = Some(member!(Party, value, field)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(result)
}

fn read_durations(bytes: &[u8]) -> Result<Durations, WireError> {
    let mut durations = Durations::default();
    fields(bytes, |field, value| {
        match field {
            1 => durations.wait_ms = Some(value.sint(field)?),
            2 => durations.stated_wait_ms = Some(value.sint(field)?),
            3 => durations.hold_ms = Some(value.sint(field)?),
            4 => durations.handle_ms = Some(value.sint(field)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(durations)
}

fn read_money(bytes: &[u8]) -> Result<Money<'_>, WireError> {
    let mut money = Money { amount_minor: 0, currency: Text::Borrowed("") };
    fields(bytes, |field, value| {
        match field {
            1 => money.amount_minor = value.sint(field)?,
            2 => money.currency = text(value, field)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(money)
}

fn read_benefit(bytes: &[u8]) -> Result<Benefit<'_>, WireError> {
    let mut benefit = Benefit { kind: BenefitKind::Discount, amount_minor: 0, currency: Text::Borrowed(""), points: 0 };
    fields(bytes, |field, value| {
        match field {
            1 => benefit.kind = member!(BenefitKind, value, field)?,
            2 => benefit.amount_minor = value.sint(field)?,
            3 => benefit.currency = text(value, field)?,
            4 => benefit.points = value.sint(field)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(benefit)
}

fn read_fact(bytes: &[u8]) -> Result<ValueFact<'_>, WireError> {
    let mut fact = ValueFact {
        kind: FactKind::Price,
        subject: Text::Borrowed(""),
        region: Text::Borrowed(""),
        value: Text::Borrowed(""),
    };
    fields(bytes, |field, value| {
        match field {
            1 => fact.kind = member!(FactKind, value, field)?,
            2 => fact.subject = text(value, field)?,
            3 => fact.region = text(value, field)?,
            4 => fact.value = text(value, field)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(fact)
}

fn read_facet(bytes: &[u8]) -> Result<Facet<'_>, WireError> {
    let mut facet = Facet { facet: Text::Borrowed(""), score: 0.0, min: 0.0, max: 0.0 };
    fields(bytes, |field, value| {
        match field {
            1 => facet.facet = text(value, field)?,
            2 => facet.score = value.double(field)?,
            3 => facet.min = value.double(field)?,
            4 => facet.max = value.double(field)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(facet)
}

fn read_promise(bytes: &[u8]) -> Result<PromiseMade<'_>, WireError> {
    let mut promise = PromiseMade {
        kind: PromiseKind::Delivery,
        key: Text::Borrowed(""),
        sense: PromiseSense::By,
        unit: Text::Borrowed(""),
        made_by: Text::Borrowed(""),
        made_at: None,
        due_at: None,
        value: None,
        tolerance: None,
        campaign: Text::Borrowed(""),
    };
    fields(bytes, |field, value| {
        match field {
            1 => promise.kind = member!(PromiseKind, value, field)?,
            2 => promise.key = text(value, field)?,
            3 => promise.sense = member!(PromiseSense, value, field)?,
            4 => promise.unit = text(value, field)?,
            5 => promise.made_by = text(value, field)?,
            6 => promise.made_at = time(value, field)?,
            7 => promise.due_at = time(value, field)?,
            8 => promise.value = Some(value.double(field)?),
            9 => promise.tolerance = Some(value.double(field)?),
            10 => promise.campaign = text(value, field)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(promise)
}

fn read_proof(bytes: &[u8]) -> Result<Proof<'_>, WireError> {
    let mut proof = Proof {
        kind: PromiseKind::Delivery,
        key: Text::Borrowed(""),
        proved_at: None,
        value: None,
        outcome: ProofOutcome::Delivered,
    };
    fields(bytes, |field, value| {
        match field {
            1 => proof.kind = member!(PromiseKind, value, field)?,
            2 => proof.key = text(value, field)?,
            3 => proof.proved_at = time(value, field)?,
            4 => proof.value = Some(value.double(field)?),
            5 => proof.outcome = member!(ProofOutcome, value, field)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(proof)
}

fn read_journey(bytes: &[u8]) -> Result<JourneyHint<'_>, WireError> {
    let mut journey = JourneyHint::default();
    fields(bytes, |field, value| {
        match field {
            1 => journey.definition = text(value, field)?,
            2 => journey.key = text(value, field)?,
            3 => journey.step = text(value, field)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(journey)
}

fn read_social(bytes: &[u8]) -> Result<Social, WireError> {
    let mut social = Social::default();
    fields(bytes, |field, value| {
        match field {
            1 => social.public = value.uint(field)? != 0,
            2 => social.author_followers = Some(value.sint(field)?),
            3 => social.author_following = Some(value.sint(field)?),
            4 => social.author_posts = Some(value.sint(field)?),
            5 => social.impressions = Some(value.sint(field)?),
            6 => social.reposts = Some(value.sint(field)?),
            7 => social.quotes = Some(value.sint(field)?),
            8 => social.replies = Some(value.sint(field)?),
            9 => social.likes = Some(value.sint(field)?),
            10 => social.outside_score = Some(value.double(field)?),
            11 => social.metric_at = time(value, field)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(social)
}

fn read_attribute(bytes: &[u8]) -> Result<Attribute<'_>, WireError> {
    let mut attribute = Attribute {
        name: Text::Borrowed(""),
        value: Text::Borrowed(""),
        purpose: Text::Borrowed(""),
        valid_from: None,
        expires_at: None,
    };
    fields(bytes, |field, value| {
        match field {
            1 => attribute.name = text(value, field)?,
            2 => attribute.value = text(value, field)?,
            3 => attribute.purpose = text(value, field)?,
            4 => attribute.valid_from = time(value, field)?,
            5 => attribute.expires_at = time(value, field)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(attribute)
}

fn read_consent(bytes: &[u8]) -> Result<Consent<'_>, WireError> {
    let mut consent = Consent {
        purpose: Text::Borrowed(""),
        status: ConsentStatus::Unknown,
        status_at: None,
        valid_until: None,
        policy_version: Text::Borrowed(""),
    };
    fields(bytes, |field, value| {
        match field {
            1 => consent.purpose = text(value, field)?,
            2 => consent.status = member!(ConsentStatus, value, field)?,
            3 => consent.status_at = time(value, field)?,
            4 => consent.valid_until = time(value, field)?,
            5 => consent.policy_version = text(value, field)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(consent)
}

fn read_loyalty(bytes: &[u8]) -> Result<Loyalty<'_>, WireError> {
    let mut loyalty = Loyalty {
        account: Text::Borrowed(""),
        kind: LoyaltyKind::Adjust,
        tier: Text::Borrowed(""),
        points: 0,
        balance: 0,
    };
    fields(bytes, |field, value| {
        match field {
            1 => loyalty.account = text(value, field)?,
            2 => loyalty.kind = member!(LoyaltyKind, value, field)?,
            3 => loyalty.tier = text(value, field)?,
            4 => loyalty.points = value.sint(field)?,
            5 => loyalty.balance = value.sint(field)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(loyalty)
}
