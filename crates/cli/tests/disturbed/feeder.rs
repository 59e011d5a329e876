//! A source that never pauses: it sends records at a steady rate from a thread of its own, whatever happens to the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, Producer};

use super::load::Load;
use crate::deployment::records::{client_at, send};

/// Time between two looks at how much is due.
const BEAT: Duration = Duration::from_millis(50);

/// How long brokers may take for what is under way at the end.
const FLUSH_LIMIT: Duration = Duration::from_secs(120);

/// Sends until it is told to end.
pub struct Feeder {
    sent: Arc<AtomicU64>,
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl Feeder {
    /// Begins with the first record of the load, `rate` numbers a second.
    pub fn start(brokers: &str, topic: &str, load: Load, rate: u64) -> Self {
        let sent = Arc::new(AtomicU64::new(0));
        let (end, ended) = channel();
        let mut config = client_at(brokers);
        config.set("acks", "all").set("enable.idempotence", "true").set("linger.ms", "5");
        let producer: BaseProducer = config.create().expect("a producer");
        let (topic, count) = (topic.to_owned(), Arc::clone(&sent));
        let thread = std::thread::spawn(move || {
            let (began, mut next) = (Instant::now(), 0);
            while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                let due = (began.elapsed().as_millis() as u64) * rate / 1_000;
                while next < due {
                    load.records(next).iter().for_each(|record| send(&producer, &topic, record));
                    next += 1;
                }
                producer.poll(Duration::ZERO);
                count.store(next, Ordering::Relaxed);
            }
            producer.flush(FLUSH_LIMIT).expect("records are acknowledged");
        });
        Self { sent, end, thread }
    }

    /// How many numbers of the load were sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Sends no more, and waits until brokers have what was sent.
    pub fn stop(self) {
        drop(self.end);
        self.thread.join().expect("everything that was sent is acknowledged");
    }
}
