//! What is written, how, and for whom.

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
