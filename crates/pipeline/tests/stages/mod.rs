//! Both stages with a log between them, as the service runs them: transactions that commit or do not, restarts from what was
//! committed.
#![allow(dead_code)] // Not every test file needs all of it.

use std::sync::Arc;

use serde_json::Value;
use throughline_experience::Rules;
use throughline_model::{IdHasher, NextOffset, Now, ReceivedAt, RecordOffset, SourceKind, StreamTime, Topic};
use throughline_normalize::{NoSchemas, NormalizeOptions, Normalizer, SourceOptions};
use throughline_pipeline::local::{LocalOptions, MemoryTable, Output};
use throughline_pipeline::{ExperienceOptions, ExperienceStage, FormatGate, NormalizeStage};
use throughline_worker::input::NoHeaders;
use throughline_worker::{InputRecord, Outputs, ProcessContext, Processor, StateMismatch, TaskId};

use crate::local::START;

/// Partitions of the inbox.
pub const PARTITIONS: u32 = 2;

/// A source with one partition.
#[derive(Debug, Clone)]
pub struct Source(pub Arc<SourceOptions>);

impl Source {
    /// With the defaults of its kind.
    pub fn new(kind: SourceKind) -> Self {
        Self(Arc::new(SourceOptions::new(kind.as_str(), kind)))
    }

    /// With another lateness, in hours.
    pub fn late(kind: SourceKind, hours: u64) -> Self {
        let mut options = SourceOptions::new(kind.as_str(), kind);
        options.lateness = std::time::Duration::from_secs(hours * 3_600);
        Self(Arc::new(options))
    }
}

/// A record of the log between the stages, or of the changelog.
struct Logged {
    partition: i32,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

/// Both stages.
pub struct Both {
    sources: Vec<(String, Arc<SourceOptions>)>,
    options: ExperienceOptions,
    normalize: NormalizeStage<NoSchemas>,
    experience: ExperienceStage<MemoryTable>,
    now: Now,
    offset: i64,
    inbox: Vec<Logged>,
    read: usize,
    changelog: Vec<Logged>,
    outputs: Vec<Output>,
    pending: Outputs,
    abort_next: bool,
    applied: u64,
    frames: i64,
}

impl Both {
    pub fn new(sources: &[Source]) -> Self {
        let ids = IdHasher::new([7; 32], "acme");
        let mut options = LocalOptions::new(ids, Now::from_millis(START)).experience;
        options.partitions = PARTITIONS;
        let sources: Vec<_> = sources.iter().map(|source| (source.0.name.clone(), Arc::clone(&source.0))).collect();
        let normalize = normalize(&sources, &options.ids);
        let experience = experience(&options, &[]);
        Self {
            sources,
            options,
            normalize,
            experience,
            now: Now::from_millis(START),
            offset: 0,
            inbox: Vec::new(),
            read: 0,
            changelog: Vec::new(),
            outputs: Vec::new(),
            pending: Outputs::default(),
            abort_next: false,
            applied: 0,
            frames: 0,
        }
    }

    /// Changes the model; nothing may have been pushed yet.
    pub fn rules(&mut self, change: impl FnOnce(&mut Rules)) {
        let mut rules = Rules::clone(&self.options.rules);
        change(&mut rules);
        self.options.rules = Arc::new(rules);
        self.experience = experience(&self.options, &self.changelog);
    }

    pub fn now(&mut self, millis: i64) {
        self.now = Now::from_millis(millis);
    }

    /// Reads a record of a source, without committing it.
    pub fn push(&mut self, source: usize, value: &Value, received_at: i64) {
        let value = value.to_string();
        let record = InputRecord {
            task: task(source, 0),
            offset: RecordOffset(self.offset),
            received_at: ReceivedAt::from_millis(received_at),
            key: None,
            value: Some(value.as_bytes()),
            headers: &NoHeaders,
        };
        self.offset += 1;
        self.now = self.now.max(Now::from_millis(received_at));
        let context = ProcessContext { now: self.now, reject: false };
        self.normalize.process(&record, context, &mut self.pending).expect("no schema is needed");
    }

    /// Some sources had nothing left to read at `at`.
    pub fn exhausted(&mut self, sources: &[usize], at: i64) {
        for source in sources {
            self.normalize.exhausted(task(*source, 0), Some(Now::from_millis(at)));
        }
    }

    /// Commits what normalize has read, and lets experience read it.
    pub fn commit(&mut self) {
        self.normalize.finish(self.now, &mut self.pending);
        let outputs = std::mem::take(&mut self.pending);
        self.normalize.commit(self.now);
        for record in outputs.records() {
            assert_eq!(record.target.topic, Topic::ExperienceInbox);
            let partition = record.target.partition.expect("a frame has a partition");
            let value = outputs.value(record).map(<[u8]>::to_vec);
            self.inbox.push(Logged { partition, key: None, value });
            self.frames += 1;
        }
        self.fold();
    }

    /// One round of a worker of each stage: a transaction of normalize if something is due, one of experience if there is
    /// input or something is due.
    pub fn tick(&mut self) {
        if self.normalize.next_due().is_some_and(|(due, _)| due <= self.now) {
            self.commit();
        }
        if self.experience.next_due().is_some_and(|(due, _)| due <= self.now) {
            self.fold();
        }
    }

    fn fold(&mut self) {
        let mut outputs = Outputs::default();
        for (at, logged) in self.inbox.iter().enumerate().skip(self.read) {
            let record = InputRecord {
                task: task(0, logged.partition),
                offset: RecordOffset(at as i64),
                received_at: ReceivedAt::from_millis(self.now.as_millis()),
                key: None,
                value: logged.value.as_deref(),
                headers: &NoHeaders,
            };
            let context = ProcessContext { now: self.now, reject: false };
            self.experience.process(&record, context, &mut outputs).expect("frames wait for nothing");
        }
        self.experience.finish(self.now, &mut outputs);
        if std::mem::take(&mut self.abort_next) {
            self.experience.abort();
            return;
        }
        self.read = self.inbox.len();
        self.experience.commit(self.now);
        self.applied += self.experience.take_counts().touchpoints.applied;
        for record in outputs.records() {
            if record.target.topic == Topic::ExperienceChangelog {
                self.changelog.push(Logged {
                    partition: record.target.partition.expect("state has a partition"),
                    key: outputs.key(record).map(<[u8]>::to_vec),
                    value: outputs.value(record).map(<[u8]>::to_vec),
                });
            } else {
                self.outputs.push(Output::of(&outputs, record));
            }
        }
    }

    /// The next transaction of the experience stage is aborted; its input comes again.
    pub fn abort_next(&mut self) {
        self.abort_next = true;
    }

    /// Another worker takes over the experience stage: state is restored from the changelog.
    pub fn restart(&mut self) {
        self.experience = experience(&self.options, &self.changelog);
    }

    /// The same by a worker of a version with this gate, which may refuse the state.
    pub fn restart_as(&mut self, gate: &FormatGate) -> Result<(), StateMismatch> {
        self.options.gate = gate.clone();
        self.experience = restored(&self.options, &self.changelog, |_| true)?;
        Ok(())
    }

    /// What a worker says that finds everything but the records of one key.
    pub fn check_without(&self, key: &[u8]) -> Result<(), StateMismatch> {
        restored(&self.options, &self.changelog, |logged| logged.key.as_deref() != Some(key))?
            .check_restored(task(0, 0))
    }

    /// The last value of a key in the changelog of a partition.
    pub fn state(&self, partition: i32, key: &[u8]) -> Option<&[u8]> {
        let is_it = |logged: &&Logged| logged.partition == partition && logged.key.as_deref() == Some(key);
        self.changelog.iter().rfind(is_it)?.value.as_deref()
    }

    /// Another worker takes over the normalize stage: it knows nothing of its sources.
    pub fn restart_normalize(&mut self) {
        self.normalize = normalize(&self.sources, &self.options.ids);
    }

    /// Types and transitions of alerts, in order.
    pub fn transitions(&self) -> Vec<String> {
        let alerts = self.values(Topic::Alerts);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        alerts.iter().map(|alert| format!("{} {}", text(&alert["type"]), text(&alert["transition"]))).collect()
    }

    /// Values of a topic so far.
    pub fn values(&self, topic: Topic) -> Vec<Value> {
        crate::local::values(&self.outputs, topic)
    }

    /// Stream time of each partition.
    pub fn stream_times(&self) -> Vec<Option<StreamTime>> {
        (0..PARTITIONS as i32).map(|partition| self.experience.stream_time(task(0, partition))).collect()
    }

    /// Touchpoints applied.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Frames written by normalize.
    pub fn frames(&self) -> i64 {
        self.frames
    }

    /// Frames of the inbox.
    pub fn inbox(&self) -> impl Iterator<Item = (i32, &[u8])> {
        self.inbox.iter().map(|logged| (logged.partition, logged.value.as_deref().unwrap_or_default()))
    }

    pub fn experience(&self) -> &ExperienceStage<MemoryTable> {
        &self.experience
    }
}

fn task(topic: usize, partition: i32) -> TaskId {
    TaskId { topic: topic as u16, partition }
}

fn normalize(sources: &[(String, Arc<SourceOptions>)], ids: &IdHasher) -> NormalizeStage<NoSchemas> {
    let normalizer = Normalizer::new(NormalizeOptions::default(), ids.clone());
    let mut stage = NormalizeStage::new(normalizer, sources.to_vec(), NoSchemas, Arc::default(), PARTITIONS);
    (0..sources.len()).for_each(|source| stage.assign(task(source, 0)));
    stage
}

fn experience(options: &ExperienceOptions, changelog: &[Logged]) -> ExperienceStage<MemoryTable> {
    restored(options, changelog, |_| true).expect("it is ours")
}

fn restored(
    options: &ExperienceOptions,
    changelog: &[Logged],
    is_there: impl Fn(&Logged) -> bool,
) -> Result<ExperienceStage<MemoryTable>, StateMismatch> {
    let mut stage = ExperienceStage::new(options.clone(), MemoryTable::new(PARTITIONS));
    for partition in 0..PARTITIONS as i32 {
        stage.assign(task(0, partition));
        for logged in changelog.iter().filter(|logged| logged.partition == partition && is_there(logged)) {
            let key = logged.key.as_deref().expect("state has keys");
            stage.restore(task(0, partition), key, logged.value.as_deref())?;
        }
        stage.restored(task(0, partition), NextOffset(0));
    }
    Ok(stage)
}
