//! committed state for queries
