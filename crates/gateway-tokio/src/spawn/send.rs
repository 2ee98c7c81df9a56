//! Sending under the lock: a message that finds space is encoded at once, another waits its turn.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker, ready};

use gateway_core::SendRejection;
use gateway_wire::{Accepted, Message, Space};
use tokio::task::coop;

use super::error::HandleErrorKind;
use super::shared::{Shared, State, has_space};
use super::turns::{Refusal, Ticket, Turn, Wants};
use super::wakes::{Due, Wakes};

/// A future's place among those that wait for space. If the future is dropped, it leaves.
pub(super) struct Place<'a> {
    shared: &'a Shared,
    ticket: Option<Ticket>,
}

impl<'a> Place<'a> {
    pub(super) const fn new(shared: &'a Shared) -> Self {
        Self { shared, ticket: None }
    }

    /// Sends a message once there is space.
    pub(super) async fn send(&mut self, message: &Message) -> Result<Accepted, SendRejection> {
        poll_fn(|cx| self.poll_send(cx, message)).await
    }

    #[inline]
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &Message,
    ) -> Poll<Result<Accepted, SendRejection>> {
        // A task that only sends would otherwise never let the driver run.
        let budget = ready!(coop::poll_proceed(cx));
        if self.ticket.is_none() {
            let sent = self.shared.with_driver(|state, wakes| state.send_at_once(message, wakes));
            if let Ok(Some(sent)) = sent {
                budget.made_progress();
                return Poll::Ready(sent);
            }
        }
        let sent = ready!(self.wait(cx, message));
        budget.made_progress();
        Poll::Ready(sent)
    }

    #[cold]
    fn wait(
        &mut self,
        cx: &mut Context<'_>,
        message: &Message,
    ) -> Poll<Result<Accepted, SendRejection>> {
        let ticket = &mut self.ticket;
        self.shared
            .with(|state, wakes| state.poll_send(ticket, cx.waker(), message, wakes))
            .unwrap_or_else(|kind| Poll::Ready(Err(rejection(kind))))
    }

    /// Reserves space once there is some.
    pub(super) async fn reserve(&mut self, space: Space) -> Result<(), HandleErrorKind> {
        poll_fn(|cx| {
            let budget = ready!(coop::poll_proceed(cx));
            let ticket = &mut self.ticket;
            let reserved = self
                .shared
                .with(|state, wakes| state.poll_reserve(ticket, cx.waker(), space, wakes));
            let reserved = ready!(reserved.unwrap_or_else(|kind| Poll::Ready(Err(kind))));
            budget.made_progress();
            Poll::Ready(reserved)
        })
        .await
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.shared.leave_turns(ticket);
        }
    }
}

impl Shared {
    /// Sends a message if there is space and no one waits for it.
    pub(super) fn try_send(&self, message: &Message) -> Result<Accepted, SendRejection> {
        self.with(|state, wakes| {
            let Some(engine) = &mut state.engine else { return Err(SendRejection::Gone) };
            if engine.session().takes_messages() && !state.turns.is_empty() {
                engine.tell_time();
                return Err(engine.session_mut().refuse_to_pass(message));
            }
            state.accept(message, wakes) // if there is no space, this returns the reason
        })
        .unwrap_or_else(|kind| Err(rejection(kind)))
    }

    /// Sends a message for which so much space is reserved. The space is released in any case.
    pub(super) fn send_reserved(
        &self,
        message: &Message,
        space: Space,
    ) -> Result<Accepted, SendRejection> {
        let sent = self.with(|state, wakes| {
            let Some(engine) = &mut state.engine else { return Err(SendRejection::Gone) };
            let sent = engine.accept_reserved(message, space);
            state.settle(self, wakes);
            state.call_driver(wakes); // also if it is refused: others may have its space
            sent
        });
        sent.unwrap_or_else(|kind| {
            self.release(space);
            Err(rejection(kind))
        })
    }
}

impl State {
    /// Sends a message, unless it has to wait.
    #[inline]
    fn send_at_once(
        &mut self,
        message: &Message,
        wakes: &mut impl Due,
    ) -> Option<Result<Accepted, SendRejection>> {
        let session = self.engine.as_ref()?.session();
        if !self.turns.is_empty() || session.is_full() {
            return None;
        }
        Some(self.accept(message, wakes))
    }

    fn poll_send(
        &mut self,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
        message: &Message,
        wakes: &mut Wakes,
    ) -> Poll<Result<Accepted, SendRejection>> {
        let Some(engine) = &self.engine else {
            *ticket = None;
            return Poll::Ready(Err(SendRejection::Gone));
        };
        let session = engine.session();
        if ticket.is_none() {
            let has_space = self.turns.is_empty() && !session.is_full();
            if has_space || !session.takes_messages() {
                return Poll::Ready(self.accept(message, wakes)); // or returns the reason
            }
        }
        let wants = Wants::Send(session.socket());
        match ready!(self.poll_turn(ticket, wants, waker, wakes)) {
            Ok(()) => {
                let sent = self.accept(message, wakes);
                self.settle_turns(wakes);
                Poll::Ready(sent)
            }
            Err(Refusal::Stalled) => Poll::Ready(Err(SendRejection::Stalled)),
            Err(Refusal::Lost) => Poll::Ready(self.refuse_lost(message, wakes)),
        }
    }

    fn poll_reserve(
        &mut self,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
        space: Space,
        wakes: &mut Wakes,
    ) -> Poll<Result<(), HandleErrorKind>> {
        let Some(engine) = &mut self.engine else {
            *ticket = None;
            return Poll::Ready(Err(HandleErrorKind::Gone));
        };
        engine.tell_time();
        let session = engine.session();
        if ticket.is_none() && session.is_closed() {
            return Poll::Ready(Err(HandleErrorKind::Closed));
        }
        let at_once = ticket.is_none() && self.turns.is_empty() && session.may_reserve();
        if !at_once {
            match ready!(self.poll_turn(ticket, Wants::Reserve, waker, wakes)) {
                Ok(()) => {}
                Err(Refusal::Stalled) => return Poll::Ready(Err(HandleErrorKind::Stalled)),
                Err(Refusal::Lost) => return Poll::Ready(Err(HandleErrorKind::Closed)),
            }
        }
        if let Some(engine) = &mut self.engine {
            engine.session_mut().reserve(space);
            if engine.session().needs_time() {
                self.call_driver(wakes); // the permit may hold the last token
            }
        }
        self.settle_turns(wakes);
        Poll::Ready(Ok(()))
    }

    /// Waits for a turn. The first call joins the queue, and sets the ticket.
    #[cold]
    fn poll_turn(
        &mut self,
        ticket: &mut Option<Ticket>,
        wants: Wants,
        waker: &Waker,
        wakes: &mut Wakes,
    ) -> Poll<Result<(), Refusal>> {
        let Some(own) = *ticket else {
            *ticket = Some(self.turns.join(wants, waker.clone()));
            self.settle_turns(wakes);
            return Poll::Pending;
        };
        let engine = self.engine.as_ref();
        let has_space = |wants| engine.is_some_and(|engine| has_space(engine.session(), wants));
        match self.turns.look(own, waker, has_space, wakes) {
            Turn::Later => Poll::Pending,
            Turn::Now => {
                *ticket = None;
                Poll::Ready(Ok(()))
            }
            Turn::Refused(why) => {
                *ticket = None;
                Poll::Ready(Err(why))
            }
        }
    }

    /// Passes a message to the session, and has the driver write it.
    #[inline]
    fn accept(
        &mut self,
        message: &Message,
        wakes: &mut impl Due,
    ) -> Result<Accepted, SendRejection> {
        let Some(engine) = &mut self.engine else { return Err(SendRejection::Gone) };
        let accepted = engine.accept(message)?;
        self.call_driver(wakes);
        Ok(accepted)
    }

    /// The socket that a message has waited for is lost. Another one may be ready by now.
    fn refuse_lost(
        &mut self,
        message: &Message,
        wakes: &mut Wakes,
    ) -> Result<Accepted, SendRejection> {
        match &self.engine {
            Some(engine) if engine.session().takes_messages() => Err(SendRejection::NotReady),
            Some(_) | None => self.accept(message, wakes), // returns the reason
        }
    }
}

/// The reason for a message's sender.
pub(super) const fn rejection(kind: HandleErrorKind) -> SendRejection {
    match kind {
        HandleErrorKind::Gone => SendRejection::Gone,
        HandleErrorKind::Reentrant => SendRejection::Reentrant,
        HandleErrorKind::Closed => SendRejection::Closed,
        HandleErrorKind::Stalled => SendRejection::Stalled,
    }
}
