//! The closed sets of the product: channels, families, directions, drivers, intents, trust, purposes.
//!
//! Names are those of the published records. A reader of an output must accept an unknown member, because a minor version
//! may add one; a writer of an input that uses an unknown member is told so.

use crate::closed_set;

/// A name that is not in the closed set it was looked up in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown {set}")]
pub struct UnknownName {
    /// Name of the set.
    pub set: &'static str,
}

closed_set! {
    /// The means of contact. The source is the feed: an order paid in a store and reported by the web shop has channel
    /// `store` and source `web`.
    pub enum Channel {
        /// Web site.
        Web = "web",
        /// Mobile or desktop application.
        App = "app",
        /// Electronic mail.
        Email = "email",
        /// Live chat.
        Chat = "chat",
        /// Telephone.
        Phone = "phone",
        /// Social network.
        Social = "social",
        /// Review site or application store.
        Review = "review",
        /// Physical store.
        Store = "store",
        /// Delivery and installation at the customer's place.
        Field = "field",
        /// A partner's own contact with the customer.
        Partner = "partner",
        /// Survey; not counted in channel consistency.
        Survey = "survey",
    }
}

closed_set! {
    /// The feed a record comes from; decides clocks and the trust of identifiers.
    pub enum SourceKind {
        /// Web site and application.
        Web = "web",
        /// Social networks and reviews.
        Social = "social",
        /// Stores, point of sale, shop systems.
        Store = "store",
        /// Calls, chats, tickets.
        CallCentre = "call-centre",
        /// Partners who deliver.
        Partner = "partner",
        /// Surveys.
        Survey = "survey",
        /// Customer master records.
        Profile = "profile",
        /// Consent records.
        Consent = "consent",
        /// Channel and store catalog.
        Catalog = "catalog",
    }
}

closed_set! {
    /// The five touchpoint families (S3-9).
    pub enum Family {
        /// Advertising, mail, listings.
        Communication = "communication",
        /// Product, packaging, documents, signage.
        BrandIdentity = "brand_identity",
        /// Site, app, store, room, vehicle.
        Environment = "environment",
        /// People.
        People = "people",
        /// Partners under the brand's name.
        CoBranding = "co_branding",
    }
}

closed_set! {
    /// Who acted. `none` marks what happened to a record rather than with the customer.
    pub enum Direction {
        /// From the customer.
        Inbound = "inbound",
        /// To the customer.
        Outbound = "outbound",
        /// Neither: counts for no last touch, coverage or pressure.
        None = "none",
    }
}

closed_set! {
    /// Who or what acted on the brand's side.
    pub enum Mode {
        /// A person.
        Person = "person",
        /// A bot.
        Bot = "bot",
        /// The customer alone.
        SelfService = "self_service",
        /// Receipts, sensors, system notices.
        Automatic = "automatic",
    }
}

closed_set! {
    /// What a poor experience comes from; at most one for a touchpoint, only where its valence is negative.
    pub enum Driver {
        /// Service.
        Service = "service",
        /// Product.
        Product = "product",
        /// The way things are organized.
        Process = "process",
        /// Missing or wrong information.
        Information = "information",
        /// Price.
        Price = "price",
        /// Surroundings: site, store, room, vehicle.
        Environment = "environment",
    }
}

closed_set! {
    /// What a customer wants, as far as it was said.
    pub enum Intent {
        /// Asks for help.
        Help = "help",
        /// Asks a question.
        Question = "question",
        /// Complains.
        Complaint = "complaint",
        /// Means to leave.
        Exit = "exit",
        /// Recommends the brand.
        Recommend = "recommend",
        /// Praises.
        Praise = "praise",
        /// Has an idea.
        Idea = "idea",
    }
}

closed_set! {
    /// Need tags that make a need urgent at confidence .7 and above.
    pub enum UrgentTag {
        /// Health.
        Medical = "medical",
        /// Danger.
        Safety = "safety",
        /// Cannot get home.
        Stranded = "stranded",
        /// No food.
        Food = "food",
    }
}

closed_set! {
    /// How much the source's word is worth: does it know that the actor owns the identifier?
    pub enum Trust {
        /// The source knows that the actor owns it; routes and merges.
        Authenticated = "authenticated",
        /// Typed or said; becomes a link.
        Asserted = "asserted",
    }
}

closed_set! {
    /// What a copy of a touchpoint does to earlier copies; the order is the order of revisions.
    pub enum Verb {
        /// First copy.
        Add = "add",
        /// Replaces.
        Update = "update",
        /// Takes back.
        Remove = "remove",
    }
}

closed_set! {
    /// Severity as the source says it.
    pub enum Severity {
        /// Weight 2.
        Severe = "severe",
        /// Weight 1.
        Normal = "normal",
        /// Weight 0.5.
        Minor = "minor",
    }
}

closed_set! {
    /// Kinds of evidence a source can give.
    pub enum EvidenceKind {
        /// Net promoter score, 0..10.
        Nps = "nps",
        /// Customer satisfaction, 1..5.
        Csat = "csat",
        /// Customer effort score, 1..7, 7 is easy.
        Ces = "ces",
        /// Stars, 1..5.
        Stars = "stars",
        /// Sentiment of the customer's text or voice, -1..1 or -5..5.
        Sentiment = "sentiment",
    }
}

closed_set! {
    /// Why an assist or contact ended unresolved.
    pub enum ResultReason {
        /// Nobody knew.
        Knowledge = "knowledge",
        /// Nobody cared.
        Attitude = "attitude",
        /// Nobody was allowed to.
        Authority = "authority",
        /// Nothing in stock.
        Stock = "stock",
        /// Waited too long.
        Wait = "wait",
        /// A system failed.
        System = "system",
        /// Anything else.
        Other = "other",
    }
}

closed_set! {
    /// Who caused what happened to a record.
    pub enum Party {
        /// The customer.
        Customer = "customer",
        /// The brand.
        Brand = "brand",
        /// A partner.
        Partner = "partner",
    }
}

closed_set! {
    /// Purposes of processing a customer may grant or deny.
    pub enum Purpose {
        /// Applying touchpoints at all.
        Process = "process",
        /// Scores, alerts, changes.
        Service = "service",
        /// Attributes, next actions.
        Personalization = "personalization",
        /// Marketing.
        Marketing = "marketing",
        /// Influence profile and ripple.
        Influence = "influence",
    }
}

closed_set! {
    /// Status of a purpose.
    pub enum ConsentStatus {
        /// Allowed.
        Granted = "granted",
        /// Refused.
        Denied = "denied",
        /// Taken back.
        Revoked = "revoked",
        /// Never answered, or the answer expired.
        Unknown = "unknown",
    }
}

closed_set! {
    /// Purpose of an outbound touchpoint.
    pub enum OutboundPurpose {
        /// Service.
        Service = "service",
        /// Receipts and the like.
        Transactional = "transactional",
        /// Promotion.
        Promotional = "promotional",
        /// Survey invitation.
        Survey = "survey",
    }
}

closed_set! {
    /// Correlation keys as the source writes them.
    pub enum RefKind {
        /// Case or ticket.
        Case = "case_id",
        /// Order.
        Order = "order_id",
        /// Item.
        Item = "item_id",
        /// Booking.
        Booking = "booking_id",
        /// Reservation.
        Reservation = "reservation_id",
        /// Return.
        Return = "return_id",
        /// Account.
        Account = "account_id",
        /// Contract.
        Contract = "contract_id",
        /// Campaign.
        Campaign = "campaign_id",
        /// Store visit.
        Visit = "visit_id",
        /// Web or app session.
        Session = "session_id",
        /// Conversation.
        Conversation = "conversation_id",
        /// Post.
        Post = "post_id",
        /// Parent post or comment.
        Parent = "parent_id",
        /// Survey.
        Survey = "survey_id",
        /// Survey response.
        Response = "response_id",
        /// Idea.
        Idea = "idea_id",
    }
}

closed_set! {
    /// Who caused a touchpoint. The order is from least to most specific as the operational owner is chosen.
    pub enum OwnerKind {
        /// Partner that delivered.
        Partner = "partner",
        /// Store.
        Store = "store",
        /// Team.
        Team = "team",
        /// Person.
        Staff = "staff",
        /// Process.
        Process = "process",
        /// Outsourced provider.
        Provider = "provider",
        /// Policy.
        Policy = "policy",
    }
}

closed_set! {
    /// Kinds of relation between people; related people are never merged.
    pub enum RelationKind {
        /// Same household.
        Household = "household",
        /// Cares for.
        Carer = "carer",
        /// Gives a present to.
        Gift = "gift",
        /// Buys or calls for.
        Beneficiary = "beneficiary",
        /// Shares a business account.
        Account = "account",
    }
}

closed_set! {
    /// Facts compared across customers and channels (4.4).
    pub enum FactKind {
        /// Price.
        Price = "price",
        /// Offer.
        Offer = "offer",
        /// Answer about a policy.
        PolicyAnswer = "policy_answer",
        /// Stock.
        Stock = "stock",
    }
}

closed_set! {
    /// What the customer got.
    pub enum BenefitKind {
        /// Discount.
        Discount = "discount",
        /// Refund.
        Refund = "refund",
        /// Loyalty points.
        Points = "points",
        /// Upgrade.
        Upgrade = "upgrade",
        /// Gift.
        Gift = "gift",
        /// Answer.
        Answer = "answer",
    }
}

closed_set! {
    /// Kinds of promises (4.6).
    pub enum PromiseKind {
        /// Delivery by a time.
        Delivery = "delivery",
        /// First response by a time.
        Response = "response",
        /// Call back by a time.
        Callback = "callback",
        /// Installation by a time.
        Install = "install",
        /// Repair by a time.
        Repair = "repair",
        /// Refund by a time.
        Refund = "refund",
        /// Start of a trip.
        TripStart = "trip_start",
        /// Arrival of a trip.
        TripArrival = "trip_arrival",
        /// Price shown; at most.
        Price = "price",
        /// Rating shown; at least.
        Rating = "rating",
        /// Advertising claim.
        Claim = "claim",
    }
}

closed_set! {
    /// Which way a promise binds.
    pub enum PromiseSense {
        /// By a time.
        By = "by",
        /// At least this value.
        AtLeast = "at_least",
        /// At most this value.
        AtMost = "at_most",
    }
}

closed_set! {
    /// What a proof says.
    pub enum ProofOutcome {
        /// Done.
        Delivered = "delivered",
        /// Called off.
        Withdrawn = "withdrawn",
    }
}

closed_set! {
    /// Entries of a loyalty ledger.
    pub enum LoyaltyKind {
        /// Joined.
        Enroll = "enroll",
        /// Earned points.
        Earn = "earn",
        /// Spent points.
        Burn = "burn",
        /// Points expired.
        Expire = "expire",
        /// Correction.
        Adjust = "adjust",
        /// Tier changed.
        Tier = "tier",
    }
}

/// Driver and severity codes that make a touchpoint severe, as shipped (4.1); configuration may add.
pub const SEVERE_CODES: &[&str] = &["safety", "injury", "medical", "stranded", "discrimination", "fraud", "privacy"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_round_trip() {
        for &channel in Channel::ALL {
            assert_eq!(Channel::from_name(channel.as_str()), Some(channel));
            assert_eq!(Channel::from_code(u64::from(channel.code())), Some(channel));
        }
        assert_eq!(Channel::from_name("fax"), None);
        assert_eq!(Channel::from_code(200), None);
        assert_eq!("call-centre".parse(), Ok(SourceKind::CallCentre));
    }

    #[test]
    fn verbs_order_revisions() {
        assert!(Verb::Add < Verb::Update && Verb::Update < Verb::Remove);
    }
}
