//! composition root: build, supervise, shut down
