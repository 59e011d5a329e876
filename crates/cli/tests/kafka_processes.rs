//! Several processes of one deployment on a real Kafka: they share the partitions, come, go and stall, and what a
//! read-committed reader finds is what one undisturbed process gives.

mod deployment;

use deployment::compare::Outputs;
use deployment::load::Load;
use deployment::program::Program;
use deployment::records::produce;
use deployment::{Deployment, PARTITIONS, Source};

const STAGES: [&str; 2] = ["normalize", "experience"];

/// Partitions that these processes serve together, by stage.
fn served(programs: &[&Program]) -> [usize; 2] {
    STAGES.map(|stage| programs.iter().map(|program| program.served(stage)).sum())
}

/// Waits until every one of them serves something in both stages, and together they serve everything.
fn wait_shared(programs: &[&Program]) {
    programs[0].wait_until("shared by all processes", || {
        let each = programs.iter().all(|program| STAGES.iter().all(|stage| program.served(stage) > 0));
        each && served(programs) == [PARTITIONS as usize; 2]
    });
}

/// Outputs of one process that nobody disturbs, on the same records.
fn undisturbed(web: Source, load: &Load) -> Outputs {
    let deployment = Deployment::new("undisturbed", &[web], "");
    let program = deployment.start_ready(0);
    deployment.wait_for_touchpoints(load.touchpoints);
    program.drain();
    let outputs = Outputs::read(&deployment);
    assert_eq!(outputs.touchpoints(), load.touchpoints, "every record of the load is a touchpoint");
    outputs
}

#[test]
fn two_processes_share_a_third_joins_one_leaves() {
    let load = Load::default();
    let web = Deployment::web_source();
    let shared = Deployment::new("shared", std::slice::from_ref(&web), "");
    let first = shared.start_ready(0);
    let second = shared.start_ready(1);
    produce(&web.topic, load.part(0, 4));
    wait_shared(&[&first, &second]);

    let third = shared.start(2);
    produce(&web.topic, load.part(1, 4));
    wait_shared(&[&first, &second, &third]);

    // Its partitions wait for the session timeout, since a static member may come back; the others go on meanwhile.
    produce(&web.topic, load.part(2, 4));
    first.drain();
    produce(&web.topic, load.part(3, 4));
    wait_shared(&[&second, &third]);
    shared.wait_for_touchpoints(load.touchpoints);
    second.drain();
    third.drain();
    Outputs::read(&shared).assert_same(&undisturbed(web, &load));
}

#[test]
fn a_stalled_process_is_fenced_and_joins_again() {
    let load = Load::default();
    let web = Deployment::web_source();
    let shared = Deployment::new("stalled", std::slice::from_ref(&web), "");
    let steady = shared.start_ready(0);
    let stalled = shared.start_ready(1);
    wait_shared(&[&steady, &stalled]);
    produce(&web.topic, load.part(0, 4));
    shared.wait_for_touchpoints(1);
    stalled.signal("STOP");
    produce(&web.topic, load.part(1, 4));
    steady.wait_until("alone", || served(&[&steady]) == [PARTITIONS as usize; 2]);
    produce(&web.topic, load.part(2, 4));

    // It wakes with partitions that are no longer its own, maybe with an open transaction.
    stalled.signal("CONT");
    produce(&web.topic, load.part(3, 4));
    stalled.wait_for_line("told that its partitions are gone", |line| {
        ["\"lost\"", "\"fenced, joining again\""].iter().any(|told| line.contains(told)).then_some(())
    });
    wait_shared(&[&steady, &stalled]);
    let notes = stalled.json("/v1/status")["notes"].clone();
    let is_told = notes.as_array().expect("a list").iter().any(|note| note["code"] == "TL-F3");
    assert!(is_told, "a person is told what became of its partitions: {notes}");
    shared.wait_for_touchpoints(load.touchpoints);
    steady.drain();
    stalled.drain();
    Outputs::read(&shared).assert_same(&undisturbed(web, &load));
}
