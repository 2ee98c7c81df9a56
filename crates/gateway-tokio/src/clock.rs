//! The only file that reads clocks and creates sleeps. It uses tokio's clock, so that
//! `tokio::time::pause` works.
#![allow(clippy::disallowed_methods, reason = "time enters the driver here, and nowhere else")]

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::time::{Duration, SystemTime};

use gateway_core::{Instant, UnixMillis};
use gateway_wire::WallClock;
use tokio::runtime::{Handle, Id};
use tokio::task::yield_now;
use tokio::time::{Instant as TokioInstant, Sleep, sleep, sleep_until};

/// The driver's two clocks. Monotonic time counts from when the clock was created.
#[derive(Clone)]
pub(crate) struct Clock {
    epoch: TokioInstant,
    wall: Option<WallClock>,
}

impl Clock {
    pub(crate) fn start(wall: Option<WallClock>) -> Self {
        Self { epoch: TokioInstant::now(), wall }
    }

    pub(crate) fn now(&self) -> Instant {
        #[cfg(test)]
        counts::READS.set(counts::READS.get() + 1);
        let nanos = TokioInstant::now().saturating_duration_since(self.epoch).as_nanos();
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    pub(crate) fn wall(&self) -> UnixMillis {
        self.wall.as_ref().map_or_else(system_time, |wall| wall())
    }

    fn at(&self, instant: Instant) -> TokioInstant {
        // Past tokio's range, use a timer that is never due.
        let span = Duration::from_nanos(instant.as_nanos());
        self.epoch.checked_add(span).unwrap_or(self.epoch + Duration::from_secs(1 << 31))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

fn system_time() -> UnixMillis {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since_epoch.map_or(0, |span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    UnixMillis(millis)
}

/// The client's only timer. It only wakes the client, which then reads the clock to see whether a
/// deadline is due.
#[derive(Debug, Default)]
pub(crate) struct Timer(Option<Armed>);

#[derive(Debug)]
struct Armed {
    sleep: Pin<Box<Sleep>>,
    deadline: Instant,
    /// The runtime that the sleep belongs to.
    runtime: Option<Id>,
}

impl Timer {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Wakes `waker` when the time reaches `deadline`, which must be in the future. This touches
    /// the sleep only if the deadline or the runtime has changed, or if the sleep ends too early.
    pub(crate) fn arm(&mut self, waker: &Waker, clock: &Clock, deadline: Option<Instant>) {
        let Some(deadline) = deadline else {
            self.0 = None;
            return;
        };
        let runtime = current_runtime();
        let armed = match &mut self.0 {
            Some(armed) if armed.runtime == runtime => armed,
            none => none.insert(Armed {
                sleep: Box::pin(sleep_until(clock.at(deadline))),
                deadline,
                runtime,
            }),
        };
        if armed.deadline != deadline {
            armed.deadline = deadline;
            #[cfg(test)]
            counts::RESETS.set(counts::RESETS.get() + 1);
            armed.sleep.as_mut().reset(clock.at(deadline));
        }
        // If the task's budget is spent, the poll wakes the task at once instead of registering it,
        // and the task comes back here.
        while armed.sleep.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
            let again = clock.at(deadline).max(TokioInstant::now() + Duration::from_millis(1));
            armed.sleep.as_mut().reset(again);
        }
    }
}

/// The current runtime.
pub(crate) fn current_runtime() -> Option<Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

/// Wakes the task of `cx` after all others had their turn, also the one that `block_on` polls. A
/// task that wakes itself would come before that one.
pub(crate) fn yield_to_others(cx: &mut Context<'_>) {
    let _ = pin!(yield_now()).poll(cx); // pending once
}

/// Waits for `span`: the stagger between two addresses that are tried in parallel.
pub(crate) async fn after(span: Duration) {
    sleep(span).await;
}

/// How often this thread has read the clock and set a timer, for the test that checks both.
#[cfg(test)]
pub(crate) mod counts {
    use std::cell::Cell;

    thread_local! {
        pub(crate) static READS: Cell<u64> = const { Cell::new(0) };
        pub(crate) static RESETS: Cell<u64> = const { Cell::new(0) };
    }
}
