//! The committed table: one contiguous encoding per customer, read by queries, written at commit.
//!
//! A customer is kept as its encoded parts, not as a decoded value: a restore only stores bytes, an idle customer costs no
//! more than its encoding, and what a newer version wrote is kept as it is. The parts of a customer swap together, because
//! they are one allocation.

use std::sync::Arc;

use throughline_codec::wire::{put_uint, take_uint};
use throughline_experience::{Customer, OpenAlert, Part};
use throughline_model::{AlertId, EventTime, NextOffset, NodeId};

use crate::state;

/// The committed customers of the partitions of one process.
pub trait Table {
    /// Encoded parts of a customer.
    fn get(&self, node: &NodeId) -> Option<Arc<[u8]>>;
    /// Replaces all parts of a customer at once.
    fn put(&self, node: NodeId, parts: Arc<[u8]>);
    /// Forgets a customer.
    fn remove(&self, node: &NodeId);
    /// Everything before `next` of an inbox partition is in the table.
    fn reflect(&self, partition: i32, next: NextOffset);
    /// Forgets the customers of a partition that is no longer owned.
    fn forget_partition(&self, partition: i32);
    /// Shows every customer to `visit`, in no order. False if this table cannot.
    fn each(&self, _visit: &mut dyn FnMut(&NodeId, &[u8])) -> bool {
        false
    }
    /// Alerts of a customer after a commit or a restore: those that ended, and those that live and had a transition.
    fn alerts(&self, partition: i32, node: NodeId, ended: &[AlertId], changed: &[LiveAlert]);
}

/// A live alert as queries see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveAlert {
    /// Its id, type, severity, state and opening.
    pub alert: OpenAlert,
    /// When someone must have acted.
    pub due_at: Option<EventTime>,
    /// The published record as JSON.
    pub record: Arc<str>,
}

/// Splits an encoded customer into its parts. Bytes that are not one give fewer parts, never a panic.
pub fn parts(mut bytes: &[u8]) -> impl Iterator<Item = (Part, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            let (&code, mut rest) = bytes.split_first()?;
            let length = usize::try_from(take_uint(&mut rest)?).ok()?;
            if length > rest.len() {
                return None;
            }
            let (part, rest) = rest.split_at(length);
            bytes = rest;
            // A part of a newer version is passed over here and kept by whoever copies the bytes.
            if let Some(known) = Part::from_code(u64::from(code)) {
                return Some((known, part));
            }
        }
    })
}

/// Appends a part; an empty one is left out.
pub fn put_part(out: &mut Vec<u8>, part: Part, bytes: &[u8]) {
    if !bytes.is_empty() {
        out.push(part.code());
        put_uint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

/// Reads a customer back.
///
/// # Errors
/// If a part is torn or of a format this program does not read.
pub fn read(node: NodeId, bytes: &[u8]) -> Result<Customer, state::StateError> {
    state::decode(node, parts(bytes))
}

/// How parts travel in the changelog: parts that change together are one record.
///
/// Sums and recent list change with every touchpoint, so that two records would only cost twice; the others change rarely
/// and are large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Last byte of the key.
    pub code: u8,
    /// Its parts.
    pub parts: &'static [Part],
}

/// The groups of parts.
pub const GROUPS: [Group; 4] = [
    Group { code: 0, parts: &[Part::Core, Part::Recent] },
    Group { code: 1, parts: &[Part::Open] },
    Group { code: 2, parts: &[Part::Profile] },
    Group { code: 3, parts: &[Part::Alerts] },
];

/// Bytes of a changelog key: node id and group.
pub const KEY_BYTES: usize = 18;

/// Changelog key of a group of a customer.
#[must_use]
pub fn key(node: NodeId, group: Group) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    key[..17].copy_from_slice(&node.0);
    key[17] = group.code;
    key
}

/// Node and group of a changelog key; none for reserved keys and for groups of a newer version.
#[must_use]
pub fn read_key(key: &[u8]) -> Option<(NodeId, Group)> {
    let key: &[u8; KEY_BYTES] = key.try_into().ok()?;
    let group = GROUPS.into_iter().find(|group| group.code == key[17])?;
    let mut node = [0; 17];
    node.copy_from_slice(&key[..17]);
    Some((NodeId(node), group))
}

/// A customer's bytes with one group replaced: by `value`, or by nothing.
#[must_use]
pub fn with_group(bytes: &[u8], group: Group, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + value.len());
    for (part, content) in parts(bytes) {
        if !group.parts.contains(&part) {
            put_part(&mut out, part, content);
        }
    }
    out.extend_from_slice(value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_and_groups_are_replaced_alone() {
        let mut bytes = Vec::new();
        put_part(&mut bytes, Part::Core, b"core");
        put_part(&mut bytes, Part::Alerts, &[7; 300]);
        put_part(&mut bytes, Part::Open, b"");
        let read: Vec<_> = parts(&bytes).collect();
        assert_eq!(read, [(Part::Core, &b"core"[..]), (Part::Alerts, &[7; 300][..])]);
        let mut value = Vec::new();
        put_part(&mut value, Part::Core, b"new");
        put_part(&mut value, Part::Recent, b"list");
        let replaced = with_group(&bytes, GROUPS[0], &value);
        let mut read: Vec<_> = parts(&replaced).collect();
        read.sort_by_key(|(part, _)| part.code());
        assert_eq!(read, [(Part::Core, &b"new"[..]), (Part::Recent, b"list"), (Part::Alerts, &[7; 300])]);
        assert_eq!(parts(&with_group(&bytes, GROUPS[3], b"")).count(), 1);
    }

    #[test]
    fn keys_name_node_and_group() {
        let node = NodeId([3; 17]);
        for group in GROUPS {
            assert_eq!(read_key(&key(node, group)), Some((node, group)));
        }
        assert_eq!(read_key(b"reserved"), None);
        assert_eq!(read_key(&[9; KEY_BYTES]), None);
    }
}
