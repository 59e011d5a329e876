//! Pages: their limit, their order, and the bounded heap that finds them.

use std::collections::BinaryHeap;

/// Number of entries of a page, 1 to [`PageLimit::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(usize);

impl PageLimit {
    /// The largest page.
    pub const MAX: usize = 500;

    /// A limit in range.
    #[must_use]
    pub const fn new(limit: usize) -> Option<Self> {
        if limit >= 1 && limit <= Self::MAX { Some(Self(limit)) } else { None }
    }

    /// Entries at most.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(50)
    }
}

/// Some entries, and where to go on if there are more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The entries in order.
    pub items: Vec<T>,
    /// Position of the last entry, present if more follow.
    pub next: Option<C>,
}

/// A cursor that this version did not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidCursor;

impl std::fmt::Display for InvalidCursor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("read the cursor")
    }
}

impl std::error::Error for InvalidCursor {}

/// Keeps the smallest `limit + 1` of the positions offered: one more than the page, to know whether another follows.
///
/// A scan over n entries costs n comparisons and rarely more than `limit * ln(n / limit)` moves in the heap.
pub(crate) struct Smallest<C: Ord> {
    heap: BinaryHeap<C>,
    limit: usize,
}

impl<C: Ord + Copy> Smallest<C> {
    pub(crate) fn new(limit: PageLimit) -> Self {
        Self { heap: BinaryHeap::with_capacity(limit.get() + 2), limit: limit.get() }
    }

    pub(crate) fn offer(&mut self, position: C) {
        if self.heap.len() <= self.limit {
            self.heap.push(position);
        } else if self.heap.peek().is_some_and(|largest| position < *largest) {
            self.heap.pop();
            self.heap.push(position);
        }
    }

    /// The positions in order, and the last of them if the scan saw more.
    pub(crate) fn finish(self) -> Page<C, C> {
        let mut items = self.heap.into_sorted_vec();
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let next = if more { items.last().copied() } else { None };
        Page { items, next }
    }
}
