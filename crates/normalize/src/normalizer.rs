//! One record in, its entries out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use smallvec::SmallVec;
use throughline_model::touchpoint::Text;
use throughline_model::{
    EventTime, IdHasher, ReceivedAt, Rejection, RejectionReason, SourceKind, Touchpoint, TouchpointType, Trust,
    WithheldReason,
};

use crate::catalog::Catalog;
use crate::draft::Draft;
use crate::envelope::{self, Cloud, Documents, ENTRIES_MAX};
use crate::finish::{Finish, Unfinished};
use crate::format::{Entries, Format, Headers, Keep, NameMap, Payload};
use crate::formats::{self, contract, contract::ContractSchema};
use crate::shape::Shape;
use crate::text::TextReader;

/// Settings of all sources.
#[derive(Debug, Clone)]
pub struct NormalizeOptions {
    /// Event times before it are taken for missing; default 2000-01-01.
    pub earliest: EventTime,
    /// How far an event time may lie after the received time, milliseconds; default 5 minutes.
    pub future_max: i64,
    /// Take the received time to be the event time, where the record has one: for files that nobody received
    /// (`try`, `test`, `demo`).
    pub received_at_event_time: bool,
    /// Names removed from text before it is scored, since "Lovely Ltd" praises nobody.
    pub brand_names: Vec<String>,
}

impl Default for NormalizeOptions {
    fn default() -> Self {
        Self {
            earliest: EventTime::from_millis(946_684_800_000),
            future_max: 5 * throughline_model::time::MINUTE,
            received_at_event_time: false,
            brand_names: Vec::new(),
        }
    }
}

/// Which formats the topics of a source carry.
#[derive(Debug, Clone, Default)]
pub enum Formats {
    /// Any, found by its shape.
    #[default]
    Auto,
    /// These. A single one is not looked for by shape.
    Only(Vec<&'static dyn Format>),
}

/// How values are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Avro where the value starts with the magic byte, else text.
    #[default]
    Auto,
    /// Text: JSON, tab-separated.
    Json,
    /// Avro in the wire format of the schema registry.
    Avro,
}

/// Settings of one source.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// Its configured name.
    pub name: String,
    /// What kind of feed it is.
    pub kind: SourceKind,
    /// Formats its topics carry.
    pub formats: Formats,
    /// Source system, part of touchpoint ids: feeds that speak of the same things share it. Defaults to the name.
    pub system: String,
    /// The `source` part of `visit` identifiers: feeds that share order or booking numbers share it. Defaults to the name.
    pub visits: String,
    /// Team or process that produces the records, for its report card. Defaults to the name.
    pub producer: String,
    /// The deployment's map from names of the source to touchpoint types.
    pub names: BTreeMap<String, TouchpointType>,
    /// Fields whose trust the deployment moved.
    pub trust: Vec<(String, Trust)>,
    /// How values are encoded.
    pub encoding: Encoding,
    /// Zone of local times where the catalog has no row.
    pub time_zone: Option<TimeZone>,
    /// Country calling code of national phone numbers, digits only; empty if unknown.
    pub calling_code: String,
    /// How late a record may be and still be in time.
    pub lateness: Duration,
    /// Silence after which a partition that is read to its end no longer holds time back.
    pub idle_after: Duration,
}

impl SourceOptions {
    /// A source with the defaults.
    #[must_use]
    pub fn new(name: &str, kind: SourceKind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            formats: Formats::Auto,
            system: name.to_owned(),
            visits: name.to_owned(),
            producer: name.to_owned(),
            names: BTreeMap::new(),
            trust: Vec::new(),
            encoding: Encoding::Auto,
            time_zone: None,
            calling_code: String::new(),
            lateness: Duration::from_secs(match kind {
                SourceKind::Store | SourceKind::Partner => 300,
                _ => 5,
            }),
            idle_after: Duration::from_secs(30),
        }
    }
}

#[derive(Debug)]
struct Names<'a>(&'a BTreeMap<String, TouchpointType>);

impl NameMap for Names<'_> {
    fn kind_of(&self, name: &str) -> Option<TouchpointType> {
        self.0.get(name).copied()
    }
}

/// A record of a source topic.
#[derive(Debug, Clone, Copy)]
pub struct SourceRecord<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Kafka timestamp.
    pub received_at: ReceivedAt,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value.
    pub value: Option<&'a [u8]>,
    /// Headers.
    pub headers: &'a dyn Headers,
}

/// Answers of a schema registry, from its cache.
pub trait SchemaSource {
    /// The schema of that id.
    fn schema(&self, id: u32) -> Lookup;
}

/// What is known about a schema id.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// One of the contract.
    Known(Arc<ContractSchema>),
    /// The registry has no such id, or it is the id of something else.
    Unknown,
    /// Nobody knows yet: ask again after the registry answered.
    Pending,
}

/// No registry is configured: every id is unknown.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSchemas;

impl SchemaSource for NoSchemas {
    fn schema(&self, _: u32) -> Lookup {
        Lookup::Unknown
    }
}

/// The record needs a schema that is not cached: nothing was emitted, its partition pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("schema {0} is not known yet")]
pub struct NeedSchema(pub u32);

/// What became of one entry of a record.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // Nearly every entry is a touchpoint; boxing it would cost each of them.
pub enum Entry<'a> {
    /// A touchpoint.
    Touchpoint(Touchpoint<'a>),
    /// Nothing to count, on purpose.
    Withheld {
        /// Why.
        reason: WithheldReason,
        /// Name in the source.
        name: Text<'a>,
        /// Format.
        format: &'static str,
        /// Who produced it.
        producer: Text<'a>,
    },
    /// Bad input.
    Rejected {
        /// Why.
        rejection: Rejection,
        /// Format, empty if none was found.
        format: &'static str,
        /// Version of the format's mapping, 0 if none was found.
        mapping: u32,
        /// Who produced it.
        producer: Text<'a>,
        /// The source's id as far as it was readable, else the derived one, which a retry carries.
        source_id: Text<'a>,
    },
}

/// Counts for metrics, since they were last taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NormalizeCounts {
    /// Texts that no evidence was taken from, because of their language.
    pub text_unscored: u64,
    /// Identifiers that name nobody.
    pub identifiers_blocked: u64,
    /// Identifiers beyond the twentieth.
    pub identifiers_cut: u64,
}

/// Turns source records into touchpoints. Pure: what it says depends on the record, the options and the catalog alone.
#[derive(Debug)]
pub struct Normalizer {
    options: NormalizeOptions,
    ids: IdHasher,
    text: TextReader,
    counts: NormalizeCounts,
    /// The format that was found last: where records of one kind follow each other, its shape need not be looked at again.
    /// It decides how fast an answer is, never what it is.
    last: Option<&'static dyn Format>,
}

impl Normalizer {
    /// A normalizer with these options for the deployment and tenant of `ids`.
    #[must_use]
    pub fn new(options: NormalizeOptions, ids: IdHasher) -> Self {
        let text = TextReader::new(&options.brand_names);
        Self { options, ids, text, counts: NormalizeCounts::default(), last: None }
    }

    /// The hasher of the deployment.
    #[must_use]
    pub const fn ids(&self) -> &IdHasher {
        &self.ids
    }

    /// Counts since the last call.
    pub fn take_counts(&mut self) -> NormalizeCounts {
        std::mem::take(&mut self.counts)
    }

    /// Normalizes one record. `sink` gets each entry with its index in the record, in order; every entry has one fate.
    ///
    /// # Errors
    /// The record's schema is not known yet; nothing was given to `sink`.
    pub fn normalize(
        &mut self,
        source: &SourceOptions,
        record: &SourceRecord<'_>,
        schemas: &dyn SchemaSource,
        catalog: &Catalog,
        sink: &mut dyn FnMut(u32, Entry<'_>),
    ) -> Result<(), NeedSchema> {
        let keep = Keep::new();
        let names = Names(&source.names);
        let mut reading = Reading {
            source,
            record,
            names: &names,
            keep: &keep,
            cloud: envelope::binary_cloud(record.headers),
            last: self.last,
            collected: Collected { items: SmallVec::new(), format: None, count: 0 },
        };
        let read = match reading.read(schemas) {
            Err(Stop::NeedSchema(id)) => return Err(NeedSchema(id)),
            Err(Stop::Rejected(rejection)) => Err(rejection),
            Ok(()) if reading.collected.count > ENTRIES_MAX => Err(envelope::too_many(reading.collected.count)),
            Ok(()) => Ok(()),
        };
        let Reading { collected, cloud, last, .. } = reading;
        self.last = last;
        let mut items = match read {
            Ok(()) => collected.items,
            Err(rejection) => SmallVec::from_iter([(Item::Rejected(rejection), collected.format)]),
        };
        let only = header(record.headers, "throughline_entry").and_then(|index| index.parse::<u32>().ok());
        let whole = items.len() == 1;
        let mut finish = Finish::new(
            &self.options,
            &self.ids,
            &self.text,
            source,
            record,
            catalog,
            cloud.as_ref(),
            &mut self.counts,
        );
        for (index, (item, format)) in (0_u32..).zip(items.drain(..)) {
            // A dead letter of one entry is sent again with the whole value: its siblings were counted before.
            if !whole && only.is_some_and(|only| only != index) {
                continue;
            }
            sink(index, entry_of(&mut finish, index, item, format));
        }
        Ok(())
    }
}

fn entry_of<'a>(
    finish: &mut Finish<'_, 'a>,
    index: u32,
    item: Item<'a>,
    format: Option<&'static dyn Format>,
) -> Entry<'a> {
    let (name, mapping) = format.map_or(("", 0), |format| (format.name(), format.version()));
    let rejected = |unfinished: Unfinished<'a>| Entry::Rejected {
        rejection: unfinished.rejection,
        format: name,
        mapping,
        producer: unfinished.producer,
        source_id: unfinished.source_id,
    };
    match item {
        Item::Draft(draft) => match finish.touchpoint(index, draft, mapping) {
            Ok(touchpoint) => Entry::Touchpoint(touchpoint),
            Err(unfinished) => rejected(unfinished),
        },
        Item::Withheld(reason, said) => {
            Entry::Withheld { reason, name: said, format: name, producer: finish.producer(Text::Borrowed("")) }
        }
        Item::Rejected(rejection) => rejected(finish.unfinished(index, rejection)),
    }
}

/// Text of a header.
pub(crate) fn header<'a>(headers: &'a dyn Headers, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| std::str::from_utf8(value).ok())
}

/// Why reading a record ended early.
enum Stop {
    NeedSchema(u32),
    Rejected(Rejection),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// Drafts are boxed: they are handed on several times, and copying a kilobyte each time costs more than one allocation.
enum Item<'a> {
    Draft(Box<Draft<'a>>),
    Withheld(WithheldReason, Text<'a>),
    Rejected(Rejection),
}

/// Entries of a record, held back until it is known that the record as a whole is good.
struct Collected<'a> {
    items: SmallVec<[(Item<'a>, Option<&'static dyn Format>); 1]>,
    format: Option<&'static dyn Format>,
    count: usize,
}

impl<'a> Collected<'a> {
    fn push(&mut self, item: Item<'a>) {
        self.count += 1;
        // Too many reject the record, so those beyond the limit are only counted.
        if self.count <= ENTRIES_MAX {
            self.items.push((item, self.format));
        }
    }
}

impl<'a> Entries<'a> for Collected<'a> {
    fn boxed(&mut self, draft: Box<Draft<'a>>) {
        self.push(Item::Draft(draft));
    }

    fn withheld(&mut self, reason: WithheldReason, name: Text<'a>) {
        self.push(Item::Withheld(reason, name));
    }

    fn rejected(&mut self, rejection: Rejection) {
        self.push(Item::Rejected(rejection));
    }
}

/// One record while it is read.
struct Reading<'r, 'a> {
    source: &'a SourceOptions,
    record: &'r SourceRecord<'a>,
    names: &'a dyn NameMap,
    keep: &'a Keep,
    cloud: Option<Cloud<'a>>,
    last: Option<&'static dyn Format>,
    collected: Collected<'a>,
}

impl<'a> Reading<'_, 'a> {
    fn payload(&self, text: &'a str) -> Payload<'a> {
        Payload {
            text,
            source: self.source.kind,
            source_name: &self.source.visits,
            headers: self.record.headers,
            names: self.names,
            keep: self.keep,
        }
    }

    fn read(&mut self, schemas: &dyn SchemaSource) -> Result<(), Stop> {
        let Some(value) = self.record.value else {
            return Err(Rejection::new(RejectionReason::NullValue, "null on a touchpoint topic").into());
        };
        if value.len() > envelope::VALUE_MAX {
            let detail = format!("{} bytes, at most {}", value.len(), envelope::VALUE_MAX);
            return Err(Rejection::new(RejectionReason::TooLarge, detail).into());
        }
        // No text starts with a zero byte, so the first byte tells the encodings apart.
        let is_framed = value.first() == Some(&0);
        match self.source.encoding {
            Encoding::Avro | Encoding::Auto if is_framed => self.read_avro(value, schemas),
            Encoding::Avro => Err(Rejection::new(RejectionReason::Undecodable, "no schema id before the value").into()),
            Encoding::Json | Encoding::Auto => self.read_text(envelope::text_of(value)?, true).map_err(Stop::Rejected),
        }
    }

    fn read_avro(&mut self, value: &'a [u8], schemas: &dyn SchemaSource) -> Result<(), Stop> {
        self.collected.format = Some(&contract::Contract);
        let Some((id, datum)) = value.get(1..).and_then(|rest| rest.split_first_chunk::<4>()) else {
            return Err(Rejection::new(RejectionReason::Undecodable, "torn before the schema id").into());
        };
        let id = u32::from_be_bytes(*id);
        match schemas.schema(id) {
            Lookup::Pending => Err(Stop::NeedSchema(id)),
            Lookup::Unknown => {
                let detail = format!("no schema of the contract has id {id}");
                Err(Rejection::new(RejectionReason::UnknownSchema, detail).into())
            }
            Lookup::Known(schema) => {
                let payload = self.payload("");
                Ok(contract::read_avro(datum, &schema, &payload, &mut self.collected)?)
            }
        }
    }

    fn read_text(&mut self, text: &'a str, is_outer: bool) -> Result<(), Rejection> {
        match envelope::split(text)? {
            Documents::One(document) => self.read_document(document, is_outer),
            Documents::Many(documents) => {
                if documents.is_empty() {
                    self.collected.withheld(WithheldReason::Filtered, Text::Borrowed("[]"));
                }
                for document in documents {
                    if let Err(rejection) = self.read_document(document, is_outer) {
                        self.collected.rejected(rejection);
                    }
                    self.collected.format = None;
                }
                Ok(())
            }
        }
    }

    fn read_document(&mut self, document: &'a str, is_outer: bool) -> Result<(), Rejection> {
        envelope::check(document)?;
        if is_outer && let Some((cloud, data)) = envelope::structured_cloud(document, self.keep)? {
            self.cloud.get_or_insert(cloud);
            return self.read_text(data, false);
        }
        let payload = self.payload(document);
        let before = self.collected.count;
        let read = match self.read_as_last(&payload) {
            Some(read) => read,
            None => {
                let format = self.find_format(document)?;
                self.collected.format = Some(format);
                self.last = Some(format);
                format.read(&payload, &mut self.collected)
            }
        };
        if read.is_err() {
            // A broken envelope rejects the document as a whole: what it gave before does not count.
            self.collected.count = before;
            self.collected.items.truncate(before);
        }
        read
    }

    fn read_as_last(&mut self, payload: &Payload<'a>) -> Option<Result<(), Rejection>> {
        let last = self.last.filter(|_| matches!(self.source.formats, Formats::Auto))?;
        self.collected.format = Some(last);
        let read = last.read_if_own(payload, &mut self.collected);
        if read.is_none() {
            self.collected.format = None;
        }
        read
    }

    fn find_format(&self, document: &'a str) -> Result<&'static dyn Format, Rejection> {
        let candidates = match &self.source.formats {
            Formats::Only(only) => match only.as_slice() {
                [single] => return Ok(*single),
                several => several,
            },
            Formats::Auto => formats::all(),
        };
        let shape = Shape::of(document)?;
        candidates
            .iter()
            .copied()
            .find(|format| format.matches(&shape))
            .ok_or_else(|| Rejection::new(RejectionReason::UnknownFormat, "no format of this source has this shape"))
    }
}
