//! Amazon Connect: contact events, contact records and the agent stream, three formats about the same contacts.
//!
//! Both feeds about a contact use `<contactId>/<type>` as the source id, so that they meet in one touchpoint.

mod agent_stream;
mod contact;
mod contact_event;
mod contact_record;

pub use agent_stream::AgentStream;
pub(super) use contact::channel_of;
pub use contact_event::ContactEvent;
pub use contact_record::ContactRecord;

/// What comes after the last slash of an ARN; names are not ARNs and stay.
pub(super) fn last_segment(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
