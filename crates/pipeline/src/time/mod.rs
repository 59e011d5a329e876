//! Stream time: how far event time has certainly come, and the timers that wait for it.
//!
//! ```text
//! source partition          normalize                        inbox partition              experience
//! records, statistics ───> Watermarks ── progress, 1 s ───> every one of them ───> SourceClocks ─> stream time
//!                                                                                        by TimerKind │
//!                                                            customers that are due <── Timers <──────┘
//! ```
//!
//! A watermark says: whatever happened before this has been passed on. It never goes back, follows the clock only where a
//! source partition is read to its end and silent, and is part of the transaction that passed the records on. Absence is
//! judged by the smallest watermark of the sources that could disprove it, so that a file which arrives at night neither
//! makes a customer look silent nor holds back a clock of a minute.

pub mod clocks;
pub mod disproof;
pub mod timers;
pub mod watermark;
pub mod wheel;

pub use clocks::{ClockLimits, SourceClocks};
pub use disproof::{SourceSet, TimerKind};
pub use timers::{Clock, ClockKind, Timers};
pub use watermark::{Lateness, Watermarks};
pub use wheel::Wheel;
