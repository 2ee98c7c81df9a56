//! Actions: orders to the driver; and notices: news for the application.

use core::time::Duration;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use crate::close::CloseCode;
use crate::event::{EventKind, Failure, OpenError};
use crate::policy::Verdict;
use crate::state::{ConnectionState, SocketId};
use crate::time::{Instant, UnixMillis, span_ns};

/// An order to the driver. Performed in the sequence in which [`Actions`] yields them.
///
/// An action names a payload and does not hold it: what the event carried is still the driver's, what
/// the core owns is written by [`Connection::encode`](crate::Connection::encode).
///
/// The set is complete by design: a driver that does not know an action must not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(clippy::exhaustive_enums)]
#[must_use]
pub enum Action {
    /// Open a socket and report [`SocketOpened`](crate::Event::SocketOpened) or
    /// [`OpenFailed`](crate::Event::OpenFailed) with this id.
    OpenSocket {
        /// The id of the attempt.
        #[serde(rename = "socket")]
        id: SocketId,
        /// Whether the credentials of the last attempt will do.
        credentials: Credentials,
    },
    /// Put a frame into the socket's outgoing buffer.
    #[serde(with = "send_fields")]
    Send(SocketId, Outgoing),
    /// Drop the socket: whether it is still opening or open. What its buffer holds may be written
    /// as far as that needs no waiting; nobody waits for the peer.
    CloseSocket(SocketId),
    /// Drop the socket of a dead peer, or one that a suspend has overtaken, so that nothing of it arrives later: reset it, with nothing of its buffer
    /// written (TCP: linger 0). A closed one would go on resending for minutes, behind the next connection's messages. Where
    /// the transport cannot be reset, drop it.
    AbortSocket(SocketId),
    /// Arm the one timer for this instant, in place of what is armed. When it is due: a
    /// [`Tick`](crate::Event::Tick).
    #[serde(rename = "schedule_timer_at_ns")]
    ScheduleTimer(Instant),
    /// Disarm the timer.
    CancelTimer,
    /// The message of this event is for the application.
    Deliver,
    /// Tell the application.
    Notify(Notice),
}

/// Which credentials the next attempt is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Credentials {
    /// Those at hand will do.
    Cached,
    /// The server refused those at hand: get new ones.
    Refresh,
}

/// A frame to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(clippy::exhaustive_enums)] // see Action
pub enum Outgoing {
    /// The message of this event's [`SendRequested`](crate::Event::SendRequested).
    Requested,
    /// The close frame of this event's [`CloseRequested`](crate::Event::CloseRequested).
    RequestedClose,
    /// A Close of the core's own: the peer broke the protocol.
    Close(CloseCode),
    /// The login message.
    Login,
    /// The dialect's heartbeat, with the time where the wall clock is known.
    Ping(Option<UnixMillis>),
    /// A WebSocket Ping frame; the number is its payload, in decimal.
    #[serde(rename = "websocket_ping")]
    WebSocketPing(u64),
    /// The answer to the peer's own application-level ping, with its timestamp.
    Pong(Option<UnixMillis>),
}

/// News for the application, each with what a log line needs.
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
        /// The socket in question, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        socket: Option<SocketId>,
    },
    /// The connection takes application messages.
    Ready {
        /// The socket.
        socket: SocketId,
        /// Time since it was last ready, or since the first connect request.
        #[serde(rename = "after_ns", with = "span_ns")]
        after: Duration,
    },
    /// The login was refused. The connection stays CONNECTED for up to `close_timeout`: it takes no message, delivers what
    /// comes, and waits for a Close of the peer's, which may say why. Then follow [`Disconnected`](Notice::Disconnected) with
    /// [`LoginRefused`](DisconnectCause::LoginRefused) and what the verdict demands. A connection that was ready leaves at once.
    LoginRefused {
        /// The socket.
        socket: SocketId,
        /// What follows, unless a Close softens it.
        verdict: Verdict,
    },
    /// A socket, open or still opening, is gone. (One that a clock jump overtook before it was ready is told by
    /// [`ClockJumped`](Notice::ClockJumped) and the retry.)
    Disconnected {
        /// The socket.
        socket: SocketId,
        /// Why.
        cause: DisconnectCause,
    },
    /// The next attempt will be made after `delay`.
    RetryScheduled {
        /// 1 for the first retry since the count was last reset; 0 where a clock jump starts the first attempt anew.
        attempt: u32,
        /// From now until the attempt.
        #[serde(rename = "delay_ns", with = "span_ns")]
        delay: Duration,
        /// What made it necessary.
        cause: RetryCause,
        /// What decided the delay.
        because: Because,
    },
    /// A heartbeat was sent.
    PingSent {
        /// The socket.
        socket: SocketId,
    },
    /// A heartbeat was answered.
    PongReceived {
        /// The socket.
        socket: SocketId,
        /// The round trip, where the pong tells which ping it answers.
        #[serde(
            rename = "round_trip_ns",
            with = "span_ns::option",
            default,
            skip_serializing_if = "Option::is_none"
        )]
        round_trip: Option<Duration>,
    },
    /// An event of a socket that is not, or not yet, the connection's open one was ignored.
    Stale {
        /// Which event.
        what: EventKind,
        /// Its socket.
        socket: SocketId,
    },
    /// The wall clock went ahead of monotonic time: the machine was suspended.
    ClockJumped {
        /// By how much.
        #[serde(rename = "by_ns", with = "span_ns")]
        by: Duration,
    },
    /// The connection is CLOSED and will not be tried again.
    GaveUp {
        /// Why.
        cause: GiveUpCause,
    },
    /// This event's [`SendRequested`](crate::Event::SendRequested) was not taken.
    SendRejected(SendRejection),
}

/// Why a socket is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DisconnectCause {
    /// The peer sent a Close frame; its code where it had one.
    CloseReceived(Option<CloseCode>),
    /// The stream ended or failed.
    Lost(Failure),
    /// The peer broke the protocol and was failed.
    ProtocolError(Failure),
    /// The socket could not be opened.
    OpenFailed(OpenError),
    /// DNS, TCP, TLS and upgrade took longer than `connect_timeout`.
    ConnectTimeout,
    /// Nothing came within the timeout after a heartbeat: the peer is dead.
    PongTimeout,
    /// A heartbeat waited to be written, and the transport took nothing, or less than the slowest link would: the peer is dead,
    /// or does not read.
    WriteStall,
    /// No application message came for `data_timeout`.
    DataTimeout,
    /// The login was not answered within its timeout.
    LoginTimeout,
    /// The login was refused; with the code of the Close frame that the peer sent after the refusal, where it had one.
    LoginRefused(Option<CloseCode>),
    /// The peer did not answer our Close within `close_timeout`.
    CloseTimeout,
    /// The application asked for it.
    Requested,
}

impl DisconnectCause {
    /// The name in `snake_case`, as JSON logs show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloseReceived(_) => "close_received",
            Self::Lost(_) => "lost",
            Self::ProtocolError(_) => "protocol_error",
            Self::OpenFailed(_) => "open_failed",
            Self::ConnectTimeout => "connect_timeout",
            Self::PongTimeout => "pong_timeout",
            Self::WriteStall => "write_stall",
            Self::DataTimeout => "data_timeout",
            Self::LoginTimeout => "login_timeout",
            Self::LoginRefused(_) => "login_refused",
            Self::CloseTimeout => "close_timeout",
            Self::Requested => "requested",
        }
    }
}

/// What made a retry necessary, or moved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RetryCause {
    /// The connection was lost or could not be opened.
    Disconnected(DisconnectCause),
    /// The machine woke from suspend.
    ClockJump,
    /// The network came back.
    Online,
}

impl RetryCause {
    /// The name in `snake_case`, as JSON logs show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disconnected(cause) => cause.name(),
            Self::ClockJump => "clock_jump",
            Self::Online => "online",
        }
    }
}

/// What decided a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Because {
    /// The backoff strategy.
    Backoff,
    /// The server's `Retry-After`.
    RetryAfter,
    /// A least delay in the policy.
    Policy,
    /// A hint: the network came back, or the machine woke.
    Hint,
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
        }
    }
}

/// Why the connection was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GiveUpCause {
    /// A close code that the policy does not retry.
    CloseCode(u16),
    /// An HTTP status that the policy does not retry.
    HttpStatus(u16),
    /// The login was refused, and the verdict was fatal or refreshed credentials did not help.
    LoginRefused,
    /// `max_attempts` retries were made since the count was last reset.
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
            Self::AttemptsSpent => "attempts_spent",
            Self::Configuration => "configuration",
        }
    }
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SendRejection {
    /// The connection is not ready: no socket, or the login is not done.
    NotReady,
    /// The connection is closing or closed.
    Closed,
    /// The transport takes no more for now; send again after it has been flushed.
    WriteBlocked,
    /// Given by drivers, never by the core: the application has left more than 4,096 ranges of outcomes unread. Take events, then
    /// send again.
    OutcomesUnread,
    /// The write buffer is full, `send` waited for space, and the transport took no byte for the driver's `send_stall`.
    /// The connection may still be alive: take events, then send again. Only drivers give this reason; the core never
    /// does.
    Stalled,
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
        }
    }
}

/// The actions of one event, in the order in which they are to be performed.
///
/// Inline and bounded: at most [`Actions::CAPACITY`], no allocation.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[must_use = "an action that is not performed leaves the driver and the core in disagreement"]
pub struct Actions(ArrayVec<Action, { Actions::CAPACITY }>);

impl Actions {
    /// The most actions that one event can yield.
    pub const CAPACITY: usize = 8;

    /// The actions, to look at.
    pub fn iter(&self) -> core::slice::Iter<'_, Action> {
        self.0.iter()
    }

    /// The actions as a slice.
    #[must_use = "looking at the actions performs none of them"]
    pub fn as_slice(&self) -> &[Action] {
        &self.0
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing else is to be done.
    #[inline]
    pub(crate) fn only(action: Action) -> Self {
        let mut actions = Self::default();
        actions.push(action);
        actions
    }

    #[inline]
    pub(crate) fn push(&mut self, action: Action) {
        // Local invariant: the longest list is a login that a clock jump cuts short, with seven actions;
        // the property tests hold every event in every state against the capacity.
        self.0.push(action);
    }
}

impl IntoIterator for Actions {
    type Item = Action;
    type IntoIter = ActionsIter;

    fn into_iter(self) -> ActionsIter {
        ActionsIter(self.0.into_iter())
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

/// [`Action::Send`] by the names of its fields.
mod send_fields {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Outgoing, SocketId};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Send {
        socket: SocketId,
        frame: Outgoing,
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
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
