//! What each source may be believed: default trust of identifiers and default channels.

use throughline_model::touchpoint_type::Channels;
use throughline_model::{Channel, IdentifierType, SourceKind, TouchpointType, Trust};

/// Trust of an identifier whose record does not say it, by the table of sources.
///
/// | source | authenticated |
/// |---|---|
/// | web | login, device, cookie, visit |
/// | store, partner | loyalty card, visit |
/// | call-centre | phone, customer id, visit |
/// | social | handle, visit |
/// | survey | visit (the invitation) |
/// | profile, consent | all |
#[must_use]
pub const fn default_trust(source: SourceKind, kind: IdentifierType) -> Trust {
    use IdentifierType as Id;
    let authenticated = match source {
        SourceKind::Web => matches!(kind, Id::Login | Id::Device | Id::Cookie | Id::Visit),
        SourceKind::Store | SourceKind::Partner => matches!(kind, Id::LoyaltyCard | Id::Visit),
        SourceKind::CallCentre => matches!(kind, Id::Phone | Id::CustomerId | Id::Visit),
        SourceKind::Social => matches!(kind, Id::Handle | Id::Visit),
        SourceKind::Survey => matches!(kind, Id::Visit),
        SourceKind::Profile | SourceKind::Consent => true,
        SourceKind::Catalog => false,
    };
    if authenticated { Trust::Authenticated } else { Trust::Asserted }
}

/// Channel of a record that does not say it: the source's own if the type is expected there, else the type's first.
#[must_use]
pub fn default_channel(kind: TouchpointType, source: SourceKind) -> Channel {
    let own = match source {
        SourceKind::Web | SourceKind::Profile | SourceKind::Consent | SourceKind::Catalog => Channel::Web,
        SourceKind::Social => Channel::Social,
        SourceKind::Store => Channel::Store,
        SourceKind::CallCentre => Channel::Phone,
        SourceKind::Partner => Channel::Partner,
        SourceKind::Survey => Channel::Survey,
    };
    match kind.row().channels {
        Channels::Any => own,
        Channels::Of(expected) if expected.contains(&own) => own,
        Channels::Of(expected) => expected.first().copied().unwrap_or(own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_the_table() {
        assert_eq!(default_trust(SourceKind::Web, IdentifierType::Login), Trust::Authenticated);
        assert_eq!(default_trust(SourceKind::Web, IdentifierType::Email), Trust::Asserted);
        assert_eq!(default_trust(SourceKind::CallCentre, IdentifierType::Phone), Trust::Authenticated);
        assert_eq!(default_channel(TouchpointType::OrderCreated, SourceKind::Store), Channel::Store);
        assert_eq!(default_channel(TouchpointType::OrderDelivered, SourceKind::Partner), Channel::Field);
        assert_eq!(default_channel(TouchpointType::AssistRequested, SourceKind::Store), Channel::Store);
    }
}
