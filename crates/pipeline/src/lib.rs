//! the topology: processors, logical topics, changelog encoding
