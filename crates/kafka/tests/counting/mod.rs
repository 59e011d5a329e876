//! A processor small enough to check by eye: one count per key, in the changelog and in the output.

#![allow(dead_code, reason = "every test program uses a part of this module")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use throughline_kafka::admin::TopicSpec;
use throughline_kafka::client::ClientOptions;
use throughline_model::murmur2::partition_of;
use throughline_model::{Now, Topic};
use throughline_worker::{DumpSink, InputRecord, Outputs, ProcessContext, Processor, Stall, StateMismatch, TaskId};

pub fn spec(name: String, partitions: u32) -> TopicSpec {
    TopicSpec {
        name,
        partitions,
        replication: 1,
        settings: vec![("max.message.bytes".to_owned(), "2000000".to_owned())],
    }
}

/// A place in which a worker thread stands still, inside of its processor, until it is let go.
#[derive(Debug, Default)]
pub struct Hold {
    stands: Mutex<Stands>,
    changed: Condvar,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stands {
    #[default]
    NotYet,
    Still,
    Released,
}

impl Hold {
    /// The key of the record that stops whoever is held, once.
    pub const KEY: &str = "hold";

    fn stand_still(&self) {
        let mut stands = self.stands.lock().expect("stands");
        if *stands == Stands::NotYet {
            *stands = Stands::Still;
            self.changed.notify_all();
        }
        drop(self.changed.wait_while(stands, |stands| *stands == Stands::Still).expect("stands"));
    }

    /// Waits until somebody stands still.
    pub fn wait(&self) {
        let (stands, limit) = (self.stands.lock().expect("stands"), Duration::from_secs(60));
        let waited = self.changed.wait_timeout_while(stands, limit, |stands| *stands == Stands::NotYet);
        assert!(!waited.expect("stands").1.timed_out(), "nobody stands still after {limit:?}");
    }

    /// Lets go.
    pub fn release(&self) {
        *self.stands.lock().expect("stands") = Stands::Released;
        self.changed.notify_all();
    }
}

/// Counts records by key.
#[derive(Debug, Default)]
pub struct Counting {
    hold: Option<Arc<Hold>>,
    partitions: u32,
    table: HashMap<TaskId, HashMap<Vec<u8>, u64>>,
    overlay: HashMap<(TaskId, Vec<u8>), u64>,
    /// Partitions whose changelog has the header.
    headed: HashSet<TaskId>,
}

/// Written with the first transaction of a partition, as the real stage does: state without it has lost its start.
pub const HEADER: &[u8] = b"header";

impl Counting {
    pub fn new(partitions: u32) -> Self {
        Self { partitions, ..Self::default() }
    }

    /// The same, standing still at the record with the key of a hold.
    pub fn held_at(self, hold: Option<Arc<Hold>>) -> Self {
        Self { hold, ..self }
    }
}

impl Processor for Counting {
    fn is_stateful(&self) -> bool {
        true
    }

    fn assign(&mut self, task: TaskId) {
        self.table.insert(task, HashMap::new());
    }

    fn revoke(&mut self, task: TaskId) {
        self.headed.remove(&task);
        self.table.remove(&task);
        self.overlay.retain(|(owner, _), _| *owner != task);
    }

    fn restore(&mut self, task: TaskId, key: &[u8], value: Option<&[u8]>) -> Result<(), StateMismatch> {
        if key == HEADER {
            self.headed.insert(task);
            return Ok(());
        }
        let count = value.and_then(|value| value.try_into().ok()).map(u64::from_le_bytes);
        let table = self.table.get_mut(&task).expect("assigned before");
        if let Some(count) = count {
            table.insert(key.to_vec(), count);
        }
        Ok(())
    }

    fn dump(&self, tasks: &[TaskId], sink: &mut DumpSink<'_>) -> bool {
        for task in tasks {
            if self.headed.contains(task) {
                sink(*task, HEADER, &[]);
            }
            self.table[task].iter().for_each(|(key, count)| sink(*task, key, &count.to_le_bytes()));
        }
        true
    }

    fn check_restored(&self, task: TaskId) -> Result<(), StateMismatch> {
        let lost = || StateMismatch("its header is not there: records were deleted from its start".to_owned());
        self.headed.contains(&task).then_some(()).ok_or_else(lost)
    }

    fn process(
        &mut self,
        record: &InputRecord<'_>,
        context: ProcessContext,
        outputs: &mut Outputs,
    ) -> Result<(), Stall> {
        let key = record.key.expect("keyed").to_vec();
        if let Some(hold) = self.hold.as_ref().filter(|_| key == Hold::KEY.as_bytes()) {
            hold.stand_still();
        }
        let text = String::from_utf8(key.clone()).expect("text");
        if context.reject {
            outputs
                .record(Topic::Scores, Some(record.task.partition))
                .key(format!("rejected {text}").as_bytes())
                .value(|out| out.extend_from_slice(&0u64.to_le_bytes()))
                .end();
            return Ok(());
        }
        let committed = self.table[&record.task].get(&key).copied().unwrap_or(0);
        let count = self.overlay.entry((record.task, key)).or_insert(committed);
        *count += 1;
        let partition = partition_of(text.as_bytes(), self.partitions);
        let value = record.value.expect("not null");
        outputs
            .record(Topic::Scores, Some(partition))
            .key(text.as_bytes())
            .header("content-type", b"text/plain")
            .value(|out| {
                out.extend_from_slice(&count.to_le_bytes());
                if value[0] == b'L' {
                    // Doubled, so that the input fits where the output does not.
                    out.extend_from_slice(value);
                    out.extend_from_slice(value);
                }
            })
            .end();
        Ok(())
    }

    fn finish(&mut self, _now: Now, outputs: &mut Outputs) {
        let headless: HashSet<TaskId> = self.overlay.keys().map(|(task, _)| *task).collect();
        for task in headless.difference(&self.headed) {
            outputs.record(Topic::ExperienceChangelog, Some(task.partition)).key(HEADER).value(|_| {}).end();
        }
        for ((task, key), count) in &self.overlay {
            outputs
                .record(Topic::ExperienceChangelog, Some(task.partition))
                .key(key)
                .value(|out| out.extend_from_slice(&count.to_le_bytes()))
                .end();
        }
    }

    fn commit(&mut self, _now: Now) {
        for ((task, key), count) in self.overlay.drain() {
            self.headed.insert(task);
            self.table.get_mut(&task).expect("owned").insert(key, count);
        }
    }

    fn abort(&mut self) {
        self.overlay.clear();
    }

    fn uncommitted_bytes(&self) -> usize {
        self.overlay.len() * 64
    }

    fn next_due(&self) -> Option<(Now, TaskId)> {
        None
    }
}

/// Reads committed (key, count) pairs until there are at least `expected`.
pub fn read(client: &ClientOptions, topic: &str, partitions: u32, expected: u64) -> BTreeMap<(String, u64), u32> {
    let consumer: BaseConsumer = client.reader("outside", true).create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition as i32, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&list).expect("assigned");
    let mut seen = BTreeMap::new();
    let began = Instant::now();
    let mut records = 0;
    let mut quiet = None::<Instant>;
    // After the expected number a moment more is read, so that a surplus is seen.
    while records < expected || quiet.is_none_or(|since| since.elapsed() < Duration::from_millis(500)) {
        assert!(began.elapsed() < Duration::from_secs(90), "{records} of {expected} records after 90 s");
        match consumer.poll(Duration::from_millis(50)) {
            Some(Ok(record)) => {
                let key = String::from_utf8(record.key().expect("keyed").to_vec()).expect("text");
                let count = record.payload().expect("a value")[..8].try_into().map(u64::from_le_bytes);
                *seen.entry((key, count.expect("eight bytes"))).or_insert(0) += 1;
                records += 1;
                quiet = None;
            }
            _ => quiet = quiet.or(Some(Instant::now())),
        }
    }
    seen
}
