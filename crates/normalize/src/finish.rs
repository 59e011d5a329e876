//! What every draft goes through after its format: tenant, ids, event time, identifiers, evidence of text, response target.

use std::borrow::Cow;

use throughline_model::touchpoint::{Header, Origin, Revision, Text};
use throughline_model::{
    EventTime, IdHasher, OwnerKind, ReceivedAt, Rejection, RejectionReason, TimeQuality, Touchpoint,
};

use crate::blank::is_blank;
use crate::catalog::{self, Catalog};
use crate::draft::{ClaimedTime, Draft};
use crate::envelope::Cloud;
use crate::identifiers::{self, Rules};
use crate::normalizer::{NormalizeCounts, NormalizeOptions, SourceOptions, SourceRecord, header};
use crate::text::TextReader;
use crate::time;

/// An entry that could not be finished, with what was readable of it.
pub(crate) struct Unfinished<'a> {
    pub rejection: Rejection,
    pub producer: Text<'a>,
    pub source_id: Text<'a>,
}

/// Everything that finishing the entries of one record needs.
pub(crate) struct Finish<'n, 'a> {
    options: &'n NormalizeOptions,
    ids: &'n IdHasher,
    text: &'n TextReader,
    source: &'a SourceOptions,
    record: &'n SourceRecord<'a>,
    catalog: &'a Catalog,
    cloud: Option<&'n Cloud<'a>>,
    counts: &'n mut NormalizeCounts,
    resent_id: Option<&'a str>,
    trace: Option<(&'a str, &'a str)>,
    is_replayed: bool,
}

impl<'n, 'a> Finish<'n, 'a> {
    #[allow(clippy::too_many_arguments)] // One caller, which has them all at hand.
    pub fn new(
        options: &'n NormalizeOptions,
        ids: &'n IdHasher,
        text: &'n TextReader,
        source: &'a SourceOptions,
        record: &'n SourceRecord<'a>,
        catalog: &'a Catalog,
        cloud: Option<&'n Cloud<'a>>,
        counts: &'n mut NormalizeCounts,
    ) -> Self {
        let of = |name| header(record.headers, name).filter(|value| !value.is_empty());
        Self {
            options,
            ids,
            text,
            source,
            record,
            catalog,
            cloud,
            counts,
            resent_id: of("throughline_source_id"),
            trace: of("traceparent").map(|parent| (parent, of("tracestate").unwrap_or_default())),
            is_replayed: of("throughline_replay").is_some(),
        }
    }

    /// The touchpoint of a draft.
    pub fn touchpoint(
        &mut self,
        index: u32,
        mut draft: Box<Draft<'a>>,
        mapping: u32,
    ) -> Result<Touchpoint<'a>, Unfinished<'a>> {
        if is_blank(&draft.body.source_id) {
            draft.body.source_id = self.source_id(index);
        }
        draft.body.producer = self.producer(std::mem::take(&mut draft.body.producer));
        if draft.body.system.is_empty() {
            draft.body.system = Cow::Borrowed(&self.source.system);
        }
        let mut header = match self.header(index, &mut draft, mapping) {
            Ok(header) => header,
            Err(rejection) => {
                let body = draft.body;
                return Err(Unfinished { rejection, producer: body.producer, source_id: body.source_id });
            }
        };
        if !draft.text.is_empty() && !draft.labeled {
            self.text.read(&draft.text, &mut draft.body, self.counts);
        }
        self.set_regions(&mut draft, header.occurred_at);
        header.response = self.catalog.response(&draft.body, header.occurred_at).map(Box::new);
        // What validation rejects is named by what is left of it.
        let (producer, source_id) = (draft.body.producer.clone(), draft.body.source_id.clone());
        let Draft { body, .. } = *draft;
        Touchpoint::new(header, body).map_err(|rejection| Unfinished { rejection, producer, source_id })
    }

    /// An entry that was rejected before there was a draft.
    pub fn unfinished(&self, index: u32, rejection: Rejection) -> Unfinished<'a> {
        Unfinished { rejection, producer: self.producer(Cow::Borrowed("")), source_id: self.source_id(index) }
    }

    /// The producer: the record's own word, else the envelope's, else the configured one.
    pub fn producer(&self, said: Text<'a>) -> Text<'a> {
        if !said.is_empty() {
            return said;
        }
        match self.cloud {
            Some(cloud) if !cloud.producer.is_empty() => cloud.producer.clone(),
            _ => Cow::Borrowed(&self.source.producer),
        }
    }

    /// Id of an entry that names none: the header of a record sent again, the envelope, else a hash of the record.
    fn source_id(&self, index: u32) -> Text<'a> {
        let given = match (self.resent_id, self.cloud) {
            // The header speaks of the one entry that is sent again.
            (Some(id), _) => return Cow::Borrowed(id),
            (None, Some(cloud)) => Some(&cloud.source_id),
            (None, None) => None,
        };
        match given {
            Some(id) if index == 0 => Cow::Owned(id.clone()),
            Some(id) => Cow::Owned(format!("{id}/{index}")),
            None => {
                let value = self.record.value.unwrap_or_default();
                let received_at = self.record.received_at.as_millis().to_be_bytes();
                Cow::Owned(self.ids.hash("source", &[value, &received_at, &index.to_be_bytes()]).to_string())
            }
        }
    }

    fn header(&mut self, index: u32, draft: &mut Draft<'a>, mapping: u32) -> Result<Header<'a>, Rejection> {
        if !draft.tenant.is_empty() && draft.tenant != self.ids.tenant() {
            let named: String = draft.tenant.chars().take(100).collect();
            return Err(Rejection::field(RejectionReason::WrongTenant, "tenant", format!("names tenant {named:?}")));
        }
        let (occurred_at, time_quality, received_at) = self.event_time(draft)?;
        let rules = Rules { trust: &self.source.trust, calling_code: &self.source.calling_code };
        let resolved = identifiers::resolve(&draft.identifiers, rules, self.ids);
        self.counts.identifiers_blocked += u64::from(resolved.blocked);
        self.counts.identifiers_cut += u64::from(resolved.cut);
        Ok(Header {
            touchpoint_id: self.ids.touchpoint(&draft.body.system, &draft.body.source_id),
            revision: Revision {
                updated_at: draft.updated_at.map_or(0, EventTime::as_millis),
                mapping,
                verb: draft.verb,
            },
            occurred_at,
            received_at,
            time_quality,
            origin: Origin {
                topic: Cow::Borrowed(self.record.topic),
                partition: self.record.partition,
                offset: self.record.offset,
                entry: index,
            },
            node: resolved.node,
            identifiers: resolved.identifiers,
            relations: identifiers::relate(&draft.relations, &self.source.calling_code, self.ids),
            response: None,
            replayed: self.is_replayed,
            trace: self.trace.map(|(parent, state)| Box::new((Cow::Borrowed(parent), Cow::Borrowed(state)))),
        })
    }

    /// Steps 1 to 6 of the rules for event time.
    fn event_time(&self, draft: &Draft<'a>) -> Result<(EventTime, TimeQuality, ReceivedAt), Rejection> {
        let claimed = match (&draft.time, self.cloud) {
            (ClaimedTime::Missing, Some(cloud)) => &cloud.time,
            (claimed, _) => claimed,
        };
        let received_at = self.record.received_at;
        let missing = (received_at.as_event_time(), TimeQuality::Missing, received_at);
        let (at, quality) = match claimed {
            ClaimedTime::Missing => return Ok(missing),
            ClaimedTime::At(at) => (*at, TimeQuality::Exact),
            // The difference of two readings of one clock is right, however wrong the clock is.
            ClaimedTime::Raw { created, sent: Some(sent), collected: Some(collected) } => {
                let age = sent.as_millis().saturating_sub(created.as_millis());
                (collected.plus_millis(age.saturating_neg()), TimeQuality::Corrected)
            }
            ClaimedTime::Raw { created, .. } => (*created, TimeQuality::Exact),
            ClaimedTime::Local(text) => {
                let zone = self.zone(draft, time::local_millis(text)).ok_or_else(|| {
                    Rejection::field(
                        RejectionReason::TimeZoneUnknown,
                        "occurred_at",
                        "local time, and neither the catalog nor the source names a zone",
                    )
                })?;
                (catalog::local_in(text, zone).ok_or_else(|| unreadable(text))?, TimeQuality::Zoned)
            }
            ClaimedTime::Date(text) => {
                let noon = time::date_days(text).map(|days| days * throughline_model::time::DAY);
                let zone = self.zone(draft, noon);
                (catalog::noon_in(text, zone).ok_or_else(|| unreadable(text))?, TimeQuality::Day)
            }
            ClaimedTime::Unreadable(text) => return Err(unreadable(text)),
        };
        if at < self.options.earliest {
            return Ok(missing);
        }
        if self.options.received_at_event_time {
            return Ok((at, quality, ReceivedAt::from_millis(at.as_millis())));
        }
        if at > received_at.as_event_time().plus_millis(self.options.future_max) {
            return Ok((received_at.as_event_time(), TimeQuality::Clamped, received_at));
        }
        Ok((at, quality, received_at))
    }

    /// Zone of the touchpoint's store or channel, else of the source. The row is chosen by the local time itself: a zone's
    /// offset is smaller than anybody's care about the start of a row.
    fn zone(&self, draft: &Draft<'a>, local: Option<i64>) -> Option<&jiff::tz::TimeZone> {
        let store = draft.body.owner(OwnerKind::Store).unwrap_or_default();
        let at = EventTime::from_millis(local?);
        self.catalog.zone(draft.body.channel, store, at).or(self.source.time_zone.as_ref())
    }

    /// Facts of a store carry its region.
    fn set_regions(&self, draft: &mut Draft<'a>, at: EventTime) {
        if draft.body.facts.is_empty() || self.catalog.is_empty() {
            return;
        }
        let store = draft.body.owner(OwnerKind::Store).unwrap_or_default();
        let Some(region) = self.catalog.region(draft.body.channel, store, at) else { return };
        for fact in &mut draft.body.facts {
            if fact.region.is_empty() || fact.region == "all" {
                fact.region = Cow::Borrowed(region);
            }
        }
    }
}

#[cold]
fn unreadable(text: &str) -> Rejection {
    let text: String = text.chars().take(100).collect();
    Rejection::field(RejectionReason::InvalidField, "occurred_at", format!("not a time: {text:?}"))
}
