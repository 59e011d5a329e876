//! Many seeds at once: each is a story of its own, so threads share nothing but the next number.

use std::ops::Range;
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

use super::{Broken, Mutant, Tally, run};

/// Seeds that a thread takes at a time.
const CHUNK: u64 = 16;
/// Name of the threads whose panics are answers.
const THREAD: &str = "seeds";

/// What came of a range of seeds.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Seeds that were run.
    pub seeds: u64,
    /// What they did.
    pub tally: Tally,
    /// The lowest seed found that broke something.
    pub broken: Option<Box<Broken>>,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// Seeds a second, over all threads.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.seeds as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

/// Runs these seeds on so many threads until one breaks something or `until` says so. It is asked often, with the number of
/// seeds done.
pub fn run_range(
    seeds: Range<u64>,
    threads: usize,
    mutant: Option<Mutant>,
    until: impl Fn(u64) -> bool + Sync,
) -> Outcome {
    quiet();
    let began = Instant::now();
    let (next, done, stops) = (AtomicU64::new(seeds.start), AtomicU64::new(0), AtomicBool::new(false));
    let total = Mutex::new(Outcome::default());
    let work = || {
        let mut mine = Outcome::default();
        while !stops.load(Ordering::Relaxed) {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            if from >= seeds.end {
                break;
            }
            for seed in from..(from + CHUNK).min(seeds.end) {
                mine.seeds += 1;
                match run(seed, mutant, false) {
                    Ok(tally) => mine.tally.add(tally),
                    Err(broken) => {
                        stops.store(true, Ordering::Relaxed);
                        mine.broken = Some(broken);
                        break;
                    }
                }
            }
            if until(done.fetch_add(CHUNK, Ordering::Relaxed) + CHUNK) {
                stops.store(true, Ordering::Relaxed);
            }
        }
        let mut total = total.lock().expect("no panic while holding a total");
        total.seeds += mine.seeds;
        total.tally.add(mine.tally);
        let lower = |broken: &Broken| total.broken.as_ref().is_none_or(|known| broken.seed < known.seed);
        if mine.broken.as_deref().is_some_and(lower) {
            total.broken = mine.broken;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let named = std::thread::Builder::new().name(THREAD.to_owned());
            named.spawn_scoped(scope, work).expect("a thread can be started");
        }
    });
    let mut outcome = total.into_inner().expect("no panic while holding a total");
    outcome.took = began.elapsed();
    outcome
}

/// Runs one seed and keeps what happened in it.
///
/// # Errors
/// What it broke, if it does.
pub fn tell(seed: u64, mutant: Option<Mutant>) -> Result<Tally, Box<Broken>> {
    quiet();
    let told = || std::thread::Builder::new().name(THREAD.to_owned()).spawn(move || run(seed, mutant, true));
    told().expect("a thread can be started").join().expect("panics of a seed are caught")
}

/// A broken invariant is an answer, not a crash of this program: the threads of a campaign print nothing.
fn quiet() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            if std::thread::current().name() != Some(THREAD) {
                before(panicked);
            }
        }));
    });
}
