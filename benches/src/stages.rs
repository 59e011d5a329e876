//! Both processors in one thread, without Kafka: what our own part of the record path costs.
//!
//! The figures are CPU seconds of the thread, so that they can be compared from change to change on a machine that does
//! other work. The whole service is measured by [`crate::measure`].

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use throughline_model::{
    AlertId, EventTime, IdHasher, NextOffset, NodeId, Now, ReceivedAt, RecordOffset, SourceKind, Topic,
};
use throughline_normalize::{NoSchemas, NormalizeOptions, Normalizer, SourceOptions};
use throughline_pipeline::local::LocalOptions;
use throughline_pipeline::{
    Encodings, ExperienceStage, LiveAlert, NormalizeStage, OutputSwitches, Table, TouchpointOutput,
};
use throughline_worker::input::NoHeaders;
use throughline_worker::{InputRecord, Outputs, ProcessContext, Processor, TaskId};

use crate::generator::Generator;

/// Source records between two commits of the first stage.
const NORMALIZE_BATCH: usize = 20_000;

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
    let start = EventTime::from_millis(1_790_000_000_000);
    let now = Now::from_millis(start.as_millis() + 1_000);
    let options = LocalOptions::new(IdHasher::new([7; 32], "bench"), now);
    let partitions = 32;
    let mut generator = Generator::new(seed, keys);
    let values: Vec<Vec<u8>> = (0..records)
        .map(|at| {
            let mut value = Vec::with_capacity(700);
            generator.draw(start.as_millis() + at as i64 / 100, &mut value);
            value
        })
        .collect();
    let mut frames = Vec::new();
    let mut normalize = normalize_stage(partitions);
    let began = thread_seconds();
    let mut outputs = Outputs::default();
    for (batch, values) in values.chunks(NORMALIZE_BATCH).enumerate() {
        for (at, value) in values.iter().enumerate() {
            let record = InputRecord {
                task: TaskId { topic: 0, partition: (at % 32) as i32 },
                offset: RecordOffset((batch * NORMALIZE_BATCH + at) as i64),
                received_at: ReceivedAt::from_millis(now.as_millis()),
                key: None,
                value: Some(value),
                headers: &NoHeaders,
            };
            let context = ProcessContext { now, reject: false };
            normalize.process(&record, context, &mut outputs).expect("generated records need no schema");
        }
        normalize.finish(now, &mut outputs);
        normalize.commit(now);
        for record in outputs.records() {
            assert_eq!(record.target.topic, Topic::ExperienceInbox, "generated records are good");
            let frame = outputs.value(record).expect("a frame has bytes").to_vec();
            frames.push((record.target.partition.expect("frames are routed"), frame));
        }
        outputs.clear();
    }
    let normalized = thread_seconds() - began;
    drop(values);
    let folded = fold(&frames, options, partitions, records, batch, now);
    let millions = records as f64 / 1e6;
    StageCosts {
        normalize: normalized / millions,
        experience: folded.0 / millions,
        frame_bytes: frames.iter().map(|(_, frame)| frame.len()).sum::<usize>() as f64 / records as f64,
        outputs: folded.1 as f64 / records as f64,
        output_bytes: folded.2 as f64 / records as f64,
    }
}

fn normalize_stage(partitions: u32) -> NormalizeStage<NoSchemas> {
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

/// CPU seconds, records written, bytes written.
fn fold(
    frames: &[(i32, Vec<u8>)],
    options: LocalOptions,
    partitions: u32,
    records: usize,
    batch: usize,
    now: Now,
) -> (f64, usize, usize) {
    let mut options = options.experience;
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
    let per_frame = records as f64 / frames.len() as f64;
    let in_batch = ((batch as f64 / per_frame) as usize).max(1);
    let (mut written, mut bytes) = (0, 0);
    let mut outputs = Outputs::default();
    let began = thread_seconds();
    for (number, frames) in frames.chunks(in_batch).enumerate() {
        for (at, (partition, frame)) in frames.iter().enumerate() {
            let record = InputRecord {
                task: TaskId { topic: 0, partition: *partition },
                offset: RecordOffset((number * in_batch + at) as i64),
                received_at: ReceivedAt::from_millis(now.as_millis()),
                key: None,
                value: Some(frame),
                headers: &NoHeaders,
            };
            let context = ProcessContext { now, reject: false };
            stage.process(&record, context, &mut outputs).expect("frames need no schema");
        }
        stage.finish(now, &mut outputs);
        stage.commit(now);
        written += outputs.records().len();
        bytes += outputs.bytes();
        outputs.clear();
    }
    let seconds = thread_seconds() - began;
    drop(stage.take_counts());
    (seconds, written, bytes)
}

/// User and system seconds of this thread.
fn thread_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds: f64 = stat.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default();
    nanoseconds / 1e9
}

/// Committed customers of one thread.
#[derive(Debug, Default)]
struct HashTable(RefCell<HashMap<NodeId, Arc<[u8]>, rustc_hash::FxBuildHasher>>);

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
