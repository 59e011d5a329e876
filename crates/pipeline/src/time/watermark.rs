//! How far the source partitions of one normalize worker have come.

use throughline_model::time::{DAY, HOUR, MINUTE, SECOND};
use throughline_model::{EventTime, Now, ReceivedAt, SourceKind};
use throughline_worker::TaskId;

/// How often progress is told, in milliseconds of *now*.
pub const PROGRESS_INTERVAL: i64 = SECOND;

/// What was told longer than this after the time of the statistics was told before the clock was set back, in milliseconds.
const SET_BACK: i64 = 5 * SECOND;

/// Bounds of [`Lateness`], in milliseconds: from live feeds to the file of a week.
pub const LATENESS_BOUNDS: [i64; 16] = [
    250,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    26 * HOUR,
    7 * DAY,
];

/// How far behind their event time touchpoints were received, counted by [`LATENESS_BOUNDS`]; the last count has no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lateness(pub [u64; LATENESS_BOUNDS.len() + 1]);

impl Lateness {
    fn add(&mut self, behind: i64) {
        self.0[LATENESS_BOUNDS.iter().position(|bound| behind <= *bound).unwrap_or(LATENESS_BOUNDS.len())] += 1;
    }

    /// Adds the counts of others.
    pub fn absorb(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
    }

    /// The bound within which a share of them lies, milliseconds; none without any, `i64::MAX` beyond the last bound.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<i64> {
        let total: u64 = self.0.iter().sum();
        let wanted = (total as f64 * share).ceil() as u64;
        let mut sum = 0;
        let at = self.0.iter().position(|count| {
            sum += count;
            total > 0 && sum >= wanted
        })?;
        Some(LATENESS_BOUNDS.get(at).copied().unwrap_or(i64::MAX))
    }
}

/// The clock of one source partition. What an open transaction saw is apart from what was told in committed ones: after an
/// abort the records come again, and nothing may have been said about them.
#[derive(Debug, Clone)]
pub struct SourceClock {
    task: TaskId,
    source: SourceKind,
    /// Tolerated distance behind, milliseconds.
    lateness: i64,
    /// Silence after which an exhausted partition is idle, milliseconds.
    idle_after: i64,
    /// Highest believed event time, of committed and of all transactions.
    highest: Pair<Option<EventTime>>,
    /// What was told last, in committed and in all transactions.
    told: Pair<Option<EventTime>>,
    /// When the last record was taken, or the partition was first known to be exhausted.
    active_at: Option<Now>,
    /// The last time at which nothing was left to read, as far as is known.
    exhausted_at: Option<Now>,
    /// The partition is idle, or was when that was told last.
    idle: bool,
    behind: Pair<Lateness>,
}

/// A value of committed transactions, and of those and the open one.
#[derive(Debug, Clone, Copy, Default)]
struct Pair<T> {
    committed: T,
    open: T,
}

impl<T: Copy> Pair<T> {
    const fn commit(&mut self) {
        self.committed = self.open;
    }

    const fn abort(&mut self) {
        self.open = self.committed;
    }
}

impl SourceClock {
    /// A touchpoint with a time of its own. A clock that runs ahead is believed up to when its record was received.
    #[inline]
    pub fn see(&mut self, occurred_at: EventTime, received_at: ReceivedAt) {
        let believed = occurred_at.min(received_at.as_event_time());
        self.highest.open = self.highest.open.max(Some(believed));
        self.behind.open.add(received_at.as_millis() - occurred_at.as_millis());
    }

    /// Whether it is read to its end and has been silent for long enough.
    fn is_idle(&self) -> bool {
        let silent = |at: Now| self.active_at.map(|active| at.as_millis() - active.as_millis());
        self.exhausted_at.and_then(silent).is_some_and(|silent| silent >= self.idle_after)
    }

    /// Never back: later of what was told, what event times say, and, where it is idle, what the clock says.
    fn watermark(&self) -> Option<EventTime> {
        let seen = self.highest.open.map(|at| at.plus_millis(-self.lateness));
        let waited = self.exhausted_at.filter(|_| self.is_idle());
        let waited = waited.map(|at| EventTime::from_millis(at.as_millis()).plus_millis(-self.lateness));
        self.told.open.max(seen).max(waited)
    }
}

/// What is known of one source partition, for whoever tells it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The partition.
    pub task: TaskId,
    /// Its kind of feed.
    pub source: SourceKind,
    /// How far it has come.
    pub watermark: Option<EventTime>,
    /// It is exhausted and silent.
    pub idle: bool,
}

/// The clocks of the source partitions of one worker.
#[derive(Debug, Default)]
pub struct Watermarks {
    /// In the order of their tasks.
    clocks: Vec<SourceClock>,
    /// When progress was told last, in committed and in all transactions.
    told_at: Pair<Option<Now>>,
    /// Idleness changed since.
    changed: Pair<bool>,
}

impl Watermarks {
    /// A partition was assigned: nothing is known of it.
    pub fn assign(&mut self, task: TaskId, source: SourceKind, lateness: i64, idle_after: i64) {
        let clock = SourceClock {
            task,
            source,
            lateness,
            idle_after,
            highest: Pair::default(),
            told: Pair::default(),
            active_at: None,
            exhausted_at: None,
            idle: false,
            behind: Pair::default(),
        };
        match self.clocks.binary_search_by_key(&task, |clock| clock.task) {
            Ok(at) => self.clocks[at] = clock,
            Err(at) => self.clocks.insert(at, clock),
        }
    }

    /// A partition is gone.
    pub fn revoke(&mut self, task: TaskId) {
        self.clocks.retain(|clock| clock.task != task);
    }

    /// A record of the partition is taken at `now`: its clock, if the partition was assigned.
    #[inline]
    pub fn take(&mut self, task: TaskId, now: Now) -> Option<&mut SourceClock> {
        let at = self.clocks.binary_search_by_key(&task, |clock| clock.task).ok()?;
        let clock = &mut self.clocks[at];
        clock.active_at = Some(now);
        if clock.idle {
            clock.idle = false;
            self.changed.open = true;
        }
        Some(clock)
    }

    /// Nothing was left to read at `at`, or something was (none).
    pub fn exhausted(&mut self, task: TaskId, at: Option<Now>) {
        let Ok(index) = self.clocks.binary_search_by_key(&task, |clock| clock.task) else { return };
        let set_back = |told: Now, at: Now| told > at.plus_millis(SET_BACK);
        if at.zip(self.told_at.open).is_some_and(|(at, told)| set_back(told, at)) {
            self.changed.open = true;
        }
        let clock = &mut self.clocks[index];
        clock.exhausted_at = at;
        // Silence before anybody looked proves nothing.
        clock.active_at = clock.active_at.or(at);
        if at.is_some() && clock.idle != clock.is_idle() {
            clock.idle = !clock.idle;
            self.changed.open = true;
        }
    }

    /// From when on progress is to be told, and in the name of which partition; none if there is no partition.
    #[must_use]
    pub fn due(&self) -> Option<(Now, TaskId)> {
        let task = self.clocks.first()?.task;
        let next = self.told_at.open.filter(|_| !self.changed.open);
        Some((next.map_or(Now::from_millis(i64::MIN), |at| at.plus_millis(PROGRESS_INTERVAL)), task))
    }

    /// Whether progress is to be told at `now`.
    #[must_use]
    pub fn is_due(&self, now: Now) -> bool {
        self.due().is_some_and(|(due, _)| due <= now)
    }

    /// Tells how far every partition has come, as part of the open transaction.
    pub fn tell(&mut self, now: Now) -> impl Iterator<Item = Reading> + '_ {
        self.told_at.open = Some(now);
        self.changed.open = false;
        self.clocks.iter_mut().map(|clock| {
            clock.told.open = clock.watermark();
            Reading { task: clock.task, source: clock.source, watermark: clock.told.open, idle: clock.idle }
        })
    }

    /// What was told last in committed transactions.
    pub fn readings(&self) -> impl Iterator<Item = Reading> + '_ {
        self.clocks.iter().map(|clock| Reading {
            task: clock.task,
            source: clock.source,
            watermark: clock.told.committed,
            idle: clock.idle,
        })
    }

    /// Lateness of the touchpoints of committed transactions since it was last taken, with what the partition tolerates in
    /// milliseconds.
    pub fn take_lateness(&mut self) -> impl Iterator<Item = (SourceKind, i64, Lateness)> + '_ {
        self.clocks.iter_mut().filter(|clock| clock.behind.committed != Lateness::default()).map(|clock| {
            let counts = std::mem::take(&mut clock.behind.committed);
            let open = &mut clock.behind.open;
            open.0.iter_mut().zip(counts.0).for_each(|(sum, count)| *sum -= count);
            (clock.source, clock.lateness, counts)
        })
    }

    /// The transaction committed.
    pub fn commit(&mut self) {
        self.told_at.commit();
        self.changed.commit();
        for clock in &mut self.clocks {
            clock.highest.commit();
            clock.told.commit();
            clock.behind.commit();
        }
    }

    /// The transaction was dropped: its records come again, so nothing is known to be exhausted.
    pub fn abort(&mut self) {
        self.told_at.abort();
        self.changed = Pair { committed: true, open: true };
        for clock in &mut self.clocks {
            clock.highest.abort();
            clock.told.abort();
            clock.behind.abort();
            clock.exhausted_at = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TASK: TaskId = TaskId { topic: 0, partition: 0 };

    fn watermarks(lateness: i64) -> Watermarks {
        let mut watermarks = Watermarks::default();
        watermarks.assign(TASK, SourceKind::Store, lateness, 30_000);
        watermarks
    }

    fn see(watermarks: &mut Watermarks, occurred_at: i64, now: i64) {
        let clock = watermarks.take(TASK, Now::from_millis(now)).expect("it is assigned");
        clock.see(EventTime::from_millis(occurred_at), ReceivedAt::from_millis(now));
    }

    fn told(watermarks: &mut Watermarks, now: i64) -> (Option<i64>, bool) {
        let reading = watermarks.tell(Now::from_millis(now)).next().expect("it is assigned");
        (reading.watermark.map(EventTime::as_millis), reading.idle)
    }

    fn exhausted(watermarks: &mut Watermarks, at: i64) {
        watermarks.exhausted(TASK, Some(Now::from_millis(at)));
    }

    #[test]
    fn event_time_moves_it_forward_only_and_a_fast_clock_is_believed_up_to_its_receipt() {
        let mut watermarks = watermarks(5_000);
        assert_eq!(told(&mut watermarks, 1_000_000), (None, false));
        see(&mut watermarks, 1_000_000, 1_000_500);
        see(&mut watermarks, 900_000, 1_000_600);
        assert_eq!(told(&mut watermarks, 1_000_600), (Some(995_000), false));
        see(&mut watermarks, 1_300_000, 1_001_000);
        assert_eq!(told(&mut watermarks, 1_001_000), (Some(996_000), false));
    }

    #[test]
    fn only_an_exhausted_and_silent_partition_follows_the_clock() {
        let mut watermarks = watermarks(5_000);
        see(&mut watermarks, 1_000_000, 1_000_000);
        exhausted(&mut watermarks, 1_029_999);
        assert_eq!(told(&mut watermarks, 1_029_999), (Some(995_000), false));
        watermarks.commit();
        exhausted(&mut watermarks, 1_030_000);
        assert!(watermarks.is_due(Now::from_millis(1_030_000)), "a change of idleness is told at once");
        assert_eq!(told(&mut watermarks, 1_030_000), (Some(1_025_000), true));
        watermarks.exhausted(TASK, None);
        assert_eq!(told(&mut watermarks, 1_099_000), (Some(1_025_000), true), "something came that was not read yet");
        see(&mut watermarks, 1_020_500, 1_099_500);
        assert_eq!(told(&mut watermarks, 1_099_500), (Some(1_025_000), false), "never back");
    }

    #[test]
    fn a_partition_that_never_had_a_record_follows_the_clock_after_a_while() {
        let mut watermarks = watermarks(5_000);
        exhausted(&mut watermarks, 1_000_000);
        exhausted(&mut watermarks, 1_029_000);
        assert_eq!(told(&mut watermarks, 1_029_000), (None, false));
        exhausted(&mut watermarks, 1_030_000);
        assert_eq!(told(&mut watermarks, 1_030_500), (Some(1_025_000), true), "no further than what was known");
    }

    #[test]
    fn an_abort_takes_back_what_comes_again() {
        let mut watermarks = watermarks(0);
        see(&mut watermarks, 1_000_000, 1_000_000);
        told(&mut watermarks, 1_000_000);
        watermarks.commit();
        see(&mut watermarks, 2_000_000, 2_000_000);
        told(&mut watermarks, 2_000_000);
        watermarks.abort();
        assert!(watermarks.is_due(Now::from_millis(2_000_001)));
        assert_eq!(told(&mut watermarks, 2_000_001), (Some(1_000_000), false));
        exhausted(&mut watermarks, 2_000_900);
        assert_eq!(told(&mut watermarks, 2_001_000), (Some(1_000_000), false), "it was active a moment ago");
    }

    #[test]
    fn progress_is_told_once_a_second() {
        let mut watermarks = watermarks(0);
        let due = |watermarks: &Watermarks, now| watermarks.is_due(Now::from_millis(now));
        assert!(due(&watermarks, 0));
        told(&mut watermarks, 5_000);
        watermarks.commit();
        assert!(!due(&watermarks, 5_999) && due(&watermarks, 6_000));
        exhausted(&mut watermarks, 4_000);
        assert!(!due(&watermarks, 4_500), "statistics are a little old");
        exhausted(&mut watermarks, -90_000);
        assert!(due(&watermarks, -89_000), "a clock that was set back does not keep it waiting");
        watermarks.revoke(TASK);
        assert!(!due(&watermarks, 60_000), "nothing to tell");
    }

    #[test]
    fn lateness_is_counted_where_it_was_committed() {
        let mut watermarks = watermarks(5_000);
        (0..99).for_each(|_| see(&mut watermarks, 1_000_000, 1_003_000));
        watermarks.commit();
        see(&mut watermarks, 1_000_000, 9_000_000);
        let taken: Vec<_> = watermarks.take_lateness().collect();
        assert_eq!(taken[0].2.quantile(0.99), Some(5_000));
        watermarks.commit();
        let taken: Vec<_> = watermarks.take_lateness().collect();
        assert_eq!(taken[0].2.quantile(0.99), Some(3 * HOUR));
        assert_eq!(watermarks.take_lateness().count(), 0);
        assert_eq!(Lateness::default().quantile(0.99), None);
    }

    proptest! {
        #[test]
        fn it_never_goes_back_and_never_passes_what_can_still_come(
            steps in prop::collection::vec((0i64..100_000, 0i64..20_000, 0u8..6), 1..60),
        ) {
            let mut watermarks = watermarks(20_000);
            let (mut now, mut last, mut committed) = (10_000_000, None, None);
            for (pass, behind, what) in steps {
                now += pass;
                match what {
                    // A record at most as late as is tolerated is never behind what was told.
                    0..=2 => {
                        prop_assert!(committed.is_none_or(|told: i64| told <= now - behind));
                        see(&mut watermarks, now - behind, now);
                    }
                    3 => exhausted(&mut watermarks, now),
                    4 => {
                        let (watermark, _) = told(&mut watermarks, now);
                        prop_assert!(watermark >= last, "never back");
                        watermarks.commit();
                        (last, committed) = (watermark, watermark.or(committed));
                    }
                    _ => watermarks.abort(),
                }
            }
        }
    }
}
