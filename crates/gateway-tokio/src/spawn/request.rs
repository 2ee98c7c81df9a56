//! Requests under the lock: each caller waits until its own request has ended.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use gateway_wire::{Message, NoAnswer, Repeat, RequestErrorKind, RequestId, Session};
use tokio::task::coop;

use super::error::HandleErrorKind;
use super::shared::{Shared, State};
use super::wakes::Wakes;

/// The tasks that wait for answers.
#[derive(Debug, Default)]
pub(crate) struct Callers(BTreeMap<RequestId, Waker>);

impl Callers {
    /// Wakes the tasks whose requests have ended.
    pub(super) fn settle(&mut self, session: &Session, wakes: &mut Wakes) {
        if self.0.is_empty() || !session.has_ended_requests() {
            return;
        }
        session.ended_requests().for_each(|request| wakes.push(self.0.remove(&request)));
    }

    /// Wakes all of them.
    pub(super) fn call_all(&mut self, wakes: &mut Wakes) {
        std::mem::take(&mut self.0).into_values().for_each(|waker| wakes.push(Some(waker)));
    }

    fn wait(&mut self, request: RequestId, waker: &Waker, wakes: &mut Wakes) {
        if self.0.get(&request).is_some_and(|waiting| waiting.will_wake(waker)) {
            return;
        }
        wakes.spend(self.0.insert(request, waker.clone()));
    }

    /// The task waits no longer.
    pub(super) fn leave(&mut self, request: RequestId, wakes: &mut Wakes) {
        wakes.spend(self.0.remove(&request));
    }
}

/// A request whose caller waits. If its future is dropped before the end, the request is forgotten.
pub(super) struct Asking<'a> {
    shared: &'a Shared,
    request: RequestId,
    is_over: bool,
    /// Kept until the client has dropped its own: a payload may be the application's own buffer, and
    /// must not be dropped under the lock.
    _message: Message,
}

impl<'a> Asking<'a> {
    /// Makes the request.
    pub(super) fn begin(
        shared: &'a Shared,
        message: Message,
        timeout: Duration,
        repeat: Repeat,
    ) -> Result<Self, RequestErrorKind> {
        let made = shared.with(|state, wakes| {
            let engine = state.engine.as_mut().ok_or(RequestErrorKind::Gone)?;
            let request = engine.request(&message, timeout, repeat)?;
            state.settle(shared, wakes);
            state.call_driver(wakes);
            Ok(request)
        });
        let request = made.map_err(error)??;
        Ok(Self { shared, request, is_over: false, _message: message })
    }

    /// Waits for the answer.
    pub(super) async fn answer(mut self) -> Result<Message, NoAnswer> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, NoAnswer>> {
        let budget = ready!(coop::poll_proceed(cx));
        let polled =
            self.shared.with(|state, wakes| state.poll_answer(self.request, cx.waker(), wakes));
        self.is_over = matches!(polled, Ok(Poll::Ready(_)));
        let answer = ready!(
            polled.unwrap_or_else(|kind| Poll::Ready(Err(NoAnswer::of_maybe_sent(error(kind)))))
        );
        budget.made_progress();
        Poll::Ready(answer)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.shared.forget_request(self.request);
        }
    }
}

impl State {
    fn poll_answer(
        &mut self,
        request: RequestId,
        waker: &Waker,
        wakes: &mut Wakes,
    ) -> Poll<Result<Message, NoAnswer>> {
        let Some(engine) = &mut self.engine else {
            let answer = self.answers.remove(&request);
            let gone = || NoAnswer::of_maybe_sent(RequestErrorKind::Gone);
            return Poll::Ready(answer.ok_or_else(gone));
        };
        let session = engine.session_mut();
        if let Some(answer) = session.take_answer(request) {
            let reads_again = session.is_flow_changed();
            self.callers.leave(request, wakes);
            if reads_again {
                self.call_driver(wakes);
            }
            return Poll::Ready(answer);
        }
        self.callers.wait(request, waker, wakes);
        Poll::Pending
    }

    /// The request's caller waits no longer.
    pub(super) fn forget_request(&mut self, request: RequestId, wakes: &mut Wakes) {
        self.callers.leave(request, wakes);
        self.answers.remove(&request);
        if let Some(engine) = &mut self.engine {
            engine.session_mut().forget_request(request);
            // It may have ended a drain, or freed an id or space.
            self.call_driver(wakes);
        }
    }
}

const fn error(kind: HandleErrorKind) -> RequestErrorKind {
    match kind {
        HandleErrorKind::Gone | HandleErrorKind::Stalled => RequestErrorKind::Gone,
        HandleErrorKind::Reentrant => RequestErrorKind::Reentrant,
        HandleErrorKind::Closed => RequestErrorKind::Closed,
    }
}
