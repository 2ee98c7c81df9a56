//! Reconnects on purpose: the application's request, and the renewal of a connection that is old.

use gateway_core::{
    Action, Because, CloseCode, ConnectionState, DisconnectCause, Instant, Notice, Outgoing,
    RetryCause,
};
use rand_core::Rng;

use super::{Reference, backoff};

impl<R: Rng> Reference<R> {
    pub(super) fn on_reconnect(&mut self) {
        match self.state {
            ConnectionState::Disconnected if self.retry_at.is_some() => self.reconnect_sooner(),
            ConnectionState::Disconnected | ConnectionState::Closed => self.start_afresh(),
            ConnectionState::Connecting
            | ConnectionState::Connected
            | ConnectionState::Authenticated => {
                if self.refusal.is_some() {
                    return self.end_refusal(None, Some(CloseCode::GOING_AWAY));
                }
                self.replace(DisconnectCause::Reconnect);
            }
            ConnectionState::Closing => {}
        }
    }

    /// While waiting: as soon as the spacing and a least delay allow.
    fn reconnect_sooner(&mut self) {
        let was_to_be = self.retry_at;
        self.retry_by(self.next_reconnect(), RetryCause::Reconnect);
        if self.retry_at != was_to_be {
            self.is_retry_on_purpose = true;
            self.reconnect_at = self.retry_at;
        }
        if self.is_retry_due() {
            self.begin_planned(self.is_retry_on_purpose);
        }
    }

    /// Two reconnects on purpose open no closer than the initial delay.
    fn next_reconnect(&self) -> Instant {
        let initial = self.config.backoff().initial();
        let spaced = self.reconnect_at.map(|at| at.saturating_add(initial));
        spaced.unwrap_or(self.now).max(self.now)
    }

    /// Leaves the socket, with a Close if it is open, for the next one. This is no failure.
    fn replace(&mut self, cause: DisconnectCause) {
        if self.state != ConnectionState::Connecting {
            self.say_farewell();
        }
        let Some(id) = self.socket.take() else { return };
        if self.state != ConnectionState::Connecting {
            self.act(Action::Send(id, Outgoing::Close(CloseCode::GOING_AWAY)));
        }
        if self.ready_since.is_some() {
            self.wants_refresh = false; // the server has accepted these credentials
        }
        self.act(Action::CloseSocket(id));
        self.tally.last_disconnect = Some(cause);
        self.tell(Notice::Disconnected { socket: id, cause });
        self.end_stay();
        self.change(ConnectionState::Disconnected, Some(id));
        let at = self.next_reconnect();
        self.reconnect_at = Some(at);
        self.is_retry_on_purpose = true;
        self.not_before = Instant::ZERO;
        let delay = at.saturating_duration_since(self.now);
        self.plan_retry(delay, RetryCause::Disconnected(cause), Because::Hint);
        if self.is_retry_due() {
            self.begin_attempt(true);
        }
    }

    /// Up to a tenth of the span is left out.
    pub(super) fn plan_renewal(&mut self) {
        self.drained_by = None;
        self.renew_at = self.config.renew_after().map(|span| {
            let less = backoff::whole_millis(self.part_of(span / 10));
            self.now.saturating_add(span.saturating_sub(less))
        });
    }

    /// Whether a Tick renews the connection. Before that the driver has time to drain its buffer.
    pub(super) fn renew_if_due(&mut self) -> bool {
        if self.is_due(self.renew_at) {
            let Some(id) = self.socket else { return false };
            self.renew_at = None;
            self.drained_by = Some(self.now.saturating_add(self.config.close_timeout()));
            self.act(Action::Drain(id));
            return false;
        }
        let is_due = self.is_due(self.drained_by);
        if is_due {
            self.replace(DisconnectCause::Renewal);
        }
        is_due
    }

    pub(super) fn on_drained(&mut self) {
        if self.ready_since.is_some() && self.drained_by.is_some() {
            self.replace(DisconnectCause::Renewal);
        }
    }
}
