//! The events of all clients of a fleet.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use gateway_wire::{ClientEvent, InboxReader, Name};

use crate::spawn::MemberEvents;

/// The events of all clients of a [`Fleet`](crate::Fleet), each with the name of its client. Events of
/// one client come in their order. Clients take turns, so one with many events does not hold up the
/// others.
///
/// **If you take no events**, they wait in their clients, within the bounds of
/// [`ClientEvent`], as those of a [spawned](crate::Events) client do. The clients keep their
/// heartbeats and all deadlines. So a fleet holds at most the number of its clients times
/// [`Limits::backlog`](crate::Limits::backlog) (1 MiB by default) of messages: choose a smaller backlog
/// for a large fleet. With [`Behind::DropOldest`](crate::Behind::DropOldest), a client goes on reading
/// and drops its oldest messages, and an event says how many.
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

    /// Returns the next event, and the name of its client. Returns `None` once the fleet is shut
    /// down or dropped, and you have received every event of its clients.
    ///
    /// Cancel-safe: if you drop the future, no event is lost.
    pub async fn next(&mut self) -> Option<(Name, ClientEvent)> {
        poll_fn(|cx| self.reader.poll_event(cx)).await
    }
}

/// Yields the same events as [`FleetEvents::next`].
impl Stream for FleetEvents {
    type Item = (Name, ClientEvent);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().reader.poll_event(cx)
    }
}

impl fmt::Debug for FleetEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetEvents").finish_non_exhaustive()
    }
}
