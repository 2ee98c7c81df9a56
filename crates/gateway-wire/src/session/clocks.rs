//! Reports of the wall clock and of suspends.

use std::time::Duration;

use gateway_core::{Event, Instant, UnixMillis};

use super::Session;
use super::perform::Payload;

impl Session {
    /// Reports the wall clock. Call this when a timer woke the driver, or when it noticed a
    /// suspend.
    pub fn wall_clock(&mut self, now: Instant, wall: UnixMillis) {
        self.at(now, Event::WallClock(wall), Payload::None);
    }

    /// Reports that the computer was suspended for `by`. The core gets this as a wall clock that is
    /// ahead by that span, and decides whether the span is long enough. So the report also works if
    /// the monotonic clock went on in the suspend.
    pub fn suspended(&mut self, now: Instant, wall: UnixMillis, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.wall_clock(now, UnixMillis(wall.0.saturating_sub(by)));
        self.wall_clock(now, wall);
    }
}
