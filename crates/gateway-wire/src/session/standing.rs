//! The state of a session, for inspection.

use std::sync::Arc;

use gateway_core::{Config, ConnectionState, GiveUpCause, Instant, SocketId, Statistics};

use tracing::Span;

use super::link::Writing;
use super::{Limits, Session};
use crate::counts::Counts;
use crate::end::{End, EndKind};
use crate::name::Name;
use crate::status::Status;

impl Session {
    /// Returns the client's name, if it has one.
    #[must_use]
    pub const fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// Returns the span that the log lines are in. Enter it around code of the application's that
    /// the client runs, such as a provider.
    #[must_use]
    pub fn span(&mut self) -> Span {
        self.log.span()
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.connection.state()
    }

    /// Whether the connection is ready, and the session is not [draining](Self::drain).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_connection_ready() && !self.is_draining()
    }

    /// Whether the connection is ready, also while the session is draining.
    #[must_use]
    pub const fn is_connection_ready(&self) -> bool {
        self.connection.is_ready()
    }

    /// Returns the socket that is opening or open.
    #[must_use]
    pub const fn socket(&self) -> Option<SocketId> {
        self.connection.socket()
    }

    /// Returns why the client gave up the connection, if it did.
    #[must_use]
    pub const fn gave_up(&self) -> Option<GiveUpCause> {
        self.connection.gave_up()
    }

    /// Whether the connection is CLOSED and every socket is dropped.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state() == ConnectionState::Closed && self.link.is_none() && self.orders.is_empty()
    }

    /// Returns how the client ended, if it [is over](Self::is_over).
    #[must_use]
    pub fn end(&self) -> Option<End> {
        let kind = || self.gave_up().map_or(EndKind::Closed, EndKind::GaveUp);
        self.is_over().then(|| End::new(kind(), self.name.clone()))
    }

    /// Returns the limits of the buffers.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the core's settings.
    #[must_use]
    pub const fn config(&self) -> &Arc<Config> {
        self.connection.config()
    }

    /// Returns the connection's statistics so far.
    #[must_use]
    pub fn statistics(&self, now: Instant) -> Statistics {
        let mut statistics = self.connection.statistics(now);
        statistics.stale_events = statistics.stale_events.saturating_add(self.stale_calls.into());
        statistics
    }

    /// Returns how many messages and requests were accepted so far, and what became of them.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let waiting = self.ledger.unsettled() + self.queued_messages();
        self.unsent.counts(self.ledger.taken(), waiting as u64, self.request_counts())
    }

    /// Returns a snapshot of the connection at `now`.
    #[must_use]
    pub fn status(&self, now: Instant) -> Status {
        let state = self.state();
        // The only deadline of DISCONNECTED is the retry.
        let retry_at = match state {
            ConnectionState::Disconnected => self.connection.next_deadline(),
            ConnectionState::Connecting
            | ConnectionState::Connected
            | ConnectionState::Authenticated
            | ConnectionState::Closing
            | ConnectionState::Closed => None,
        };
        Status {
            state,
            is_ready: self.is_ready(),
            is_draining: self.is_draining(),
            socket: self.socket(),
            retry_in: retry_at.map(|at| at.saturating_duration_since(now)),
            queued_messages: self.queued_messages(),
            queued_bytes: self.queued_bytes(),
            unanswered_requests: self.unanswered_requests(),
            unmatched_answers: self.unmatched_answers(),
            dropped_messages: self.dropped_messages(),
            gave_up: self.gave_up(),
            statistics: self.statistics(now),
        }
    }

    /// Whether all bytes of accepted messages were flushed, or lost.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.pending().is_empty() && !self.is_dirty()
    }

    /// Whether no message is accepted until pending bytes are written.
    #[must_use]
    pub fn is_write_blocked(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.writing != Writing::Free)
    }

    /// Returns when [`tick`](Self::tick) is due. It is the earliest of these instants:
    ///
    /// - the core's deadline;
    /// - the next try of a [wait for the transport](Self::wait_for_space), or its end;
    /// - the end of the wait for the [body of a refusal](Self::wait_for_body);
    /// - the instant at which a message in the outbox expires, a message that waits for the rate
    ///   limit may leave, a request is due, or a [drain](Self::drain) ends.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let own = earlier(self.stall.deadline(), self.body_deadline());
        let own = earlier(own, self.sending_deadline());
        earlier(self.connection.next_deadline(), own)
    }
}

pub(super) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
