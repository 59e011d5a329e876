//! The driver on a real Kafka: a processor that counts records per key must count each exactly once, through restarts,
//! takeovers and refused outputs.

mod counting;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use counting::{Counting, Hold, spec};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use throughline_kafka::admin::Admin;
use throughline_kafka::classify::Reaction;
use throughline_kafka::client::ClientOptions;
use throughline_kafka::driver::{CommitTimes, Control, DriverError, DriverOptions, Observer, Start, run};
use throughline_kafka::restore::RestoreOptions;
use throughline_kafka::status::Lag;
use throughline_model::{Stage, Topic};
use throughline_testkit::broker::{Broker, unique_name};
use throughline_testkit::cluster::{Cluster, ClusterOptions};
use throughline_testkit::proxy::{Action, Api, Fault, Proxy, Side};
use throughline_worker::WorkerOptions;

/// What a worker went through.
#[derive(Debug, Default, Clone)]
struct Seen {
    /// Records of each committed transaction.
    committed: Vec<u64>,
    /// Endings of the others.
    ended_otherwise: Vec<&'static str>,
    /// Changes of its partitions.
    rebalanced: Vec<&'static str>,
    /// Things that went wrong and were met.
    faults: u32,
    /// What the statistics said last.
    lags: Vec<Lag>,
}

#[derive(Default, Clone)]
struct Watching(Arc<Mutex<Seen>>);

impl Watching {
    fn seen(&self) -> Seen {
        self.0.lock().expect("seen").clone()
    }
}

impl Observer<Counting> for Watching {
    fn committed(&mut self, _processor: &mut Counting, records: u64, _took: CommitTimes) {
        self.0.lock().expect("seen").committed.push(records);
    }

    fn ended_otherwise(&mut self, outcome: &'static str) {
        self.0.lock().expect("seen").ended_otherwise.push(outcome);
    }

    fn fault(&mut self, _reaction: Reaction) {
        self.0.lock().expect("seen").faults += 1;
    }

    fn lag(&mut self, lags: &[Lag]) {
        self.0.lock().expect("seen").lags = lags.to_vec();
    }

    fn rebalanced(&mut self, kind: &'static str, _partitions: usize) {
        self.0.lock().expect("seen").rebalanced.push(kind);
    }
}

struct Deployment {
    client: ClientOptions,
    prefix: String,
    partitions: u32,
}

impl Deployment {
    fn new(partitions: u32) -> Self {
        Self::with_settings(partitions, &[])
    }

    /// The same with settings of librdkafka.
    fn with_settings(partitions: u32, settings: &[(&str, &str)]) -> Self {
        Self::on(Broker::shared().to_owned(), partitions, settings)
    }

    fn on(brokers: String, partitions: u32, settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let client = ClientOptions { brokers, settings };
        let deployment = Self { client, prefix: unique_name("driver"), partitions };
        let admin = Admin::new(&deployment.client, Duration::from_secs(10)).expect("an admin client");
        let specs: Vec<_> = [deployment.input(), deployment.output(), deployment.changelog()]
            .into_iter()
            .map(|name| spec(name, partitions))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(admin.create(&specs)).expect("topics are created");
        deployment
    }

    fn input(&self) -> String {
        format!("{}.in", self.prefix)
    }

    fn output(&self) -> String {
        format!("{}.out", self.prefix)
    }

    fn changelog(&self) -> String {
        format!("{}.changelog", self.prefix)
    }

    fn options(&self, instance: &str) -> DriverOptions {
        let outputs = Topic::ALL
            .iter()
            .map(|topic| match topic {
                Topic::ExperienceChangelog => self.changelog(),
                Topic::Scores => self.output(),
                other => format!("{}.{other}", self.prefix),
            })
            .collect();
        DriverOptions {
            stage: Stage::Experience,
            name: format!("{}-{instance}", self.prefix),
            group: self.prefix.clone(),
            instance: format!("{}-{instance}", self.prefix),
            transactional_id: format!("{}-{instance}", self.prefix),
            inputs: vec![self.input()],
            outputs,
            changelog: Some(self.changelog()),
            start: Start::Earliest,
            worker: WorkerOptions { commit_interval: 50, records_max: 500, uncommitted_bytes_max: 1 << 20 },
            transaction_timeout: Duration::from_secs(8),
            transaction_age_max: Duration::from_secs(4),
            session_timeout: Duration::from_secs(6),
            connect_timeout: Duration::from_secs(30),
            poll_records_max: 100,
            restore: RestoreOptions::default(),
        }
    }

    fn start(&self, instance: &str) -> Running {
        self.start_with(self.options(instance), None)
    }

    fn start_with(&self, options: DriverOptions, hold: Option<Arc<Hold>>) -> Running {
        let (control, watching) = (Arc::new(Control::default()), Watching::default());
        let (client, shared, observer) = (self.client.clone(), Arc::clone(&control), watching.clone());
        let processor = Counting::new(self.partitions).held_at(hold);
        let thread = std::thread::spawn(move || run(client, options, processor, shared, observer));
        Running { control, watching, thread }
    }

    fn produce(&self, keys: impl Iterator<Item = (String, Vec<u8>)>) {
        self.produce_records(keys.map(|(key, value)| (None, key, value)));
    }

    /// The same to given partitions.
    fn produce_to(&self, keys: impl Iterator<Item = (i32, &'static str)>) {
        self.produce_records(keys.map(|(partition, key)| (Some(partition), key.to_owned(), b"x".to_vec())));
    }

    fn produce_records(&self, records: impl Iterator<Item = (Option<i32>, String, Vec<u8>)>) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.client.brokers)
            .set("partitioner", "murmur2_random")
            .set("message.max.bytes", "4000000")
            .create()
            .expect("a producer");
        let topic = self.input();
        for (partition, key, value) in records {
            let mut record = BaseRecord::to(&topic).key(&key).payload(&value);
            record.partition = partition;
            while let Err((_, again)) = producer.send(record) {
                record = again;
                producer.poll(Duration::from_millis(5));
            }
        }
        producer.flush(Duration::from_secs(30)).expect("records are acknowledged");
    }

    /// Counts in the output: how often each (key, count) was written, read-committed.
    fn outputs(&self, expected: u64) -> BTreeMap<(String, u64), u32> {
        counting::read(&self.client, &self.output(), self.partitions, expected)
    }
}

struct Running {
    control: Arc<Control>,
    watching: Watching,
    thread: JoinHandle<Result<(), DriverError>>,
}

impl Running {
    /// How many partitions it has.
    fn held(&self) -> usize {
        self.control.status().tasks.len()
    }

    /// Waits for a condition while it runs.
    fn wait_until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let began = Instant::now();
        while !condition() {
            assert!(began.elapsed() < Duration::from_secs(90), "not {what}: {:?}", self.control.status());
            assert!(!self.thread.is_finished(), "the worker ended before {what}: {:?}", self.control.status());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    fn drain(self) {
        self.control.drain();
        self.thread.join().expect("no panic").expect("a clean end");
    }
}

fn keys(count: u64) -> impl Iterator<Item = (String, Vec<u8>)> {
    (0..count).map(|at| (format!("k{}", at % 97), b"x".to_vec()))
}

/// Bytes that stay large on the wire, the first an `L`.
fn incompressible(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut bytes: Vec<u8> = (0..length)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    bytes[0] = b'L';
    bytes
}

fn assert_each_once(outputs: &BTreeMap<(String, u64), u32>, records: u64) {
    assert_eq!(outputs.len() as u64, records, "every count of every key is there");
    assert!(outputs.values().all(|times| *times == 1), "no count is there twice");
}

#[test]
fn records_are_counted_exactly_once_across_a_restart() {
    let deployment = Deployment::new(4);
    deployment.produce(keys(3_000));
    let first = deployment.start("a");
    let _seen = deployment.outputs(1_000);
    first.drain();
    deployment.produce(keys(2_000));
    // The second run has the state of the first only through the changelog.
    let second = deployment.start("a");
    assert_each_once(&deployment.outputs(5_000), 5_000);
    second.drain();
}

#[test]
fn partitions_move_between_workers_without_loss_or_double() {
    let deployment = Deployment::new(4);
    deployment.produce(keys(4_000));
    let first = deployment.start("a");
    let _seen = deployment.outputs(500);
    let second = deployment.start("b");
    deployment.produce(keys(4_000));
    let joined = Instant::now();
    while second.control.status().tasks.is_empty() {
        assert!(joined.elapsed() < Duration::from_secs(60), "the second worker gets partitions");
        std::thread::yield_now();
    }
    deployment.produce(keys(2_000));
    let _seen = deployment.outputs(9_000);
    first.drain();
    assert_each_once(&deployment.outputs(10_000), 10_000);
    second.drain();
}

#[test]
fn a_record_whose_output_is_refused_is_rejected_and_its_siblings_go_on() {
    let deployment = Deployment::new(1);
    deployment.produce((0..50).map(|at| {
        let value = if at == 30 { incompressible(1_500_000) } else { b"x".to_vec() };
        (format!("k{at}"), value)
    }));
    let worker = deployment.start("a");
    let outputs = deployment.outputs(50);
    assert_each_once(&outputs, 50);
    assert!(outputs.contains_key(&("rejected k30".to_owned(), 0)), "{outputs:?}");
    worker.drain();
}

#[test]
fn partitions_that_a_killed_member_left_with_nobody_are_found() {
    let deployment = Deployment::new(2);
    let options = deployment.options("a");
    let config = deployment.client.consumer(&options.name, &options.group, &options.instance, 6_000);
    let killed: BaseConsumer = config.create().expect("a consumer");
    killed.subscribe(&[&deployment.input()]).expect("subscribed");
    let began = Instant::now();
    let soon = |what: &str| assert!(began.elapsed() < Duration::from_secs(90), "{what}");
    while killed.assignment().expect("an assignment").count() < 2 {
        soon("the first member gets both partitions");
        let _nothing = killed.poll(Duration::from_millis(20));
    }
    // From here on nobody answers the first member's notices: it joins again, and gives nothing back before it is killed.
    let other = deployment.start("b");
    while !other.control.status().joined {
        soon("the second member joins");
        std::thread::yield_now();
    }
    assert!(other.control.status().tasks.is_empty(), "one partition is on its way");
    drop(killed);
    let again = deployment.start("a");
    let held = |running: &Running| running.control.status().tasks.len();
    while held(&again) + held(&other) < 2 {
        soon("both partitions are somebody's again");
        std::thread::yield_now();
    }
    again.drain();
    other.drain();
}

/// Settings of a worker that may stay away from its consumer for a short time only: a static member that does, stops telling
/// that it is alive, and loses its place when its session has ended.
const SHORT_POLL: [(&str, &str); 1] = [("max.poll.interval.ms", "5000")];
const SHORT_SESSION: Duration = Duration::from_secs(3);

#[test]
fn scenario_07_a_poll_that_comes_too_late() {
    let deployment = Deployment::with_settings(4, &SHORT_POLL);
    let options = |instance: &str| DriverOptions { session_timeout: SHORT_SESSION, ..deployment.options(instance) };
    let hold = Arc::new(Hold::default());
    let first = deployment.start_with(options("a"), Some(Arc::clone(&hold)));
    let second = deployment.start_with(options("b"), None);
    first.wait_until("sharing with the second", || first.held() == 2 && second.held() == 2);
    // One for each partition: the first one is stopped by one of them, inside of a transaction.
    deployment.produce_to((0..4).map(|partition| (partition, Hold::KEY)));
    hold.wait();
    deployment.produce(keys(1_000));
    second.wait_until("alone with all partitions", || second.held() == 4);
    let _taken_over = deployment.outputs(1_004);
    hold.release();
    first.wait_until("given partitions again", || first.held() == 2 && second.held() == 2);
    deployment.produce(keys(1_000));
    assert_each_once_beside_holds(&deployment.outputs(2_004), 2_000);
    let seen = first.watching.seen();
    assert!(seen.rebalanced.contains(&"lost"), "the first one was told: {seen:?}");
    first.drain();
    second.drain();
}

fn assert_each_once_beside_holds(outputs: &BTreeMap<(String, u64), u32>, records: u64) {
    let counted = outputs.iter().filter(|((key, _), _)| key != Hold::KEY).map(|(at, times)| (at.clone(), *times));
    assert_each_once(&counted.collect(), records);
}

/// While librdkafka waits for an answer to a rebalance it tells nobody that partitions are lost: a member that the group forgot
/// meanwhile takes part again with partitions that it never gave back and that another one has moved, and what it commits
/// under its new id is accepted.
#[test]
fn scenario_07_a_poll_that_comes_too_late_while_the_group_rebalances() {
    let cluster = Cluster::start(&ClusterOptions { brokers: 1, ..ClusterOptions::default() }).expect("a broker starts");
    let proxy = Proxy::start(&cluster.endpoints(0)).expect("a proxy starts");
    let deployment = Deployment::on(proxy.bootstrap(), 4, &SHORT_POLL);
    let options = |instance: &str| DriverOptions { session_timeout: SHORT_SESSION, ..deployment.options(instance) };
    let hold = Arc::new(Hold::default());
    // The transaction that it begins after it woke is still open when it takes part in the group again.
    let worker = WorkerOptions { commit_interval: 6_000, records_max: 500, uncommitted_bytes_max: 1 << 20 };
    let first = deployment.start_with(DriverOptions { worker, ..options("a") }, Some(Arc::clone(&hold)));
    deployment.produce(keys(2_000));
    let _counted = deployment.outputs(2_000);
    deployment.produce_to((0..4).map(|partition| (partition, Hold::KEY)));
    hold.wait();
    // It is asked to give some back, and does not answer before its session ends.
    let second = deployment.start_with(options("b"), None);
    second.wait_until("alone with all partitions", || second.held() == 4);
    deployment.produce(keys(800));
    let _taken_over = deployment.outputs(2_804);
    // The group waits for the second before it takes the first in again.
    let name = options("b").name;
    let held = proxy.inject(Fault::once(Api::JoinGroup, Side::Request, Action::Hold).of(&name));
    hold.release();
    assert!(held.wait_met(Duration::from_secs(30)), "the second is asked to join again");
    let began = Instant::now();
    while first.control.status().phase != "open" && began.elapsed() < Duration::from_secs(3) {
        std::thread::park_timeout(Duration::from_millis(5));
    }
    drop(held);
    first.wait_until("given partitions again", || first.held() == 2 && second.held() == 2);
    deployment.produce(keys(1_000));
    assert_each_once_beside_holds(&deployment.outputs(3_804), 3_800);
    first.drain();
    second.drain();
}

#[test]
fn scenario_12_a_full_producer_queue_is_waited_for() {
    let deployment = Deployment::with_settings(1, &[("queue.buffering.max.messages", "100")]);
    let records = 3_000;
    deployment.produce((0..records).map(|at| (format!("k{at}"), b"x".to_vec())));
    let worker = WorkerOptions { commit_interval: 3_000, records_max: records, uncommitted_bytes_max: 1 << 20 };
    let options = DriverOptions { worker, ..deployment.options("a") };
    let worker = deployment.start_with(options, None);
    assert_each_once(&deployment.outputs(records), records);
    let seen = worker.watching.seen();
    // Each record has an output with a header, one call each, and a changelog record without, in arrays.
    let largest = seen.committed.iter().max().copied().unwrap_or(0);
    assert!(largest >= 1_000, "far more at once than the queue takes: {seen:?}");
    assert!(seen.ended_otherwise.is_empty(), "a full queue aborts nothing: {seen:?}");
    worker.drain();
}

/// What a worker does in one transaction that counts the first record of each of these keys, up to its end: outputs, changelog and
/// offsets are with the brokers.
fn transaction_of_another(deployment: &Deployment, keys: u64) -> BaseProducer {
    let mut config = deployment.client.admin("outside");
    config.set("transactional.id", deployment.options("a").transactional_id);
    let producer: BaseProducer = config.create().expect("a producer");
    let limit = Duration::from_secs(30);
    producer.init_transactions(limit).expect("registered");
    producer.begin_transaction().expect("begun");
    let one = 1u64.to_le_bytes();
    let send = |topic: &str, key: &str, value: &[u8]| {
        let record = BaseRecord::to(topic).partition(0).key(key).payload(value);
        producer.send(record).map_err(|(error, _)| error).expect("taken");
    };
    send(&deployment.changelog(), "header", &[]);
    for key in (0..keys).map(|at| format!("k{at}")) {
        send(&deployment.output(), &key, &one);
        send(&deployment.changelog(), &key, &one);
    }
    producer.flush(limit).expect("acknowledged");
    let mut config = deployment.client.admin("outside");
    let member: BaseConsumer = config.set("group.id", &deployment.prefix).create().expect("a consumer");
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&deployment.input(), 0, Offset::Offset(keys as i64)).expect("an offset");
    offsets.find_partition(&deployment.input(), 0).expect("it is there").set_metadata("txn_seq=1;by=1");
    // A group that is empty takes offsets from anybody.
    let group = member.group_metadata().expect("a group");
    producer.send_offsets_to_transaction(&offsets, &group, limit).expect("accepted");
    producer
}

#[test]
fn scenario_03_a_takeover_waits_for_the_transaction_that_was_left_open() {
    let deployment = Deployment::new(1);
    deployment.produce((0..90).map(|at| (format!("k{at}"), b"x".to_vec())));
    let open = transaction_of_another(&deployment, 90);
    let worker = deployment.start("b");
    worker.wait_until("told that offsets are unstable", || worker.watching.seen().faults > 0);
    assert_eq!(worker.held(), 0, "nothing is read before it is known where");
    open.commit_transaction(Duration::from_secs(30)).expect("committed");
    deployment.produce((0..90).map(|at| (format!("k{at}"), b"x".to_vec())));
    assert_each_once(&deployment.outputs(180), 180);
    worker.drain();
}

#[test]
fn of_two_with_one_static_id_the_later_one_stays() {
    let deployment = Deployment::new(2);
    let options = || DriverOptions { session_timeout: SHORT_SESSION, ..deployment.options("a") };
    let first = deployment.start_with(options(), None);
    first.wait_until("given partitions", || first.held() == 2);
    let later = deployment.start_with(options(), None);
    let why = first.thread.join().expect("no panic").expect_err("superseded").to_string();
    assert!(why.contains("another process is member") && why.contains("instance.ordinal"), "{why}");
    later.wait_until("given partitions", || later.held() == 2);
    deployment.produce(keys(500));
    assert_each_once(&deployment.outputs(500), 500);
    later.drain();
}

/// Nothing behind a transaction that nobody ends is given out, and no lag shows it.
#[test]
fn a_transaction_of_others_that_is_not_ended_is_told() {
    let deployment = Deployment::new(1);
    let worker = deployment.start("a");
    deployment.produce(keys(100));
    let _counted = deployment.outputs(100);
    let mut config = deployment.client.admin("outside");
    let outside: BaseProducer = config.set("transactional.id", &deployment.prefix).create().expect("a producer");
    let limit = Duration::from_secs(30);
    outside.init_transactions(limit).expect("registered");
    outside.begin_transaction().expect("begun");
    let topic = deployment.input();
    outside.send(BaseRecord::to(&topic).key("k1").payload("x")).map_err(|(error, _)| error).expect("taken");
    outside.flush(limit).expect("acknowledged");
    deployment.produce(keys(50));
    let is_held = |lag: &Lag| lag.unstable_records == 51 && lag.unstable_seconds > 1.0 && lag.records == 0;
    worker.wait_until("held back", || worker.watching.seen().lags.iter().any(is_held));
    outside.abort_transaction(limit).expect("aborted");
    worker.wait_until("given out", || {
        worker.watching.seen().lags.iter().any(|lag| lag.unstable_records == 0 && lag.unstable_seconds == 0.0)
    });
    assert_each_once(&deployment.outputs(150), 150);
    worker.drain();
}
