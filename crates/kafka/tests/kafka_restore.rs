//! Restores on a real Kafka: with a local log only the difference is read, and whatever is wrong with the log, the counts are
//! exact. Scenarios 6, 8, 9 and 13 of the failure scenarios that every release survives.

mod counting;
mod restoring;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use counting::{Counting, spec};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use throughline_kafka::admin::Admin;
use throughline_kafka::client::ClientOptions;
use throughline_kafka::driver::{Control, DriverError, DriverOptions, Observer, Start, run};
use throughline_kafka::local_log::{Folder, Keeper, KeeperOptions, survey};
use throughline_kafka::restore::{RestoreOptions, RestoreProgress};
use throughline_kafka::status::WorkerStatus;
use throughline_model::murmur2::partition_of;
use throughline_model::{Partition, Stage, Topic};
use throughline_testkit::broker::{Broker, unique_name};
use throughline_worker::WorkerOptions;

/// Keeps what restores read.
#[derive(Clone, Default)]
struct Watching(Arc<Mutex<BTreeMap<Partition, RestoreProgress>>>);

impl Observer<Counting> for Watching {
    fn restore(&mut self, partition: Partition, progress: RestoreProgress, is_over: bool) {
        if is_over {
            self.0.lock().expect("progress").insert(partition, progress);
        }
    }
}

const PARTITIONS: u32 = 4;

/// How long anything may take; only reached when something is wrong.
const LIMIT: Duration = Duration::from_secs(60);

struct Deployment {
    client: ClientOptions,
    prefix: String,
    directory: PathBuf,
}

struct Running {
    control: Arc<Control>,
    watching: Watching,
    thread: JoinHandle<Result<(), DriverError>>,
}

/// What the restores of a run read, together: from the log, and from the changelog.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Read {
    local: u64,
    changelog: u64,
}

impl Deployment {
    fn new(name: &str) -> Self {
        let client = ClientOptions { brokers: Broker::shared().to_owned(), settings: Vec::new() };
        let prefix = unique_name(name);
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&prefix);
        let deployment = Self { client, prefix, directory };
        deployment.create(&["in", "out", "changelog"]);
        deployment
    }

    fn create(&self, topics: &[&str]) {
        let admin = Admin::new(&self.client, Duration::from_secs(10)).expect("an admin client");
        let specs: Vec<_> = topics.iter().map(|topic| spec(self.topic(topic), PARTITIONS)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(admin.create(&specs)).expect("topics are created");
    }

    fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn options(&self, instance: &str, restore: RestoreOptions) -> DriverOptions {
        let outputs = Topic::ALL
            .iter()
            .map(|topic| match topic {
                Topic::ExperienceChangelog => self.topic("changelog"),
                Topic::Scores => self.topic("out"),
                other => self.topic(other.as_str()),
            })
            .collect();
        DriverOptions {
            stage: Stage::Experience,
            name: self.prefix.clone(),
            group: self.prefix.clone(),
            instance: format!("{}-{instance}", self.prefix),
            transactional_id: format!("{}-{instance}", self.prefix),
            inputs: vec![self.topic("in")],
            outputs,
            changelog: Some(self.topic("changelog")),
            start: Start::Earliest,
            worker: WorkerOptions { commit_interval: 50, records_max: 500, uncommitted_bytes_max: 1 << 20 },
            transaction_timeout: Duration::from_secs(8),
            transaction_age_max: Duration::from_secs(4),
            session_timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(30),
            poll_records_max: 100,
            restore,
        }
    }

    fn start(&self, has_log: bool) -> Running {
        let keeper = has_log.then(|| keeper(&self.directory));
        self.start_as("a", RestoreOptions { keeper, ..RestoreOptions::default() })
    }

    fn start_as(&self, instance: &str, restore: RestoreOptions) -> Running {
        let control = Arc::new(Control::default());
        let watching = Watching::default();
        let (client, options) = (self.client.clone(), self.options(instance, restore));
        let (shared, observer) = (Arc::clone(&control), watching.clone());
        let thread = std::thread::spawn(move || run(client, options, Counting::new(PARTITIONS), shared, observer));
        Running { control, watching, thread }
    }

    fn produce(&self, records: u64) {
        self.produce_all((0..records).map(|at| at % 97));
    }

    /// One record for every so many of these keys.
    fn produce_keys(&self, keys: Range<u64>, every: usize) {
        self.produce_all(keys.step_by(every));
    }

    fn produce_all(&self, keys: impl Iterator<Item = u64>) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.client.brokers)
            .set("partitioner", "murmur2_random")
            .create()
            .expect("a producer");
        let topic = self.topic("in");
        for key in keys.map(|at| format!("k{at}")) {
            let mut record = BaseRecord::to(&topic).key(&key).payload("x");
            while let Err((_, again)) = producer.send(record) {
                record = again;
                producer.poll(Duration::from_millis(5));
            }
        }
        producer.flush(Duration::from_secs(30)).expect("records are acknowledged");
    }

    /// Every count of every key was written exactly once.
    fn assert_counts(&self, records: u64) {
        let outputs = counting::read(&self.client, &self.topic("out"), PARTITIONS, records);
        assert_eq!(outputs.len() as u64, records, "every count of every key is there");
        assert!(outputs.values().all(|times| *times == 1), "no count is there twice");
    }

    fn folders(&self) -> Vec<PathBuf> {
        (0..PARTITIONS)
            .map(|partition| self.directory.join(self.topic("changelog")).join(partition.to_string()))
            .collect()
    }

    /// Commits more until the positions of the logs reach what the changelog holds now: the brokers are asked once a second,
    /// and the answer is written with the next commit. Returns how many records there are then.
    fn settle(&self, running: &Running, mut records: u64) -> u64 {
        let consumer: BaseConsumer = self.client.reader("outside", false).create().expect("a consumer");
        let end = |partition| {
            let marks = consumer.fetch_watermarks(&self.topic("changelog"), partition, Duration::from_secs(10));
            marks.expect("answered").1
        };
        let wanted: i64 = (0..PARTITIONS as i32).map(end).sum();
        let began = Instant::now();
        while self.folders().iter().map(|folder| position(folder)).sum::<i64>() < wanted {
            assert!(began.elapsed() < LIMIT, "positions below {wanted}");
            assert!(!running.thread.is_finished(), "the worker runs");
            self.produce(97);
            records += 97;
            self.assert_counts(records);
        }
        records
    }
}

/// Local logs in a directory. A worker that was refused leaves readers behind, which have it until they notice.
fn keeper(directory: &Path) -> Arc<Keeper> {
    let began = Instant::now();
    loop {
        match Keeper::start(KeeperOptions::new(directory.to_owned())) {
            Ok(keeper) => return keeper,
            Err(error) => assert!(began.elapsed() < LIMIT, "{} is not free: {error}", directory.display()),
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn position(folder: &Path) -> i64 {
    survey(&Folder, folder).ok().and_then(|found| found.position).map_or(0, |position| position.next)
}

impl Running {
    /// Waits until every partition is restored, and says what that read.
    fn restored(&self) -> Read {
        let began = Instant::now();
        loop {
            let seen = self.watching.0.lock().expect("progress").clone();
            if seen.len() == PARTITIONS as usize {
                let sum = |of: fn(&RestoreProgress) -> u64| seen.values().map(of).sum::<u64>();
                let local = sum(|progress| progress.local_records);
                return Read { local, changelog: sum(|progress| progress.records) - local };
            }
            assert!(began.elapsed() < Duration::from_secs(60), "restored {} partitions", seen.len());
            assert!(!self.thread.is_finished(), "the worker runs");
            std::thread::yield_now();
        }
    }

    /// Waits for something that its status says.
    fn wait_until(&self, what: &str, condition: impl Fn(&WorkerStatus) -> bool) {
        let began = Instant::now();
        while !condition(&self.control.status()) {
            assert!(began.elapsed() < LIMIT, "not {what}: {:?}", self.control.status());
            assert!(!self.thread.is_finished(), "the worker ended before it was {what}");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    fn drain(self) {
        self.control.drain();
        self.thread.join().expect("no panic").expect("a clean end");
    }

    fn refusal(self) -> String {
        let began = Instant::now();
        while !self.thread.is_finished() {
            assert!(began.elapsed() < LIMIT, "not refused: {:?}", self.control.status());
            std::thread::park_timeout(Duration::from_millis(5));
        }
        self.thread.join().expect("no panic").expect_err("refused").to_string()
    }
}

#[test]
fn scenario_09_a_restart_with_a_local_log_reads_only_the_difference() {
    let deployment = Deployment::new("restart");
    let first = deployment.start(true);
    deployment.produce(3_000);
    deployment.assert_counts(3_000);
    assert_eq!(first.restored(), Read { local: 0, changelog: 0 });
    let records = deployment.settle(&first, 3_000);
    first.drain();
    let second = deployment.start(true);
    let read = second.restored();
    assert!(read.local >= 97, "{read:?}");
    assert!(read.changelog < read.local, "most comes from the log: {read:?}");
    deployment.produce(1_000);
    deployment.assert_counts(records + 1_000);
    second.drain();
    // Torn, flipped, too old, gone: each partition of its own.
    let folders = deployment.folders();
    let last = |folder: &Path| {
        let found = survey(&Folder, folder).expect("readable");
        found.files.iter().rfind(|file| file.records > 0).expect("records").path.clone()
    };
    let torn = last(&folders[0]);
    let bytes = std::fs::read(&torn).expect("a file");
    std::fs::write(&torn, &bytes[..bytes.len() - 7]).expect("written");
    let flipped = last(&folders[1]);
    let mut bytes = std::fs::read(&flipped).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&flipped, bytes).expect("written");
    std::fs::remove_dir_all(&folders[2]).expect("removed");
    let third = deployment.start(true);
    let read = third.restored();
    assert!(read.local > 0 && read.changelog > 0, "{read:?}");
    deployment.produce(1_000);
    deployment.assert_counts(records + 2_000);
    third.drain();
    // Without the log the changelog alone gives the same.
    let fourth = deployment.start(false);
    assert_eq!(fourth.restored().local, 0);
    deployment.produce(500);
    deployment.assert_counts(records + 2_500);
    fourth.drain();
    // The log is behind now: what was committed without it is part of the difference.
    let fifth = deployment.start(true);
    assert!(fifth.restored().local > 0);
    deployment.produce(500);
    deployment.assert_counts(records + 3_000);
    fifth.drain();
    std::fs::remove_dir_all(&deployment.directory).expect("removed");
}

#[test]
fn a_partition_that_returns_reads_only_the_difference() {
    let deployment = Deployment::new("warm");
    let warm = RestoreOptions { warm: Duration::from_secs(120), ..RestoreOptions::default() };
    let first = deployment.start_as("a", warm.clone());
    deployment.produce(3_000);
    deployment.assert_counts(3_000);
    let second = deployment.start_as("b", warm);
    let began = Instant::now();
    while second.control.status().tasks.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "the second worker gets partitions");
        std::thread::yield_now();
    }
    // What the second one commits is the difference.
    deployment.produce(500);
    deployment.assert_counts(3_500);
    first.watching.0.lock().expect("progress").clear();
    second.drain();
    let began = Instant::now();
    let returned = loop {
        let seen = first.watching.0.lock().expect("progress").clone();
        if !seen.is_empty() && first.control.status().tasks.iter().all(|task| !task.restoring) {
            break seen;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the first worker gets them back");
        std::thread::yield_now();
    };
    for (partition, progress) in &returned {
        assert!(progress.warm_records > 0, "{partition:?}: {progress:?}");
    }
    deployment.produce(500);
    deployment.assert_counts(4_000);
    first.drain();
}

#[test]
fn scenario_08_a_changelog_that_was_made_anew_is_refused_and_its_log_is_not_used() {
    let deployment = Deployment::new("anew");
    let first = deployment.start(true);
    deployment.produce(1_000);
    deployment.assert_counts(1_000);
    first.drain();
    deployment.delete("changelog");
    deployment.create_when_gone("changelog");
    let why = deployment.start(true).refusal();
    let topic = deployment.topic("changelog");
    assert!(why.contains(&topic) && why.contains("offsets 0 to 0") && why.contains("application id"), "{why}");
    std::fs::remove_dir_all(&deployment.directory).expect("removed");
}

/// At the end of the changelog there is nothing but what was left of dropped transactions, with gaps before it.
#[test]
fn scenario_08_a_changelog_whose_tail_was_compacted_away_restores_the_same() {
    let deployment = Deployment::new("compacted");
    let first = deployment.start(false);
    for records in [500, 1_000] {
        // Every key has a record in each of them.
        deployment.produce(500);
        deployment.assert_counts(records);
    }
    first.drain();
    let compacting = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.001"),
        ("delete.retention.ms", "0"),
    ];
    deployment.alter_changelog(&compacting);
    // 97 keys and 4 headers, and beside them what is in the segment that is written: two dropped records of each partition.
    let (written, left) = (deployment.changelog_records(), 97 + 4 + 8);
    assert!(written > left, "there is something to compact: {written} records");
    let dropped = deployment.open_transaction(0..PARTITIONS as i32);
    let began = Instant::now();
    loop {
        dropped.abort_transaction(LIMIT).expect("aborted");
        if deployment.changelog_records() <= left {
            break;
        }
        assert!(began.elapsed() < LIMIT, "compacted: {} records", deployment.changelog_records());
        // A segment that is full is compacted when the next one has begun.
        std::thread::park_timeout(Duration::from_millis(150));
        deployment.write_open(&dropped, 0..PARTITIONS as i32);
    }
    let second = deployment.start(false);
    assert_eq!(second.restored(), Read { local: 0, changelog: 97 + 4 });
    deployment.produce(500);
    deployment.assert_counts(1_500);
    second.drain();
}

#[test]
fn scenario_08_a_changelog_that_begins_behind_the_local_log_is_refused() {
    let deployment = Deployment::new("behind");
    let first = deployment.start(true);
    deployment.produce(1_000);
    deployment.assert_counts(1_000);
    let records = deployment.settle(&first, 1_000);
    first.drain();
    let known = position(&deployment.folders()[0]);
    let without = deployment.start(false);
    deployment.produce(1_000);
    deployment.assert_counts(records + 1_000);
    without.drain();
    // What is between both is nowhere: neither in the log nor in the changelog.
    let (_, high) = deployment.range("changelog", 0);
    let low = deployment.delete_records("changelog", 0, Offset::Offset(high - 3));
    assert!(known < low && low < high, "{known} {low} {high}");
    let why = deployment.start(true).refusal();
    let state = format!("state of {}[0] cannot be continued", deployment.topic("changelog"));
    assert!(why.contains(&state) && why.contains("deleted from its start"), "{why}");
    let low = deployment.delete_records("changelog", 0, Offset::End);
    let why = deployment.start(true).refusal();
    assert!(why.contains(&state) && why.contains(&format!("offsets {low} to {high} hold nothing")), "{why}");
    std::fs::remove_dir_all(&deployment.directory).expect("removed");
}

/// Keys of a changelog that takes a second or two to read.
const KEYS: u64 = 200_000;

/// A second worker joins and leaves again and again while the first one reads state back: what was read for a partition that went
/// away in the middle belongs to nobody.
fn check_storm(name: &str, has_log: bool) {
    let deployment = Deployment::new(name);
    deployment.fill(KEYS);
    // The state of one partition cannot be read to its end before the storm is over.
    let open = deployment.open_transaction(0..1);
    let start = |instance: &str| {
        let directory = deployment.directory.join(instance);
        let keeper = has_log.then(|| keeper(&directory));
        deployment.start_as(instance, RestoreOptions { keeper, ..RestoreOptions::default() })
    };
    let restoring = |status: &WorkerStatus| status.tasks.iter().any(|task| task.restoring);
    let first = start("a");
    for round in 0..3 {
        first.wait_until("reading all of it", |status| status.tasks.len() == PARTITIONS as usize && restoring(status));
        let second = start("b");
        second.wait_until("given partitions", |status| !status.tasks.is_empty());
        assert!(restoring(&first.control.status()) || restoring(&second.control.status()), "round {round}");
        second.drain();
    }
    open.abort_transaction(LIMIT).expect("aborted");
    first.wait_until("restored", |status| status.tasks.len() == PARTITIONS as usize && !restoring(status));
    deployment.produce_keys(0..KEYS, 100);
    let outputs = counting::read(&deployment.client, &deployment.topic("out"), PARTITIONS, KEYS / 100);
    assert_eq!(outputs.len() as u64, KEYS / 100, "one for each record");
    assert!(
        outputs.iter().all(|((_, count), times)| (*count, *times) == (8, 1)),
        "each goes on from what was restored"
    );
    first.drain();
    if has_log {
        std::fs::remove_dir_all(&deployment.directory).expect("removed");
    }
}

#[test]
fn scenario_06_rebalances_while_much_state_is_read_back() {
    check_storm("storm", false);
}

#[test]
fn scenario_06_rebalances_while_much_state_is_read_back_with_local_logs() {
    check_storm("storm-log", true);
}

/// What a transaction wrote that is open when its partition is assigned may be committed later: state is not complete without it.
#[test]
fn scenario_03_a_restore_waits_for_what_an_open_transaction_commits() {
    let deployment = Deployment::new("open");
    let first = deployment.start(false);
    deployment.produce(970);
    deployment.assert_counts(970);
    first.drain();
    let at = |key: &str| partition_of(key.as_bytes(), PARTITIONS);
    let open = deployment.open_transaction(at("k1")..at("k1") + 1);
    let second = deployment.start(false);
    let restoring = |status: &WorkerStatus| status.tasks.iter().filter(|task| task.restoring).count();
    let has_all = |status: &WorkerStatus| status.tasks.len() == PARTITIONS as usize;
    second.wait_until("waiting with one of them", |status| has_all(status) && restoring(status) == 1);
    // Long enough for its reader to look again: another partition goes on, from a record to what is committed.
    let other = (2..97).find(|key| at(&format!("k{key}")) != at("k1")).expect("there are other partitions");
    deployment.produce_keys(other..other + 1, 1);
    deployment.assert_counts(971);
    assert_eq!(restoring(&second.control.status()), 1, "its state is not complete");
    open.commit_transaction(LIMIT).expect("committed");
    second.wait_until("restored", |status| has_all(status) && restoring(status) == 0);
    deployment.produce_keys(1..2, 1);
    let outputs = counting::read(&deployment.client, &deployment.topic("out"), PARTITIONS, 972);
    assert_eq!(outputs.get(&("k1".to_owned(), 1_000_001)), Some(&1), "k1 goes on from what was committed");
    second.drain();
}

#[test]
fn scenario_13_input_that_retention_deletes_while_it_waits_is_refused() {
    let deployment = Deployment::new("overtaken");
    let first = deployment.start(false);
    deployment.produce(1_000);
    deployment.assert_counts(1_000);
    first.drain();
    deployment.produce(500);
    let (_, next) = deployment.range("in", 0);
    // Its state cannot be read to the end yet, so that its input is not read either.
    let open = deployment.open_transaction(0..1);
    let second = deployment.start(false);
    second.wait_until("restoring", |status| status.tasks.iter().any(|task| task.partition == 0 && task.restoring));
    let low = deployment.delete_records("in", 0, Offset::End);
    assert_eq!(low, next);
    open.abort_transaction(LIMIT).expect("aborted");
    let why = second.refusal();
    let (topic, group) = (deployment.topic("in"), &deployment.prefix);
    assert!(
        why.contains(&format!("input {topic}[0]")) && why.contains(&format!("the first one left is {low}")),
        "{why}"
    );
    let command = format!("--group {group} --topic {topic}:0 --reset-offsets --to-earliest --execute");
    assert!(why.contains("kafka-consumer-groups.sh") && why.contains(&command), "{why}");
}

#[test]
fn scenario_13_input_that_retention_deleted_is_refused() {
    let deployment = Deployment::new("retention");
    let first = deployment.start(false);
    deployment.produce(1_000);
    deployment.assert_counts(1_000);
    first.drain();
    deployment.produce(500);
    let low = deployment.delete_records("in", 0, Offset::End);
    let why = deployment.start(false).refusal();
    let (topic, group) = (deployment.topic("in"), &deployment.prefix);
    assert!(
        why.contains(&format!("input {topic}[0]")) && why.contains(&format!("the first one left is {low}")),
        "{why}"
    );
    let command = format!("--group {group} --topic {topic}:0 --reset-offsets --to-earliest --execute");
    assert!(why.contains("kafka-consumer-groups.sh") && why.contains(&command), "{why}");
}

#[test]
fn scenario_08_input_that_was_made_anew_is_refused() {
    let deployment = Deployment::new("input");
    let first = deployment.start(false);
    deployment.produce(1_000);
    deployment.assert_counts(1_000);
    first.drain();
    // The brokers forget the offsets of a topic that is deleted.
    deployment.delete("in");
    deployment.create_when_gone("in");
    let why = deployment.start(false).refusal();
    assert!(
        why.contains(&deployment.topic("changelog")) && why.contains(&format!("group {} ", deployment.prefix)),
        "{why}"
    );
}

#[test]
fn input_that_lost_its_end_is_refused() {
    let deployment = Deployment::new("short");
    let mut config = deployment.client.admin("outside");
    let consumer: BaseConsumer = config.set("group.id", &deployment.prefix).create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&deployment.topic("in"), 2, Offset::Offset(500)).expect("an offset");
    consumer.commit(&list, CommitMode::Sync).expect("committed");
    let why = deployment.start(false).refusal();
    assert!(why.contains(&format!("input {}[2]", deployment.topic("in"))), "{why}");
    assert!(why.contains("goes on at offset 500, and the topic ends at 0"), "{why}");
}
