//! The events of a client that runs in a task.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;
use gateway_wire::{ClientEvent, Name};
use tokio::task::coop;

use super::error::HandleErrorKind;
use super::shared::{Shared, State};
use super::wakes::{Due, Wakes};
use crate::sync::Arc;

/// Events taken for one unit of the task's budget. A unit for each would let a task take fewer
/// events than one read brings.
const EVENTS_PER_UNIT: u8 = 8;

/// The events of a client in a background task.
///
/// **If you take no events**, they wait in the client, within the bounds of [`ClientEvent`]. The
/// client keeps its heartbeat and all deadlines, and stops reading once
/// [`Limits::backlog`](crate::Limits::backlog) bytes of messages wait.
///
/// **If you drop this**, the client drops its events as they come, and goes on. So a program that
/// only sends needs no events. The client closes the connection with 1000 once all handles are
/// dropped, too.
///
/// **To share it** between tasks, put it into a `tokio::sync::Mutex`. Each event is yielded once.
pub struct Events {
    shared: Arc<Shared>,
    /// Events taken since the last unit was spent.
    taken: u8,
}

impl Events {
    /// The only one of a client. The client counts it already.
    pub(super) const fn only(shared: Arc<Shared>) -> Self {
        Self { shared, taken: 0 }
    }

    /// Returns the next event. Returns `None` while the connection is CLOSED and you have received
    /// every event. After [`Handle::connect`](crate::Handle::connect) it yields events again.
    ///
    /// Returns `None` as well if the client's task is gone. Events that still waited are then lost.
    ///
    /// Cancel-safe: if you drop the future, no event is lost.
    #[inline]
    pub async fn next(&mut self) -> Option<ClientEvent> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Returns the client's name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.shared.name().map(Name::as_str)
    }

    #[inline]
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        if self.taken == 0 {
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        let event = self.shared.with_driver(State::take_event);
        if let Ok(Some(event)) = event {
            self.taken = (self.taken + 1) % EVENTS_PER_UNIT;
            return Poll::Ready(Some(event));
        }
        self.wait(cx)
    }

    #[cold]
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        match self.shared.with(|state, wakes| state.poll_event(cx.waker(), wakes)) {
            Ok(event) => event,
            Err(HandleErrorKind::Reentrant) => {
                cx.waker().wake_by_ref(); // looks again from the outside
                Poll::Pending
            }
            Err(_) => Poll::Ready(None),
        }
    }
}

impl State {
    #[inline]
    fn take_event(&mut self, wakes: &mut impl Due) -> Option<ClientEvent> {
        let engine = self.engine.as_mut()?;
        let event = engine.take_event()?;
        // There is space to read again, or a violation of the protocol has waited for this.
        if engine.session().is_flow_changed() || engine.session().is_breach_due() {
            self.call_driver(wakes);
        }
        Some(event)
    }

    fn poll_event(&mut self, waker: &Waker, wakes: &mut Wakes) -> Poll<Option<ClientEvent>> {
        if let Some(event) = self.take_event(wakes) {
            return Poll::Ready(Some(event));
        }
        if self.engine.as_ref().is_none_or(|engine| engine.session().is_over()) {
            return Poll::Ready(None);
        }
        wakes.renew(&mut self.reader, waker);
        Poll::Pending
    }
}

/// Yields the same events as [`Events::next`]. The stream may go on after `None`.
impl Stream for Events {
    type Item = ClientEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        self.get_mut().poll_event(cx)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.remove_reader();
        self.shared.remove_user();
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("name", &self.name())
            .field("endpoint", self.shared.endpoint())
            .finish_non_exhaustive()
    }
}
