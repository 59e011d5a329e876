//! The properties of a log, on the simulated cluster. `crates/kafka/tests/kafka_contract.rs` runs the same ones on a broker.

use throughline_testkit::contract::{FakeKafka, each_property, properties};

macro_rules! check {
    ($name:ident) => {
        #[test]
        fn $name() {
            properties::$name(&mut FakeKafka::default());
        }
    };
}

each_property!(check);
