//! Everything that happens in a seed: processes take turns, time passes, things go wrong; then nothing goes wrong any
//! more, and everything must get done.

use throughline_model::Now;
use throughline_worker::{Input, MemoryLevel, WorkerOptions};

use super::chance::{Chance, Climate};
use super::cluster::{Cluster, TRANSACTION_TIMEOUT};
use super::disk::Disk;
use super::group::Group;
use super::instance::Instance;
use super::item::{Item, KEYS, Op, PARTITIONS, SLOTS, SOURCES, input_slot, slot_of};
use super::log::{Fetched, Isolation, Producer};
use super::mutant::Mutant;
use super::oracle::{Oracle, inputs};

/// Rounds without faults in which everything must get done.
const ROUNDS_MAX: usize = 600;
/// Milliseconds of a round without faults.
const ROUND: i64 = 500;
/// How deep standing still may be nested: a process stands still while another does.
const DEPTH_MAX: u32 = 2;
/// Milliseconds after which the log forgets a deletion.
const DELETIONS_KEPT: i64 = 120_000;

/// Why a process ends inside a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// It was killed.
    Killed,
    /// It ends because another process has its static id.
    Superseded,
    /// It ends by itself, for this reason.
    Ends(&'static str),
}

/// A turn, or a part of it.
pub type Turn<T = ()> = Result<T, Halt>;

/// An end of transaction that is still on the wire.
#[derive(Debug, Clone, Copy)]
pub struct LateEnd {
    /// Who asked.
    pub producer: Producer,
    /// For what.
    pub commits: bool,
}

/// What a seed did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Turns of processes.
    pub turns: u64,
    /// Transactions that committed.
    pub commits: u64,
    /// Processes killed.
    pub kills: u64,
}

impl Tally {
    /// Adds another seed's.
    pub const fn add(&mut self, other: Self) {
        self.turns += other.turns;
        self.commits += other.commits;
        self.kills += other.kills;
    }
}

/// The world of a seed.
#[derive(Debug)]
pub struct World {
    pub(super) chance: Chance,
    pub(super) climate: Climate,
    pub(super) mutant: Option<Mutant>,
    /// True time, of the cluster; a process adds the error of its clock.
    pub(super) now: i64,
    pub(super) cluster: Cluster,
    pub(super) oracle: Oracle,
    pub(super) instances: Vec<Instance>,
    /// Nothing goes wrong any more.
    pub(super) calm: bool,
    pub(super) late: Vec<LateEnd>,
    pub(super) tally: Tally,
    options: WorkerOptions,
    /// Stage of every static id.
    stages: Vec<usize>,
    /// By static id: whether two processes ever had it at once.
    doubled: Vec<bool>,
    /// Local logs, by static id.
    pub(super) disks: Vec<Disk>,
    depth: u32,
    sends_left: u32,
    items: u64,
    /// Processes started.
    processes: u32,
    trace: Option<Vec<String>>,
}

impl World {
    /// The world of a seed.
    pub fn new(seed: u64, mutant: Option<Mutant>, traced: bool) -> Self {
        let mut chance = Chance::new(seed);
        let climate = Climate::draw(&mut chance).with_pressure(seed);
        let spreading = 1 + chance.index(2);
        let folding = 1 + chance.index(3);
        let stages: Vec<usize> = [vec![0; spreading], vec![1; folding]].concat();
        let groups = vec![Group::new(SOURCES as u32), Group::new(PARTITIONS as u32)];
        let mut cluster = Cluster::new(SLOTS, groups);
        for stage in &stages {
            cluster.add_id(*stage, TRANSACTION_TIMEOUT);
        }
        let options = WorkerOptions {
            commit_interval: 100,
            records_max: 2 + u64::from(chance.below(6)),
            uncommitted_bytes_max: 4 + chance.index(12),
        };
        let sends_left = 6 + chance.below(30);
        let oracle = Oracle::new();
        let trace = traced.then(Vec::new);
        Self {
            chance,
            climate,
            mutant,
            now: 1_000_000,
            cluster,
            oracle,
            instances: Vec::new(),
            calm: false,
            late: Vec::new(),
            tally: Tally::default(),
            options,
            doubled: vec![false; stages.len()],
            disks: stages.iter().map(|_| Disk::default()).collect(),
            stages,
            depth: 0,
            sends_left,
            items: 0,
            processes: 0,
            trace,
        }
    }

    /// Faults first, then everything gets done, then the outputs are judged.
    pub fn run(&mut self) -> Tally {
        for id in 0..self.stages.len() {
            self.start(id);
        }
        let steps = 60 + self.chance.below(200);
        for _ in 0..steps {
            self.step();
        }
        self.note(|| "--- nothing goes wrong any more".to_owned());
        self.calm = true;
        let mut rounds = 0;
        while !self.is_done() {
            rounds += 1;
            assert!(rounds < ROUNDS_MAX, "XO-2: what can be done does not get done: {}", self.what_is_left());
            self.round();
        }
        self.oracle.check_outputs(&self.cluster.log);
        self.tally
    }

    /// What happened, in order.
    pub fn take_trace(&mut self) -> Vec<String> {
        self.trace.take().unwrap_or_default()
    }

    /// Adds a line to the trace.
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>9} {}", self.now - 1_000_000, line()));
        }
    }

    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// The clock of a process.
    pub(super) fn clock(&self, i: usize) -> Now {
        Now::from_millis(self.now + self.instances[i].skew)
    }

    fn step(&mut self) {
        match self.chance.below(100) {
            0..60 => {
                let i = self.chance.index(self.instances.len());
                self.turn(i);
            }
            60..74 => {
                let i = self.chance.index(self.instances.len());
                self.background(i);
            }
            74..82 => self.send(),
            82..90 => {
                let later = self.chance.pick(&[20, 100, 400, 1_500]);
                self.pass(later);
            }
            90..93 => self.one_marker(),
            93..95 => self.deliver_late(),
            _ => self.mishap(),
        }
    }

    /// Everything once, without faults.
    fn round(&mut self) {
        self.late_all();
        for id in 0..self.stages.len() {
            self.start(id);
        }
        while self.sends_left > 0 {
            self.send();
        }
        self.now += ROUND;
        for i in 0..self.instances.len() {
            self.background(i);
            self.turn(i);
            self.background(i);
        }
        self.cluster.tick(self.now, &mut self.chance);
        self.cluster.write_markers(self.now);
    }

    fn mishap(&mut self) {
        let (i, climate) = (self.chance.index(self.instances.len()), self.climate);
        match self.chance.below(8) {
            0 if self.chance.one_in(climate.kill.min(8)) => self.kill(i),
            1 if self.chance.one_in(climate.rebalance.min(8)) => {
                let group = self.chance.index(2);
                self.note(|| format!("group {group} rebalances"));
                self.cluster.groups[group].rebalance(self.now);
            }
            2 if self.chance.one_in(climate.clock) => {
                let skew = self.chance.pick(&[-5_000, -300, 0, 300, 5_000, 60_000]);
                self.note(|| format!("clock of {i} is off by {skew}"));
                self.instances[i].skew = skew;
            }
            3 if self.chance.one_in(climate.drain.min(10)) => self.instances[i].drains = true,
            3 if self.chance.one_in(climate.pressure) => {
                let later = self.chance.pick(&[100, 1_000, 5_000]);
                self.note(|| format!("memory of {i} is short for {later} ms"));
                self.instances[i].pressed_until = self.now + later;
            }
            4 if self.chance.one_in(climate.deaf) => {
                self.note(|| format!("{i} hears nothing from the coordinator of its group"));
                self.instances[i].member.deaf_until = self.now + 13_000;
            }
            4 => self.compact(),
            5 => self.trim(),
            6 => {
                let later = self.chance.pick(&[3_000, 9_000, 12_000]);
                self.pass(later);
            }
            _ => {
                let id = self.chance.index(self.stages.len());
                self.start(id);
            }
        }
    }

    /// Time passes while every process that does not stand still keeps its session.
    pub(super) fn pass(&mut self, later: i64) {
        let mut left = later;
        while left > 0 {
            let piece = left.min(3_000);
            left -= piece;
            self.now += piece;
            if later > 1_000 {
                for i in 0..self.instances.len() {
                    self.background(i);
                }
            }
            self.cluster.tick(self.now, &mut self.chance);
            if self.chance.one_in(2) {
                self.one_marker();
            }
        }
    }

    /// A process stands still, or its worker waits, while time passes and the others go on.
    pub(super) fn elapse(&mut self, i: usize, freezes: bool, later: i64) {
        if freezes {
            self.note(|| format!("{i} stands still for {later} ms"));
        }
        let was_frozen = std::mem::replace(&mut self.instances[i].is_frozen, freezes);
        if self.calm || self.depth >= DEPTH_MAX {
            self.pass(later);
            self.cluster.write_markers(self.now);
        } else {
            self.depth += 1;
            // Whoever takes over from a process that stands still needs some turns.
            let pieces = if later < 9_000 { 2 + self.chance.below(8) } else { 8 + self.chance.below(40) };
            for _ in 0..pieces {
                self.pass(later / i64::from(pieces) + 1);
                self.step();
            }
            self.depth -= 1;
        }
        self.instances[i].is_frozen = was_frozen;
        // Its group client wakes up first, or its worker does.
        if freezes && self.chance.one_in(2) {
            self.background(i);
        }
    }

    /// Where a process can be killed or stand still.
    pub(super) fn boundary(&mut self, i: usize) -> Turn {
        if self.calm {
            return Ok(());
        }
        if self.chance.one_in(self.climate.crash) {
            return Err(Halt::Killed);
        }
        if self.depth < DEPTH_MAX && self.chance.one_in(self.climate.freeze) {
            let later = self.chance.pick(&[50, 1_000, 9_000, 12_000, 30_000]);
            self.elapse(i, true, later);
        }
        Ok(())
    }

    /// A process takes one turn of its loop.
    pub(super) fn turn(&mut self, i: usize) {
        let instance = &mut self.instances[i];
        if !instance.is_alive || instance.is_busy || instance.is_frozen {
            return;
        }
        instance.is_busy = true;
        self.tally.turns += 1;
        self.now += 1;
        let turned = self.turned(i);
        self.instances[i].is_busy = false;
        if let Err(halt) = turned {
            self.note(|| format!("{i} ends: {halt:?}"));
            self.tally.kills += u64::from(halt == Halt::Killed);
            self.instances[i].is_alive = false;
            let id = self.instances[i].id;
            assert!(
                halt != Halt::Superseded || self.doubled[id],
                "XO-2: a process gave its place up to another with the id {id}, and there is none"
            );
        }
    }

    /// In the order of the driver's loop.
    fn turned(&mut self, i: usize) -> Turn {
        if self.instances[i].outbox.producer.is_none() {
            self.replace_producer(i)?;
        }
        self.poll(i)?;
        self.notices(i)?;
        self.step_restores(i)?;
        self.unstall(i)?;
        let is_pressed = self.now < self.instances[i].pressed_until && !self.calm;
        self.input(i, Input::Memory(if is_pressed { MemoryLevel::Short } else { MemoryLevel::Room }))?;
        if self.instances[i].drains { self.input(i, Input::Drain) } else { self.input(i, Input::Tick) }
    }

    /// Starts a process with this static id, unless one runs. One that stands still may get a double.
    fn start(&mut self, id: usize) {
        let mut reuse = None;
        for (i, instance) in self.instances.iter().enumerate() {
            if instance.id == id && instance.is_alive {
                if !instance.is_frozen || self.calm || !self.chance.one_in(self.climate.double) {
                    return;
                }
                self.doubled[id] = true;
            } else if !instance.is_alive && !instance.is_busy {
                reuse = Some(i);
            }
        }
        self.processes += 1;
        let fresh = Instance::start(self.stages[id], id, self.processes, self.options, self.mutant, self.now);
        let at = match reuse {
            Some(at) => {
                self.instances[at] = fresh;
                at
            }
            None => {
                self.instances.push(fresh);
                self.instances.len() - 1
            }
        };
        self.note(|| format!("{at} starts with the id {id}"));
        self.mount(at);
    }

    fn kill(&mut self, i: usize) {
        if self.instances[i].is_alive && !self.instances[i].is_busy {
            self.note(|| format!("{i} is killed"));
            self.tally.kills += 1;
            self.instances[i].is_alive = false;
        }
    }

    fn send(&mut self) {
        if self.sends_left == 0 {
            return;
        }
        self.sends_left -= 1;
        let mut record = Vec::new();
        for _ in 0..1 + self.chance.below(3) {
            record.push(self.item(record.last().copied()));
        }
        let mut bytes = Vec::with_capacity(64);
        record.iter().for_each(|item| item.write(&mut bytes));
        let value = self.cluster.log.keep(&bytes);
        let partition = self.chance.index(SOURCES);
        let offset = self.cluster.log.append(input_slot(0, partition), None, Some(value), self.now);
        self.note(|| format!("source {partition}@{offset}: {record:?}"));
        self.oracle.sent(record);
    }

    fn item(&mut self, before: Option<Item>) -> Item {
        let op = match self.chance.below(100) {
            0..56 => Op::Plain,
            56..70 => Op::Arm,
            70..76 => Op::Echo,
            76..81 => Op::Withhold,
            81..88 => Op::Erase,
            88..90 => Op::PoisonFrame,
            90..93 => Op::Poison,
            93..95 => Op::Stubborn,
            _ => Op::Stall,
        };
        if let Some(before) = before.filter(|_| op == Op::Echo) {
            return Item { op, ..before };
        }
        self.items += 1;
        let due = self.now + 50 + i64::from(self.chance.below(4_000));
        Item { id: self.items, key: self.chance.below(KEYS as u32) as u8, op, due }
    }

    fn one_marker(&mut self) {
        let id = self.chance.index(self.stages.len());
        self.cluster.write_marker(id, self.now, &mut self.chance);
    }

    fn deliver_late(&mut self) {
        if !self.late.is_empty() {
            let at = self.chance.index(self.late.len());
            let late = self.late.swap_remove(at);
            self.note(|| format!("a late request arrives: {late:?}"));
            // Nobody waits for the answer.
            let _ = self.cluster.end(late.producer, late.commits);
            self.decided();
        }
    }

    fn late_all(&mut self) {
        while !self.late.is_empty() {
            self.deliver_late();
        }
    }

    /// Tells the oracle what was decided.
    pub(super) fn decided(&mut self) {
        self.tally.commits += self.cluster.decisions.len() as u64;
        self.oracle.decide(&mut self.cluster);
    }

    /// Compacts a changelog. What it forgets is older than any restore takes.
    fn compact(&mut self) {
        if self.instances.iter().all(|instance| instance.restores.is_empty()) {
            let slot =
                slot_of(throughline_model::Topic::ExperienceChangelog, Some(self.chance.index(PARTITIONS) as i32));
            let until = self.cluster.log.stable(slot) - i64::from(self.chance.below(4));
            self.cluster.log.compact(slot, until, self.now - DELETIONS_KEPT);
        }
    }

    /// Deletes input that is committed.
    fn trim(&mut self) {
        let partition = self.chance.index(PARTITIONS);
        let until = self
            .oracle
            .reached(1, partition)
            .min(self.cluster.groups[1].committed_now(partition).map_or(0, |committed| committed.next));
        let keeps = i64::from(self.chance.below(6));
        self.cluster.log.delete_before(input_slot(1, partition), until - keeps);
    }

    fn is_done(&self) -> bool {
        self.sends_left == 0
            && self.late.is_empty()
            && self.cluster.is_quiet()
            && !self.oracle.is_armed()
            && (0..2).all(|stage| self.is_consumed(stage))
    }

    fn is_consumed(&self, stage: usize) -> bool {
        (0..inputs(stage)).all(|partition| {
            let reached = self.cluster.groups[stage].committed_now(partition).map_or(0, |committed| committed.next);
            let slot = input_slot(stage, partition);
            let from = reached.max(self.cluster.log.start(slot));
            matches!(self.cluster.log.fetch(slot, from, Isolation::Committed), Fetched::End(_))
        })
    }

    fn what_is_left(&self) -> String {
        let phases: Vec<_> = self.instances.iter().map(|one| (one.id, one.is_alive, one.worker.phase())).collect();
        let consumed = [self.is_consumed(0), self.is_consumed(1)];
        let (quiet, armed) = (self.cluster.is_quiet(), self.oracle.is_armed());
        format!("consumed {consumed:?}, quiet {quiet}, timers armed {armed}, workers {phases:?}")
    }
}
