//! The only file that reads a clock or waits for time.
#![allow(clippy::disallowed_methods, reason = "the figures are times")]

use std::future::Future;
use std::time::{Duration, Instant};

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

    /// Runs `work` until the stopwatch has counted to `end`. Returns `None` if it did not finish.
    pub(crate) async fn until<T>(self, end: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(end.saturating_sub(self.elapsed()), work).await.ok()
    }
}
