//! Builds touchpoints and plays them to one customer.

// Every test file uses another part of this.
#![allow(dead_code)]

use throughline_experience::{AlertTransition, Customer, Emission, Fired, Rules, Scope, Valuation};
use throughline_model::alert::{AlertType, Transition, TransitionReason};
use throughline_model::time::{DAY, HOUR, MINUTE};
use throughline_model::touchpoint::{Body, Consent, Evidence, Header, Need, Origin, Revision};
use throughline_model::{
    Channel, ConsentStatus, EventTime, EvidenceKind, Fate, Hash128, IdHasher, IdentifierType, Intent, NodeId, Now,
    ReceivedAt, SourceKind, StreamTime, TimeQuality, Touchpoint, TouchpointType, Verb,
};

/// Day 0 of every story.
pub const START: i64 = 20_454 * DAY;

pub fn day(days: f64) -> EventTime {
    EventTime::from_millis(START + (days * DAY as f64) as i64)
}

pub fn node() -> NodeId {
    NodeId::new(IdentifierType::Login, Hash128([7; 16]))
}

pub fn id(number: u32) -> Hash128 {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    Hash128(bytes)
}

/// One touchpoint to be.
#[derive(Debug, Clone)]
pub struct Draft {
    pub header: Header<'static>,
    pub body: Body<'static>,
}

/// A touchpoint of that type at `days`, received at once.
pub fn touch(number: u32, kind: TouchpointType, days: f64) -> Draft {
    let at = day(days);
    let header = Header {
        touchpoint_id: id(number),
        revision: Revision { updated_at: 0, mapping: 1, verb: Verb::Add },
        occurred_at: at,
        received_at: ReceivedAt::from_millis(at.as_millis()),
        time_quality: TimeQuality::Exact,
        origin: Origin { topic: "touchpoints.web".into(), partition: 0, offset: i64::from(number), entry: 0 },
        node: Some(node()),
        identifiers: Default::default(),
        relations: Vec::new(),
        response: None,
        replayed: false,
        trace: None,
    };
    Draft { header, body: Body::new(kind, Channel::Web, SourceKind::Web) }
}

/// A survey answer of exactly valence `v`: q 1, weight 1, or 2 if negative.
pub fn valenced(number: u32, days: f64, v: f64) -> Draft {
    touch(number, TouchpointType::SurveyAnswered, days).answer(Evidence {
        kind: EvidenceKind::Csat,
        score: v,
        min: -1.0,
        max: 1.0,
        easy_is_high: true,
    })
}

impl Draft {
    pub fn answer(mut self, evidence: Evidence) -> Self {
        self.body.evidence.push(evidence);
        self
    }

    pub fn channel(mut self, channel: Channel) -> Self {
        self.body.channel = channel;
        self
    }

    pub fn intent(mut self, intent: Intent, confidence: f64) -> Self {
        self.body.intents.push((intent, confidence));
        self
    }

    pub fn tag(mut self, tag: &'static str, confidence: f64) -> Self {
        let need = self.body.need.get_or_insert_with(|| Box::new(Need::default()));
        need.tags.push((tag.into(), confidence));
        self
    }

    pub fn code(mut self, code: &'static str) -> Self {
        self.body.codes.push(code.into());
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Body<'static>)) -> Self {
        change(&mut self.body);
        self
    }

    pub fn consent(mut self, purpose: &'static str, status: ConsentStatus) -> Self {
        self.body.consents.push(Consent {
            purpose: purpose.into(),
            status,
            status_at: None,
            valid_until: None,
            policy_version: "".into(),
        });
        self
    }

    pub fn revision(mut self, verb: Verb, updated_at: i64) -> Self {
        self.header.revision = Revision { updated_at, mapping: 1, verb };
        self
    }

    pub fn received(mut self, days: f64) -> Self {
        self.header.received_at = ReceivedAt::from_millis(day(days).as_millis());
        self
    }

    pub fn build(self) -> Touchpoint<'static> {
        Touchpoint::new(self.header, self.body).expect("the drafts of tests are valid")
    }
}

/// A published touchpoint.
pub struct Published {
    pub retracted: bool,
    pub valuation: Valuation,
    pub expected: Option<f64>,
    pub disconfirmation: Option<f64>,
}

/// A customer and everything they made the outside hear.
pub struct Story {
    pub rules: Rules,
    pub ids: IdHasher,
    pub customer: Customer,
    pub alerts: Vec<AlertTransition>,
    pub touchpoints: Vec<Published>,
    pub capped: Vec<throughline_experience::Component>,
    pub rebuild: bool,
}

impl Default for Story {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            ids: IdHasher::new([3; 32], "acme"),
            customer: Customer::new(node()),
            alerts: Vec::new(),
            touchpoints: Vec::new(),
            capped: Vec::new(),
            rebuild: false,
        }
    }
}

impl Story {
    /// Applies at the moment of receipt.
    pub fn play(&mut self, draft: Draft) -> Fate {
        let now = Now::from_millis(draft.header.received_at.as_millis());
        self.play_at(draft, now)
    }

    /// Applies when the worker's clock shows `now`.
    pub fn play_at(&mut self, draft: Draft, now: Now) -> Fate {
        let scope = Scope { rules: &self.rules, ids: &self.ids, now, rebuild: self.rebuild };
        let (alerts, touchpoints, capped) = (&mut self.alerts, &mut self.touchpoints, &mut self.capped);
        self.customer.apply(&draft.build(), &scope, &mut |emission| match emission {
            Emission::Alert(transition) => alerts.push(*transition),
            Emission::Capped(component) => capped.push(component),
            Emission::Touchpoint(valued) => touchpoints.push(Published {
                retracted: valued.retracted,
                valuation: valued.valuation.clone(),
                expected: valued.expected,
                disconfirmation: valued.disconfirmation,
            }),
        })
    }

    /// Lets time pass: stream time and the worker's clock, in days. Says what fired.
    pub fn wait(&mut self, stream: Option<f64>, now: f64) -> Fired {
        let now = Now::from_millis(day(now).as_millis());
        let stream = stream.map(|days| StreamTime::from_millis(day(days).as_millis()));
        let scope = Scope { rules: &self.rules, ids: &self.ids, now, rebuild: self.rebuild };
        let (alerts, echo) = (&mut self.alerts, self.customer.echo());
        self.customer.fire(&echo, stream, &scope, &mut |emission| match emission {
            Emission::Alert(transition) => alerts.push(*transition),
            Emission::Capped(_) => {}
            Emission::Touchpoint(_) => panic!("time alone publishes no touchpoint"),
        })
    }

    /// When stream time and the worker's clock change something next, in days.
    pub fn dues(&self) -> (Option<f64>, Option<f64>) {
        let days = |millis: i64| (millis - START) as f64 / DAY as f64;
        let dues = self.customer.dues(&self.rules);
        (dues.stream.map(|at| days(at.as_millis())), dues.now.map(|at| days(at.as_millis())))
    }

    /// Applies all of them.
    pub fn play_all(&mut self, drafts: impl IntoIterator<Item = Draft>) {
        for draft in drafts {
            self.play(draft);
        }
    }

    /// Type, transition, reason of everything so far.
    pub fn transitions(&self) -> Vec<(AlertType, Transition, TransitionReason)> {
        self.alerts.iter().map(|alert| (alert.kind, alert.transition, alert.reason)).collect()
    }

    /// Transitions of one type.
    pub fn of(&self, kind: AlertType) -> Vec<Transition> {
        self.alerts.iter().filter(|alert| alert.kind == kind).map(|alert| alert.transition).collect()
    }

    /// The published transitions of one type.
    pub fn list(&self, kind: AlertType) -> Vec<&AlertTransition> {
        self.alerts.iter().filter(|alert| alert.kind == kind).collect()
    }

    /// Relationship score now.
    pub fn relationship(&self) -> f64 {
        self.customer.relationship(&self.rules, self.customer.as_of())
    }
}

pub const MINUTES: f64 = MINUTE as f64 / DAY as f64;
pub const HOURS: f64 = HOUR as f64 / DAY as f64;
