//! Consent per purpose (4.19): the latest status time holds, at a tie the denial; what was never asked is unknown.

use throughline_model::touchpoint::Consent;
use throughline_model::{ConsentStatus, EventTime, Purpose};

/// What a customer answered about one purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentState {
    /// The purpose.
    pub purpose: Purpose,
    /// The answer.
    pub status: ConsentStatus,
    /// When it was given.
    pub status_at: EventTime,
    /// When it ends to hold; an expired grant is unknown.
    pub valid_until: Option<EventTime>,
    /// Source system that reported it.
    pub source: Box<str>,
}

impl ConsentState {
    /// The order in which statements win: later, then the stricter, then by what else they say, so that it is total.
    fn key(&self) -> (EventTime, u8, Option<EventTime>, &str) {
        let strictness = match self.status {
            ConsentStatus::Unknown => 0,
            ConsentStatus::Granted => 1,
            ConsentStatus::Revoked => 2,
            ConsentStatus::Denied => 3,
        };
        (self.status_at, strictness, self.valid_until, &self.source)
    }

    /// The answer as of `at`.
    #[must_use]
    pub fn effective(&self, at: EventTime) -> ConsentStatus {
        if self.status == ConsentStatus::Granted && self.valid_until.is_some_and(|until| until <= at) {
            ConsentStatus::Unknown
        } else {
            self.status
        }
    }
}

/// Answers in the order of the purposes, at most one each. Purposes that nobody mapped are not kept: they are denied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consents {
    /// The answers.
    pub states: Vec<ConsentState>,
}

impl Consents {
    /// Takes in one statement; returns whether it changed anything.
    pub fn state(&mut self, statement: &Consent<'_>, occurred_at: EventTime, source: &str) -> bool {
        let Some(purpose) = Purpose::from_name(&statement.purpose) else { return false };
        self.keep_later(ConsentState {
            purpose,
            status: statement.status,
            status_at: statement.status_at.unwrap_or(occurred_at),
            valid_until: statement.valid_until,
            source: source.into(),
        })
    }

    fn keep_later(&mut self, state: ConsentState) -> bool {
        match self.states.binary_search_by_key(&state.purpose, |held| held.purpose) {
            Ok(at) => {
                let later = state.key() > self.states[at].key();
                if later {
                    self.states[at] = state;
                }
                later
            }
            Err(at) => {
                self.states.insert(at, state);
                true
            }
        }
    }

    /// Joins the answers of another state.
    pub fn join(&mut self, other: &Self) {
        for state in &other.states {
            self.keep_later(state.clone());
        }
    }

    /// The status of a purpose as of `at`.
    #[must_use]
    pub fn status(&self, purpose: Purpose, at: EventTime) -> ConsentStatus {
        self.states
            .iter()
            .find(|state| state.purpose == purpose)
            .map_or(ConsentStatus::Unknown, |state| state.effective(at))
    }
}

/// Whether a status allows a purpose: unknown allows `process` and, unless the deployment is strict, `service`.
#[must_use]
pub const fn allows(status: ConsentStatus, purpose: Purpose, strict: bool) -> bool {
    match status {
        ConsentStatus::Granted => true,
        ConsentStatus::Denied | ConsentStatus::Revoked => false,
        ConsentStatus::Unknown => match purpose {
            Purpose::Process => true,
            Purpose::Service => !strict,
            Purpose::Personalization | Purpose::Marketing | Purpose::Influence => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(status: ConsentStatus, at: i64) -> Consent<'static> {
        Consent {
            purpose: "marketing".into(),
            status,
            status_at: Some(EventTime::from_millis(at)),
            valid_until: None,
            policy_version: "".into(),
        }
    }

    #[test]
    fn the_latest_holds_and_at_a_tie_the_denial() {
        let statements = [
            statement(ConsentStatus::Granted, 5),
            statement(ConsentStatus::Denied, 5),
            statement(ConsentStatus::Granted, 4),
        ];
        let now = EventTime::from_millis(9);
        for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0]] {
            let mut consents = Consents::default();
            for at in order {
                consents.state(&statements[at], now, "crm");
            }
            assert_eq!(consents.status(Purpose::Marketing, now), ConsentStatus::Denied);
        }
    }

    #[test]
    fn an_expired_grant_is_unknown_and_unknown_purposes_are_denied() {
        let mut consents = Consents::default();
        let mut grant = statement(ConsentStatus::Granted, 1);
        grant.valid_until = Some(EventTime::from_millis(10));
        assert!(consents.state(&grant, EventTime::from_millis(1), "crm"));
        grant.purpose = "astrology".into();
        assert!(!consents.state(&grant, EventTime::from_millis(1), "crm"));
        assert_eq!(consents.status(Purpose::Marketing, EventTime::from_millis(9)), ConsentStatus::Granted);
        assert_eq!(consents.status(Purpose::Marketing, EventTime::from_millis(10)), ConsentStatus::Unknown);
        let unknown = ConsentStatus::Unknown;
        assert!(allows(unknown, Purpose::Process, true) && allows(unknown, Purpose::Service, false));
        assert!(!allows(unknown, Purpose::Service, true) && !allows(unknown, Purpose::Marketing, false));
    }
}
