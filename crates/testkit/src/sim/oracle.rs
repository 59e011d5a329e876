//! What must hold, computed from the committed input alone. It shares no code with the stages.
//!
//! The oracle is told of every transaction at the moment it is decided, and folds the input that the transaction passes.
//! So it knows at any time which state, which outputs and which timers there must be.

use throughline_model::Topic;

use super::cluster::{Cluster, Decision};
use super::fold::Part;
use super::item::{Fate, Item, KEYS, Op, PARTITIONS, SOURCES, input_slot, items, number, slot_of};
use super::log::{FakeLog, Fetched, Isolation, Slot, Standing};

/// What the oracle takes a key to be.
#[derive(Debug, Clone, Default)]
struct Key {
    count: u64,
    digest: u64,
    last: u64,
    timers: Vec<(i64, u64)>,
}

#[derive(Debug, Default)]
struct PartitionTruth {
    keys: [Option<Key>; KEYS],
    /// Digest of the state after every decided transaction; the last one is the state of now.
    history: Vec<u64>,
    /// Count and digest of every state that a key went through.
    scores: [Vec<(u64, u64)>; KEYS],
}

/// What must hold.
#[derive(Debug)]
pub struct Oracle {
    truth: [PartitionTruth; PARTITIONS],
    /// By stage and partition: where the committed transactions have come, and how many there were.
    reached: [[(i64, u64); PARTITIONS]; 2],
    /// Items by fate in the last decided transaction of each process.
    books: Vec<[u32; 4]>,
    expected: Vec<(u64, Fate)>,
    folded: Vec<(u64, u8)>,
    fired: Vec<u64>,
    /// Items of every record of the source.
    sent: Vec<Vec<Item>>,
}

impl Oracle {
    /// An oracle that has seen nothing.
    pub fn new() -> Self {
        let mut truth: [PartitionTruth; PARTITIONS] = Default::default();
        for part in &mut truth {
            part.history.push(digest(std::iter::empty()));
        }
        Self {
            truth,
            reached: [[(0, 0); PARTITIONS]; 2],
            books: Vec::new(),
            expected: Vec::new(),
            folded: Vec::new(),
            fired: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// A record was written to the source.
    pub fn sent(&mut self, record: Vec<Item>) {
        self.sent.push(record);
    }

    /// Takes what was decided since the last time.
    pub fn decide(&mut self, cluster: &mut Cluster) {
        while let Some(decision) = cluster.decisions.pop() {
            let (mut moved, mut books, mut process) = (0, [0; 4], 0);
            for (partition, sent) in cluster.groups[decision.group].pending(decision.id) {
                moved += 1;
                let (next, txn_seq) = (sent.next, sent.txn_seq);
                process = sent.by as usize;
                let (reached, seq) = self.reached[decision.group][partition];
                assert!(
                    txn_seq == seq + 1 && next >= reached,
                    "XO-1: partition {partition} of stage {} was at {reached} after {seq} transactions, and number \
                     {txn_seq} moves it to {next}",
                    decision.group
                );
                self.reached[decision.group][partition] = (next, txn_seq);
                if decision.group == 1 {
                    self.fold(&cluster.log, partition, reached, next, &mut books);
                }
            }
            self.books.resize(self.books.len().max(process + 1), [0; 4]);
            self.books[process] = books;
            assert!(moved > 0, "XO-1: a transaction without an offset, whose outcome nobody could read");
            if decision.group == 1 {
                self.fire(&cluster.log, decision);
            }
        }
    }

    fn fold(&mut self, log: &FakeLog, partition: usize, from: i64, to: i64, books: &mut [u32; 4]) {
        let mut position = from;
        while let Fetched::Record(entry) = log.fetch(input_slot(1, partition), position, Isolation::Committed)
            && entry.offset < to
        {
            position = entry.offset + 1;
            let frame = log.bytes(entry.value.expect("a frame has a value"));
            let refused = items(frame).any(|item| matches!(item.op, Op::Poison | Op::Stubborn));
            for item in items(frame) {
                let fate = if refused { Fate::Rejected } else { self.truth[partition].apply(&item) };
                books[fate as usize] += 1;
                self.expected.push((item.id, fate));
                self.folded.push((item.id, item.op as u8));
            }
        }
    }

    /// Takes the timers that fired in a decided transaction.
    fn fire(&mut self, log: &FakeLog, decision: Decision) {
        for (partition, truth) in self.truth.iter_mut().enumerate() {
            for fired in log.open_records(slot_of(Topic::Alerts, Some(partition as i32)), decision.id) {
                let id = number(log.bytes(fired.value.expect("a timer names its item")));
                let was_armed = truth.keys.iter_mut().flatten().any(|key| key.disarm(id));
                assert!(was_armed, "XO-6: a timer fires that is not armed: {id}");
                self.fired.push(id);
            }
            let now = truth.digest();
            if truth.history.last() != Some(&now) {
                truth.history.push(now);
            }
        }
    }

    /// XO-5: the books of a transaction that its process knows to have committed.
    pub fn check_books(&self, process: u32, counted: [u32; 4]) {
        let truth = self.books.get(process as usize).copied().unwrap_or_default();
        assert_eq!(counted, truth, "XO-5: items of a transaction by fate: applied, duplicate, withheld, rejected");
    }

    /// XO-3 where it is the state of now, XO-4 where any state that was once committed will do.
    pub fn check_view(&self, partition: usize, view: &Part, is_owner: bool) {
        let held = digest(view.iter().enumerate().filter_map(|(key, state)| {
            let state = state.as_ref()?;
            Some((key, u64::from(state.count), state.digest, state.last, state.timers.as_slice()))
        }));
        let history = &self.truth[partition].history;
        if is_owner {
            assert!(
                history.last() == Some(&held),
                "XO-3: the state of partition {partition} is not the fold of its committed input: {view:?} for {:?}",
                self.truth[partition].keys
            );
        } else {
            assert!(
                history.contains(&held),
                "XO-4: the view of partition {partition} shows what was never committed: {view:?}"
            );
        }
    }

    /// Whether timers are still armed.
    pub fn is_armed(&self) -> bool {
        self.truth.iter().flat_map(|truth| truth.keys.iter().flatten()).any(|key| !key.timers.is_empty())
    }

    /// Everything that only shows at the end.
    pub fn check_outputs(&self, log: &FakeLog) {
        self.check_letters(log);
        let mut seen = Vec::with_capacity(self.expected.len());
        for partition in 0..PARTITIONS as i32 {
            for value in committed(log, slot_of(Topic::Touchpoints, Some(partition))).map(|(_, value)| value) {
                let value = value.expect("a touchpoint has a value");
                seen.push((number(&value[..8]), Fate::ALL[usize::from(value[8])]));
            }
        }
        let mut expected = self.expected.clone();
        compare(&mut seen, &mut expected, "touchpoints");
        let mut seen: Vec<u64> = (0..PARTITIONS as i32)
            .flat_map(|partition| committed(log, slot_of(Topic::Alerts, Some(partition))))
            .map(|(_, value)| number(value.expect("a timer names its item")))
            .collect();
        compare(&mut seen, &mut self.fired.clone(), "timers (XO-6)");
        for partition in 0..PARTITIONS {
            self.check_scores(log, partition);
            self.check_changelog(log, partition);
        }
    }

    /// Every record of the source is in the inbox with each of its items once, or rejected once.
    fn check_letters(&self, log: &FakeLog) {
        let mut folded = Vec::new();
        let mut letters = Vec::new();
        for record in &self.sent {
            if record.iter().any(|item| item.op == Op::PoisonFrame) {
                letters.push(record.iter().map(|item| item.id).collect::<Vec<_>>());
            } else {
                folded.extend(record.iter().map(|item| (item.id, item.op as u8)));
            }
        }
        compare(&mut self.folded.clone(), &mut folded, "entries of the inbox");
        let seen = committed(log, slot_of(Topic::DeadLetters, None))
            .map(|(_, value)| value.expect("a letter has a value").chunks_exact(8).map(number).collect::<Vec<_>>());
        compare(&mut seen.collect(), &mut letters, "dead letters");
    }

    /// Scores of a key are states that it went through, in their order, without repetition, up to the last one.
    fn check_scores(&self, log: &FakeLog, partition: usize) {
        let mut reached = [0; KEYS];
        for (key, value) in committed(log, slot_of(Topic::Scores, Some(partition as i32))) {
            let key = usize::from(key.expect("a score has a key")[0]);
            let value = value.expect("a score has a value");
            let score = (number(&value[..8]), number(&value[8..16]));
            let states = &self.truth[partition].scores[key];
            let found = states[reached[key]..].iter().position(|state| *state == score);
            let found = found.unwrap_or_else(|| {
                panic!("XO-1: score {score:?} of key {key} comes twice, out of order, or was never true: {states:?}")
            });
            reached[key] += found + 1;
        }
        for (key, states) in self.truth[partition].scores.iter().enumerate() {
            assert_eq!(reached[key], states.len(), "XO-2: the last score of key {key} is missing: {states:?}");
        }
    }

    /// What a restore would read is the state.
    fn check_changelog(&self, log: &FakeLog, partition: usize) {
        let mut latest: [Option<&[u8]>; KEYS] = [None; KEYS];
        for (key, value) in committed(log, slot_of(Topic::ExperienceChangelog, Some(partition as i32))) {
            latest[usize::from(key.expect("a changelog record has a key")[0])] = value;
        }
        for (key, (latest, truth)) in latest.iter().zip(&self.truth[partition].keys).enumerate() {
            let written = latest.map(|value| (number(&value[..8]), number(&value[8..16]), (value.len() - 24) / 16));
            let held = truth.as_ref().map(|key| (key.count, key.digest, key.timers.len()));
            assert_eq!(written, held, "XO-3: the changelog of key {key} is not its state");
        }
    }

    /// Where the committed transactions of a stage have come.
    pub fn reached(&self, stage: usize, partition: usize) -> i64 {
        self.reached[stage][partition].0
    }
}

impl Key {
    fn disarm(&mut self, id: u64) -> bool {
        let at = self.timers.iter().position(|(_, armed)| *armed == id);
        at.map(|at| self.timers.remove(at)).is_some()
    }
}

impl PartitionTruth {
    fn apply(&mut self, item: &Item) -> Fate {
        let held = &mut self.keys[usize::from(item.key)];
        let scores = &mut self.scores[usize::from(item.key)];
        match item.op {
            Op::Withhold => return Fate::Withheld,
            _ if held.as_ref().is_some_and(|key| key.last == item.id) => return Fate::Duplicate,
            Op::Erase => {
                *held = None;
                scores.push((0, item.id));
                return Fate::Applied;
            }
            _ => {}
        }
        let key = held.get_or_insert_with(Key::default);
        key.count += 1;
        key.digest = (key.digest ^ item.id).wrapping_mul(0x0100_0000_01B3).rotate_left(17);
        key.last = item.id;
        if item.op == Op::Arm {
            key.timers.push((item.due, item.id));
        }
        scores.push((key.count, key.digest));
        Fate::Applied
    }

    fn digest(&self) -> u64 {
        digest(self.keys.iter().enumerate().filter_map(|(at, key)| {
            let key = key.as_ref()?;
            Some((at, key.count, key.digest, key.last, key.timers.as_slice()))
        }))
    }
}

fn digest<'t>(keys: impl Iterator<Item = (usize, u64, u64, u64, &'t [(i64, u64)])>) -> u64 {
    let mix = |hash: u64, number: u64| (hash.rotate_left(23) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    keys.fold(1, |hash, (at, count, digest, last, timers)| {
        let hash = [at as u64, count, digest, last].into_iter().fold(hash, mix);
        timers.iter().fold(hash, |hash, (due, id)| mix(mix(hash, *due as u64), *id))
    })
}

/// What a read-committed reader from outside sees of a partition.
fn committed(log: &FakeLog, slot: Slot) -> impl Iterator<Item = (Option<&[u8]>, Option<&[u8]>)> {
    let visible =
        log.entries(slot).iter().filter(|entry| matches!(entry.standing, Standing::Plain | Standing::Committed));
    visible.map(|entry| (entry.key.map(|key| log.bytes(key)), entry.value.map(|value| log.bytes(value))))
}

fn compare<T: Ord + Clone + std::fmt::Debug>(seen: &mut Vec<T>, expected: &mut Vec<T>, what: &str) {
    seen.sort_unstable();
    expected.sort_unstable();
    if seen == expected {
        return;
    }
    let doubled = seen.windows(2).zip(1..).find(|(pair, _)| pair[0] == pair[1]);
    if let Some((pair, _)) = doubled
        && seen.iter().filter(|one| **one == pair[0]).count() > expected.iter().filter(|one| **one == pair[0]).count()
    {
        panic!("XO-1: {what}: {:?} comes more often than it should", pair[0]);
    }
    if let Some(missing) = expected.iter().find(|one| !seen.contains(one)) {
        panic!("XO-2: {what}: {missing:?} is missing");
    }
    let surplus = seen.iter().find(|one| !expected.contains(one));
    panic!("XO-1: {what}: {surplus:?} should not be there, {} for {}", seen.len(), expected.len());
}

/// Input partitions of a stage.
pub const fn inputs(stage: usize) -> usize {
    if stage == 0 { SOURCES } else { PARTITIONS }
}
