//! The six states: one function per event.

use gateway_core::{
    Action, CloseCode, ConnectionState, Credentials, DisconnectCause, Event, Failure, Login,
    Message, Notice, Outgoing, RetryCause, SendRejection, SocketId,
};

use crate::unlisted::unlisted;
use rand_core::Rng;

use super::Reference;

impl<R: Rng> Reference<R> {
    /// Whether the event is of another socket than the live one, or impossible in its state.
    pub(super) fn is_stale(&self, event: &Event<'_>) -> bool {
        let Some(id) = event.socket() else { return false };
        let is_answer = matches!(event, Event::ProviderAnswered(_) | Event::ProviderFailed(..));
        let is_outcome = matches!(event, Event::SocketOpened(_) | Event::OpenFailed(..));
        let is_connecting = self.state == ConnectionState::Connecting;
        let is_asked = is_connecting && self.is_asked;
        let is_opening = is_connecting && !self.is_asked;
        self.socket != Some(id) || is_answer != is_asked || is_outcome != is_opening
    }

    /// Reports and counts a stale event. Drops a socket that opened too late, unless it is the live one.
    pub(super) fn on_stale(&mut self, event: &Event<'_>) {
        let Some(socket) = event.socket() else { return };
        self.tally.stale_events += 1;
        self.tell(Notice::Stale { what: event.kind(), socket });
        if matches!(event, Event::SocketOpened(_)) && self.socket != Some(socket) {
            self.act(Action::CloseSocket(socket));
        }
    }

    pub(super) fn on_event(&mut self, event: &Event<'_>) {
        match *event {
            Event::ConnectRequested => self.on_connect(),
            Event::ReconnectRequested => self.on_reconnect(),
            Event::CloseRequested(_) => self.on_close(),
            Event::SendRequested(message) => self.on_send(message),
            Event::LoginAccepted => {
                if self.is_logging_in() {
                    self.become_ready(ConnectionState::Authenticated);
                }
            }
            Event::LoginRejected(verdict) => {
                if self.is_logging_in() {
                    self.refuse_login(verdict);
                } else if self.ready_since.is_some() {
                    self.refuse_when_ready(verdict);
                }
            }
            Event::OpenReserved(at) => self.on_open_reserved(at),
            Event::ProviderAnswered(_) => self.open(),
            Event::ProviderFailed(_, verdict) => self.on_provider_failed(verdict),
            Event::SocketOpened(_) => self.on_opened(),
            Event::OpenFailed(_, error) => {
                self.tally.last_open_error = Some(error);
                self.lose(DisconnectCause::OpenFailed(error));
            }
            Event::SocketFailed(_, failure) => self.on_failed(failure),
            Event::FrameReceived(_, frame) => self.on_frame(frame),
            Event::BytesReceived(_) => self.hear(),
            Event::WriteBlocked(_) => self.is_blocked = true,
            Event::Flushed(_) => self.is_blocked = false,
            Event::ReadingPaused(_) => self.is_paused = true,
            Event::ReadingResumed(_) => self.on_resumed(),
            Event::PingHeld(_, backlog) => self.on_ping_held(backlog),
            Event::WriteProgressed(_) => self.on_write_progressed(),
            Event::PingHanded(_, unproven) => self.on_ping_handed(unproven),
            Event::Drained(_) => self.on_drained(),
            Event::WallClock(wall) => self.on_wall_clock(wall),
            Event::NetworkChanged(network) => self.on_network(network),
            Event::Tick => self.on_tick(),
        }
    }

    pub(super) fn is_logging_in(&self) -> bool {
        let is_undecided = self.ready_since.is_none() && self.refusal.is_none();
        self.state == ConnectionState::Connected && is_undecided
    }

    fn on_connect(&mut self) {
        match self.state {
            // Waiting: connect now, and keep the count.
            ConnectionState::Disconnected if self.retry_at.is_some() => {
                if self.config.shares_budget() && self.is_retry_due() {
                    return self.begin_planned(false);
                }
                self.begin_or_reserve(false, RetryCause::Budget);
            }
            ConnectionState::Disconnected | ConnectionState::Closed => self.start_afresh(),
            ConnectionState::Closing => {
                self.abandon(DisconnectCause::Requested);
                self.start_afresh();
            }
            ConnectionState::Connecting
            | ConnectionState::Connected
            | ConnectionState::Authenticated => {}
        }
    }

    /// A new connection.
    pub(super) fn start_afresh(&mut self) {
        self.reset_attempts();
        self.unready_since = self.now;
        self.begin_or_reserve(false, RetryCause::Budget);
    }

    /// The next socket. If there is a provider, it is asked first.
    pub(super) fn begin_attempt(&mut self, is_on_purpose: bool) {
        self.is_on_purpose = is_on_purpose;
        if is_on_purpose {
            self.reconnect_at = Some(self.now);
        }
        self.last_socket += 1;
        let id = SocketId::new(self.last_socket);
        self.socket = Some(id);
        self.retry_at = None;
        self.is_paused = false;
        self.is_blocked = false;
        self.pings_out = Vec::new();
        self.tally.attempts += 1;
        self.change(ConnectionState::Connecting, Some(id));
        if !self.config.asks_provider() {
            return self.open();
        }
        self.is_asked = true;
        self.too_late_at = Some(self.now.saturating_add(self.config.attempt_timeout()));
        let credentials = self.credentials();
        self.act(Action::AskProvider { id, credentials });
    }

    /// The socket opens; if a provider was asked, its request is there.
    fn open(&mut self) {
        let Some(id) = self.socket else { return };
        if self.is_on_purpose {
            self.reconnect_at = Some(self.now);
        }
        self.is_asked = false;
        self.pace = None;
        self.is_effect_told = false;
        self.expected = None;
        self.silent_at = None;
        self.too_late_at = Some(self.now.saturating_add(self.connect_timeout()));
        let credentials = self.credentials();
        self.act(Action::OpenSocket { id, credentials });
    }

    fn credentials(&self) -> Credentials {
        if self.wants_refresh { Credentials::Refresh } else { Credentials::Cached }
    }

    /// A close request works in every state, at once.
    fn on_close(&mut self) {
        match (self.state, self.socket) {
            (ConnectionState::Connecting, Some(id)) => {
                self.abandon(DisconnectCause::Requested);
                self.change(ConnectionState::Closed, Some(id));
            }
            (ConnectionState::Connected | ConnectionState::Authenticated, Some(id)) => {
                // A server that refused the login gets no message any more.
                if self.refusal.is_none() {
                    self.say_farewell();
                }
                self.act(Action::Send(id, Outgoing::RequestedClose));
                self.end_stay();
                self.refusal = None;
                self.change(ConnectionState::Closing, Some(id));
                self.too_late_at = Some(self.now.saturating_add(self.config.close_timeout()));
            }
            (ConnectionState::Closing | ConnectionState::Closed, _) => {}
            (_, _) => {
                self.forget_retry();
                self.change(ConnectionState::Closed, None);
            }
        }
    }

    /// Drops the socket and reports its loss.
    pub(super) fn abandon(&mut self, cause: DisconnectCause) {
        let Some(id) = self.socket.take() else { return };
        self.tally.last_disconnect = Some(cause);
        self.act(Action::CloseSocket(id));
        self.tell(Notice::Disconnected { socket: id, cause });
    }

    /// Ends CLOSING.
    pub(super) fn finish_closing(&mut self, cause: DisconnectCause) {
        let socket = self.socket;
        self.abandon(cause);
        self.change(ConnectionState::Closed, socket);
    }

    fn on_send(&mut self, _message: Message<'_>) {
        let is_own_login = matches!(self.config.login(), Login::External { .. });
        let takes_messages = self.ready_since.is_some() || (self.is_logging_in() && is_own_login);
        let why = match (self.state, self.socket) {
            (ConnectionState::Closing | ConnectionState::Closed, _) => SendRejection::Closed,
            (_, Some(id)) if takes_messages && !self.is_blocked => {
                return self.act(Action::Send(id, Outgoing::Requested));
            }
            (_, _) if takes_messages => SendRejection::WriteBlocked,
            (_, _) => SendRejection::NotReady,
        };
        self.tell(Notice::SendRejected(why));
    }

    fn on_opened(&mut self) {
        let Some(id) = self.socket else { return };
        self.tally.opened += 1;
        let login = self.config.login().clone();
        let timeout = match login {
            Login::Message { timeout, .. }
            | Login::External { timeout }
            | Login::Dialect { timeout } => timeout,
            _ => {
                self.become_ready(ConnectionState::Connected);
                return self.tell_opened();
            }
        };
        self.change(ConnectionState::Connected, Some(id));
        self.too_late_at = Some(self.now.saturating_add(timeout));
        if let Login::Message { .. } = login {
            self.act(Action::Send(id, Outgoing::Login));
        }
        self.tell_opened();
    }

    /// The connection is ready for messages.
    pub(super) fn become_ready(&mut self, to: ConnectionState) {
        let Some(id) = self.socket else { return };
        self.change(to, Some(id));
        let after = self.now.saturating_duration_since(self.unready_since);
        self.tell(Notice::Ready { socket: id, after });
        self.tally.reconnects += u64::from(self.tally.became_ready);
        self.tally.became_ready = true;
        self.ready_since = Some(self.now);
        self.too_late_at = None;
        self.start_beating();
        self.plan_renewal();
    }

    pub(super) fn on_failed(&mut self, failure: Failure) {
        let breach = match failure {
            Failure::Protocol => Some(CloseCode::PROTOCOL_ERROR),
            Failure::InvalidUtf8 => Some(CloseCode::INVALID_PAYLOAD),
            Failure::TooBig => Some(CloseCode::TOO_BIG),
            Failure::Eof | Failure::Reset | Failure::Io | Failure::Tls => None,
            unknown => unlisted(file!(), &unknown),
        };
        match breach {
            _ if self.state == ConnectionState::Closing => {
                self.finish_closing(DisconnectCause::Requested);
            }
            // No Close can be sent on an ended stream.
            _ if self.refusal.is_some() => self.end_refusal(None, breach),
            Some(code) => self.part(code, DisconnectCause::ProtocolError(failure)),
            None => self.drop_and_lose(DisconnectCause::Lost(failure)),
        }
    }

    /// Sends a Close, and does not wait for the peer's.
    pub(super) fn part(&mut self, code: CloseCode, cause: DisconnectCause) {
        let Some(id) = self.socket else { return };
        self.act(Action::Send(id, Outgoing::Close(code)));
        self.drop_and_lose(cause);
    }

    /// Resets a dead peer's socket, so that none of its data arrives later.
    pub(super) fn abort_and_lose(&mut self, cause: DisconnectCause) {
        let Some(id) = self.socket else { return };
        self.act(Action::AbortSocket(id));
        self.lose(cause);
    }

    pub(super) fn drop_and_lose(&mut self, cause: DisconnectCause) {
        let Some(id) = self.socket else { return };
        self.act(Action::CloseSocket(id));
        self.lose(cause);
    }

    /// A Tick: the only event that fires deadlines.
    fn on_tick(&mut self) {
        if !self.is_due(self.deadline()) {
            return; // too early
        }
        match self.state {
            ConnectionState::Disconnected => {
                self.begin_planned(self.is_retry_on_purpose);
            }
            ConnectionState::Connecting if self.is_asked => {
                self.drop_and_lose(DisconnectCause::AttemptTimeout);
            }
            ConnectionState::Connecting => {
                self.timeouts += 1;
                self.drop_and_lose(DisconnectCause::ConnectTimeout);
            }
            ConnectionState::Connected | ConnectionState::Authenticated => {
                if self.ready_since.is_some() {
                    self.judge_and_ask();
                } else if self.refusal.is_some() {
                    self.end_refusal(None, Some(CloseCode::GOING_AWAY));
                } else {
                    self.say_farewell();
                    self.part(CloseCode::GOING_AWAY, DisconnectCause::LoginTimeout);
                }
            }
            ConnectionState::Closing => self.finish_closing(DisconnectCause::CloseTimeout),
            ConnectionState::Closed => {}
        }
    }
}
