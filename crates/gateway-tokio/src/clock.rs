//! The one file that reads clocks and makes sleeps: tokio's clock, so that `tokio::time::pause` works.
#![allow(clippy::disallowed_methods, reason = "time enters the driver here, and nowhere else")]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use gateway_core::{Instant, UnixMillis};
use gateway_wire::WallClock;
use tokio::time::{Instant as TokioInstant, Sleep, sleep, sleep_until};

/// The driver's two clocks. Monotonic time counts from when the clock was made.
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
        // Past tokio's range a timer that is never due will do.
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

/// The client's one timer. The runtime's sleep only wakes; the clock decides what is due.
#[derive(Debug)]
pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
    armed: Option<Instant>,
}

impl Timer {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { sleep: Box::pin(sleep_until(clock.epoch)), armed: None }
    }

    /// Ready with the time when `deadline` is reached. The sleep is touched only when the deadline has changed,
    /// or when it reports too early.
    pub(crate) fn poll_due(
        &mut self,
        cx: &mut Context<'_>,
        clock: &Clock,
        deadline: Option<Instant>,
    ) -> Poll<Instant> {
        let Some(deadline) = deadline else {
            self.armed = None;
            return Poll::Pending;
        };
        if self.armed != Some(deadline) {
            // A busy runtime looks at its timers late, and an application that is always a little behind, whose reading pauses and
            // resumes all the time, would set this one anew before it does.
            let now = clock.now();
            if now >= deadline {
                return Poll::Ready(now);
            }
            self.armed = Some(deadline);
            #[cfg(test)]
            counts::RESETS.set(counts::RESETS.get() + 1);
            self.sleep.as_mut().reset(clock.at(deadline));
        }
        loop {
            std::task::ready!(self.sleep.as_mut().poll(cx));
            let now = clock.now();
            if now >= deadline {
                return Poll::Ready(now);
            }
            let again = clock.at(deadline).max(TokioInstant::now() + Duration::from_millis(1));
            self.sleep.as_mut().reset(again);
        }
    }
}

/// Waits for `span`: the stagger between two addresses that are tried side by side.
pub(crate) async fn after(span: Duration) {
    sleep(span).await;
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[tokio::test]
    async fn a_deadline_that_has_passed_is_due_before_the_runtime_has_looked_at_its_timers() {
        let clock = Clock::start(None);
        let mut timer = Timer::new(&clock);

        let due =
            timer.poll_due(&mut Context::from_waker(Waker::noop()), &clock, Some(Instant::ZERO));

        assert!(due.is_ready());
    }
}

/// How often this thread has read the clock and set a timer, for the test that holds both to account.
#[cfg(test)]
pub(crate) mod counts {
    use std::cell::Cell;

    thread_local! {
        pub(crate) static READS: Cell<u64> = const { Cell::new(0) };
        pub(crate) static RESETS: Cell<u64> = const { Cell::new(0) };
    }
}
