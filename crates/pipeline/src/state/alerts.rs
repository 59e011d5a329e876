//! The alerts part: the latest episode of every alert, and the holds.

use smallvec::SmallVec;
use throughline_codec::wire::{Reader, Value, WireError, Writer};
use throughline_experience::alerts::{AlertBook, AlertRecord};
use throughline_model::alert::{AlertState, AlertType, TransitionReason};
use throughline_model::{Channel, Driver, EventTime, Hash128, Now, OwnerKind, RefKind, TouchpointType};

use super::profile::time;

const RECORD: u32 = 1;
const LOW_STREAK: u32 = 2;
const DROPS: u32 = 3;
const SUPPRESSED: u32 = 4;

pub fn encode(book: &AlertBook, out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    for record in &book.records {
        w.nested(RECORD, |w| encode_record(record, w));
    }
    w.uint_or_zero(LOW_STREAK, u64::from(book.low_streak));
    w.uint_or_zero(DROPS, u64::from(book.drops));
    w.uint_or_zero(SUPPRESSED, u64::from(book.suppressed));
}

fn encode_record(record: &AlertRecord, w: &mut Writer<'_>) {
    w.bytes(1, &record.id.0);
    w.uint(2, u64::from(record.kind.code()));
    w.text(3, &record.scope);
    w.uint(4, u64::from(record.state.code()));
    w.uint(5, u64::from(record.seq));
    w.uint(6, u64::from(record.episode));
    if let Some(previous) = &record.previous {
        w.bytes(7, &previous.0);
    }
    w.sint(8, record.opened_at.as_millis());
    w.sint(9, record.renewed_at.as_millis());
    w.sint(10, record.detected_at.as_millis());
    w.sint(11, record.raised_at.as_millis());
    w.sint(12, record.changed_at.as_millis());
    w.opt_sint(13, record.ended_at.map(Now::as_millis));
    w.opt_sint(14, record.paged_at.map(Now::as_millis));
    w.uint_or_zero(15, u64::from(record.stale));
    w.opt_double(16, record.value);
    w.opt_double(17, record.value_before);
    w.uint_or_zero(18, u64::from(record.count));
    for cause in &record.causes {
        w.bytes(19, &cause.0);
    }
    if let Some(reason) = record.resolve_pending {
        w.uint(20, u64::from(reason.code()));
    }
    w.uint_or_zero(21, u64::from(record.update_pending));
    w.opt_sint(22, record.answered_at.map(EventTime::as_millis));
    w.opt_sint(23, record.inbound_at.map(EventTime::as_millis));
    if let Some(driver) = record.driver {
        w.uint(24, u64::from(driver.code()));
    }
    w.uint(25, u64::from(record.cause_kind.code()));
    w.uint(26, u64::from(record.channel.code()));
    for (kind, id) in &record.owners {
        named(w, 27, kind.code(), id);
    }
    for (kind, id) in &record.refs {
        named(w, 28, kind.code(), id);
    }
    w.raw(&record.kept);
}

fn named(w: &mut Writer<'_>, field: u32, code: u8, id: &str) {
    w.nested(field, |w| {
        w.uint(1, u64::from(code));
        w.text(2, id);
    });
}

pub fn decode(bytes: &[u8], kept: &mut Vec<u8>) -> Result<Option<AlertBook>, WireError> {
    let mut book = AlertBook::default();
    let mut reader = Reader::new(bytes);
    let small = |value: Value<'_>, field| {
        value.uint(field).and_then(|value| u8::try_from(value).map_err(|_| WireError::Impossible(field)))
    };
    while let Some((field, value)) = reader.next()? {
        match field {
            RECORD => book.records.push(decode_record(value.bytes(field)?)?),
            LOW_STREAK => book.low_streak = small(value, field)?,
            DROPS => book.drops = small(value, field)?,
            SUPPRESSED => book.suppressed = small(value, field)?,
            _ => kept.extend_from_slice(reader.last_raw()),
        }
    }
    Ok((!book.is_empty()).then_some(book))
}

/// Reads a closed set by its code.
macro_rules! member {
    ($set:ty, $value:expr, $field:expr) => {
        <$set>::from_code($value.uint($field)?).ok_or(WireError::Impossible($field))?
    };
}

fn decode_record(bytes: &[u8]) -> Result<AlertRecord, WireError> {
    let mut record = blank();
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next()? {
        let now = || value.sint(field).map(Now::from_millis);
        let count = || value.uint(field).and_then(|n| u32::try_from(n).map_err(|_| WireError::Impossible(field)));
        match field {
            1 => record.id = Hash128(value.array(field)?),
            2 => record.kind = member!(AlertType, value, field),
            3 => record.scope = value.text(field)?.into(),
            4 => record.state = member!(AlertState, value, field),
            5 => record.seq = count()?,
            6 => record.episode = count()?,
            7 => record.previous = Some(Hash128(value.array(field)?)),
            8 => record.opened_at = time(value, field)?,
            9 => record.renewed_at = time(value, field)?,
            10 => record.detected_at = now()?,
            11 => record.raised_at = now()?,
            12 => record.changed_at = now()?,
            13 => record.ended_at = Some(now()?),
            14 => record.paged_at = Some(now()?),
            15 => record.stale = value.uint(field)? != 0,
            16 => record.value = Some(value.double(field)?),
            17 => record.value_before = Some(value.double(field)?),
            18 => record.count = count()?,
            19 => record.causes.push(Hash128(value.array(field)?)),
            20 => record.resolve_pending = Some(member!(TransitionReason, value, field)),
            21 => record.update_pending = value.uint(field)? != 0,
            22 => record.answered_at = Some(time(value, field)?),
            23 => record.inbound_at = Some(time(value, field)?),
            24 => record.driver = Some(member!(Driver, value, field)),
            25 => record.cause_kind = member!(TouchpointType, value, field),
            26 => record.channel = member!(Channel, value, field),
            27 => record.owners.push(decode_named(value.bytes(field)?, OwnerKind::from_code)?),
            28 => record.refs.push(decode_named(value.bytes(field)?, RefKind::from_code)?),
            _ => record.kept.extend_from_slice(reader.last_raw()),
        }
    }
    Ok(record)
}

fn decode_named<K>(bytes: &[u8], from_code: impl Fn(u64) -> Option<K>) -> Result<(K, Box<str>), WireError> {
    let (mut kind, mut id) = (None, "");
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => kind = from_code(value.uint(field)?),
            2 => id = value.text(field)?,
            _ => return Err(WireError::Impossible(RECORD)),
        }
    }
    Ok((kind.ok_or(WireError::Impossible(RECORD))?, id.into()))
}

/// A record with every field at what it is when it is left out.
fn blank() -> AlertRecord {
    AlertRecord {
        id: Hash128::default(),
        kind: AlertType::SevereMoment,
        scope: "".into(),
        state: AlertState::Closed,
        seq: 0,
        episode: 0,
        previous: None,
        opened_at: EventTime::default(),
        renewed_at: EventTime::default(),
        detected_at: Now::default(),
        raised_at: Now::default(),
        changed_at: Now::default(),
        ended_at: None,
        paged_at: None,
        stale: false,
        value: None,
        value_before: None,
        count: 0,
        causes: SmallVec::new(),
        resolve_pending: None,
        update_pending: false,
        answered_at: None,
        inbound_at: None,
        driver: None,
        cause_kind: TouchpointType::PageViewed,
        channel: Channel::Web,
        owners: Vec::new(),
        refs: Vec::new(),
        kept: Vec::new(),
    }
}
