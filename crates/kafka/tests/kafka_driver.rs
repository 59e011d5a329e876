//! The driver on a real Kafka: a processor that counts records per key must count each exactly once, through restarts,
//! takeovers and refused outputs.

mod counting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use counting::{Counting, spec};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use throughline_kafka::admin::Admin;
use throughline_kafka::client::ClientOptions;
use throughline_kafka::driver::{Control, DriverError, DriverOptions, Observer, Start, run};
use throughline_kafka::restore::RestoreOptions;
use throughline_model::{Stage, Topic};
use throughline_testkit::broker::{Broker, unique_name};
use throughline_worker::WorkerOptions;

struct Silent;
impl Observer<Counting> for Silent {}

struct Deployment {
    client: ClientOptions,
    prefix: String,
    partitions: u32,
}

impl Deployment {
    fn new(partitions: u32) -> Self {
        let client = ClientOptions { brokers: Broker::shared().to_owned(), settings: Vec::new() };
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
        let control = Arc::new(Control::default());
        let (client, options, shared) = (self.client.clone(), self.options(instance), Arc::clone(&control));
        let partitions = self.partitions;
        let thread = std::thread::spawn(move || run(client, options, Counting::new(partitions), shared, Silent));
        Running { control, thread }
    }

    fn produce(&self, keys: impl Iterator<Item = (String, Vec<u8>)>) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.client.brokers)
            .set("partitioner", "murmur2_random")
            .set("message.max.bytes", "4000000")
            .create()
            .expect("a producer");
        let topic = self.input();
        for (key, value) in keys {
            let mut record = BaseRecord::to(&topic).key(&key).payload(&value);
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
    thread: JoinHandle<Result<(), DriverError>>,
}

impl Running {
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
