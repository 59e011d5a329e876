//! What is written, how, and for whom.

use std::fmt;
use std::sync::Arc;

use throughline_codec::record::Encoding;

/// Which touchpoints are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TouchpointOutput {
    /// None.
    Off,
    /// Those with evidence.
    Valenced,
    /// All.
    On,
}

/// Staff in outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaffOutput {
    /// The field is empty.
    Off,
    /// A keyed hash.
    Hashed,
    /// As the source writes it.
    Plain,
}

/// Switches of the outputs (`topics.md` 1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputSwitches {
    /// `experience.touchpoints`.
    pub touchpoints: TouchpointOutput,
    /// `experience.scores`.
    pub scores: bool,
    /// `experience.customers`.
    pub customers: bool,
    /// `experience.alerts` and `experience.alerts.state`, together.
    pub alerts: bool,
    /// Suppressed transitions are published too (never those for consent).
    pub suppressed_alerts: bool,
    /// Alerts carry declared attributes of the customer, where the purpose `personalization` is granted.
    pub alert_context: bool,
    /// Staff in outputs.
    pub staff: StaffOutput,
}

impl Default for OutputSwitches {
    fn default() -> Self {
        Self {
            touchpoints: TouchpointOutput::On,
            scores: true,
            customers: true,
            alerts: true,
            suppressed_alerts: false,
            alert_context: false,
            staff: StaffOutput::Hashed,
        }
    }
}

/// Encoding per output topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encodings {
    /// `experience.touchpoints`.
    pub touchpoints: Encoding,
    /// `experience.scores`.
    pub scores: Encoding,
    /// `experience.customers`.
    pub customers: Encoding,
    /// `experience.alerts`.
    pub alerts: Encoding,
    /// `experience.alerts.state`.
    pub alerts_state: Encoding,
}

impl Default for Encodings {
    fn default() -> Self {
        Self {
            touchpoints: Encoding::Json,
            scores: Encoding::Json,
            customers: Encoding::Json,
            alerts: Encoding::Json,
            alerts_state: Encoding::Json,
        }
    }
}

/// Share of rejected records above which a source partition pauses until somebody has looked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HealthLimits {
    /// Records of one source partition over which the share is taken, at least 1.
    pub window_records: u32,
    /// The share, 0 to 1; at 1 nothing ever pauses.
    pub rejected_share: f64,
}

impl Default for HealthLimits {
    fn default() -> Self {
        Self { window_records: 10_000, rejected_share: 0.5 }
    }
}

impl HealthLimits {
    /// Whether so many rejected ones of a full window are too many.
    #[must_use]
    pub fn is_exceeded(self, rejected: u32) -> bool {
        f64::from(rejected) > self.rejected_share * f64::from(self.window_records)
    }
}

/// Whom a role is for an entity (`store:12`, `brand`), else in general: a queue, a mail group, an on-call list.
pub type FindTarget = dyn Fn(&str, &str) -> Option<String> + Send + Sync;

/// Roles to targets. Without any, alerts name roles only.
#[derive(Clone, Default)]
pub struct Targets(Option<Arc<FindTarget>>);

impl Targets {
    /// Targets that are looked up by role and entity.
    #[must_use]
    pub fn new(find: Arc<FindTarget>) -> Self {
        Self(Some(find))
    }

    /// Whether any are configured: only then a role without one is worth a remark.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        self.0.is_some()
    }

    /// Target of a role for an entity.
    #[must_use]
    pub fn target(&self, role: &str, entity: &str) -> Option<String> {
        self.0.as_ref().and_then(|find| find(role, entity))
    }
}

impl fmt::Debug for Targets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Targets").field("is_configured", &self.is_configured()).finish()
    }
}
