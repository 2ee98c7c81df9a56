//! The events of a client that runs in a task.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::vec;

use futures_core::Stream;
use gateway_wire::{ClientEvent, Name, Session};
use tokio::task::coop;

use super::shared::{Shared, State};
use super::wakes::{Due, Wakes};
use crate::sync::Arc;

/// The most events that are taken at once. More would not save much: the lock costs a fraction of
/// what an event does.
const BATCH: usize = 16;

/// No more are taken at once after messages of this many bytes.
const BATCH_BYTES: usize = 64 << 10;

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
/// A task that takes events in a loop lets others run: each 16 events count against the budget of
/// tokio's cooperative scheduling.
///
/// **To share it** between tasks, put it into a `tokio::sync::Mutex`. Each event is yielded once.
#[must_use = "events that are dropped are lost"]
pub struct Events {
    shared: Arc<Shared>,
    /// Events that were taken with the one before them. The client counts them as waiting.
    batch: vec::IntoIter<ClientEvent>,
    end: StreamEnd,
}

/// When events end for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreamEnd {
    /// While the connection is CLOSED.
    Closed,
    /// When the client's task is gone. Until then, the connection may open again.
    Gone,
}

impl Events {
    /// The only one of a client. The client counts it already.
    pub(super) fn only(shared: Arc<Shared>) -> Self {
        Self { shared, batch: Vec::new().into_iter(), end: StreamEnd::Closed }
    }

    /// From now on also waits while the connection is CLOSED.
    pub(super) const fn until_gone(mut self) -> Self {
        self.end = StreamEnd::Gone;
        self
    }

    /// Returns the next event. Returns `None` while the connection is CLOSED and you have received
    /// every event. After [`Handle::connect`](crate::Handle::connect) it yields events again.
    ///
    /// If the client's task is gone, yields the events that still wait, and then `None`. The outcomes
    /// of all messages are among them. Under the [lock](crate::Handle), it waits until the caller is
    /// outside.
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
        match self.batch.next() {
            None => self.poll_batch(cx),
            event => Poll::Ready(event),
        }
    }

    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        self.batch = Vec::new().into_iter(); // frees its memory
        let budget = ready!(coop::poll_proceed(cx));
        let Ok(Some((first, others))) = self.shared.with_driver(State::take_events) else {
            return self.wait(cx);
        };
        budget.made_progress();
        if !others.is_empty() {
            self.batch = others.into_iter();
        }
        Poll::Ready(Some(first))
    }

    #[cold]
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        let end = self.end;
        match self.shared.with(|state, wakes| state.poll_event(cx.waker(), end, wakes)) {
            Ok(event) => event,
            // Looks again from the outside, or once the panic of another thread is dealt with.
            Err(_) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl State {
    /// Takes the next event, and with it others that wait.
    fn take_events(&mut self, wakes: &mut impl Due) -> Option<(ClientEvent, Vec<ClientEvent>)> {
        let Some(engine) = &mut self.engine else {
            return self.unread.next().map(|event| (event, Vec::new()));
        };
        let session = engine.session_mut();
        session.end_loan();
        let first = session.lend_event();
        let mut others = Vec::new();
        if session.has_events() {
            others.reserve_exact(BATCH - 1);
            while others.len() < BATCH - 1 && session.lent() < BATCH_BYTES {
                let Some(event) = session.lend_event() else { break };
                others.push(event);
            }
        }
        // There is space to read again, or a violation of the protocol has waited for this.
        if session.is_flow_changed() || session.is_breach_due() {
            self.call_driver(wakes);
        }
        Some((first?, others))
    }

    fn poll_event(
        &mut self,
        waker: &Waker,
        end: StreamEnd,
        wakes: &mut Wakes,
    ) -> Poll<Option<ClientEvent>> {
        let session = self.engine.as_ref().map(|engine| engine.session());
        if session.map_or(!self.unread.is_empty(), Session::has_events) {
            // They came in the meantime. The next poll takes them.
            wakes.push(Some(waker.clone()));
            return Poll::Pending;
        }
        if session.is_none_or(|session| session.is_over() && end == StreamEnd::Closed) {
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
