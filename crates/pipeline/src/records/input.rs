//! What others write besides touchpoints: profiles, consent, the channel catalog, commands.

use throughline_codec::record;
use throughline_codec::record::List;
use throughline_model::{EventTime, Now};

use super::shared::{ConsentGiven, DeclaredAttribute, PlainIdentifier, Preferences, Subject};

record! {
    /// A customer's master record; key: CRM customer id. A null value withdraws the attributes of that source.
    pub struct ProfileInput<'a>: "ProfileInput" {
        /// CRM id, authenticated
        pub customer_id: &'a str,
        /// all of the person's; authenticated
        pub identifiers: List<'a, PlainIdentifier<'a>>,
        /// tier, value_band, lifecycle, owner, birthday, tastes, constraints
        pub attributes: List<'a, DeclaredAttribute<'a>>,
        /// the customer's rules
        pub preferences: Option<Preferences<'a>>,
        /// people related, never merged
        pub relations: List<'a, ProfileRelation<'a>>,
        /// BCP 47
        pub language: &'a str,
        /// IANA
        pub time_zone: &'a str,
        /// attribute time; older never overwrites newer
        pub valid_from: EventTime,
        /// source; a list of priorities decides between sources
        pub source: &'a str,
    }
}

record! {
    /// A customer related to this one.
    pub struct ProfileRelation<'a>: "ProfileRelation" {
        /// household, carer, gift, beneficiary, account
        pub kind: &'a str,
        /// the other CRM id
        pub customer_id: &'a str,
        /// end of the relation
        pub until: Option<EventTime>,
    }
}

record! {
    /// Consent; key: subject, or subject:purpose when a record holds one purpose. A null value makes the purposes unknown.
    pub struct ConsentInput<'a>: "ConsentInput" {
        /// the subject
        pub identifiers: List<'a, PlainIdentifier<'a>>,
        /// merged by purpose and status_at; an expired grant is unknown
        pub consents: List<'a, ConsentGiven<'a>>,
        /// source
        pub source: &'a str,
    }
}

record! {
    /// A channel or store, from one time on; key: channel/<channel>[/<store>]@<valid_from> or store/<store>@<valid_from>. A
    /// null value removes the row.
    pub struct CatalogInput<'a>: "CatalogRow" {
        /// channel, store
        pub kind: &'a str,
        /// channel
        pub channel: &'a str,
        /// store; a channel row may name one
        pub store: &'a str,
        /// first response in open time, milliseconds
        pub target_ms: Option<i64>,
        /// the same for severe moments; absent: target_ms
        pub target_severe_ms: Option<i64>,
        /// the same for urgent needs; absent: target_ms
        pub target_urgent_ms: Option<i64>,
        /// opening hours; none: always open
        pub hours: List<'a, OpeningHours<'a>>,
        /// IANA; gives local times of points of sale their zone
        pub time_zone: &'a str,
        /// dates, closed all day
        pub holidays: List<'a, &'a str>,
        /// topics handled; another topic here is a redirect waiting to happen
        pub issues: List<'a, &'a str>,
        /// region, for value facts
        pub region: &'a str,
        /// the row holds from here to the next of the same kind, channel and store
        pub valid_from: EventTime,
    }
}

record! {
    /// Opening hours of a weekday.
    pub struct OpeningHours<'a>: "OpeningHours" {
        /// 1 = Monday to 7
        pub weekday: i32,
        /// HH:MM
        pub from: &'a str,
        /// HH:MM; before from: runs over midnight
        pub to: &'a str,
    }
}

record! {
    /// What a person decides about an alert; key: subject id.
    pub struct AlertCommand<'a>: "AlertCommand" {
        /// unique; a repeat has no effect
        pub command_id: &'a str,
        /// who decides
        pub actor: &'a str,
        /// when it was issued
        pub issued_at: Now,
        /// reference to a note in a system of its own
        pub note_ref: &'a str,
        /// copied from any record of the alert; empty for mute and unmute
        pub alert_id: &'a str,
        /// copied from any record of the alert; a former customer id is followed
        pub subject: Option<Subject<'a>>,
        /// acknowledge, assign, snooze, resolve, reject, mute, unmute, test
        pub action: &'a str,
        /// apply only at this seq; otherwise stale_command
        pub if_seq: Option<i64>,
        /// assign: to whom
        pub assignee: &'a str,
        /// snooze (at most 30 d), mute
        pub until: Option<Now>,
        /// resolve: fixed, compensated, explained, unreachable, not_needed
        pub resolution: &'a str,
        /// reject: false_alarm, duplicate, wrong_customer, wrong_severity; mute: text
        pub reason: &'a str,
        /// mute and unmute: all that are set must match
        pub scope: Option<MuteScope<'a>>,
    }
}

record! {
    /// What is muted.
    pub struct MuteScope<'a>: "MuteScope" {
        /// store
        pub store: &'a str,
        /// region
        pub region: &'a str,
        /// channel
        pub channel: &'a str,
        /// partner
        pub partner: &'a str,
        /// type of alert
        pub r#type: &'a str,
    }
}

record! {
    /// What a person decides about an identity; key: customer_id.
    pub struct IdentityCommand<'a>: "IdentityCommand" {
        /// unique; a repeat has no effect
        pub command_id: &'a str,
        /// who decides
        pub actor: &'a str,
        /// when it was issued
        pub issued_at: Now,
        /// reference to a note in a system of its own
        pub note_ref: &'a str,
        /// split, block, unblock, unshare
        pub action: &'a str,
        /// split, block, unblock: the customer
        pub customer_id: &'a str,
        /// block, unblock: the other customer
        pub other_id: &'a str,
        /// split: fragments to move
        pub fragments: List<'a, &'a str>,
        /// split: identifiers to move
        pub members: List<'a, MemberHash<'a>>,
        /// unshare: type of the identifier
        pub r#type: &'a str,
        /// unshare: keyed hash of the identifier
        pub hash: &'a str,
    }
}

record! {
    /// An identifier by its keyed hash.
    pub struct MemberHash<'a>: "MemberHash" {
        /// type of the identifier
        pub r#type: &'a str,
        /// keyed hash, 32 hex digits
        pub hash: &'a str,
    }
}

record! {
    /// What a person asks about their own data; key: request id.
    pub struct PrivacyCommand<'a>: "PrivacyCommand" {
        /// unique; a repeat has no effect
        pub command_id: &'a str,
        /// who asks
        pub actor: &'a str,
        /// when it was issued
        pub issued_at: Now,
        /// reference to a note in a system of its own
        pub note_ref: &'a str,
        /// request
        pub request_id: &'a str,
        /// erase, restrict, release, object
        pub action: &'a str,
        /// the person, or customer_id
        pub identifiers: List<'a, PlainIdentifier<'a>>,
        /// the person, or identifiers
        pub customer_id: &'a str,
        /// object: process, service, personalization, marketing, influence
        pub purpose: &'a str,
        /// the barrier of an erasure
        pub requested_at: EventTime,
    }
}
