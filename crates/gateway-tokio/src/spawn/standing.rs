//! Where a client stands, and the tasks that wait until that changes.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use gateway_core::ConnectionState;
use gateway_wire::Session;

use super::error::HandleErrorKind;
use super::shared::Shared;
use super::turns::Ticket;
use super::wakes::Wakes;

/// The state of the connection, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    state: ConnectionState,
    is_ready: bool,
    /// CLOSED, and every socket is dropped.
    is_over: bool,
}

/// The bits of a standing, above those of the state.
const READY: u8 = 1 << 3;
const OVER: u8 = 1 << 4;

impl Standing {
    /// The driver is gone.
    pub(crate) const GONE: Self =
        Self { state: ConnectionState::Closed, is_ready: false, is_over: true };

    pub(crate) fn of(session: &Session) -> Self {
        let (state, is_ready, is_over) = (session.state(), session.is_ready(), session.is_over());
        Self { state, is_ready, is_over }
    }

    pub(crate) const fn state(self) -> ConnectionState {
        self.state
    }

    pub(crate) const fn is_ready(self) -> bool {
        self.is_ready
    }

    pub(crate) fn to_bits(self) -> u8 {
        let state = match self.state {
            ConnectionState::Disconnected => 0,
            ConnectionState::Connecting => 1,
            ConnectionState::Connected => 2,
            ConnectionState::Authenticated => 3,
            ConnectionState::Closing => 4,
            ConnectionState::Closed => 5,
        };
        state | if self.is_ready { READY } else { 0 } | if self.is_over { OVER } else { 0 }
    }

    pub(crate) fn from_bits(bits: u8) -> Self {
        let state = match bits & (READY - 1) {
            0 => ConnectionState::Disconnected,
            1 => ConnectionState::Connecting,
            2 => ConnectionState::Connected,
            3 => ConnectionState::Authenticated,
            4 => ConnectionState::Closing,
            _ => ConnectionState::Closed,
        };
        Self { state, is_ready: bits & READY != 0, is_over: bits & OVER != 0 }
    }
}

/// The tasks that wait until the standing changes.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    waiting: Vec<(Ticket, Option<Waker>)>,
    tickets: u64,
    /// How often the standing has changed.
    changes: u64,
}

impl Watchers {
    /// How often the standing has changed.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Wakes this task at the next change, once.
    fn wait(&mut self, ticket: &mut Option<Ticket>, waker: &Waker, wakes: &mut Wakes) {
        let index = ticket.and_then(|ticket| self.index(ticket).ok());
        if let Some(index) = index {
            return wakes.renew(&mut self.waiting[index].1, waker);
        }
        self.tickets += 1;
        let own = Ticket::new(self.tickets);
        self.waiting.push((own, Some(waker.clone())));
        *ticket = Some(own);
    }

    /// The task waits no longer.
    pub(crate) fn leave(&mut self, ticket: Ticket, wakes: &mut Wakes) {
        if let Ok(index) = self.index(ticket) {
            wakes.spend(self.waiting.remove(index).1);
            if self.waiting.is_empty() {
                self.waiting = Vec::new();
            }
        }
    }

    /// The standing has changed: wakes all tasks.
    pub(crate) fn change(&mut self, wakes: &mut Wakes) {
        self.changes += 1;
        self.call_all(wakes);
    }

    /// Wakes all tasks.
    pub(crate) fn call_all(&mut self, wakes: &mut Wakes) {
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().for_each(|(_, waker)| wakes.push(waker));
    }

    fn index(&self, ticket: Ticket) -> Result<usize, usize> {
        self.waiting.binary_search_by_key(&ticket, |(ticket, _)| *ticket)
    }
}

/// A future that waits for a change. If it is dropped, it leaves the list.
pub(crate) struct Watch<'a> {
    shared: &'a Shared,
    ticket: Option<Ticket>,
}

impl<'a> Watch<'a> {
    pub(crate) const fn new(shared: &'a Shared) -> Self {
        Self { shared, ticket: None }
    }

    /// Waits until `look` returns a value. It is called again after each change, with the number of
    /// changes; and with `None` if the driver is gone. `None` means that the caller is under the lock.
    pub(crate) async fn until<T>(
        &mut self,
        look: impl Fn(Option<(&Session, u64)>) -> Option<T>,
    ) -> Option<T> {
        poll_fn(|cx| self.poll(cx, &look)).await
    }

    pub(super) fn poll<T>(
        &mut self,
        cx: &Context<'_>,
        look: &impl Fn(Option<(&Session, u64)>) -> Option<T>,
    ) -> Poll<Option<T>> {
        let looked = self.shared.with(|state, wakes| {
            let Some(engine) = &state.engine else { return Poll::Ready(look(None)) };
            match look(Some((engine.session(), state.watchers.changes()))) {
                None => {
                    state.watchers.wait(&mut self.ticket, cx.waker(), wakes);
                    Poll::Pending
                }
                found => Poll::Ready(found),
            }
        });
        match looked {
            Ok(looked) => looked,
            Err(HandleErrorKind::Reentrant) => Poll::Ready(None),
            Err(_) => Poll::Ready(look(None)),
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.shared.leave_watch(ticket);
        }
    }
}
