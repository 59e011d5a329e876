//! Members that the group forgot and took in again.
//!
//! A group that does not hear of a member for the time of its session forgets it and gives its partitions to others. When the
//! member is heard of again it gets a new member id. librdkafka says then that what it held is lost, except while it waits for an
//! answer to a rebalance (`rd_kafka_cgrp_revoke_all_rejoin_maybe`, 2.12.1): partitions that nobody asked back stay with the
//! consumer, and the coordinator accepts a commit of them under the new id, although others have moved them meanwhile. So
//! partitions are held under the member id that they were assigned to. Once it is another one, nothing is committed any more;
//! the worker gives everything back and joins anew, and what it is given then is read from what is committed.
#![allow(unsafe_code)]

use std::ffi::CStr;

use rdkafka::bindings as native;
use rdkafka::consumer::{BaseConsumer, Consumer};
use throughline_worker::Processor;

use super::stranded::Looks;
use super::{Driver, Observer};
use crate::context::WorkerContext;

/// Under which member id partitions are held.
#[derive(Debug, Default)]
pub(super) enum Membership {
    /// Nothing was assigned yet.
    #[default]
    Fresh,
    /// Everything that is held was assigned to this one.
    Member(String),
    /// Something of what is held was assigned to a former one.
    Expelled,
    /// The same, and everything is being given back.
    Leaving,
}

impl<P: Processor, O: Observer<P>> Driver<P, O> {
    /// Partitions were assigned.
    pub(super) fn note_membership(&mut self) {
        if self.worker.tasks().next().is_none() {
            self.membership = Membership::Member(member_id(&self.consumer));
        } else {
            self.is_member();
        }
    }

    /// Whether what is held may be committed. Read after the group metadata that is sent: metadata of an older member is
    /// refused by the coordinator, metadata of a newer one would be found here.
    pub(super) fn is_member(&mut self) -> bool {
        if let Membership::Member(known) = &self.membership {
            let now = member_id(&self.consumer);
            if !now.is_empty() && *known == now {
                return true;
            }
            self.membership = Membership::Expelled;
        }
        false
    }

    /// Gives back what was assigned to a former member.
    pub(super) fn leave_if_expelled(&mut self) {
        if !matches!(self.membership, Membership::Expelled) || self.consumer.assignment_lost() {
            return;
        }
        if self.consumer.assignment().is_ok_and(|held| held.count() == 0) {
            // Told after all.
            self.membership = Membership::Fresh;
        } else {
            tracing::warn!(worker = self.options.name, "the group forgot this member, giving everything back");
            self.membership = Membership::Leaving;
            self.looks = Looks::anew();
            self.join_again();
        }
    }
}

/// The member id of a consumer, empty while the group knows none.
fn member_id(consumer: &BaseConsumer<WorkerContext>) -> String {
    let client = consumer.client().native_ptr();
    // SAFETY: the client lives as long as the consumer that is borrowed; the text belongs to the caller, is copied, and is given
    // back to librdkafka to be freed.
    unsafe {
        let id = native::rd_kafka_memberid(client);
        if id.is_null() {
            return String::new();
        }
        let copied = CStr::from_ptr(id).to_string_lossy().into_owned();
        native::rd_kafka_mem_free(client, id.cast());
        copied
    }
}
