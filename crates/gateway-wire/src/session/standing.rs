//! How a session stands.

use std::sync::Arc;

use gateway_core::{Config, ConnectionState, GiveUpCause, Instant, SocketId, Statistics};

use super::link::Writing;
use super::{Limits, Session};

impl Session {
    /// The state as the application sees it.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.connection.state()
    }

    /// Whether application messages are taken.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.connection.is_ready()
    }

    /// The socket that is opening or open.
    #[must_use]
    pub const fn socket(&self) -> Option<SocketId> {
        self.connection.socket()
    }

    /// Why the connection was given up, if it was.
    #[must_use]
    pub const fn gave_up(&self) -> Option<GiveUpCause> {
        self.connection.gave_up()
    }

    /// Whether it is CLOSED and every socket dropped.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state() == ConnectionState::Closed && self.link.is_none() && self.orders.is_empty()
    }

    /// The bounds of the buffers.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Arc<Config> {
        self.connection.config()
    }

    /// What the connection has done so far.
    #[must_use]
    pub fn statistics(&self, now: Instant) -> Statistics {
        let mut statistics = self.connection.statistics(now);
        statistics.stale_events = statistics.stale_events.saturating_add(self.stale_calls.into());
        statistics
    }

    /// Whether all that was taken was written and flushed, or lost.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.pending().is_empty() && !self.is_dirty()
    }

    /// Whether no message is taken until pending bytes are written.
    #[must_use]
    pub fn is_write_blocked(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.writing != Writing::Free)
    }

    /// When [`tick`](Self::tick) is due: for the core; because the transport has taken nothing for
    /// long while [someone waits](Self::wait_for_space) for it; or because the [body of a
    /// refusal](Self::wait_for_body) has not come.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let own = earlier(self.stall.deadline(), self.body_deadline());
        earlier(self.connection.next_deadline(), own)
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
