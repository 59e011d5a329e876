//! The committed view as the pipeline's table.

use std::sync::Arc;

use throughline_model::murmur2::partition_of;
use throughline_model::{AlertId, NextOffset, NodeId, Now, Partition};
use throughline_pipeline::{LiveAlert, Table};
use throughline_view::{CommittedView, OpenAlert, OpenAlerts};

/// Committed customers and open alerts of this process.
#[derive(Debug)]
pub struct Views {
    /// Customers.
    pub customers: CommittedView,
    /// Alerts.
    pub alerts: OpenAlerts,
    /// Partitions of the inbox.
    pub partitions: u32,
}

impl Views {
    /// Empty views of a deployment with that many partitions.
    #[must_use]
    pub fn new(partitions: u32) -> Arc<Self> {
        Arc::new(Self { customers: CommittedView::new(), alerts: OpenAlerts::new(), partitions })
    }
}

/// A worker's handle on the shared views.
#[derive(Debug, Clone)]
pub struct SharedTable(pub Arc<Views>);

impl Table for SharedTable {
    fn get(&self, node: &NodeId) -> Option<Arc<[u8]>> {
        self.0.customers.get(node)
    }

    fn put(&self, node: NodeId, parts: Arc<[u8]>) {
        self.0.customers.put(node, parts);
    }

    fn remove(&self, node: &NodeId) {
        self.0.customers.remove(node);
    }

    fn reflect(&self, partition: i32, next: NextOffset) {
        self.0.customers.set_reflected(Partition(partition), next);
    }

    fn forget_partition(&self, partition: i32) {
        let partitions = self.0.partitions;
        self.0.customers.forget_partition(Partition(partition));
        self.0.customers.remove_where(|node| partition_of(node.hex().as_bytes(), partitions) == partition);
        self.0.alerts.forget_partition(Partition(partition));
    }

    fn each(&self, visit: &mut dyn FnMut(&NodeId, &[u8])) -> bool {
        self.0.customers.each(visit);
        true
    }

    fn alerts(&self, partition: i32, _node: NodeId, ended: &[AlertId], changed: &[LiveAlert]) {
        for id in ended {
            self.0.alerts.remove(id);
        }
        for live in changed {
            self.0.alerts.put(
                live.alert.alert_id,
                OpenAlert {
                    partition: Partition(partition),
                    alert_type: live.alert.kind,
                    severity: live.alert.severity,
                    state: live.alert.state,
                    due_at: live.due_at.map(|due| Now::from_millis(due.as_millis())),
                    record: Arc::clone(&live.record),
                },
            );
        }
    }
}
