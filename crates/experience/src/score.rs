//! Reading the experience scores (4.2) and channel consistency (4.4) at a time of the reader's choice.

use smallvec::SmallVec;
use throughline_model::{Channel, EventTime, EvidenceKind, TouchpointId, TouchpointType, round6};

use crate::customer::Customer;
use crate::decay::Decayed;
use crate::rules::Rules;
use crate::span::Span;
use crate::sums::Sums;

/// A published score record, but for the fields of journeys, effort and churn, which do not exist yet. All numbers are
/// rounded to 6 decimals.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreView {
    /// Time the numbers are read at.
    pub as_of: EventTime,
    /// 0..=100; the relationship score alone, as there is no journey yet.
    pub overall: f64,
    /// Experience score with a half-life of 12 h, 0..=100.
    pub moment: f64,
    /// With 30 d.
    pub relationship: f64,
    /// With 730 d.
    pub lifetime: f64,
    /// Valenced touchpoints in the sums.
    pub touchpoints: u32,
    /// 0..=1; 1 without evidence.
    pub uncertainty: f64,
    /// Channels seen in 90 d / channels ever seen, 0..=1.
    pub coverage: f64,
    /// The coverage vector.
    pub channels: SmallVec<[ChannelSeen; 4]>,
    /// Personal baseline, absent below 8 valenced touchpoints.
    pub baseline: Option<Baseline>,
    /// Effort by the latest CES answer under 30 d, 0..=100, higher is worse.
    pub effort_survey: Option<f64>,
    /// Channel consistency, 0..=100, absent under two channels.
    pub consistency: Option<f64>,
    /// Largest difference between channel means, 0..=2, absent under two channels.
    pub channel_gap: Option<f64>,
    /// Shares of the relationship weight by [`MixKind`](crate::valuation::MixKind); sum 1, all 0 without evidence.
    pub evidence_mix: [f64; 4],
    /// Strongest first, at most 5.
    pub reasons: SmallVec<[ScoreReason; 5]>,
    /// Points of everything else: 50 + prior + reasons + other = relationship.
    pub other: f64,
    /// Points of the prior.
    pub prior: f64,
    /// B / (B + k): how much was observed rather than assumed.
    pub observed_share: f64,
}

/// One channel of the coverage vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelSeen {
    /// The channel.
    pub channel: Channel,
    /// Latest use.
    pub last_at: EventTime,
    /// Whether that was within the coverage window.
    pub seen: bool,
}

/// Personal baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// Lifetime mean valence.
    pub mean: f64,
    /// Lifetime spread.
    pub sd: f64,
    /// Moment mean in spreads from the lifetime mean, as of the last valenced touchpoint.
    pub z: Option<f64>,
    /// Valenced touchpoints.
    pub n: u32,
}

/// One reason of the relationship score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreReason {
    /// The touchpoint.
    pub touchpoint_id: TouchpointId,
    /// Points it adds to the relationship score.
    pub contribution: f64,
    /// Its type.
    pub code: TouchpointType,
}

/// The numbers of a published score, kept to decide whether another one is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedScore {
    /// Valenced touchpoints.
    pub touchpoints: u32,
    /// Moment, relationship, lifetime, uncertainty, coverage, consistency, gap, z; in units of 1e-6.
    pub numbers: [Option<i32>; 8],
}

impl PublishedScore {
    /// A move that is published, in units of 1e-6.
    const MOVE: u32 = 10_000;
    /// A point of a score, in units of 1e-6.
    const POINT: u32 = 1_000_000;

    fn of(view: &ScoreView) -> Self {
        let numbers = [
            Some(view.moment),
            Some(view.relationship),
            Some(view.lifetime),
            Some(view.uncertainty),
            Some(view.coverage),
            view.consistency,
            view.channel_gap,
            view.baseline.and_then(|baseline| baseline.z),
        ];
        // The largest are scores, 1e8 units; a z beyond 2,000 spreads saturates, which is no published difference.
        Self {
            touchpoints: view.touchpoints,
            numbers: numbers.map(|number| number.map(|n| libm::round(n * 1e6) as i32)),
        }
    }

    fn differs(&self, other: &Self) -> bool {
        self.touchpoints != other.touchpoints
            || self.numbers.iter().zip(&other.numbers).any(|pair| match pair {
                (Some(left), Some(right)) => left.abs_diff(*right) >= Self::MOVE,
                (left, right) => left != right,
            })
    }
}

/// Discounted sums `(A D, B D)` at `at`; a B below 0, a residue of subtraction, reads as 0.
fn discounted(sums: &Decayed, half_life: Span, at: EventTime) -> (f64, f64) {
    if sums.b <= 0.0 {
        return (0.0, 0.0);
    }
    let discount = sums.discount(at, half_life);
    (sums.a * discount, sums.b * discount)
}

/// An experience score, 0..=100, rounded.
fn experience_score(sums: &Decayed, half_life: Span, at: EventTime, rules: &Rules) -> f64 {
    let (a, b) = discounted(sums, half_life, at);
    from_discounted(a, b, rules)
}

fn from_discounted(a: f64, b: f64, rules: &Rules) -> f64 {
    let (k, m) = (rules.read.score.prior_weight, rules.read.score.prior_mean);
    round6((50.0 + 50.0 * (a + k * m) / (b + k)).clamp(0.0, 100.0))
}

/// The relationship score, rounded.
pub(crate) fn relationship(sums: &Sums, rules: &Rules, at: EventTime) -> f64 {
    experience_score(&sums.relationship, rules.fold.half_life.relationship, at, rules)
}

impl Customer {
    /// The relationship score at `at`, rounded.
    #[must_use]
    pub fn relationship(&self, rules: &Rules, at: EventTime) -> f64 {
        relationship(&self.core.sums, rules, at)
    }

    /// Everything a score record says, read at `at`.
    #[must_use]
    pub fn score(&self, rules: &Rules, at: EventTime) -> ScoreView {
        let (sums, half_life) = (&self.core.sums, &rules.fold.half_life);
        let k = rules.read.score.prior_weight;
        let (a, b) = discounted(&sums.relationship, half_life.relationship, at);
        let relationship = from_discounted(a, b, rules);
        let prior = round6(50.0 * k * rules.read.score.prior_mean / (b + k));
        let reasons = self.reasons_of(b, rules, at);
        let named = reasons.iter().map(|reason| reason.contribution).sum::<f64>();
        let (channels, coverage) = self.coverage(rules, at);
        let (consistency, channel_gap) = self.consistency(rules, at).unzip();
        let spread = 1.0 / libm::sqrt(1.0 + b) / libm::sqrt(coverage.max(rules.read.score.coverage_floor));
        ScoreView {
            as_of: at,
            overall: relationship,
            moment: experience_score(&sums.moment, half_life.moment, at, rules),
            relationship,
            lifetime: experience_score(&sums.lifetime, half_life.lifetime, at, rules),
            touchpoints: sums.count,
            uncertainty: round6(spread.min(1.0)),
            coverage: round6(coverage),
            channels,
            baseline: self.baseline(rules),
            effort_survey: self.effort_survey(rules, at),
            consistency,
            channel_gap,
            evidence_mix: self.evidence_mix(),
            other: round6(relationship - 50.0 - prior - named),
            reasons,
            prior,
            observed_share: round6(b / (b + k)),
        }
    }

    /// The reasons of the relationship score at `at`, strongest first.
    #[must_use]
    pub fn score_reasons(&self, rules: &Rules, at: EventTime) -> SmallVec<[ScoreReason; 5]> {
        let half_life = rules.fold.half_life.relationship;
        let (_, b) = discounted(&self.core.sums.relationship, half_life, at);
        self.reasons_of(b, rules, at)
    }

    /// The same, given the discounted weight of the relationship sums.
    fn reasons_of(&self, b: f64, rules: &Rules, at: EventTime) -> SmallVec<[ScoreReason; 5]> {
        let half_life = rules.fold.half_life.relationship;
        let sums = &self.core.sums.relationship;
        let points = 50.0 * sums.discount(at, half_life) / (b + rules.read.score.prior_weight);
        let strongest = self.core.reasons.read(&self.recent, half_life, sums.landmark);
        strongest
            .iter()
            .map(|ranked| ScoreReason {
                touchpoint_id: ranked.reason.id,
                contribution: round6(points * ranked.decayed),
                code: ranked.reason.kind,
            })
            .collect()
    }

    /// Latest use of every channel ever used, and the share of them used within the window.
    fn coverage(&self, rules: &Rules, at: EventTime) -> (SmallVec<[ChannelSeen; 4]>, f64) {
        let mut latest: [Option<EventTime>; Channel::ALL.len()] = [None; Channel::ALL.len()];
        for row in &self.core.channels.rows {
            latest[usize::from(row.channel.code())] = row.folded_last_at;
        }
        for entry in self.recent.entries.iter().filter(|entry| entry.contact) {
            let slot = &mut latest[usize::from(entry.channel.code())];
            *slot = (*slot).max(Some(entry.occurred_at));
        }
        let since = at.plus_millis(-rules.read.score.coverage_window.millis());
        let channels: SmallVec<[ChannelSeen; 4]> = Channel::ALL
            .iter()
            .zip(latest)
            .filter_map(|(&channel, last_at)| {
                last_at.map(|last_at| ChannelSeen { channel, last_at, seen: last_at > since })
            })
            .collect();
        let seen = channels.iter().filter(|channel| channel.seen).count();
        let coverage = if channels.is_empty() { 1.0 } else { seen as f64 / channels.len() as f64 };
        (channels, coverage)
    }

    /// Channel consistency and gap, rounded; absent under two channels with enough weight.
    fn consistency(&self, rules: &Rules, at: EventTime) -> Option<(f64, f64)> {
        let half_life = rules.fold.half_life.channel;
        let means: SmallVec<[(f64, f64); 4]> = self
            .core
            .channels
            .rows
            .iter()
            .filter_map(|row| {
                let (_, weight) = discounted(&row.sums, half_life, at);
                let mean = row.sums.mean()?;
                (weight >= rules.read.score.channel_weight_min).then_some((mean, weight))
            })
            .collect();
        if means.len() < 2 {
            return None;
        }
        let total = means.iter().map(|(_, weight)| weight).sum::<f64>();
        let center = means.iter().map(|(mean, weight)| mean * weight).sum::<f64>() / total;
        let variance =
            means.iter().map(|(mean, weight)| weight * (mean - center) * (mean - center)).sum::<f64>() / total;
        let largest = means.iter().map(|(mean, _)| *mean).fold(f64::NEG_INFINITY, f64::max);
        let smallest = means.iter().map(|(mean, _)| *mean).fold(f64::INFINITY, f64::min);
        let consistency = (100.0 * (1.0 - libm::sqrt(variance))).clamp(0.0, 100.0);
        Some((round6(consistency), round6(largest - smallest)))
    }

    /// Mean and spread of the lifetime horizon, unrounded.
    fn lifetime_spread(&self) -> Option<(f64, f64)> {
        let sums = &self.core.sums;
        let mean = sums.lifetime.mean()?;
        let variance = (sums.lifetime_c / sums.lifetime.b - mean * mean).max(0.0);
        Some((mean, libm::sqrt(variance)))
    }

    /// The personal baseline, absent below the number of touchpoints it needs.
    #[must_use]
    pub fn baseline(&self, rules: &Rules) -> Option<Baseline> {
        let n = self.core.sums.count;
        if n < rules.read.baseline.touchpoints_min {
            return None;
        }
        let (mean, sd) = self.lifetime_spread()?;
        Some(Baseline { mean: round6(mean), sd: round6(sd), z: self.z(rules), n })
    }

    /// How far the moment is from this customer's usual, in spreads, rounded; as of the last valenced touchpoint, whenever
    /// it is read.
    #[must_use]
    pub fn z(&self, rules: &Rules) -> Option<f64> {
        let sums = &self.core.sums;
        if sums.count < rules.read.baseline.touchpoints_min {
            return None;
        }
        let recent =
            self.recent.entries.iter().filter(|entry| entry.is_valenced()).map(|entry| entry.occurred_at).max();
        let latest = self.core.folded_valenced_at.max(recent)?;
        let (_, weight) = discounted(&sums.moment, rules.fold.half_life.moment, latest);
        if weight < rules.read.baseline.moment_weight_min {
            return None;
        }
        let (mean, sd) = self.lifetime_spread()?;
        let moment = sums.moment.mean()?;
        Some(round6((moment - mean) / sd.max(rules.read.baseline.spread_min)))
    }

    fn effort_survey(&self, rules: &Rules, at: EventTime) -> Option<f64> {
        let answer = self.core.surveys.latest(EvidenceKind::Ces, &self.recent)?;
        let age = at.as_millis() - answer.answered_at.as_millis();
        (age < rules.read.score.effort_survey_window.millis()).then(|| round6(100.0 * (7.0 - answer.score) / 6.0))
    }

    fn evidence_mix(&self) -> [f64; 4] {
        let mix = self.core.sums.mix.map(|share| share.max(0.0));
        let total = mix.iter().sum::<f64>();
        if self.core.sums.count == 0 || total <= 0.0 { [0.0; 4] } else { mix.map(|share| round6(share / total)) }
    }

    /// Whether a score record is due: a published number moved by at least 0.01 since the last one, or one came or went.
    #[must_use]
    pub fn score_due(&self, view: &ScoreView) -> bool {
        self.core.published.score.is_none_or(|last| last.differs(&PublishedScore::of(view)))
    }

    /// Whether a score moved by a point through time alone since the last record; less than that is not worth one.
    #[must_use]
    pub fn score_drifted(&self, view: &ScoreView) -> bool {
        let drifted = |last: PublishedScore| {
            let scores = last.numbers.into_iter().zip(PublishedScore::of(view).numbers).take(3);
            scores.flat_map(|(last, now)| last.zip(now)).any(|(last, now)| last.abs_diff(now) >= PublishedScore::POINT)
        };
        self.core.published.score.is_none_or(drifted)
    }

    /// Notes that the view was published; returns the version of that record.
    pub fn mark_score_published(&mut self, view: &ScoreView) -> u64 {
        self.core.published.score = Some(PublishedScore::of(view));
        self.core.published.scores_version += 1;
        self.mark_core();
        self.core.published.scores_version
    }
}
