//! The tests' time: a generous bound for every wait on a real socket, and a paused clock everywhere
//! else.
#![allow(clippy::disallowed_methods, reason = "time enters the tests here, and nowhere else")]

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;

/// A guard only: no test ends by it.
pub const GUARD: Duration = Duration::from_secs(20);

/// The same on a paused clock, which runs ahead as soon as everybody waits.
const PAUSED_GUARD: Duration = Duration::from_secs(30 * 86_400);

/// Waits for what must come; panics if it never does.
///
/// # Panics
/// After 20 s, or 30 days where the clock is paused.
pub async fn within<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    // Most need no guard, and it takes a thousand looks at the clock to choose one.
    if let Some(output) = future.as_mut().now_or_never() {
        return output;
    }
    let guard = if is_paused() { PAUSED_GUARD } else { GUARD };
    tokio::select! {
        biased; // the guard first: waking up for it must not be what makes the future go on
        () = elapse(guard) => panic!("what was waited for never came"),
        output = future => output,
    }
}

/// A paused clock shows the same time however often it is looked at.
fn is_paused() -> bool {
    let first = now();
    (0..1_000).all(|_| now() == first)
}

/// The paused clock.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// Lets the paused clock run on by `span`: everybody else does meanwhile what is due.
pub async fn elapse(span: Duration) {
    tokio::time::sleep(span).await;
}

/// Sets the paused clock forward by `span`, as if nobody had run meanwhile. That is done at the first
/// poll; after it the others run.
pub(crate) async fn jump(span: Duration) {
    tokio::time::advance(span).await;
}

/// Lets everybody else do what can be done at this very instant.
pub async fn settle() {
    for _ in 0..100 {
        settle_once().await;
    }
}

/// Lets everybody else have one turn.
pub(crate) async fn settle_once() {
    tokio::task::yield_now().await;
}
