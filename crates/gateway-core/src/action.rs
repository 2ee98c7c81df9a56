//! Actions: orders to the driver. Notices: news for the application.

use core::fmt;
use core::time::Duration;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use crate::close::CloseCode;
use crate::dialect::Part;
use crate::event::{EventKind, Failure, OpenError};
use crate::login::LoginAnswer;
use crate::policy::Verdict;
use crate::state::{ConnectionState, SocketId};
use crate::time::{Instant, UnixMillis, span_ns};

/// An order to the driver. Perform actions in the order in which [`Actions`] yields them.
///
/// Actions contain no payload. The payload of a received or requested message is in the event that
/// you just passed. [`Connection::encode`](crate::Connection::encode) writes the payload of the
/// machine's own frames.
///
/// This enum is exhaustive on purpose. A new action is a breaking change, so that a driver that
/// does not handle it does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(clippy::exhaustive_enums)]
#[must_use]
pub enum Action {
    /// Ask the provider for the request of this attempt: its URL, headers and login. Then report
    /// [`ProviderAnswered`](crate::Event::ProviderAnswered) or
    /// [`ProviderFailed`](crate::Event::ProviderFailed) with this id. Open nothing yet. Only a
    /// machine with `ask_provider` returns this.
    AskProvider {
        /// The id of the attempt.
        #[serde(rename = "socket")]
        id: SocketId,
        /// Whether the last request's credentials may still be good.
        credentials: Credentials,
    },
    /// Open a socket. Then report [`SocketOpened`](crate::Event::SocketOpened) or
    /// [`OpenFailed`](crate::Event::OpenFailed) with this id. If the provider was asked for this
    /// attempt, use its request.
    OpenSocket {
        /// The id of the attempt.
        #[serde(rename = "socket")]
        id: SocketId,
        /// Whether the credentials that you have may still be good.
        credentials: Credentials,
    },
    /// Put a frame into the socket's outgoing buffer.
    #[serde(with = "send_fields")]
    Send(SocketId, Outgoing),
    /// Drop the socket, whether it is open or still opening, or stop asking the provider for it.
    /// You may still write what the socket takes without blocking. Do not wait for the peer.
    CloseSocket(SocketId),
    /// Drop the socket so that none of its bytes arrive at the peer later. The machine aborts the
    /// socket of a dead peer, and one that it replaces after a suspend.
    ///
    /// Reset the socket (TCP: linger 0), and write nothing of its buffer. After an ordinary close,
    /// the kernel would go on resending what it holds, for minutes. Old messages could then arrive
    /// after the next connection's messages. If the transport cannot be reset, drop it.
    AbortSocket(SocketId),
    /// Report [`Drained`](crate::Event::Drained) when the socket's write buffer is empty and flushed,
    /// at once if it already is. Go on accepting messages. If the report does not come within
    /// `close_timeout`, the machine renews the connection without it.
    Drain(SocketId),
    /// Open the next socket at the URL in this [part](crate::Connection::part) of the connection's
    /// buffer, in place of the endpoint's URL. An empty text means the endpoint's URL again.
    ///
    /// Never go from `wss` to `ws`, and send credentials only to the endpoint's own host. If the
    /// attempt fails, use the endpoint again. Only a [`Dialect`](crate::Dialect) asks for this.
    ResumeAt(Part),
    /// Reserve an open in the shared [`RetryBudget`](crate::RetryBudget), at or after this instant, and
    /// report its instant with [`OpenReserved`](crate::Event::OpenReserved) at once, as the next event.
    /// If the connection has already reserved an open, release that one first. Only a machine with
    /// `shared_budget` returns this.
    #[serde(rename = "reserve_open_at_ns")]
    ReserveOpen(Instant),
    /// Release the open that the connection has reserved. The connection does not use it.
    ReleaseOpen,
    /// Set the one timer to this instant. This replaces the instant that was set before. When the
    /// timer is due, report a [`Tick`](crate::Event::Tick).
    #[serde(rename = "schedule_timer_at_ns")]
    ScheduleTimer(Instant),
    /// Cancel the timer.
    CancelTimer,
    /// Deliver the message of the current event to the application.
    Deliver,
    /// Report this notice to the application.
    Notify(Notice),
}

/// Which credentials an attempt uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Credentials {
    /// The credentials that you have may still be good. If you have none yet, get some.
    Cached,
    /// The server refused the credentials that you have. Get new ones before the attempt.
    Refresh,
}

/// A frame to send. [`Connection::encode`](crate::Connection::encode) writes its payload and
/// returns its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(clippy::exhaustive_enums)] // see Action
pub enum Outgoing {
    /// The message of the current [`SendRequested`](crate::Event::SendRequested) event.
    Requested,
    /// The Close frame of the current [`CloseRequested`](crate::Event::CloseRequested) event.
    RequestedClose,
    /// A Close frame with this code. With 1002, 1007 or 1009, the peer violated the protocol. With
    /// 1001, one of these happened:
    ///
    /// - The login did not end within its timeout.
    /// - The login was refused, and the wait for the peer's Close frame ended without one: because
    ///   `close_timeout` passed, or because the computer was suspended.
    /// - No application message came for `data_timeout`.
    /// - The driver reported [`LoginRejected`](crate::Event::LoginRejected) on a ready connection, or
    ///   the dialect refused its login.
    /// - The machine replaced the socket on purpose: see
    ///   [`ReconnectRequested`](crate::Event::ReconnectRequested) and `renew_after`.
    ///
    /// A [`Dialect`](crate::Dialect) may leave with any code.
    Close(CloseCode),
    /// The login message.
    Login,
    /// A message of the [`Dialect`](crate::Dialect).
    Dialect(Part),
    /// A ping of the [`Dialect`](crate::Dialect).
    DialectPing(Part),
    /// A heartbeat message in JSON, with the wall clock's time if it is known.
    Ping(Option<UnixMillis>),
    /// A WebSocket Ping frame. Its payload is this number, in decimal.
    #[serde(rename = "websocket_ping")]
    WebSocketPing(u64),
    /// The answer to the peer's application-level ping, with that ping's timestamp if it had one.
    Pong(Option<UnixMillis>),
}

/// News for the application, with the data that a log line needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Notice {
    /// The state changed.
    StateChanged {
        /// The state before.
        from: ConnectionState,
        /// The state now.
        to: ConnectionState,
        /// The socket concerned, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        socket: Option<SocketId>,
    },
    /// The connection is ready: it accepts application messages.
    Ready {
        /// The socket.
        socket: SocketId,
        /// The time since the connection was last ready, or since the connect request that
        /// started it afresh, if that was later.
        #[serde(rename = "after_ns", with = "span_ns")]
        after: Duration,
    },
    /// The login was refused.
    ///
    /// If the login was running, the connection stays CONNECTED for up to `close_timeout`. It
    /// rejects sends, delivers received messages, and waits for the peer's Close frame, whose code
    /// may soften the verdict. If the connection was ready, the machine leaves it at once.
    ///
    /// Next comes [`Disconnected`](Notice::Disconnected) with cause
    /// [`LoginRefused`](DisconnectCause::LoginRefused). Then the machine acts on the verdict.
    LoginRefused {
        /// The socket.
        socket: SocketId,
        /// What follows, unless the peer's Close frame softens it.
        verdict: Verdict,
    },
    /// A socket is gone: open, still opening, or one for which the provider is asked.
    ///
    /// After a suspend, the machine replaces an attempt whose provider is asked, or whose socket is
    /// opening or logging in. It then does not send this notice, but
    /// [`ClockJumped`](Notice::ClockJumped) and
    /// [`RetryScheduled`](Notice::RetryScheduled).
    Disconnected {
        /// The socket.
        socket: SocketId,
        /// Why the socket is gone.
        cause: DisconnectCause,
    },
    /// The next attempt starts after `delay`.
    RetryScheduled {
        /// The number of the retry: 1 for the first since the retry count was last reset. After a
        /// suspend or a reconnect on purpose, this is the number of the last retry, or 0 if there
        /// was none.
        attempt: u32,
        /// The time from now to the attempt.
        #[serde(rename = "delay_ns", with = "span_ns")]
        delay: Duration,
        /// Why there is a retry, or why its time changed.
        cause: RetryCause,
        /// What determined the delay.
        because: Because,
    },
    /// A ping was sent.
    PingSent {
        /// The socket.
        socket: SocketId,
    },
    /// A pong answered a ping.
    PongReceived {
        /// The socket.
        socket: SocketId,
        /// The round trip, if it is known which ping the pong answers.
        #[serde(
            rename = "round_trip_ns",
            with = "span_ns::option",
            default,
            skip_serializing_if = "Option::is_none"
        )]
        round_trip: Option<Duration>,
    },
    /// The machine ignored a [stale event](crate#what-do-the-terms-mean).
    Stale {
        /// The ignored event.
        what: EventKind,
        /// The event's socket.
        socket: SocketId,
    },
    /// The wall clock moved ahead of monotonic time: the computer was suspended.
    ClockJumped {
        /// How far it moved ahead.
        #[serde(rename = "by_ns", with = "span_ns")]
        by: Duration,
    },
    /// The machine gave up: the connection is CLOSED, and no retry follows.
    GaveUp {
        /// Why the machine gave up.
        cause: GiveUpCause,
    },
    /// The dialect set a heartbeat interval of zero, for example because the server's message named
    /// none. The interval stays. Only the first one on a socket is reported.
    EffectIgnored {
        /// The socket.
        socket: SocketId,
    },
    /// The message of the current [`SendRequested`](crate::Event::SendRequested) event was not
    /// accepted.
    SendRejected(SendRejection),
}

/// Why a socket is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DisconnectCause {
    /// The peer sent a Close frame, with this code if it had one.
    CloseReceived(Option<CloseCode>),
    /// The stream ended or failed.
    Lost(Failure),
    /// The peer violated the protocol, and the machine sent it a Close frame.
    ProtocolError(Failure),
    /// The provider failed, or the driver refused its request.
    Provider,
    /// The provider gave no request within `attempt_timeout`.
    AttemptTimeout,
    /// The socket could not be opened.
    OpenFailed(OpenError),
    /// DNS, TCP, TLS and upgrade together took longer than `connect_timeout`, or than the timeout to
    /// which earlier ones had made it grow.
    ConnectTimeout,
    /// No sign of life came within a ping's timeout, or within the time that the dialect
    /// [expects](crate::Exchange::expect_within): the peer is dead.
    PongTimeout,
    /// A ping was held for too long: the peer is dead, or does not read. The ping's wait starts
    /// when it is queued, and again at a resume. After a sign of life it also starts again: not at
    /// once, but when any deadline of the machine is next due, at most one interval later. The
    /// connection ends as soon as one of these is true:
    ///
    /// - The transport has taken nothing for the heartbeat's interval + timeout, and the wait has
    ///   lasted for the timeout. A resume while the ping is held counts as if bytes were taken.
    /// - The wait has lasted for timeout + 30 s + *B* / `slowest_link`. *B* is the number of bytes
    ///   before the ping.
    ///
    /// If a suspend is noticed while a ping is held, the connection does not end with this cause for
    /// at least min(5 s, timeout) after that.
    WriteStall,
    /// The dialect [left](crate::Exchange::leave) the server, or asked for too much in one call.
    Dialect,
    /// No application message came for `data_timeout`.
    DataTimeout,
    /// The login did not end within its timeout.
    LoginTimeout,
    /// The login was refused. The code is that of the Close frame that the peer sent after the
    /// refusal, if it sent one with a code.
    LoginRefused(Option<CloseCode>),
    /// The peer did not answer our Close frame within `close_timeout`.
    CloseTimeout,
    /// The application requested the close.
    Requested,
    /// The application requested a reconnect.
    Reconnect,
    /// The connection was ready for `renew_after`.
    Renewal,
}

impl DisconnectCause {
    /// The name in `snake_case`, as JSON logs show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloseReceived(_) => "close_received",
            Self::Lost(_) => "lost",
            Self::ProtocolError(_) => "protocol_error",
            Self::Provider => "provider",
            Self::AttemptTimeout => "attempt_timeout",
            Self::OpenFailed(_) => "open_failed",
            Self::ConnectTimeout => "connect_timeout",
            Self::PongTimeout => "pong_timeout",
            Self::WriteStall => "write_stall",
            Self::Dialect => "dialect",
            Self::DataTimeout => "data_timeout",
            Self::LoginTimeout => "login_timeout",
            Self::LoginRefused(_) => "login_refused",
            Self::CloseTimeout => "close_timeout",
            Self::Requested => "requested",
            Self::Reconnect => "reconnect",
            Self::Renewal => "renewal",
        }
    }
}

/// Why there is a retry, or why its time changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RetryCause {
    /// The connection was lost or could not be opened.
    Disconnected(DisconnectCause),
    /// The computer woke from a suspend.
    ClockJump,
    /// The network came back.
    Online,
    /// The application requested a reconnect while the machine was waiting for a retry.
    Reconnect,
    /// The attempt was due, and waits for the shared budget: after a connect request, or because its
    /// open has passed unused, since the driver was late.
    Budget,
}

impl RetryCause {
    /// The name in `snake_case`, as JSON logs show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disconnected(cause) => cause.name(),
            Self::ClockJump => "clock_jump",
            Self::Online => "online",
            Self::Reconnect => "reconnect",
            Self::Budget => "budget",
        }
    }
}

/// What determined a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Because {
    /// The backoff strategy.
    Backoff,
    /// The server's `Retry-After`.
    RetryAfter,
    /// A least delay in the policy, of a refused login, or of the provider.
    Policy,
    /// No failure, but a hint or a request: the network came back, the computer woke from a suspend,
    /// or the socket was replaced on purpose.
    Hint,
    /// The shared budget: it has no open earlier than that.
    Budget,
    /// The spread after the loss of a ready connection: without it, the delay would be shorter.
    Spread,
}

impl Because {
    /// The name in `snake_case`, as JSON logs show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Backoff => "backoff",
            Self::RetryAfter => "retry_after",
            Self::Policy => "policy",
            Self::Hint => "hint",
            Self::Budget => "budget",
            Self::Spread => "spread",
        }
    }
}

/// Why the machine gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GiveUpCause {
    /// A close code. Its verdict was fatal, or refresh for the second time.
    CloseCode(u16),
    /// An HTTP status. Its verdict was fatal, or refresh for the second time.
    HttpStatus(u16),
    /// The login message, or the application's own login, was refused. The verdict was fatal, or
    /// refresh for the second time.
    LoginRefused,
    /// The provider failed. The verdict was fatal, or refresh for the second time.
    Provider,
    /// The dialect left the server. The verdict was fatal, or refresh for the second time.
    Dialect,
    /// `max_attempts` retries were made since the retry count was last reset.
    AttemptsSpent,
    /// No attempt with these settings can succeed.
    Configuration,
}

impl GiveUpCause {
    /// The name in `snake_case`, as JSON logs show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloseCode(_) => "close_code",
            Self::HttpStatus(_) => "http_status",
            Self::LoginRefused => "login_refused",
            Self::Provider => "provider",
            Self::Dialect => "dialect",
            Self::AttemptsSpent => "attempts_spent",
            Self::Configuration => "configuration",
        }
    }
}

/// The name, and the close code or the HTTP status if there is one: `http_status 401`.
impl fmt::Display for GiveUpCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CloseCode(code) | Self::HttpStatus(code) => write!(f, "{} {code}", self.name()),
            Self::LoginRefused
            | Self::Provider
            | Self::Dialect
            | Self::AttemptsSpent
            | Self::Configuration => f.write_str(self.name()),
        }
    }
}

/// Why a message was not accepted. Such a message has no outcome. The outcome `Rejected` in
/// `gateway-wire` is another thing: the message was accepted, and nothing of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SendRejection {
    /// The connection is not ready: it has no open socket, or its login has not been accepted.
    NotReady,
    /// The connection is closing or closed, or the driver drains it.
    Closed,
    /// The driver's write buffer is full. Send again after it has been flushed.
    WriteBlocked,
    /// The application has left more than 4,096 ranges of outcomes unread. Take events, then send
    /// again. Only drivers give this reason; the machine never does.
    OutcomesUnread,
    /// `send` waited for space in the write buffer, and the transport took no byte for the driver's
    /// `send_stall`. The connection stays open: the heartbeat decides whether the peer is dead,
    /// which is [`WriteStall`](DisconnectCause::WriteStall) or
    /// [`PongTimeout`](DisconnectCause::PongTimeout). Take events, then send again. Only drivers
    /// give this reason; the machine never does.
    Stalled,
    /// The message is longer than the space that was reserved for it. Only drivers give this
    /// reason; the machine never does.
    LongerThanReserved,
    /// What drives the connection is gone: its runtime was shut down, the client of a sender was
    /// dropped, or an observer panicked. Only drivers give this reason; the machine
    /// never does.
    Gone,
    /// The message was sent from within an observer, a dialect or a correlator, which must not
    /// wait. Only drivers give this reason; the machine never does.
    Reentrant,
    /// The driver's outbox is full, and set to refuse the newest message; or the message is longer
    /// than all messages in it may be together. Only drivers give this reason; the machine never
    /// does.
    OutboxFull,
    /// The driver's rate limit allows no message now. Send again later. Only drivers give this reason;
    /// the machine never does.
    Paced,
}

impl SendRejection {
    /// The name in `snake_case`, as JSON logs show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotReady => "not_ready",
            Self::Closed => "closed",
            Self::WriteBlocked => "write_blocked",
            Self::OutcomesUnread => "outcomes_unread",
            Self::Stalled => "stalled",
            Self::LongerThanReserved => "longer_than_reserved",
            Self::Gone => "gone",
            Self::Reentrant => "reentrant",
            Self::OutboxFull => "outbox_full",
            Self::Paced => "paced",
        }
    }
}

/// The actions of one event, in the order in which you perform them.
///
/// Holds at most [`Actions::CAPACITY`] actions, inline. It never allocates.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[must_use = "perform the actions: otherwise the driver and the machine disagree"]
pub struct Actions {
    list: ArrayVec<Action, { Actions::CAPACITY }>,
    /// Whether the dialect asked for something. Then the connection has what it asked for.
    pub(crate) has_spoken: bool,
    /// What the configuration made of a text that came during a login.
    pub(crate) answer: LoginAnswer,
}

impl Actions {
    /// The most actions that one event can yield.
    pub const CAPACITY: usize = 13;

    /// Iterates over the actions without consuming them.
    pub fn iter(&self) -> core::slice::Iter<'_, Action> {
        self.list.iter()
    }

    /// The actions as a slice.
    #[must_use = "this only reads the actions: perform them"]
    pub fn as_slice(&self) -> &[Action] {
        &self.list
    }

    /// Whether there are no actions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    #[inline]
    pub(crate) fn only(action: Action) -> Self {
        let mut actions = Self::default();
        actions.push(action);
        actions
    }

    #[inline]
    pub(crate) fn push(&mut self, action: Action) {
        // Local invariant: without a dialect, a reconnect of an open socket returns the most
        // actions: eight. With one, up to four messages of `closing` come before them. An answer
        // that accepts the login returns up to three actions, then come the dialect's effects: up to
        // nine actions (three messages, and six of a refused login), then the timer: 13. Property
        // tests check every event in every state, with dialects at random.
        self.list.push(action);
    }
}

impl IntoIterator for Actions {
    type Item = Action;
    type IntoIter = ActionsIter;

    fn into_iter(self) -> ActionsIter {
        ActionsIter(self.list.into_iter())
    }
}

impl<'a> IntoIterator for &'a Actions {
    type Item = &'a Action;
    type IntoIter = core::slice::Iter<'a, Action>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The iterator over [`Actions`].
#[derive(Debug)]
pub struct ActionsIter(arrayvec::IntoIter<Action, { Actions::CAPACITY }>);

impl Iterator for ActionsIter {
    type Item = Action;

    fn next(&mut self) -> Option<Action> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for ActionsIter {}

/// Serializes [`Action::Send`] with named fields.
mod send_fields {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Outgoing, SocketId};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Send {
        socket: SocketId,
        frame: Outgoing,
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde requires this signature")]
    pub(super) fn serialize<S: Serializer>(
        socket: &SocketId,
        frame: &Outgoing,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Send { socket: *socket, frame: *frame }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<(SocketId, Outgoing), D::Error> {
        Send::deserialize(deserializer).map(|Send { socket, frame }| (socket, frame))
    }
}
