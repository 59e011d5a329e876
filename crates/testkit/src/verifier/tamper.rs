//! Damage done to a capture by hand, which the verifier must find: who watches it.

use super::Capture;

/// What is done to one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tamper {
    /// It is taken away.
    Remove,
    /// It is there again.
    Double,
    /// It says something else.
    Change,
}

impl Tamper {
    /// By the name on the command line.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "remove" => Some(Self::Remove),
            "double" => Some(Self::Double),
            "change" => Some(Self::Change),
            _ => None,
        }
    }

    /// Does it to one record of the middle of the touchpoints.
    ///
    /// # Panics
    /// When there are none.
    pub fn apply(self, capture: &mut Capture) {
        let records = &mut capture.touchpoints;
        let at = records.len() / 2;
        match self {
            Self::Remove => {
                records.remove(at);
            }
            Self::Double => {
                let again = records[at].clone();
                records.push(again);
            }
            Self::Change => {
                let mut value = records[at].json();
                value["v"] = serde_json::json!(0.123_4);
                records[at].value = Some(value.to_string().into_bytes());
            }
        }
    }
}
