//! The soak's time. No other file reads clocks or waits.
#![allow(
    clippy::disallowed_methods,
    reason = "a soak runs for a time that is asked for, on real sockets; its clock is this file"
)]

use std::future::Future;
use std::time::{Duration, Instant};

/// Now.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits on this thread.
pub(crate) fn pause(span: Duration) {
    std::thread::sleep(span);
}

/// Waits on this task.
pub(crate) async fn wait(span: Duration) {
    tokio::time::sleep(span).await;
}

/// Waits on this task until then.
pub(crate) async fn wait_until(at: Instant) {
    tokio::time::sleep_until(at.into()).await;
}

/// The future's output, unless it takes longer than this.
pub(crate) async fn at_most<F: Future>(span: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(span, future).await.ok()
}
