//! Amazon Connect agent stream: status and configuration of staff.
//!
//! | source | becomes |
//! |---|---|
//! | every `EventType` (`STATE_CHANGE`, `HEART_BEAT`, `LOGIN`, `LOGOUT`) | filtered: there is no customer in it |

use serde::Deserialize;
use throughline_model::{Rejection, WithheldReason};

use crate::format::{Entries, Format, Payload};
use crate::json::{self, Str};
use crate::shape::Shape;

/// The format.
#[derive(Debug)]
pub struct AgentStream;

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Status<'a> {
    #[serde(borrow, rename = "EventType")]
    event_type: Str<'a>,
}

impl Format for AgentStream {
    fn name(&self) -> &'static str {
        "amazon_connect_agent_stream"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        shape.has("AgentARN") && (shape.has("EventType") || shape.has("CurrentAgentSnapshot"))
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let status: Status<'a> = json::from_str(payload.text)?;
        sink.withheld(WithheldReason::Filtered, status.event_type.take());
        Ok(())
    }
}
