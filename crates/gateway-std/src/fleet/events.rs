//! The events of all clients of a fleet.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use gateway_wire::{ClientEvent, InboxReader, Name};

use super::member::MemberEvents;
use crate::client::TimedOut;
use crate::clock::Countdown;

/// The events of all clients of a [`Fleet`](crate::Fleet), each with the name of its client. Events of
/// one client come in their order. Clients take turns, so one with many events does not hold up the
/// others.
///
/// **If you take no events**, they wait in their clients, within the bounds of
/// [`ClientEvent`]. The clients keep their heartbeats and all deadlines. So a fleet holds at most the
/// number of its clients times [`Limits::backlog`](crate::Limits::backlog) (1 MiB by default) of
/// messages: choose a smaller backlog for a large fleet. Each client also holds up to 16 events that it
/// has handed over, with 64 KiB of messages, or one longer message. With
/// [`Behind::DropOldest`](crate::Behind::DropOldest), a client goes on reading and drops its oldest
/// messages, and an event says how many.
///
/// **If you drop this**, the clients drop their events as they come, and go on.
#[must_use = "events that are dropped are lost"]
pub struct FleetEvents {
    reader: InboxReader<MemberEvents>,
}

impl FleetEvents {
    pub(super) const fn new(reader: InboxReader<MemberEvents>) -> Self {
        Self { reader }
    }

    /// Waits for the next event, and returns it with the name of its client. Returns `None` once the
    /// fleet is shut down or dropped, and you have received every event of its clients.
    pub fn recv(&mut self) -> Option<(Name, ClientEvent)> {
        self.wait(None).unwrap_or(None) // without a timeout this cannot fail
    }

    /// Waits for the next event, but at most for `timeout`. Zero returns an event that has already
    /// come.
    ///
    /// # Errors
    /// [`TimedOut`] if no event came in that time. No event is lost.
    pub fn recv_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<(Name, ClientEvent)>, TimedOut> {
        self.wait(Some(Countdown::start(timeout)))
    }

    fn wait(&mut self, time: Option<Countdown>) -> Result<Option<(Name, ClientEvent)>, TimedOut> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            if let Poll::Ready(event) = self.reader.poll_event(&mut Context::from_waker(&waker)) {
                return Ok(event);
            }
            match time.as_ref().map(Countdown::left) {
                None => thread::park(),
                Some(left) if left.is_zero() => return Err(TimedOut::unnamed()),
                Some(left) => thread::park_timeout(left),
            }
        }
    }
}

/// Wakes the thread that waits for events.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Yields the same events as [`FleetEvents::recv`].
impl Iterator for FleetEvents {
    type Item = (Name, ClientEvent);

    fn next(&mut self) -> Option<Self::Item> {
        self.recv()
    }
}

impl fmt::Debug for FleetEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetEvents").finish_non_exhaustive()
    }
}
