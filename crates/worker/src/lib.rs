//! The sans-IO worker: assignment, restore, transactions, batching.
//!
//! **What it does.** Decides, for one consumer and one transactional producer, when a transaction begins, what belongs to
//! it, when it ends, and what every ending means for state and positions. Inputs are values, time is an input, effects are
//! values; a driver carries effects out and reports what came of them.
//!
//! **What it does not.** It knows no Kafka client, no Avro, no customer: what a record means is the [`Processor`]'s.
//!
//! **Invariants.** A transaction exists only inside the phases that own one. Every transaction sends the offset and the
//! `txn_seq` of at least one owned partition, so that the outcome of an unknown commit can be read afterwards. Nothing is
//! folded into committed state before `Committed` is known (XO-3, XO-4). A position only moves forward inside a
//! transaction and back to the committed one when it is dropped (XO-1, XO-2); a record that does not come again after that
//! is a bug and ends the program. Only a record that was refused alone is rejected, by name. Faults that no record is to
//! blame for are met by waiting, up to ten seconds.
//!
//! **Where to start.** [`worker::Worker::handle`] and the diagram above [`phase::Phase`].

mod backoff;
mod bisection;
pub mod effect;
pub mod input;
pub mod outputs;
pub mod phase;
mod pressure;
pub mod processor;
pub mod worker;

pub use effect::{CommitOffset, Effect, Effects, StopReason};
pub use input::{Assignment, CommitOutcome, Input, InputRecord, MemoryLevel, ProduceFault, TaskId};
pub use outputs::{OutputHeader, OutputRecord, Outputs};
pub use phase::Phase;
pub use processor::{DumpSink, ProcessContext, Processor, Stall, StateMismatch};
pub use worker::{Worker, WorkerOptions};
