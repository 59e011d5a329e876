//! The channel catalog: zones, open hours and first-response targets of channels and stores.
//!
//! The only table that normalize keeps. Rows hold from their `valid_from` to the next row of the same kind, channel and
//! store; the row is chosen by event time, so that a replay gives the same answer.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use throughline_model::touchpoint::{Body, ResponseStamp, Text};
use throughline_model::{Channel, Direction, EventTime, Rejection, RejectionReason, Severity, UrgentTag};

use crate::draft::ClaimedTime;
use crate::json::{self, Int, Many, Obj, Str};
use crate::time;

/// Days after which the search for open time gives up: a channel that never opens has no due time.
const DAYS_MAX: i32 = 400;
/// Confidence from which an urgent tag counts.
const URGENT_CONFIDENCE: f64 = 0.7;

/// All rows, by what they are about and the time they hold from.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    rows: BTreeMap<Subject, BTreeMap<i64, Row>>,
    /// Record keys, because a removal has a key and no value.
    keys: BTreeMap<Vec<u8>, (Subject, i64)>,
}

/// What a row is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    /// None for a row of a store.
    channel: Option<Channel>,
    /// Empty for a row of the channel as a whole.
    store: String,
}

/// One row.
#[derive(Debug, Clone)]
pub struct Row {
    /// First-response target in open time, milliseconds.
    target_ms: Option<i64>,
    target_severe_ms: Option<i64>,
    target_urgent_ms: Option<i64>,
    /// Open intervals by weekday, Monday first; empty: always open.
    hours: [Vec<(Time, Time)>; 7],
    always_open: bool,
    zone: Option<TimeZone>,
    holidays: Vec<Date>,
    region: String,
    version: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Wire<'a> {
    #[serde(borrow)]
    kind: Str<'a>,
    #[serde(borrow)]
    channel: Str<'a>,
    #[serde(borrow)]
    store: Str<'a>,
    target_ms: Int,
    target_severe_ms: Int,
    target_urgent_ms: Int,
    #[serde(borrow)]
    hours: Many<Obj<WireHours<'a>>>,
    #[serde(borrow)]
    time_zone: Str<'a>,
    #[serde(borrow)]
    holidays: Many<Str<'a>>,
    #[serde(borrow)]
    region: Str<'a>,
    #[serde(borrow)]
    valid_from: json::Time<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireHours<'a> {
    weekday: Int,
    #[serde(borrow)]
    from: Str<'a>,
    #[serde(borrow)]
    to: Str<'a>,
}

fn invalid(field: &'static str, detail: impl Into<String>) -> Rejection {
    Rejection::field(RejectionReason::InvalidField, field, detail.into())
}

impl Catalog {
    /// Takes in one record of the catalog topic: a row, or its removal by a null value.
    ///
    /// # Errors
    /// A row that cannot be read; the catalog stays as it was.
    pub fn apply(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Rejection> {
        let Some(value) = value else {
            if let Some((subject, from)) = self.keys.remove(key)
                && let Some(rows) = self.rows.get_mut(&subject)
            {
                rows.remove(&from);
            }
            return Ok(());
        };
        let text =
            std::str::from_utf8(value).map_err(|_| Rejection::new(RejectionReason::Undecodable, "not UTF-8 text"))?;
        let (subject, from, row) = read_row(text)?;
        if let Some((old, old_from)) = self.keys.insert(key.to_vec(), (subject.clone(), from))
            && let Some(rows) = self.rows.get_mut(&old)
        {
            rows.remove(&old_from);
        }
        self.rows.entry(subject).or_default().insert(from, row);
        Ok(())
    }

    /// How many rows it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.values().map(BTreeMap::len).sum()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn row(&self, channel: Option<Channel>, store: &str, at: EventTime) -> Option<&Row> {
        // Most deployments have few rows or none: no owned key is made for a look-up in nothing.
        if self.rows.is_empty() {
            return None;
        }
        let rows = self.rows.get(&Subject { channel, store: store.to_owned() })?;
        rows.range(..=at.as_millis()).next_back().map(|(_, row)| row)
    }

    /// The rows that apply, most specific first: channel in this store, store, channel.
    fn rows_for(&self, channel: Channel, store: &str, at: EventTime) -> [Option<&Row>; 3] {
        if self.rows.is_empty() {
            return [None; 3];
        }
        let in_store = |channel| if store.is_empty() { None } else { self.row(channel, store, at) };
        [in_store(Some(channel)), in_store(None), self.row(Some(channel), "", at)]
    }

    /// Zone of the store or channel at that time.
    #[must_use]
    pub fn zone(&self, channel: Channel, store: &str, at: EventTime) -> Option<&TimeZone> {
        self.rows_for(channel, store, at).into_iter().flatten().find_map(|row| row.zone.as_ref())
    }

    /// Region of the store or channel for value facts.
    #[must_use]
    pub fn region(&self, channel: Channel, store: &str, at: EventTime) -> Option<&str> {
        let rows = self.rows_for(channel, store, at).into_iter().flatten();
        rows.map(|row| row.region.as_str()).find(|region| !region.is_empty())
    }

    /// First-response target and due time of an inbound touchpoint that starts a clock; none where nobody promised one.
    #[must_use]
    pub fn response<'a>(&'a self, body: &Body<'_>, at: EventTime) -> Option<ResponseStamp<'a>> {
        if !body.kind.row().is_contact() || body.direction != Direction::Inbound {
            return None;
        }
        let store = body.owner(throughline_model::OwnerKind::Store).unwrap_or_default();
        let rows = self.rows_for(body.channel, store, at);
        let row = rows.into_iter().flatten().next();
        let target_ms = target(row, body)?;
        let due_at = match row {
            Some(row) => row.due(at, target_ms)?,
            None => at.plus_millis(target_ms),
        };
        let catalog_version = Text::Borrowed(row.map_or("", |row| row.version.as_str()));
        Some(ResponseStamp { target_ms, due_at, catalog_version })
    }
}

/// The smallest target that applies; the defaults where the catalog is silent.
fn target(row: Option<&Row>, body: &Body<'_>) -> Option<i64> {
    let plain = row.and_then(|row| row.target_ms).or_else(|| default_target(body.channel))?;
    let is_severe = body.severity == Severity::Severe;
    let is_urgent = body.need.as_ref().is_some_and(|need| {
        need.tags
            .iter()
            .any(|(tag, confidence)| UrgentTag::from_name(tag).is_some() && *confidence >= URGENT_CONFIDENCE)
    });
    let severe = row.and_then(|row| row.target_severe_ms).filter(|_| is_severe);
    let urgent = row.and_then(|row| row.target_urgent_ms).filter(|_| is_urgent);
    [Some(plain), severe, urgent].into_iter().flatten().min()
}

/// Default first-response targets in milliseconds: phone 20 s, chat 60 s, social 60 min, mail and forms 24 h, store 3 min.
const fn default_target(channel: Channel) -> Option<i64> {
    match channel {
        Channel::Phone => Some(20_000),
        Channel::Chat => Some(60_000),
        Channel::Social => Some(3_600_000),
        Channel::Email | Channel::Web | Channel::App => Some(86_400_000),
        Channel::Store => Some(180_000),
        Channel::Review | Channel::Field | Channel::Partner | Channel::Survey => None,
    }
}

fn read_row(text: &str) -> Result<(Subject, i64, Row), Rejection> {
    let wire: Wire<'_> = json::from_str(text)?;
    let subject = match &*wire.kind {
        "channel" => {
            let channel = Channel::from_name(&wire.channel).ok_or_else(|| invalid("channel", "unknown channel"))?;
            Subject { channel: Some(channel), store: wire.store.to_string() }
        }
        "store" if wire.store.some().is_some() => Subject { channel: None, store: wire.store.to_string() },
        "store" => return Err(Rejection::field(RejectionReason::MissingField, "store", "a store row names its store")),
        _ => return Err(invalid("kind", "neither channel nor store")),
    };
    let from = match &wire.valid_from.0 {
        ClaimedTime::Missing => i64::MIN,
        ClaimedTime::At(at) => at.as_millis(),
        _ => return Err(invalid("valid_from", "not a time with a zone")),
    };
    let zone = match wire.time_zone.some() {
        None => None,
        Some(name) => Some(zone_named(name).ok_or_else(|| invalid("time_zone", "unknown time zone"))?),
    };
    let mut hours: [Vec<(Time, Time)>; 7] = Default::default();
    for open in &*wire.hours {
        let weekday =
            open.weekday.0.filter(|day| (1..=7).contains(day)).ok_or_else(|| invalid("hours", "weekday is 1..7"))?;
        let from = clock(&open.from).ok_or_else(|| invalid("hours", "from is HH:MM"))?;
        let to = clock(&open.to).ok_or_else(|| invalid("hours", "to is HH:MM"))?;
        hours[usize::try_from(weekday - 1).expect("1..7")].push((from, to));
    }
    let holidays = wire.holidays.iter().map(|day| day.trim().parse().map_err(|_| invalid("holidays", "not a date")));
    let row = Row {
        target_ms: positive(wire.target_ms, "target_ms")?,
        target_severe_ms: positive(wire.target_severe_ms, "target_severe_ms")?,
        target_urgent_ms: positive(wire.target_urgent_ms, "target_urgent_ms")?,
        always_open: hours.iter().all(Vec::is_empty),
        hours,
        zone,
        holidays: holidays.collect::<Result<_, _>>()?,
        region: wire.region.to_string(),
        version: version_of(text),
    };
    Ok((subject, from, row))
}

fn positive(number: Int, field: &'static str) -> Result<Option<i64>, Rejection> {
    match number.0 {
        Some(millis) if millis <= 0 => Err(invalid(field, "not a positive number of milliseconds")),
        other => Ok(other),
    }
}

/// A zone by its IANA name, from the tables inside the binary: the machine's own differ between machines.
#[must_use]
pub fn zone_named(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name.trim()).ok()
}

fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (i8, i8) = (hour.parse().ok()?, minute.get(..2)?.parse().ok()?);
    // 24:00 is how people write the end of the day.
    if (hour, minute) == (24, 0) { Some(Time::midnight()) } else { Time::new(hour, minute, 0, 0).ok() }
}

/// Hash of the row: 16 hex digits of FNV-1a over its text, which names a version and protects nothing.
fn version_of(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

impl Row {
    /// The instant at which `target_ms` of open time have passed.
    fn due(&self, at: EventTime, target_ms: i64) -> Option<EventTime> {
        if self.always_open && self.holidays.is_empty() {
            return Some(at.plus_millis(target_ms));
        }
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        let start = Timestamp::from_millisecond(at.as_millis()).ok()?;
        // Yesterday's hours may run over midnight into today.
        let mut day = start.to_zoned(zone.clone()).date().yesterday().ok()?;
        let mut left = target_ms;
        let mut from = at.as_millis();
        for _ in 0..DAYS_MAX {
            for (open, close) in self.open_on(day, &zone)? {
                let open = open.max(from);
                if open >= close {
                    continue;
                }
                if close - open >= left {
                    return Some(EventTime::from_millis(open + left));
                }
                left -= close - open;
                // Overlapping hours of one day count once.
                from = close;
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// Open intervals that start on `day`, in milliseconds, in order.
    fn open_on(&self, day: Date, zone: &TimeZone) -> Option<Vec<(i64, i64)>> {
        if self.holidays.contains(&day) {
            return Some(Vec::new());
        }
        let instant = |local: DateTime| zone.to_timestamp(local).map(Timestamp::as_millisecond).ok();
        if self.always_open {
            return Some(vec![(instant(day.at(0, 0, 0, 0))?, instant(day.tomorrow().ok()?.at(0, 0, 0, 0))?)]);
        }
        let at = usize::try_from(day.weekday().to_monday_zero_offset()).expect("0..6");
        let mut intervals = Vec::with_capacity(self.hours[at].len());
        for (from, to) in &self.hours[at] {
            let end = if to <= from { day.checked_add(1.day()).ok()? } else { day };
            intervals.push((instant(day.to_datetime(*from))?, instant(end.to_datetime(*to))?));
        }
        intervals.sort_unstable();
        Some(intervals)
    }
}

/// The instant of a local date and time in a zone; times that a clock change skips are moved past it.
#[must_use]
pub fn local_in(text: &str, zone: &TimeZone) -> Option<EventTime> {
    let local = Timestamp::from_millisecond(time::local_millis(text)?).ok()?;
    let local = TimeZone::UTC.to_datetime(local);
    zone.to_timestamp(local).ok().map(|at| EventTime::from_millis(at.as_millisecond()))
}

/// Noon of a date in a zone.
#[must_use]
pub fn noon_in(text: &str, zone: Option<&TimeZone>) -> Option<EventTime> {
    let noon = time::date_days(text)? * throughline_model::time::DAY + 12 * throughline_model::time::HOUR;
    let Some(zone) = zone else { return Some(EventTime::from_millis(noon)) };
    let local = TimeZone::UTC.to_datetime(Timestamp::from_millisecond(noon).ok()?);
    zone.to_timestamp(local).ok().map(|at| EventTime::from_millis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use throughline_model::{OwnerKind, SourceKind, TouchpointType};

    fn at(text: &str) -> EventTime {
        json::from_str::<json::Time<'_>>(&format!("{text:?}")).expect("time").at().expect("zone")
    }

    fn catalog(rows: &[&str]) -> Catalog {
        let mut catalog = Catalog::default();
        for (key, row) in rows.iter().enumerate() {
            catalog.apply(key.to_string().as_bytes(), Some(row.as_bytes())).expect("row");
        }
        catalog
    }

    fn request(store: &str) -> Body<'static> {
        let mut body = Body::new(TouchpointType::AssistRequested, Channel::Store, SourceKind::Store);
        body.set_owner(OwnerKind::Store, store.to_owned());
        body
    }

    const BERLIN: &str = r#"{"kind":"store","store":"s1","time_zone":"Europe/Berlin","target_ms":3600000,
        "hours":[{"weekday":5,"from":"09:00","to":"18:00"},{"weekday":1,"from":"09:00","to":"18:00"}],
        "holidays":["2026-11-30"]}"#;

    #[test]
    fn due_times_count_open_time_only() {
        let catalog = catalog(&[BERLIN]);
        // Friday 17:30 in Berlin: half an hour on Friday, Monday is a holiday, the rest on Friday after.
        let stamp = catalog.response(&request("s1"), at("2026-11-27T16:30:00Z")).expect("stamp");
        assert_eq!((stamp.target_ms, stamp.due_at), (3_600_000, at("2026-12-04T08:30:00Z")));
        assert_eq!(stamp.catalog_version.len(), 16);
    }

    #[test]
    fn hours_over_midnight_belong_to_the_day_they_start() {
        let catalog = catalog(&[r#"{"kind":"channel","channel":"store","target_ms":3600000,
            "hours":[{"weekday":5,"from":"22:00","to":"02:00"}]}"#]);
        let stamp = catalog.response(&request(""), at("2026-11-28T00:30:00Z")).expect("stamp");
        assert_eq!(stamp.due_at, at("2026-11-28T01:30:00Z"));
    }

    #[test]
    fn defaults_hold_where_the_catalog_is_silent() {
        let catalog = Catalog::default();
        let start = at("2026-11-27T16:30:00Z");
        assert_eq!(catalog.response(&request(""), start).map(|stamp| stamp.target_ms), Some(180_000));
        let page = Body::new(TouchpointType::PageViewed, Channel::Web, SourceKind::Web);
        assert_eq!(catalog.response(&page, start), None);
    }

    #[test]
    fn the_row_valid_at_event_time_holds_and_removals_count() {
        let row = |target: i64, from: &str| {
            format!(r#"{{"kind":"channel","channel":"store","target_ms":{target},"valid_from":"{from}"}}"#)
        };
        let mut catalog = catalog(&[&row(1_000, "2026-01-01T00:00:00Z"), &row(2_000, "2026-06-01T00:00:00Z")]);
        let target =
            |catalog: &Catalog, time: &str| catalog.response(&request(""), at(time)).map(|stamp| stamp.target_ms);
        assert_eq!(target(&catalog, "2026-05-31T00:00:00Z"), Some(1_000));
        assert_eq!(target(&catalog, "2026-06-01T00:00:00Z"), Some(2_000));
        assert_eq!(target(&catalog, "2025-06-01T00:00:00Z"), Some(180_000));
        catalog.apply(b"1", None).expect("removed");
        assert_eq!(target(&catalog, "2026-06-01T00:00:00Z"), Some(1_000));
        assert_eq!(catalog.len(), 1);
    }

    #[test]
    fn local_times_take_the_zone_of_their_store() {
        let catalog = catalog(&[BERLIN]);
        let zone = catalog.zone(Channel::Store, "s1", at("2026-07-01T00:00:00Z")).expect("zone");
        assert_eq!(local_in("2026-07-01T10:00:00", zone), Some(at("2026-07-01T08:00:00Z")));
        assert_eq!(noon_in("2026-01-01", Some(zone)), Some(at("2026-01-01T11:00:00Z")));
        assert_eq!(noon_in("2026-01-01", None), Some(at("2026-01-01T12:00:00Z")));
        assert_eq!(catalog.zone(Channel::Web, "", at("2026-07-01T00:00:00Z")), None);
    }

    #[test]
    fn bad_rows_are_named() {
        let mut catalog = Catalog::default();
        for (row, field) in [
            (r#"{"kind":"x"}"#, "kind"),
            (r#"{"kind":"store"}"#, "store"),
            (r#"{"kind":"channel","channel":"fax"}"#, "channel"),
            (r#"{"kind":"channel","channel":"web","time_zone":"Mars/Base"}"#, "time_zone"),
            (r#"{"kind":"channel","channel":"web","hours":[{"weekday":8,"from":"1:00","to":"2:00"}]}"#, "hours"),
            (r#"{"kind":"channel","channel":"web","target_ms":-5}"#, "target_ms"),
        ] {
            assert_eq!(catalog.apply(b"k", Some(row.as_bytes())).expect_err(row).field, field);
        }
        assert!(catalog.is_empty());
    }
}
