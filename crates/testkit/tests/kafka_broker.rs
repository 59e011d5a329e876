//! The broker of the tests is a real one, and ends when it should.

use throughline_testkit::broker::{Broker, BrokerOptions, answers};

#[test]
fn a_broker_answers_survives_a_kill_and_leaves_nothing_behind() {
    let mut broker = Broker::start(&BrokerOptions::default()).expect("a broker starts");
    let bootstrap = broker.bootstrap().to_owned();
    let first = broker.pid().expect("a started broker has a process");
    assert!(answers(&bootstrap));

    broker.kill();
    assert!(!answers(&bootstrap));
    assert!(!process_exists(first));

    broker.start_again().expect("a killed broker starts again on its partitions");
    let second = broker.pid().expect("a started broker has a process");
    assert_ne!(first, second);
    assert!(answers(&bootstrap));

    let folder = broker.folder().to_owned();
    broker.stop();
    assert!(!process_exists(second));
    drop(broker);
    assert!(!folder.exists());
}

#[test]
fn the_shared_broker_answers() {
    assert!(answers(Broker::shared()));
}

fn process_exists(pid: u32) -> bool {
    std::process::Command::new("kill")
        .args(["-s", "0", &pid.to_string()])
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
