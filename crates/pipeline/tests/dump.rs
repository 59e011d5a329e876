//! What a partition is kept as while somebody else has it: a dump restored again is the state that was dumped, and that is
//! what the changelog holds.

mod local;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use local::{sentiment, stage, touchpoint};
use serde_json::json;
use throughline_model::{AlertId, NextOffset, NodeId, SourceKind};
use throughline_pipeline::table::{GROUPS, key, parts, put_part};
use throughline_pipeline::{ExperienceStage, LiveAlert, Table};
use throughline_worker::{Processor, TaskId};

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Debug, Default)]
struct Customers(RefCell<BTreeMap<NodeId, Arc<[u8]>>>, RefCell<BTreeSet<AlertId>>);

impl Table for Customers {
    fn get(&self, node: &NodeId) -> Option<Arc<[u8]>> {
        self.0.borrow().get(node).cloned()
    }

    fn put(&self, node: NodeId, parts: Arc<[u8]>) {
        self.0.borrow_mut().insert(node, parts);
    }

    fn remove(&self, node: &NodeId) {
        self.0.borrow_mut().remove(node);
    }

    fn reflect(&self, _: i32, _: NextOffset) {}

    fn forget_partition(&self, _: i32) {
        self.0.borrow_mut().clear();
    }

    fn each(&self, visit: &mut dyn FnMut(&NodeId, &[u8])) -> bool {
        self.0.borrow().iter().for_each(|(node, bytes)| visit(node, bytes));
        true
    }

    fn alerts(&self, _: i32, _: NodeId, _: &[AlertId], changed: &[LiveAlert]) {
        self.1.borrow_mut().extend(changed.iter().map(|live| live.alert.alert_id));
    }
}

const TASK: TaskId = TaskId { topic: 0, partition: 0 };

/// A stage with one partition, restored from these records, and what it dumps.
fn restored(records: &Records) -> (ExperienceStage<Customers>, Records) {
    let mut options = local::service_options().experience;
    options.partitions = 1;
    let mut stage = ExperienceStage::new(options, Customers::default());
    stage.assign(TASK);
    for (key, value) in records {
        stage.restore(TASK, key, Some(value)).expect("own records");
    }
    stage.restored(TASK, NextOffset(1));
    let mut dumped = Records::new();
    let is_whole = stage.dump(&[TASK], &mut |task, key, value| {
        assert_eq!(task, TASK);
        let before = dumped.insert(key.to_vec(), value.to_vec());
        assert_eq!(before, None, "each key once");
    });
    assert!(is_whole);
    (stage, dumped)
}

#[test]
fn a_dump_is_what_the_changelog_holds() {
    let mut run = stage();
    for customer in 0..20 {
        let login = format!("customer-{customer}");
        for day in 0..5 {
            let more = json!({"evidence": sentiment(if customer % 3 == 0 { -0.9 } else { 0.5 })});
            run.touchpoint(SourceKind::Web, &touchpoint("page.viewed", &login, f64::from(day), more));
        }
    }
    // One record of each group, as a commit writes them.
    let mut changelog = Records::new();
    let shown = run.run.table().each(&mut |node, bytes| {
        for group in GROUPS {
            let mut value = Vec::new();
            for (part, content) in parts(bytes).filter(|(part, _)| group.parts.contains(part)) {
                put_part(&mut value, part, content);
            }
            if !value.is_empty() {
                changelog.insert(key(*node, group).to_vec(), value);
            }
        }
    });
    assert!(shown);
    let (stage, dumped) = restored(&changelog);
    let customers = |records: &Records| -> Records {
        let is_customer = |key: &[u8]| throughline_pipeline::table::read_key(key).is_some();
        records.iter().filter(|(key, _)| is_customer(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    assert!(changelog.len() > 20, "customers, some with alerts");
    assert_eq!(customers(&dumped), changelog);
    let bytes = run.run.table().nodes().into_iter().map(|node| (node, run.run.table().get(&node).expect("there")));
    assert_eq!(stage.table().0.borrow().clone(), bytes.collect());
    let (again, dumped_again) = restored(&dumped);
    assert_eq!(dumped_again, dumped);
    assert_eq!(again.table().0, stage.table().0);
    assert_eq!(again.table().1, stage.table().1, "the same alerts live");
    assert_eq!(again.timers_pending(), stage.timers_pending());
}
