//! The first processor: source records in, frames and dead letters out. It keeps nothing but the catalog and the clocks of its
//! source partitions.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;
use throughline_codec::dead_letter::{DeadLetter, Origin, is_dead_letter_header};
use throughline_codec::entry;
use throughline_codec::frame::{EntryKind, FrameBuilder};
use throughline_codec::progress::{self, SourceProgress};
use throughline_model::murmur2::partition_of;
use throughline_model::{
    Fate, FateCounts, Now, Partition, Rejection, RejectionReason, SourceKind, Stage, Topic, WithheldReason,
};
use throughline_normalize::catalog::Catalog;
use throughline_normalize::format::Headers;
use throughline_normalize::{Entry, Normalizer, SchemaSource, SourceOptions, SourceRecord};
use throughline_worker::input::RecordHeaders;
use throughline_worker::{InputRecord, Outputs, ProcessContext, Processor, Stall, StateMismatch, TaskId};

use crate::options::HealthLimits;
use crate::time::Watermarks;
use crate::time::watermark::SourceClock;

/// The books of the normalize stage for one source: records = expanded + withheld + rejected; expanded touchpoints =
/// routed + withheld + rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceCounts {
    /// Records read.
    pub records: u64,
    /// Records that gave at least one touchpoint.
    pub expanded: u64,
    /// Records withheld as a whole, by reason.
    pub withheld: [u64; WithheldReason::ALL.len()],
    /// Records rejected as a whole, by reason.
    pub rejected: [u64; RejectionReason::ALL.len()],
    /// Touchpoints sent on, withheld or rejected; `applied` counts the routed ones.
    pub touchpoints: FateCounts,
    /// Text without a score.
    pub text_unscored: u64,
}

/// Normalizes source records.
pub struct NormalizeStage<S> {
    normalizer: Normalizer,
    /// Topic index to source.
    sources: Vec<(String, Arc<SourceOptions>)>,
    schemas: S,
    catalog: Arc<Catalog>,
    partitions: u32,
    frames: Vec<FrameBuilder>,
    open: Vec<u32>,
    scratch: Vec<u8>,
    context: Vec<u8>,
    uncommitted_bytes: usize,
    counts: FxHashMap<SourceKind, SourceCounts>,
    committed: FxHashMap<SourceKind, SourceCounts>,
    health: FxHashMap<TaskId, Health>,
    /// Partitions paused for their rejected records since this was last asked for.
    exceeded: u64,
    limits: HealthLimits,
    watermarks: Watermarks,
}

/// How much of what the source partitions of a worker hold is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RejectedShare {
    /// The largest share of a partition in its running window, in hundredths.
    pub percent_max: u32,
    /// The share above which a partition is paused.
    pub percent_limit: u32,
    /// Partitions that are paused.
    pub paused: usize,
    /// Partitions that were paused since this was last asked for.
    pub exceeded: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Health {
    records: u32,
    rejected: u32,
    paused: bool,
}

struct SourceHeaders<'r>(&'r dyn RecordHeaders);

impl std::fmt::Debug for SourceHeaders<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(out)
    }
}

impl Headers for SourceHeaders<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.find(name)
    }
}

impl<S: SchemaSource> NormalizeStage<S> {
    /// A stage that reads the topics of `sources`, in the order of the worker's input topics, and writes to an inbox of
    /// `partitions`.
    pub fn new(
        normalizer: Normalizer,
        sources: Vec<(String, Arc<SourceOptions>)>,
        schemas: S,
        catalog: Arc<Catalog>,
        partitions: u32,
    ) -> Self {
        Self {
            normalizer,
            sources,
            schemas,
            catalog,
            partitions,
            frames: (0..partitions).map(|_| FrameBuilder::default()).collect(),
            open: Vec::new(),
            scratch: Vec::with_capacity(1_024),
            context: Vec::with_capacity(1_024),
            uncommitted_bytes: 0,
            counts: FxHashMap::default(),
            committed: FxHashMap::default(),
            health: FxHashMap::default(),
            exceeded: 0,
            limits: HealthLimits::default(),
            watermarks: Watermarks::default(),
        }
    }

    /// Judges source partitions by these limits.
    #[must_use]
    pub fn with_limits(mut self, limits: HealthLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Uses another catalog from the next record on.
    pub fn set_catalog(&mut self, catalog: Arc<Catalog>) {
        self.catalog = catalog;
    }

    /// Counts of committed transactions since they were last taken.
    pub fn take_counts(&mut self) -> impl Iterator<Item = (SourceKind, SourceCounts)> {
        std::mem::take(&mut self.committed).into_iter()
    }

    /// The clocks of the source partitions.
    pub const fn watermarks(&mut self) -> &mut Watermarks {
        &mut self.watermarks
    }

    /// Shares of rejected records, of windows of which a tenth at least was seen.
    pub fn rejected(&mut self) -> RejectedShare {
        let seen = self.health.values().filter(|health| health.records >= self.limits.window_records / 10);
        let share = seen.map(|health| u64::from(health.rejected) * 100 / u64::from(health.records.max(1))).max();
        let paused = self.health.values().filter(|health| health.paused).count();
        RejectedShare {
            percent_max: share.map_or(0, |share| share.min(100) as u32),
            percent_limit: (self.limits.rejected_share * 100.0) as u32,
            paused,
            exceeded: std::mem::take(&mut self.exceeded),
        }
    }

    /// Tells every inbox partition how far the source partitions have come, if it is time to.
    fn tell(&mut self, now: Now, outputs: &mut Outputs) {
        if !self.watermarks.is_due(now) {
            return;
        }
        let sources = &self.sources;
        let told = self.watermarks.tell(now).map(|reading| SourceProgress {
            topic: &sources[usize::from(reading.task.topic)].0,
            partition: reading.task.partition,
            source: reading.source,
            watermark: reading.watermark,
            idle: reading.idle,
        });
        self.scratch.clear();
        progress::encode(now, told, &mut self.scratch);
        for at in 0..self.partitions {
            put(&mut self.frames, &mut self.open, at, (EntryKind::Progress, &[], &self.scratch), outputs);
        }
    }
}

/// What one record did, collected while the sink borrows the stage's buffers.
struct Routing<'s> {
    frames: &'s mut [FrameBuilder],
    open: &'s mut Vec<u32>,
    scratch: &'s mut Vec<u8>,
    context: &'s mut Vec<u8>,
    outputs: &'s mut Outputs,
    counts: FateCounts,
    bytes: usize,
    partitions: u32,
    record: &'s InputRecord<'s>,
    topic: &'s str,
    now: Now,
    clock: Option<&'s mut SourceClock>,
}

impl Routing<'_> {
    fn entry(&mut self, index: u32, entry: Entry<'_>) {
        match entry {
            Entry::Touchpoint(touchpoint) => {
                self.scratch.clear();
                self.context.clear();
                entry::encode(&touchpoint, self.context, self.scratch);
                let header = touchpoint.header();
                let partition = match header.node {
                    Some(node) => partition_of(node.hex().as_bytes(), self.partitions),
                    None => partition_of(header.touchpoint_id.hex().as_bytes(), self.partitions),
                };
                if let Some(clock) = &mut self.clock
                    && header.time_quality.moves_watermark()
                {
                    clock.see(header.occurred_at, header.received_at);
                }
                self.route(partition);
                self.counts.add(Fate::Applied);
            }
            Entry::Withheld { reason, .. } => self.counts.add(Fate::Withheld(reason)),
            Entry::Rejected { rejection, format, mapping, producer, source_id } => {
                self.counts.add(Fate::Rejected(rejection.reason));
                let letter = DeadLetter {
                    origin: Origin {
                        topic: self.topic.into(),
                        partition: Partition(self.record.task.partition),
                        offset: self.record.offset,
                    },
                    stage: Stage::Normalize,
                    reason: rejection.reason,
                    detail: rejection.detail,
                    field: rejection.field,
                    entry: index,
                    format: format.into(),
                    mapping,
                    producer,
                    source_id,
                    rejected_at: self.now,
                };
                dead_letter(&letter, self.record, self.outputs);
            }
        }
    }

    fn route(&mut self, partition: i32) {
        let at = u32::try_from(partition).expect("partitions are not negative");
        put(self.frames, self.open, at, (EntryKind::Touchpoint, self.context, self.scratch), self.outputs);
        self.bytes += self.scratch.len();
    }
}

/// Puts an entry (kind, context, bytes) into the open frame of a partition.
#[inline]
fn put(
    frames: &mut [FrameBuilder],
    open: &mut Vec<u32>,
    at: u32,
    (kind, context, entry): (EntryKind, &[u8], &[u8]),
    outputs: &mut Outputs,
) {
    let frame = &mut frames[at as usize];
    if frame.is_full_for(context.len() + entry.len()) {
        seal(frame, at as i32, outputs);
    }
    if frame.is_empty() && !open.contains(&at) {
        open.push(at);
    }
    frame.push(kind, context, entry);
}

fn seal(frame: &mut FrameBuilder, partition: i32, outputs: &mut Outputs) {
    outputs.record(Topic::ExperienceInbox, Some(partition)).value(|out| out.extend_from_slice(frame.bytes())).end();
    frame.clear();
}

/// Largest original value that a dead letter can carry; above it the origin headers name the record.
const LETTER_VALUE_MAX: usize = (16 << 20) - (64 << 10);

/// Writes a rejected record as it came, with why and where from.
pub fn dead_letter(letter: &DeadLetter<'_>, record: &InputRecord<'_>, outputs: &mut Outputs) {
    let mut writer = outputs.record(Topic::DeadLetters, None).timestamp(record.received_at.as_millis());
    if let Some(key) = record.key {
        writer = writer.key(key);
    }
    if let Some(value) = record.value
        && value.len() <= LETTER_VALUE_MAX
    {
        writer = writer.value(|out| out.extend_from_slice(value));
    }
    for at in 0..record.headers.count() {
        let (name, value) = record.headers.at(at);
        if !is_dead_letter_header(name) {
            writer = writer.carried_header(name, value.unwrap_or_default());
        }
    }
    let mut headers: Vec<(&'static str, Vec<u8>)> = Vec::with_capacity(16);
    letter.encode(|name, value| headers.push((name, value.to_vec())));
    for (name, value) in headers {
        writer = writer.header(name, &value);
    }
    writer.end();
}

impl<S: SchemaSource> Processor for NormalizeStage<S> {
    fn is_stateful(&self) -> bool {
        false
    }

    fn assign(&mut self, task: TaskId) {
        let source = &self.sources[usize::from(task.topic)].1;
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.watermarks.assign(task, source.kind, millis(source.lateness), millis(source.idle_after));
    }

    fn revoke(&mut self, task: TaskId) {
        self.health.remove(&task);
        self.watermarks.revoke(task);
    }

    fn exhausted(&mut self, task: TaskId, at: Option<Now>) {
        self.watermarks.exhausted(task, at);
    }

    fn restore(&mut self, _: TaskId, _: &[u8], _: Option<&[u8]>) -> Result<(), StateMismatch> {
        Ok(())
    }

    fn process(
        &mut self,
        record: &InputRecord<'_>,
        context: ProcessContext,
        outputs: &mut Outputs,
    ) -> Result<(), Stall> {
        if self.health.get(&record.task).is_some_and(|health| health.paused) {
            return Err(Stall::Rejecting);
        }
        let (topic, source) = &self.sources[usize::from(record.task.topic)];
        let mut routing = Routing {
            frames: &mut self.frames,
            open: &mut self.open,
            scratch: &mut self.scratch,
            context: &mut self.context,
            outputs,
            counts: FateCounts::default(),
            bytes: 0,
            partitions: self.partitions,
            record,
            topic,
            now: context.now,
            clock: self.watermarks.take(record.task, context.now),
        };
        if context.reject {
            let rejection =
                Rejection::new(RejectionReason::OutputRejected, "the broker refused what this record becomes");
            routing.entry(
                0,
                Entry::Rejected {
                    rejection,
                    format: "",
                    mapping: 0,
                    producer: source.producer.as_str().into(),
                    source_id: "".into(),
                },
            );
        } else {
            let headers = SourceHeaders(record.headers);
            let source_record = SourceRecord {
                topic,
                partition: record.task.partition,
                offset: record.offset.0,
                received_at: record.received_at,
                key: record.key,
                value: record.value,
                headers: &headers,
            };
            self.normalizer
                .normalize(source, &source_record, &self.schemas, &self.catalog, &mut |index, entry| {
                    routing.entry(index, entry);
                })
                .map_err(|need| Stall::Schema(need.0))?;
        }
        let (counted, bytes) = (routing.counts, routing.bytes);
        self.uncommitted_bytes += bytes;
        self.count(record.task, source.kind, &counted);
        Ok(())
    }

    fn finish(&mut self, now: Now, outputs: &mut Outputs) {
        self.tell(now, outputs);
        for at in std::mem::take(&mut self.open) {
            let frame = &mut self.frames[at as usize];
            if !frame.is_empty() {
                seal(frame, at as i32, outputs);
            }
        }
    }

    fn commit(&mut self, _now: Now) {
        self.uncommitted_bytes = 0;
        self.watermarks.commit();
        for (source, counts) in self.counts.drain() {
            let committed = self.committed.entry(source).or_default();
            committed.records += counts.records;
            committed.expanded += counts.expanded;
            for (sum, count) in committed.withheld.iter_mut().zip(counts.withheld) {
                *sum += count;
            }
            for (sum, count) in committed.rejected.iter_mut().zip(counts.rejected) {
                *sum += count;
            }
            committed.text_unscored += counts.text_unscored;
            add(&mut committed.touchpoints, &counts.touchpoints);
        }
    }

    fn abort(&mut self) {
        self.uncommitted_bytes = 0;
        self.watermarks.abort();
        self.counts.clear();
        self.open.clear();
        for frame in &mut self.frames {
            frame.clear();
        }
    }

    fn uncommitted_bytes(&self) -> usize {
        self.uncommitted_bytes
    }

    fn next_due(&self) -> Option<(Now, TaskId)> {
        self.watermarks.due()
    }
}

impl<S> NormalizeStage<S> {
    fn count(&mut self, task: TaskId, source: SourceKind, counted: &FateCounts) {
        let counts = self.counts.entry(source).or_default();
        counts.records += 1;
        // A record that gave nothing is counted under the first reason it has, a rejection before a withholding.
        let first = |reasons: &[u64]| reasons.iter().position(|count| *count > 0);
        match (counted.applied, first(&counted.rejected), first(&counted.withheld)) {
            (0, Some(reason), _) => counts.rejected[reason] += 1,
            (0, None, Some(reason)) => counts.withheld[reason] += 1,
            _ => counts.expanded += 1,
        }
        counts.text_unscored += self.normalizer.take_counts().text_unscored;
        add(&mut counts.touchpoints, counted);
        let health = self.health.entry(task).or_default();
        health.records += 1;
        health.rejected += u32::from(counted.rejected.iter().any(|count| *count > 0));
        if health.records >= self.limits.window_records {
            // A source that sends mostly garbage is somebody's mistake: people must look before more of it is taken.
            *health = Health { paused: self.limits.is_exceeded(health.rejected), ..Health::default() };
            self.exceeded += u64::from(health.paused);
        }
    }
}

/// Adds the counts of one batch to others.
pub fn add(sum: &mut FateCounts, counts: &FateCounts) {
    sum.applied += counts.applied;
    sum.duplicate += counts.duplicate;
    sum.forwarded += counts.forwarded;
    for (sum, count) in sum.late.iter_mut().zip(counts.late) {
        *sum += count;
    }
    for (sum, count) in sum.withheld.iter_mut().zip(counts.withheld) {
        *sum += count;
    }
    for (sum, count) in sum.rejected.iter_mut().zip(counts.rejected) {
        *sum += count;
    }
}
