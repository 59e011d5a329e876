//! Partitions that nobody has.
//!
//! A static member that is killed after the group told it to give a partition back, and before it joined again without it,
//! leaves that partition with nobody: the next process with its id takes its place over without a rebalance, and nothing
//! moves until something else changes the group. (Found by a seed of the simulation; `kafka_driver.rs` shows it on a
//! broker.) So whoever joins anew looks at the whole group after a while. If a partition is with nobody twice in a row, it
//! gives its own back and joins again, which makes the group rebalance.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use throughline_worker::Processor;

use super::{Driver, Observer};
use crate::classify::{Reaction, classify};

/// Time between two looks: longer than giving back takes when nothing is wrong, which is one commit.
const INTERVAL: Duration = Duration::from_secs(5);
/// Looks after which somebody else's is waited for.
const LOOKS_MAX: u32 = 12;
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

type Partitions = BTreeSet<(String, i32)>;

/// When to look, and what was seen.
#[derive(Debug)]
pub(super) struct Looks {
    next: Option<Instant>,
    left: u32,
    seen: Partitions,
}

impl Looks {
    /// This member joins anew.
    pub(super) fn anew() -> Self {
        Self { next: Some(Instant::now() + INTERVAL), left: LOOKS_MAX, seen: Partitions::new() }
    }

    fn over(&mut self) {
        self.next = None;
        self.seen.clear();
    }
}

impl<P: Processor, O: Observer<P>> Driver<P, O> {
    /// Looks whether every partition of the inputs is somebody's, while it is not known to be so.
    pub(super) fn look_for_stranded(&mut self) {
        if self.looks.next.is_none_or(|at| Instant::now() < at) {
            return;
        }
        self.looks.left -= 1;
        self.looks.next = (self.looks.left > 0).then(|| Instant::now() + INTERVAL);
        match self.stranded() {
            Ok(Some(stranded)) if stranded.is_empty() => self.looks.over(),
            Ok(Some(stranded)) if stranded == self.looks.seen => {
                tracing::warn!(worker = self.options.name, ?stranded, "partitions are with nobody, joining again");
                self.looks.seen.clear();
                self.join_again();
            }
            Ok(Some(stranded)) => self.looks.seen = stranded,
            // Partitions are on their way.
            Ok(None) => self.looks.seen.clear(),
            Err(error) if classify(&error) == Reaction::Retry => {
                tracing::debug!(worker = self.options.name, %error, "the group cannot be described now");
            }
            Err(error) => {
                tracing::debug!(worker = self.options.name, %error, "the group cannot be described");
                self.looks.over();
            }
        }
    }

    /// Gives everything back and joins with the same member id. The group rebalances because what the member says about its
    /// partitions has changed.
    pub(super) fn join_again(&mut self) {
        self.consumer.unsubscribe();
        let topics: Vec<&str> = self.options.inputs.iter().map(String::as_str).collect();
        if let Err(error) = self.consumer.subscribe(&topics) {
            self.note_fault(Reaction::Rejoin, &error);
        }
    }

    /// Partitions of the inputs that no member has; none while the group rebalances.
    fn stranded(&self) -> Result<Option<Partitions>, KafkaError> {
        let groups = self.consumer.fetch_group_list(Some(&self.options.group), CALL_TIMEOUT)?;
        let Some(group) = groups.groups().iter().find(|group| group.name() == self.options.group) else {
            return Ok(None);
        };
        if group.state() != "Stable" {
            return Ok(None);
        }
        let mut partitions = Partitions::new();
        for topic in &self.options.inputs {
            let metadata = self.consumer.fetch_metadata(Some(topic), CALL_TIMEOUT)?;
            for known in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
                partitions.insert((topic.clone(), known.id()));
            }
        }
        for assigned in group.members().iter().filter_map(|member| member.assignment()) {
            for partition in read_assignment(assigned).unwrap_or_default() {
                partitions.remove(&partition);
            }
        }
        Ok(Some(partitions))
    }
}

/// The partitions of a member's assignment, as consumers write it: version, then topics with their partitions.
fn read_assignment(bytes: &[u8]) -> Option<Vec<(String, i32)>> {
    let (_version, mut rest) = bytes.split_at_checked(2)?;
    let mut take = |count: usize| -> Option<&[u8]> {
        let (taken, left) = rest.split_at_checked(count)?;
        rest = left;
        Some(taken)
    };
    let mut partitions = Vec::new();
    for _ in 0..u32::from_be_bytes(take(4)?.try_into().ok()?) {
        let length = u16::from_be_bytes(take(2)?.try_into().ok()?);
        let topic = String::from_utf8(take(usize::from(length))?.to_vec()).ok()?;
        for _ in 0..u32::from_be_bytes(take(4)?.try_into().ok()?) {
            partitions.push((topic.clone(), i32::from_be_bytes(take(4)?.try_into().ok()?)));
        }
    }
    Some(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read_and_nonsense_is_not() {
        let mut bytes = vec![0, 1, 0, 0, 0, 2];
        for (topic, partitions) in [("in", [0i32, 7].as_slice()), ("b", &[])] {
            bytes.extend_from_slice(&(topic.len() as u16).to_be_bytes());
            bytes.extend_from_slice(topic.as_bytes());
            bytes.extend_from_slice(&(partitions.len() as u32).to_be_bytes());
            partitions.iter().for_each(|partition| bytes.extend_from_slice(&partition.to_be_bytes()));
        }
        bytes.extend_from_slice(&[255; 4]);
        let expected = vec![("in".to_owned(), 0), ("in".to_owned(), 7)];
        assert_eq!(read_assignment(&bytes), Some(expected));
        assert_eq!(read_assignment(&bytes[..9]), None);
        assert_eq!(read_assignment(&[]), None);
    }
}
