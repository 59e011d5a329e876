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
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::bindings as native;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use throughline_worker::{Input, Processor, TaskId};

use super::stranded::Looks;
use super::{Driver, DriverError, Observer};
use crate::classify::classify;
use crate::context::WorkerContext;

/// Time between two looks whether somebody has our id.
const LOOK: Duration = Duration::from_millis(500);
/// How much longer than its session the group may take to forget a member.
const GRACE: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// Characters of a uuid.
const UUID_LENGTH: usize = 36;

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

impl<P: Processor, O: Observer<P>> Driver<P, O> {
    /// The group knows a newer member under our static id. That is another process; or it is this one, where an earlier request
    /// to join arrived after a later one, as happens to brokers that stood still. Nobody keeps a member alive that never heard
    /// that it is one: it is gone when its session has ended, and then this worker joins anew. Another process's stays.
    /// Fighting back would fence the other process, which would fence us: the one that came later stays.
    ///
    /// Only the consumer's word counts: a refused commit may come from a consumer of ours that has just joined again.
    pub(super) fn member_fenced(&mut self) -> Result<(), DriverError> {
        let held: Vec<TaskId> = self.worker.tasks().map(|(task, _)| task).collect();
        self.input(Input::Lost(&held))?;
        tracing::warn!(worker = self.options.name, "another member has this id, waiting whether it stays");
        // The session of a member that nobody keeps alive begins again when its coordinator changes.
        let deadline = Instant::now() + 2 * self.options.session_timeout + GRACE;
        while !self.control.drain.load(Ordering::Acquire) {
            std::thread::sleep(LOOK);
            match self.is_id_taken() {
                Ok(false) => return self.rejoin(),
                Ok(true) if Instant::now() > deadline => {
                    return Err(DriverError::Superseded(self.options.instance.clone()));
                }
                Ok(true) => {}
                Err(error) => self.note_fault(classify(&error), &error),
            }
        }
        Ok(())
    }

    /// Whether the group has a member under our static id. Brokers begin the ids of static members with it.
    fn is_id_taken(&self) -> Result<bool, KafkaError> {
        let groups = self.consumer.fetch_group_list(Some(&self.options.group), CALL_TIMEOUT)?;
        let mut members = groups.groups().iter().flat_map(|group| group.members());
        let own = format!("{}-", self.options.instance);
        // A uuid follows; the id of another member may begin with ours.
        Ok(members.any(|member| member.id().strip_prefix(&own).is_some_and(|rest| rest.len() == UUID_LENGTH)))
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
