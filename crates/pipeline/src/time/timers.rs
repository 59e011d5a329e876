//! The timers of one inbox partition: one wheel per clock.

use throughline_model::{NodeId, closed_set};

use super::disproof::SourceSet;
use super::wheel::{Hint, Wheel, second_of};

/// What a timer waits for to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clock {
    /// The injected clock: the life of an alert among people.
    Now,
    /// Stream time by the sources that can disprove the timer.
    Stream(SourceSet),
}

closed_set! {
    /// What kind of clock, for counts.
    pub enum ClockKind {
        /// The injected clock.
        Now = "now",
        /// Stream time.
        Stream = "stream",
    }
}

/// Wheels, and the hints that the open transaction took from them.
///
/// For each customer with something due there is a hint at or before that time. So a customer is armed only when it becomes
/// due earlier than before, and again when its hint was taken.
#[derive(Debug, Default)]
pub struct Timers {
    wheels: Vec<(Clock, Wheel)>,
    taken: Vec<(Clock, Hint)>,
}

impl Timers {
    /// Looks at a customer once the clock has reached `due`, milliseconds.
    pub fn arm(&mut self, clock: Clock, node: NodeId, due: i64) {
        self.wheel(clock).arm(Hint { node, second: second_of(due) });
    }

    /// Arms a customer that was due at `before` and is due at `after`, if that is earlier.
    pub fn rearm(&mut self, clock: Clock, node: NodeId, before: Option<i64>, after: Option<i64>) {
        if let Some(after) = after
            && before.is_none_or(|before| second_of(after) < second_of(before))
        {
            self.arm(clock, node, after);
        }
    }

    /// The time in milliseconds at which the next customer of a clock is to be looked at.
    #[must_use]
    pub fn next(&self, clock: Clock) -> Option<i64> {
        let (_, wheel) = self.wheels.iter().find(|(known, _)| *known == clock)?;
        wheel.first().map(|second| i64::from(second) * 1_000)
    }

    /// Whether a customer is to be looked at; `read` gives the time of a clock in milliseconds, if it has one.
    pub fn is_due(&self, read: &dyn Fn(Clock) -> Option<i64>) -> bool {
        self.wheels.iter().any(|(clock, wheel)| !wheel.is_empty() && read(*clock).is_some_and(|at| wheel.is_due(at)))
    }

    /// Takes at most `max` customers that are to be looked at; the open transaction owns them until it ends.
    pub fn take_due(&mut self, read: &dyn Fn(Clock) -> Option<i64>, max: usize, mut look: impl FnMut(Clock, Hint)) {
        let (mut left, mut due) = (max, Vec::new());
        for (clock, wheel) in &mut self.wheels {
            let Some(at) = read(*clock) else { continue };
            wheel.take_due(at, left, &mut due);
            left -= due.len();
            for hint in due.drain(..) {
                self.taken.push((*clock, hint));
                look(*clock, hint);
            }
        }
    }

    /// The transaction committed: what it took was looked at.
    pub fn commit(&mut self) {
        self.taken.clear();
    }

    /// The transaction was dropped: what it took is to be looked at again.
    pub fn abort(&mut self) {
        for (clock, hint) in std::mem::take(&mut self.taken) {
            self.wheel(clock).arm(hint);
        }
    }

    /// Customers that wait, each as often as it has hints.
    #[must_use]
    pub fn len(&self) -> usize {
        self.wheels.iter().map(|(_, wheel)| wheel.len()).sum()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn wheel(&mut self, clock: Clock) -> &mut Wheel {
        let at = self.wheels.iter().position(|(known, _)| *known == clock).unwrap_or_else(|| {
            self.wheels.push((clock, Wheel::default()));
            self.wheels.len() - 1
        });
        &mut self.wheels[at].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Clock = Clock::Stream(SourceSet::ALL);

    fn node(number: u8) -> NodeId {
        NodeId([number; 17])
    }

    fn take(timers: &mut Timers, now: i64, stream: Option<i64>) -> Vec<(Clock, u8)> {
        let read = move |clock| if clock == Clock::Now { Some(now) } else { stream };
        let mut taken = Vec::new();
        timers.take_due(&read, 10, |clock, hint| taken.push((clock, hint.node.0[0])));
        taken
    }

    #[test]
    fn each_clock_has_its_own_due_times_and_one_without_a_time_stands_still() {
        let mut timers = Timers::default();
        timers.arm(Clock::Now, node(1), 5_000);
        timers.arm(ALL, node(2), 5_000);
        assert_eq!(take(&mut timers, 6_000, None), [(Clock::Now, 1)]);
        assert_eq!(take(&mut timers, 9_000, Some(4_999)), []);
        assert_eq!(take(&mut timers, 9_000, Some(5_000)), [(ALL, 2)]);
    }

    #[test]
    fn an_abort_arms_again_what_was_taken() {
        let mut timers = Timers::default();
        timers.arm(Clock::Now, node(1), 5_000);
        assert_eq!(take(&mut timers, 5_000, None), [(Clock::Now, 1)]);
        timers.abort();
        assert_eq!(timers.next(Clock::Now), Some(5_000));
        assert_eq!(take(&mut timers, 5_000, None), [(Clock::Now, 1)]);
        timers.commit();
        timers.abort();
        assert!(timers.is_empty());
    }

    #[test]
    fn only_an_earlier_due_time_touches_a_wheel() {
        let mut timers = Timers::default();
        timers.rearm(ALL, node(1), None, Some(9_000));
        timers.rearm(ALL, node(1), Some(9_000), Some(12_000));
        timers.rearm(ALL, node(1), Some(9_000), None);
        assert_eq!(timers.len(), 1);
        timers.rearm(ALL, node(1), Some(9_000), Some(7_000));
        assert_eq!((timers.len(), timers.next(ALL)), (2, Some(7_000)));
    }
}
