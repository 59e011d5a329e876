//! High watermarks of changelog partitions, asked for once a second beside the worker.
//!
//! What an answer is good for, and from when on, is told in [`crate::local_log`].

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::Quiet;
use crate::client::ClientOptions;
use crate::local_log::format::Position;
use crate::local_log::now_millis;

/// How often the brokers are asked.
const INTERVAL: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Watched {
    /// The last answer nobody has taken yet.
    answers: BTreeMap<i32, Option<Position>>,
    stop: bool,
}

#[derive(Debug, Default)]
struct Shared {
    watched: Mutex<Watched>,
    wake: Condvar,
}

/// The thread that asks, and what it was told.
#[derive(Debug)]
pub(crate) struct Positions {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Positions {
    /// Starts the thread for a changelog.
    pub(crate) fn start(client: &ClientOptions, client_id: &str, topic: &str) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (client, client_id, topic) = (client.clone(), format!("{client_id}-positions"), topic.to_owned());
        let inside = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("positions".to_owned()).spawn(move || {
            while let Err(error) = ask(&client, &client_id, &topic, &inside) {
                // Without answers the logs only get no new positions; the worker tells about brokers that are gone.
                tracing::debug!(%error, "high watermarks were not answered");
                if inside.wait() {
                    return;
                }
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Asks for this partition too from now on.
    pub(crate) fn watch(&self, partition: i32) {
        self.shared.watched.lock().expect("no panic while holding answers").answers.insert(partition, None);
    }

    /// Asks no more.
    pub(crate) fn forget(&self, partition: i32) {
        self.shared.watched.lock().expect("no panic while holding answers").answers.remove(&partition);
    }

    /// Hands over the answers since the last call.
    pub(crate) fn take(&self, mut sink: impl FnMut(i32, Position)) {
        let mut watched = self.shared.watched.lock().expect("no panic while holding answers");
        for (partition, answer) in &mut watched.answers {
            if let Some(answer) = answer.take() {
                sink(*partition, answer);
            }
        }
    }
}

impl Drop for Positions {
    fn drop(&mut self) {
        self.shared.watched.lock().expect("no panic while holding answers").stop = true;
        self.shared.wake.notify_all();
        // Not joined: a broker that does not answer would hold back the end of the worker.
        drop(self.thread.take());
    }
}

impl Shared {
    /// Waits for the next round; true if there is none.
    fn wait(&self) -> bool {
        let watched = self.watched.lock().expect("no panic while holding answers");
        let waited = self.wake.wait_timeout_while(watched, INTERVAL, |watched| !watched.stop);
        waited.expect("no panic while holding answers").0.stop
    }
}

fn ask(client: &ClientOptions, client_id: &str, topic: &str, shared: &Shared) -> Result<(), KafkaError> {
    // Read-uncommitted, so that the end is the high watermark and not the last stable offset.
    let reader: BaseConsumer<Quiet> = client.reader(client_id, false).create_with_context(Quiet)?;
    loop {
        if shared.wait() {
            return Ok(());
        }
        let partitions: Vec<i32> =
            shared.watched.lock().expect("no panic while holding answers").answers.keys().copied().collect();
        if partitions.is_empty() {
            continue;
        }
        let at = now_millis();
        let ends = ends(&reader, topic, &partitions)?;
        let mut watched = shared.watched.lock().expect("no panic while holding answers");
        for (partition, next) in ends {
            if let Some(answer) = watched.answers.get_mut(&partition) {
                *answer = Some(Position { next, at });
            }
        }
    }
}

/// The end offsets of partitions in one request to each of their leaders.
fn ends(reader: &BaseConsumer<Quiet>, topic: &str, partitions: &[i32]) -> Result<Vec<(i32, i64)>, KafkaError> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        // Where a timestamp is expected, the end stands for itself.
        list.add_partition_offset(topic, *partition, Offset::End)?;
    }
    let answered = reader.offsets_for_times(list, TIMEOUT)?;
    let end = |at: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match (at.error(), at.offset()) {
        (Ok(()), Offset::Offset(next)) if next >= 0 => Some((at.partition(), next)),
        _ => None,
    };
    Ok(answered.elements().iter().filter_map(end).collect())
}
