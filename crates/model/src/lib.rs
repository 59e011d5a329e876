//! The vocabulary of Throughline: touchpoints, identifiers, customers, offsets, rejections.
//!
//! **What it does.** Gives every word of the product one type: closed sets ([`vocabulary`], [`touchpoint_type`]), keyed
//! ids ([`id`]), the three kinds of time ([`time`]), positions in a log ([`log`]), the normalized [`touchpoint`], bounded
//! numbers ([`score`]), fates and rejections ([`fate`]), and the words of an [`alert`].
//!
//! **What it does not.** It decodes no bytes, reads no clock, and does not know Kafka, Avro or JSON.
//!
//! **Invariants.** A [`Touchpoint`] was validated: its numbers are finite and in range. A [`NextOffset`] is the only
//! position that can be committed. Enumerations are closed: their names are the names on the wire and in metric labels.
//!
//! **Where to start.** [`touchpoint::Touchpoint`], then [`touchpoint_type::TouchpointType`].

pub mod alert;
pub mod fate;
pub mod id;
pub mod log;
mod macros;
pub mod murmur2;
pub mod score;
pub mod time;
pub mod touchpoint;
pub mod touchpoint_type;
pub mod vocabulary;

pub use fate::{Fate, FateCounts, LateReason, Rejection, RejectionReason, WithheldReason};
pub use id::{AlertId, CustomerId, Hash128, IdHasher, IdentifierType, NodeId, TouchpointId};
pub use log::{NextOffset, Partition, RecordOffset, Stage, Topic};
pub use score::{Score, round6};
pub use time::{EventTime, Now, ReceivedAt, StreamTime, TimeQuality};
pub use touchpoint::{Body, Header, Touchpoint};
pub use touchpoint_type::TouchpointType;
pub use vocabulary::*;
