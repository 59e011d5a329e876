//! Somebody who asks the processes about customers all the time, and remembers what they answered: an answer that speaks of
//! something that was never committed shows later, when the committed scores are known (XO-4).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use throughline_testkit::verifier::Seen;

use crate::deployment::http;

/// Time between two questions.
const BEAT: Duration = Duration::from_millis(200);

type Addresses = Arc<Mutex<BTreeMap<u32, SocketAddr>>>;

/// Asks until it is told to end.
pub struct Onlooker {
    addresses: Addresses,
    end: Sender<()>,
    thread: JoinHandle<BTreeSet<Seen>>,
}

impl Onlooker {
    /// Begins with nobody to ask.
    pub fn start() -> Self {
        let addresses = Addresses::default();
        let (end, ended) = channel();
        let known = Arc::clone(&addresses);
        let thread = std::thread::spawn(move || {
            let (mut seen, mut turn) = (BTreeSet::new(), 0);
            while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                let asked: Vec<SocketAddr> =
                    known.lock().unwrap_or_else(PoisonError::into_inner).values().copied().collect();
                if asked.is_empty() {
                    continue;
                }
                turn += 1;
                look(asked[turn % asked.len()], &mut seen);
            }
            seen
        });
        Self { addresses, end, thread }
    }

    /// Whom to ask from now on.
    pub fn ask(&self, addresses: BTreeMap<u32, SocketAddr>) {
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    /// Everything that was answered.
    pub fn stop(self) -> BTreeSet<Seen> {
        drop(self.end);
        self.thread.join().expect("asking does not panic")
    }
}

/// A process that restores, stands still or is gone has no answer, which is no finding.
fn look(address: SocketAddr, seen: &mut BTreeSet<Seen>) {
    let answer = http::get(address, "/v1/customers?limit=500");
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    if answer.status != 200 {
        return;
    }
    for score in body["customers"].as_array().into_iter().flatten() {
        let number = |field: &str| score[field].as_i64().unwrap_or(-1);
        let customer = score["customer_id"].as_str().unwrap_or_default().to_owned();
        seen.insert(Seen { customer, version: number("version"), touchpoints: number("touchpoints") });
    }
}
