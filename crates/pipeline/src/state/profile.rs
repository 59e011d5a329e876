//! The profile part: consent, attributes, links.

use throughline_codec::wire::{Reader, Value, WireError, Writer};
use throughline_experience::consent::ConsentState;
use throughline_experience::profile::{AttributeValue, Link, Profile};
use throughline_model::{ConsentStatus, EventTime, Hash128, IdentifierType, Purpose, SourceKind};

const CONSENT: u32 = 1;
const ATTRIBUTE: u32 = 2;
const LINK: u32 = 3;

pub fn encode(profile: &Profile, out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    for state in &profile.consents.states {
        w.nested(CONSENT, |w| {
            w.uint(1, u64::from(state.purpose.code()));
            w.uint(2, u64::from(state.status.code()));
            w.sint(3, state.status_at.as_millis());
            w.opt_sint(4, state.valid_until.map(EventTime::as_millis));
            w.text(5, &state.source);
        });
    }
    for value in &profile.attributes {
        w.nested(ATTRIBUTE, |w| {
            w.text(1, &value.name);
            w.text(2, &value.source);
            w.text(3, &value.value);
            w.text(4, &value.purpose);
            w.sint(5, value.valid_from.as_millis());
            w.opt_sint(6, value.expires_at.map(EventTime::as_millis));
        });
    }
    for link in &profile.links {
        w.nested(LINK, |w| {
            w.uint(1, u64::from(link.kind.code()));
            w.bytes(2, &link.hash.0);
            w.uint(3, u64::from(link.source.code()));
            w.sint(4, link.last_seen_at.as_millis());
        });
    }
}

pub fn decode(bytes: &[u8], kept: &mut Vec<u8>) -> Result<Option<Profile>, WireError> {
    let mut profile = Profile::default();
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next()? {
        match field {
            CONSENT => profile.consents.states.push(decode_consent(value.bytes(field)?)?),
            ATTRIBUTE => profile.attributes.push(decode_attribute(value.bytes(field)?)?),
            LINK => profile.links.push(decode_link(value.bytes(field)?)?),
            _ => kept.extend_from_slice(reader.last_raw()),
        }
    }
    Ok((profile != Profile::default()).then_some(profile))
}

/// A time in milliseconds.
pub fn time(value: Value<'_>, field: u32) -> Result<EventTime, WireError> {
    value.sint(field).map(EventTime::from_millis)
}

fn decode_consent(bytes: &[u8]) -> Result<ConsentState, WireError> {
    let mut state = ConsentState {
        purpose: Purpose::Process,
        status: ConsentStatus::Unknown,
        status_at: EventTime::default(),
        valid_until: None,
        source: "".into(),
    };
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => state.purpose = Purpose::from_code(value.uint(field)?).ok_or(WireError::Impossible(field))?,
            2 => state.status = ConsentStatus::from_code(value.uint(field)?).ok_or(WireError::Impossible(field))?,
            3 => state.status_at = time(value, field)?,
            4 => state.valid_until = Some(time(value, field)?),
            5 => state.source = value.text(field)?.into(),
            _ => return Err(WireError::Impossible(CONSENT)),
        }
    }
    Ok(state)
}

fn decode_attribute(bytes: &[u8]) -> Result<AttributeValue, WireError> {
    let mut held = AttributeValue {
        name: "".into(),
        source: "".into(),
        value: "".into(),
        purpose: "".into(),
        valid_from: EventTime::default(),
        expires_at: None,
    };
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => held.name = value.text(field)?.into(),
            2 => held.source = value.text(field)?.into(),
            3 => held.value = value.text(field)?.into(),
            4 => held.purpose = value.text(field)?.into(),
            5 => held.valid_from = time(value, field)?,
            6 => held.expires_at = Some(time(value, field)?),
            _ => return Err(WireError::Impossible(ATTRIBUTE)),
        }
    }
    Ok(held)
}

fn decode_link(bytes: &[u8]) -> Result<Link, WireError> {
    let mut link = Link {
        kind: IdentifierType::Unlinked,
        hash: Hash128::default(),
        source: SourceKind::Web,
        last_seen_at: EventTime::default(),
    };
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => link.kind = IdentifierType::from_code(value.uint(field)?).ok_or(WireError::Impossible(field))?,
            2 => link.hash = Hash128(value.array(field)?),
            3 => link.source = SourceKind::from_code(value.uint(field)?).ok_or(WireError::Impossible(field))?,
            4 => link.last_seen_at = time(value, field)?,
            _ => return Err(WireError::Impossible(LINK)),
        }
    }
    Ok(link)
}
