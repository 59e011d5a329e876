//! Scenario 12 on three brokers: one or all of them go away under load. Nothing ends, nothing is lost, nothing is there twice, and
//! it goes on. `cargo xtask chaos` does the same for long and in any order.

mod deployment;
mod disturbed;

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deployment::program::Program;
use deployment::records::client_at;
use deployment::{LIMIT, SESSION_TIMEOUT};
use disturbed::Disturbed;
use disturbed::feeder::Feeder;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ConfigSource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;
use throughline_testkit::cluster::{Cluster, ClusterOptions};

/// The brokers of all tests of this file, one test after the other.
static CLUSTER: LazyLock<Mutex<Cluster>> = LazyLock::new(|| {
    let options = ClusterOptions { proxied: 5, ..ClusterOptions::default() };
    Mutex::new(Cluster::start(&options).expect("brokers start"))
});

/// Records a second.
const RATE: u64 = 200;

/// One process under steady load while something happens to the brokers.
fn check(listener: usize, name: &str, disturb: impl FnOnce(&mut Cluster, &Disturbed, &Program)) {
    let mut cluster = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
    wait_in_sync(&mut cluster);
    let disturbed = Disturbed::new(&cluster, listener, name, 7);
    let program = disturbed.deployment.start_ready(0);
    let feeder = Feeder::start(&cluster.bootstrap(), disturbed.source(), disturbed.load, RATE);
    disturbed.deployment.wait_for_touchpoints(RATE);
    disturb(&mut cluster, &disturbed, &program);
    // It goes on: what was sent until now comes out.
    disturbed.deployment.wait_for_touchpoints(feeder.sent());
    wait_in_sync(&mut cluster);
    feeder.stop();
    disturbed.check(vec![program]);
}

fn metadata(cluster: &Cluster, topic: Option<&str>) -> Option<Metadata> {
    let reader: BaseConsumer = client_at(&cluster.bootstrap()).create().expect("a client");
    reader.fetch_metadata(topic, Duration::from_secs(10)).ok()
}

/// Returns when every broker runs and has all that it is to have: one that is killed as the last that has a partition loses the
/// markers of transactions that were about to commit (KAFKA-20734).
fn wait_in_sync(cluster: &mut Cluster) {
    for number in 0..cluster.brokers() {
        cluster.start_again(number).expect("a broker starts again");
    }
    let began = Instant::now();
    let is_in_sync = |metadata: Metadata| {
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        partitions.into_iter().all(|partition| partition.isr().len() == cluster.brokers())
    };
    while !metadata(cluster, None).is_some_and(is_in_sync) {
        assert!(began.elapsed() < LIMIT, "brokers are not in sync after {LIMIT:?}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// Number of the broker that leads a partition.
fn leader(cluster: &Cluster, topic: &str, partition: i32) -> usize {
    let metadata = metadata(cluster, Some(topic)).expect("brokers answer");
    let led = metadata.topics()[0].partitions().iter().find(|at| at.id() == partition).expect("it is there").leader();
    usize::try_from(led).expect("it has a leader") - 1
}

/// Kills a broker, and starts it again when the rest has taken over.
fn kill_for_a_while(cluster: &mut Cluster, disturbed: &Disturbed, number: usize, touchpoints: u64) {
    cluster.kill(number);
    disturbed.deployment.wait_for_touchpoints(touchpoints);
    cluster.start_again(number).expect("a broker starts again");
}

#[test]
fn scenario_12_the_leader_of_an_inbox_partition_is_killed() {
    check(0, "leader", |cluster, disturbed, _program| {
        let inbox = disturbed.deployment.topic("throughline.experience.inbox");
        let number = leader(cluster, &inbox, 0);
        kill_for_a_while(cluster, disturbed, number, 6 * RATE);
        assert_ne!(leader(cluster, &inbox, 0), number, "another one leads");
    });
}

/// Kills the broker that coordinates what has this name: the leader of its partition of one of the brokers' own topics.
fn kill_the_coordinator(cluster: &mut Cluster, disturbed: &Disturbed, topic: &str, name: &str) {
    // As brokers find it: Java's hash of the name, over the partitions of the topic.
    let hash = name.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    let partition = (hash & i32::MAX) % 4;
    let number = leader(cluster, topic, partition);
    kill_for_a_while(cluster, disturbed, number, 6 * RATE);
    assert_ne!(leader(cluster, topic, partition), number, "another one coordinates");
}

#[test]
fn scenario_12_the_transaction_coordinator_is_killed() {
    check(1, "coordinator", |cluster, disturbed, _program| {
        let id = format!("{}-experience-0-0", disturbed.deployment.application);
        kill_the_coordinator(cluster, disturbed, "__transaction_state", &id);
    });
}

/// The client library may wait for ever for an answer about offsets when the coordinator of their group goes (librdkafka#5456).
#[test]
fn scenario_12_the_group_coordinator_is_killed() {
    check(4, "group", |cluster, disturbed, _program| {
        let group = format!("{}-experience", disturbed.deployment.application);
        kill_the_coordinator(cluster, disturbed, "__consumer_offsets", &group);
    });
}

/// Sets how many replicas must have a record of this topic; what else is set for it stays.
fn require_in_sync(cluster: &Cluster, topic: &str, replicas: usize) {
    let client: AdminClient<DefaultClientContext> = client_at(&cluster.bootstrap()).create().expect("an admin client");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (resource, options) = (ResourceSpecifier::Topic(topic), AdminOptions::new());
    let described = runtime.block_on(client.describe_configs([&resource], &options)).expect("brokers answer");
    let entries = described.into_iter().flat_map(|found| found.expect("described").entries);
    let own = entries.filter(|entry| entry.source == ConfigSource::DynamicTopic && entry.name != "min.insync.replicas");
    let own: Vec<(String, String)> = own.filter_map(|entry| Some((entry.name, entry.value?))).collect();
    let replicas = replicas.to_string();
    let change = AlterConfig::new(resource).set("min.insync.replicas", &replicas);
    let change = own.iter().fold(change, |change, (name, value)| change.set(name, value));
    let altered = runtime.block_on(client.alter_configs([&change], &options)).expect("brokers answer");
    altered.into_iter().for_each(|result| drop(result.expect("altered")));
}

#[test]
fn scenario_12_too_few_replicas_are_in_sync_for_a_while() {
    check(2, "replicas", |cluster, disturbed, program| {
        for topic in ["throughline.experience.inbox", "experience.touchpoints"] {
            require_in_sync(cluster, &disturbed.deployment.topic(topic), 3);
        }
        let inbox = disturbed.deployment.topic("throughline.experience.inbox");
        let number = (leader(cluster, &inbox, 0) + 1) % 3;
        cluster.stop(number);
        // Both stages have outputs that no broker takes.
        for worker in ["normalize-0", "experience-0"] {
            program.wait_for_line("without acknowledgements", |line| {
                (line.contains(worker) && line.contains("outputs were not acknowledged in time")).then_some(())
            });
        }
        program.runs_for(SESSION_TIMEOUT);
        cluster.start_again(number).expect("a broker starts again");
    });
}

/// Longer than every session and every transaction lasts, and as long as the engine promises.
#[test]
fn scenario_12_all_brokers_stand_still_for_half_a_minute() {
    check(3, "still", |cluster, _disturbed, program| {
        (0..cluster.brokers()).for_each(|number| cluster.freeze(number));
        program.runs_for(Duration::from_secs(30));
        (0..cluster.brokers()).for_each(|number| cluster.thaw(number));
    });
}
