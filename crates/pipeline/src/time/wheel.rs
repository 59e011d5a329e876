//! A timer wheel of hints.
//!
//! State holds when something is truly due; an entry here only says when to look. So nothing is ever removed, nothing is
//! looked up, and a due time that moves away costs nothing: the entry fires, the customer is looked at, and is armed again.
//!
//! Two levels: seconds of the hours that have begun, and later hours as they are. An hour is spread over its seconds when
//! it begins.

use std::collections::BTreeMap;

use throughline_model::NodeId;

/// Who is to be looked at, and from which second on. Seconds since 1970 fit until 2106.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// The customer.
    pub node: NodeId,
    /// The first whole second at which it is due.
    pub second: u32,
}

/// Hints in the order of their seconds.
#[derive(Debug, Default)]
pub struct Wheel {
    /// Seconds of the hours up to `begun`.
    seconds: BTreeMap<u32, Vec<NodeId>>,
    /// Hours after it.
    hours: BTreeMap<u32, Hour>,
    begun: u32,
    pending: usize,
}

/// Hints of one hour that has not begun.
#[derive(Debug)]
struct Hour {
    first: u32,
    hints: Vec<Hint>,
}

const HOUR_SECONDS: u32 = 3_600;

/// The first whole second at or after a time in milliseconds; what lies outside is moved to the ends of the range.
#[must_use]
pub fn second_of(millis: i64) -> u32 {
    let seconds = millis.div_euclid(1_000) + i64::from(millis.rem_euclid(1_000) != 0);
    u32::try_from(seconds.max(0)).unwrap_or(u32::MAX)
}

impl Wheel {
    /// Adds a hint.
    pub fn arm(&mut self, hint: Hint) {
        self.pending += 1;
        let hour = hint.second / HOUR_SECONDS;
        if hour <= self.begun {
            self.seconds.entry(hint.second).or_default().push(hint.node);
            return;
        }
        let at = self.hours.entry(hour).or_insert_with(|| Hour { first: hint.second, hints: Vec::new() });
        at.first = at.first.min(hint.second);
        at.hints.push(hint);
    }

    /// The second of the earliest hint.
    #[must_use]
    pub fn first(&self) -> Option<u32> {
        let begun = self.seconds.first_key_value().map(|(second, _)| *second);
        begun.or_else(|| self.hours.first_key_value().map(|(_, hour)| hour.first))
    }

    /// Whether a hint is due at a time in milliseconds.
    #[must_use]
    pub fn is_due(&self, millis: i64) -> bool {
        self.first().is_some_and(|second| i64::from(second) * 1_000 <= millis)
    }

    /// Takes at most `max` hints that are due at a time in milliseconds, earliest first.
    pub fn take_due(&mut self, millis: i64, max: usize, taken: &mut Vec<Hint>) {
        let now = u32::try_from(millis.div_euclid(1_000).max(0)).unwrap_or(u32::MAX);
        self.begin(now / HOUR_SECONDS);
        let mut left = max;
        while left > 0
            && let Some(mut second) = self.seconds.first_entry()
            && *second.key() <= now
        {
            let at = *second.key();
            let nodes = second.get_mut();
            let count = nodes.len().min(left);
            taken.extend(nodes.drain(..count).map(|node| Hint { node, second: at }));
            if nodes.is_empty() {
                second.remove();
            }
            left -= count;
            self.pending -= count;
        }
    }

    /// Spreads the hours that have begun over their seconds.
    fn begin(&mut self, hour: u32) {
        while let Some(first) = self.hours.first_entry().filter(|first| *first.key() <= hour) {
            for hint in first.remove().hints {
                self.seconds.entry(hint.second).or_default().push(hint.node);
            }
        }
        self.begun = self.begun.max(hour);
    }

    /// How many hints there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.pending
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pending == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hint(number: u32, second: u32) -> Hint {
        let mut node = [0; 17];
        node[..4].copy_from_slice(&number.to_be_bytes());
        Hint { node: NodeId(node), second }
    }

    #[test]
    fn a_second_is_never_early() {
        let seconds = [-1, 0, 1, 1_000, 1_001, i64::MAX].map(second_of);
        assert_eq!(seconds, [0, 0, 1, 1, 2, u32::MAX]);
    }

    #[test]
    fn what_is_due_comes_in_bounded_portions_and_all_of_it() {
        let mut wheel = Wheel::default();
        for number in 0..100_000 {
            wheel.arm(hint(number, 7_200));
        }
        assert!(!wheel.is_due(7_199_999) && wheel.is_due(7_200_000));
        let (mut taken, mut portions) = (Vec::new(), 0);
        while wheel.is_due(7_200_000) {
            wheel.take_due(7_200_000, 2_000, &mut taken);
            portions += 1;
        }
        assert_eq!((taken.len(), portions, wheel.is_empty()), (100_000, 50, true));
    }

    #[test]
    fn a_hint_of_the_past_is_due_at_once() {
        let mut wheel = Wheel::default();
        let mut taken = Vec::new();
        wheel.take_due(10_000_000, 1, &mut taken);
        wheel.arm(hint(1, 5));
        assert!(wheel.is_due(10_000_000));
        wheel.take_due(10_000_000, 1, &mut taken);
        assert_eq!(taken, [hint(1, 5)]);
    }

    proptest! {
        #[test]
        fn every_hint_fires_once_in_order_and_never_early(
            steps in prop::collection::vec((0u32..20_000, 0u32..9_000, 1usize..5), 1..80),
        ) {
            let mut wheel = Wheel::default();
            let (mut model, mut taken, mut now) = (Vec::new(), Vec::new(), 0i64);
            for (number, (second, pass, max)) in steps.iter().enumerate() {
                let hint = hint(number as u32, *second);
                wheel.arm(hint);
                model.push(hint);
                now += i64::from(*pass);
                let before = taken.len();
                wheel.take_due(now * 1_000, *max, &mut taken);
                let fired = &taken[before..];
                prop_assert!(fired.len() <= *max);
                prop_assert!(fired.iter().all(|hint| i64::from(hint.second) <= now), "never early");
                prop_assert!(fired.is_sorted_by_key(|hint| hint.second), "in order");
                model.retain(|hint| !fired.contains(hint));
                let due = model.iter().filter(|hint| i64::from(hint.second) <= now).count();
                prop_assert!(due == 0 || fired.len() == *max, "none is left behind");
                prop_assert_eq!(wheel.is_due(now * 1_000), due > 0);
                prop_assert_eq!(wheel.first(), model.iter().map(|hint| hint.second).min());
                prop_assert_eq!(wheel.len(), model.len());
            }
        }
    }
}
