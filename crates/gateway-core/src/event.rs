//! Events: facts that a driver reports to the machine.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::close::CloseFrame;
use crate::policy::Verdict;
use crate::state::SocketId;
use crate::time::{Instant, UnixMillis};

/// A fact that a driver reports to the machine. It borrows at most one payload.
///
/// This enum is exhaustive on purpose. A new event is a breaking change, because every author of a
/// driver must see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Event<'a> {
    /// The application requests a connection.
    ConnectRequested,
    /// The application requests a new socket in place of the current one: for example because the
    /// URL or the credentials have changed. This is no failure, so the retry count stays.
    ///
    /// The machine leaves an open socket with a Close frame (1001) behind what was sent, drops an
    /// attempt that is under way, or shortens the wait for a retry, but not below a least delay.
    /// Then it opens the next socket. Two of these sockets open no closer than `initial_delay`.
    /// Before the first connect request and when CLOSED, this is a connect request. In CLOSING the
    /// machine ignores it. A refused login ends at once, and its verdict decides what follows.
    ReconnectRequested,
    /// The application requests a close, with this frame.
    CloseRequested(CloseFrame<'a>),
    /// The application requests that this message be sent.
    SendRequested(Message<'a>),
    /// The running login was accepted. Report this at the end of a
    /// [`Login::External`](crate::Login::External). With a
    /// [`Login::Message`](crate::Login::Message), you may report it if you evaluate the answers
    /// yourself. The machine ignores it if no login is running.
    LoginAccepted,
    /// The running login was refused, or an accepted login is no longer valid. The verdict decides
    /// what follows. The machine ignores it unless a login is running or the connection is ready.
    LoginRejected(Verdict),
    /// The shared budget allows the next open at this instant, as
    /// [`ReserveOpen`](crate::Action::ReserveOpen) asked. The machine ignores it if it did not ask.
    OpenReserved(Instant),
    /// The provider gave the request of this attempt, and the driver accepts it. The machine now
    /// opens the socket.
    ProviderAnswered(SocketId),
    /// The provider failed, or the driver refuses its request. Nothing of the attempt remains. The
    /// verdict decides what follows.
    ProviderFailed(SocketId, Verdict),
    /// The socket is open: the server answered the upgrade with 101, and the driver verified the
    /// answer.
    SocketOpened(SocketId),
    /// The driver could not open the socket. Nothing of it remains open.
    OpenFailed(SocketId, OpenError),
    /// An open socket ended or failed, or the peer violated the protocol on it.
    SocketFailed(SocketId, Failure),
    /// A whole message or a control frame arrived.
    FrameReceived(SocketId, Frame<'a>),
    /// Part of a long message arrived. It counts as a sign of life.
    BytesReceived(SocketId),
    /// The transport takes no more bytes for now: the driver's write buffer is above its high-water
    /// mark. The machine rejects messages until [`Flushed`](Event::Flushed).
    WriteBlocked(SocketId),
    /// The write buffer has space again: the transport has taken the bytes that filled it.
    Flushed(SocketId),
    /// The driver stopped reading from the socket, because the application does not keep up.
    ReadingPaused(SocketId),
    /// The driver reads from the socket again after a pause: a resume.
    ReadingResumed(SocketId),
    /// The newest ping is held: the driver's write left part of it in the buffer. A ping that is
    /// written at once needs no such report.
    PingHeld(SocketId, Backlog),
    /// The transport took bytes while the newest ping was held. Report this after
    /// [`PingHeld`](Event::PingHeld) and before [`PingHanded`](Event::PingHanded).
    WriteProgressed(SocketId),
    /// The newest ping was handed over: its last byte was flushed to the transport. The number is
    /// the ping's unproven bytes: how many bytes, this ping included, were sent since the newest
    /// answered ping or, if there is none, since the socket opened. Report this for every ping that
    /// was held, and for every ping with more than 64 KiB of unproven bytes.
    PingHanded(SocketId, u64),
    /// The write buffer is empty and flushed, after [`Action::Drain`](crate::Action::Drain) asked
    /// for this report.
    Drained(SocketId),
    /// The time of the wall clock. Report this each time a timer wakes the driver, so that the
    /// machine notices a suspend. Report it also if the platform tells you of one. Do not report it
    /// for a frame.
    WallClock(UnixMillis),
    /// The operating system reported a change of the network. This is a hint.
    NetworkChanged(Network),
    /// Time has passed. Only this event fires deadlines.
    Tick,
}

impl Event<'_> {
    /// The event's socket, if it has one.
    #[must_use]
    pub const fn socket(&self) -> Option<SocketId> {
        match self {
            Self::ProviderAnswered(id)
            | Self::ProviderFailed(id, _)
            | Self::SocketOpened(id)
            | Self::OpenFailed(id, _)
            | Self::SocketFailed(id, _)
            | Self::FrameReceived(id, _)
            | Self::BytesReceived(id)
            | Self::WriteBlocked(id)
            | Self::Flushed(id)
            | Self::ReadingPaused(id)
            | Self::ReadingResumed(id)
            | Self::PingHeld(id, _)
            | Self::WriteProgressed(id)
            | Self::PingHanded(id, _)
            | Self::Drained(id) => Some(*id),
            Self::ConnectRequested
            | Self::ReconnectRequested
            | Self::CloseRequested(_)
            | Self::SendRequested(_)
            | Self::LoginAccepted
            | Self::LoginRejected(_)
            | Self::OpenReserved(_)
            | Self::WallClock(_)
            | Self::NetworkChanged(_)
            | Self::Tick => None,
        }
    }

    /// The event's name without its data.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::ConnectRequested => EventKind::ConnectRequested,
            Self::ReconnectRequested => EventKind::ReconnectRequested,
            Self::CloseRequested(_) => EventKind::CloseRequested,
            Self::SendRequested(_) => EventKind::SendRequested,
            Self::LoginAccepted => EventKind::LoginAccepted,
            Self::LoginRejected(_) => EventKind::LoginRejected,
            Self::OpenReserved(_) => EventKind::OpenReserved,
            Self::ProviderAnswered(_) => EventKind::ProviderAnswered,
            Self::ProviderFailed(..) => EventKind::ProviderFailed,
            Self::SocketOpened(_) => EventKind::SocketOpened,
            Self::OpenFailed(..) => EventKind::OpenFailed,
            Self::SocketFailed(..) => EventKind::SocketFailed,
            Self::FrameReceived(..) => EventKind::FrameReceived,
            Self::BytesReceived(_) => EventKind::BytesReceived,
            Self::WriteBlocked(_) => EventKind::WriteBlocked,
            Self::Flushed(_) => EventKind::Flushed,
            Self::ReadingPaused(_) => EventKind::ReadingPaused,
            Self::ReadingResumed(_) => EventKind::ReadingResumed,
            Self::PingHeld(..) => EventKind::PingHeld,
            Self::WriteProgressed(_) => EventKind::WriteProgressed,
            Self::PingHanded(..) => EventKind::PingHanded,
            Self::Drained(_) => EventKind::Drained,
            Self::WallClock(_) => EventKind::WallClock,
            Self::NetworkChanged(_) => EventKind::NetworkChanged,
            Self::Tick => EventKind::Tick,
        }
    }
}

/// What happened to a socket: an [`Event`] without the socket's id.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SocketEvent<'a> {
    ProviderAnswered,
    ProviderFailed(Verdict),
    Opened,
    OpenFailed(OpenError),
    Failed(Failure),
    Frame(Frame<'a>),
    Bytes,
    WriteBlocked,
    Flushed,
    ReadingPaused,
    ReadingResumed,
    PingHeld(Backlog),
    WriteProgressed,
    PingHanded { unproven: u64 },
    Drained,
}

/// The name of an [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each variant is documented at the event of the same name")]
#[allow(clippy::exhaustive_enums)] // Event is complete, too
pub enum EventKind {
    ConnectRequested,
    ReconnectRequested,
    CloseRequested,
    SendRequested,
    LoginAccepted,
    LoginRejected,
    OpenReserved,
    ProviderAnswered,
    ProviderFailed,
    SocketOpened,
    OpenFailed,
    SocketFailed,
    FrameReceived,
    BytesReceived,
    WriteBlocked,
    Flushed,
    ReadingPaused,
    ReadingResumed,
    PingHeld,
    WriteProgressed,
    PingHanded,
    Drained,
    WallClock,
    NetworkChanged,
    Tick,
}

impl EventKind {
    /// The name in `snake_case`, as JSON logs show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConnectRequested => "connect_requested",
            Self::ReconnectRequested => "reconnect_requested",
            Self::CloseRequested => "close_requested",
            Self::SendRequested => "send_requested",
            Self::LoginAccepted => "login_accepted",
            Self::LoginRejected => "login_rejected",
            Self::OpenReserved => "open_reserved",
            Self::ProviderAnswered => "provider_answered",
            Self::ProviderFailed => "provider_failed",
            Self::SocketOpened => "socket_opened",
            Self::OpenFailed => "open_failed",
            Self::SocketFailed => "socket_failed",
            Self::FrameReceived => "frame_received",
            Self::BytesReceived => "bytes_received",
            Self::WriteBlocked => "write_blocked",
            Self::Flushed => "flushed",
            Self::ReadingPaused => "reading_paused",
            Self::ReadingResumed => "reading_resumed",
            Self::PingHeld => "ping_held",
            Self::WriteProgressed => "write_progressed",
            Self::PingHanded => "ping_handed",
            Self::Drained => "drained",
            Self::WallClock => "wall_clock",
            Self::NetworkChanged => "network_changed",
            Self::Tick => "tick",
        }
    }
}

/// A message of the application, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // RFC 6455 has no third kind
pub enum Message<'a> {
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl Message<'_> {
    /// The payload's length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether the payload is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What is ahead of a held ping, and how long the transport has taken nothing. The limit
/// `Limits::backlog` in `gateway-wire` is another thing: it bounds received messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs)] // drivers construct it
pub struct Backlog {
    /// The number of bytes before the ping when it was queued.
    pub bytes: u64,
    /// How long the transport has taken nothing: the time since it last took bytes, or since bytes
    /// began to wait for it, whichever is shorter.
    pub idle: Duration,
}

/// A received frame: a whole message, reassembled, or a control frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // RFC 6455 section 5.2 has no other opcodes
pub enum Frame<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A Ping. The codec answers it. The machine counts it as a sign of life.
    Ping(&'a [u8]),
    /// A Pong.
    Pong(&'a [u8]),
    /// A Close. `None` is a Close frame without a body, which counts as code 1005.
    Close(Option<CloseFrame<'a>>),
}

impl Frame<'_> {
    /// The payload's length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes.len(),
            Self::Close(Some(frame)) => 2 + frame.reason().len(),
            Self::Close(None) => 0,
        }
    }

    /// Whether the payload is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why the driver could not open a socket. The driver classifies the failure, and the machine
/// decides what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum OpenError {
    /// The driver could not resolve the host's name.
    Dns,
    /// The port refused the connection.
    Refused,
    /// No route, or the network is down.
    Unreachable,
    /// Another error of the operating system.
    Io,
    /// The driver did not accept the server's certificate.
    Certificate,
    /// The TLS handshake failed for another reason.
    Tls,
    /// The server answered with a status other than 101.
    Http {
        /// The status, 100–599.
        status: u16,
        /// The `Retry-After` header, if the response had a valid one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
    },
    /// The answer was not HTTP, or the peer hung up in the middle of it.
    NotHttp,
    /// The status was 101, but the headers do not complete the handshake (RFC 6455 section 4.1).
    Upgrade,
    /// The proxy opened no connection to the server, or its answer broke the proxy's protocol. The
    /// server has judged nothing, so the machine retries whatever status the proxy answered.
    Proxy,
    /// The proxy asks for a user and a password, or did not accept those that it got. They do not
    /// change between attempts, and many proxies lock an account after a few wrong passwords. So the
    /// machine gives up.
    ProxyCredentials,
    /// No attempt with these settings can succeed: for example, a header cannot be sent. The
    /// machine gives up.
    Configuration,
}

impl OpenError {
    /// The name in `snake_case`, as JSON logs show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Io => "io",
            Self::Certificate => "certificate",
            Self::Tls => "tls",
            Self::Http { .. } => "http",
            Self::NotHttp => "not_http",
            Self::Upgrade => "upgrade",
            Self::Proxy => "proxy",
            Self::ProxyCredentials => "proxy_credentials",
            Self::Configuration => "configuration",
        }
    }
}

/// The value of a `Retry-After` header
/// ([RFC 9110 section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // the header has these two forms
pub enum RetryAfter {
    /// A delay in seconds.
    #[serde(rename = "delay_s")]
    Seconds(u64),
    /// An HTTP date. The machine ignores it until the driver has reported the wall clock.
    #[serde(rename = "date_unix_ms")]
    Date(UnixMillis),
}

/// How an open socket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// The stream ended without a Close frame.
    Eof,
    /// The peer, or a device between, reset the connection.
    Reset,
    /// Another error of the operating system.
    Io,
    /// The TLS layer failed.
    Tls,
    /// The peer violated the protocol. The machine sends a Close with 1002.
    Protocol,
    /// A text message was not UTF-8. The machine sends a Close with 1007.
    InvalidUtf8,
    /// A message was larger than the limit. The machine sends a Close with 1009.
    TooBig,
}

impl Failure {
    /// The name in `snake_case`, as JSON logs show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eof => "eof",
            Self::Reset => "reset",
            Self::Io => "io",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::TooBig => "too_big",
        }
    }
}

/// What the operating system reports about the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Network {
    /// The network is back. If a retry is scheduled, it happens now, or when its least delay has
    /// passed. The machine acts on this at most once in 30 s.
    Online,
    /// The network is gone. The machine does nothing: all deadlines remain.
    Offline,
}
