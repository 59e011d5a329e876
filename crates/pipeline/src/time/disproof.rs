//! Which sources can disprove an absence.

use throughline_model::{Channel, SourceKind};

/// A set of [`SourceKind`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceSet(u16);

impl SourceSet {
    /// Every kind of source.
    pub const ALL: Self = Self(u16::MAX);

    /// A set of some kinds.
    #[must_use]
    pub const fn of(kinds: &[SourceKind]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < kinds.len() {
            bits |= 1 << kinds[at].code();
            at += 1;
        }
        Self(bits)
    }

    /// Whether the kind is in it.
    #[must_use]
    pub const fn contains(self, kind: SourceKind) -> bool {
        self.0 & (1 << kind.code()) != 0
    }
}

/// What a timer of absence waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerKind {
    /// An answer through a channel.
    Response(Channel),
    /// A hand-off that is accepted.
    Handoff,
    /// Something in a visit to a store.
    Visit,
    /// A delivery.
    Delivery,
    /// An installation.
    Install,
    /// A refund.
    Refund,
    /// A trip.
    Trip,
    /// A stay.
    Stay,
    /// Any sign that a customer has not walked away.
    WalkAway,
    /// A next step of a journey.
    JourneyIdle,
    /// More about a need.
    NeedClose,
    /// The time at which a customer is looked at without anything new.
    Review,
    /// The end of an alert, or of a customer, of which nothing more was heard.
    Expiry,
}

impl TimerKind {
    /// The sources that can bring what is waited for.
    #[must_use]
    pub const fn disproved_by(self) -> SourceSet {
        use SourceKind::{CallCentre, Partner, Social, Store, Web};
        match self {
            Self::Response(channel) => answering(channel),
            Self::Handoff | Self::Visit => SourceSet::of(&[Store]),
            Self::Delivery | Self::Install | Self::Refund => SourceSet::of(&[Store, Partner]),
            Self::Trip | Self::Stay => SourceSet::of(&[Partner]),
            Self::WalkAway => SourceSet::of(&[Web, Store, CallCentre, Social]),
            Self::JourneyIdle | Self::NeedClose | Self::Review | Self::Expiry => SourceSet::ALL,
        }
    }
}

/// The sources in which what the brand says through a channel shows up.
const fn answering(channel: Channel) -> SourceSet {
    use SourceKind::{CallCentre, Partner, Social, Store, Survey, Web};
    match channel {
        Channel::Web | Channel::App => SourceSet::of(&[Web]),
        Channel::Email => SourceSet::of(&[CallCentre, Web]),
        Channel::Chat | Channel::Phone => SourceSet::of(&[CallCentre]),
        Channel::Social | Channel::Review => SourceSet::of(&[Social]),
        Channel::Store | Channel::Field => SourceSet::of(&[Store]),
        Channel::Partner => SourceSet::of(&[Partner]),
        Channel::Survey => SourceSet::of(&[Survey]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_does_not_wait_for_stores_and_a_walk_away_does() {
        let chat = TimerKind::Response(Channel::Chat).disproved_by();
        assert!(chat.contains(SourceKind::CallCentre) && !chat.contains(SourceKind::Store));
        assert!(TimerKind::WalkAway.disproved_by().contains(SourceKind::Store));
        assert!(!TimerKind::Trip.disproved_by().contains(SourceKind::Store));
        assert!(SourceKind::ALL.iter().all(|kind| TimerKind::Expiry.disproved_by().contains(*kind)));
    }
}
