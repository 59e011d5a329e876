//! Instructions of the hot functions, counted by Valgrind: the same on every machine with the same compiler.
//!
//! Each has a limit, about a twentieth above what it was when it was last lowered or raised on purpose. A limit that is passed
//! fails `cargo xtask test` where Valgrind is installed. Divide by the calls or customers in the name to compare.
#![allow(missing_docs, unused_qualifications, reason = "the macros make the items")]

use std::hint::black_box;

use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use throughline_model::{IdHasher, Now, Topic};
use throughline_normalize::NoSchemas;
use throughline_pipeline::local::LocalOptions;
use throughline_pipeline::{ExperienceStage, NormalizeStage};
use throughline_stages::stages::{
    HashTable, PARTITIONS, calls, experience_stage, fold, frames, normalize, normalize_stage,
};
use throughline_worker::{OutputRecord, Outputs, Processor, TaskId};

/// Calls of a measured transaction.
const CALLS: usize = 2_000;
/// Customers they are of.
const CUSTOMERS: u32 = 500;

/// At most so many instructions.
fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::default().hard_limits([(EventKind::Ir, instructions)]));
    config
}

struct First {
    stage: NormalizeStage<NoSchemas>,
    calls: Vec<Vec<u8>>,
    outputs: Outputs,
}

/// A first stage that has seen as many other calls before.
fn first() -> First {
    let mut stage = normalize_stage(PARTITIONS);
    let mut outputs = Outputs::default();
    normalize(&mut stage, &calls(CALLS, CUSTOMERS, 1), 0, &mut outputs);
    outputs.clear();
    First { stage, calls: calls(CALLS, CUSTOMERS, 2), outputs }
}

struct Second {
    stage: ExperienceStage<HashTable>,
    frames: Vec<(i32, Vec<u8>)>,
    outputs: Outputs,
}

fn empty() -> ExperienceStage<HashTable> {
    let options = LocalOptions::new(IdHasher::new([7; 32], "bench"), Now::from_millis(0));
    experience_stage(options.experience, PARTITIONS)
}

/// A second stage that holds the customers of as many other calls.
fn second() -> Second {
    let mut first = first();
    let mut inbox = |seed| {
        first.outputs.clear();
        normalize(&mut first.stage, &calls(CALLS, CUSTOMERS, seed), 0, &mut first.outputs);
        frames(&first.outputs)
    };
    let (before, now) = (inbox(1), inbox(2));
    let (mut stage, mut outputs) = (empty(), Outputs::default());
    fold(&mut stage, &before, 0, &mut outputs);
    outputs.clear();
    Second { stage, frames: now, outputs }
}

struct Restore {
    stage: ExperienceStage<HashTable>,
    changelog: Vec<(i32, Vec<u8>, Vec<u8>)>,
}

/// An empty second stage, and the changelog of one with customers.
fn restore() -> Restore {
    let Second { mut stage, frames, mut outputs } = second();
    fold(&mut stage, &frames, frames.len(), &mut outputs);
    let is_change = |record: &&OutputRecord| record.target.topic == Topic::ExperienceChangelog;
    let change = |record: &OutputRecord| {
        let partition = record.target.partition.expect("the changelog's partitions are given");
        let bytes = |part: Option<&[u8]>| part.unwrap_or_default().to_vec();
        (partition, bytes(outputs.key(record)), bytes(outputs.value(record)))
    };
    let changelog = outputs.records().iter().filter(is_change).map(change).collect();
    Restore { stage: empty(), changelog }
}

#[library_benchmark(setup = first, config = at_most(46_000_000))]
fn normalize_two_thousand_segment_calls(mut first: First) -> First {
    normalize(&mut first.stage, black_box(&first.calls), CALLS, &mut first.outputs);
    first
}

#[library_benchmark(setup = second, config = at_most(22_000_000))]
fn fold_two_thousand_calls_of_five_hundred_customers(mut second: Second) -> Second {
    fold(&mut second.stage, black_box(&second.frames), CALLS, &mut second.outputs);
    second
}

#[library_benchmark(setup = restore, config = at_most(912_000))]
fn restore_five_hundred_customers(mut restore: Restore) -> Restore {
    for (partition, key, value) in black_box(&restore.changelog) {
        let task = TaskId { topic: 0, partition: *partition };
        restore.stage.restore(task, key, Some(value)).expect("its own changelog");
    }
    restore
}

library_benchmark_group!(
    name = hot,
    benchmarks = [
        normalize_two_thousand_segment_calls,
        fold_two_thousand_calls_of_five_hundred_customers,
        restore_five_hundred_customers
    ]
);
main!(library_benchmark_groups = hot);
