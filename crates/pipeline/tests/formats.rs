//! A rolling restart from one state format to the next, in which partitions move between both versions (scenario 15), and state
//! whose start is gone (scenario 8).

mod local;
mod stages;

use local::{START, touchpoint};
use serde_json::json;
use stages::{Both, PARTITIONS, Source};
use throughline_model::SourceKind;
use throughline_pipeline::{FormatGate, StateHeader};

/// One more touchpoint, committed by both stages.
fn more(both: &mut Both) {
    let number = both.applied();
    let value = touchpoint("page.viewed", &format!("customer-{number}"), number as f64, json!({}));
    both.push(0, &value, START + number as i64);
    both.commit();
    assert_eq!(both.applied(), number + 1);
}

/// The formats that the headers of the partitions name.
fn formats(both: &Both) -> Vec<u32> {
    let headers = (0..PARTITIONS as i32).filter_map(|partition| both.state(partition, StateHeader::KEY));
    headers.map(|bytes| StateHeader::read(bytes).expect("whole").0.state_format).collect()
}

#[test]
fn scenario_15_a_rolling_restart_across_a_state_format_change() {
    let mut both = Both::new(&[Source::new(SourceKind::Web)]);
    let (older, newer) = (FormatGate::reading(1), FormatGate::reading(2));
    both.restart_as(&older).expect("nothing is there yet");
    (0..8).for_each(|_| more(&mut both));
    assert_eq!(formats(&both), [1, 1]);

    // The first process of the newer version joins: partitions go to it and come back.
    assert_eq!(newer.set([1, 2].into_iter()), (1, true), "while the older one lives, what it reads is written");
    for gate in [&newer, &older, &newer, &older] {
        both.restart_as(gate).expect("both read it");
        (0..4).for_each(|_| more(&mut both));
        assert_eq!(formats(&both), [1, 1]);
    }

    // The last process of the older version is gone.
    both.restart_as(&newer).expect("one back is read");
    assert_eq!(newer.set([2, 2].into_iter()), (2, true));
    assert_eq!(formats(&both), [1, 1], "nothing newer was written yet");
    (0..8).for_each(|_| more(&mut both));
    assert_eq!(formats(&both), [2, 2], "the header rises with the first newer part");
    let refused = both.restart_as(&older).expect_err("it must not take newer parts for its own").0;
    assert!(refused.contains("the state format was 2") && refused.contains("use the newer program"), "{refused}");
    both.restart_as(&newer).expect("its own");
    more(&mut both);
}

#[test]
fn scenario_08_state_whose_start_is_gone_is_refused() {
    let mut both = Both::new(&[Source::new(SourceKind::Web)]);
    (0..8).for_each(|_| more(&mut both));
    assert_eq!(both.check_without(b"nothing"), Ok(()));
    let refused = both.check_without(StateHeader::KEY).expect_err("the first transaction wrote it").0;
    assert!(refused.contains("header") && refused.contains("nothing is reset silently"), "{refused}");
}
