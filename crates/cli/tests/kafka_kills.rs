//! The program on a real Kafka, killed again and again: what a read-committed reader finds afterwards is what an undisturbed
//! run gives, each output once (XO-1, XO-2), and state is the fold of the committed input (XO-3).
//!
//! `THROUGHLINE_TEST_RECORDS=200000` runs the full size, `THROUGHLINE_TEST_SEED` repeats the moments of a run.

#![allow(clippy::print_stdout, reason = "a failing test shows which moments it chose")]

mod deployment;

use std::time::Duration;

use deployment::Deployment;
use deployment::compare::{self, Outputs, look_up};
use deployment::load::{self, Load};
use deployment::records::{Tail, produce};

const KILLS: u64 = 10;

/// Moments that differ from run to run and can be had again (SplitMix64).
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let seed = std::env::var("THROUGHLINE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| load::now_ms() as u64);
        // Shown when the test fails.
        println!("THROUGHLINE_TEST_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self, from: u64, to: u64) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_millis(from + (mixed ^ (mixed >> 31)) % (to - from))
    }
}

/// One life of the process, ended at a random moment: while it commits, under load, or in its start and restore.
fn kill_once(deployment: &Deployment, part: u64, moments: &mut Moments, produce: impl FnOnce()) {
    const OPEN: [&str; 3] =
        ["experience.touchpoints", "throughline.experience.changelog", "throughline.experience.inbox"];
    match part % 4 {
        0 | 2 => {
            let program = deployment.start_ready(0);
            let mut outputs = Tail::with_isolation(&deployment.topic(OPEN[part as usize % 3]), "read_uncommitted");
            outputs.read_to_end();
            produce();
            // What is seen now is written and maybe not committed.
            outputs.until("an output", |_| true);
            program.runs_for(moments.next(0, 10));
            program.kill();
        }
        1 => {
            let program = deployment.start_ready(0);
            produce();
            program.runs_for(moments.next(0, 500));
            program.kill();
        }
        _ => {
            produce();
            let program = deployment.start(0);
            program.runs_for(moments.next(50, 2_000));
            program.kill();
        }
    }
}

#[test]
fn kills_leave_no_trace_in_outputs_and_state() {
    let mut moments = Moments::new();
    let load = Load::default();
    let web = Deployment::web_source();
    let killed = Deployment::new("killed", std::slice::from_ref(&web), "");
    for part in 0..KILLS {
        kill_once(&killed, part, &mut moments, || produce(&web.topic, load.part(part, KILLS + 1)));
    }
    let program = killed.start_ready(0);
    produce(&web.topic, load.part(KILLS, KILLS + 1));
    killed.wait_for_touchpoints(load.touchpoints);
    // Single views that wait are written meanwhile.
    let answers = compare::comparable(look_up(&killed, &program, &load));
    program.drain();
    let outputs = Outputs::read(&killed);
    let state = compare::state(&killed);

    let again = killed.start_ready(0);
    let restored = compare::comparable(look_up(&killed, &again, &load));
    assert!(restored == answers, "a restored process answers as the one before");
    again.drain();
    assert!(compare::state(&killed) == state, "a restore changes nothing");

    let undisturbed = Deployment::new("undisturbed", &[web], "");
    let program = undisturbed.start_ready(0);
    undisturbed.wait_for_touchpoints(load.touchpoints);
    let expected = compare::comparable(look_up(&undisturbed, &program, &load));
    program.drain();
    let expected_outputs = Outputs::read(&undisturbed);
    assert_eq!(expected_outputs.touchpoints(), load.touchpoints, "every record of the load is a touchpoint");
    outputs.assert_same(&expected_outputs);
    for (login, answer) in answers {
        assert_eq!(answer, expected[&login], "state of {login}");
    }
    println!("{} customers, {} alerts", expected_outputs.customers(), expected_outputs.alerts());
    let topic = killed.topic("experience.touchpoints");
    let written = Tail::with_isolation(&topic, "read_uncommitted").read_to_end().len() as u64;
    println!("{} touchpoints were written in vain", written - load.touchpoints);
}
