//! A seeded simulation of many workers on a cluster in memory.
//!
//! **What it does.** Runs the real `throughline_worker::Worker` in processes that are killed, stand still, lose answers and
//! partitions and have wrong clocks, on a cluster that keeps its promises and no more ([`log`], [`group`], [`cluster`]). The
//! seed decides everything that happens. Two stages are chained: one that keeps nothing writes frames, one with a
//! changelog and timers folds them. First everything goes wrong, then nothing does and all must get done; an oracle that
//! shares no code with the stages judges every commit and every output (XO-1 to XO-6).
//!
//! **What it does not.** It proves nothing about librdkafka or Kafka: the properties of a log that it relies on are
//! named in [`crate::contract`] and hold on a real broker too.
//!
//! **Invariants.** One seed, one story, on every machine: no clock, no threads, no order of a hash table.
//!
//! **Where to start.** [`world::World::run`]; [`mutant::Mutant`] for the mistakes that must be found.

pub mod campaign;
pub mod chance;
pub mod cluster;
mod disk;
mod driver;
mod fold;
pub mod group;
mod instance;
mod item;
pub mod log;
mod membership;
pub mod mutant;
mod oracle;
mod processors;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use mutant::Mutant;
pub use world::Tally;

/// What broke in a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// Which invariant, and how.
    pub what: String,
    /// What happened before, if it was asked for.
    pub trace: Vec<String>,
}

/// Runs the story of a seed, with a deliberate mistake or none.
///
/// # Errors
/// If an invariant broke: one of the simulation's, or an assertion of the worker.
pub fn run(seed: u64, mutant: Option<Mutant>, traced: bool) -> Result<Tally, Box<Broken>> {
    let mut world = world::World::new(seed, mutant, traced);
    // An assertion is how a broken invariant shows, in the worker and here.
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    ran.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let what = text.unwrap_or_else(|| "a panic without a text".to_owned());
        Box::new(Broken { seed, what, trace: world.take_trace() })
    })
}
