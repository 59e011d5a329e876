//! Resident bytes per customer.
//!
//! Every customer has two touchpoints of earlier months: an order 60 days ago and a page 30 days ago. One customer of ten was
//! active in the last week: four more touchpoints on four of its days, one of them a refused coupon. Source records carry
//! their event time as Kafka timestamp, as a load of old logs would.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Bench, wait_drained};
use crate::child::Child;
use crate::deployment::{Deployment, Encoding, Outputs};
use crate::feed::{Feed, now_millis};
use throughline_stages::generator::{self, Call, Generator};

const DAY: i64 = 86_400_000;

/// Single views wait for up to ten seconds; queues of the client empty meanwhile.
const SETTLE: Duration = Duration::from_secs(15);

const OLD: [(Call, i64); 2] = [(Call::Ordered, 60), (Call::Page, 30)];
const RECENT: [(Call, i64); 4] = [(Call::Page, 6), (Call::Viewed, 5), (Call::Denied, 3), (Call::Added, 1)];

/// Memory of a loaded service.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident bytes before the first record.
    pub empty: u64,
    /// Resident bytes after the last one.
    pub loaded: u64,
    /// Resident bytes of a new process that restored the same state from the changelog.
    pub restored: u64,
    /// Seconds from the start of that process until it was ready.
    pub restore_seconds: f64,
    /// Customers.
    pub customers: u32,
}

impl Memory {
    /// What a customer costs in the process that loaded them.
    #[must_use]
    pub fn bytes_per_customer(&self) -> f64 {
        self.loaded.saturating_sub(self.empty) as f64 / f64::from(self.customers)
    }

    /// What a customer costs in the process that restored them.
    #[must_use]
    pub fn restored_bytes_per_customer(&self) -> f64 {
        self.restored.saturating_sub(self.empty) as f64 / f64::from(self.customers)
    }
}

impl Bench {
    /// Loads `customers` customers with everything switched on, then starts again from the changelog.
    ///
    /// # Errors
    /// If the service fails.
    pub fn memory(&self, customers: u32) -> Result<Memory> {
        let source = self.cluster.topic("bench-memory")?;
        let deployment = Deployment::new(&self.cluster, &source, Outputs::All, Encoding::Avro)?;
        let mut child = Child::service(&self.program, &deployment.file, &self.set)?;
        child.wait_ready(&deployment.address)?;
        std::thread::sleep(Duration::from_secs(2));
        let empty = child.resident_bytes()?;
        self.load(&source, customers)?;
        wait_drained(&self.cluster, &deployment, &source, &mut child)
            .with_context(|| format!("load (log: {})", deployment.file.with_extension("log").display()))?;
        std::thread::sleep(SETTLE);
        let loaded = child.resident_bytes()?;
        child.stop()?;
        let began = std::time::Instant::now();
        let mut child = Child::service(&self.program, &deployment.file, &self.set)?;
        child.wait_ready(&deployment.address).context("restore")?;
        let restore_seconds = began.elapsed().as_secs_f64();
        std::thread::sleep(Duration::from_secs(3));
        let restored = child.resident_bytes()?;
        child.stop()?;
        deployment.remove(&self.cluster);
        self.cluster.remove(&[source]);
        Ok(Memory { empty, loaded, restored, restore_seconds, customers })
    }

    pub(super) fn load(&self, topic: &str, customers: u32) -> Result<()> {
        let feed = Feed::new(&self.cluster, topic, Duration::from_millis(50))?;
        let mut generator = Generator::new(self.seed, customers);
        let now = now_millis();
        let mut value = Vec::with_capacity(1_024);
        let mut write = |key: u32, call: Call, days: i64| {
            value.clear();
            // Spread over the day, so that not everything happens at one instant.
            let at = now - days * DAY - i64::from(key % 86_400) * 1_000 % DAY;
            generator.write(call, key, at, &mut value);
            feed.send(&generator::record_key(key), &value, at)
        };
        for (call, days) in OLD {
            for key in 0..customers {
                write(key, call, days)?;
            }
        }
        for (call, days) in RECENT {
            // One of ten, known and unknown ones alike.
            for key in (0..customers).filter(|key| key / 10 % 10 == 0) {
                write(key, call, days)?;
            }
        }
        feed.finish()
    }
}
