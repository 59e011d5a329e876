//! Customers fetched a few at a time before they are folded.
//!
//! A transaction touches customers that lie all over the memory. The processor waits for several of them at once if nothing that
//! comes between depends on them; waiting for each in turn cost 4 % more (`benches/README.md`).

use std::hint::black_box;
use std::sync::Arc;

use super::overlay::{Lent, Overlay};
use crate::table::Table;

/// Customers that are fetched together.
const AHEAD: usize = 8;
/// What a processor loads at once.
const CACHE_LINE: usize = 64;

/// The committed bytes of the customers that come next.
#[derive(Debug, Default)]
pub(super) struct Ahead([Option<Arc<[u8]>>; AHEAD]);

impl Ahead {
    /// The committed bytes of a customer of the overlay. Customers are asked for in their order.
    pub(super) fn take(
        &mut self,
        at: usize,
        overlay: &Overlay,
        lent: &Lent<'_>,
        table: &impl Table,
    ) -> Option<Arc<[u8]>> {
        if at.is_multiple_of(AHEAD) {
            self.fetch(at, overlay, lent, table);
        }
        self.0[at % AHEAD].take()
    }

    fn fetch(&mut self, from: usize, overlay: &Overlay, lent: &Lent<'_>, table: &impl Table) {
        let next = from..overlay.len().min(from + AHEAD);
        for (place, at) in self.0.iter_mut().zip(next.clone()) {
            *place = table.get(&overlay.at(at).node);
        }
        let mut sum = 0;
        for before in self.0.iter().flatten() {
            sum += touch(before);
        }
        for entry in next.filter_map(|at| overlay.first_entry(at)) {
            sum += touch(lent.bytes(entry));
        }
        // Nobody needs the sum; without it the loads would be left out.
        black_box(sum);
    }
}

/// Reads one byte of each cache line.
fn touch(bytes: &[u8]) -> usize {
    bytes.iter().step_by(CACHE_LINE).map(|byte| usize::from(*byte)).sum()
}
