//! A seeded storm over a deployment: processes are killed, stalled, joined and asked to leave, brokers are killed and stopped,
//! connections are cut, delayed and held. Whatever was taken comes back after a while.
//!
//! The seed decides what happens in which order; when exactly it meets the processes is up to the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use throughline_testkit::cluster::Cluster;
use throughline_testkit::proxy::{Action, Api, Fault, Injected, Side};
use throughline_testkit::verifier::Seen;

use super::Disturbed;
use super::load::mix;
use super::onlooker::Onlooker;
use crate::deployment::load::now_ms;
use crate::deployment::program::Program;
use crate::deployment::records::client_at;
use crate::deployment::{LIMIT, SESSION_TIMEOUT};

/// Processes at the beginning, and at most.
const PROCESSES: u32 = 3;
const PROCESSES_MAX: u32 = 5;

/// A fault that has not met anything by then is over.
const FAULT_LIMIT: Duration = Duration::from_secs(15);

/// Requests that are disturbed.
const APIS: [Api; 14] = [
    Api::EndTxn,
    Api::TxnOffsetCommit,
    Api::AddPartitionsToTxn,
    Api::AddOffsetsToTxn,
    Api::InitProducerId,
    Api::Produce,
    Api::Fetch,
    Api::ListOffsets,
    Api::Metadata,
    Api::FindCoordinator,
    Api::OffsetFetch,
    Api::JoinGroup,
    Api::SyncGroup,
    Api::Heartbeat,
];

/// Those between the first output and the commit: they are disturbed most.
const COMMIT: usize = 4;

/// Something that comes back at its time.
enum Return {
    Start(u32),
    Continue(u32),
    Broker(usize),
    Release(Injected),
    Admit,
}

/// What goes on.
pub struct Storm<'a> {
    cluster: &'a mut Cluster,
    disturbed: &'a Disturbed,
    programs: BTreeMap<u32, Program>,
    stalled: Vec<u32>,
    returns: Vec<(Instant, Return)>,
    /// How often each kind of disturbance happened.
    pub counts: BTreeMap<&'static str, u32>,
    drawn: u64,
    diary: std::fs::File,
    onlooker: Onlooker,
    /// Nothing is ever sent: waiting for it is a pause.
    silence: (Sender<()>, Receiver<()>),
}

impl<'a> Storm<'a> {
    /// Starts the first processes.
    pub fn begin(cluster: &'a mut Cluster, disturbed: &'a Disturbed, seed: u64) -> Self {
        let path = disturbed.deployment.folder().join("storm.log");
        let diary = std::fs::File::create(path).expect("the folder can be written");
        let programs = (0..PROCESSES).map(|ordinal| (ordinal, disturbed.deployment.start(ordinal))).collect();
        let (stalled, returns, counts) = (Vec::new(), Vec::new(), BTreeMap::new());
        let (onlooker, silence) = (Onlooker::start(), channel());
        Self { cluster, disturbed, programs, stalled, returns, counts, drawn: seed, diary, onlooker, silence }
    }

    /// How many processes were killed.
    pub fn kills(&self) -> u32 {
        self.counts.get("kill").copied().unwrap_or(0)
    }

    /// One disturbance, and a short time for it to matter.
    pub fn step(&mut self) {
        match self.draw(100) {
            0..38 => self.kill_one(),
            38..40 => self.kill_all(),
            40..46 => self.stall(),
            46..51 => self.join(),
            51..56 => self.leave(),
            56..62 => self.take_broker(),
            62..64 => self.cut_all(),
            64..66 => self.refuse(),
            _ => self.disturb_requests(),
        }
        let pause = self.millis(100, 1_500);
        self.pause(pause);
    }

    /// Everything comes back; returns when every process is ready, with the processes and what they answered meanwhile.
    pub fn calm(mut self) -> (Vec<Program>, BTreeSet<Seen>) {
        self.note("calm", "");
        for (_, returning) in std::mem::take(&mut self.returns) {
            self.give_back(returning);
        }
        for number in 0..self.cluster.brokers() {
            self.cluster.start_again(number).expect("a broker starts again");
        }
        for ordinal in 0..PROCESSES {
            self.start(ordinal);
        }
        self.check();
        let programs: Vec<Program> = self.programs.into_values().collect();
        programs.iter().for_each(Program::wait_ready);
        (programs, self.onlooker.stop())
    }

    fn kill_one(&mut self) {
        let Some(ordinal) = self.pick_running() else { return };
        self.kill(ordinal);
        // Mostly it comes back as the same member; sometimes its partitions have been given to others by then.
        let away = if self.draw(5) > 0 { self.millis(0, 3_000) } else { SESSION_TIMEOUT + self.millis(1_000, 4_000) };
        self.later(away, Return::Start(ordinal));
    }

    fn kill_all(&mut self) {
        for ordinal in self.programs.keys().copied().collect::<Vec<_>>() {
            self.kill(ordinal);
            let away = self.millis(0, 2_000);
            self.later(away, Return::Start(ordinal));
        }
    }

    fn kill(&mut self, ordinal: u32) {
        self.note("kill", &ordinal.to_string());
        self.stalled.retain(|stalled| *stalled != ordinal);
        self.programs.remove(&ordinal).expect("a running process was chosen").kill();
    }

    fn stall(&mut self) {
        let Some(ordinal) = self.pick_running() else { return };
        self.note("stall", &ordinal.to_string());
        self.programs[&ordinal].signal("STOP");
        self.stalled.push(ordinal);
        let away = if self.draw(3) > 0 { SESSION_TIMEOUT + self.millis(1_000, 4_000) } else { self.millis(500, 5_000) };
        self.later(away, Return::Continue(ordinal));
    }

    fn join(&mut self) {
        let absent = |ordinal: &u32| !self.programs.contains_key(ordinal) && !self.is_returning(*ordinal);
        let Some(ordinal) = (0..PROCESSES_MAX).find(absent) else { return };
        self.note("join", &ordinal.to_string());
        self.start(ordinal);
    }

    fn leave(&mut self) {
        let Some(ordinal) = self.pick_running() else { return };
        if self.programs.len() < 3 {
            return;
        }
        self.note("leave", &ordinal.to_string());
        let mut program = self.programs.remove(&ordinal).expect("a running process was chosen");
        program.signal("TERM");
        // In the middle of a storm there may be no broker to commit to; that it ends is enough.
        program.wait_end(LIMIT);
        let away = self.millis(0, 10_000);
        self.later(away, Return::Start(ordinal));
    }

    /// One broker at a time, and only while every partition has all of its replicas: one that loses its last leader while a
    /// transaction is about to commit loses the markers for ever (KAFKA-20734), which is not ours to survive.
    fn take_broker(&mut self) {
        let all_run = (0..self.cluster.brokers()).all(|number| self.cluster.is_running(number));
        if !all_run || !self.is_in_sync() {
            return;
        }
        let (number, away) = (self.draw(self.cluster.brokers() as u64) as usize, self.millis(500, 8_000));
        match self.draw(4) {
            0 => {
                self.note("broker stop", &number.to_string());
                self.cluster.stop(number);
            }
            _ => {
                self.note("broker kill", &number.to_string());
                self.cluster.kill(number);
            }
        }
        self.later(away, Return::Broker(number));
    }

    fn is_in_sync(&self) -> bool {
        let reader: BaseConsumer = client_at(&self.cluster.bootstrap()).create().expect("a client");
        let replicas = self.cluster.brokers();
        reader.fetch_metadata(None, Duration::from_secs(10)).is_ok_and(|metadata| {
            let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
            partitions.into_iter().all(|partition| partition.isr().len() == replicas)
        })
    }

    fn cut_all(&mut self) {
        self.note("cut all", "");
        self.disturbed.proxy.cut_all();
    }

    fn refuse(&mut self) {
        self.note("refuse", "");
        self.disturbed.proxy.refuse(true);
        let away = self.millis(500, 6_000);
        self.later(away, Return::Admit);
    }

    fn disturb_requests(&mut self) {
        let apis = if self.draw(2) == 0 { COMMIT } else { APIS.len() };
        let api = APIS[self.draw(apis as u64) as usize];
        let side = if self.draw(2) == 0 { Side::Request } else { Side::Answer };
        let (action, name) = match self.draw(5) {
            0..2 => (Action::Cut, "cut"),
            2..4 => (Action::Delay(self.millis(200, 7_000)), "delay"),
            _ => (Action::Hold, "hold"),
        };
        let stage = ["", "normalize", "experience"][self.draw(3) as usize];
        let fault = Fault::once(api, side, action).of(stage).times(1 + self.draw(3) as u32);
        self.note(name, &format!("{fault:?}"));
        let injected = self.disturbed.proxy.inject(fault);
        let away = if action == Action::Hold { SESSION_TIMEOUT + self.millis(0, 4_000) } else { FAULT_LIMIT };
        self.later(away, Return::Release(injected));
    }

    fn give_back(&mut self, returning: Return) {
        match returning {
            Return::Start(ordinal) => self.start(ordinal),
            Return::Continue(ordinal) => {
                if self.stalled.contains(&ordinal) {
                    self.stalled.retain(|stalled| *stalled != ordinal);
                    self.write("continue", &ordinal.to_string());
                    self.programs[&ordinal].signal("CONT");
                }
            }
            Return::Broker(number) => {
                self.write("broker back", &number.to_string());
                self.cluster.launch(number).expect("a broker starts again");
            }
            Return::Release(injected) => {
                self.write("release", &format!("met {} times", injected.met()));
                drop(injected);
            }
            Return::Admit => self.disturbed.proxy.refuse(false),
        }
    }

    fn start(&mut self, ordinal: u32) {
        if !self.programs.contains_key(&ordinal) {
            self.write("start", &ordinal.to_string());
            self.programs.insert(ordinal, self.disturbed.deployment.start(ordinal));
        }
    }

    /// Waits, gives back what is due, and looks whether all processes are alive.
    fn pause(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let (due, kept) = std::mem::take(&mut self.returns).into_iter().partition(|(at, _)| *at <= Instant::now());
            self.returns = kept;
            let due: Vec<(Instant, Return)> = due;
            due.into_iter().for_each(|(_, returning)| self.give_back(returning));
            self.check();
            let served = |(ordinal, program): (&u32, &Program)| Some((*ordinal, program.address_now()?));
            self.onlooker.ask(self.programs.iter().filter_map(served).collect());
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let _ = self.silence.1.recv_timeout(left.min(Duration::from_millis(100)));
        }
    }

    /// No fault of a broker or a network ends a process.
    fn check(&self) {
        for (ordinal, program) in &self.programs {
            assert!(program.is_running(), "process {ordinal} ended by itself:\n{}", program.log());
        }
    }

    fn is_returning(&self, ordinal: u32) -> bool {
        self.returns.iter().any(|(_, returning)| matches!(returning, Return::Start(known) if *known == ordinal))
    }

    /// A process that is neither gone nor stalled.
    fn pick_running(&mut self) -> Option<u32> {
        let running = self.programs.keys().copied().filter(|ordinal| !self.stalled.contains(ordinal));
        let running: Vec<u32> = running.collect();
        (!running.is_empty()).then(|| running[self.draw(running.len() as u64) as usize])
    }

    fn later(&mut self, away: Duration, returning: Return) {
        self.returns.push((Instant::now() + away, returning));
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.drawn = mix(self.drawn);
        self.drawn % below
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.draw(to - from))
    }

    fn note(&mut self, kind: &'static str, text: &str) {
        *self.counts.entry(kind).or_insert(0) += 1;
        self.write(kind, text);
    }

    fn write(&mut self, kind: &str, text: &str) {
        writeln!(self.diary, "{} {kind} {text}", now_ms()).expect("the diary can be written");
    }
}
