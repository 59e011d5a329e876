//! The single view of a customer (`topics.md` 4.3), with what exists now.

use throughline_model::{ConsentStatus, EventTime, NodeId, Now, Purpose};

use crate::alerts::OpenAlert;
use crate::consent::ConsentState;
use crate::customer::Customer;
use crate::memories::Memory;
use crate::profile::{AttributeValue, Link, purpose_of};
use crate::rules::Rules;
use crate::score::ScoreView;
use crate::surveys::LatestAnswer;

/// How often the single view of a customer is written at most, in milliseconds of *now*.
pub const VIEW_INTERVAL: i64 = 10_000;

/// The single view, read at one time; borrows from the customer.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerView<'c> {
    /// Time it is read at.
    pub as_of: EventTime,
    /// The customer; until identities merge, the node of the routing identifier is the only member.
    pub customer: NodeId,
    /// Event time of the first touchpoint: since when the member is known.
    pub member_since: Option<EventTime>,
    /// Asserted identifiers that did not merge, newest first.
    pub links: Vec<&'c Link>,
    /// The scores at that time.
    pub score: ScoreView,
    /// Latest answer per instrument.
    pub surveys: Vec<LatestAnswer>,
    /// Worst and best memories.
    pub memories: Vec<Memory>,
    /// Attributes in force; empty without consent for personalization.
    pub attributes: Vec<&'c AttributeValue>,
    /// Attributes whose sources disagree.
    pub attribute_conflicts: usize,
    /// Answers per purpose, with the status that holds at that time.
    pub consent: Vec<(&'c ConsentState, ConsentStatus)>,
    /// Live alerts, most severe first.
    pub open_alerts: Vec<OpenAlert>,
}

impl Customer {
    /// The single view at `at`.
    #[must_use]
    pub fn view(&self, rules: &Rules, at: EventTime) -> CustomerView<'_> {
        let (mut attributes, mut attribute_conflicts) = (Vec::new(), 0);
        let (mut links, mut consent) = (Vec::new(), Vec::new());
        if let Some(profile) = &self.profile {
            consent.extend(profile.consents.states.iter().map(|state| (state, state.effective(at))));
            links.extend(&profile.links);
            links.sort_by_key(|link: &&Link| std::cmp::Reverse(link.last_seen_at));
            if self.allows(Purpose::Personalization, at, rules) {
                (attributes, attribute_conflicts) = profile.attributes_at(at, &rules.deployment.attribute_priority);
                // A purpose that nobody mapped is denied.
                attributes.retain(|value| purpose_of(value).is_some_and(|purpose| self.allows(purpose, at, rules)));
            }
        }
        CustomerView {
            as_of: at,
            customer: self.node(),
            member_since: self.core.first_at,
            links,
            score: self.score(rules, at),
            surveys: self.core.surveys.read(&self.recent),
            memories: self.core.memories.read(&self.recent, at, &rules.fold, &rules.read.memory),
            attributes,
            attribute_conflicts,
            consent,
            open_alerts: self.open_alerts(),
        }
    }

    /// Whether ten seconds have passed since the single view was last written.
    #[must_use]
    pub fn view_due(&self, now: Now) -> bool {
        self.core.published.customers_at.is_none_or(|last| now.as_millis() - last.as_millis() >= VIEW_INTERVAL)
    }

    /// Notes that the single view has to wait for its ten seconds.
    pub const fn put_view_off(&mut self) {
        if !self.core.published.view_pending {
            self.core.published.view_pending = true;
            self.mark_core();
        }
    }

    /// Takes the note back, if its ten seconds have passed; whether they have.
    pub(crate) fn take_view_pending(&mut self, now: Now) -> bool {
        let due = self.core.published.view_pending && self.view_due(now);
        if due {
            self.core.published.view_pending = false;
            self.mark_core();
        }
        due
    }

    /// Notes that the single view was written; returns the version of that record.
    pub fn mark_view_published(&mut self, now: Now) -> u64 {
        self.core.published.customers_at = Some(now);
        self.core.published.view_pending = false;
        self.core.published.customers_version += 1;
        self.mark_core();
        self.core.published.customers_version
    }
}
