//! Every transition: what each state does on each event. No other file changes a state.

use alloc::boxed::Box;
use core::time::Duration;

use crate::action::{
    Action, Because, Credentials, DisconnectCause, GiveUpCause, Notice, Outgoing, RetryCause,
    SendRejection,
};
use crate::close::{CloseCode, CloseFrame};
use crate::config::{Config, HeartbeatKind};
use crate::context::{Context, Loss};
use crate::dialect::{DialectCall, DialectCallKind, Effect, Interest, Part, Received};
use crate::event::{Event, EventKind, Failure, Frame, Message, Network, OpenError, SocketEvent};
use crate::heartbeat::{Beat, Death, Heartbeat, Probe};
use crate::login::{Login, LoginAnswer};
use crate::machine::{
    Asking, Closed, Closing, Connecting, Flow, Lane, LoggingIn, Pace, Ready, Reason, Refused,
    Renewal, State, Terms, Turn, Waiting,
};
use crate::policy::Verdict;
use crate::ready::{answer_to, heard_dialect_pong, heard_pong, heard_pong_frame, timing_of};
use crate::retry::Retry;
use crate::state::{ConnectionState, SocketId};
use crate::time::{Compact, Instant, UnixMillis};

/// The machine acts on a suspend, and on Online, at most once in this span.
const HINT_INTERVAL: Duration = Duration::from_secs(30);

/// A reserved open is not used later than this.
const UNUSED_OPEN: Duration = Duration::from_secs(1);

/// After a suspend, a waiting connection retries within this span.
const JUMP_SPREAD: Duration = Duration::from_secs(1);

/// The next state. `None` means that the old state stays, with the changes that the event made in
/// it.
pub(crate) type Next = Option<State>;

/// The result of a common event: no transition, and the timer does not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Common {
    /// Deliver a message to the application.
    Data { bytes: usize },
    /// Send a message of the application.
    Send { socket: SocketId, bytes: usize },
    /// A Tick, and nothing is due. So `on_tick` sees only Ticks that are due.
    EarlyTick,
}

impl State {
    /// The fast path for common events, which are nearly all events of a long-lived connection.
    /// None of them makes a transition, moves the timer, or needs the dialect or the generator. So
    /// they skip the cost of these. `None`: the event takes [the slow path](Self::on).
    #[inline]
    pub(crate) fn on_common(
        &mut self,
        event: &Event<'_>,
        now: Instant,
        config: &Config,
        attention: Interest,
    ) -> Option<Common> {
        if let (Event::FrameReceived(id, frame), Self::Ready(ready)) = (event, &mut *self) {
            return ready.on_data(*id, *frame, now, config, attention);
        }
        if let (Event::SendRequested(message), Self::Ready(ready)) = (event, &*self)
            && ready.flow.writing == Lane::Free
        {
            return Some(Common::Send { socket: ready.socket, bytes: message.len() });
        }
        let is_early = matches!(event, Event::Tick) && self.deadline().is_none_or(|due| now < due);
        is_early.then_some(Common::EarlyTick)
    }

    /// Does what the dialect asked for in the newest call. What it asked for before our Close frame is
    /// already done.
    #[inline(never)]
    pub(crate) fn on_spoken(&mut self, cx: &mut Context<'_>) {
        let call = cx.voice.newest().filter(|call| call.call != DialectCallKind::Closing).cloned();
        if let Some(DialectCall { call, effects }) = call {
            self.on_effects(call, &effects, cx);
        }
    }

    /// Does what the dialect asked for in one call, in order. In a call for a ping, the last message
    /// is the ping.
    fn on_effects(&mut self, call: DialectCallKind, effects: &[Effect], cx: &mut Context<'_>) {
        let is_send = |effect: &Effect| matches!(effect, Effect::Send(_));
        let ping = match call {
            DialectCallKind::Heartbeat => effects.iter().rposition(is_send),
            DialectCallKind::Opened
            | DialectCallKind::Delivered
            | DialectCallKind::Consumed
            | DialectCallKind::Closing => None,
        };
        let stamp = effects.iter().rev().find_map(|effect| match effect {
            Effect::Stamp(stamp) => Some(*stamp),
            _ => None,
        });
        for (place, effect) in effects.iter().enumerate() {
            let next = match (effect, &mut *self) {
                (Effect::Stamp(_), Self::Ready(_)) if ping.is_some() => None, // the ping has it
                (Effect::Send(part), Self::Ready(ready)) if ping == Some(place) => {
                    ready.dialect_ping(*part, stamp, cx);
                    None
                }
                (effect, Self::LoggingIn(logging_in)) => logging_in.on_effect(*effect, cx),
                (effect, Self::Ready(ready)) => ready.on_effect(*effect, cx),
                (Effect::Pong(stamp), Self::Closing(Closing { socket, heartbeat, .. })) => {
                    heard_dialect_pong(heartbeat, *socket, *stamp, cx);
                    None
                }
                (
                    Effect::Send(_)
                    | Effect::Stamp(_)
                    | Effect::LoginAccepted
                    | Effect::LoginRefused { .. }
                    | Effect::Pong(_)
                    | Effect::SetHeartbeat { .. }
                    | Effect::ExpectWithin(_)
                    | Effect::Leave { .. }
                    | Effect::ResumeAt(_),
                    Self::Idle
                    | Self::Waiting(_)
                    | Self::Asking(_)
                    | Self::Connecting(_)
                    | Self::Refused(_)
                    | Self::Closing(_)
                    | Self::Closed(_),
                ) => {
                    cx.voice.count_ignored();
                    None
                }
            };
            if let Some(next) = next {
                *self = next;
            }
        }
    }

    /// Applies an event. What the dialect asked for meanwhile [comes next](Self::on_spoken).
    pub(crate) fn on(&mut self, event: &Event<'_>, cx: &mut Context<'_>) -> Next {
        match *event {
            Event::ConnectRequested => self.on_connect(cx),
            Event::ReconnectRequested => self.on_reconnect(cx),
            Event::CloseRequested(frame) => self.on_close(frame, cx),
            Event::SendRequested(message) => self.on_send(message, cx),
            Event::LoginAccepted => self.on_login_accepted(cx),
            Event::LoginRejected(verdict) => self.on_login_rejected(verdict, cx),
            Event::OpenReserved(at) => self.on_reserved(at, cx),
            Event::WallClock(wall) => self.on_wall_clock(wall, cx),
            Event::NetworkChanged(network) => self.on_network(network, cx),
            Event::Tick => self.on_tick(cx),
            Event::ProviderAnswered(id) => self.on_socket(id, SocketEvent::ProviderAnswered, cx),
            Event::ProviderFailed(id, verdict) => {
                self.on_socket(id, SocketEvent::ProviderFailed(verdict), cx)
            }
            Event::SocketOpened(id) => self.on_socket(id, SocketEvent::Opened, cx),
            Event::OpenFailed(id, error) => self.on_socket(id, SocketEvent::OpenFailed(error), cx),
            Event::SocketFailed(id, failure) => {
                self.on_socket(id, SocketEvent::Failed(failure), cx)
            }
            Event::FrameReceived(id, frame) => self.on_socket(id, SocketEvent::Frame(frame), cx),
            Event::BytesReceived(id) => self.on_socket(id, SocketEvent::Bytes, cx),
            Event::WriteBlocked(id) => self.on_socket(id, SocketEvent::WriteBlocked, cx),
            Event::Flushed(id) => self.on_socket(id, SocketEvent::Flushed, cx),
            Event::ReadingPaused(id) => self.on_socket(id, SocketEvent::ReadingPaused, cx),
            Event::ReadingResumed(id) => self.on_socket(id, SocketEvent::ReadingResumed, cx),
            Event::PingHeld(id, backlog) => self.on_socket(id, SocketEvent::PingHeld(backlog), cx),
            Event::WriteProgressed(id) => self.on_socket(id, SocketEvent::WriteProgressed, cx),
            Event::PingHanded(id, unproven) => {
                self.on_socket(id, SocketEvent::PingHanded { unproven }, cx)
            }
            Event::Drained(id) => self.on_socket(id, SocketEvent::Drained, cx),
        }
    }

    fn on_connect(&mut self, cx: &mut Context<'_>) -> Next {
        match self {
            Self::Idle => Some(cx.attempt_afresh(ConnectionState::Disconnected)),
            Self::Closed(_) => Some(cx.attempt_afresh(ConnectionState::Closed)),
            Self::Closing(closing) => {
                cx.act(Action::CloseSocket(closing.socket));
                cx.disconnected(
                    ConnectionState::Closing,
                    closing.socket,
                    DisconnectCause::Requested,
                );
                Some(cx.attempt_afresh(ConnectionState::Closing))
            }
            // The attempts made so far still count.
            Self::Waiting(waiting) if waiting.has_due_open(cx.now) => {
                waiting.attempt_if_due(Reason::Other, cx)
            }
            Self::Waiting(waiting) => Some(waiting.attempt_now(cx)),
            // The attempt is under way, or the connection is ready.
            Self::Asking(_) | Self::Connecting(_) | Self::LoggingIn(_) | Self::Ready(_) => None,
            // The connection ends, and the verdict decides what follows.
            Self::Refused(_) => None,
        }
    }

    /// Replaces the socket on purpose. The attempts made so far still count.
    fn on_reconnect(&mut self, cx: &mut Context<'_>) -> Next {
        let cause = DisconnectCause::Reconnect;
        match self {
            Self::Idle => Some(cx.attempt_afresh(ConnectionState::Disconnected)),
            Self::Closed(_) => Some(cx.attempt_afresh(ConnectionState::Closed)),
            Self::Waiting(waiting) => {
                let at = cx.next_reconnect();
                if waiting.advance(at, RetryCause::Reconnect, cx) {
                    waiting.reason = Reason::Purpose;
                    cx.memory.reconnect_at = Some(Compact::at(waiting.retry_at));
                }
                waiting.attempt_if_due(waiting.reason, cx)
            }
            Self::Asking(Asking { socket, credentials, .. })
            | Self::Connecting(Connecting { socket, credentials, .. }) => {
                cx.act(Action::CloseSocket(*socket));
                Some(cx.replace(ConnectionState::Connecting, *socket, cause, *credentials))
            }
            Self::LoggingIn(LoggingIn { socket, credentials, .. }) => {
                part(*socket, cx);
                Some(cx.replace(ConnectionState::Connected, *socket, cause, *credentials))
            }
            // The wait for the peer's Close ends, and the verdict decides what follows.
            Self::Refused(refused) => Some(refused.leave(cx)),
            Self::Ready(ready) => Some(ready.replace(cause, cx)),
            // The application requested the close, and the connection ends soon.
            Self::Closing(_) => None,
        }
    }

    fn on_close(&mut self, frame: CloseFrame<'_>, cx: &mut Context<'_>) -> Next {
        match self {
            Self::Idle | Self::Waiting(_) => {
                if matches!(self, Self::Waiting(_)) && cx.config.shared_budget {
                    cx.act(Action::ReleaseOpen);
                }
                cx.changed(ConnectionState::Disconnected, ConnectionState::Closed, None);
                Some(Self::Closed(Closed::Asked))
            }
            Self::Asking(Asking { socket, .. }) | Self::Connecting(Connecting { socket, .. }) => {
                cx.act(Action::CloseSocket(*socket));
                cx.disconnected(ConnectionState::Connecting, *socket, DisconnectCause::Requested);
                cx.changed(ConnectionState::Connecting, ConnectionState::Closed, Some(*socket));
                Some(Self::Closed(Closed::Asked))
            }
            Self::LoggingIn(LoggingIn { socket, .. }) => {
                cx.say_farewell(*socket);
                Some(close(ConnectionState::Connected, *socket, None, frame, cx))
            }
            // After a refusal, the machine sends no message.
            Self::Refused(Refused { socket, .. }) => {
                Some(close(ConnectionState::Connected, *socket, None, frame, cx))
            }
            Self::Ready(Ready { socket, heartbeat, .. }) => {
                Ready::count_time(cx);
                cx.say_farewell(*socket);
                Some(close(Ready::name(cx.config), *socket, heartbeat.take(), frame, cx))
            }
            // A Close frame was already sent, and a second one never is.
            Self::Closing(_) | Self::Closed(_) => None,
        }
    }

    fn on_send(&self, message: Message<'_>, cx: &mut Context<'_>) -> Next {
        let open = match self {
            Self::Ready(Ready { socket, flow, .. }) => Some((*socket, flow.writing)),
            // With `Login::External`, the application sends the messages of the login. With a login
            // message, only the machine sends.
            Self::LoggingIn(LoggingIn { socket, flow, .. }) => match cx.config.login {
                Login::External { .. } => Some((*socket, flow.writing)),
                Login::None | Login::Message { .. } | Login::Dialect { .. } => None,
            },
            Self::Idle
            | Self::Waiting(_)
            | Self::Asking(_)
            | Self::Connecting(_)
            | Self::Refused(_) => None,
            Self::Closing(_) | Self::Closed(_) => {
                cx.reject(SendRejection::Closed);
                return None;
            }
        };
        match open {
            Some((socket, Lane::Free)) => {
                cx.tally.count_bytes_out(message.len());
                cx.send(socket, Outgoing::Requested);
            }
            Some((_, Lane::Held)) => cx.reject(SendRejection::WriteBlocked),
            None => cx.reject(SendRejection::NotReady),
        }
        None
    }

    /// The shared budget has an open for the next attempt.
    fn on_reserved(&mut self, at: Instant, cx: &mut Context<'_>) -> Next {
        match self {
            Self::Waiting(waiting) => {
                let is_granted = waiting.on_reserved(at, cx) && waiting.is_due(cx.now);
                is_granted.then(|| waiting.attempt(waiting.reason, cx))
            }
            // No attempt waits.
            Self::Idle
            | Self::Asking(_)
            | Self::Connecting(_)
            | Self::LoggingIn(_)
            | Self::Refused(_)
            | Self::Ready(_)
            | Self::Closing(_)
            | Self::Closed(_) => None,
        }
    }

    fn on_login_accepted(&mut self, cx: &mut Context<'_>) -> Next {
        match self {
            Self::LoggingIn(logging_in) => Some(logging_in.accepted(cx)),
            // No login is running.
            Self::Idle
            | Self::Waiting(_)
            | Self::Asking(_)
            | Self::Connecting(_)
            | Self::Refused(_)
            | Self::Ready(_)
            | Self::Closing(_)
            | Self::Closed(_) => None,
        }
    }

    fn on_login_rejected(&self, verdict: Verdict, cx: &mut Context<'_>) -> Next {
        match self {
            Self::LoggingIn(logging_in) => Some(logging_in.refused(verdict, cx)),
            Self::Ready(ready) => Some(ready.refused(verdict, cx)),
            // No login is running, and the connection is not ready.
            Self::Idle
            | Self::Waiting(_)
            | Self::Asking(_)
            | Self::Connecting(_)
            | Self::Refused(_)
            | Self::Closing(_)
            | Self::Closed(_) => None,
        }
    }

    /// Compares the two clocks. If the wall clock is ahead by more than the threshold, the computer
    /// was suspended. A wall clock that was set back is no suspend.
    fn on_wall_clock(&mut self, wall: UnixMillis, cx: &mut Context<'_>) -> Next {
        let expected = cx.memory.wall_clock_now();
        cx.memory.wall_clock = Some((Compact::at(cx.now), wall));
        let by = wall.saturating_duration_since(expected?);
        // A second suspend within the interval only shortens a wait, which may be long. The retry
        // comes when the interval is over.
        let last = cx.memory.jump_at.filter(|last| !is_hint_allowed(Some(*last), cx.now));
        let is_ignored = last.is_some() && !matches!(self, Self::Waiting(_));
        if by <= self.suspend_threshold(cx.config) || is_ignored {
            return None;
        }
        let turn = last.map_or(cx.now, |last| last.instant().saturating_add(HINT_INTERVAL));
        cx.memory.jump_at = last.or(Some(Compact::at(cx.now)));
        cx.notify(Notice::ClockJumped { by });
        match self {
            Self::Ready(ready) => {
                ready.probe(cx);
                None
            }
            Self::Waiting(waiting) => {
                // A least delay counts in the server's time, which went on during the suspend.
                if let Some(not_before) = &mut waiting.not_before {
                    *not_before = Compact::at(not_before.instant().saturating_sub(by));
                }
                let delay = Retry::spread(JUMP_SPREAD, cx.random);
                let _ = waiting.advance(turn.saturating_add(delay), RetryCause::ClockJump, cx);
                None
            }
            Self::Asking(Asking { socket, credentials, .. }) => {
                cx.act(Action::CloseSocket(*socket)); // there is nothing to abort
                Some(start_anew(ConnectionState::Connecting, *socket, *credentials, cx))
            }
            Self::Connecting(Connecting { socket, credentials, .. }) => {
                cx.act(Action::AbortSocket(*socket));
                Some(start_anew(ConnectionState::Connecting, *socket, *credentials, cx))
            }
            Self::LoggingIn(LoggingIn { socket, credentials, .. }) => {
                cx.act(Action::AbortSocket(*socket));
                Some(start_anew(ConnectionState::Connected, *socket, *credentials, cx))
            }
            // The peer may have sent its Close hours ago, so the wait ends.
            Self::Refused(refused) => Some(refused.leave(cx)),
            // There is no socket to probe, or CLOSING has its own deadline.
            Self::Idle | Self::Closing(_) | Self::Closed(_) => None,
        }
    }

    fn suspend_threshold(&self, config: &Config) -> Duration {
        let terms = match self {
            Self::Ready(Ready { terms, .. }) => terms.as_deref(),
            Self::Idle
            | Self::Waiting(_)
            | Self::Asking(_)
            | Self::Connecting(_)
            | Self::LoggingIn(_)
            | Self::Refused(_)
            | Self::Closing(_)
            | Self::Closed(_) => None,
        };
        match (config.heartbeat_kind(), terms.and_then(|terms| terms.heartbeat)) {
            (
                HeartbeatKind::Json | HeartbeatKind::Ping | HeartbeatKind::Dialect,
                Some(Pace { interval, .. }),
            ) => Config::suspend_threshold_of(interval),
            // Without a heartbeat, no interval is in force.
            (HeartbeatKind::Off, _) | (_, None) => config.suspend_threshold(),
        }
    }

    fn on_network(&mut self, network: Network, cx: &mut Context<'_>) -> Next {
        match (network, self) {
            (Network::Online, Self::Waiting(waiting)) => {
                if !is_hint_allowed(cx.memory.online_at, cx.now) {
                    return None;
                }
                let is_sooner = waiting.advance(cx.now, RetryCause::Online, cx);
                let is_due = waiting.is_due(cx.now);
                if is_sooner || is_due {
                    // A hint without effect does not count against the limit.
                    cx.memory.online_at = Some(Compact::at(cx.now));
                }
                waiting.attempt_if_due(Reason::Other, cx)
            }
            // No retry is pending, or the network is gone. A hint never removes a deadline.
            (Network::Online | Network::Offline, _) => None,
        }
    }

    /// Fires the deadlines that `now` has reached. Nothing else fires them.
    fn on_tick(&mut self, cx: &mut Context<'_>) -> Next {
        match self {
            Self::Waiting(waiting) => waiting.attempt_if_due(waiting.reason, cx),
            Self::Asking(asking) => {
                cx.act(Action::CloseSocket(asking.socket));
                let cause = DisconnectCause::AttemptTimeout;
                Some(cx.lose(&asking.loss(cause, Verdict::Retry)))
            }
            Self::Connecting(connecting) => {
                cx.act(Action::CloseSocket(connecting.socket));
                cx.memory.retry.grow_timeout(cx.config);
                Some(cx.lose(&connecting.loss(DisconnectCause::ConnectTimeout)))
            }
            Self::LoggingIn(LoggingIn { socket, .. }) => {
                part(*socket, cx);
                let from = ConnectionState::Connected;
                Some(lost(from, *socket, DisconnectCause::LoginTimeout, Verdict::Retry, cx))
            }
            Self::Refused(refused) => Some(refused.leave(cx)),
            Self::Ready(ready) => ready.on_tick(cx),
            Self::Closing(closing) => {
                Some(closed(closing.socket, DisconnectCause::CloseTimeout, cx))
            }
            // These states have no deadline.
            Self::Idle | Self::Closed(_) => None,
        }
    }

    /// An event of a socket. It is stale unless this state holds that socket.
    fn on_socket(&mut self, id: SocketId, event: SocketEvent<'_>, cx: &mut Context<'_>) -> Next {
        match self {
            Self::Asking(asking) if asking.socket == id => asking.on_socket(event, cx),
            Self::Connecting(connecting) if connecting.socket == id => {
                connecting.on_socket(event, cx)
            }
            Self::LoggingIn(logging_in) if logging_in.socket == id => {
                logging_in.on_socket(event, cx)
            }
            Self::Refused(refused) if refused.socket == id => refused.on_socket(event, cx),
            Self::Ready(ready) if ready.socket == id => ready.on_socket(event, cx),
            Self::Closing(closing) if closing.socket == id => closing.on_socket(event, cx),
            Self::Idle
            | Self::Waiting(_)
            | Self::Asking(_)
            | Self::Connecting(_)
            | Self::LoggingIn(_)
            | Self::Refused(_)
            | Self::Ready(_)
            | Self::Closing(_)
            | Self::Closed(_) => {
                cx.stale(id);
                if matches!(event, SocketEvent::Opened) {
                    cx.act(Action::CloseSocket(id));
                }
                None
            }
        }
    }
}

/// Whether the machine may act on a hint again.
fn is_hint_allowed(last: Option<Compact>, now: Instant) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last.instant()) >= HINT_INTERVAL)
}

impl Waiting {
    /// A hint moves the retry to `at`, if that is earlier, but not before a least delay is over.
    /// Returns whether the retry moved.
    fn advance(&mut self, at: Instant, cause: RetryCause, cx: &mut Context<'_>) -> bool {
        let at = self.not_before.map_or(at, |not_before| at.max(not_before.instant()));
        let is_sooner = at < self.retry_at;
        if is_sooner {
            self.retry_at = at;
            self.reason = Reason::Other;
            let delay = at.saturating_duration_since(cx.now);
            self.turn = cx.take_turn(delay, cause, Because::Hint);
        }
        is_sooner
    }

    /// An open is reserved for `at`. Returns whether the machine had asked for it.
    fn on_reserved(&mut self, at: Instant, cx: &mut Context<'_>) -> bool {
        let Turn::Asked { cause, because } = self.turn else { return false };
        self.turn = Turn::Reserved;
        let is_later = at > self.retry_at;
        if is_later || cause != RetryCause::Budget {
            let because = if is_later { Because::Budget } else { because };
            let at = self.retry_at.max(at);
            cx.retry_in(at.saturating_duration_since(cx.now), cause, because);
        }
        self.retry_at = self.retry_at.max(at);
        true
    }

    /// Whether the attempt may be made.
    fn is_due(&self, now: Instant) -> bool {
        match self.turn {
            Turn::Own | Turn::Reserved => self.retry_at <= now,
            Turn::Asked { .. } => false,
        }
    }

    /// Whether an open is reserved, and its time has come.
    fn has_due_open(&self, now: Instant) -> bool {
        self.turn == Turn::Reserved && self.retry_at <= now
    }

    /// Makes the attempt if it may be made. If the driver is late, the open has passed unused: many
    /// connections that are late together would open at once. So another one is reserved.
    fn attempt_if_due(&mut self, reason: Reason, cx: &mut Context<'_>) -> Next {
        if matches!(self.turn, Turn::Reserved) && self.has_unused_open(cx.now) {
            self.retry_at = cx.now;
            self.reason = reason;
            self.turn = cx.take_turn(Duration::ZERO, RetryCause::Budget, Because::Hint);
        }
        self.is_due(cx.now).then(|| self.attempt(reason, cx))
    }

    #[cold]
    fn has_unused_open(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.retry_at) > UNUSED_OPEN
    }

    /// The application does not want to wait.
    fn attempt_now(&self, cx: &mut Context<'_>) -> State {
        let from = ConnectionState::Disconnected;
        cx.attempt_now(from, self.credentials, Reason::Other, RetryCause::Budget)
    }

    /// Ends the wait.
    fn attempt(&self, reason: Reason, cx: &mut Context<'_>) -> State {
        cx.attempt(ConnectionState::Disconnected, self.credentials, reason)
    }
}

impl Asking {
    fn on_socket(&self, event: SocketEvent<'_>, cx: &mut Context<'_>) -> Next {
        match event {
            SocketEvent::ProviderAnswered => Some(self.on_answered(cx)),
            SocketEvent::ProviderFailed(verdict) => {
                Some(cx.lose(&self.loss(DisconnectCause::Provider, verdict)))
            }
            SocketEvent::Opened
            | SocketEvent::OpenFailed(_)
            | SocketEvent::Failed(_)
            | SocketEvent::Frame(_)
            | SocketEvent::Bytes
            | SocketEvent::WriteBlocked
            | SocketEvent::Flushed
            | SocketEvent::ReadingPaused
            | SocketEvent::ReadingResumed
            | SocketEvent::PingHeld(_)
            | SocketEvent::WriteProgressed
            | SocketEvent::PingHanded { .. }
            | SocketEvent::Drained => {
                // The machine has not ordered the socket yet.
                cx.stale(self.socket);
                None
            }
        }
    }

    /// The request is there: the socket opens, and `connect_timeout` starts.
    fn on_answered(&self, cx: &mut Context<'_>) -> State {
        cx.open(self.socket, self.credentials, self.reason)
    }

    /// An attempt failed before a server judged it: the next one asks for the same credentials.
    const fn loss(&self, cause: DisconnectCause, verdict: Verdict) -> Loss {
        Loss {
            from: ConnectionState::Connecting,
            socket: self.socket,
            cause,
            verdict,
            retry_after: None,
            unjudged: self.credentials,
            fatal: GiveUpCause::Provider,
        }
    }
}

impl Connecting {
    fn on_socket(&self, event: SocketEvent<'_>, cx: &mut Context<'_>) -> Next {
        match event {
            SocketEvent::Opened => Some(self.on_opened(cx)),
            SocketEvent::OpenFailed(error) => Some(self.on_open_failed(error, cx)),
            SocketEvent::ProviderAnswered
            | SocketEvent::ProviderFailed(_)
            | SocketEvent::Failed(_)
            | SocketEvent::Frame(_)
            | SocketEvent::Bytes
            | SocketEvent::WriteBlocked
            | SocketEvent::Flushed
            | SocketEvent::ReadingPaused
            | SocketEvent::ReadingResumed
            | SocketEvent::PingHeld(_)
            | SocketEvent::WriteProgressed
            | SocketEvent::PingHanded { .. }
            | SocketEvent::Drained => {
                // A socket that is not open can only report the outcome of the attempt.
                cx.stale(self.socket);
                None
            }
        }
    }

    /// The socket is open: the login starts, or the connection is ready.
    fn on_opened(&self, cx: &mut Context<'_>) -> State {
        let Self { socket, credentials, .. } = *self;
        cx.tally.count_opened();
        cx.changed(ConnectionState::Connecting, ConnectionState::Connected, Some(socket));
        let timeout = match &cx.config.login {
            Login::None => {
                cx.tell_opened(socket);
                return enter_ready(socket, Flow::FREE, None, cx);
            }
            Login::Message { timeout, .. } => {
                cx.send(socket, Outgoing::Login);
                *timeout
            }
            Login::External { timeout } | Login::Dialect { timeout } => *timeout,
        };
        cx.tell_opened(socket);
        let (give_up_at, flow) = (cx.now.saturating_add(timeout), Flow::FREE);
        State::LoggingIn(LoggingIn { socket, credentials, give_up_at, flow, terms: None })
    }

    fn on_open_failed(&self, error: OpenError, cx: &mut Context<'_>) -> State {
        let unjudged = self.loss(DisconnectCause::OpenFailed(error));
        let loss = match error {
            OpenError::Http { status, retry_after } => Loss {
                verdict: cx.config.policy.judge(status).verdict(),
                retry_after,
                unjudged: Credentials::Cached,
                fatal: GiveUpCause::HttpStatus(status),
                ..unjudged
            },
            OpenError::Configuration | OpenError::ProxyCredentials => {
                Loss { verdict: Verdict::Fatal, fatal: GiveUpCause::Configuration, ..unjudged }
            }
            OpenError::Dns
            | OpenError::Refused
            | OpenError::Unreachable
            | OpenError::Io
            | OpenError::Certificate
            | OpenError::Tls
            | OpenError::NotHttp
            | OpenError::Upgrade
            | OpenError::Proxy => unjudged,
        };
        cx.lose(&loss)
    }

    /// An attempt failed before a server judged it: retry with the same credentials.
    const fn loss(&self, cause: DisconnectCause) -> Loss {
        Loss {
            from: ConnectionState::Connecting,
            socket: self.socket,
            cause,
            verdict: Verdict::Retry,
            retry_after: None,
            unjudged: self.credentials,
            fatal: GiveUpCause::CloseCode(LOST),
        }
    }
}

impl LoggingIn {
    fn on_socket(&mut self, event: SocketEvent<'_>, cx: &mut Context<'_>) -> Next {
        match event {
            SocketEvent::Frame(frame) => return self.on_frame(frame, cx),
            SocketEvent::Failed(failure) => {
                return Some(fail(ConnectionState::Connected, self.socket, failure, cx));
            }
            SocketEvent::WriteBlocked => self.flow.writing = Lane::Held,
            SocketEvent::Flushed => self.flow.writing = Lane::Free,
            SocketEvent::ReadingPaused => self.flow.reading = Lane::Held,
            SocketEvent::ReadingResumed => self.flow.reading = Lane::Free,
            // The login has a deadline, and no heartbeat.
            SocketEvent::Bytes => {}
            // We have sent no ping, and have not asked the driver to drain its buffer.
            SocketEvent::PingHeld(_)
            | SocketEvent::WriteProgressed
            | SocketEvent::PingHanded { .. }
            | SocketEvent::Drained => {}
            // A second report of the attempt's outcome.
            SocketEvent::ProviderAnswered
            | SocketEvent::ProviderFailed(_)
            | SocketEvent::Opened
            | SocketEvent::OpenFailed(_) => cx.stale(self.socket),
        }
        None
    }

    fn on_frame(&mut self, frame: Frame<'_>, cx: &mut Context<'_>) -> Next {
        cx.tally.count_in(frame.len());
        match frame {
            Frame::Text(text) => match cx.show(self.socket, Message::Text(text)) {
                Received::Deliver => self.on_text(text, cx),
                Received::Consume => None,
            },
            Frame::Binary(bytes) => {
                if cx.show(self.socket, Message::Binary(bytes)) == Received::Deliver {
                    cx.act(Action::Deliver);
                }
                None
            }
            // The codec answers a Ping, and we have sent none.
            Frame::Ping(_) | Frame::Pong(_) => None,
            Frame::Close(frame) => {
                Some(peer_closed(ConnectionState::Connected, self.socket, frame, cx))
            }
        }
    }

    /// The configuration's rules judge a text that the dialect did not consume.
    fn on_text(&mut self, text: &str, cx: &mut Context<'_>) -> Next {
        let answer = cx.voice.answer().unwrap_or_else(|| cx.config.login.judge(text));
        cx.actions.answer = answer;
        match answer {
            LoginAnswer::Accepted => Some(self.accepted(cx)),
            LoginAnswer::AcceptedAndDelivered => {
                cx.act(Action::Deliver);
                Some(self.accepted(cx))
            }
            LoginAnswer::Refused(verdict) => Some(self.refused(verdict, cx)),
            LoginAnswer::NotAnAnswer => {
                cx.act(Action::Deliver);
                None
            }
        }
    }

    fn on_effect(&mut self, effect: Effect, cx: &mut Context<'_>) -> Next {
        match effect {
            Effect::Send(part) => cx.send(self.socket, Outgoing::Dialect(part)),
            Effect::LoginAccepted => return Some(self.accepted(cx)),
            Effect::LoginRefused { verdict, .. } => return Some(self.refused(verdict, cx)),
            Effect::SetHeartbeat { interval, timeout } => {
                let in_force = timing_of(self.terms.as_deref(), cx.config).timeout;
                match Terms::pace(interval, timeout, in_force) {
                    Some(pace) => self.terms.get_or_insert_default().heartbeat = Some(pace),
                    None => cx.ignore_effect(self.socket, self.terms.get_or_insert_default()),
                }
            }
            Effect::ExpectWithin(within) => {
                self.terms.get_or_insert_default().expect(within, cx.now);
            }
            Effect::Leave { code, verdict, .. } => {
                return Some(leave(ConnectionState::Connected, self.socket, code, verdict, cx));
            }
            Effect::ResumeAt(part) => cx.act(Action::ResumeAt(part)),
            // We have sent no ping.
            Effect::Stamp(_) | Effect::Pong(_) => cx.voice.count_ignored(),
        }
        None
    }

    fn accepted(&mut self, cx: &mut Context<'_>) -> State {
        let (from, to) = (ConnectionState::Connected, ConnectionState::Authenticated);
        cx.changed(from, to, Some(self.socket));
        enter_ready(self.socket, self.flow, self.terms.take(), cx)
    }

    /// Waits for the peer's Close: a server that refuses often closes next, and the code may say
    /// that the refusal passes.
    fn refused(&self, verdict: Verdict, cx: &mut Context<'_>) -> State {
        let socket = self.socket;
        cx.notify(Notice::LoginRefused { socket, verdict });
        let leave_at = cx.now.saturating_add(cx.config.close_timeout);
        State::Refused(Refused { socket, verdict, leave_at })
    }
}

impl Refused {
    fn on_socket(&self, event: SocketEvent<'_>, cx: &mut Context<'_>) -> Next {
        match event {
            SocketEvent::Frame(frame) => return self.on_frame(frame, cx),
            SocketEvent::Failed(failure) => {
                let _ = hang_up(self.socket, failure, cx);
                return Some(self.lost(None, self.verdict, cx));
            }
            // The machine accepts no message, and the deadline stays.
            SocketEvent::Bytes
            | SocketEvent::WriteBlocked
            | SocketEvent::Flushed
            | SocketEvent::ReadingPaused
            | SocketEvent::ReadingResumed
            | SocketEvent::PingHeld(_)
            | SocketEvent::WriteProgressed
            | SocketEvent::PingHanded { .. }
            | SocketEvent::Drained => {}
            // A second report of the attempt's outcome.
            SocketEvent::ProviderAnswered
            | SocketEvent::ProviderFailed(_)
            | SocketEvent::Opened
            | SocketEvent::OpenFailed(_) => cx.stale(self.socket),
        }
        None
    }

    fn on_frame(&self, frame: Frame<'_>, cx: &mut Context<'_>) -> Next {
        cx.tally.count_in(frame.len());
        match frame {
            // A second answer to the login is an ordinary message.
            Frame::Text(_) | Frame::Binary(_) => cx.act(Action::Deliver),
            // The codec answers a Ping, and we have sent none.
            Frame::Ping(_) | Frame::Pong(_) => {}
            Frame::Close(frame) => {
                cx.act(Action::CloseSocket(self.socket));
                let code = frame.map(|frame| frame.code());
                let number = code.map_or(NO_CODE, CloseCode::number);
                let softening = cx.config.policy.softening(number);
                let verdict = softening.map_or(self.verdict, |by| self.verdict.softened_by(by));
                return Some(self.lost(code, verdict, cx));
            }
        }
        None
    }

    /// Ends the wait for the peer's Close.
    fn leave(&self, cx: &mut Context<'_>) -> State {
        hang_up_with(CloseCode::GOING_AWAY, self.socket, cx);
        self.lost(None, self.verdict, cx)
    }

    fn lost(&self, code: Option<CloseCode>, verdict: Verdict, cx: &mut Context<'_>) -> State {
        refused(ConnectionState::Connected, self.socket, code, verdict, cx)
    }
}

impl Ready {
    /// The fast path for a message that cannot belong to the heartbeat.
    #[inline]
    fn on_data(
        &mut self,
        id: SocketId,
        frame: Frame<'_>,
        now: Instant,
        config: &Config,
        attention: Interest,
    ) -> Option<Common> {
        let message = match frame {
            Frame::Binary(bytes) => Message::Binary(bytes),
            Frame::Text(text) => Message::Text(text),
            Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_) => return None,
        };
        if self.socket != id || attention.wants(message) {
            return None;
        }
        let bytes = message.len();
        self.on_bytes(config);
        self.mark_data(now);
        Some(Common::Data { bytes })
    }

    fn on_socket(&mut self, event: SocketEvent<'_>, cx: &mut Context<'_>) -> Next {
        match event {
            SocketEvent::Frame(frame) => return self.on_frame(frame, cx),
            SocketEvent::Bytes => self.on_other_bytes(cx.now, cx.config),
            SocketEvent::Failed(failure) => {
                return Some(fail(Self::end(cx), self.socket, failure, cx));
            }
            SocketEvent::WriteBlocked => self.flow.writing = Lane::Held,
            SocketEvent::Flushed => self.flow.writing = Lane::Free,
            SocketEvent::ReadingPaused => self.flow.reading = Lane::Held,
            SocketEvent::ReadingResumed => self.on_resumed(cx),
            SocketEvent::PingHeld(backlog) => self.on_ping_moved(
                |heartbeat, timing, now| heartbeat.on_held(timing, now, backlog),
                cx,
            ),
            SocketEvent::WriteProgressed => {
                self.on_ping_moved(|heartbeat, _, now| heartbeat.on_progress(now), cx);
            }
            SocketEvent::PingHanded { unproven } => self.on_ping_moved(
                |heartbeat, timing, now| heartbeat.on_handed(timing, now, unproven),
                cx,
            ),
            SocketEvent::Drained => {
                if self.renewal == Renewal::Draining {
                    return Some(self.replace(DisconnectCause::Renewal, cx));
                }
            }
            // A second report of the attempt's outcome.
            SocketEvent::ProviderAnswered
            | SocketEvent::ProviderFailed(_)
            | SocketEvent::Opened
            | SocketEvent::OpenFailed(_) => cx.stale(self.socket),
        }
        None
    }

    fn on_frame(&mut self, frame: Frame<'_>, cx: &mut Context<'_>) -> Next {
        cx.tally.count_in(frame.len());
        self.on_other_bytes(cx.now, cx.config);
        match frame {
            Frame::Text(text) => self.on_text(text, cx),
            Frame::Binary(bytes) => self.on_message(Message::Binary(bytes), cx),
            Frame::Pong(payload) => {
                heard_pong_frame(&mut self.heartbeat, self.socket, payload, cx);
            }
            Frame::Ping(_) => {} // the codec answers
            Frame::Close(frame) => {
                return Some(peer_closed(Self::end(cx), self.socket, frame, cx));
            }
        }
        None
    }

    fn on_tick(&mut self, cx: &mut Context<'_>) -> Next {
        let timing = self.timing(cx.config);
        let reading = self.flow.reading;
        let death =
            self.heartbeat.as_mut().and_then(|heartbeat| heartbeat.death(cx.now, &timing, reading));
        let death = death.map(|(at, death)| match death {
            Death::Silent => (at, DisconnectCause::PongTimeout),
            Death::Stalled => (at, DisconnectCause::WriteStall),
        });
        let silence =
            self.silent_at(cx.now, cx.config).map(|at| (at, DisconnectCause::PongTimeout));
        let death = death.into_iter().chain(silence).min_by_key(|(at, _)| *at);
        if let Some(missed_at) = self.data_missed_at(cx)
            && death.is_none_or(|(dead_at, _)| missed_at <= dead_at)
        {
            part(self.socket, cx);
            let cause = DisconnectCause::DataTimeout;
            return Some(lost(Self::end(cx), self.socket, cause, Verdict::Retry, cx));
        }
        if let Some((_, cause)) = death {
            cx.act(Action::AbortSocket(self.socket)); // a dead peer answers no Close
            return Some(lost(Self::end(cx), self.socket, cause, Verdict::Retry, cx));
        }
        if self.is_renewal_due(cx) {
            return Some(self.replace(DisconnectCause::Renewal, cx));
        }
        let beat = self.heartbeat.as_mut().map(|heartbeat| heartbeat.on_tick(cx.now, &timing));
        if beat == Some(Beat::Ping) {
            self.ping(Heartbeat::on_sent, cx);
        }
        None
    }

    fn on_effect(&mut self, effect: Effect, cx: &mut Context<'_>) -> Next {
        match effect {
            Effect::Send(part) => cx.send(self.socket, Outgoing::Dialect(part)),
            Effect::LoginRefused { verdict, .. } => return Some(self.refused(verdict, cx)),
            Effect::Pong(stamp) => {
                heard_dialect_pong(&mut self.heartbeat, self.socket, stamp, cx);
            }
            Effect::SetHeartbeat { interval, timeout } => {
                let in_force = self.timing(cx.config).timeout;
                match Terms::pace(interval, timeout, in_force) {
                    Some(pace) => self.set_pace(pace, cx.now),
                    None => cx.ignore_effect(self.socket, self.terms.get_or_insert_default()),
                }
            }
            Effect::ExpectWithin(within) => self.expect(within, cx.now, cx.config),
            Effect::Leave { code, verdict, .. } => {
                return Some(leave(Self::end(cx), self.socket, code, verdict, cx));
            }
            Effect::ResumeAt(part) => cx.act(Action::ResumeAt(part)),
            // The login is over. The stamp belongs to no ping.
            Effect::LoginAccepted | Effect::Stamp(_) => cx.voice.count_ignored(),
        }
        None
    }

    /// The dialect sends this ping.
    fn dialect_ping(&mut self, part: Part, stamp: Option<u64>, cx: &mut Context<'_>) {
        let timing = self.timing(cx.config);
        if let Some(heartbeat) = &mut self.heartbeat {
            match cx.event {
                EventKind::WallClock => heartbeat.on_probe_sent(&timing, cx.now, stamp),
                _ => heartbeat.on_sent(&timing, cx.now, stamp),
            }
        }
        cx.send(self.socket, Outgoing::DialectPing(part));
        cx.notify(Notice::PingSent { socket: self.socket });
    }

    /// The accepted login is no longer valid.
    fn refused(&self, verdict: Verdict, cx: &mut Context<'_>) -> State {
        cx.notify(Notice::LoginRefused { socket: self.socket, verdict });
        hang_up_with(CloseCode::GOING_AWAY, self.socket, cx);
        refused(Self::end(cx), self.socket, None, verdict, cx)
    }

    /// Leaves the peer on purpose, for the next socket.
    fn replace(&self, cause: DisconnectCause, cx: &mut Context<'_>) -> State {
        part(self.socket, cx);
        let from = Self::end(cx);
        cx.replace(from, self.socket, cause, Credentials::Cached)
    }

    /// Probes the peer after a suspend. Without a heartbeat there is no message to probe with.
    fn probe(&mut self, cx: &mut Context<'_>) {
        self.expect_anew(cx.now, cx.config);
        let timing = self.timing(cx.config);
        match self.heartbeat.as_mut().map(|heartbeat| heartbeat.probe(&timing, cx.now)) {
            Some(Probe::Ping) => self.ping(Heartbeat::on_probe_sent, cx),
            Some(Probe::Held) | None => {}
        }
    }

    /// The connection is no longer ready: resets the retry count if it was stable. Returns its
    /// state's name.
    fn end(cx: &mut Context<'_>) -> ConnectionState {
        let ready_for = Self::count_time(cx);
        if ready_for >= cx.memory.retry.stable_after(&cx.config.reconnect) {
            cx.memory.retry.reset();
        }
        Self::name(cx.config)
    }
}

impl Closing {
    fn on_socket(&mut self, event: SocketEvent<'_>, cx: &mut Context<'_>) -> Next {
        match event {
            SocketEvent::Frame(frame) => {
                cx.tally.count_in(frame.len());
                match frame {
                    // A pong for a ping sent before our Close still belongs to the heartbeat. So
                    // does a ping of the peer, although nothing may answer it now.
                    Frame::Text(text) => {
                        let is_beat = heard_pong(&mut self.heartbeat, self.socket, text, cx)
                            || answer_to(text, cx).is_some();
                        let message = Message::Text(text);
                        if !is_beat && cx.show(self.socket, message) == Received::Deliver {
                            cx.act(Action::Deliver);
                        }
                    }
                    Frame::Binary(bytes) => {
                        if cx.show(self.socket, Message::Binary(bytes)) == Received::Deliver {
                            cx.act(Action::Deliver);
                        }
                    }
                    Frame::Pong(payload) => {
                        heard_pong_frame(&mut self.heartbeat, self.socket, payload, cx);
                    }
                    Frame::Ping(_) => {} // nothing is sent after our Close
                    Frame::Close(_) => {
                        return Some(closed(self.socket, DisconnectCause::Requested, cx));
                    }
                }
            }
            // The peer hung up without an answer, which also ends CLOSING.
            SocketEvent::Failed(_) => {
                return Some(closed(self.socket, DisconnectCause::Requested, cx));
            }
            // The close timeout does not move.
            SocketEvent::Bytes
            | SocketEvent::WriteBlocked
            | SocketEvent::Flushed
            | SocketEvent::ReadingPaused
            | SocketEvent::ReadingResumed
            | SocketEvent::PingHeld(_)
            | SocketEvent::WriteProgressed
            | SocketEvent::PingHanded { .. }
            | SocketEvent::Drained => {}
            // A second report of the attempt's outcome.
            SocketEvent::ProviderAnswered
            | SocketEvent::ProviderFailed(_)
            | SocketEvent::Opened
            | SocketEvent::OpenFailed(_) => cx.stale(self.socket),
        }
        None
    }
}

/// The connection becomes ready.
fn enter_ready(
    socket: SocketId,
    flow: Flow,
    terms: Option<Box<Terms>>,
    cx: &mut Context<'_>,
) -> State {
    let after = cx.now.saturating_duration_since(cx.memory.since);
    cx.memory.since = cx.now;
    cx.tally.count_ready();
    cx.notify(Notice::Ready { socket, after });
    State::Ready(Ready::new(socket, flow, terms, cx))
}

/// The closing handshake starts (RFC 6455 section 7.1.2).
fn close(
    from: ConnectionState,
    socket: SocketId,
    heartbeat: Option<Heartbeat>,
    frame: CloseFrame<'_>,
    cx: &mut Context<'_>,
) -> State {
    cx.tally.count_bytes_out(2 + frame.reason().len());
    cx.send(socket, Outgoing::RequestedClose);
    cx.changed(from, ConnectionState::Closing, Some(socket));
    let abort_at = cx.now.saturating_add(cx.config.close_timeout);
    State::Closing(Closing { socket, abort_at, heartbeat })
}

/// CLOSING ends.
fn closed(socket: SocketId, cause: DisconnectCause, cx: &mut Context<'_>) -> State {
    cx.act(Action::CloseSocket(socket));
    cx.disconnected(ConnectionState::Closing, socket, cause);
    cx.changed(ConnectionState::Closing, ConnectionState::Closed, Some(socket));
    State::Closed(Closed::Asked)
}

/// Leaves a live peer: sends it a Close behind the dialect's farewell, and does not wait for the
/// answer.
fn part(socket: SocketId, cx: &mut Context<'_>) {
    cx.say_farewell(socket);
    hang_up_with(CloseCode::GOING_AWAY, socket, cx);
}

/// Sends a Close with this code, and does not wait for the answer.
fn hang_up_with(code: CloseCode, socket: SocketId, cx: &mut Context<'_>) {
    cx.send(socket, Outgoing::Close(code));
    cx.act(Action::CloseSocket(socket));
}

/// The dialect leaves the server.
fn leave(
    from: ConnectionState,
    socket: SocketId,
    code: CloseCode,
    verdict: Verdict,
    cx: &mut Context<'_>,
) -> State {
    hang_up_with(code, socket, cx);
    cx.lose(&Loss {
        from,
        socket,
        cause: DisconnectCause::Dialect,
        verdict,
        retry_after: None,
        unjudged: Credentials::Cached,
        fatal: GiveUpCause::Dialect,
    })
}

/// The computer was suspended while the provider was asked, or while the socket was opening or
/// logging in: replaces the attempt, which the caller has dropped.
fn start_anew(
    from: ConnectionState,
    socket: SocketId,
    credentials: Credentials,
    cx: &mut Context<'_>,
) -> State {
    let cause = RetryCause::ClockJump;
    cx.changed(from, ConnectionState::Disconnected, Some(socket));
    if !cx.config.shared_budget {
        cx.retry_in(Duration::ZERO, cause, Because::Hint);
    }
    cx.attempt_now(ConnectionState::Disconnected, credentials, Reason::Other, cause)
}

/// The peer sent a Close frame. The codec answers it, and the policy decides what follows.
fn peer_closed(
    from: ConnectionState,
    socket: SocketId,
    frame: Option<CloseFrame<'_>>,
    cx: &mut Context<'_>,
) -> State {
    let code = frame.map(|frame| frame.code());
    let number = code.map_or(NO_CODE, CloseCode::number);
    cx.act(Action::CloseSocket(socket));
    let loss = Loss {
        from,
        socket,
        cause: DisconnectCause::CloseReceived(code),
        verdict: cx.config.policy.judge(number).verdict(),
        retry_after: None,
        unjudged: Credentials::Cached,
        fatal: GiveUpCause::CloseCode(number),
    };
    cx.lose(&loss)
}

/// An open socket failed. After a protocol violation the machine retries with backoff, because it
/// may have been a single bad message.
fn fail(from: ConnectionState, socket: SocketId, failure: Failure, cx: &mut Context<'_>) -> State {
    if hang_up(socket, failure, cx) {
        return lost(from, socket, DisconnectCause::ProtocolError(failure), Verdict::Retry, cx);
    }
    let verdict = cx.config.policy.judge(LOST).verdict();
    lost(from, socket, DisconnectCause::Lost(failure), verdict, cx)
}

/// Leaves a socket that failed. If the peer violated the protocol, sends a Close with the code for
/// that (RFC 6455 section 7.1.7), and returns true.
#[inline]
fn hang_up(socket: SocketId, failure: Failure, cx: &mut Context<'_>) -> bool {
    let breach = match failure {
        Failure::Protocol => Some(CloseCode::PROTOCOL_ERROR),
        Failure::InvalidUtf8 => Some(CloseCode::INVALID_PAYLOAD),
        Failure::TooBig => Some(CloseCode::TOO_BIG),
        Failure::Eof | Failure::Reset | Failure::Io | Failure::Tls => None,
    };
    if let Some(code) = breach {
        cx.send(socket, Outgoing::Close(code));
    }
    cx.act(Action::CloseSocket(socket));
    breach.is_some()
}

/// Ends a socket whose login was refused. `code` is from the Close that came after the refusal.
fn refused(
    from: ConnectionState,
    socket: SocketId,
    code: Option<CloseCode>,
    verdict: Verdict,
    cx: &mut Context<'_>,
) -> State {
    cx.lose(&Loss {
        from,
        socket,
        cause: DisconnectCause::LoginRefused(code),
        verdict,
        retry_after: None,
        unjudged: Credentials::Cached,
        fatal: GiveUpCause::LoginRefused,
    })
}

fn lost(
    from: ConnectionState,
    socket: SocketId,
    cause: DisconnectCause,
    verdict: Verdict,
    cx: &mut Context<'_>,
) -> State {
    let (unjudged, fatal) = (Credentials::Cached, GiveUpCause::CloseCode(LOST));
    cx.lose(&Loss { from, socket, cause, verdict, retry_after: None, unjudged, fatal })
}

/// The code that represents a Close frame without one (RFC 6455 section 7.4.1).
const NO_CODE: u16 = 1005;

/// The code that represents a connection that ended without a Close frame (RFC 6455 section 7.4.1).
const LOST: u16 = 1006;
