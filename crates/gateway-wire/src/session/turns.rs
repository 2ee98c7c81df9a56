//! Requests and messages leave alternately while both wait for the rate limit or for space.

use std::time::Duration;

use gateway_core::Instant;

use super::Session;
use crate::requests::{RequestId, Requests};

/// A message that the application waits to send must come within this time once its turn has come.
/// Otherwise a future that waits and is not polled would hold up all requests.
const PATIENCE: Duration = Duration::from_millis(100);

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Turns {
    /// Whether a request was the last to leave, so that a message is next.
    is_of_messages: bool,
    /// Whether the application waits to send a message that the session does not have yet.
    is_send_awaited: bool,
    /// Since when a token or space is left for this message, while a request waits for it, too.
    left_since: Option<Instant>,
    /// The requests up to this one waited for the connection. They leave before all messages.
    first: Option<RequestId>,
}

impl Turns {
    /// The connection is ready. These are all requests so far.
    pub(super) fn start(&mut self, first: Option<RequestId>) {
        *self = Self { first, ..Self::default() };
    }

    pub(super) fn on_request_left(&mut self) {
        (self.is_of_messages, self.left_since) = (true, None);
    }

    /// A message has left.
    pub(super) fn on_message_left(&mut self) {
        (self.is_of_messages, self.left_since) = (false, None);
    }

    /// The application has sent a message, which may be refused. If others wait, the driver says so
    /// again.
    pub(super) fn on_send(&mut self) {
        self.is_send_awaited = false;
    }

    /// The token that was left is taken, by a ping for example.
    pub(super) fn on_token_taken(&mut self) {
        self.left_since = None;
    }
}

/// What leaves next, once there are space and a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A request.
    Request,
    /// A message of the outbox.
    Queued,
    /// A message that the application sends, if there is one.
    Sent,
}

impl Session {
    pub(super) fn next_to_leave(&self) -> Next {
        let Some(sending) = &self.sending else { return Next::Sent };
        let turns = &sending.turns;
        let has_queued = sending.outbox.as_ref().is_some_and(|outbox| !outbox.is_empty());
        let request = sending.requests.as_ref().and_then(Requests::sendable);
        let has_message = has_queued || turns.is_send_awaited;
        let goes = |request| !has_message || !turns.is_of_messages || Some(request) <= turns.first;
        match request {
            Some(request) if goes(request) => Next::Request,
            _ if has_queued => Next::Queued,
            _ => Next::Sent,
        }
    }

    /// Sends the requests that wait and the messages of the outbox, as far as there are space and
    /// tokens.
    pub(super) fn send_in_turn(&mut self) {
        while self.has_token() && !self.is_buffer_full() {
            let has_left = match self.next_to_leave() {
                Next::Request => self.send_request(),
                Next::Queued => self.send_queued(),
                Next::Sent => self.pass_turn(),
            };
            if !has_left {
                return;
            }
        }
    }

    /// It is the turn of a message that the application sends. Passes the turn to the requests if
    /// the message does not come in time. Returns whether it did.
    fn pass_turn(&mut self) -> bool {
        let (now, has_request) = (self.now, self.has_sendable_requests());
        let Some(sending) = &mut self.sending else { return false };
        let turns = &mut sending.turns;
        if !has_request {
            turns.left_since = None;
            return false;
        }
        let since = *turns.left_since.get_or_insert(now);
        let passes = now >= since.saturating_add(PATIENCE);
        if passes {
            turns.on_message_left();
        }
        passes
    }

    /// Returns when a request may use the turn that is left for a message. The instant is in the past
    /// if no call has noticed the turn yet.
    pub(super) fn turn_passes_at(&self) -> Option<Instant> {
        let turns = &self.sending.as_ref()?.turns;
        let is_left = self.has_sendable_requests() && self.next_to_leave() == Next::Sent;
        let may_leave = self.is_connection_ready() && self.has_token() && !self.is_buffer_full();
        let passes_at = turns.left_since.map_or(Instant::ZERO, |at| at.saturating_add(PATIENCE));
        (is_left && may_leave).then_some(passes_at)
    }

    /// A message that waited has space and a token now: that was its turn.
    pub(super) fn note_reserved(&mut self) {
        if let Some(sending) = &mut self.sending {
            sending.turns.on_send();
            sending.turns.on_message_left();
            self.hold_back();
        }
    }

    /// The application waits to send a message.
    pub(super) fn await_send(&mut self) {
        if let Some(sending) = &mut self.sending {
            sending.turns.is_send_awaited = true;
        }
    }

    /// It does not wait any more. What has waited for its turn may leave: the deadline is due.
    pub(super) fn forget_awaited_send(&mut self) {
        let Some(sending) = &mut self.sending else { return };
        if std::mem::take(&mut sending.turns.is_send_awaited) {
            sending.turns.left_since = None;
            self.hold_back();
        }
    }

    /// The connection is ready: the requests that waited for it leave first.
    pub(super) fn start_turns(&mut self) {
        if let Some(sending) = &mut self.sending {
            sending.turns.start(sending.requests.as_ref().and_then(Requests::newest));
        }
    }
}
