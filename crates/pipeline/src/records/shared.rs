//! Parts that several records have.

use throughline_codec::record;
use throughline_codec::record::{Field, FieldName, List, Sink};
use throughline_model::{EventTime, Now};

/// What every output value starts with; its fields stand in the record itself, not in a nested one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Common<'a> {
    /// The configured tenant.
    pub tenant: &'a str,
    /// Event time the record speaks for.
    pub as_of: EventTime,
    /// The worker's clock at the commit.
    pub emitted_at: Now,
    /// `name@fold.read` of the model.
    pub model_version: &'a str,
    /// Whether numbers of two models are mixed.
    pub mixed: bool,
}

impl Field for Common<'_> {
    #[inline]
    fn visit<S: Sink>(&self, _: FieldName, sink: &mut S) {
        const TENANT: FieldName = FieldName::new("tenant", "the configured tenant");
        const AS_OF: FieldName = FieldName::new(
            "as_of",
            "event time this record speaks for: max of the largest event time applied to the subject, the due time of \
             the timer that caused it, the previous as_of; every decayed number in the record uses it",
        );
        const EMITTED_AT: FieldName =
            FieldName::new("emitted_at", "worker's clock at the commit; not the same in two runs");
        const MODEL_VERSION: FieldName =
            FieldName::new("model_version", "name@fold.read, 8 hex digits each, of the model file");
        const MIXED: FieldName = FieldName::new(
            "mixed",
            "true for two half-lives after a changed fold part of the model was accepted without a rebuild",
        );
        self.tenant.visit(TENANT, sink);
        self.as_of.visit(AS_OF, sink);
        self.emitted_at.visit(EMITTED_AT, sink);
        self.model_version.visit(MODEL_VERSION, sink);
        self.mixed.visit(MIXED, sink);
    }
}

record! {
    /// Correlation keys as the source writes them.
    pub struct Refs<'a>: "Refs" {
        /// ticket or case
        pub case_id: &'a str,
        /// order
        pub order_id: &'a str,
        /// item of an order or catalog
        pub item_id: &'a str,
        /// booking of a trip
        pub booking_id: &'a str,
        /// reservation of a stay or table
        pub reservation_id: &'a str,
        /// return of goods
        pub return_id: &'a str,
        /// account
        pub account_id: &'a str,
        /// contract
        pub contract_id: &'a str,
        /// campaign
        pub campaign_id: &'a str,
        /// visit of a store or place
        pub visit_id: &'a str,
        /// session on site or app
        pub session_id: &'a str,
        /// conversation
        pub conversation_id: &'a str,
        /// post
        pub post_id: &'a str,
        /// post this one answers
        pub parent_id: &'a str,
        /// survey
        pub survey_id: &'a str,
        /// response to a survey
        pub response_id: &'a str,
        /// idea
        pub idea_id: &'a str,
    }
}

record! {
    /// Who caused it.
    pub struct Owners<'a>: "Owners" {
        /// partner
        pub partner: &'a str,
        /// store
        pub store: &'a str,
        /// team
        pub team: &'a str,
        /// member of staff; in outputs it follows the staff switch (off, hashed, plain)
        pub staff: &'a str,
        /// procedure of the brand
        pub process: &'a str,
        /// provider of a service to the brand
        pub provider: &'a str,
        /// policy
        pub policy: &'a str,
    }
}

record! {
    /// Why a score, a change or a state is what it is: one touchpoint and its share.
    pub struct Reason<'a>: "Reason" {
        /// touchpoint; promise:<promise_id> or need:<need_id> for evidence that no touchpoint carries
        pub touchpoint_id: &'a str,
        /// points it contributes to the relationship score
        pub contribution: f64,
        /// touchpoint type, promise.<kind>.<state> or need.solved
        pub code: &'a str,
    }
}

record! {
    /// Who or what something is about.
    pub struct Subject<'a>: "Subject" {
        /// customer, store and the other entity kinds, source, identity
        pub kind: &'a str,
        /// its id
        pub id: &'a str,
    }
}

record! {
    /// An identifier in the clear, as a source knows it.
    pub struct PlainIdentifier<'a>: "PlainIdentifier" {
        /// customer_id, login, loyalty_card, email, phone, handle, device, cookie, visit
        pub r#type: &'a str,
        /// its value
        pub value: &'a str,
    }
}

record! {
    /// An identifier as a keyed hash.
    pub struct HashedIdentifier<'a>: "HashedIdentifier" {
        /// customer_id, login, loyalty_card, email, phone, handle, device, cookie, visit
        pub r#type: &'a str,
        /// keyed hash, 32 hex digits
        pub hash: &'a str,
        /// authenticated, asserted
        pub trust: &'a str,
    }
}

record! {
    /// A value that the customer or a master record declares.
    pub struct DeclaredAttribute<'a>: "DeclaredAttribute" {
        /// name
        pub name: &'a str,
        /// value
        pub value: &'a str,
        /// purpose it may be used for; unmapped purposes are denied
        pub purpose: &'a str,
        /// attribute time; older never overwrites newer
        pub valid_from: Option<EventTime>,
        /// end of validity
        pub expires_at: Option<EventTime>,
    }
}

record! {
    /// Consent for one purpose, given or taken.
    pub struct ConsentGiven<'a>: "ConsentGiven" {
        /// process, service, personalization, marketing, influence
        pub purpose: &'a str,
        /// granted, denied, revoked, unknown
        pub status: &'a str,
        /// when it was said; merged by purpose and this time
        pub status_at: Option<EventTime>,
        /// end of validity; an expired grant is unknown
        pub valid_until: Option<EventTime>,
        /// version of the policy it was given for
        pub policy_version: &'a str,
    }
}

record! {
    /// The customer's rules for being contacted.
    pub struct Preferences<'a>: "Preferences" {
        /// channels the customer refuses
        pub channels_refused: List<'a, &'a str>,
        /// topics the customer refuses
        pub topics_refused: List<'a, &'a str>,
        /// start of the quiet hours, HH:MM
        pub quiet_from: &'a str,
        /// end of the quiet hours, HH:MM
        pub quiet_to: &'a str,
        /// zone of the quiet hours, IANA
        pub time_zone: &'a str,
        /// BCP 47
        pub language: &'a str,
        /// promotional contacts allowed in 7 d
        pub promotional_cap_7d: Option<i32>,
    }
}
