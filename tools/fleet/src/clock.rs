//! The only file that reads a clock or sleeps.
#![allow(clippy::disallowed_methods, reason = "the figures are times")]

use std::time::{Duration, Instant};

/// The time since the program started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

pub(crate) async fn pause(span: Duration) {
    tokio::time::sleep(span).await;
}
