//! Amazon Connect contact records (contact trace records): the whole of a contact after its end, sent at least once.
//!
//! | fields | becomes | time |
//! |---|---|---|
//! | `InitiationTimestamp` | `contact.started`, by a transfer `contact.transferred` | itself |
//! | `Queue.EnqueueTimestamp` | `contact.queued` with `Queue.Duration` | itself |
//! | `Agent.ConnectedToAgentTimestamp` | `response.sent` | itself |
//! | `Agent.NumberOfHolds` over 0 | `contact.held` with the longest hold | connection |
//! | `TransferCompletedTimestamp` | `contact.transferred`, to a number outside, id `.../2` | itself |
//! | `DisconnectTimestamp` | `contact.ended`; `contact.abandoned` if queued and never connected | itself |
//! | channel `TASK`, `MONITOR` | filtered | |
//!
//! Source id is `<ContactId>/<type>`. `LastUpdateTimestamp` is the revision, so a record replaces what the contact events
//! said, which have none. Customer, call and owners are found as in contact events.

use throughline_model::{Rejection, RejectionReason, WithheldReason};

use super::contact::Contact;
use crate::format::{Entries, Format, Payload};
use crate::json;
use crate::shape::Shape;

/// The format.
#[derive(Debug)]
pub struct ContactRecord;

impl Format for ContactRecord {
    fn name(&self) -> &'static str {
        "amazon_connect_contact_record"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        let any = |keys: &[&str]| keys.iter().any(|key| shape.has(key));
        any(&["ContactId", "contactId"])
            && !any(&["eventType", "EventType"])
            && any(&[
                "AWSContactTraceRecordFormatVersion",
                "InitiationTimestamp",
                "initiationTimestamp",
                "InitiationMethod",
                "LastUpdateTimestamp",
            ])
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let mut contact: Contact<'a> = json::from_str(payload.text)?;
        if let Some(detail) = contact.detail.0.take() {
            contact = *detail;
        }
        if contact.contact_id.some().is_none() {
            return Err(Rejection::field(RejectionReason::MissingField, "ContactId", "a record without its contact"));
        }
        if contact.is_internal() {
            sink.withheld(WithheldReason::Filtered, contact.channel.take());
            return Ok(());
        }
        let held = contact.agent_info.number_of_holds.0.is_some_and(|holds| holds > 0);
        let steps = [
            (!contact.initiation_timestamp.is_missing(), Contact::started as fn(&Contact<'a>, &Payload<'a>) -> _),
            (contact.has_queued(), Contact::queued),
            (contact.has_connected(), Contact::response),
            (held, Contact::held),
            (!contact.transfer_completed_timestamp.is_missing(), Contact::transferred_outside),
            (!contact.disconnect_timestamp.is_missing(), Contact::ended),
        ];
        let mut silent = true;
        for (there, step) in steps {
            if there {
                silent = false;
                sink.touchpoint(step(&contact, payload));
            }
        }
        if silent {
            sink.withheld(WithheldReason::Filtered, "contact without a step".into());
        }
        Ok(())
    }
}
