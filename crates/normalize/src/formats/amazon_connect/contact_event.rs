//! Amazon Connect contact events, bare or under `detail` of EventBridge.
//!
//! | `eventType` | becomes | time |
//! |---|---|---|
//! | `INITIATED` | `contact.started`; outbound for `OUTBOUND`, `CALLBACK` and calls by `API` | `initiationTimestamp` |
//! | `INITIATED` by a transfer, with a previous contact | `contact.transferred` | `initiationTimestamp` |
//! | `QUEUED` | `contact.queued` | `queueInfo.enqueueTimestamp` |
//! | `CONNECTED_TO_AGENT` | `response.sent` by a person, with the wait since `enqueueTimestamp` | `agentInfo.connectedToAgentTimestamp` |
//! | `DISCONNECTED` | `contact.ended`; `contact.abandoned` if queued and never connected | `disconnectTimestamp` |
//! | others; channel `TASK`; `MONITOR`, `DISCONNECT` flows | filtered | |
//!
//! | fact | from |
//! |---|---|
//! | source id | `<contactId>/<type>` |
//! | time, if that of the step is absent | `time` of the envelope |
//! | customer | `customerEndpoint` (calling number), `attributes` (customer id after verification); e-mail and phone there are asserted |
//! | call | visit `<source>:call:<id>` of the contact and of the first contact of its chain; conversation is the first one |
//! | owners | staff: agent id; team: queue id |

use throughline_model::{Rejection, RejectionReason, WithheldReason};

use super::contact::Contact;
use crate::format::{Entries, Format, Payload};
use crate::json;
use crate::shape::Shape;

/// The format.
#[derive(Debug)]
pub struct ContactEvent;

impl Format for ContactEvent {
    fn name(&self) -> &'static str {
        "amazon_connect_contact_event"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        if shape.has("detail") {
            let title = shape.string("detail-type").unwrap_or_default();
            let lens = title.starts_with("Contact Lens") || shape.has_nested("detail", "ruleName");
            return shape.string("source") == Some("aws.connect") && !lens;
        }
        let any = |keys: &[&str]| keys.iter().any(|key| shape.has(key));
        any(&["contactId", "ContactId"])
            && any(&["eventType", "EventType"])
            && !any(&["AgentARN", "Segments", "LanguageCode"])
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let mut contact: Contact<'a> = json::from_str(payload.text)?;
        if let Some(detail) = contact.detail.0.take() {
            let time = contact.time;
            contact = Contact { time, ..*detail };
        }
        if contact.event_type.some().is_none() {
            sink.withheld(WithheldReason::Filtered, "contact".into());
            return Ok(());
        }
        if contact.contact_id.some().is_none() {
            return Err(Rejection::field(RejectionReason::MissingField, "contactId", "an event without its contact"));
        }
        let step = contact.event_type.to_ascii_uppercase();
        let flow = contact.initiation_method.eq_ignore_ascii_case("DISCONNECT");
        let draft = match step.as_str() {
            _ if contact.is_internal() || flow => None,
            "INITIATED" => Some(contact.started(payload)),
            "QUEUED" => Some(contact.queued(payload)),
            "CONNECTED_TO_AGENT" => Some(contact.response(payload)),
            "DISCONNECTED" => Some(contact.ended(payload)),
            _ => None,
        };
        match draft {
            Some(draft) => sink.touchpoint(draft),
            None => sink.withheld(WithheldReason::Filtered, contact.event_type.take()),
        }
        Ok(())
    }
}
