//! Segment, and what speaks its protocol: RudderStack, Jitsu.
//!
//! | field | becomes |
//! |---|---|
//! | `messageId` | source id; `order/<order id>/<type>` for the two touchpoints of an order, so that an update revises them |
//! | `timestamp`, else `originalTimestamp` with `sentAt` and `receivedAt` | event time |
//! | `type` (or `action`): `page`, `screen` | `page.viewed` |
//! | `identify` | `profile.changed`, traits are its attributes |
//! | `alias` | `profile.changed` with `userId` and `previousId` |
//! | `group` | `relation.declared` (`account`) |
//! | `track` | by `event`, see [`track`] |
//! | `batch[]` | its members, in order |
//! | `userId` | login, authenticated |
//! | `anonymousId`, `previousId` | cookie, authenticated (a `previousId` that is a mail address: asserted) |
//! | `context.device.id` | device, authenticated |
//! | `context.sessionId` | visit `source:session:id`, authenticated |
//! | `traits.email`, `traits.phone`, also under `context.traits` and `properties` | asserted |
//! | `context.externalIds[]` | asserted, by their type |
//! | `context.groupId`, `groupId` | `refs.account_id` |
//! | `context.campaign` | `refs.campaign_id` |
//! | `context.consent.categoryPreferences` | `consents`, one a category |
//!
//! Ids of more than 100 characters are invalid and left out. Channel `app` where the call comes from a device, a mobile
//! library or a `screen` call.

mod track;
mod wire;

use serde_json::value::RawValue;
use throughline_model::touchpoint::{Attribute, Consent, Text};
use throughline_model::{
    Channel, ConsentStatus, EventTime, IdentifierType, RefKind, Rejection, RejectionReason, RelationKind,
    TouchpointType, Trust, WithheldReason,
};

use self::wire::{Call, Person, Traits};
use crate::draft::{ClaimedTime, Draft, MentionedRelation};
use crate::format::{Entries, Format, Payload};
use crate::json::{self, Str, Time};
use crate::shape::Shape;
use crate::time;

/// Segment, RudderStack, Jitsu.
#[derive(Debug)]
pub struct Segment;

const CALLS: [&str; 6] = ["track", "page", "screen", "identify", "group", "alias"];
/// Members of which a call has at least one beside its type.
const MEMBERS: [&str; 10] = [
    "event",
    "userId",
    "anonymousId",
    "messageId",
    "previousId",
    "groupId",
    "properties",
    "traits",
    "context",
    "writeKey",
];
/// Longest id that Segment accepts.
const ID_MAX: usize = 100;

impl Format for Segment {
    fn name(&self) -> &'static str {
        "segment"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        if shape.has("specversion") || shape.has("api_key") || shape.has("distinct_id") {
            return false;
        }
        let call = shape.string("type").or_else(|| shape.string("action"));
        if call.is_some_and(|call| CALLS.contains(&call)) {
            return MEMBERS.iter().any(|member| shape.has(member));
        }
        let of_batch = |member| shape.has_nested("batch", member);
        shape.has("batch")
            && !of_batch("distinct_id")
            && (of_batch("type") || of_batch("action"))
            && (of_batch("userId") || of_batch("anonymousId") || of_batch("messageId") || of_batch("context"))
    }

    fn read_if_own<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Option<Result<(), Rejection>> {
        // What does not decode is judged by its shape first.
        let mut call = Call::default();
        json::try_into(payload.text, &mut call).ok()?;
        let is_foreign = call.specversion.is_some() || call.api_key.is_some() || call.distinct_id.is_some();
        let is_own = !is_foreign && CALLS.contains(&&*call.kind) && call.is_call() && call.batch.0.is_none();
        is_own.then(|| read_call(payload, &call, sink))
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let mut call = Call::default();
        json::read_into(payload.text, &mut call)?;
        let Some(batch) = call.batch.0.take() else {
            return read_call(payload, &call, sink);
        };
        let sent_at = call.sent_at;
        if batch.is_empty() {
            sink.withheld(WithheldReason::Filtered, Text::Borrowed("batch"));
        }
        for member in batch {
            let read = json::from_str::<Call<'a>>(RawValue::get(member)).and_then(|mut call| {
                call.sent_at = call.sent_at.or(sent_at.clone());
                read_call(payload, &call, sink)
            });
            if let Err(rejection) = read {
                sink.rejected(rejection);
            }
        }
        Ok(())
    }
}

fn read_call<'a>(payload: &Payload<'a>, call: &Call<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
    let kind = call.kind.some().or_else(|| call.action.some());
    let lower = kind.filter(|kind| !CALLS.contains(kind)).map(str::to_ascii_lowercase);
    match lower.as_deref().or(kind) {
        Some("track") => track::read(payload, call, sink),
        Some("page" | "screen") => {
            let mut draft = draft(payload, call, TouchpointType::PageViewed);
            if lower.as_deref().or(kind) == Some("screen") {
                draft.body.channel = Channel::App;
            }
            sink.boxed(draft);
            Ok(())
        }
        Some("identify") => {
            let mut draft = draft(payload, call, TouchpointType::ProfileChanged);
            let traits = wire::decode::<Traits<'a>>(call.traits)?;
            mention_person(&mut draft, &traits.person, "traits.email", "traits.phone");
            draft.body.attributes = attributes(traits);
            sink.boxed(draft);
            Ok(())
        }
        Some("alias") => {
            let mut draft = draft(payload, call, TouchpointType::ProfileChanged);
            if call.previous_id.contains('@') {
                mention(&mut draft, IdentifierType::Email, &call.previous_id.0, Trust::Asserted, "previousId");
            } else {
                mention(&mut draft, IdentifierType::Cookie, &call.previous_id.0, Trust::Authenticated, "previousId");
            }
            sink.boxed(draft);
            Ok(())
        }
        Some("group") => {
            let mut draft = draft(payload, call, TouchpointType::RelationDeclared);
            if let Some(group) = call.group_id.some() {
                draft.relations.push(MentionedRelation {
                    kind: RelationKind::Account,
                    identifier: IdentifierType::Handle,
                    value: Text::Owned(format!("group:{group}")),
                    until: None,
                });
            }
            sink.boxed(draft);
            Ok(())
        }
        Some(_) => {
            sink.withheld(
                WithheldReason::Unmapped,
                Text::from(if call.kind.some().is_some() { &call.kind } else { &call.action }),
            );
            Ok(())
        }
        None if call.is_call() => Err(Rejection::field(RejectionReason::MissingField, "type", "a call without a type")),
        None => Err(Rejection::new(RejectionReason::UnknownFormat, "neither a call nor a batch of calls")),
    }
}

/// A draft with everything that calls of every type share.
fn draft<'a>(payload: &Payload<'a>, call: &Call<'a>, kind: TouchpointType) -> Box<Draft<'a>> {
    let context = &call.context.0;
    let channel = if call.is_app() { Channel::App } else { Channel::Web };
    let mut draft = Box::new(Draft::new(kind, channel, payload.source));
    draft.time = claimed_time(call);
    let body = &mut draft.body;
    body.schema = Text::Borrowed("segment");
    body.source_id = Text::from(&call.message_id);
    body.app = Text::from(&context.app.name);
    body.version = Text::from(&context.app.version);
    body.set_reference(RefKind::Session, &context.session_id);
    body.set_reference(RefKind::Campaign, &context.campaign.name);
    let account = if call.group_id.is_empty() { &context.group_id } else { &call.group_id };
    body.set_reference(RefKind::Account, account);
    body.consents = consents(call);

    mention(&mut draft, IdentifierType::Login, &call.user_id.0, Trust::Authenticated, "userId");
    mention(&mut draft, IdentifierType::Cookie, &call.anonymous_id.0, Trust::Authenticated, "anonymousId");
    mention(&mut draft, IdentifierType::Device, &context.device.id.0, Trust::Authenticated, "context.device.id");
    draft.visit(payload.source_name, "session", &context.session_id, Trust::Authenticated, "context.sessionId");
    mention_person(&mut draft, &context.traits.0, "context.traits.email", "context.traits.phone");
    for external in &*context.external_ids {
        let (kind, value) = match external.kind.as_ref() {
            "email" => (IdentifierType::Email, Text::from(&external.id)),
            "phone" => (IdentifierType::Phone, Text::from(&external.id)),
            "customer_id" | "crm_id" => (IdentifierType::CustomerId, Text::from(&external.id)),
            "" => continue,
            other => (IdentifierType::Handle, Text::Owned(format!("{other}:{}", &*external.id))),
        };
        mention(&mut draft, kind, &value, Trust::Asserted, "context.externalIds");
    }
    draft
}

fn mention<'a>(draft: &mut Draft<'a>, kind: IdentifierType, value: &Text<'a>, trust: Trust, field: &'static str) {
    if !value.is_empty() && value.len() <= ID_MAX {
        draft.mention(kind, value.clone(), trust, field);
    }
}

fn mention_person<'a>(draft: &mut Draft<'a>, person: &Person<'a>, email: &'static str, phone: &'static str) {
    if !person.email.is_empty() {
        draft.mention(IdentifierType::Email, &person.email, Trust::Asserted, email);
    }
    if !person.phone.is_empty() {
        draft.mention(IdentifierType::Phone, &person.phone, Trust::Asserted, phone);
    }
}

fn claimed_time<'a>(call: &Call<'a>) -> ClaimedTime<'a> {
    // Times without a zone are UTC: the libraries only ever write UTC.
    let timestamp = call.timestamp.clone().in_utc();
    if !timestamp.is_missing() {
        return timestamp.0;
    }
    let original = call.original_timestamp.clone().in_utc();
    match original.at() {
        Some(created) => ClaimedTime::Raw { created, sent: clock(&call.sent_at), collected: clock(&call.received_at) },
        None => original.0,
    }
}

/// A clock that is read only where it is needed: most calls carry the corrected time.
fn clock(text: &Str<'_>) -> Option<EventTime> {
    Time(time::read(Text::Borrowed(text))).in_utc().at()
}

fn consents<'a>(call: &Call<'a>) -> Vec<Consent<'a>> {
    let preferences = &call.context.0.consent.category_preferences.0;
    preferences
        .iter()
        .map(|(category, allowed)| Consent {
            purpose: category.clone(),
            status: if allowed == "true" { ConsentStatus::Granted } else { ConsentStatus::Denied },
            status_at: None,
            valid_until: None,
            policy_version: Text::Borrowed(""),
        })
        .collect()
}

/// Traits as attributes, for personalization only. What names or reaches a person is an identifier or nobody's business.
fn attributes(traits: Traits<'_>) -> Vec<Attribute<'_>> {
    traits
        .rest
        .into_iter()
        .map(|(name, value)| Attribute {
            name,
            value,
            purpose: Text::Borrowed("personalization"),
            valid_from: None,
            expires_at: None,
        })
        .collect()
}
