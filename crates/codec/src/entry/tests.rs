use smallvec::smallvec;
use throughline_model::touchpoint::{
    Attribute, Benefit, Consent, Durations, Facet, JourneyHint, Loyalty, Money, Need, Outcome, PromiseMade, Proof,
    Social, ValueFact,
};
use throughline_model::{
    BenefitKind, ConsentStatus, FactKind, LoyaltyKind, Party, PromiseKind, PromiseSense, ProofOutcome, ResultReason,
};

use super::*;

fn header() -> Header<'static> {
    let node = NodeId::new(IdentifierType::Login, Hash128([5; 16]));
    Header {
        touchpoint_id: Hash128([1; 16]),
        revision: Revision { updated_at: 17, mapping: 3, verb: Verb::Update },
        occurred_at: EventTime::from_millis(1_700_000_000_000),
        received_at: ReceivedAt::from_millis(1_700_000_000_123),
        time_quality: TimeQuality::Corrected,
        origin: Origin { topic: "touchpoints.web".into(), partition: 3, offset: 1 << 40, entry: 2 },
        node: Some(node),
        identifiers: smallvec![
            Identifier { kind: IdentifierType::Login, hash: Hash128([5; 16]), trust: Trust::Authenticated },
            Identifier { kind: IdentifierType::Email, hash: Hash128([6; 16]), trust: Trust::Asserted },
        ],
        relations: vec![Relation {
            kind: RelationKind::Beneficiary,
            identifier: IdentifierType::Phone,
            hash: Hash128([7; 16]),
            until: Some(EventTime::from_millis(-5)),
        }],
        response: Some(Box::new(ResponseStamp {
            target_ms: 60_000,
            due_at: EventTime::from_millis(9),
            catalog_version: "abc".into(),
        })),
        replayed: true,
        trace: Some(Box::new(("00-1".into(), "s=1".into()))),
    }
}

fn full_body() -> Body<'static> {
    let mut body = Body::new(TouchpointType::OrderCreated, Channel::Store, SourceKind::Web);
    body.family = Family::CoBranding;
    body.direction = Direction::Outbound;
    body.mode = Mode::Bot;
    (body.system, body.app, body.producer) = ("shop".into(), "pos".into(), "team-a".into());
    (body.schema, body.version, body.source_id) = ("s".into(), "1".into(), "id-1".into());
    body.set_reference(RefKind::Order, "o1");
    body.set_owner(OwnerKind::Partner, "red-line");
    body.controllable = false;
    body.need =
        Some(Box::new(Need { topic: "seat".into(), category: "c".into(), tags: smallvec![("medical".into(), 0.9)] }));
    body.intents = smallvec![(Intent::Exit, 0.7)];
    body.severity = Severity::Severe;
    body.codes = smallvec!["fraud".into(), "x".into()];
    body.driver = Some(Driver::Price);
    body.evidence = smallvec![
        Evidence::new(EvidenceKind::Nps, 3.0),
        Evidence { kind: EvidenceKind::Ces, score: 2.0, min: 1.0, max: 5.0, easy_is_high: false },
    ];
    body.result = Outcome {
        resolved: Some(false),
        purchased: Some(true),
        reason: Some(ResultReason::Stock),
        by: Some(Party::Partner),
    };
    body.durations =
        Durations { wait_ms: Some(1), stated_wait_ms: Some(2), hold_ms: Some(3), handle_ms: Some(i64::MAX) };
    body.money = Some(Money { amount_minor: -1_200, currency: "EUR".into() });
    body.benefit =
        Some(Box::new(Benefit { kind: BenefitKind::Gift, amount_minor: 5, currency: "EUR".into(), points: 7 }));
    body.facts = vec![ValueFact {
        kind: FactKind::PolicyAnswer,
        subject: "item".into(),
        region: "all".into(),
        value: "12.00 EUR".into(),
    }];
    body.facets = vec![Facet { facet: "comfort".into(), score: 2.0, min: 1.0, max: 5.0 }];
    body.promises = vec![PromiseMade {
        kind: PromiseKind::Delivery,
        key: "o1".into(),
        sense: PromiseSense::By,
        unit: "ms".into(),
        made_by: "web".into(),
        made_at: Some(EventTime::from_millis(1)),
        due_at: Some(EventTime::from_millis(2)),
        value: Some(1.5),
        tolerance: Some(0.1),
        campaign: "c1".into(),
    }];
    body.proofs = vec![Proof {
        kind: PromiseKind::Install,
        key: "o1".into(),
        proved_at: Some(EventTime::from_millis(3)),
        value: Some(2.0),
        outcome: ProofOutcome::Withdrawn,
    }];
    body.journey = Some(Box::new(JourneyHint { definition: "trip".into(), key: "b1".into(), step: "ride".into() }));
    body.purpose = Some(OutboundPurpose::Promotional);
    body.social = Some(Box::new(Social {
        public: true,
        author_followers: Some(1),
        author_following: Some(2),
        author_posts: Some(3),
        impressions: Some(4),
        reposts: Some(5),
        quotes: Some(6),
        replies: Some(7),
        likes: Some(8),
        outside_score: Some(0.5),
        metric_at: Some(EventTime::from_millis(10)),
    }));
    body.attributes = vec![Attribute {
        name: "diet".into(),
        value: "low sodium".into(),
        purpose: "personalization".into(),
        valid_from: Some(EventTime::from_millis(1)),
        expires_at: Some(EventTime::from_millis(2)),
    }];
    body.consents = vec![Consent {
        purpose: "process".into(),
        status: ConsentStatus::Denied,
        status_at: Some(EventTime::from_millis(1)),
        valid_until: None,
        policy_version: "v1".into(),
    }];
    body.loyalty = Some(Box::new(Loyalty {
        account: "a".into(),
        kind: LoyaltyKind::Burn,
        tier: "gold".into(),
        points: -3,
        balance: 9,
    }));
    (body.language, body.text_ref, body.raw_ref) = ("de".into(), "t".into(), "r".into());
    body
}

#[test]
fn every_field_comes_back() {
    let touchpoint = Touchpoint::new(header(), full_body()).expect("valid");
    let (mut common, mut bytes) = (Vec::new(), Vec::new());
    encode(&touchpoint, &mut common, &mut bytes);
    let common = Context::read(&common).expect("a context");
    assert_eq!(format!("{:?}", decode(&common, &bytes).expect("decodes")), format!("{touchpoint:?}"));
}

#[test]
fn an_ordinary_touchpoint_is_small() {
    let header = Header {
        revision: Revision { updated_at: 0, mapping: 1, verb: Verb::Add },
        time_quality: TimeQuality::Exact,
        relations: Vec::new(),
        response: None,
        replayed: false,
        trace: None,
        ..header()
    };
    let body = Body::new(TouchpointType::PageViewed, Channel::Web, SourceKind::Web);
    let touchpoint = Touchpoint::new(header, body).expect("valid");
    let (mut common, mut bytes) = (Vec::new(), Vec::new());
    encode(&touchpoint, &mut common, &mut bytes);
    let common = Context::read(&common).expect("a context");
    assert_eq!(format!("{:?}", decode(&common, &bytes).expect("decodes")), format!("{touchpoint:?}"));
    assert!(bytes.len() < 100, "{} bytes", bytes.len());
}

#[test]
fn torn_entries_are_refused_not_guessed() {
    let touchpoint = Touchpoint::new(header(), full_body()).expect("valid");
    let (mut common, mut bytes) = (Vec::new(), Vec::new());
    encode(&touchpoint, &mut common, &mut bytes);
    let common = Context::read(&common).expect("a context");
    for length in 0..bytes.len() {
        // A cut at a field's end loses optional fields at most; it must never panic.
        let _ = decode(&common, &bytes[..length]);
    }
    assert_eq!(node(&bytes), Ok(touchpoint.header().node));
    assert_eq!(Context::read(&[]).map(|_| ()), Err(EntryError::Missing(3)));
    assert_eq!(decode(&common, &[]), Err(EntryError::Missing(21)));
}
