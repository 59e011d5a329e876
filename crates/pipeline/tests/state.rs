//! Customer state as bytes: round trips, unknown fields, torn bytes, sizes, and the fixture of every state format.

use proptest::prelude::*;
use throughline_experience::{Customer, Part, Rules, Scope};
use throughline_model::time::DAY;
use throughline_model::touchpoint::{Attribute, Body, Consent, Evidence, Header, Identifier, Origin, Revision};
use throughline_model::{
    Channel, ConsentStatus, EventTime, EvidenceKind, Hash128, IdHasher, IdentifierType, Intent, NodeId, Now, OwnerKind,
    ReceivedAt, RefKind, SourceKind, TimeQuality, Touchpoint, TouchpointType, Trust, Verb,
};
use throughline_pipeline::state::{STATE_FORMAT, decode, encode_part};

const START: i64 = 20_454 * DAY;

fn node() -> NodeId {
    NodeId::new(IdentifierType::Login, Hash128([9; 16]))
}

fn id(number: u32) -> Hash128 {
    let mut bytes = [0x5a; 16];
    bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    Hash128(bytes)
}

fn touchpoint(
    number: u32,
    kind: TouchpointType,
    at: i64,
    change: impl FnOnce(&mut Header<'static>, &mut Body<'static>),
) -> Touchpoint<'static> {
    let mut header = Header {
        touchpoint_id: id(number),
        revision: Revision { updated_at: 0, mapping: 1, verb: Verb::Add },
        occurred_at: EventTime::from_millis(at),
        received_at: ReceivedAt::from_millis(at + 2_345),
        time_quality: TimeQuality::Exact,
        origin: Origin { topic: "touchpoints.web".into(), partition: 0, offset: 0, entry: 0 },
        node: Some(node()),
        identifiers: Default::default(),
        relations: Vec::new(),
        response: None,
        replayed: false,
        trace: None,
    };
    let mut body = Body::new(kind, Channel::Web, SourceKind::Web);
    change(&mut header, &mut body);
    Touchpoint::new(header, body).expect("the touchpoints of tests are valid")
}

fn apply(customer: &mut Customer, rules: &Rules, touchpoint: &Touchpoint<'_>) {
    let ids = IdHasher::new([1; 32], "acme");
    let now = Now::from_millis(touchpoint.header().received_at.as_millis());
    customer.apply(touchpoint, &Scope { rules, ids: &ids, now, rebuild: false }, &mut |_| {});
}

fn parts(customer: &Customer) -> Vec<(Part, Vec<u8>)> {
    Part::ALL
        .iter()
        .map(|&part| {
            let mut bytes = Vec::new();
            encode_part(customer, part, &mut bytes);
            (part, bytes)
        })
        .collect()
}

fn restored(parts: &[(Part, Vec<u8>)]) -> Customer {
    decode(node(), parts.iter().map(|(part, bytes)| (*part, bytes.as_slice()))).expect("what was written is read")
}

/// A customer with something in every component.
fn full_customer() -> Customer {
    let rules = Rules::default();
    let mut customer = Customer::new(node());
    for number in 0..40u32 {
        let at = START + i64::from(number) * DAY + 98_765;
        let kind = [TouchpointType::OrderCreated, TouchpointType::PaymentFailed, TouchpointType::SurveyAnswered]
            [number as usize % 3];
        apply(
            &mut customer,
            &rules,
            &touchpoint(number, kind, at, |_, body| {
                body.channel = [Channel::Web, Channel::App, Channel::Store][number as usize % 3];
                body.set_owner(OwnerKind::Store, ["north", "south"][number as usize % 2]);
                if kind == TouchpointType::SurveyAnswered {
                    body.evidence.push(Evidence::new(EvidenceKind::Nps, 9.0));
                    body.evidence.push(Evidence::new(EvidenceKind::Ces, 2.0));
                }
            }),
        );
    }
    let last = START + 41 * DAY;
    apply(
        &mut customer,
        &rules,
        &touchpoint(100, TouchpointType::PartnerTripCancelled, last, |header, body| {
            body.set_owner(OwnerKind::Partner, "red-line");
            body.set_reference(RefKind::Booking, "b1");
            body.intents.push((Intent::Exit, 0.9));
            header.revision = Revision { updated_at: last + 5, mapping: 2, verb: Verb::Update };
            header.identifiers.push(Identifier {
                kind: IdentifierType::Email,
                hash: Hash128([3; 16]),
                trust: Trust::Asserted,
            });
        }),
    );
    apply(
        &mut customer,
        &rules,
        &touchpoint(101, TouchpointType::RecoveryMade, last + DAY, |_, body| {
            body.consents.push(Consent {
                purpose: "personalization".into(),
                status: ConsentStatus::Granted,
                status_at: None,
                valid_until: Some(EventTime::from_millis(last + 900 * DAY)),
                policy_version: "".into(),
            });
            body.attributes.push(Attribute {
                name: "diet".into(),
                value: "low sodium".into(),
                purpose: "personalization".into(),
                valid_from: None,
                expires_at: None,
            });
        }),
    );
    apply(
        &mut customer,
        &rules,
        &touchpoint(102, TouchpointType::OrderCreated, last + DAY, |header, _| {
            header.revision.verb = Verb::Remove;
        }),
    );
    let score = customer.score(&rules, customer.as_of());
    customer.mark_score_published(&score);
    customer.mark_view_published(Now::from_millis(last + 2 * DAY));
    customer.clear_dirty();
    customer
}

/// A customer as most are: eight recent touchpoints in two channels, half of them page views, older ones, no alerts.
fn typical_customer() -> Customer {
    let rules = Rules::default();
    let mut customer = Customer::new(node());
    for number in 0..24u32 {
        let at = START + i64::from(number) * DAY * 9 / 10 - i64::from(number) * 12_345;
        let kind = [TouchpointType::OrderCreated, TouchpointType::PageViewed][number as usize / 2 % 2];
        apply(
            &mut customer,
            &rules,
            &touchpoint(number, kind, at, |_, body| {
                body.channel = [Channel::Web, Channel::App][number as usize % 2];
            }),
        );
    }
    let score = customer.score(&rules, customer.as_of());
    customer.mark_score_published(&score);
    customer.mark_view_published(Now::from_millis(START + 20 * DAY));
    customer.clear_dirty();
    customer
}

#[test]
fn every_component_round_trips_bit_for_bit() {
    for customer in [Customer::new(node()), typical_customer(), full_customer()] {
        let bytes = parts(&customer);
        let back = restored(&bytes);
        assert_eq!(back, customer);
        assert_eq!(parts(&back), bytes);
    }
    let full = full_customer();
    assert!(full.alerts.is_some() && full.profile.is_some() && !full.core.memories.scopes.is_empty());
    assert!(parts(&Customer::new(node())).iter().all(|(_, bytes)| bytes.is_empty()));
}

#[test]
fn a_typical_customer_is_small() {
    let customer = typical_customer();
    assert_eq!(customer.recent.entries.len(), 8);
    let sizes: Vec<_> = parts(&customer).iter().map(|(part, bytes)| (*part, bytes.len())).collect();
    let total: usize = sizes.iter().map(|(_, size)| size).sum();
    assert!(total <= 600, "{total} {sizes:?}");
}

#[test]
fn fields_of_a_later_version_are_kept_and_written_back() {
    let mut bytes = parts(&full_customer());
    for (_, part) in &mut bytes {
        throughline_codec::wire::Writer::new(part).bytes(900, b"from the future");
    }
    let customer = restored(&bytes);
    assert_eq!(parts(&customer), bytes);
    let mut moved = customer.clone();
    apply(&mut moved, &Rules::default(), &touchpoint(200, TouchpointType::OrderCreated, START + 60 * DAY, |_, _| {}));
    for (_, part) in parts(&moved) {
        assert!(part.windows(15).any(|window| window == b"from the future"));
    }
}

#[test]
fn torn_and_impossible_bytes_are_refused_with_their_part() {
    for (part, bytes) in parts(&full_customer()) {
        for length in 0..bytes.len() {
            // Some prefixes end between two fields and are whole; none may panic.
            let _ = decode(node(), [(part, &bytes[..length])]);
        }
        if part != Part::Open {
            let error = decode(node(), [(part, &bytes[..bytes.len() - 1])]).expect_err("is torn");
            assert_eq!(error.part, part);
        }
    }
}

/// Fixtures stay for ever: state of an old format must be readable.
#[test]
fn the_fixture_of_state_format_1_is_read() {
    assert_eq!(STATE_FORMAT, 1, "add a fixture for the new format");
    let fixture = include_str!("state/format-1.txt");
    let mut bytes = Vec::new();
    for line in fixture.lines() {
        let (name, hex) = line.split_once(' ').unwrap_or((line, ""));
        let part = Part::from_name(name).expect("a part");
        let octets = hex.as_bytes().chunks(2);
        let octets = octets.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex"));
        bytes.push((part, octets.collect::<Vec<u8>>()));
    }
    let customer = restored(&bytes);
    assert_eq!(parts(&customer), bytes, "format 1 is written as it always was");
    let rules = Rules::default();
    let view = customer.view(&rules, customer.as_of());
    let score = &view.score;
    assert_eq!((score.touchpoints, score.relationship, score.reasons.len()), (42, 43.502_207, 5));
    assert_eq!((view.surveys.len(), view.attributes.len(), view.links.len(), view.consent.len()), (2, 1, 1, 1));
    let records = &customer.alerts.as_ref().expect("has alerts").records;
    assert_eq!((records.len(), view.memories.len(), view.member_since.is_some()), (2, 7, true));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_round_trips(
        history in prop::collection::vec((0..20u32, 0..90_000_000i64, 0..6usize, 0..3usize, -50..=50i32), 0..60),
    ) {
        let rules = Rules::default();
        let mut customer = Customer::new(node());
        for (number, offset, kind, verb, score) in history {
            let kind = [
                TouchpointType::OrderCreated,
                TouchpointType::PartnerTripCancelled,
                TouchpointType::SurveyAnswered,
                TouchpointType::PageViewed,
                TouchpointType::RecoveryMade,
                TouchpointType::CancelRequested,
            ][kind];
            let at = START + offset * 37;
            apply(&mut customer, &rules, &touchpoint(number, kind, at, |header, body| {
                header.revision.verb = [Verb::Add, Verb::Update, Verb::Remove][verb];
                header.revision.updated_at = if verb == 1 { at + i64::from(score) } else { 0 };
                header.received_at = ReceivedAt::from_millis(at - i64::from(score) * 1_000);
                body.set_owner(OwnerKind::Partner, ["", "a", "b"][verb]);
                body.evidence.push(Evidence {
                    min: -50.0,
                    max: 50.0,
                    ..Evidence::new(EvidenceKind::Stars, f64::from(score))
                });
            }));
            let score = customer.score(&rules, customer.as_of());
            customer.mark_score_published(&score);
        }
        customer.clear_dirty();
        let bytes = parts(&customer);
        prop_assert_eq!(&restored(&bytes), &customer);
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), part in 0..5u64) {
        let part = Part::from_code(part).expect("there are five");
        let _ = decode(node(), [(part, bytes.as_slice())]);
    }
}
