//! What the clocks show: how a suspend of the machine becomes known.

use std::time::Duration;

use gateway_core::{Event, Instant, UnixMillis};

use super::Session;
use super::perform::Payload;

impl Session {
    /// A timer woke the driver, or a suspend was noticed: what the wall clock shows.
    pub fn wall_clock(&mut self, now: Instant, wall: UnixMillis) {
        self.at(now, Event::WallClock(wall), Payload::None);
    }

    /// The machine was suspended for `by`. The clocks need not show it: the monotonic clock may go on in a suspend. The core
    /// gets it as a wall clock that goes ahead by that span, and decides whether it is long enough.
    pub fn suspended(&mut self, now: Instant, wall: UnixMillis, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.wall_clock(now, UnixMillis(wall.0.saturating_sub(by)));
        self.wall_clock(now, wall);
    }
}
