//! the topology: processors, logical topics, changelog encoding

pub mod records;
pub mod state;
