//! Both processors in one thread, without Kafka: what our own part of the record path costs.
//!
//! The figures are CPU seconds of the thread, so that they can be compared from change to change on a machine that does
//! other work. The whole service is measured by `throughline-benches`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use throughline_model::{AlertId, IdHasher, NextOffset, NodeId, Now, ReceivedAt, RecordOffset, SourceKind, Topic};
use throughline_normalize::{NoSchemas, NormalizeOptions, Normalizer, SourceOptions};
use throughline_pipeline::local::LocalOptions;
use throughline_pipeline::{
    Encodings, ExperienceOptions, ExperienceStage, LiveAlert, NormalizeStage, OutputSwitches, Table, TouchpointOutput,
};
use throughline_worker::input::NoHeaders;
use throughline_worker::{InputRecord, Outputs, ProcessContext, Processor, TaskId};

use crate::generator::Generator;

/// Source records between two commits of the first stage.
const NORMALIZE_BATCH: usize = 20_000;

/// Partitions of the inbox.
pub const PARTITIONS: u32 = 32;
/// Event time of the first call.
const START: i64 = 1_790_000_000_000;
/// The time at which everything happens.
const NOW: Now = Now::from_millis(START + 1_000);

/// What a pass over the records cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StageCosts {
    /// CPU seconds of the normalize stage per million source records.
    pub normalize: f64,
    /// CPU seconds of the experience stage per million source records.
    pub experience: f64,
    /// Bytes of frames per source record.
    pub frame_bytes: f64,
    /// Records of scores and changelog per source record.
    pub outputs: f64,
    /// Their bytes per source record.
    pub output_bytes: f64,
}

/// Passes `records` records of `keys` customers through both stages. Frames reach the second stage in batches of about
/// `batch` touchpoints: 90,000 is what a backlog gives.
///
/// # Panics
/// If a stage refuses a generated record, which would be a bug.
#[must_use]
pub fn measure(records: usize, keys: u32, batch: usize, seed: u64) -> StageCosts {
    let values = calls(records, keys, seed);
    let mut all = Vec::new();
    let mut stage = normalize_stage(PARTITIONS);
    let began = thread_seconds();
    let mut outputs = Outputs::default();
    for (number, values) in values.chunks(NORMALIZE_BATCH).enumerate() {
        normalize(&mut stage, values, number * NORMALIZE_BATCH, &mut outputs);
        all.append(&mut frames(&outputs));
        outputs.clear();
    }
    let normalized = thread_seconds() - began;
    drop(values);
    let options = LocalOptions::new(IdHasher::new([7; 32], "bench"), NOW);
    let mut stage = experience_stage(options.experience, PARTITIONS);
    let per_frame = records as f64 / all.len() as f64;
    let in_batch = ((batch as f64 / per_frame) as usize).max(1);
    let (mut written, mut bytes) = (0, 0);
    let began = thread_seconds();
    for (number, frames) in all.chunks(in_batch).enumerate() {
        fold(&mut stage, frames, number * in_batch, &mut outputs);
        written += outputs.records().len();
        bytes += outputs.bytes();
        outputs.clear();
    }
    let folded = thread_seconds() - began;
    drop(stage.take_counts());
    let millions = records as f64 / 1e6;
    StageCosts {
        normalize: normalized / millions,
        experience: folded / millions,
        frame_bytes: all.iter().map(|(_, frame)| frame.len()).sum::<usize>() as f64 / records as f64,
        outputs: written as f64 / records as f64,
        output_bytes: bytes as f64 / records as f64,
    }
}

/// The first stage over the web source, with an inbox of so many partitions.
#[must_use]
pub fn normalize_stage(partitions: u32) -> NormalizeStage<NoSchemas> {
    let ids = IdHasher::new([7; 32], "bench");
    let source = Arc::new(SourceOptions::new("web", SourceKind::Web));
    NormalizeStage::new(
        Normalizer::new(NormalizeOptions::default(), ids),
        vec![("touchpoints.web".to_owned(), source)],
        NoSchemas,
        Arc::default(),
        partitions,
    )
}

/// The second stage for the score job: scores as Avro and the changelog, nothing else.
#[must_use]
pub fn experience_stage(mut options: ExperienceOptions, partitions: u32) -> ExperienceStage<HashTable> {
    options.partitions = partitions;
    options.encodings =
        Encodings { scores: throughline_codec::record::Encoding::Avro { schema_id: 1 }, ..Encodings::default() };
    options.switches = OutputSwitches {
        touchpoints: TouchpointOutput::Off,
        customers: false,
        alerts: false,
        ..OutputSwitches::default()
    };
    let mut stage = ExperienceStage::new(options, HashTable::default());
    for partition in 0..partitions as i32 {
        stage.assign(TaskId { topic: 0, partition });
    }
    stage
}

/// Segment calls of so many customers, a hundredth of a millisecond apart.
#[must_use]
pub fn calls(records: usize, keys: u32, seed: u64) -> Vec<Vec<u8>> {
    let mut generator = Generator::new(seed, keys);
    let mut value = |at: usize| {
        let mut value = Vec::with_capacity(700);
        generator.draw(START + at as i64 / 100, &mut value);
        value
    };
    (0..records).map(&mut value).collect()
}

/// Passes calls through the first stage as one transaction. What it writes is appended to `outputs`.
///
/// # Panics
/// If the stage refuses a generated record, which would be a bug.
pub fn normalize(stage: &mut NormalizeStage<NoSchemas>, calls: &[Vec<u8>], first: usize, outputs: &mut Outputs) {
    for (at, value) in calls.iter().enumerate() {
        let record = record(at as i32 % 32, first + at, value);
        let context = ProcessContext { now: NOW, reject: false };
        stage.process(&record, context, outputs).expect("generated records need no schema");
    }
    stage.finish(NOW, outputs);
    stage.commit(NOW);
}

/// The frames among outputs of the first stage, with their partitions.
///
/// # Panics
/// If there is something else, which would be a bug.
#[must_use]
pub fn frames(outputs: &Outputs) -> Vec<(i32, Vec<u8>)> {
    let frame = |record: &throughline_worker::OutputRecord| {
        assert_eq!(record.target.topic, Topic::ExperienceInbox, "generated records are good");
        let frame = outputs.value(record).expect("a frame has bytes").to_vec();
        (record.target.partition.expect("frames are routed"), frame)
    };
    outputs.records().iter().map(frame).collect()
}

/// Passes frames through the second stage as one transaction. What it writes is appended to `outputs`.
///
/// # Panics
/// If the stage refuses a frame, which would be a bug.
pub fn fold(stage: &mut ExperienceStage<HashTable>, frames: &[(i32, Vec<u8>)], first: usize, outputs: &mut Outputs) {
    for (at, (partition, frame)) in frames.iter().enumerate() {
        let record = record(*partition, first + at, frame);
        let context = ProcessContext { now: NOW, reject: false };
        stage.process(&record, context, outputs).expect("frames need no schema");
    }
    stage.finish(NOW, outputs);
    stage.commit(NOW);
}

fn record(partition: i32, offset: usize, value: &[u8]) -> InputRecord<'_> {
    InputRecord {
        task: TaskId { topic: 0, partition },
        offset: RecordOffset(offset as i64),
        received_at: ReceivedAt::from_millis(NOW.as_millis()),
        key: None,
        value: Some(value),
        headers: &NoHeaders,
    }
}

/// User and system seconds of this thread.
fn thread_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds: f64 = stat.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default();
    nanoseconds / 1e9
}

/// Committed customers of one thread.
#[derive(Debug, Default)]
pub struct HashTable(RefCell<HashMap<NodeId, Arc<[u8]>, rustc_hash::FxBuildHasher>>);

impl Table for HashTable {
    fn get(&self, node: &NodeId) -> Option<Arc<[u8]>> {
        self.0.borrow().get(node).cloned()
    }

    fn put(&self, node: NodeId, parts: Arc<[u8]>) {
        self.0.borrow_mut().insert(node, parts);
    }

    fn remove(&self, node: &NodeId) {
        self.0.borrow_mut().remove(node);
    }

    fn reflect(&self, _: i32, _: NextOffset) {}

    fn forget_partition(&self, _: i32) {}

    fn alerts(&self, _: i32, _: NodeId, _: &[AlertId], _: &[LiveAlert]) {}
}
