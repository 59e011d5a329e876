//! The kinds of time: when it happened, when Kafka recorded it, how far event time has come, and the injected now.

use crate::closed_set;

macro_rules! instant {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(i64);

        impl $name {
            /// From milliseconds since 1970-01-01T00:00:00Z.
            #[must_use]
            pub const fn from_millis(millis: i64) -> Self {
                Self(millis)
            }

            /// Milliseconds since 1970-01-01T00:00:00Z.
            #[must_use]
            pub const fn as_millis(self) -> i64 {
                self.0
            }

            /// Later by `millis` (earlier if negative); stops at the ends of the range.
            #[must_use]
            pub const fn plus_millis(self, millis: i64) -> Self {
                Self(self.0.saturating_add(millis))
            }
        }
    };
}

instant! {
    /// When it happened. All arithmetic, order and decay use it.
    EventTime
}
instant! {
    /// When the source record was recorded by Kafka (its timestamp). Deduplication uses it.
    ReceivedAt
}
instant! {
    /// How far event time has certainly come, by the watermarks of the sources. Timers of absence use it.
    StreamTime
}
instant! {
    /// The worker's clock, injected. Only the life of an alert among people uses it.
    Now
}

impl ReceivedAt {
    /// The event time to assume where a touchpoint names none.
    #[must_use]
    pub const fn as_event_time(self) -> EventTime {
        EventTime::from_millis(self.0)
    }
}

/// One second in milliseconds.
pub const SECOND: i64 = 1_000;
/// One minute in milliseconds.
pub const MINUTE: i64 = 60 * SECOND;
/// One hour in milliseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// One day in milliseconds.
pub const DAY: i64 = 24 * HOUR;

closed_set! {
    /// Where an event time comes from, best first.
    pub enum TimeQuality {
        /// The payload's own time.
        Exact = "exact",
        /// Corrected for the skew of the sender's clock.
        Corrected = "corrected",
        /// Local time, zone from the catalog.
        Zoned = "zoned",
        /// A date alone; noon of that day.
        Day = "day",
        /// It lay in the future; set to the received time.
        Clamped = "clamped",
        /// There was none; set to the received time.
        Missing = "missing",
    }
}

impl TimeQuality {
    /// Whether a touchpoint of this quality may move a watermark: invented times never do.
    #[must_use]
    pub const fn moves_watermark(self) -> bool {
        !matches!(self, Self::Clamped | Self::Missing)
    }
}
