//! An in-memory run: source records through both stages, without a broker.
//!
//! `try` and `test` of the command line, the story of `demo` in its test, and the stage tests are this. Every touchpoint is committed on its
//! own, so that its fate is known; apart from that the outputs are those of the service over the same records.

mod output;
mod table;

use std::sync::Arc;

use throughline_codec::dead_letter::DeadLetter;
use throughline_codec::entry::{self, Context};
use throughline_codec::frame::{self, EntryKind, FrameBuilder};
use throughline_codec::progress::{Progress, SourceProgress};
use throughline_experience::view::VIEW_INTERVAL;
use throughline_model::{
    EventTime, Fate, FateCounts, IdHasher, LateReason, NextOffset, NodeId, Now, ReceivedAt, RecordOffset,
    RejectionReason, SourceKind, Topic, TouchpointType, WithheldReason,
};
use throughline_normalize::catalog::Catalog;
use throughline_normalize::format::Headers;
use throughline_normalize::{
    Entry, NeedSchema, NoSchemas, NormalizeOptions, Normalizer, SchemaSource, SourceOptions, SourceRecord,
};
use throughline_worker::input::NoHeaders;
use throughline_worker::{InputRecord, Outputs, ProcessContext, Processor, Stall, TaskId};

use crate::experience_stage::{ExperienceOptions, ExperienceStage};
use crate::normalize_stage::NormalizeStage;
use crate::options::{Encodings, OutputSwitches};
use crate::time::ClockLimits;

pub use output::Output;
pub use table::MemoryTable;
pub use throughline_normalize::formats::{all as formats, by_name as format_by_name};
pub use throughline_normalize::{Formats, NormalizeOptions as LocalNormalizeOptions};

/// Partitions of inbox and customer-keyed outputs, as in a deployment with the defaults.
const PARTITIONS: u32 = 32;

/// What a run is built from.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// Topics that are read, with their sources. [`LocalRun::push`] names them by their index.
    pub sources: Vec<(String, Arc<SourceOptions>)>,
    /// Settings of all sources.
    pub normalize: NormalizeOptions,
    /// Settings of the experience stage. Outputs can be shown only where they are JSON, the default.
    pub experience: ExperienceOptions,
    /// The catalog.
    pub catalog: Arc<Catalog>,
    /// The clock until a touchpoint with a time of its own sets it.
    pub start: Now,
}

impl LocalOptions {
    /// The defaults: the six touchpoint topics under their usual names, the embedded model, received time = event time.
    #[must_use]
    pub fn new(ids: IdHasher, start: Now) -> Self {
        let source = |kind: SourceKind| {
            let options = SourceOptions::new(kind.as_str(), kind);
            (format!("touchpoints.{kind}"), Arc::new(options))
        };
        Self {
            sources: TOUCHPOINT_SOURCES.into_iter().map(source).collect(),
            normalize: NormalizeOptions { received_at_event_time: true, ..NormalizeOptions::default() },
            experience: ExperienceOptions {
                rules: Arc::default(),
                ids,
                switches: OutputSwitches::default(),
                encodings: Encodings::default(),
                partitions: PARTITIONS,
                inputs: vec![Topic::ExperienceInbox.as_str().to_owned()],
                mixed: false,
                targets: crate::options::Targets::default(),
                gate: crate::gate::FormatGate::default(),
            },
            catalog: Arc::default(),
            start,
        }
    }

    /// Index of the first topic of a source of that kind.
    #[must_use]
    pub fn source(&self, kind: SourceKind) -> Option<usize> {
        self.sources.iter().position(|(_, source)| source.kind == kind)
    }
}

/// Kinds of source whose records are touchpoints, in the order of [`LocalOptions::new`].
pub const TOUCHPOINT_SOURCES: [SourceKind; 6] = [
    SourceKind::Web,
    SourceKind::Social,
    SourceKind::Store,
    SourceKind::CallCentre,
    SourceKind::Partner,
    SourceKind::Survey,
];

/// A record of a source topic that owns its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalRecord {
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value.
    pub value: Option<Vec<u8>>,
    /// Headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Kafka timestamp; none: the clock of the run.
    pub received_at: Option<ReceivedAt>,
}

impl LocalRecord {
    /// A record that is nothing but its value.
    #[must_use]
    pub fn of(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }
}

/// What became of one entry of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryFate {
    /// Its index in the record, from 0.
    pub entry: u32,
    /// Its fate.
    pub fate: Fate,
    /// Its type, if it became a touchpoint.
    pub kind: Option<TouchpointType>,
    /// Its customer, if it has one.
    pub customer: Option<NodeId>,
    /// Format that read it; empty for a touchpoint, and where none was found.
    pub format: String,
    /// What exactly is wrong with a rejected one; the source's own name of a withheld one.
    pub detail: String,
    /// Path of the field of a rejected one.
    pub field: String,
}

/// Everything that one record did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pushed {
    /// Fates, in the order of the entries.
    pub fates: Vec<EntryFate>,
    /// Records that would be on public topics, in the order of their production.
    pub outputs: Vec<Output>,
}

/// The books of a run (XO-5): entries = touchpoints + withheld + rejected by normalize; touchpoints = their fates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LocalCounts {
    /// Records pushed.
    pub records: u64,
    /// Entries that normalize sent on, withheld or rejected; `applied` counts those sent on.
    pub normalized: FateCounts,
    /// Touchpoints by fate.
    pub touchpoints: FateCounts,
}

/// A run.
pub struct LocalRun<S = NoSchemas> {
    options: LocalOptions,
    normalize: NormalizeStage<S>,
    experience: ExperienceStage<MemoryTable>,
    /// Names what was withheld; the stage itself only counts it.
    namer: Normalizer,
    schemas: S,
    now: Now,
    fixed: bool,
    /// Latest received time of a touchpoint with a time of its own.
    latest: Option<ReceivedAt>,
    /// Next offset by source.
    offsets: Vec<i64>,
    frames: i64,
    counts: LocalCounts,
    outputs: Outputs,
    applied: Outputs,
}

impl LocalRun {
    /// A run without a schema registry.
    #[must_use]
    pub fn new(options: LocalOptions) -> Self {
        Self::with_schemas(options, NoSchemas)
    }
}

impl<S: SchemaSource + Clone> LocalRun<S> {
    /// A run that knows the schemas of a registry.
    #[must_use]
    pub fn with_schemas(options: LocalOptions, schemas: S) -> Self {
        let partitions = options.experience.partitions;
        let ids = &options.experience.ids;
        let normalize = NormalizeStage::new(
            Normalizer::new(options.normalize.clone(), ids.clone()),
            options.sources.clone(),
            schemas.clone(),
            Arc::clone(&options.catalog),
            partitions,
        );
        let mut experience = ExperienceStage::new(options.experience.clone(), MemoryTable::new(partitions))
            .with_clock_limits(ClockLimits { settled_after: 0, ..ClockLimits::default() });
        for partition in 0..i32::try_from(partitions).expect("partition counts are small") {
            experience.assign(TaskId { topic: 0, partition });
            experience.restored(TaskId { topic: 0, partition }, NextOffset(0));
        }
        Self {
            normalize,
            experience,
            namer: Normalizer::new(options.normalize.clone(), ids.clone()),
            schemas,
            now: options.start,
            fixed: false,
            latest: None,
            offsets: vec![0; options.sources.len()],
            frames: 0,
            counts: LocalCounts::default(),
            outputs: Outputs::default(),
            applied: Outputs::default(),
            options,
        }
    }

    /// Pushes a record of the source at that index through both stages.
    ///
    /// # Errors
    /// The schema of the record is not known yet; nothing was changed.
    pub fn push(&mut self, source: usize, record: &LocalRecord) -> Result<Pushed, NeedSchema> {
        let received_at = record.received_at.unwrap_or(ReceivedAt::from_millis(self.now.as_millis()));
        let input = InputRecord {
            task: TaskId { topic: u16::try_from(source).expect("sources are few"), partition: 0 },
            offset: RecordOffset(self.offsets[source]),
            received_at,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &record.headers,
        };
        self.normalized(&input)?;
        self.offsets[source] += 1;
        self.counts.records += 1;
        let mut pushed = Pushed::default();
        let mut touchpoints = Vec::new();
        for output in self.outputs.records() {
            match output.target.topic {
                Topic::ExperienceInbox => {
                    let frame = self.outputs.value(output).expect("a frame has a value");
                    let partition = output.target.partition.expect("a frame has a partition");
                    split(frame, partition, &mut touchpoints);
                }
                _ => {
                    pushed.fates.push(letter_fate(&self.outputs, output));
                    pushed.outputs.push(Output::of(&self.outputs, output));
                }
            }
        }
        // Partitions are visited in their order, entries belong in that of the record.
        touchpoints.sort_by_key(|touchpoint: &Framed| touchpoint.entry);
        self.count_normalized(source, &input, &mut pushed.fates);
        if !self.fixed {
            // Invented times move no clock.
            let dated = touchpoints.iter().filter(|touchpoint| touchpoint.is_dated);
            self.latest = self.latest.max(dated.map(|touchpoint| touchpoint.received_at).max());
            self.now = self.latest.map_or(self.options.start, |latest| Now::from_millis(latest.as_millis()));
        }
        for touchpoint in touchpoints {
            let fate = self.apply(&touchpoint, &mut pushed.outputs);
            pushed.fates.push(EntryFate { fate, ..touchpoint.fate });
        }
        pushed.fates.sort_by_key(|fate| fate.entry);
        Ok(pushed)
    }

    /// Lets the ten seconds pass after which pending single views are written, and returns them.
    pub fn finish(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        // Hints stand at whole seconds.
        let end = self.now.plus_millis(VIEW_INTERVAL + 1_000);
        while let Some((due, _)) = self.experience.next_due().filter(|(due, _)| *due <= end) {
            self.now = self.now.max(due);
            self.fire(&mut outputs);
        }
        outputs
    }

    /// Lets time pass until `until` as if every source were read to its end and silent, and returns what that makes: alerts
    /// expire, settle and are reviewed in the order of their times. A run that is not asked to only lets
    /// [`finish`](Self::finish) pass.
    pub fn wait(&mut self, until: Now) -> Vec<Output> {
        let mut outputs = Vec::new();
        while let Some(due) = self.experience.first_timer().filter(|due| *due <= until.as_millis()) {
            self.pass(Now::from_millis(due), &mut outputs);
        }
        self.pass(until, &mut outputs);
        outputs
    }

    fn pass(&mut self, until: Now, outputs: &mut Vec<Output>) {
        self.now = self.now.max(until);
        let all = SourceProgress {
            topic: "",
            partition: 0,
            source: SourceKind::Web,
            watermark: Some(EventTime::from_millis(self.now.as_millis())),
            idle: true,
        };
        for partition in 0..self.options.experience.partitions as i32 {
            self.experience.hear(TaskId { topic: 0, partition }, &Progress { sent_at: self.now, sources: vec![all] });
        }
        self.fire(outputs);
    }

    fn fire(&mut self, outputs: &mut Vec<Output>) {
        self.applied.clear();
        self.experience.finish(self.now, &mut self.applied);
        self.experience.commit(self.now);
        outputs.extend(public(&self.applied));
    }

    /// Stops the clock at `now`; without it, the clock is the latest received time of a touchpoint that has a time.
    pub const fn set_now(&mut self, now: Now) {
        self.now = now;
        self.fixed = true;
    }

    /// The clock.
    #[must_use]
    pub const fn now(&self) -> Now {
        self.now
    }

    /// The books so far.
    #[must_use]
    pub const fn counts(&self) -> &LocalCounts {
        &self.counts
    }

    /// The committed customers.
    #[must_use]
    pub const fn table(&self) -> &MemoryTable {
        self.experience.table()
    }

    /// What the run was built from.
    #[must_use]
    pub const fn options(&self) -> &LocalOptions {
        &self.options
    }

    fn normalized(&mut self, input: &InputRecord<'_>) -> Result<(), NeedSchema> {
        let context = ProcessContext { now: self.now, reject: false };
        self.outputs.clear();
        let mut stalled = self.normalize.process(input, context, &mut self.outputs);
        if stalled == Err(Stall::Rejecting) {
            // A source of mostly garbage pauses until somebody looks; here somebody does.
            self.normalize.revoke(input.task);
            stalled = self.normalize.process(input, context, &mut self.outputs);
        }
        if let Err(Stall::Schema(id)) = stalled {
            return Err(NeedSchema(id));
        }
        self.normalize.finish(self.now, &mut self.outputs);
        self.normalize.commit(self.now);
        Ok(())
    }

    /// Adds to the books; what was withheld is normalized once more, to learn its name.
    fn count_normalized(&mut self, source: usize, input: &InputRecord<'_>, fates: &mut Vec<EntryFate>) {
        let mut withheld = 0;
        for (_, counts) in self.normalize.take_counts() {
            crate::normalize_stage::add(&mut self.counts.normalized, &counts.touchpoints);
            withheld += counts.touchpoints.withheld.iter().sum::<u64>();
        }
        if withheld == 0 {
            return;
        }
        let (topic, options) = &self.options.sources[source];
        let headers = Named(input);
        let record = SourceRecord {
            topic,
            partition: input.task.partition,
            offset: input.offset.0,
            received_at: input.received_at,
            key: input.key,
            value: input.value,
            headers: &headers,
        };
        let again =
            self.namer.normalize(options, &record, &self.schemas, &self.options.catalog, &mut |entry, found| {
                if let Entry::Withheld { reason, name, format, .. } = found {
                    fates.push(EntryFate {
                        entry,
                        fate: Fate::Withheld(reason),
                        kind: None,
                        customer: None,
                        format: format.to_owned(),
                        detail: name.into_owned(),
                        field: String::new(),
                    });
                }
            });
        again.expect("the schema was known a moment ago");
    }

    fn apply(&mut self, touchpoint: &Framed, outputs: &mut Vec<Output>) -> Fate {
        let input = InputRecord {
            task: TaskId { topic: 0, partition: touchpoint.partition },
            offset: RecordOffset(self.frames),
            received_at: touchpoint.received_at,
            key: None,
            value: Some(touchpoint.frame.bytes()),
            headers: &NoHeaders,
        };
        self.frames += 1;
        self.applied.clear();
        let context = ProcessContext { now: self.now, reject: false };
        self.experience.process(&input, context, &mut self.applied).expect("frames wait for nothing");
        self.experience.finish(self.now, &mut self.applied);
        self.experience.commit(self.now);
        outputs.extend(public(&self.applied));
        let counts = self.experience.take_counts().touchpoints;
        crate::normalize_stage::add(&mut self.counts.touchpoints, &counts);
        only_fate(&counts)
    }
}

/// A touchpoint on its way to the experience stage, alone in its frame.
struct Framed {
    entry: u32,
    partition: i32,
    received_at: ReceivedAt,
    is_dated: bool,
    frame: FrameBuilder,
    fate: EntryFate,
}

fn split(frame: &[u8], partition: i32, touchpoints: &mut Vec<Framed>) {
    let mut entries = frame::open(frame).expect("the stage before wrote this frame");
    while let Some(entry) = entries.next().expect("the stage before wrote this frame") {
        let context = entries.context(entry.context);
        let common = Context::read(context).expect("the stage before wrote this context");
        let touchpoint = entry::decode(&common, entry.bytes).expect("the stage before wrote this entry");
        let header = touchpoint.header();
        let mut alone = FrameBuilder::default();
        debug_assert_eq!(entry.kind, EntryKind::Touchpoint);
        alone.push(entry.kind, context, entry.bytes);
        touchpoints.push(Framed {
            entry: header.origin.entry,
            partition,
            received_at: header.received_at,
            is_dated: header.time_quality.moves_watermark(),
            frame: alone,
            fate: EntryFate {
                entry: header.origin.entry,
                fate: Fate::Applied,
                kind: Some(touchpoint.body().kind),
                customer: header.node,
                format: String::new(),
                detail: String::new(),
                field: String::new(),
            },
        });
    }
}

fn letter_fate(outputs: &Outputs, output: &throughline_worker::outputs::OutputRecord) -> EntryFate {
    let letter = DeadLetter::decode(outputs.headers(output)).expect("the stage wrote a complete dead letter");
    EntryFate {
        entry: letter.entry,
        fate: Fate::Rejected(letter.reason),
        kind: None,
        customer: None,
        format: letter.format.into_owned(),
        detail: letter.detail.into_owned(),
        field: letter.field.into_owned(),
    }
}

/// Records of topics that others read.
fn public(outputs: &Outputs) -> impl Iterator<Item = Output> {
    let is_public = |topic: Topic| !matches!(topic, Topic::ExperienceInbox | Topic::ExperienceChangelog);
    let records = outputs.records().iter().filter(move |output| is_public(output.target.topic));
    records.map(|output| Output::of(outputs, output))
}

/// The fate of the one touchpoint that was counted.
fn only_fate(counts: &FateCounts) -> Fate {
    let at = |counts: &[u64]| counts.iter().position(|count| *count > 0);
    assert_eq!(counts.total(), 1, "XO-5: every touchpoint has exactly one fate");
    if counts.applied == 1 {
        Fate::Applied
    } else if counts.duplicate == 1 {
        Fate::Duplicate
    } else if let Some(code) = at(&counts.late) {
        Fate::Late(LateReason::ALL[code])
    } else if let Some(code) = at(&counts.withheld) {
        Fate::Withheld(WithheldReason::ALL[code])
    } else if let Some(code) = at(&counts.rejected) {
        Fate::Rejected(RejectionReason::ALL[code])
    } else {
        Fate::Forwarded
    }
}

#[derive(Debug)]
struct Named<'r>(&'r InputRecord<'r>);

impl Headers for Named<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.headers.find(name)
    }
}
