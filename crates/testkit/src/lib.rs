//! Development support: a real broker, a schema registry, and what the tests of several crates share.
//!
//! **What it does.** [`broker`] starts and stops a real Apache Kafka, [`cluster`] several of them, [`proxy`] stands between them
//! and their clients and disturbs, [`verifier`] judges what came of it, [`registry`] answers the REST calls of a schema registry
//! inside the test.
//!
//! **What it does not.** Nothing of production depends on it, and it depends neither on rdkafka nor on tokio: the broker is
//! a child of `std::process`, so that the tests of pure crates stay quick to build.
//!
//! **Invariants.** No Java process outlives the test that started it, however the test ends. No port, folder or subject is
//! shared between two tests that did not ask for it.
//!
//! **Where to start.** [`broker::Broker::shared`] in a test that needs Kafka, [`registry::Registry::start`] in one that needs
//! schemas.

pub mod broker;
pub mod cluster;
pub mod contract;
pub mod proxy;
pub mod registry;
pub mod sim;
pub mod verifier;
