//! Requests: messages that wait for an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_core::{Action, Event, Instant, Outgoing, SendingFact};

use super::sending::is_closed;
use super::{Facts, Session};
use crate::correlation::Correlator;
use crate::counts::RequestCounts;
use crate::message::Message;
use crate::requests::{MostRequests, NoAnswer, Repeat, RequestErrorKind, RequestId, Requests};

/// Requests. Each ends: with its answer, or with the reason why there is none.
impl Session {
    /// Sets how requests and answers find each other. Without this there are no requests.
    #[must_use]
    pub fn with_requests(mut self, correlator: Box<dyn Correlator>) -> Self {
        self.sending_mut().requests = Some(Requests::new(correlator));
        self
    }

    /// Makes a request. The session puts an id into the message, and sends it once there is space,
    /// before messages that are sent later. If your message's payload is a buffer of your own, keep
    /// the message until the request is over, so that the session does not drop the buffer. The
    /// answer is not among the events: wait until the request [is over](Self::is_request_over), and
    /// [take](Self::take_answer) it.
    ///
    /// # Errors
    /// Nothing was sent: there is no correlator, the connection is draining, closing or CLOSED, or
    /// there are too many requests. Or the connection is not ready, and `repeat` is
    /// [`Never`](Repeat::Never).
    pub fn request(
        &mut self,
        now: Instant,
        message: &Message,
        timeout: Duration,
        repeat: Repeat,
    ) -> Result<RequestId, RequestErrorKind> {
        self.now = now;
        if self.requests().is_none() {
            return Err(RequestErrorKind::NoCorrelator);
        }
        if is_closed(self.state()) || self.is_draining() {
            return Err(RequestErrorKind::Closed);
        }
        if !self.is_connection_ready() && repeat == Repeat::Never {
            return Err(RequestErrorKind::NotReady);
        }
        let most = MostRequests { count: self.limits.requests, bytes: self.limits.request_bytes };
        let due = now.saturating_add(timeout);
        let added = match self.requests_mut() {
            Some(requests) => requests.add(message.clone(), due, repeat, most),
            None => Err(RequestErrorKind::NoCorrelator),
        };
        if let Ok(request) = added {
            self.note(SendingFact::RequestMade {
                request: request.number(),
                bytes: message.len() as u64,
                is_idempotent: repeat == Repeat::OnReconnect,
                timeout,
            });
        }
        self.advance();
        self.report_facts();
        added
    }

    /// Whether the request has ended. Then [take](Self::take_answer) its answer.
    #[must_use]
    pub fn is_request_over(&self, request: RequestId) -> bool {
        self.requests().is_some_and(|requests| requests.is_over(request))
    }

    /// Returns the answer of a request, or why it has none. Returns `None` if the request has not
    /// ended, or if its end was already taken.
    pub fn take_answer(&mut self, request: RequestId) -> Option<Result<Message, NoAnswer>> {
        self.requests_mut()?.take(request)
    }

    /// Returns the answers that their callers have not taken, for a driver that ends.
    pub fn take_answers(&mut self) -> BTreeMap<RequestId, Message> {
        self.requests_mut().map(Requests::take_answers).unwrap_or_default()
    }

    /// The backlog cost of the answers that their callers have not taken.
    pub(super) fn untaken_answers(&self) -> usize {
        self.requests().map_or(0, Requests::untaken)
    }

    /// No one waits for the request any more. A late answer is an ordinary message. If another
    /// request waits for its id, or a [drain](Self::drain) waited for this one,
    /// [`deadline`](Self::deadline) is due.
    pub fn forget_request(&mut self, request: RequestId) {
        if let Some((requests, mut facts)) = self.requests_and_facts() {
            requests.forget(request, &mut facts);
            self.hold_back();
        }
        self.report_facts();
    }

    /// Returns the requests that have ended, and whose ends were not taken.
    pub fn ended_requests(&self) -> impl Iterator<Item = RequestId> {
        self.requests().into_iter().flat_map(Requests::ended)
    }

    /// Whether there are [any](Self::ended_requests).
    #[must_use]
    #[inline]
    pub fn has_ended_requests(&self) -> bool {
        self.needs_time() && self.requests().is_some_and(Requests::has_ended)
    }

    /// Returns the number of requests that have not ended.
    #[must_use]
    pub fn unanswered_requests(&self) -> usize {
        self.requests().map_or(0, Requests::unanswered)
    }

    /// Returns how many answers came for which no request was waiting. They were ordinary messages.
    #[must_use]
    pub fn unmatched_answers(&self) -> u64 {
        self.requests().map_or(0, Requests::unmatched)
    }

    pub(super) fn request_counts(&self) -> RequestCounts {
        self.requests().map_or_else(RequestCounts::default, Requests::counts)
    }

    fn requests(&self) -> Option<&Requests> {
        self.sending.as_ref()?.requests.as_ref()
    }

    pub(super) fn requests_mut(&mut self) -> Option<&mut Requests> {
        self.sending.as_mut()?.requests.as_mut()
    }

    pub(super) fn requests_and_facts(&mut self) -> Option<(&mut Requests, Facts<'_>)> {
        let requests = self.sending.as_mut()?.requests.as_mut()?;
        Some((requests, Facts::new(&mut self.observer, self.now)))
    }

    pub(super) fn has_waiting_requests(&self) -> bool {
        self.requests().is_some_and(Requests::has_waiting)
    }

    /// Whether a request waits, and an id is free.
    pub(super) fn has_sendable_requests(&self) -> bool {
        self.requests().is_some_and(|requests| requests.sendable().is_some())
    }

    /// Sends the next request. Returns whether others may leave, too.
    pub(super) fn send_request(&mut self) -> bool {
        let Self { sending, connection, observer, now, .. } = self;
        let requests = sending.as_mut().and_then(|sending| sending.requests.as_mut());
        let mut facts = Facts::new(observer, *now);
        let Some((id, message)) =
            requests.and_then(|requests| requests.next(|| connection.next_number(), &mut facts))
        else {
            return !self.has_sendable_requests(); // no message could hold an id
        };
        let actions = self.handle(self.now, Event::SendRequested(message.borrowed()));
        let [Action::Send(_, Outgoing::Requested)] = actions.as_slice() else { return false };
        let Some(link) = &mut self.link else { return false };
        let start = link.output.end();
        link.codec.encode(&message, link.output.buffer());
        let bytes = start..link.output.end();
        if let Some((requests, mut facts)) = self.requests_and_facts() {
            requests.on_sent(id, bytes, &mut facts);
        }
        self.sending_mut().turns.on_request_left();
        self.take_token();
        self.block_if_full();
        true
    }

    /// Takes a message that answers a request, and delivers any other one. What an answer makes
    /// possible [comes later](Self::settle_answer): the actions of the message's event may name bytes
    /// of the dialect, which the next event overwrites.
    #[inline(never)]
    pub(super) fn deliver_or_answer(&mut self, message: Message) {
        let message = match self.requests_and_facts() {
            Some((requests, mut facts)) => requests.take_answer(message, &mut facts),
            None => Some(message),
        };
        match message {
            Some(message) => self.deliver(message),
            None => self.sending_mut().is_answered = true,
        }
    }

    /// Sends what waited for the id of an answered request, and closes if it was the last one of a
    /// drain. Call this when the actions of the event are carried out.
    pub(super) fn settle_answer(&mut self) {
        if std::mem::take(&mut self.sending_mut().is_answered) {
            if self.has_waiting_requests() {
                self.advance();
            }
            self.close_if_drained();
        }
        self.report_facts();
    }
}
