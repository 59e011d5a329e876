//! The normal form of every source record: one interaction of a customer through a channel.
//!
//! Text is borrowed from the record it was decoded from wherever that is possible: the record path copies a touchpoint
//! once, into a frame.

mod parts;

use std::borrow::Cow;

use smallvec::SmallVec;

pub use parts::{
    Attribute, Benefit, Consent, Durations, Evidence, Facet, JourneyHint, Loyalty, Money, Need, Outcome, PromiseMade,
    Proof, Social, ValueFact,
};

use crate::fate::{Rejection, RejectionReason};
use crate::id::{Hash128, IdentifierType, NodeId, TouchpointId};
use crate::time::{DAY, EventTime, ReceivedAt, TimeQuality};
use crate::touchpoint_type::TouchpointType;
use crate::vocabulary::{
    Channel, Direction, Driver, Family, Intent, Mode, OutboundPurpose, OwnerKind, PromiseSense, RefKind, RelationKind,
    ResultReason, Severity, SourceKind, Trust, Verb,
};

/// Borrowed where possible.
pub type Text<'a> = Cow<'a, str>;

/// What both a source and an output say about a touchpoint; the fields are those of the published record.
#[derive(Debug, Clone, PartialEq)]
pub struct Body<'a> {
    /// What happened.
    pub kind: TouchpointType,
    /// Means of contact.
    pub channel: Channel,
    /// Family; that of the type unless stated.
    pub family: Family,
    /// Who acted.
    pub direction: Direction,
    /// Who or what acted on the brand's side.
    pub mode: Mode,
    /// The feed it came from.
    pub source: SourceKind,
    /// Source system; part of the touchpoint id.
    pub system: Text<'a>,
    /// Application of the source.
    pub app: Text<'a>,
    /// Team or process that produced the record, for its report card.
    pub producer: Text<'a>,
    /// Schema of the source payload.
    pub schema: Text<'a>,
    /// Version of the producing application or format.
    pub version: Text<'a>,
    /// The source's own id of this touchpoint.
    pub source_id: Text<'a>,
    /// Correlation keys, each kind at most once.
    pub refs: SmallVec<[(RefKind, Text<'a>); 2]>,
    /// Who caused it, each kind at most once.
    pub owners: SmallVec<[(OwnerKind, Text<'a>); 1]>,
    /// False for weather, strikes: not charged to staff and team.
    pub controllable: bool,
    /// What the customer needs.
    pub need: Option<Box<Need<'a>>>,
    /// What the customer wants, with confidence 0..=1.
    pub intents: SmallVec<[(Intent, f64); 1]>,
    /// Severity as the source says it.
    pub severity: Severity,
    /// Driver and severity codes of the source, 8 at most.
    pub codes: SmallVec<[Text<'a>; 1]>,
    /// Driver; the type's default where the source names none.
    pub driver: Option<Driver>,
    /// Answers, stars, sentiment.
    pub evidence: SmallVec<[Evidence; 1]>,
    /// How it ended.
    pub result: Outcome,
    /// Waits and the like, milliseconds.
    pub durations: Durations,
    /// Order value, refund, cost of an exception.
    pub money: Option<Money<'a>>,
    /// What the customer got.
    pub benefit: Option<Box<Benefit<'a>>>,
    /// Facts compared across customers and channels.
    pub facts: Vec<ValueFact<'a>>,
    /// Ratings by facet.
    pub facets: Vec<Facet<'a>>,
    /// Promises made here.
    pub promises: Vec<PromiseMade<'a>>,
    /// Proofs given here.
    pub proofs: Vec<Proof<'a>>,
    /// Hint where the source knows the journey.
    pub journey: Option<Box<JourneyHint<'a>>>,
    /// Purpose of an outbound touchpoint.
    pub purpose: Option<OutboundPurpose>,
    /// Counters of a post and its author.
    pub social: Option<Box<Social>>,
    /// Declared needs, tastes, constraints, profile values.
    pub attributes: Vec<Attribute<'a>>,
    /// Consent given or taken.
    pub consents: Vec<Consent<'a>>,
    /// Entry of a loyalty ledger.
    pub loyalty: Option<Box<Loyalty<'a>>>,
    /// Language of the customer's words, BCP 47.
    pub language: Text<'a>,
    /// Reference to the text in a system of its own; never fetched.
    pub text_ref: Text<'a>,
    /// Reference to the raw record in a system of its own; never fetched.
    pub raw_ref: Text<'a>,
}

impl<'a> Body<'a> {
    /// A body of that type with the type's defaults.
    #[must_use]
    pub fn new(kind: TouchpointType, channel: Channel, source: SourceKind) -> Self {
        let row = kind.row();
        Self {
            kind,
            channel,
            family: row.family,
            direction: row.direction,
            mode: row.mode,
            source,
            system: Text::Borrowed(""),
            app: Text::Borrowed(""),
            producer: Text::Borrowed(""),
            schema: Text::Borrowed(""),
            version: Text::Borrowed(""),
            source_id: Text::Borrowed(""),
            refs: SmallVec::new(),
            owners: SmallVec::new(),
            controllable: true,
            need: None,
            intents: SmallVec::new(),
            severity: Severity::Normal,
            codes: SmallVec::new(),
            driver: None,
            evidence: SmallVec::new(),
            result: Outcome::default(),
            durations: Durations::default(),
            money: None,
            benefit: None,
            facts: Vec::new(),
            facets: Vec::new(),
            promises: Vec::new(),
            proofs: Vec::new(),
            journey: None,
            purpose: None,
            social: None,
            attributes: Vec::new(),
            consents: Vec::new(),
            loyalty: None,
            language: Text::Borrowed(""),
            text_ref: Text::Borrowed(""),
            raw_ref: Text::Borrowed(""),
        }
    }

    /// A correlation key, if the source gave it.
    #[must_use]
    pub fn reference(&self, kind: RefKind) -> Option<&str> {
        self.refs.iter().find(|(key, _)| *key == kind).map(|(_, value)| value.as_ref())
    }

    /// Sets a correlation key unless the value is empty.
    pub fn set_reference(&mut self, kind: RefKind, value: impl Into<Text<'a>>) {
        set(&mut self.refs, kind, value.into());
    }

    /// An owner, if the source named it.
    #[must_use]
    pub fn owner(&self, kind: OwnerKind) -> Option<&str> {
        self.owners.iter().find(|(key, _)| *key == kind).map(|(_, value)| value.as_ref())
    }

    /// Sets an owner unless the value is empty.
    pub fn set_owner(&mut self, kind: OwnerKind, value: impl Into<Text<'a>>) {
        set(&mut self.owners, kind, value.into());
    }

    /// The driver that holds where the valence is negative: the source's, else that of the type.
    #[must_use]
    pub fn driver_or_default(&self) -> Option<Driver> {
        let row = self.kind.row();
        self.driver.or_else(|| {
            if row.knowledge_is_information && self.result.reason == Some(ResultReason::Knowledge) {
                Some(Driver::Information)
            } else {
                row.driver
            }
        })
    }
}

fn set<'a, K: PartialEq, A: smallvec::Array<Item = (K, Text<'a>)>>(list: &mut SmallVec<A>, kind: K, value: Text<'a>) {
    if value.is_empty() {
        return;
    }
    if let Some(slot) = list.iter_mut().find(|(key, _)| *key == kind) {
        slot.1 = value;
    } else {
        list.push((kind, value));
    }
}

/// An identifier after hashing: raw values never leave the normalize stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identifier {
    /// Type.
    pub kind: IdentifierType,
    /// Keyed hash of the normalized value.
    pub hash: Hash128,
    /// Whether the source knows that the actor owns it.
    pub trust: Trust,
}

/// A related person, never merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation {
    /// Kind.
    pub kind: RelationKind,
    /// Type of the related person's identifier.
    pub identifier: IdentifierType,
    /// Its hash.
    pub hash: Hash128,
    /// End of the relation.
    pub until: Option<EventTime>,
}

/// The order of copies of one touchpoint: update time (absent = 0), version of the mapping, verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    /// The source's last-update time in milliseconds, 0 if absent.
    pub updated_at: i64,
    /// Version of the mapping.
    pub mapping: u32,
    /// Verb.
    pub verb: Verb,
}

/// Where the source record is, and which entry of it this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Source topic.
    pub topic: Text<'a>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Index inside the record, 0 where it holds one.
    pub entry: u32,
}

/// The first-response target stamped from the catalog (4.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseStamp<'a> {
    /// Target in open time, milliseconds.
    pub target_ms: i64,
    /// Due time.
    pub due_at: EventTime,
    /// Hash of the catalog row that said so.
    pub catalog_version: Text<'a>,
}

/// What the normalize stage adds to a body: ids, times, routing.
#[derive(Debug, Clone, PartialEq)]
pub struct Header<'a> {
    /// Id.
    pub touchpoint_id: TouchpointId,
    /// Order of copies.
    pub revision: Revision,
    /// Event time after correction.
    pub occurred_at: EventTime,
    /// Kafka timestamp of the source record.
    pub received_at: ReceivedAt,
    /// Where the event time comes from.
    pub time_quality: TimeQuality,
    /// Lineage.
    pub origin: Origin<'a>,
    /// Node it is routed to; none without any identifier.
    pub node: Option<NodeId>,
    /// Hashed identifiers, strongest first, 20 at most.
    pub identifiers: SmallVec<[Identifier; 4]>,
    /// Related people.
    pub relations: Vec<Relation>,
    /// First-response target.
    pub response: Option<Box<ResponseStamp<'a>>>,
    /// The record was sent again on purpose (`throughline_replay`).
    pub replayed: bool,
    /// W3C trace context of the source record, `traceparent` and `tracestate`.
    pub trace: Option<Box<(Text<'a>, Text<'a>)>>,
}

/// A validated touchpoint. The fields are private, so that an unvalidated one cannot exist.
#[derive(Debug, Clone, PartialEq)]
pub struct Touchpoint<'a> {
    header: Header<'a>,
    body: Body<'a>,
}

/// Identifiers a touchpoint keeps; the strongest by rank, the rest is counted.
pub const IDENTIFIERS_MAX: usize = 20;
/// Codes a touchpoint keeps.
pub const CODES_MAX: usize = 8;
/// Latest due time of a promise after the event time: 10 years, in milliseconds.
pub const PROMISE_HORIZON: i64 = 3_653 * DAY;

impl<'a> Touchpoint<'a> {
    /// Checks what no format module can be trusted with: finite numbers, scales, confidences, promises.
    ///
    /// # Errors
    /// `invalid_field` with the path of the field, or `invalid_promise`.
    pub fn new(header: Header<'a>, mut body: Body<'a>) -> Result<Self, Rejection> {
        body.codes.truncate(CODES_MAX);
        for (at, evidence) in body.evidence.iter().enumerate() {
            check_scale(evidence.score, evidence.min, evidence.max).map_err(|why| invalid("evidence", at, why))?;
        }
        for (at, facet) in body.facets.iter().enumerate() {
            check_scale(facet.score, facet.min, facet.max).map_err(|why| invalid("facets", at, why))?;
        }
        for (at, (_, confidence)) in body.intents.iter().enumerate() {
            check_confidence(*confidence).map_err(|why| invalid("intents", at, why))?;
        }
        if let Some(need) = &body.need {
            for (at, (_, confidence)) in need.tags.iter().enumerate() {
                check_confidence(*confidence).map_err(|why| invalid("need.tags", at, why))?;
            }
        }
        if let Some(score) = body.social.as_ref().and_then(|social| social.outside_score)
            && !score.is_finite()
        {
            return Err(Rejection::field(RejectionReason::InvalidField, "social.outside_score", "not a finite number"));
        }
        for (at, promise) in body.promises.iter().enumerate() {
            check_promise(promise, header.occurred_at)
                .map_err(|why| Rejection::field(RejectionReason::InvalidPromise, format!("promises[{at}]"), why))?;
        }
        for (at, proof) in body.proofs.iter().enumerate() {
            if proof.value.is_some_and(|value| !value.is_finite()) {
                return Err(invalid("proofs", at, "value is not a finite number"));
            }
        }
        Ok(Self { header, body })
    }

    /// Ids, times, routing.
    #[must_use]
    pub const fn header(&self) -> &Header<'a> {
        &self.header
    }

    /// What happened.
    #[must_use]
    pub const fn body(&self) -> &Body<'a> {
        &self.body
    }

    /// Stamps the first-response target, which is known only once the touchpoint is.
    pub fn set_response(&mut self, response: ResponseStamp<'a>) {
        self.header.response = Some(Box::new(response));
    }
}

fn invalid(field: &str, at: usize, why: &'static str) -> Rejection {
    Rejection::field(RejectionReason::InvalidField, format!("{field}[{at}]"), why)
}

fn check_scale(score: f64, min: f64, max: f64) -> Result<(), &'static str> {
    if !(score.is_finite() && min.is_finite() && max.is_finite()) {
        Err("not a finite number")
    } else if min >= max {
        Err("scale has no width")
    } else if score < min || score > max {
        Err("score outside its scale")
    } else {
        Ok(())
    }
}

fn check_confidence(confidence: f64) -> Result<(), &'static str> {
    if (0.0..=1.0).contains(&confidence) { Ok(()) } else { Err("confidence outside 0..1") }
}

fn check_promise(promise: &PromiseMade<'_>, occurred_at: EventTime) -> Result<(), &'static str> {
    let made = promise.made_at.unwrap_or(occurred_at);
    if let Some(due) = promise.due_at {
        if due < made {
            return Err("due before made");
        }
        if due > made.plus_millis(PROMISE_HORIZON) {
            return Err("due over 10 years ahead");
        }
    }
    match promise.sense {
        PromiseSense::By if promise.due_at.is_none() => Err("a promise in time needs due_at"),
        PromiseSense::AtLeast | PromiseSense::AtMost if promise.value.is_none() => {
            Err("a promise of a value needs value")
        }
        _ if promise.value.is_some_and(|value| !value.is_finite()) => Err("value is not a finite number"),
        _ if promise.tolerance.is_some_and(|value| !value.is_finite() || value < 0.0) => {
            Err("tolerance is not a number from 0 up")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::{EvidenceKind, PromiseKind};

    fn header() -> Header<'static> {
        Header {
            touchpoint_id: Hash128([1; 16]),
            revision: Revision { updated_at: 0, mapping: 1, verb: Verb::Add },
            occurred_at: EventTime::from_millis(1_000),
            received_at: ReceivedAt::from_millis(1_000),
            time_quality: TimeQuality::Exact,
            origin: Origin { topic: "t".into(), partition: 0, offset: 0, entry: 0 },
            node: None,
            identifiers: SmallVec::new(),
            relations: Vec::new(),
            response: None,
            replayed: false,
            trace: None,
        }
    }

    fn body() -> Body<'static> {
        Body::new(TouchpointType::SurveyAnswered, Channel::Survey, SourceKind::Survey)
    }

    #[test]
    fn numbers_outside_their_scale_are_rejected_with_their_path() {
        for score in [f64::NAN, f64::INFINITY, 11.0, -1.0] {
            let mut body = body();
            body.evidence.push(Evidence::new(EvidenceKind::Nps, score));
            let rejection = Touchpoint::new(header(), body).expect_err("rejected");
            assert_eq!(rejection.reason, RejectionReason::InvalidField);
            assert_eq!(rejection.field, "evidence[0]");
        }
    }

    #[test]
    fn promises_must_be_possible() {
        let promise = |made: i64, due: Option<i64>| PromiseMade {
            kind: PromiseKind::Delivery,
            key: "o1".into(),
            sense: PromiseSense::By,
            unit: "".into(),
            made_by: "".into(),
            made_at: Some(EventTime::from_millis(made)),
            due_at: due.map(EventTime::from_millis),
            value: None,
            tolerance: None,
            campaign: "".into(),
        };
        for (promise, good) in [
            (promise(0, Some(1)), true),
            (promise(2, Some(1)), false),
            (promise(0, None), false),
            (promise(0, Some(PROMISE_HORIZON + 1)), false),
        ] {
            let mut body = body();
            body.promises.push(promise);
            let made = Touchpoint::new(header(), body);
            assert_eq!(made.is_ok(), good);
            assert!(made.err().is_none_or(|why| why.reason == RejectionReason::InvalidPromise));
        }
    }

    #[test]
    fn a_knowledge_failure_is_a_lack_of_information() {
        let mut body = Body::new(TouchpointType::AssistEnded, Channel::Store, SourceKind::Store);
        assert_eq!(body.driver_or_default(), Some(Driver::Service));
        body.result.reason = Some(ResultReason::Knowledge);
        assert_eq!(body.driver_or_default(), Some(Driver::Information));
        body.driver = Some(Driver::Price);
        assert_eq!(body.driver_or_default(), Some(Driver::Price));
    }
}
