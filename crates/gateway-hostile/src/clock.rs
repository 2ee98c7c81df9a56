//! The clocks and timers of the server. No other file reads or waits for time.
#![expect(
    clippy::disallowed_methods,
    reason = "the server needs real time; all of its uses of clocks are in this file"
)]

use std::{
    future::Future,
    time::{Duration, SystemTime},
};

use tokio::time::{self, Instant};

/// Counts the time since it was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// When it will have counted to `span`. For a span too long to represent, a century from now.
    pub(crate) fn at(self, span: Duration) -> Instant {
        self.0.checked_add(span).unwrap_or_else(|| after(span))
    }
}

/// The monotonic time.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The monotonic time `span` from now; for a span too long to represent, a century from now.
pub(crate) fn after(span: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    let now = Instant::now();
    now.checked_add(span).unwrap_or(now + CENTURY)
}

/// The wall clock `span` from now, for dates in HTTP headers.
pub(crate) fn wall_after(span: Duration) -> SystemTime {
    let now = SystemTime::now();
    now.checked_add(span).unwrap_or(now)
}

/// Waits for `deadline`; without one it never returns.
pub(crate) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Waits for `span`.
pub(crate) async fn pause(span: Duration) {
    time::sleep(span).await;
}

/// Runs `work` for at most `span`. Returns `None` if it did not finish.
pub(crate) async fn within<T>(span: Duration, work: impl Future<Output = T>) -> Option<T> {
    time::timeout(span, work).await.ok()
}
