//! The model file: everything that turns touchpoints into numbers, and numbers into alerts.
//!
//! The *fold* part decides what is added to state; a change of it needs a rebuild. The *read* part decides how state is
//! read; a change takes effect at restart. What is not a parameter of the model (consent policy, age limit) is in
//! [`Deployment`] and not part of the version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use throughline_model::alert::{AlertType, RuleMode};
use throughline_model::{Channel, SEVERE_CODES, TouchpointType};

use crate::span::Span;

/// A model: its name, the two halves of the file, and the deployment's own limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Name of the model, the first part of its version.
    pub name: String,
    /// What decides the content of state.
    pub fold: Fold,
    /// What decides how state is read.
    pub read: Read,
    /// Not part of the model file.
    #[serde(skip)]
    pub deployment: Deployment,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            fold: Fold::default(),
            read: Read::default(),
            deployment: Deployment::default(),
        }
    }
}

/// Limits and policies that configuration sets beside the model file.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Whether an unknown consent denies `service` too.
    pub strict_consent: bool,
    /// How far an event time may lie before the received time; further is late.
    pub max_age: Span,
    /// Sources of attributes, the one that wins first.
    pub attribute_priority: Vec<String>,
}

impl Default for Deployment {
    fn default() -> Self {
        Self { strict_consent: false, max_age: Span::days(1_095), attribute_priority: Vec::new() }
    }
}

/// The fold half (4.1, 4.2, 4.4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fold {
    /// Valence of NPS answers 0..=10, -1..=1; answers between two whole numbers are interpolated.
    pub nps: [f64; 11],
    /// Confidences by kind of evidence, above 0 and at most 1.
    pub confidence: Confidence,
    /// Valences of bare facts by touchpoint type, -1..=1, instead of the ones of the type table.
    pub facts: BTreeMap<String, f64>,
    /// Weight of a severe touchpoint.
    pub severe_weight: f64,
    /// Weight of a minor touchpoint.
    pub minor_weight: f64,
    /// A fact at or below this valence is severe.
    pub severe_fact: f64,
    /// How much more a negative touchpoint weighs, 1..=3.
    pub lambda: f64,
    /// Codes that make a touchpoint severe.
    pub severe_codes: Vec<String>,
    /// Half-lives of the decayed sums.
    pub half_life: HalfLives,
}

impl Default for Fold {
    fn default() -> Self {
        Self {
            nps: [-1.0, -0.8833, -0.7667, -0.65, -0.5333, -0.4167, -0.3, 0.0, 0.2, 0.7, 1.0],
            confidence: Confidence::default(),
            facts: BTreeMap::new(),
            severe_weight: 2.0,
            minor_weight: 0.5,
            severe_fact: -0.8,
            lambda: 2.0,
            severe_codes: SEVERE_CODES.iter().map(|&code| code.to_owned()).collect(),
            half_life: HalfLives::default(),
        }
    }
}

/// Confidence q by kind of evidence (4.1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Confidence {
    /// NPS, CSAT, CES, stars.
    pub survey: f64,
    /// Facets of a rating.
    pub facet: f64,
    /// Sentiment of text or voice.
    pub text: f64,
    /// Bare facts.
    pub fact: f64,
}

impl Default for Confidence {
    fn default() -> Self {
        Self { survey: 1.0, facet: 0.8, text: 0.5, fact: 0.7 }
    }
}

/// Half-lives of the decayed sums (4.2, 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HalfLives {
    /// Moment score.
    pub moment: Span,
    /// Relationship score, the headline.
    pub relationship: Span,
    /// Lifetime score and personal baseline.
    pub lifetime: Span,
    /// Channel consistency.
    pub channel: Span,
}

impl Default for HalfLives {
    fn default() -> Self {
        Self {
            moment: Span::hours(12),
            relationship: Span::days(30),
            lifetime: Span::days(730),
            channel: Span::days(60),
        }
    }
}

/// The read half.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Read {
    /// Prior, coverage, consistency.
    pub score: ScoreRules,
    /// Personal baseline.
    pub baseline: BaselineRules,
    /// Memories.
    pub memory: MemoryRules,
    /// Alert types.
    pub alerts: AlertRules,
}

/// Prior, coverage and consistency (4.2, 4.4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScoreRules {
    /// Weight of the prior, k.
    pub prior_weight: f64,
    /// Mean of the prior, m, -1..=1.
    pub prior_mean: f64,
    /// A channel counts as seen for this long.
    pub coverage_window: Span,
    /// Coverage below this widens uncertainty no further.
    pub coverage_floor: f64,
    /// Decayed weight from which a channel has a mean.
    pub channel_weight_min: f64,
    /// How long a CES answer tells about effort.
    pub effort_survey_window: Span,
}

impl Default for ScoreRules {
    fn default() -> Self {
        Self {
            prior_weight: 2.0,
            prior_mean: 0.2,
            coverage_window: Span::days(90),
            coverage_floor: 0.25,
            channel_weight_min: 1.5,
            effort_survey_window: Span::days(30),
        }
    }
}

/// Personal baseline (4.2).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BaselineRules {
    /// Valenced touchpoints needed.
    pub touchpoints_min: u32,
    /// Decayed weight of the moment sums needed for z.
    pub moment_weight_min: f64,
    /// Smallest spread that z is divided by.
    pub spread_min: f64,
}

impl Default for BaselineRules {
    fn default() -> Self {
        Self { touchpoints_min: 8, moment_weight_min: 0.5, spread_min: 0.15 }
    }
}

/// Memories (4.2).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemoryRules {
    /// Half-life of a memory.
    pub half_life: Span,
    /// Share of its magnitude an unrecovered memory never falls under.
    pub floor: f64,
}

impl Default for MemoryRules {
    fn default() -> Self {
        Self { half_life: Span::days(365), floor: 0.3 }
    }
}

/// The alert types that exist (`alerts.md`). A key that a model leaves out keeps its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertRules {
    /// A severe touchpoint.
    #[serde(deserialize_with = "partial::severe_moment")]
    pub severe_moment: AlertRule,
    /// A need that cannot wait.
    #[serde(deserialize_with = "partial::urgent_need")]
    pub urgent_need: AlertRule,
    /// The customer says that they leave.
    #[serde(deserialize_with = "partial::exit_intent")]
    pub exit_intent: AlertRule,
    /// Relationship score under its threshold.
    #[serde(deserialize_with = "partial::experience_low")]
    pub experience_low: AlertRule,
    /// Far under the customer's own baseline.
    #[serde(deserialize_with = "partial::experience_drop")]
    pub experience_drop: AlertRule,
}

/// One alert type: whether it runs, thresholds, clocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AlertRule {
    /// `on`, `shadow` (counted only) or `off`.
    #[serde(with = "mode")]
    pub mode: RuleMode,
    /// Threshold that opens: a score, a z, or a confidence; unused by `severe_moment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<f64>,
    /// Threshold that resolves, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolves_at: Option<f64>,
    /// Quiet time after the end of an alert, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Span>,
    /// Ends without evidence of recovery after this.
    pub expires: Span,
    /// When someone must have acted, from the opening, if the type says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Span>,
}

const fn rule(
    thresholds: (Option<f64>, Option<f64>),
    cooldown: Option<Span>,
    expires: Span,
    due: Option<Span>,
) -> AlertRule {
    AlertRule { mode: RuleMode::On, opens_at: thresholds.0, resolves_at: thresholds.1, cooldown, expires, due }
}

impl Default for AlertRules {
    fn default() -> Self {
        Self {
            severe_moment: rule((None, None), Some(Span::hours(24)), Span::days(14), None),
            urgent_need: rule((Some(0.7), None), None, Span::days(7), Some(Span::minutes(30))),
            exit_intent: rule((Some(0.6), None), Some(Span::days(7)), Span::days(90), None),
            experience_low: rule((Some(40.0), Some(50.0)), Some(Span::hours(72)), Span::days(30), None),
            experience_drop: rule((Some(-2.0), Some(-1.0)), Some(Span::hours(72)), Span::days(7), None),
        }
    }
}

impl AlertRules {
    /// The rule of a type.
    #[must_use]
    pub const fn of(&self, kind: AlertType) -> &AlertRule {
        match kind {
            AlertType::SevereMoment => &self.severe_moment,
            AlertType::UrgentNeed => &self.urgent_need,
            AlertType::ExitIntent => &self.exit_intent,
            AlertType::ExperienceLow => &self.experience_low,
            AlertType::ExperienceDrop => &self.experience_drop,
        }
    }

    /// The rule of a type, for configuration to change.
    pub const fn of_mut(&mut self, kind: AlertType) -> &mut AlertRule {
        match kind {
            AlertType::SevereMoment => &mut self.severe_moment,
            AlertType::UrgentNeed => &mut self.urgent_need,
            AlertType::ExitIntent => &mut self.exit_intent,
            AlertType::ExperienceLow => &mut self.experience_low,
            AlertType::ExperienceDrop => &mut self.experience_drop,
        }
    }
}

impl Rules {
    /// `name@fold.read`, 8 hex digits each: the `model_version` of every output.
    #[must_use]
    pub fn version(&self) -> String {
        format!("{}@{}.{}", self.name, self.fold_hash(), digest(&self.read))
    }

    /// 8 hex digits of the fold half: state made under another one is not readable.
    #[must_use]
    pub fn fold_hash(&self) -> String {
        digest(&self.fold)
    }

    /// What is wrong with the numbers, as key path and reason; empty if nothing is.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut check = |good: bool, key: &str, why: &str| {
            if !good {
                found.push((key.to_owned(), why.to_owned()));
            }
        };
        let valence = |v: f64| (-1.0..=1.0).contains(&v);
        let confidence = |q: f64| q > 0.0 && q <= 1.0;
        let fold = &self.fold;
        check(fold.nps.iter().copied().all(valence), "fold.nps", "valences are from -1 to 1");
        for (key, q) in [
            ("fold.confidence.survey", fold.confidence.survey),
            ("fold.confidence.facet", fold.confidence.facet),
            ("fold.confidence.text", fold.confidence.text),
            ("fold.confidence.fact", fold.confidence.fact),
        ] {
            check(confidence(q), key, "a confidence is above 0 and at most 1");
        }
        for (name, &v) in &fold.facts {
            let key = format!("fold.facts.{name}");
            check(TouchpointType::from_name(name).is_some(), &key, "unknown touchpoint type");
            check(valence(v), &key, "valences are from -1 to 1");
        }
        check((1.0..=3.0).contains(&fold.lambda), "fold.lambda", "from 1 to 3");
        let weight = |w: f64| w > 0.0 && w <= 10.0;
        check(weight(fold.severe_weight), "fold.severe_weight", "above 0 and at most 10");
        check(weight(fold.minor_weight), "fold.minor_weight", "above 0 and at most 10");
        check(valence(fold.severe_fact), "fold.severe_fact", "valences are from -1 to 1");
        let score = &self.read.score;
        check(score.prior_weight > 0.0 && score.prior_weight.is_finite(), "read.score.prior_weight", "above 0");
        check(valence(score.prior_mean), "read.score.prior_mean", "from -1 to 1");
        check(confidence(score.coverage_floor), "read.score.coverage_floor", "above 0 and at most 1");
        check(score.channel_weight_min > 0.0, "read.score.channel_weight_min", "above 0");
        check(self.read.baseline.touchpoints_min >= 1, "read.baseline.touchpoints_min", "at least 1");
        check(self.read.baseline.spread_min > 0.0, "read.baseline.spread_min", "above 0");
        check((0.0..=1.0).contains(&self.read.memory.floor), "read.memory.floor", "from 0 to 1");
        for &kind in AlertType::ALL {
            let rule = self.read.alerts.of(kind);
            let needs = kind != AlertType::SevereMoment;
            let key = format!("read.alerts.{kind}");
            check(!needs || rule.opens_at.is_some_and(f64::is_finite), &key, "opens_at is missing or not finite");
            if let (Some(opens), Some(resolves)) = (rule.opens_at, rule.resolves_at) {
                check(resolves >= opens, &key, "resolves_at lies below opens_at");
            }
        }
        found
    }

    /// The valence of a bare fact where this model differs from the type table.
    #[inline]
    pub(crate) fn fact_of(&self, kind: TouchpointType, table: Option<f64>) -> Option<f64> {
        // Almost no model changes the table: the look-up by name costs nothing then.
        if self.fold.facts.is_empty() || table.is_none() {
            return table;
        }
        self.fold.facts.get(kind.as_str()).copied().or(table)
    }
}

/// Whether the channel takes part in channel consistency (4.4): every one but surveys.
#[must_use]
pub(crate) const fn counts_in_consistency(channel: Channel) -> bool {
    !matches!(channel, Channel::Survey)
}

fn digest<T: Serialize>(half: &T) -> String {
    // Struct fields serialize in their declared order and maps in the order of their keys, so equal models give equal text.
    let text = serde_json::to_string(half).expect("numbers of a model are finite and its keys are text");
    let hash = blake3::hash(text.as_bytes());
    hash.to_hex()[..8].to_owned()
}

/// Reads the keys that a model names and leaves the others of that alert type at their default.
mod partial {
    use serde::{Deserialize, Deserializer};
    use throughline_model::alert::RuleMode;

    use super::{AlertRule, AlertRules};
    use crate::span::Span;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Partial {
        #[serde(default, deserialize_with = "mode")]
        mode: Option<RuleMode>,
        opens_at: Option<f64>,
        resolves_at: Option<f64>,
        cooldown: Option<Span>,
        expires: Option<Span>,
        due: Option<Span>,
    }

    fn mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RuleMode>, D::Error> {
        super::mode::deserialize(deserializer).map(Some)
    }

    macro_rules! over_default {
        ($($kind:ident),+) => {$(
            pub fn $kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AlertRule, D::Error> {
                let named = Partial::deserialize(deserializer)?;
                let default = AlertRules::default().$kind;
                Ok(AlertRule {
                    mode: named.mode.unwrap_or(default.mode),
                    opens_at: named.opens_at.or(default.opens_at),
                    resolves_at: named.resolves_at.or(default.resolves_at),
                    cooldown: named.cooldown.or(default.cooldown),
                    expires: named.expires.unwrap_or(default.expires),
                    due: named.due.or(default.due),
                })
            }
        )+};
    }

    over_default!(severe_moment, urgent_need, exit_intent, experience_low, experience_drop);
}

mod mode {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serializer};
    use throughline_model::alert::RuleMode;

    pub fn serialize<S: Serializer>(mode: &RuleMode, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(mode.as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RuleMode, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?;
        RuleMode::from_name(&name)
            .ok_or_else(|| serde::de::Error::custom(format!("{name:?} is no mode; write on, shadow or off")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_names_both_halves() {
        let rules = Rules::default();
        let version = rules.version();
        let (name, hashes) = version.split_once('@').expect("has a name");
        assert_eq!(name, "default");
        let (fold, read) = hashes.split_once('.').expect("has two hashes");
        assert_eq!((fold.len(), read.len()), (8, 8));

        let mut other = Rules::default();
        other.read.score.prior_mean = 0.1;
        assert_eq!(other.fold_hash(), rules.fold_hash());
        assert_ne!(other.version(), version);
        let mut other = Rules::default();
        other.fold.lambda = 1.5;
        assert_ne!(other.fold_hash(), rules.fold_hash());
        let mut other = Rules::default();
        other.deployment.strict_consent = true;
        assert_eq!(other.version(), version);
    }

    #[test]
    fn a_written_model_reads_back_and_unknown_keys_are_refused() {
        let text = serde_json::to_string(&Rules::default()).expect("serializes");
        assert_eq!(serde_json::from_str::<Rules>(&text).expect("reads back"), Rules::default());
        assert_eq!(serde_json::from_str::<Rules>("{}").expect("all keys are optional"), Rules::default());
        let partial = r#"{"read":{"alerts":{"experience_low":{"opens_at":35.0}}}}"#;
        let rules = serde_json::from_str::<Rules>(partial).expect("reads");
        assert_eq!(rules.read.alerts.experience_low.opens_at, Some(35.0));
        assert_eq!(rules.read.alerts.experience_low.resolves_at, Some(50.0));
        for bad in [r#"{"fold":{"brand_share":0.5}}"#, r#"{"read":{"alerts":{"severe":{}}}}"#] {
            assert!(serde_json::from_str::<Rules>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn problems_name_the_key() {
        assert_eq!(Rules::default().problems(), []);
        let mut rules = Rules::default();
        rules.fold.lambda = 9.0;
        rules.fold.facts.insert("order.made".to_owned(), 2.0);
        rules.read.alerts.experience_low.resolves_at = Some(30.0);
        let keys: Vec<_> = rules.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            ["fold.facts.order.made", "fold.facts.order.made", "fold.lambda", "read.alerts.experience_low"]
        );
    }
}
