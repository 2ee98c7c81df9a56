//! The clocks of TLS, for the age of the platform's configuration.
#![allow(
    clippy::disallowed_methods,
    reason = "the age of a process-wide value, which no driver owns"
)]

use std::time::{Duration, Instant, SystemTime};

/// The times of both clocks. The monotonic one may stop in a suspend, and the wall clock may be set
/// back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    pub(super) monotonic: Instant,
    pub(super) wall: SystemTime,
}

impl Clocks {
    pub(super) fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// The time since `then`, by the clock that has gone further.
    pub(super) fn since(self, then: Self) -> Duration {
        let by_wall = self.wall.duration_since(then.wall).unwrap_or_default();
        by_wall.max(self.monotonic.saturating_duration_since(then.monotonic))
    }
}
