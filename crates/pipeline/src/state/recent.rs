//! The recent part: entries packed one after the other, newest first.

use std::sync::Arc;

use smallvec::SmallVec;
use throughline_codec::wire::{Reader, WireError, Writer, put_uint};
use throughline_experience::recent::{Entry, RecentList, WHOLE_MIX};
use throughline_experience::valuation::TouchpointWeight;
use throughline_model::touchpoint::Revision;
use throughline_model::{Channel, EvidenceKind, ReceivedAt, TouchpointType, Verb};

use super::packed::{Packed, before, packed, put_double, put_sint, since};

const NEWEST_AT: u32 = 1;
const OWNER: u32 = 2;
const ENTRIES: u32 = 3;
const MAPPING: u32 = 4;

// First byte of flags: verb in two bits, weight in two, then these.
const CONTACT: u8 = 1 << 4;
const RECOVERY: u8 = 1 << 5;
const ANSWERS: u8 = 1 << 6;
const UPDATED: u8 = 1 << 7;
// Second: kinds of the evidence mix in four bits, then these.
const KINDS: u8 = 0b1111;
const STORE: u8 = 1 << 4;
const PARTNER: u8 = 1 << 5;
const WORST: u8 = 1 << 6;
const OTHER_MAPPING: u8 = 1 << 7;

/// Bytes that every entry has at least: id, flags, type, channel, two times.
const ENTRY_SIZE: usize = 22;

type Owners<'a> = SmallVec<[&'a Arc<str>; 8]>;

pub fn encode(recent: &RecentList, out: &mut Vec<u8>) {
    let Some(newest) = recent.entries.last() else { return };
    let mapping = newest.revision.mapping;
    Writer::new(out).sint(NEWEST_AT, newest.received_at.as_millis());
    Writer::new(out).uint_or_zero(MAPPING, u64::from(mapping));
    // Owners are written once each, in the order in which entries first name them.
    let mut owners = Owners::new();
    for owner in recent.entries.iter().flat_map(|entry| [&entry.store, &entry.partner]).flatten() {
        if index_of(&owners, owner).is_none() {
            owners.push(owner);
            Writer::new(out).bytes(OWNER, owner.as_bytes());
        }
    }
    packed(out, ENTRIES, |out| {
        put_uint(out, recent.entries.len() as u64);
        // Each received time is the difference to the entry before, which is the next newer one.
        let mut newer = newest.received_at;
        for entry in recent.entries.iter().rev() {
            encode_entry(entry, newer, mapping, &owners, out);
            newer = entry.received_at;
        }
    });
}

fn index_of(owners: &Owners<'_>, owner: &Arc<str>) -> Option<usize> {
    owners.iter().position(|held| Arc::ptr_eq(held, owner) || *held == owner)
}

fn encode_entry(entry: &Entry, newer: ReceivedAt, mapping: u32, owners: &Owners<'_>, out: &mut Vec<u8>) {
    let revision = &entry.revision;
    let mut flags = revision.verb.code() | entry.weight.code() << 2;
    for (set, flag) in [
        (entry.contact, CONTACT),
        (entry.recovery, RECOVERY),
        (!entry.answers.is_empty(), ANSWERS),
        (revision.updated_at != 0, UPDATED),
    ] {
        flags |= if set { flag } else { 0 };
    }
    let mut more = entry.mix.iter().enumerate().fold(0, |mask, (kind, &q)| mask | u8::from(q > 0) << kind);
    more |= if entry.store.is_some() { STORE } else { 0 };
    more |= if entry.partner.is_some() { PARTNER } else { 0 };
    more |= if entry.worst_units != entry.v_units { WORST } else { 0 };
    more |= if revision.mapping != mapping { OTHER_MAPPING } else { 0 };
    out.extend_from_slice(&entry.id.0);
    out.extend_from_slice(&[flags, more, entry.kind.code(), entry.channel.code()]);
    if revision.mapping != mapping {
        put_uint(out, u64::from(revision.mapping));
    }
    put_uint(out, newer.as_millis().wrapping_sub(entry.received_at.as_millis()) as u64);
    put_sint(out, since(entry.received_at.as_event_time(), entry.occurred_at));
    if revision.updated_at != 0 {
        put_sint(out, revision.updated_at.wrapping_sub(entry.occurred_at.as_millis()));
    }
    if more & KINDS != 0 {
        put_sint(out, i64::from(entry.v_units));
        if more & WORST != 0 {
            put_sint(out, i64::from(entry.worst_units));
        }
        put_uint(out, u64::from(entry.w_units));
        if (more & KINDS).count_ones() > 1 {
            entry.mix.iter().filter(|&&q| q > 0).for_each(|&q| put_uint(out, u64::from(q)));
        }
    }
    for owner in [&entry.store, &entry.partner].into_iter().flatten() {
        let at = index_of(owners, owner).expect("every owner was written before the entries");
        put_uint(out, at as u64);
    }
    if !entry.answers.is_empty() {
        put_uint(out, entry.answers.len() as u64);
        for &(kind, score) in &entry.answers {
            put_uint(out, u64::from(kind.code()));
            put_double(out, score);
        }
    }
}

pub fn decode(bytes: &[u8], kept: &mut Vec<u8>) -> Result<RecentList, WireError> {
    let mut recent = RecentList::default();
    let (mut newest, mut mapping) = (ReceivedAt::default(), 0);
    let mut owners: SmallVec<[Arc<str>; 8]> = SmallVec::new();
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next()? {
        match field {
            NEWEST_AT => newest = ReceivedAt::from_millis(value.sint(field)?),
            MAPPING => mapping = u32::try_from(value.uint(field)?).map_err(|_| WireError::Impossible(field))?,
            OWNER => owners.push(value.text(field)?.into()),
            ENTRIES => {
                let mut from = Packed::new(value.bytes(field)?, field);
                let count = from.count(ENTRY_SIZE)?;
                // One more is about to come: a list that is read is a list that is added to.
                recent.entries.reserve_exact(count + 1);
                let mut newer = newest;
                for _ in 0..count {
                    newer = decode_entry(&mut from, newer, mapping, &owners, &mut recent.entries)?;
                }
                from.end()?;
                recent.entries.reverse();
            }
            _ => kept.extend_from_slice(reader.last_raw()),
        }
    }
    Ok(recent)
}

/// Reads one entry straight into the list: moving it there would cost as much as reading it.
fn decode_entry(
    from: &mut Packed<'_>,
    newer: ReceivedAt,
    mapping: u32,
    owners: &[Arc<str>],
    entries: &mut Vec<Entry>,
) -> Result<ReceivedAt, WireError> {
    let id = from.id()?;
    let [flags, more, kind, channel] = from.array()?;
    let mapping = if more & OTHER_MAPPING != 0 { from.narrow()? } else { mapping };
    let received_at = ReceivedAt::from_millis(newer.as_millis().wrapping_sub(from.uint()? as i64));
    let occurred_at = before(received_at.as_event_time(), from.sint()?);
    let updated_at = if flags & UPDATED != 0 { from.sint()?.wrapping_add(occurred_at.as_millis()) } else { 0 };
    let (mut v_units, mut worst_units, mut w_units, mut mix) = (0i16, 0i16, 0u16, [0u16; 4]);
    if more & KINDS != 0 {
        v_units = from.narrow_sint()?;
        worst_units = if more & WORST != 0 { from.narrow_sint()? } else { v_units };
        w_units = from.narrow()?;
        let single = (more & KINDS).count_ones() == 1;
        for (kind, q) in mix.iter_mut().enumerate() {
            if more & (1 << kind) != 0 {
                *q = if single { WHOLE_MIX } else { from.narrow()? };
            }
        }
    }
    let mut owner = |flag: u8| -> Result<Option<Arc<str>>, WireError> {
        if more & flag == 0 {
            return Ok(None);
        }
        let at: usize = from.narrow()?;
        owners.get(at).cloned().map(Some).ok_or(from.impossible())
    };
    let (store, partner) = (owner(STORE)?, owner(PARTNER)?);
    let verb = Verb::from_code(u64::from(flags & 0b11)).ok_or(from.impossible())?;
    let weight = TouchpointWeight::from_code(u64::from(flags >> 2 & 0b11)).ok_or(from.impossible())?;
    let kind = TouchpointType::from_code(u64::from(kind)).ok_or(from.impossible())?;
    let channel = Channel::from_code(u64::from(channel)).ok_or(from.impossible())?;
    let answers = if flags & ANSWERS != 0 { decode_answers(from)? } else { SmallVec::new() };
    entries.push(Entry {
        id,
        revision: Revision { updated_at, mapping, verb },
        occurred_at,
        received_at,
        v_units,
        worst_units,
        w_units,
        mix,
        kind,
        channel,
        weight,
        contact: flags & CONTACT != 0,
        recovery: flags & RECOVERY != 0,
        store,
        partner,
        answers,
    });
    Ok(received_at)
}

fn decode_answers(from: &mut Packed<'_>) -> Result<SmallVec<[(EvidenceKind, f64); 1]>, WireError> {
    let count = from.count(9)?;
    (0..count).map(|_| Ok((from.member(EvidenceKind::from_code)?, from.double()?))).collect()
}
