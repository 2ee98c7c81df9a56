//! Events: facts that a driver hands to the core.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::close::CloseFrame;
use crate::policy::Verdict;
use crate::state::SocketId;
use crate::time::UnixMillis;

/// A fact, in the past tense, with at most one borrowed payload.
///
/// The set is complete by design: it is what a driver can say. A new event is a breaking change that
/// every driver's author ought to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Event<'a> {
    /// The application wants a connection.
    ConnectRequested,
    /// The application wants the connection closed, with this frame.
    CloseRequested(CloseFrame<'a>),
    /// The application wants this message sent.
    SendRequested(Message<'a>),
    /// The login that is running was accepted: the embedder's own handshake, or the embedder judges the answers itself.
    /// Without one running it means nothing.
    LoginAccepted,
    /// The login that is running was refused, or a login that was accepted is no longer valid; the verdict says what follows.
    /// Without a login running, and not ready, it means nothing.
    LoginRejected(Verdict),
    /// The socket is open: the upgrade was answered with 101 and verified.
    SocketOpened(SocketId),
    /// The socket could not be opened. Nothing of it is left.
    OpenFailed(SocketId, OpenError),
    /// An open socket came to its end, or the peer broke the protocol on it.
    SocketFailed(SocketId, Failure),
    /// A whole message or control frame came in.
    FrameReceived(SocketId, Frame<'a>),
    /// Part of a long message came in: proof of life.
    BytesReceived(SocketId),
    /// The transport takes no more bytes for now: the driver's buffer is above its high-water mark.
    WriteBlocked(SocketId),
    /// The transport has taken what was waiting.
    Flushed(SocketId),
    /// The application is behind: the driver stopped reading from the socket.
    ReadingPaused(SocketId),
    /// The driver reads again.
    ReadingResumed(SocketId),
    /// The driver's write left part of the newest ping in its buffer. A ping that is written at once needs no such report.
    PingHeld(SocketId, Backlog),
    /// The transport took bytes, after [`PingHeld`](Event::PingHeld) and before [`PingHanded`](Event::PingHanded).
    WriteProgressed(SocketId),
    /// The last byte of the newest ping was flushed to the transport. The number is that of the unproven bytes: those up to this
    /// ping, from behind the newest answered ping on, or from the open on. To be reported after
    /// [`PingHeld`](Event::PingHeld), and where there are more than 64 KiB of them.
    PingHanded(SocketId, u64),
    /// What the wall clock shows. Reported when a timer wakes the driver or a suspend was noticed, never for a frame.
    WallClock(UnixMillis),
    /// A hint from the operating system.
    NetworkChanged(Network),
    /// Time has passed. The only event that makes deadlines fire.
    Tick,
}

impl Event<'_> {
    /// The socket that the event is about, where it is about one.
    #[must_use]
    pub const fn socket(&self) -> Option<SocketId> {
        match self {
            Self::SocketOpened(id)
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
            | Self::PingHanded(id, _) => Some(*id),
            Self::ConnectRequested
            | Self::CloseRequested(_)
            | Self::SendRequested(_)
            | Self::LoginAccepted
            | Self::LoginRejected(_)
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
            Self::CloseRequested(_) => EventKind::CloseRequested,
            Self::SendRequested(_) => EventKind::SendRequested,
            Self::LoginAccepted => EventKind::LoginAccepted,
            Self::LoginRejected(_) => EventKind::LoginRejected,
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
            Self::WallClock(_) => EventKind::WallClock,
            Self::NetworkChanged(_) => EventKind::NetworkChanged,
            Self::Tick => EventKind::Tick,
        }
    }
}

/// What happened to a socket: the part of an [`Event`] that only a state with a socket hears.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SocketEvent<'a> {
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
}

/// The name of an [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each variant is documented at the event of the same name")]
#[allow(clippy::exhaustive_enums)] // as complete as Event
pub enum EventKind {
    ConnectRequested,
    CloseRequested,
    SendRequested,
    LoginAccepted,
    LoginRejected,
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
            Self::CloseRequested => "close_requested",
            Self::SendRequested => "send_requested",
            Self::LoginAccepted => "login_accepted",
            Self::LoginRejected => "login_rejected",
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
            Self::WallClock => "wall_clock",
            Self::NetworkChanged => "network_changed",
            Self::Tick => "tick",
        }
    }
}

/// A message of the application, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // RFC 6455 knows no third kind
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

/// What a ping waits behind in the driver's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs)] // drivers make it
pub struct Backlog {
    /// The bytes before the ping when it was queued.
    pub bytes: u64,
    /// The time since the transport last took bytes, or since bytes began to wait for it, whichever is less.
    pub idle: Duration,
}

/// What came in: a whole message, reassembled, or a control frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // RFC 6455 section 5.2 knows no other opcode
pub enum Frame<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A Ping. The codec answers it; the core takes it as a sign of life.
    Ping(&'a [u8]),
    /// A Pong.
    Pong(&'a [u8]),
    /// A Close; without a body it means code 1005.
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

/// Why a socket could not be opened. The driver classifies; the core decides what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum OpenError {
    /// The host's name could not be resolved.
    Dns,
    /// The port refused the connection.
    Refused,
    /// No route, or the network is down.
    Unreachable,
    /// Another error of the operating system.
    Io,
    /// The server's certificate was not accepted.
    Certificate,
    /// The TLS handshake failed for another reason.
    Tls,
    /// The server answered with a status other than 101.
    Http {
        /// The status, 100–599.
        status: u16,
        /// The `Retry-After` header, where it was there and could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
    },
    /// The answer was no HTTP, or the peer hung up in the middle of it.
    NotHttp,
    /// The answer was 101, but its headers do not complete the handshake (RFC 6455 section 4.1).
    Upgrade,
    /// No attempt with these settings can succeed, a header that cannot be sent for example. Fatal.
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
    /// Delay in seconds.
    #[serde(rename = "delay_s")]
    Seconds(u64),
    /// An HTTP date. Ignored while the core has not been told the wall clock.
    #[serde(rename = "date_unix_ms")]
    Date(UnixMillis),
}

/// How an open socket came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// The stream ended without a Close frame.
    Eof,
    /// The peer, or something on the way, reset the connection.
    Reset,
    /// Another error of the operating system.
    Io,
    /// The TLS layer failed.
    Tls,
    /// The peer broke the protocol: it is failed with 1002.
    Protocol,
    /// A text message was not UTF-8: the peer is failed with 1007.
    InvalidUtf8,
    /// A message was larger than the limit: the peer is failed with 1009.
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

/// What the operating system says of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Network {
    /// There is a network again: a waiting connection tries at once, at most once in 30 s.
    Online,
    /// The network is gone. A hint only: no deadline is removed.
    Offline,
}
