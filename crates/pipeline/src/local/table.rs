//! Committed customers in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use throughline_experience::Customer;
use throughline_model::murmur2::partition_of;
use throughline_model::{AlertId, NextOffset, NodeId};

use crate::table::{LiveAlert, Table, read};

/// A table for one thread, in the order of customer ids.
#[derive(Debug)]
pub struct MemoryTable {
    partitions: u32,
    customers: RefCell<BTreeMap<NodeId, Arc<[u8]>>>,
    alerts: RefCell<BTreeMap<NodeId, Vec<LiveAlert>>>,
}

impl MemoryTable {
    /// An empty table of a deployment with so many partitions.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        Self { partitions, customers: RefCell::default(), alerts: RefCell::default() }
    }

    /// How many customers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.customers.borrow().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.customers.borrow().is_empty()
    }

    /// Ids of all customers, smallest first.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        self.customers.borrow().keys().copied().collect()
    }

    /// A decoded customer.
    #[must_use]
    pub fn customer(&self, node: &NodeId) -> Option<Customer> {
        let bytes = self.get(node)?;
        Some(read(*node, &bytes).expect("committed state is readable"))
    }

    /// Live alerts of a customer.
    #[must_use]
    pub fn live_alerts(&self, node: &NodeId) -> Vec<LiveAlert> {
        self.alerts.borrow().get(node).cloned().unwrap_or_default()
    }

    fn owns(&self, partition: i32, node: &NodeId) -> bool {
        partition_of(node.hex().as_bytes(), self.partitions) == partition
    }
}

impl Table for MemoryTable {
    fn get(&self, node: &NodeId) -> Option<Arc<[u8]>> {
        self.customers.borrow().get(node).cloned()
    }

    fn put(&self, node: NodeId, parts: Arc<[u8]>) {
        self.customers.borrow_mut().insert(node, parts);
    }

    fn remove(&self, node: &NodeId) {
        self.customers.borrow_mut().remove(node);
        self.alerts.borrow_mut().remove(node);
    }

    fn forget_partition(&self, partition: i32) {
        self.customers.borrow_mut().retain(|node, _| !self.owns(partition, node));
        self.alerts.borrow_mut().retain(|node, _| !self.owns(partition, node));
    }

    fn each(&self, visit: &mut dyn FnMut(&NodeId, &[u8])) -> bool {
        self.customers.borrow().iter().for_each(|(node, bytes)| visit(node, bytes));
        true
    }

    fn alerts(&self, _partition: i32, node: NodeId, ended: &[AlertId], changed: &[LiveAlert]) {
        let mut alerts = self.alerts.borrow_mut();
        let live = alerts.entry(node).or_default();
        let replaced = |id: &AlertId| ended.contains(id) || changed.iter().any(|new| new.alert.alert_id == *id);
        live.retain(|alert| !replaced(&alert.alert.alert_id));
        live.extend_from_slice(changed);
        if live.is_empty() {
            alerts.remove(&node);
        }
    }

    fn reflect(&self, _partition: i32, _next: NextOffset) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_takes_its_customers_with_it() {
        let table = MemoryTable::new(2);
        let nodes: Vec<NodeId> = (0..20).map(|at| NodeId([at; 17])).collect();
        for node in &nodes {
            table.put(*node, Arc::from(&b"x"[..]));
        }
        table.forget_partition(0);
        let left = table.nodes();
        assert!(!left.is_empty() && left.len() < nodes.len());
        assert!(left.iter().all(|node| table.owns(1, node)));
        table.forget_partition(1);
        assert!(table.is_empty());
    }
}
