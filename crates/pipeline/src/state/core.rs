//! The core part: sums, folded extremes, what was published last.

use throughline_codec::wire::{Reader, WireError, Writer, put_uint};
use throughline_experience::customer::Core;
use throughline_experience::decay::Decayed;
use throughline_experience::memories::{MemoryScope, Moment, Remembered};
use throughline_experience::reasons::Reason;
use throughline_experience::score::PublishedScore;
use throughline_experience::sums::{ChannelSum, Channels};
use throughline_experience::surveys::LatestAnswer;
use throughline_model::{Channel, EventTime, EvidenceKind, Now, TouchpointType};

use super::packed::{Packed, before, packed, put_decayed, put_double, put_opt_sint, put_sint, put_text, since};

const AS_OF: u32 = 1;
const COUNT: u32 = 2;
const MOMENT: u32 = 3;
const RELATIONSHIP: u32 = 4;
const LIFETIME: u32 = 5;
const LIFETIME_C: u32 = 6;
const MIX: u32 = 7;
const CHANNELS: u32 = 8;
const REASONS: u32 = 9;
const MEMORY: u32 = 10;
const SURVEYS: u32 = 11;
const VALENCED_AT: u32 = 12;
const FIRST_AT: u32 = 13;
const SCORES_VERSION: u32 = 14;
const SCORE: u32 = 15;
const CUSTOMERS_VERSION: u32 = 16;
const CUSTOMERS_AT: u32 = 17;
const VIEW_PENDING: u32 = 18;

pub fn encode(core: &Core, out: &mut Vec<u8>) {
    let (as_of, sums) = (core.as_of, &core.sums);
    let mut w = Writer::new(out);
    if as_of != EventTime::default() {
        w.sint(AS_OF, as_of.as_millis());
    }
    // Right behind the first field, so that a restore finds it without reading on.
    w.uint_or_zero(VIEW_PENDING, u64::from(core.published.view_pending));
    w.uint_or_zero(COUNT, u64::from(sums.count));
    if sums.lifetime_c != 0.0 {
        w.double(LIFETIME_C, sums.lifetime_c);
    }
    w.opt_sint(VALENCED_AT, core.folded_valenced_at.map(|at| since(as_of, at)));
    w.opt_sint(FIRST_AT, core.first_at.map(|at| since(as_of, at)));
    w.uint_or_zero(SCORES_VERSION, core.published.scores_version);
    w.uint_or_zero(CUSTOMERS_VERSION, core.published.customers_version);
    w.opt_sint(CUSTOMERS_AT, core.published.customers_at.map(|at| at.as_millis().wrapping_sub(as_of.as_millis())));
    for (field, horizon) in [(MOMENT, &sums.moment), (RELATIONSHIP, &sums.relationship), (LIFETIME, &sums.lifetime)] {
        if *horizon != Decayed::default() {
            packed(out, field, |out| put_decayed(out, horizon));
        }
    }
    if sums.mix != [0.0; 4] {
        packed(out, MIX, |out| encode_mix(&sums.mix, out));
    }
    each(out, CHANNELS, &core.channels.rows, |row, out| encode_channel(row, as_of, out));
    each(out, REASONS, &core.reasons.reasons, |reason, out| encode_reason(reason, as_of, out));
    for remembered in &core.memories.scopes {
        packed(out, MEMORY, |out| encode_memory(remembered, as_of, out));
    }
    each(out, SURVEYS, &core.surveys.answers, |answer, out| encode_answer(answer, as_of, out));
    if let Some(score) = &core.published.score {
        packed(out, SCORE, |out| {
            put_uint(out, u64::from(score.touchpoints));
            score.numbers.iter().for_each(|number| put_opt_sint(out, number.map(i64::from)));
        });
    }
}

/// Whether a single view waits for its ten seconds, without reading the part.
pub fn has_view_pending(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    let mut fields = std::iter::from_fn(|| reader.next().ok().flatten()).take(2);
    fields.any(|(field, value)| field == VIEW_PENDING && value.uint(field).is_ok_and(|pending| pending != 0))
}

/// When the single view was written last, if a later one waits for its ten seconds; without reading the rest of the part.
pub fn view_waits_since(bytes: &[u8]) -> Option<Now> {
    if !has_view_pending(bytes) {
        return None;
    }
    let mut reader = Reader::new(bytes);
    let mut as_of = 0;
    while let Ok(Some((field, value))) = reader.next() {
        match field {
            AS_OF => as_of = value.sint(field).ok()?,
            CUSTOMERS_AT => return Some(Now::from_millis(value.sint(field).ok()?.wrapping_add(as_of))),
            _ => {}
        }
    }
    None
}

/// A list as one packed field, left out if empty.
fn each<T>(out: &mut Vec<u8>, field: u32, items: &[T], mut write: impl FnMut(&T, &mut Vec<u8>)) {
    if !items.is_empty() {
        packed(out, field, |out| {
            put_uint(out, items.len() as u64);
            items.iter().for_each(|item| write(item, out));
        });
    }
}

fn encode_mix(mix: &[f64; 4], out: &mut Vec<u8>) {
    let at = out.len();
    out.push(0);
    for (kind, &share) in mix.iter().enumerate() {
        if share != 0.0 {
            out[at] |= 1 << kind;
            put_double(out, share);
        }
    }
}

fn encode_channel(row: &ChannelSum, as_of: EventTime, out: &mut Vec<u8>) {
    put_uint(out, u64::from(row.channel.code()));
    put_opt_sint(out, row.folded_last_at.map(|at| since(as_of, at)));
    put_uint(out, u64::from(row.count));
    if row.count > 0 {
        put_decayed(out, &row.sums);
    } else {
        put_sint(out, i64::from(row.sums.landmark));
    }
}

fn encode_reason(reason: &Reason, as_of: EventTime, out: &mut Vec<u8>) {
    out.extend_from_slice(&reason.id.0);
    put_sint(out, since(as_of, reason.occurred_at));
    put_sint(out, i64::from(reason.v_units));
    put_uint(out, u64::from(reason.w_units));
    put_uint(out, u64::from(reason.kind.code()));
}

fn encode_memory(remembered: &Remembered, as_of: EventTime, out: &mut Vec<u8>) {
    let (kind, id) = match &remembered.scope {
        MemoryScope::Brand => (0, ""),
        MemoryScope::Store(id) => (1, id.as_ref()),
        MemoryScope::Partner(id) => (2, id.as_ref()),
    };
    let moments = u64::from(remembered.worst.is_some()) | u64::from(remembered.best.is_some()) << 1;
    put_uint(out, kind);
    put_text(out, id);
    put_uint(out, moments);
    for moment in [&remembered.worst, &remembered.best].into_iter().flatten() {
        out.extend_from_slice(&moment.id.0);
        put_sint(out, since(as_of, moment.occurred_at));
        put_sint(out, i64::from(moment.v_units));
        put_uint(out, u64::from(moment.magnitude_units));
    }
    put_opt_sint(out, remembered.recovered_at.map(|at| since(as_of, at)));
}

fn encode_answer(answer: &LatestAnswer, as_of: EventTime, out: &mut Vec<u8>) {
    put_uint(out, u64::from(answer.instrument.code()));
    put_double(out, answer.score);
    put_sint(out, since(as_of, answer.answered_at));
    out.extend_from_slice(&answer.id.0);
}

/// Reads into an empty part: moving a part this large would cost more than reading it.
pub fn decode(bytes: &[u8], core: &mut Core, kept: &mut Vec<u8>) -> Result<(), WireError> {
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next()? {
        let as_of = core.as_of;
        let inside = || value.bytes(field).map(|bytes| Packed::new(bytes, field));
        match field {
            AS_OF => core.as_of = EventTime::from_millis(value.sint(field)?),
            COUNT => core.sums.count = narrow(value.uint(field)?, field)?,
            MOMENT => core.sums.moment = whole(inside()?, Packed::decayed)?,
            RELATIONSHIP => core.sums.relationship = whole(inside()?, Packed::decayed)?,
            LIFETIME => core.sums.lifetime = whole(inside()?, Packed::decayed)?,
            LIFETIME_C => core.sums.lifetime_c = value.double(field)?,
            MIX => core.sums.mix = whole(inside()?, decode_mix)?,
            CHANNELS => core.channels = Channels { rows: list(inside()?, 4, |from| decode_channel(from, as_of))? },
            REASONS => core.reasons.reasons = list(inside()?, 20, |from| decode_reason(from, as_of))?,
            MEMORY => core.memories.scopes.push(whole(inside()?, |from| decode_memory(from, as_of))?),
            SURVEYS => core.surveys.answers = list(inside()?, 26, |from| decode_answer(from, as_of))?,
            VALENCED_AT => core.folded_valenced_at = Some(before(as_of, value.sint(field)?)),
            FIRST_AT => core.first_at = Some(before(as_of, value.sint(field)?)),
            SCORES_VERSION => core.published.scores_version = value.uint(field)?,
            SCORE => core.published.score = Some(whole(inside()?, decode_score)?),
            CUSTOMERS_VERSION => core.published.customers_version = value.uint(field)?,
            CUSTOMERS_AT => {
                core.published.customers_at = Some(Now::from_millis(value.sint(field)?.wrapping_add(as_of.as_millis())))
            }
            VIEW_PENDING => core.published.view_pending = value.uint(field)? != 0,
            _ => kept.extend_from_slice(reader.last_raw()),
        }
    }
    Ok(())
}

/// One packed value that fills its field.
pub fn whole<'a, T>(
    mut packed: Packed<'a>,
    read: impl FnOnce(&mut Packed<'a>) -> Result<T, WireError>,
) -> Result<T, WireError> {
    let value = read(&mut packed)?;
    packed.end().map(|()| value)
}

/// A list that fills its field: count, then as many values of at least `size` bytes.
pub fn list<'a, T>(
    mut packed: Packed<'a>,
    size: usize,
    mut read: impl FnMut(&mut Packed<'a>) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let count = packed.count(size)?;
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        values.push(read(&mut packed)?);
    }
    packed.end().map(|()| values)
}

fn narrow<T: TryFrom<u64>>(value: u64, field: u32) -> Result<T, WireError> {
    T::try_from(value).map_err(|_| WireError::Impossible(field))
}

fn decode_mix(from: &mut Packed<'_>) -> Result<[f64; 4], WireError> {
    let kinds = from.byte()?;
    let mut mix = [0.0; 4];
    for (kind, share) in mix.iter_mut().enumerate() {
        if kinds & (1 << kind) != 0 {
            *share = from.double()?;
        }
    }
    Ok(mix)
}

fn decode_channel(from: &mut Packed<'_>, as_of: EventTime) -> Result<ChannelSum, WireError> {
    let channel = from.member(Channel::from_code)?;
    let folded_last_at = from.opt_sint()?.map(|difference| before(as_of, difference));
    let count = from.narrow()?;
    let sums =
        if count > 0 { from.decayed()? } else { Decayed { landmark: from.narrow_sint()?, ..Decayed::default() } };
    Ok(ChannelSum { channel, sums, count, folded_last_at })
}

fn decode_reason(from: &mut Packed<'_>, as_of: EventTime) -> Result<Reason, WireError> {
    Ok(Reason {
        id: from.id()?,
        occurred_at: before(as_of, from.sint()?),
        v_units: from.narrow_sint()?,
        w_units: from.narrow()?,
        kind: from.member(TouchpointType::from_code)?,
    })
}

fn decode_memory(from: &mut Packed<'_>, as_of: EventTime) -> Result<Remembered, WireError> {
    let kind = from.uint()?;
    let id = from.text()?;
    let scope = match kind {
        0 => MemoryScope::Brand,
        1 => MemoryScope::Store(id.into()),
        2 => MemoryScope::Partner(id.into()),
        _ => return Err(from.impossible()),
    };
    let moments = from.uint()?;
    let worst = (moments & 1 != 0).then(|| decode_moment(from, as_of)).transpose()?;
    let best = (moments & 2 != 0).then(|| decode_moment(from, as_of)).transpose()?;
    let recovered_at = from.opt_sint()?.map(|difference| before(as_of, difference));
    Ok(Remembered { scope, worst, best, recovered_at })
}

fn decode_moment(from: &mut Packed<'_>, as_of: EventTime) -> Result<Moment, WireError> {
    Ok(Moment {
        id: from.id()?,
        occurred_at: before(as_of, from.sint()?),
        v_units: from.narrow_sint()?,
        magnitude_units: from.narrow()?,
    })
}

fn decode_answer(from: &mut Packed<'_>, as_of: EventTime) -> Result<LatestAnswer, WireError> {
    Ok(LatestAnswer {
        instrument: from.member(EvidenceKind::from_code)?,
        score: from.double()?,
        answered_at: before(as_of, from.sint()?),
        id: from.id()?,
    })
}

fn decode_score(from: &mut Packed<'_>) -> Result<PublishedScore, WireError> {
    let touchpoints = from.narrow()?;
    let mut numbers = [None; 8];
    for number in &mut numbers {
        *number = match from.opt_sint()? {
            Some(units) => Some(i32::try_from(units).map_err(|_| from.impossible())?),
            None => None,
        };
    }
    Ok(PublishedScore { touchpoints, numbers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_that_waits_is_found_as_a_decoded_customer_tells_it() {
        let times = [None, Some(0), Some(70), Some(5_000), Some(-3)];
        for (as_of, customers_at) in [0, 5_000].into_iter().flat_map(|as_of| times.map(|at| (as_of, at))) {
            for view_pending in [false, true] {
                let mut core = Core { as_of: EventTime::from_millis(as_of), ..Core::default() };
                core.published.customers_at = customers_at.map(Now::from_millis);
                core.published.view_pending = view_pending;
                let mut bytes = Vec::new();
                encode(&core, &mut bytes);
                let (mut read, mut kept) = (Core::default(), Vec::new());
                decode(&bytes, &mut read, &mut kept).expect("what was written");
                assert_eq!(has_view_pending(&bytes), read.published.view_pending);
                let since = read.published.customers_at.filter(|_| read.published.view_pending);
                assert_eq!(view_waits_since(&bytes), since, "{as_of} {customers_at:?} {view_pending}");
            }
        }
    }
}
