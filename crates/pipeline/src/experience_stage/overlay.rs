//! Customers changed by the open transaction.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use throughline_experience::Customer;
use throughline_model::{AlertId, NodeId, Now};
use throughline_worker::TaskId;

use crate::table::LiveAlert;

/// One changed customer.
pub(super) struct Touched {
    pub(super) node: NodeId,
    pub(super) task: TaskId,
    pub(super) customer: Customer,
    /// Committed bytes it was read from.
    pub(super) before: Option<Arc<[u8]>>,
    /// Whether outputs were allowed before this transaction.
    pub(super) service_before: bool,
    /// Something that the single view shows at once changed: consent, identity.
    pub(super) view_urgent: bool,
    /// Its single view was put off by an earlier transaction and is due now.
    pub(super) view_wanted: bool,
    /// Its single view must follow within ten seconds.
    pub(super) view_pending: bool,
    /// Ids of its live alerts before this transaction.
    pub(super) alerts_before: Vec<AlertId>,
    /// Its live alerts now, if a transition happened.
    pub(super) alerts: Option<Vec<LiveAlert>>,
    /// Bytes that a commit stores.
    pub(super) encoded: Option<Arc<[u8]>>,
    /// Trace context of the latest touchpoint that carried one.
    pub(super) trace: Option<Box<(String, String)>>,
}

/// The overlay: customers in the order in which they were first touched, which makes outputs deterministic.
#[derive(Default)]
pub(super) struct Overlay {
    touched: Vec<Touched>,
    index: FxHashMap<NodeId, usize>,
    bytes: usize,
    /// Pending single views that this transaction writes.
    pub(super) taken_pending: Vec<(Now, NodeId, TaskId)>,
}

/// What a decoded customer costs besides its encoding, roughly.
const TOUCHED_BYTES: usize = 1_024;

impl Overlay {
    pub(super) fn len(&self) -> usize {
        self.touched.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn position(&self, node: &NodeId) -> Option<usize> {
        self.index.get(node).copied()
    }

    pub(super) fn at(&self, at: usize) -> &Touched {
        &self.touched[at]
    }

    pub(super) fn at_mut(&mut self, at: usize) -> &mut Touched {
        &mut self.touched[at]
    }

    pub(super) fn touches(&self, task: TaskId) -> bool {
        self.touched.iter().any(|touched| touched.task == task)
    }

    /// Adds a customer unless it is there; returns its position.
    pub(super) fn touch(&mut self, node: NodeId, task: TaskId, loaded: Loaded) -> usize {
        if let Some(at) = self.position(&node) {
            return at;
        }
        self.bytes += TOUCHED_BYTES + loaded.before.as_ref().map_or(0, |bytes| bytes.len());
        self.index.insert(node, self.touched.len());
        self.touched.push(Touched {
            node,
            task,
            customer: loaded.customer,
            before: loaded.before,
            service_before: loaded.service,
            view_urgent: false,
            view_wanted: false,
            view_pending: false,
            alerts_before: Vec::new(),
            alerts: None,
            encoded: None,
            trace: None,
        });
        self.touched.len() - 1
    }

    pub(super) fn drain(&mut self) -> std::vec::Drain<'_, Touched> {
        self.index.clear();
        self.bytes = 0;
        self.touched.drain(..)
    }

    pub(super) fn clear(&mut self) {
        self.index.clear();
        self.touched.clear();
        self.taken_pending.clear();
        self.bytes = 0;
    }
}

/// A customer read from the committed table, or a new one.
pub(super) struct Loaded {
    pub(super) customer: Customer,
    pub(super) before: Option<Arc<[u8]>>,
    pub(super) service: bool,
}
