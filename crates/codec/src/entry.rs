//! A touchpoint as an entry of a frame: tagged fields, borrowed text.
//!
//! What the records of a source have in common (topic, system, schema, ...) is the entry's context, which a frame writes once
//! for all of its entries.
//!
//! The numbers are written into topics that outlive a version: a number is never used for something else. What is at its
//! default is left out.

mod details;

use smallvec::SmallVec;
use throughline_model::touchpoint::{
    Body, Evidence, Header, Identifier, Origin, Relation, ResponseStamp, Revision, Text, Touchpoint,
};
use throughline_model::{
    Channel, Direction, Driver, EventTime, EvidenceKind, Family, Hash128, IdentifierType, Intent, Mode, NodeId,
    OutboundPurpose, OwnerKind, ReceivedAt, RefKind, Rejection, RelationKind, Severity, SourceKind, TimeQuality,
    TouchpointType, Trust, Verb,
};

use crate::wire::{Reader, Value, WireError, Writer};

/// Why an entry cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The bytes are not tagged fields of this layout.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A required field is absent.
    #[error("field {0} is missing")]
    Missing(u32),
    /// The frame says nothing of its context.
    #[error("a touchpoint without a context")]
    NoContext,
    /// The touchpoint is not valid.
    #[error("invalid touchpoint: {}", .0.detail)]
    Invalid(Rejection),
}

/// Reads a closed set by its code.
macro_rules! member {
    ($set:ty, $value:expr, $field:expr) => {
        <$set>::from_code($value.uint($field)?).ok_or(WireError::Impossible($field))
    };
}
use member;

/// Appends a touchpoint to `out`, and what it has in common with others of its source to `context`.
pub fn encode(touchpoint: &Touchpoint<'_>, context: &mut Vec<u8>, out: &mut Vec<u8>) {
    let body = touchpoint.body();
    encode_context(touchpoint.header(), body, &mut Writer::new(context));
    let mut w = Writer::new(out);
    encode_header(touchpoint.header(), &mut w);
    w.uint(20, u64::from(body.kind.code()));
    w.uint(21, u64::from(body.channel.code()));
    let row = body.kind.row();
    if body.family != row.family {
        w.uint(23, u64::from(body.family.code()));
    }
    if body.direction != row.direction {
        w.uint(24, u64::from(body.direction.code()));
    }
    if body.mode != row.mode {
        w.uint(25, u64::from(body.mode.code()));
    }
    w.text(31, &body.source_id);
    for (kind, value) in &body.refs {
        w.nested(32, |w| {
            w.uint(1, u64::from(kind.code()));
            w.text(2, value);
        });
    }
    for (kind, value) in &body.owners {
        w.nested(33, |w| {
            w.uint(1, u64::from(kind.code()));
            w.text(2, value);
        });
    }
    if !body.controllable {
        w.opt_bool(34, Some(false));
    }
    for (intent, confidence) in &body.intents {
        w.nested(36, |w| {
            w.uint(1, u64::from(intent.code()));
            w.double(2, *confidence);
        });
    }
    if body.severity != Severity::Normal {
        w.uint(37, u64::from(body.severity.code()));
    }
    for code in &body.codes {
        w.bytes(38, code.as_bytes());
    }
    if let Some(driver) = body.driver {
        w.uint(39, u64::from(driver.code()));
    }
    for evidence in &body.evidence {
        w.nested(40, |w| encode_evidence(evidence, w));
    }
    if let Some(purpose) = body.purpose {
        w.uint(50, u64::from(purpose.code()));
    }
    w.text(55, &body.language);
    w.text(56, &body.text_ref);
    w.text(57, &body.raw_ref);
    details::encode(body, &mut w);
}

fn encode_context(header: &Header<'_>, body: &Body<'_>, w: &mut Writer<'_>) {
    w.uint_or_zero(1, u64::from(header.revision.mapping));
    w.text(2, &header.origin.topic);
    w.uint(3, u64::from(body.source.code()));
    w.text(4, &body.system);
    w.text(5, &body.app);
    w.text(6, &body.producer);
    w.text(7, &body.schema);
    w.text(8, &body.version);
}

fn encode_header(header: &Header<'_>, w: &mut Writer<'_>) {
    w.bytes(1, &header.touchpoint_id.0);
    w.sint(2, header.occurred_at.as_millis());
    w.sint(3, header.received_at.as_millis() - header.occurred_at.as_millis());
    w.uint_or_zero(4, u64::from(header.time_quality.code()));
    if header.revision.updated_at != 0 {
        w.sint(5, header.revision.updated_at);
    }
    w.uint_or_zero(7, u64::from(header.revision.verb.code()));
    w.uint_or_zero(9, header.origin.partition as u64);
    w.uint_or_zero(10, header.origin.offset as u64);
    w.uint_or_zero(11, u64::from(header.origin.entry));
    if let Some(node) = header.node {
        w.bytes(12, &node.0);
    }
    for identifier in &header.identifiers {
        // The routing identifier is the node itself: only the others carry their hash.
        let routed = header.node == Some(NodeId::new(identifier.kind, identifier.hash));
        w.nested(13, |w| {
            w.uint(1, u64::from(identifier.kind.code()) << 1 | u64::from(identifier.trust.code()));
            if !routed {
                w.bytes(2, &identifier.hash.0);
            }
        });
    }
    for relation in &header.relations {
        w.nested(14, |w| {
            w.uint(1, u64::from(relation.kind.code()));
            w.uint(2, u64::from(relation.identifier.code()));
            w.bytes(3, &relation.hash.0);
            w.opt_sint(4, relation.until.map(EventTime::as_millis));
        });
    }
    if let Some(response) = &header.response {
        w.nested(15, |w| {
            w.sint(1, response.target_ms);
            w.sint(2, response.due_at.as_millis());
            w.text(3, &response.catalog_version);
        });
    }
    if header.replayed {
        w.uint(16, 1);
    }
    if let Some(trace) = &header.trace {
        w.text(17, &trace.0);
        w.text(18, &trace.1);
    }
}

fn encode_evidence(evidence: &Evidence, w: &mut Writer<'_>) {
    w.uint(1, u64::from(evidence.kind.code()));
    w.double(2, evidence.score);
    let usual = Evidence::new(evidence.kind, evidence.score);
    if (evidence.min, evidence.max) != (usual.min, usual.max) {
        w.double(3, evidence.min);
        w.double(4, evidence.max);
    }
    if !evidence.easy_is_high {
        w.opt_bool(5, Some(false));
    }
}

/// What the touchpoints of a source have in common, read once for all of them.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    mapping: u32,
    topic: &'a str,
    source: SourceKind,
    system: &'a str,
    app: &'a str,
    producer: &'a str,
    schema: &'a str,
    version: &'a str,
}

impl<'a> Context<'a> {
    /// Reads a context; text is borrowed from `bytes`.
    ///
    /// # Errors
    /// If the bytes are not a context of this layout.
    pub fn read(bytes: &'a [u8]) -> Result<Self, EntryError> {
        let mut source = None;
        let mut context = Self {
            mapping: 0,
            topic: "",
            source: SourceKind::Web,
            system: "",
            app: "",
            producer: "",
            schema: "",
            version: "",
        };
        let mut reader = Reader::new(bytes);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => context.mapping = u32::try_from(value.uint(field)?).map_err(|_| WireError::Impossible(field))?,
                2 => context.topic = value.text(field)?,
                3 => source = Some(member!(SourceKind, value, field)?),
                4 => context.system = value.text(field)?,
                5 => context.app = value.text(field)?,
                6 => context.producer = value.text(field)?,
                7 => context.schema = value.text(field)?,
                8 => context.version = value.text(field)?,
                _ => {}
            }
        }
        context.source = source.ok_or(EntryError::Missing(3))?;
        Ok(context)
    }

    fn body(&self, kind: TouchpointType, channel: Channel) -> Body<'a> {
        let mut body = Body::new(kind, channel, self.source);
        body.system = Text::Borrowed(self.system);
        body.app = Text::Borrowed(self.app);
        body.producer = Text::Borrowed(self.producer);
        body.schema = Text::Borrowed(self.schema);
        body.version = Text::Borrowed(self.version);
        body
    }
}

/// Reads a touchpoint back; text is borrowed from `entry` and the context.
///
/// # Errors
/// If the bytes are not a touchpoint of this layout, or not a valid one.
pub fn decode<'a>(context: &Context<'a>, entry: &'a [u8]) -> Result<Touchpoint<'a>, EntryError> {
    let mut header = HeaderFields::default();
    let mut kind = None;
    let mut body: Option<Body<'_>> = None;
    let mut reader = Reader::new(entry);
    while let Some((field, value)) = reader.next()? {
        match field {
            0..=18 => header.read(field, value)?,
            20 => kind = Some(member!(TouchpointType, value, field)?),
            // Written right after the type: from here on the body's defaults are known.
            21 => body = Some(context.body(kind.ok_or(EntryError::Missing(20))?, member!(Channel, value, field)?)),
            _ => read_body(body.as_mut().ok_or(EntryError::Missing(21))?, field, value)?,
        }
    }
    let body = body.ok_or(EntryError::Missing(21))?;
    Touchpoint::new(header.finish(context)?, body).map_err(EntryError::Invalid)
}

/// The customer of a touchpoint, without reading the rest of it.
///
/// # Errors
/// If the bytes before it are not tagged fields.
pub fn node(entry: &[u8]) -> Result<Option<NodeId>, EntryError> {
    let mut reader = Reader::new(entry);
    // Fields are written in the order of their numbers.
    while let Some((field, value)) = reader.next()? {
        match field {
            0..12 => {}
            12 => return Ok(Some(NodeId(value.array(field)?))),
            _ => break,
        }
    }
    Ok(None)
}

#[derive(Default)]
struct HeaderFields<'a> {
    id: Option<Hash128>,
    occurred_at: Option<i64>,
    received_after: i64,
    time_quality: Option<TimeQuality>,
    updated_at: i64,
    verb: Option<Verb>,
    partition: i32,
    offset: i64,
    entry: u32,
    node: Option<NodeId>,
    identifiers: SmallVec<[Identifier; 4]>,
    relations: Vec<Relation>,
    response: Option<Box<ResponseStamp<'a>>>,
    replayed: bool,
    traceparent: &'a str,
    tracestate: &'a str,
}

impl<'a> HeaderFields<'a> {
    fn read(&mut self, field: u32, value: Value<'a>) -> Result<(), WireError> {
        let impossible = WireError::Impossible(field);
        match field {
            1 => self.id = Some(Hash128(value.array(field)?)),
            2 => self.occurred_at = Some(value.sint(field)?),
            3 => self.received_after = value.sint(field)?,
            4 => self.time_quality = Some(member!(TimeQuality, value, field)?),
            5 => self.updated_at = value.sint(field)?,
            7 => self.verb = Some(member!(Verb, value, field)?),
            9 => self.partition = i32::try_from(value.uint(field)?).map_err(|_| impossible)?,
            10 => self.offset = i64::try_from(value.uint(field)?).map_err(|_| impossible)?,
            11 => self.entry = u32::try_from(value.uint(field)?).map_err(|_| impossible)?,
            12 => self.node = Some(NodeId(value.array(field)?)),
            13 => self.identifiers.push(read_identifier(value.bytes(field)?, self.node)?),
            14 => self.relations.push(read_relation(value.bytes(field)?)?),
            15 => self.response = Some(Box::new(read_response(value.bytes(field)?)?)),
            16 => self.replayed = value.uint(field)? != 0,
            17 => self.traceparent = value.text(field)?,
            18 => self.tracestate = value.text(field)?,
            _ => {}
        }
        Ok(())
    }

    fn finish(self, context: &Context<'a>) -> Result<Header<'a>, EntryError> {
        let occurred_at = self.occurred_at.ok_or(EntryError::Missing(2))?;
        Ok(Header {
            touchpoint_id: self.id.ok_or(EntryError::Missing(1))?,
            revision: Revision {
                updated_at: self.updated_at,
                mapping: context.mapping,
                verb: self.verb.unwrap_or(Verb::Add),
            },
            occurred_at: EventTime::from_millis(occurred_at),
            received_at: ReceivedAt::from_millis(occurred_at.wrapping_add(self.received_after)),
            time_quality: self.time_quality.unwrap_or(TimeQuality::Exact),
            origin: Origin {
                topic: Text::Borrowed(context.topic),
                partition: self.partition,
                offset: self.offset,
                entry: self.entry,
            },
            node: self.node,
            identifiers: self.identifiers,
            relations: self.relations,
            response: self.response,
            replayed: self.replayed,
            trace: (!self.traceparent.is_empty())
                .then(|| Box::new((Text::Borrowed(self.traceparent), Text::Borrowed(self.tracestate)))),
        })
    }
}

fn read_identifier(bytes: &[u8], node: Option<NodeId>) -> Result<Identifier, WireError> {
    let mut reader = Reader::new(bytes);
    let (mut code, mut hash) = (0, node.map(|node| node.hash()));
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => code = value.uint(field)?,
            2 => hash = Some(Hash128(value.array(field)?)),
            _ => {}
        }
    }
    let kind = IdentifierType::from_code(code >> 1).ok_or(WireError::Impossible(13))?;
    let trust = Trust::from_code(code & 1).ok_or(WireError::Impossible(13))?;
    Ok(Identifier { kind, hash: hash.ok_or(WireError::Impossible(13))?, trust })
}

fn read_relation(bytes: &[u8]) -> Result<Relation, WireError> {
    let mut reader = Reader::new(bytes);
    let (mut kind, mut identifier, mut hash, mut until) = (None, None, None, None);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => kind = Some(member!(RelationKind, value, field)?),
            2 => identifier = Some(member!(IdentifierType, value, field)?),
            3 => hash = Some(Hash128(value.array(field)?)),
            4 => until = Some(EventTime::from_millis(value.sint(field)?)),
            _ => {}
        }
    }
    let (Some(kind), Some(identifier), Some(hash)) = (kind, identifier, hash) else {
        return Err(WireError::Impossible(14));
    };
    Ok(Relation { kind, identifier, hash, until })
}

fn read_response(bytes: &[u8]) -> Result<ResponseStamp<'_>, WireError> {
    let mut stamp =
        ResponseStamp { target_ms: 0, due_at: EventTime::from_millis(0), catalog_version: Text::Borrowed("") };
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => stamp.target_ms = value.sint(field)?,
            2 => stamp.due_at = EventTime::from_millis(value.sint(field)?),
            3 => stamp.catalog_version = Text::Borrowed(value.text(field)?),
            _ => {}
        }
    }
    Ok(stamp)
}

fn read_body<'a>(body: &mut Body<'a>, field: u32, value: Value<'a>) -> Result<(), WireError> {
    let text = |value: Value<'a>| value.text(field).map(Text::Borrowed);
    match field {
        23 => body.family = member!(Family, value, field)?,
        24 => body.direction = member!(Direction, value, field)?,
        25 => body.mode = member!(Mode, value, field)?,
        31 => body.source_id = text(value)?,
        32 => {
            let (code, value) = read_pair(value.bytes(field)?)?;
            body.refs.push((RefKind::from_code(code).ok_or(WireError::Impossible(field))?, value));
        }
        33 => {
            let (code, value) = read_pair(value.bytes(field)?)?;
            body.owners.push((OwnerKind::from_code(code).ok_or(WireError::Impossible(field))?, value));
        }
        34 => body.controllable = value.boolean(field)?,
        36 => body.intents.push(read_intent(value.bytes(field)?)?),
        37 => body.severity = member!(Severity, value, field)?,
        38 => body.codes.push(text(value)?),
        39 => body.driver = Some(member!(Driver, value, field)?),
        40 => body.evidence.push(read_evidence(value.bytes(field)?)?),
        50 => body.purpose = Some(member!(OutboundPurpose, value, field)?),
        55 => body.language = text(value)?,
        56 => body.text_ref = text(value)?,
        57 => body.raw_ref = text(value)?,
        _ => details::read(body, field, value)?,
    }
    Ok(())
}

fn read_pair(bytes: &[u8]) -> Result<(u64, Text<'_>), WireError> {
    let mut reader = Reader::new(bytes);
    let mut pair = (0, "");
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => pair.0 = value.uint(field)?,
            2 => pair.1 = value.text(field)?,
            _ => {}
        }
    }
    Ok((pair.0, Text::Borrowed(pair.1)))
}

fn read_intent(bytes: &[u8]) -> Result<(Intent, f64), WireError> {
    let mut reader = Reader::new(bytes);
    let (mut intent, mut confidence) = (None, 0.0);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => intent = Some(member!(Intent, value, field)?),
            2 => confidence = value.double(field)?,
            _ => {}
        }
    }
    Ok((intent.ok_or(WireError::Impossible(36))?, confidence))
}

fn read_evidence(bytes: &[u8]) -> Result<Evidence, WireError> {
    let mut reader = Reader::new(bytes);
    let mut evidence: Option<Evidence> = None;
    let impossible = WireError::Impossible(40);
    let mut kind = None;
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => kind = Some(member!(EvidenceKind, value, field)?),
            2 => evidence = Some(Evidence::new(kind.ok_or(impossible)?, value.double(field)?)),
            3 => evidence.as_mut().ok_or(impossible)?.min = value.double(field)?,
            4 => evidence.as_mut().ok_or(impossible)?.max = value.double(field)?,
            5 => evidence.as_mut().ok_or(impossible)?.easy_is_high = value.boolean(field)?,
            _ => {}
        }
    }
    evidence.ok_or(impossible)
}

#[cfg(test)]
mod tests;
