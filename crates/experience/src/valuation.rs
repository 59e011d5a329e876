//! From evidence to valence (4.1): what one touchpoint says about the experience, and how much it weighs.

use smallvec::SmallVec;
use throughline_model::touchpoint::Evidence;
use throughline_model::{Driver, EvidenceKind, Severity, Touchpoint, closed_set};

use crate::rules::{Fold, Rules};

closed_set! {
    /// Kinds of valued evidence as published on a touchpoint.
    pub enum ValuedKind {
        /// Net promoter score.
        Nps = "nps",
        /// Customer satisfaction.
        Csat = "csat",
        /// Customer effort score.
        Ces = "ces",
        /// Stars.
        Stars = "stars",
        /// Rating of one facet.
        Facet = "facet",
        /// Sentiment of text or voice.
        Sentiment = "sentiment",
        /// The bare fact.
        Fact = "fact",
    }
}

closed_set! {
    /// The four shares of the evidence mix (4.2).
    pub enum MixKind {
        /// Answers, stars, facets.
        Survey = "survey",
        /// Sentiment of text or voice.
        Text = "text",
        /// Bare facts.
        Fact = "fact",
        /// Promises; none yet.
        Promise = "promise",
    }
}

impl ValuedKind {
    /// Its share of the evidence mix.
    #[must_use]
    pub const fn mix(self) -> MixKind {
        match self {
            Self::Nps | Self::Csat | Self::Ces | Self::Stars | Self::Facet => MixKind::Survey,
            Self::Sentiment => MixKind::Text,
            Self::Fact => MixKind::Fact,
        }
    }
}

/// One piece of evidence on the common scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValuedEvidence {
    /// Kind.
    pub kind: ValuedKind,
    /// Valence, -1..=1, rounded to 1e-4.
    pub v: f64,
    /// Confidence, above 0 and at most 1.
    pub q: f64,
}

closed_set! {
    /// How much a touchpoint weighs as such.
    pub enum TouchpointWeight {
        /// Weight 1.
        Normal = "normal",
        /// Weight 2: severe.
        Severe = "severe",
        /// Weight 0.5: minor, only if the source says so.
        Minor = "minor",
    }
}

impl TouchpointWeight {
    /// The factor of this model.
    #[must_use]
    pub const fn factor(self, fold: &Fold) -> f64 {
        match self {
            Self::Normal => 1.0,
            Self::Severe => fold.severe_weight,
            Self::Minor => fold.minor_weight,
        }
    }
}

/// What a touchpoint is worth. Its numbers are whole counts of their unit, so that a contribution can be taken back
/// bit for bit.
#[derive(Debug, Clone, PartialEq)]
pub struct Valuation {
    /// Valence in units of 1e-4, -10,000..=10,000; 0 without evidence.
    pub v_units: i16,
    /// The most negative evidence in units of 1e-4; severity and memory look at it: politeness hides nothing.
    pub worst_units: i16,
    /// Weight in units of 1e-3: confidence x touchpoint weight x lambda if negative; 0 without evidence.
    pub w_units: u16,
    /// Largest confidence; 0 without evidence.
    pub q: f64,
    /// Summed confidence by [`MixKind`], in units of 1e-3.
    pub mix: [u16; 4],
    /// The touchpoint weight.
    pub weight: TouchpointWeight,
    /// The driver, present only where the valence is negative or the touchpoint is severe without any.
    pub driver: Option<Driver>,
    /// The evidence, in the order facts, answers, facets.
    pub evidence: SmallVec<[ValuedEvidence; 2]>,
}

/// One valence unit.
pub const V_UNIT: f64 = 1e-4;
/// One weight unit.
pub const W_UNIT: f64 = 1e-3;

impl Valuation {
    /// Whether there is any evidence.
    #[must_use]
    pub const fn is_valenced(&self) -> bool {
        self.w_units > 0
    }

    /// Valence, -1..=1, if there is evidence.
    #[must_use]
    pub fn v(&self) -> Option<f64> {
        self.is_valenced().then(|| f64::from(self.v_units) / 10_000.0)
    }

    /// Weight, above 0, if there is evidence.
    #[must_use]
    pub fn w(&self) -> Option<f64> {
        self.is_valenced().then(|| f64::from(self.w_units) / 1_000.0)
    }

    /// Whether one such touchpoint is enough for a person to look.
    #[must_use]
    pub const fn severe(&self) -> bool {
        matches!(self.weight, TouchpointWeight::Severe)
    }
}

/// Values a touchpoint by the model; the same for one without a customer.
#[must_use]
pub fn valuation(touchpoint: &Touchpoint<'_>, rules: &Rules) -> Valuation {
    let body = touchpoint.body();
    let fold = &rules.fold;
    let mut evidence = SmallVec::new();
    let fact = rules.fact_of(body.kind, body.kind.row().fact.valence(body.result.resolved, body.result.by));
    if let Some(v) = fact {
        evidence.push(ValuedEvidence { kind: ValuedKind::Fact, v: round_unit(v), q: fold.confidence.fact });
    }
    for answer in &body.evidence {
        evidence.push(answered(answer, fold));
    }
    for facet in &body.facets {
        let v = linear(facet.score, facet.min, facet.max);
        evidence.push(ValuedEvidence { kind: ValuedKind::Facet, v: round_unit(v), q: fold.confidence.facet });
    }
    let weight = touchpoint_weight(touchpoint, fact, fold);
    let mut valued =
        Valuation { v_units: 0, worst_units: 0, w_units: 0, q: 0.0, mix: [0; 4], weight, driver: None, evidence };
    sum_up(&mut valued, fold);
    if valued.v_units < 0 || (!valued.is_valenced() && valued.severe()) {
        valued.driver = body.driver_or_default();
    }
    valued
}

fn sum_up(valued: &mut Valuation, fold: &Fold) {
    if valued.evidence.is_empty() {
        return;
    }
    let (mut weighted, mut total, mut worst) = (0.0, 0.0, 1.0f64);
    for piece in &valued.evidence {
        weighted += piece.q * piece.v;
        total += piece.q;
        valued.q = valued.q.max(piece.q);
        worst = worst.min(piece.v);
        let share = &mut valued.mix[usize::from(piece.kind.mix().code())];
        *share = share.saturating_add(units(piece.q, 1_000.0).max(1.0) as u16);
    }
    valued.v_units = units(weighted / total, 10_000.0) as i16;
    valued.worst_units = units(worst, 10_000.0) as i16;
    let lambda = if valued.v_units < 0 { fold.lambda } else { 1.0 };
    let w = valued.q * valued.weight.factor(fold) * lambda;
    // A confidence so small that the weight rounds to nothing still counts as evidence.
    valued.w_units = units(w, 1_000.0).clamp(1.0, f64::from(u16::MAX)) as u16;
}

fn touchpoint_weight(touchpoint: &Touchpoint<'_>, fact: Option<f64>, fold: &Fold) -> TouchpointWeight {
    let body = touchpoint.body();
    // Surveys, stars and promises alone never make a touchpoint severe: every NPS 0 would page someone.
    let severe = body.severity == Severity::Severe
        || fact.is_some_and(|v| v <= fold.severe_fact)
        || body.codes.iter().any(|code| fold.severe_codes.iter().any(|severe| severe == code));
    if severe {
        TouchpointWeight::Severe
    } else if body.severity == Severity::Minor {
        TouchpointWeight::Minor
    } else {
        TouchpointWeight::Normal
    }
}

fn answered(answer: &Evidence, fold: &Fold) -> ValuedEvidence {
    let survey = fold.confidence.survey;
    let (kind, v, q) = match answer.kind {
        EvidenceKind::Nps => (ValuedKind::Nps, nps_valence(usual_scale(answer), &fold.nps), survey),
        EvidenceKind::Csat => (ValuedKind::Csat, linear(answer.score, answer.min, answer.max), survey),
        EvidenceKind::Stars => (ValuedKind::Stars, linear(answer.score, answer.min, answer.max), survey),
        EvidenceKind::Ces => (ValuedKind::Ces, (usual_scale(answer) - 4.0) / 3.0, survey),
        EvidenceKind::Sentiment => {
            (ValuedKind::Sentiment, linear(answer.score, answer.min, answer.max), fold.confidence.text)
        }
    };
    ValuedEvidence { kind, v: round_unit(v.clamp(-1.0, 1.0)), q }
}

/// The answer on the usual scale of its kind (NPS 0..10, CSAT and stars 1..5, CES 1..7 with 7 easy, sentiment -1..1).
#[must_use]
pub fn usual_scale(answer: &Evidence) -> f64 {
    let usual = Evidence::new(answer.kind, 0.0);
    if answer.min == usual.min && answer.max == usual.max && answer.easy_is_high {
        return answer.score;
    }
    let mut share = (answer.score - answer.min) / (answer.max - answer.min);
    if answer.kind == EvidenceKind::Ces && !answer.easy_is_high {
        share = 1.0 - share;
    }
    usual.min + share * (usual.max - usual.min)
}

fn nps_valence(answer: f64, table: &[f64; 11]) -> f64 {
    let at = answer.clamp(0.0, 10.0);
    let below = libm::floor(at) as usize;
    let above = (below + 1).min(10);
    table[below] + (at - below as f64) * (table[above] - table[below])
}

fn linear(score: f64, min: f64, max: f64) -> f64 {
    2.0 * (score - min) / (max - min) - 1.0
}

fn round_unit(v: f64) -> f64 {
    units(v, 10_000.0) / 10_000.0
}

/// Whole units, half away from zero.
fn units(value: f64, per_one: f64) -> f64 {
    libm::round(value * per_one)
}
