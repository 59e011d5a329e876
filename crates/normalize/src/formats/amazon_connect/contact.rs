//! A contact as either feed writes it: events in camel case, records in Pascal case, some events in both at once.

use std::borrow::Cow;

use serde::Deserialize;
use throughline_model::{
    Channel, Direction, EventTime, IdentifierType, Mode, OwnerKind, RefKind, ResultReason, TouchpointType, Trust,
};

use super::last_segment;
use crate::draft::Draft;
use crate::format::Payload;
use crate::json::{Int, Maybe, Obj, Pairs, Str, Time};

#[derive(Debug, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Contact<'a> {
    /// The event itself where EventBridge wraps it.
    #[serde(borrow)]
    pub detail: Maybe<Box<Contact<'a>>>,
    #[serde(borrow)]
    pub time: Time<'a>,
    #[serde(borrow, alias = "EventType")]
    pub event_type: Str<'a>,
    #[serde(borrow, alias = "ContactId")]
    pub contact_id: Str<'a>,
    #[serde(borrow, alias = "InitialContactId")]
    pub initial_contact_id: Str<'a>,
    #[serde(borrow, alias = "PreviousContactId")]
    pub previous_contact_id: Str<'a>,
    #[serde(borrow, alias = "RelatedContactId")]
    pub related_contact_id: Str<'a>,
    #[serde(borrow, alias = "Channel")]
    pub channel: Str<'a>,
    #[serde(borrow, alias = "InitiationMethod")]
    pub initiation_method: Str<'a>,
    #[serde(borrow, alias = "InitiationTimestamp")]
    pub initiation_timestamp: Time<'a>,
    #[serde(borrow, alias = "DisconnectTimestamp")]
    pub disconnect_timestamp: Time<'a>,
    #[serde(borrow, alias = "DisconnectReason")]
    pub disconnect_reason: Str<'a>,
    #[serde(borrow, alias = "TransferCompletedTimestamp")]
    pub transfer_completed_timestamp: Time<'a>,
    #[serde(borrow, alias = "LastUpdateTimestamp")]
    pub last_update_timestamp: Time<'a>,
    #[serde(borrow, alias = "QueueInfo", alias = "Queue", alias = "queue")]
    pub queue_info: Obj<Queue<'a>>,
    #[serde(borrow, alias = "AgentInfo", alias = "Agent", alias = "agent")]
    pub agent_info: Obj<Agent<'a>>,
    #[serde(borrow, alias = "CustomerEndpoint")]
    pub customer_endpoint: Obj<Endpoint<'a>>,
    #[serde(borrow, alias = "Attributes")]
    pub attributes: Pairs<'a>,
    #[serde(borrow, alias = "CustomerId")]
    pub customer_id: Str<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Queue<'a> {
    #[serde(borrow, alias = "QueueArn", alias = "ARN", alias = "arn", alias = "queueARN")]
    pub queue_arn: Str<'a>,
    #[serde(borrow, alias = "Name")]
    pub name: Str<'a>,
    #[serde(borrow, alias = "EnqueueTimestamp")]
    pub enqueue_timestamp: Time<'a>,
    /// Seconds.
    #[serde(alias = "Duration")]
    pub duration: Int,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Agent<'a> {
    #[serde(borrow, alias = "AgentArn", alias = "ARN", alias = "arn", alias = "agentARN")]
    pub agent_arn: Str<'a>,
    #[serde(borrow, alias = "Username")]
    pub username: Str<'a>,
    #[serde(borrow, alias = "ConnectedToAgentTimestamp")]
    pub connected_to_agent_timestamp: Time<'a>,
    /// Seconds.
    #[serde(alias = "AgentInteractionDuration")]
    pub agent_interaction_duration: Int,
    /// Seconds.
    #[serde(alias = "CustomerHoldDuration")]
    pub customer_hold_duration: Int,
    /// Seconds.
    #[serde(alias = "LongestHoldDuration")]
    pub longest_hold_duration: Int,
    #[serde(alias = "NumberOfHolds")]
    pub number_of_holds: Int,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Endpoint<'a> {
    #[serde(borrow, alias = "Address")]
    pub address: Str<'a>,
    #[serde(borrow, rename = "type", alias = "Type")]
    pub kind: Str<'a>,
}

impl<'a> Contact<'a> {
    /// Whether it never reaches the customer: tasks of staff, and a supervisor who listens in.
    pub fn is_internal(&self) -> bool {
        self.channel.eq_ignore_ascii_case("TASK") || self.initiation_method.eq_ignore_ascii_case("MONITOR")
    }

    pub fn has_queued(&self) -> bool {
        !self.queue_info.enqueue_timestamp.is_missing()
    }

    pub fn has_connected(&self) -> bool {
        !self.agent_info.connected_to_agent_timestamp.is_missing()
    }

    /// The beginning: a contact of its own, or the next leg of one that was passed on.
    pub fn started(&self, payload: &Payload<'a>) -> Draft<'a> {
        let passed_on = self.initiation_method.to_ascii_uppercase().ends_with("TRANSFER")
            && self.previous_contact_id.some().is_some();
        let kind = if passed_on { TouchpointType::ContactTransferred } else { TouchpointType::ContactStarted };
        let mut draft = self.draft(payload, kind, &self.initiation_timestamp);
        if !passed_on {
            draft.body.direction = self.direction();
        }
        draft
    }

    pub fn queued(&self, payload: &Payload<'a>) -> Draft<'a> {
        let mut draft = self.draft(payload, TouchpointType::ContactQueued, &self.queue_info.enqueue_timestamp);
        draft.body.durations.wait_ms = self.queue_info.duration.0.and_then(milliseconds);
        draft
    }

    /// The connection to a person, who answers for the brand.
    pub fn response(&self, payload: &Payload<'a>) -> Draft<'a> {
        let connected = &self.agent_info.connected_to_agent_timestamp;
        let mut draft = self.draft(payload, TouchpointType::ResponseSent, connected);
        draft.body.mode = Mode::Person;
        draft.body.durations.wait_ms = self.wait(connected);
        draft
    }

    pub fn held(&self, payload: &Payload<'a>) -> Draft<'a> {
        let agent = &self.agent_info;
        let mut draft = self.draft(payload, TouchpointType::ContactHeld, &agent.connected_to_agent_timestamp);
        let longest = agent.longest_hold_duration.0.or(agent.customer_hold_duration.0);
        draft.body.durations.hold_ms = longest.and_then(milliseconds);
        draft
    }

    /// A transfer to a number outside; the first leg may itself have come by a transfer.
    pub fn transferred_outside(&self, payload: &Payload<'a>) -> Draft<'a> {
        let kind = TouchpointType::ContactTransferred;
        let mut draft = self.draft(payload, kind, &self.transfer_completed_timestamp);
        draft.body.source_id = Cow::Owned(format!("{}/{kind}/2", &*self.contact_id));
        draft
    }

    /// The end: abandoned where somebody waited and nobody came.
    pub fn ended(&self, payload: &Payload<'a>) -> Draft<'a> {
        let end = &self.disconnect_timestamp;
        let abandoned = self.has_queued() && !self.has_connected();
        let kind = if abandoned { TouchpointType::ContactAbandoned } else { TouchpointType::ContactEnded };
        let mut draft = self.draft(payload, kind, end);
        let agent = &self.agent_info;
        let durations = &mut draft.body.durations;
        if abandoned {
            durations.wait_ms = self.wait(end);
        } else {
            durations.wait_ms = self.wait(&agent.connected_to_agent_timestamp);
            let talked = between(&agent.connected_to_agent_timestamp, end);
            durations.handle_ms = talked.or_else(|| agent.agent_interaction_duration.0.and_then(milliseconds));
            durations.hold_ms = agent.customer_hold_duration.0.and_then(milliseconds);
            let broken = matches!(&*self.disconnect_reason, "TELECOM_PROBLEM" | "CONNECTIVITY_ERROR");
            draft.body.result.reason = broken.then_some(ResultReason::System);
        }
        draft
    }

    fn wait(&self, until: &Time<'a>) -> Option<i64> {
        between(&self.queue_info.enqueue_timestamp, until).or_else(|| self.queue_info.duration.0.and_then(milliseconds))
    }

    fn direction(&self) -> Direction {
        let by = |name: &str| self.initiation_method.eq_ignore_ascii_case(name);
        let dialed = by("API") && self.channel().is_none_or(|channel| channel == Channel::Phone);
        if by("OUTBOUND") || by("EXTERNAL_OUTBOUND") || by("CALLBACK") || dialed {
            Direction::Outbound
        } else {
            Direction::Inbound
        }
    }

    fn channel(&self) -> Option<Channel> {
        channel_of(&self.channel)
    }

    fn draft(&self, payload: &Payload<'a>, kind: TouchpointType, time: &Time<'a>) -> Draft<'a> {
        let mut draft = Draft::new(kind, self.channel().unwrap_or(Channel::Phone), payload.source);
        if self.contact_id.some().is_some() {
            draft.body.source_id = Cow::Owned(format!("{}/{kind}", &*self.contact_id));
        }
        draft.time = time.clone().or(self.time.clone()).0;
        draft.updated_at = self.last_update_timestamp.at();
        let initial = self.initial_contact_id.clone().or(self.contact_id.clone());
        draft.body.set_reference(RefKind::Conversation, initial);
        draft.body.set_owner(OwnerKind::Staff, segment(&self.agent_info.agent_arn, &self.agent_info.username));
        draft.body.set_owner(OwnerKind::Team, segment(&self.queue_info.queue_arn, &self.queue_info.name));
        self.identify(payload, &mut draft);
        draft
    }

    fn identify(&self, payload: &Payload<'a>, draft: &mut Draft<'a>) {
        let mut seen: [&str; 2] = ["", ""];
        for (at, id) in [&self.contact_id, &self.initial_contact_id].into_iter().enumerate() {
            if let Some(id) = id.some().filter(|id| !seen.contains(id)) {
                seen[at] = id;
                let visit = format!("{}:call:{id}", payload.source_name);
                draft.mention(IdentifierType::Visit, visit, Trust::Authenticated, "contactId");
            }
        }
        let address = &self.customer_endpoint.0.address;
        match self.customer_endpoint.kind.to_ascii_uppercase().as_str() {
            "EMAIL_ADDRESS" => draft.mention(IdentifierType::Email, address, Trust::Asserted, "customerEndpoint"),
            "" | "TELEPHONE_NUMBER" if address.bytes().any(|byte| byte.is_ascii_digit()) => {
                draft.mention(IdentifierType::Phone, address, Trust::Authenticated, "customerEndpoint");
            }
            _ => {}
        }
        draft.mention(IdentifierType::CustomerId, &self.customer_id, Trust::Authenticated, "customerId");
        attributes(&self.attributes, draft);
    }
}

/// Means of contact of a channel name in any case.
pub(in crate::formats) fn channel_of(name: &str) -> Option<Channel> {
    match name.to_ascii_uppercase().as_str() {
        "VOICE" => Some(Channel::Phone),
        "CHAT" | "SMS" | "MESSAGING" => Some(Channel::Chat),
        "EMAIL" => Some(Channel::Email),
        _ => None,
    }
}

/// Reads what the flow stored about the customer. Flows name attributes as they like; these names are common. A customer id
/// counts as verified unless the flow says that it is not.
fn attributes<'a>(attributes: &Pairs<'a>, draft: &mut Draft<'a>) {
    let says_no = |value: &str| ["false", "no", "0", "failed"].iter().any(|no| value.eq_ignore_ascii_case(no));
    let mut trust = Trust::Authenticated;
    for (name, value) in &attributes.0 {
        if matches!(plain(name).as_str(), "verified" | "isverified" | "authenticated" | "isauthenticated")
            && says_no(value)
        {
            trust = Trust::Asserted;
        }
    }
    for (name, value) in &attributes.0 {
        let value = value.clone();
        match plain(name).as_str() {
            "customerid" | "crmid" => {
                draft.mention(IdentifierType::CustomerId, value, trust, "attributes.customerId");
            }
            "userid" | "loginid" => draft.mention(IdentifierType::Login, value, trust, "attributes.userId"),
            "loyaltycard" | "loyaltyid" | "loyaltynumber" => {
                draft.mention(IdentifierType::LoyaltyCard, value, Trust::Asserted, "attributes.loyaltyCard");
            }
            "email" | "emailaddress" | "customeremail" => {
                draft.mention(IdentifierType::Email, value, Trust::Asserted, "attributes.email");
            }
            "phone" | "phonenumber" | "customerphone" => {
                draft.mention(IdentifierType::Phone, value, Trust::Asserted, "attributes.phone");
            }
            "orderid" | "ordernumber" => draft.body.set_reference(RefKind::Order, value),
            "caseid" | "ticketid" => draft.body.set_reference(RefKind::Case, value),
            "language" | "languagecode" => draft.body.language = value,
            _ => {}
        }
    }
}

/// A name without case and separators.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

fn segment(arn: &Str<'_>, name: &Str<'_>) -> String {
    let id = last_segment(arn);
    if id.is_empty() { name.to_string() } else { id.to_owned() }
}

fn milliseconds(seconds: i64) -> Option<i64> {
    seconds.checked_mul(1_000).filter(|duration| *duration >= 0)
}

fn between(from: &Time<'_>, until: &Time<'_>) -> Option<i64> {
    let from: EventTime = from.at()?;
    let until = until.at()?;
    until.as_millis().checked_sub(from.as_millis()).filter(|duration| *duration >= 0)
}
