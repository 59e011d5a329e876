//! The committed customers.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use rustc_hash::FxBuildHasher;
use throughline_model::{NextOffset, NodeId, Partition, Score};

use crate::page::{InvalidCursor, Page, PageLimit, Smallest};

/// The committed customers of this process: node id to encoded parts.
///
/// Written by the worker that owns the partition, at its commit; read by HTTP threads. The encoding belongs to the
/// pipeline, so this crate never has to change with it.
#[derive(Debug, Default)]
pub struct CommittedView {
    // Node ids are keyed hashes already: a cheap hasher spreads them as well as an expensive one.
    customers: DashMap<NodeId, Arc<[u8]>, FxBuildHasher>,
    bytes: AtomicU64,
    reflected: DashMap<Partition, NextOffset, FxBuildHasher>,
}

/// Which customers to list: lowest relationship score first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CustomerQuery {
    /// Entries at most.
    pub limit: PageLimit,
    /// Go on after this position.
    pub after: Option<CustomerCursor>,
}

/// Position in the order "lowest score first": score in millionths of a point, then node id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CustomerCursor {
    micros: u64,
    node: NodeId,
}

impl CommittedView {
    /// An empty view.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces all parts of a customer at once.
    pub fn put(&self, node: NodeId, parts: Arc<[u8]>) {
        // Both sums wrap alike, so added before subtracted never shows a false total in the end.
        self.bytes.fetch_add(parts.len() as u64, Ordering::Relaxed);
        if let Some(before) = self.customers.insert(node, parts) {
            self.bytes.fetch_sub(before.len() as u64, Ordering::Relaxed);
        }
    }

    /// The encoded parts of a customer.
    #[must_use]
    pub fn get(&self, node: &NodeId) -> Option<Arc<[u8]>> {
        self.customers.get(node).map(|parts| Arc::clone(&parts))
    }

    /// Forgets a customer that expired or was erased.
    pub fn remove(&self, node: &NodeId) {
        if let Some((_, before)) = self.customers.remove(node) {
            self.bytes.fetch_sub(before.len() as u64, Ordering::Relaxed);
        }
    }

    /// Forgets every customer for whom `leaves` is true, as after a revoked partition.
    pub fn remove_where(&self, mut leaves: impl FnMut(&NodeId) -> bool) {
        self.customers.retain(|node, parts| {
            let stays = !leaves(node);
            if !stays {
                self.bytes.fetch_sub(parts.len() as u64, Ordering::Relaxed);
            }
            stays
        });
    }

    /// Shows every customer to `visit`, in no order. A shard of the table is locked for reading meanwhile.
    pub fn each(&self, mut visit: impl FnMut(&NodeId, &[u8])) {
        self.customers.iter().for_each(|entry| visit(entry.key(), entry.value()));
    }

    /// Number of customers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.customers.len()
    }

    /// Whether there is no customer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.customers.is_empty()
    }

    /// Bytes of all encoded parts, without the table around them (about 60 bytes per customer).
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Says that everything up to `next` of an inbox partition is in the view. Called after the customers were put.
    pub fn set_reflected(&self, partition: Partition, next: NextOffset) {
        self.reflected.insert(partition, next);
    }

    /// Forgets a partition that is no longer owned.
    pub fn forget_partition(&self, partition: Partition) {
        self.reflected.remove(&partition);
    }

    /// The offset that an answer from this partition reflects at least; absent while it is not served here.
    #[must_use]
    pub fn reflected(&self, partition: Partition) -> Option<NextOffset> {
        self.reflected.get(&partition).map(|next| *next)
    }

    /// The offsets of all partitions served here, by partition.
    #[must_use]
    pub fn reflected_all(&self) -> Vec<(Partition, NextOffset)> {
        let mut all: Vec<_> = self.reflected.iter().map(|entry| (*entry.key(), *entry.value())).collect();
        all.sort_unstable_by_key(|(partition, _)| *partition);
        all
    }

    /// A page of customers, lowest score first. `score_of` reads the score out of the encoded parts; a customer without
    /// one (`None`) is not listed.
    ///
    /// No index is kept, because every record would pay for it: each page scans the whole table, one call of `score_of`
    /// per customer, and holds a heap of the page's size. Count on a tenth of a second per million customers; callers
    /// bound how many scans run at once. A shard of the table is locked for reading while it is scanned.
    #[must_use]
    pub fn lowest(
        &self,
        query: CustomerQuery,
        score_of: impl Fn(&NodeId, &[u8]) -> Option<Score>,
    ) -> Page<NodeId, CustomerCursor> {
        let mut smallest = Smallest::new(query.limit);
        for entry in &self.customers {
            let Some(score) = score_of(entry.key(), entry.value()) else { continue };
            let position = CustomerCursor::new(score, *entry.key());
            if query.after.is_none_or(|after| position > after) {
                smallest.offer(position);
            }
        }
        let page = smallest.finish();
        Page { items: page.items.into_iter().map(|position| position.node).collect(), next: page.next }
    }
}

impl CustomerCursor {
    /// Position of a customer with this score.
    #[must_use]
    pub fn new(score: Score, node: NodeId) -> Self {
        // Scores are rounded to 6 decimals and lie in 0..=100, so this is exact.
        Self { micros: (score.get() * 1e6 + 0.5) as u64, node }
    }
}

impl fmt::Display for CustomerCursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:x}-{}", self.micros, self.node)
    }
}

impl FromStr for CustomerCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (micros, node) = text.split_once('-').ok_or(InvalidCursor)?;
        Ok(Self {
            micros: u64::from_str_radix(micros, 16).map_err(|_| InvalidCursor)?,
            node: NodeId::from_hex(node).ok_or(InvalidCursor)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use throughline_model::{Hash128, IdentifierType};

    fn node(number: u16) -> NodeId {
        let mut hash = [0; 16];
        hash[..2].copy_from_slice(&number.to_be_bytes());
        NodeId::new(IdentifierType::Email, Hash128(hash))
    }

    fn score_of(_: &NodeId, parts: &[u8]) -> Option<Score> {
        (parts[0] <= 100).then(|| Score::clamped(f64::from(parts[0])))
    }

    #[test]
    fn bytes_follow_every_change() {
        let view = CommittedView::new();
        view.put(node(1), Arc::from([1u8; 10]));
        view.put(node(1), Arc::from([1u8; 4]));
        view.put(node(2), Arc::from([1u8; 5]));
        assert_eq!((view.len(), view.bytes()), (2, 9));
        view.remove(&node(1));
        view.remove(&node(1));
        assert_eq!((view.len(), view.bytes()), (1, 5));
        view.remove_where(|_| true);
        assert_eq!((view.len(), view.bytes()), (0, 0));
        assert!(view.is_empty());
    }

    #[test]
    fn partitions_are_reflected_until_they_are_forgotten() {
        let view = CommittedView::new();
        view.set_reflected(Partition(4), NextOffset(7));
        view.set_reflected(Partition(1), NextOffset(9));
        assert_eq!(view.reflected_all(), [(Partition(1), NextOffset(9)), (Partition(4), NextOffset(7))]);
        view.forget_partition(Partition(4));
        assert_eq!(view.reflected(Partition(4)), None);
        assert_eq!(view.reflected(Partition(1)), Some(NextOffset(9)));
    }

    proptest! {
        #[test]
        fn pages_together_are_the_sorted_list(scores in prop::collection::vec(0u8..=110, 0..120), limit in 1usize..9) {
            let view = CommittedView::new();
            let mut expected = Vec::new();
            for (at, score) in scores.iter().enumerate() {
                let node = node(u16::try_from(at).expect("few"));
                view.put(node, Arc::from([*score]));
                if *score <= 100 {
                    expected.push((*score, node));
                }
            }
            expected.sort_unstable();
            let mut seen = Vec::new();
            let mut query = CustomerQuery { limit: PageLimit::new(limit).expect("in range"), after: None };
            loop {
                let page = view.lowest(query, score_of);
                seen.extend(page.items);
                let Some(next) = page.next else { break };
                // Through text, as a client sends it back.
                query.after = Some(next.to_string().parse().expect("own cursor"));
            }
            prop_assert_eq!(seen, expected.into_iter().map(|(_, node)| node).collect::<Vec<_>>());
        }

        #[test]
        fn any_text_is_a_cursor_or_refused(text in "\\PC*") {
            let _ = text.parse::<CustomerCursor>();
        }
    }
}
