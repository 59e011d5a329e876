//! Touchpoint types, version 1: one table from which schema, documents and metric labels are generated.
//!
//! An addition is a minor version; members are only appended, because their codes are written into frames and state.

use crate::closed_set;
use crate::vocabulary::{Channel, Direction, Driver, Family, Mode, Party};

closed_set! {
    /// What happened between a customer and the brand, in the vocabulary of version 1.
    pub enum TouchpointType {
        /// `page.viewed`.
        PageViewed = "page.viewed",
        /// `search.failed`.
        SearchFailed = "search.failed",
        /// `listing.viewed`.
        ListingViewed = "listing.viewed",
        /// `offer.shown`.
        OfferShown = "offer.shown",
        /// `campaign.claimed`.
        CampaignClaimed = "campaign.claimed",
        /// `form.failed`.
        FormFailed = "form.failed",
        /// `page.failed`.
        PageFailed = "page.failed",
        /// `friction.clicked`.
        FrictionClicked = "friction.clicked",
        /// `self_service.failed`.
        SelfServiceFailed = "self_service.failed",
        /// `coupon.denied`.
        CouponDenied = "coupon.denied",
        /// `checkout.started`.
        CheckoutStarted = "checkout.started",
        /// `payment.completed`.
        PaymentCompleted = "payment.completed",
        /// `payment.failed`.
        PaymentFailed = "payment.failed",
        /// `login.completed`.
        LoginCompleted = "login.completed",
        /// `account.created`.
        AccountCreated = "account.created",
        /// `session.ended`.
        SessionEnded = "session.ended",
        /// `resource.followed`.
        ResourceFollowed = "resource.followed",
        /// `order.created`.
        OrderCreated = "order.created",
        /// `order.cancelled`.
        OrderCancelled = "order.cancelled",
        /// `order.shipped`.
        OrderShipped = "order.shipped",
        /// `order.delivered`.
        OrderDelivered = "order.delivered",
        /// `order.wrong`.
        OrderWrong = "order.wrong",
        /// `return.requested`.
        ReturnRequested = "return.requested",
        /// `return.received`.
        ReturnReceived = "return.received",
        /// `refund.completed`.
        RefundCompleted = "refund.completed",
        /// `product.used`.
        ProductUsed = "product.used",
        /// `product.failed`.
        ProductFailed = "product.failed",
        /// `product.retired`.
        ProductRetired = "product.retired",
        /// `repair.completed`.
        RepairCompleted = "repair.completed",
        /// `install.scheduled`.
        InstallScheduled = "install.scheduled",
        /// `install.rescheduled`.
        InstallRescheduled = "install.rescheduled",
        /// `install.attempted`.
        InstallAttempted = "install.attempted",
        /// `install.completed`.
        InstallCompleted = "install.completed",
        /// `part.missing`.
        PartMissing = "part.missing",
        /// `partner.trip.started`.
        PartnerTripStarted = "partner.trip.started",
        /// `partner.trip.delayed`.
        PartnerTripDelayed = "partner.trip.delayed",
        /// `partner.trip.arrived`.
        PartnerTripArrived = "partner.trip.arrived",
        /// `partner.trip.cancelled`.
        PartnerTripCancelled = "partner.trip.cancelled",
        /// `partner.service.reported`.
        PartnerServiceReported = "partner.service.reported",
        /// `stay.checked_in`.
        StayCheckedIn = "stay.checked_in",
        /// `stay.checked_out`.
        StayCheckedOut = "stay.checked_out",
        /// `stay.reported`.
        StayReported = "stay.reported",
        /// `visit.entered`.
        VisitEntered = "visit.entered",
        /// `visit.ended`.
        VisitEnded = "visit.ended",
        /// `assist.requested`.
        AssistRequested = "assist.requested",
        /// `assist.accepted`.
        AssistAccepted = "assist.accepted",
        /// `assist.handed_off`.
        AssistHandedOff = "assist.handed_off",
        /// `assist.ended`.
        AssistEnded = "assist.ended",
        /// `contact.started`.
        ContactStarted = "contact.started",
        /// `contact.queued`.
        ContactQueued = "contact.queued",
        /// `contact.abandoned`.
        ContactAbandoned = "contact.abandoned",
        /// `contact.held`.
        ContactHeld = "contact.held",
        /// `contact.transferred`.
        ContactTransferred = "contact.transferred",
        /// `contact.redirected`.
        ContactRedirected = "contact.redirected",
        /// `contact.repeated_information`.
        ContactRepeatedInformation = "contact.repeated_information",
        /// `contact.reauthenticated`.
        ContactReauthenticated = "contact.reauthenticated",
        /// `contact.ended`.
        ContactEnded = "contact.ended",
        /// `contact.analyzed`.
        ContactAnalyzed = "contact.analyzed",
        /// `message.received`.
        MessageReceived = "message.received",
        /// `response.sent`.
        ResponseSent = "response.sent",
        /// `message.sent`.
        MessageSent = "message.sent",
        /// `post.published`.
        PostPublished = "post.published",
        /// `post.counted`.
        PostCounted = "post.counted",
        /// `reaction.changed`.
        ReactionChanged = "reaction.changed",
        /// `review.submitted`.
        ReviewSubmitted = "review.submitted",
        /// `referral.converted`.
        ReferralConverted = "referral.converted",
        /// `survey.answered`.
        SurveyAnswered = "survey.answered",
        /// `survey.expired`.
        SurveyExpired = "survey.expired",
        /// `exception.granted`.
        ExceptionGranted = "exception.granted",
        /// `recovery.made`.
        RecoveryMade = "recovery.made",
        /// `cancel.requested`.
        CancelRequested = "cancel.requested",
        /// `export.requested`.
        ExportRequested = "export.requested",
        /// `unsubscribe.completed`.
        UnsubscribeCompleted = "unsubscribe.completed",
        /// `contract.noticed`.
        ContractNoticed = "contract.noticed",
        /// `contract.renewed`.
        ContractRenewed = "contract.renewed",
        /// `contract.ended`.
        ContractEnded = "contract.ended",
        /// `idea.submitted`.
        IdeaSubmitted = "idea.submitted",
        /// `idea.answered`.
        IdeaAnswered = "idea.answered",
        /// `loyalty.changed`.
        LoyaltyChanged = "loyalty.changed",
        /// `preference.declared`.
        PreferenceDeclared = "preference.declared",
        /// `consent.changed`.
        ConsentChanged = "consent.changed",
        /// `relation.declared`.
        RelationDeclared = "relation.declared",
        /// `profile.changed`.
        ProfileChanged = "profile.changed",
    }
}

/// Channels a type is expected in; a documented default, never a reason to reject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// Any channel.
    Any,
    /// These, the first being the default.
    Of(&'static [Channel]),
}

/// The valence of the bare fact (q = .7), before text and survey evidence are added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fact {
    /// The fact says nothing about the experience.
    None,
    /// Always this valence.
    Fixed(f64),
    /// By who called it off.
    ByParty {
        /// The brand (or a partner: the customer judges the brand that sold).
        brand: f64,
        /// The customer.
        customer: f64,
    },
    /// Only where the result says that the attempt failed (`resolved = false`).
    Failed(f64),
    /// Only where the result says that it stayed unresolved (`resolved = false`).
    Unresolved(f64),
}

impl Fact {
    /// The valence, given what the result says.
    #[must_use]
    pub fn valence(self, resolved: Option<bool>, by: Option<Party>) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Fixed(v) => Some(v),
            Self::ByParty { brand, customer } => Some(if by == Some(Party::Customer) { customer } else { brand }),
            Self::Failed(v) | Self::Unresolved(v) => (resolved == Some(false)).then_some(v),
        }
    }
}

/// Defaults and rules of one type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TypeRow {
    /// Family (S3-9); exactly one.
    pub family: Family,
    /// Expected channels.
    pub channels: Channels,
    /// Direction unless the source says otherwise.
    pub direction: Direction,
    /// Mode unless the source says otherwise.
    pub mode: Mode,
    /// Valence of the bare fact.
    pub fact: Fact,
    /// Driver unless the source names one; counts only where the valence is negative.
    pub driver: Option<Driver>,
    /// A failure of knowledge has driver `information` instead.
    pub knowledge_is_information: bool,
    flags: u8,
}

impl TypeRow {
    /// Can start a response clock, and is a contact of a need.
    #[must_use]
    pub const fn is_contact(&self) -> bool {
        self.flags & CONTACT != 0
    }

    /// Stops a response clock.
    #[must_use]
    pub const fn is_response(&self) -> bool {
        self.flags & RESPONSE != 0
    }

    /// Makes amends: ends the floor of a severe memory.
    #[must_use]
    pub const fn is_recovery(&self) -> bool {
        self.flags & RECOVERY != 0
    }
}

const NONE: u8 = 0;
const CONTACT: u8 = 1;
const RESPONSE: u8 = 2;
const RECOVERY: u8 = 4;

#[allow(clippy::too_many_arguments)] // One line of the table: the columns of the document in their order.
const fn row(
    family: Family,
    channels: Channels,
    direction: Direction,
    mode: Mode,
    fact: Fact,
    driver: Option<Driver>,
    knowledge_is_information: bool,
    flags: u8,
) -> TypeRow {
    TypeRow { family, channels, direction, mode, fact, driver, knowledge_is_information, flags }
}

impl TouchpointType {
    /// The type's row of the table.
    #[must_use]
    pub const fn row(self) -> TypeRow {
        ROWS[self as usize]
    }
}

#[rustfmt::skip] // A table reads as a table.
const fn row_of(kind: TouchpointType) -> TypeRow {
    match kind {
        TouchpointType::PageViewed => row(Family::Environment, Channels::Of(&[Channel::Web, Channel::App]), Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::SearchFailed => row(Family::Environment, Channels::Of(&[Channel::Web, Channel::App]), Direction::Inbound, Mode::SelfService, Fact::Fixed(-0.1), Some(Driver::Information), false, NONE),
        TouchpointType::ListingViewed => row(Family::Communication, Channels::Of(&[Channel::Web, Channel::App, Channel::Partner]), Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::OfferShown => row(Family::Communication, Channels::Of(&[Channel::Web, Channel::App, Channel::Email, Channel::Store]), Direction::Outbound, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::CampaignClaimed => row(Family::Communication, Channels::Of(&[Channel::Web, Channel::App, Channel::Email, Channel::Social]), Direction::Outbound, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::FormFailed => row(Family::Environment, Channels::Of(&[Channel::Web, Channel::App]), Direction::Inbound, Mode::SelfService, Fact::Fixed(-0.3), Some(Driver::Process), false, NONE),
        TouchpointType::PageFailed => row(Family::Environment, Channels::Of(&[Channel::Web, Channel::App]), Direction::Inbound, Mode::SelfService, Fact::Fixed(-0.2), Some(Driver::Environment), false, NONE),
        TouchpointType::FrictionClicked => row(Family::Environment, Channels::Of(&[Channel::Web, Channel::App]), Direction::Inbound, Mode::SelfService, Fact::Fixed(-0.2), Some(Driver::Environment), false, NONE),
        TouchpointType::SelfServiceFailed => row(Family::Environment, Channels::Of(&[Channel::Web, Channel::App, Channel::Phone]), Direction::Inbound, Mode::SelfService, Fact::Fixed(-0.2), Some(Driver::Information), false, NONE),
        TouchpointType::CouponDenied => row(Family::Communication, Channels::Of(&[Channel::Web, Channel::App, Channel::Store]), Direction::Inbound, Mode::SelfService, Fact::Fixed(-0.2), Some(Driver::Price), false, NONE),
        TouchpointType::CheckoutStarted => row(Family::Environment, Channels::Of(&[Channel::Web, Channel::App]), Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::PaymentCompleted => row(Family::Environment, Channels::Any, Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::PaymentFailed => row(Family::Environment, Channels::Any, Direction::Inbound, Mode::SelfService, Fact::Fixed(-0.4), Some(Driver::Process), false, NONE),
        TouchpointType::LoginCompleted => row(Family::Environment, Channels::Of(&[Channel::Web, Channel::App]), Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::AccountCreated => row(Family::Environment, Channels::Of(&[Channel::Web, Channel::App, Channel::Store]), Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::SessionEnded => row(Family::Environment, Channels::Of(&[Channel::Web, Channel::App]), Direction::None, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::ResourceFollowed => row(Family::Communication, Channels::Of(&[Channel::Web, Channel::App, Channel::Social]), Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::OrderCreated => row(Family::BrandIdentity, Channels::Any, Direction::Inbound, Mode::SelfService, Fact::Fixed(0.3), None, false, NONE),
        TouchpointType::OrderCancelled => row(Family::BrandIdentity, Channels::Any, Direction::None, Mode::Automatic, Fact::ByParty { brand: -0.6, customer: -0.1 }, Some(Driver::Process), false, NONE),
        TouchpointType::OrderShipped => row(Family::BrandIdentity, Channels::Of(&[Channel::Field]), Direction::Outbound, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::OrderDelivered => row(Family::BrandIdentity, Channels::Of(&[Channel::Field]), Direction::Outbound, Mode::Person, Fact::None, None, false, NONE),
        TouchpointType::OrderWrong => row(Family::BrandIdentity, Channels::Any, Direction::Inbound, Mode::Person, Fact::Fixed(-0.6), Some(Driver::Process), false, NONE),
        TouchpointType::ReturnRequested => row(Family::BrandIdentity, Channels::Any, Direction::Inbound, Mode::Person, Fact::Fixed(-0.1), Some(Driver::Product), false, NONE),
        TouchpointType::ReturnReceived => row(Family::BrandIdentity, Channels::Of(&[Channel::Field, Channel::Store]), Direction::None, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::RefundCompleted => row(Family::BrandIdentity, Channels::Any, Direction::Outbound, Mode::Automatic, Fact::None, None, false, RECOVERY),
        TouchpointType::ProductUsed => row(Family::BrandIdentity, Channels::Any, Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::ProductFailed => row(Family::BrandIdentity, Channels::Any, Direction::Inbound, Mode::Person, Fact::Fixed(-0.6), Some(Driver::Product), false, NONE),
        TouchpointType::ProductRetired => row(Family::BrandIdentity, Channels::Any, Direction::None, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::RepairCompleted => row(Family::BrandIdentity, Channels::Of(&[Channel::Field, Channel::Store]), Direction::Outbound, Mode::Person, Fact::None, None, false, NONE),
        TouchpointType::InstallScheduled => row(Family::People, Channels::Of(&[Channel::Field]), Direction::Outbound, Mode::Person, Fact::None, None, false, NONE),
        TouchpointType::InstallRescheduled => row(Family::People, Channels::Of(&[Channel::Field]), Direction::Outbound, Mode::Person, Fact::None, Some(Driver::Process), false, NONE),
        TouchpointType::InstallAttempted => row(Family::People, Channels::Of(&[Channel::Field]), Direction::Outbound, Mode::Person, Fact::Failed(-0.4), Some(Driver::Process), false, NONE),
        TouchpointType::InstallCompleted => row(Family::People, Channels::Of(&[Channel::Field]), Direction::Outbound, Mode::Person, Fact::None, None, false, NONE),
        TouchpointType::PartMissing => row(Family::BrandIdentity, Channels::Of(&[Channel::Field]), Direction::None, Mode::Automatic, Fact::Fixed(-0.4), Some(Driver::Process), false, NONE),
        TouchpointType::PartnerTripStarted => row(Family::CoBranding, Channels::Of(&[Channel::Partner]), Direction::None, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::PartnerTripDelayed => row(Family::CoBranding, Channels::Of(&[Channel::Partner]), Direction::Outbound, Mode::Automatic, Fact::None, Some(Driver::Service), false, NONE),
        TouchpointType::PartnerTripArrived => row(Family::CoBranding, Channels::Of(&[Channel::Partner]), Direction::None, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::PartnerTripCancelled => row(Family::CoBranding, Channels::Of(&[Channel::Partner]), Direction::Outbound, Mode::Automatic, Fact::Fixed(-0.8), Some(Driver::Service), false, NONE),
        TouchpointType::PartnerServiceReported => row(Family::CoBranding, Channels::Of(&[Channel::Partner]), Direction::Inbound, Mode::SelfService, Fact::None, Some(Driver::Service), false, NONE),
        TouchpointType::StayCheckedIn => row(Family::Environment, Channels::Of(&[Channel::Partner, Channel::Store]), Direction::Inbound, Mode::Person, Fact::None, None, false, NONE),
        TouchpointType::StayCheckedOut => row(Family::Environment, Channels::Of(&[Channel::Partner, Channel::Store]), Direction::Inbound, Mode::Person, Fact::None, None, false, NONE),
        TouchpointType::StayReported => row(Family::Environment, Channels::Of(&[Channel::Partner, Channel::Store, Channel::App]), Direction::Inbound, Mode::SelfService, Fact::None, Some(Driver::Environment), false, NONE),
        TouchpointType::VisitEntered => row(Family::Environment, Channels::Of(&[Channel::Store]), Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::VisitEnded => row(Family::Environment, Channels::Of(&[Channel::Store]), Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::AssistRequested => row(Family::People, Channels::Of(&[Channel::Store, Channel::App]), Direction::Inbound, Mode::SelfService, Fact::None, None, false, CONTACT),
        TouchpointType::AssistAccepted => row(Family::People, Channels::Of(&[Channel::Store]), Direction::Outbound, Mode::Person, Fact::None, None, false, RESPONSE),
        TouchpointType::AssistHandedOff => row(Family::People, Channels::Of(&[Channel::Store]), Direction::Outbound, Mode::Person, Fact::None, Some(Driver::Service), false, NONE),
        TouchpointType::AssistEnded => row(Family::People, Channels::Of(&[Channel::Store]), Direction::Outbound, Mode::Person, Fact::Unresolved(-0.6), Some(Driver::Service), true, RESPONSE),
        TouchpointType::ContactStarted => row(Family::People, Channels::Of(&[Channel::Phone, Channel::Chat, Channel::Email]), Direction::Inbound, Mode::Person, Fact::None, None, false, CONTACT),
        TouchpointType::ContactQueued => row(Family::People, Channels::Of(&[Channel::Phone, Channel::Chat]), Direction::Inbound, Mode::Automatic, Fact::None, Some(Driver::Process), false, NONE),
        TouchpointType::ContactAbandoned => row(Family::People, Channels::Of(&[Channel::Phone, Channel::Chat]), Direction::Inbound, Mode::Person, Fact::Fixed(-0.6), Some(Driver::Service), false, NONE),
        TouchpointType::ContactHeld => row(Family::People, Channels::Of(&[Channel::Phone, Channel::Chat]), Direction::Outbound, Mode::Person, Fact::None, Some(Driver::Service), false, NONE),
        TouchpointType::ContactTransferred => row(Family::People, Channels::Of(&[Channel::Phone, Channel::Chat, Channel::Email]), Direction::Outbound, Mode::Person, Fact::Fixed(-0.2), Some(Driver::Process), false, NONE),
        TouchpointType::ContactRedirected => row(Family::People, Channels::Any, Direction::Outbound, Mode::Person, Fact::Fixed(-0.2), Some(Driver::Process), false, NONE),
        TouchpointType::ContactRepeatedInformation => row(Family::People, Channels::Of(&[Channel::Phone, Channel::Chat, Channel::Store]), Direction::Inbound, Mode::Person, Fact::None, Some(Driver::Process), false, NONE),
        TouchpointType::ContactReauthenticated => row(Family::People, Channels::Of(&[Channel::Phone, Channel::Chat]), Direction::Inbound, Mode::Person, Fact::None, Some(Driver::Process), false, NONE),
        TouchpointType::ContactEnded => row(Family::People, Channels::Of(&[Channel::Phone, Channel::Chat, Channel::Email]), Direction::None, Mode::Person, Fact::None, Some(Driver::Service), true, NONE),
        TouchpointType::ContactAnalyzed => row(Family::People, Channels::Of(&[Channel::Phone, Channel::Chat, Channel::Email]), Direction::None, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::MessageReceived => row(Family::People, Channels::Of(&[Channel::Email, Channel::Chat, Channel::Social]), Direction::Inbound, Mode::Person, Fact::None, None, false, CONTACT),
        TouchpointType::ResponseSent => row(Family::People, Channels::Of(&[Channel::Email, Channel::Chat, Channel::Social, Channel::Review]), Direction::Outbound, Mode::Person, Fact::None, None, false, RESPONSE),
        TouchpointType::MessageSent => row(Family::Communication, Channels::Of(&[Channel::Email, Channel::App, Channel::Social, Channel::Phone]), Direction::Outbound, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::PostPublished => row(Family::Communication, Channels::Of(&[Channel::Social]), Direction::Inbound, Mode::Person, Fact::None, None, false, CONTACT),
        TouchpointType::PostCounted => row(Family::Communication, Channels::Of(&[Channel::Social]), Direction::None, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::ReactionChanged => row(Family::Communication, Channels::Of(&[Channel::Social]), Direction::Inbound, Mode::Person, Fact::None, None, false, NONE),
        TouchpointType::ReviewSubmitted => row(Family::Communication, Channels::Of(&[Channel::Review]), Direction::Inbound, Mode::Person, Fact::None, None, false, NONE),
        TouchpointType::ReferralConverted => row(Family::Communication, Channels::Any, Direction::Inbound, Mode::Person, Fact::Fixed(0.4), None, false, NONE),
        TouchpointType::SurveyAnswered => row(Family::Communication, Channels::Of(&[Channel::Survey]), Direction::Inbound, Mode::Person, Fact::None, None, false, NONE),
        TouchpointType::SurveyExpired => row(Family::Communication, Channels::Of(&[Channel::Survey]), Direction::None, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::ExceptionGranted => row(Family::People, Channels::Any, Direction::Outbound, Mode::Person, Fact::Fixed(0.8), None, false, RECOVERY),
        TouchpointType::RecoveryMade => row(Family::People, Channels::Any, Direction::Outbound, Mode::Person, Fact::Fixed(0.4), None, false, RECOVERY),
        TouchpointType::CancelRequested => row(Family::People, Channels::Any, Direction::Inbound, Mode::Person, Fact::None, None, false, NONE),
        TouchpointType::ExportRequested => row(Family::Environment, Channels::Of(&[Channel::Web, Channel::App, Channel::Email]), Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::UnsubscribeCompleted => row(Family::Environment, Channels::Of(&[Channel::Web, Channel::App, Channel::Email]), Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::ContractNoticed => row(Family::Communication, Channels::Of(&[Channel::Email, Channel::App]), Direction::Outbound, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::ContractRenewed => row(Family::BrandIdentity, Channels::Any, Direction::None, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::ContractEnded => row(Family::BrandIdentity, Channels::Any, Direction::None, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::IdeaSubmitted => row(Family::People, Channels::Any, Direction::Inbound, Mode::Person, Fact::None, None, false, NONE),
        TouchpointType::IdeaAnswered => row(Family::People, Channels::Any, Direction::Outbound, Mode::Person, Fact::None, None, false, NONE),
        TouchpointType::LoyaltyChanged => row(Family::BrandIdentity, Channels::Any, Direction::None, Mode::Automatic, Fact::None, None, false, NONE),
        TouchpointType::PreferenceDeclared => row(Family::People, Channels::Any, Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::ConsentChanged => row(Family::People, Channels::Any, Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::RelationDeclared => row(Family::People, Channels::Any, Direction::Inbound, Mode::SelfService, Fact::None, None, false, NONE),
        TouchpointType::ProfileChanged => row(Family::People, Channels::Any, Direction::None, Mode::Automatic, Fact::None, None, false, NONE),
    }
}

const ROWS: [TypeRow; TouchpointType::ALL.len()] = {
    let mut rows = [row_of(TouchpointType::PageViewed); TouchpointType::ALL.len()];
    let mut at = 0;
    while at < rows.len() {
        rows[at] = row_of(TouchpointType::ALL[at]);
        at += 1;
    }
    rows
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_at_their_codes() {
        for &kind in TouchpointType::ALL {
            assert_eq!(kind.row(), row_of(kind), "{kind}");
        }
    }

    #[test]
    fn facts_of_the_table() {
        let fact = |kind: TouchpointType, resolved, by| kind.row().fact.valence(resolved, by);
        assert_eq!(fact(TouchpointType::OrderCreated, None, None), Some(0.3));
        assert_eq!(fact(TouchpointType::OrderCancelled, None, Some(Party::Brand)), Some(-0.6));
        assert_eq!(fact(TouchpointType::OrderCancelled, None, Some(Party::Customer)), Some(-0.1));
        assert_eq!(fact(TouchpointType::AssistEnded, Some(false), None), Some(-0.6));
        assert_eq!(fact(TouchpointType::AssistEnded, Some(true), None), None);
        assert_eq!(fact(TouchpointType::PartnerTripCancelled, None, None), Some(-0.8));
        assert_eq!(fact(TouchpointType::PageViewed, None, None), None);
        assert!(TouchpointType::RefundCompleted.row().is_recovery());
        assert!(TouchpointType::MessageReceived.row().is_contact());
        assert!(TouchpointType::ResponseSent.row().is_response());
        assert!(!TouchpointType::ResponseSent.row().is_contact());
    }
}
