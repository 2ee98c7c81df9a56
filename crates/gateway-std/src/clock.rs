//! The only file that reads clocks.
#![allow(clippy::disallowed_methods, reason = "time enters the driver here, and nowhere else")]

use std::time::{Duration, Instant as StdInstant, SystemTime};

use gateway_core::{Instant, UnixMillis};
use gateway_wire::WallClock;

/// The driver's two clocks. Monotonic time counts from when the clock was created.
pub(crate) struct Clock {
    epoch: StdInstant,
    wall: Option<WallClock>,
}

impl Clock {
    pub(crate) fn start(wall: Option<WallClock>) -> Self {
        Self { epoch: StdInstant::now(), wall }
    }

    pub(crate) fn now(&self) -> Instant {
        let nanos = self.epoch.elapsed().as_nanos();
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    pub(crate) fn wall(&self) -> UnixMillis {
        self.wall.as_ref().map_or_else(system_time, |wall| wall())
    }

    /// Whether the wall clock is the system's.
    pub(crate) const fn is_of_the_system(&self) -> bool {
        self.wall.is_none()
    }
}

/// The time that is left of a span.
pub(crate) struct Countdown {
    begun: StdInstant,
    span: Duration,
}

impl Countdown {
    pub(crate) fn start(span: Duration) -> Self {
        Self { begun: StdInstant::now(), span }
    }

    pub(crate) fn left(&self) -> Duration {
        self.span.saturating_sub(self.begun.elapsed())
    }
}

fn system_time() -> UnixMillis {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since_epoch.map_or(0, |span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    UnixMillis(millis)
}
