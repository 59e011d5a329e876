//! composition root: build, supervise, shut down

pub mod registry;
