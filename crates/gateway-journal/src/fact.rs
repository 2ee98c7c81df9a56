//! An event as a journal keeps it: all that the core's decisions depend on, without payloads.

use std::time::Duration;

use gateway_core::{
    Backlog, CloseCode, CloseFrame, Event, Failure, Frame, Instant, JsonHeartbeat, LoginAnswer,
    Message, Network, Observed, OpenError, Recognised, SocketId, UnixMillis, Verdict,
};
use serde::{Deserialize, Serialize};

/// An [`Event`] without its payload. In place of the payload it has a length, and how the core
/// classified the payload.
///
/// There is a variant for every [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(clippy::exhaustive_enums)]
#[allow(missing_docs, reason = "each variant is documented at the event of the same name")]
pub enum Fact {
    ConnectRequested,
    ReconnectRequested,
    CloseRequested {
        code: CloseCode,
        #[serde(default, skip_serializing_if = "is_zero")]
        reason_bytes: u64,
    },
    SendRequested {
        kind: Kind,
        bytes: u64,
    },
    LoginAccepted,
    LoginRejected {
        verdict: Verdict,
    },
    OpenReserved {
        #[serde(rename = "at_ns")]
        at: Instant,
    },
    ProviderAnswered {
        socket: SocketId,
    },
    ProviderFailed {
        socket: SocketId,
        verdict: Verdict,
    },
    SocketOpened {
        socket: SocketId,
    },
    OpenFailed {
        socket: SocketId,
        error: OpenError,
    },
    SocketFailed {
        socket: SocketId,
        failure: Failure,
    },
    FrameReceived {
        socket: SocketId,
        frame: FrameFact,
    },
    BytesReceived {
        socket: SocketId,
    },
    WriteBlocked {
        socket: SocketId,
    },
    Flushed {
        socket: SocketId,
    },
    ReadingPaused {
        socket: SocketId,
    },
    ReadingResumed {
        socket: SocketId,
    },
    PingHeld {
        socket: SocketId,
        bytes: u64,
        #[serde(rename = "idle_ns", with = "span_ns")]
        idle: Duration,
    },
    WriteProgressed {
        socket: SocketId,
    },
    PingHanded {
        socket: SocketId,
        #[serde(rename = "unproven_bytes")]
        unproven: u64,
    },
    Drained {
        socket: SocketId,
    },
    WallClock {
        unix_ms: UnixMillis,
    },
    NetworkChanged {
        network: Network,
    },
    Tick,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // RFC 6455 defines no third kind
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

/// A [`Frame`] without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(clippy::exhaustive_enums)] // as complete as Frame
pub enum FrameFact {
    /// A text message.
    Text {
        /// The length in bytes.
        bytes: u64,
        /// What the heartbeat in JSON recognises it as.
        #[serde(default = "other", skip_serializing_if = "is_other")]
        recognised: Recognised,
        /// What the configuration's rules made of it for the current login; `NotAnAnswer` if there
        /// was none. A dialect's own answer is among its effects.
        #[serde(default = "not_an_answer", skip_serializing_if = "is_not_an_answer")]
        login: LoginAnswer,
    },
    /// A binary message.
    Binary {
        /// The length in bytes.
        bytes: u64,
    },
    /// A Ping.
    Ping {
        /// The payload's length in bytes.
        bytes: u64,
    },
    /// A Pong.
    Pong {
        /// The payload's length in bytes.
        bytes: u64,
        /// The payload, if it is a decimal number, as that of our own Pings is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
    },
    /// A Close.
    Close {
        /// The code; `None` if the frame had none (1005).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<CloseCode>,
        /// The length of the reason in bytes.
        #[serde(default, skip_serializing_if = "is_zero")]
        reason_bytes: u64,
    },
}

impl Fact {
    /// Returns what a journal keeps of an event.
    #[must_use]
    pub fn of(observed: &Observed<'_>) -> Self {
        match observed.event {
            Event::ConnectRequested => Self::ConnectRequested,
            Event::ReconnectRequested => Self::ReconnectRequested,
            Event::CloseRequested(frame) => {
                Self::CloseRequested { code: frame.code(), reason_bytes: reason_bytes(&frame) }
            }
            Event::SendRequested(message) => {
                let kind = match message {
                    Message::Text(_) => Kind::Text,
                    Message::Binary(_) => Kind::Binary,
                };
                Self::SendRequested { kind, bytes: message.len() as u64 }
            }
            Event::LoginAccepted => Self::LoginAccepted,
            Event::LoginRejected(verdict) => Self::LoginRejected { verdict },
            Event::OpenReserved(at) => Self::OpenReserved { at },
            Event::ProviderAnswered(socket) => Self::ProviderAnswered { socket },
            Event::ProviderFailed(socket, verdict) => Self::ProviderFailed { socket, verdict },
            Event::SocketOpened(socket) => Self::SocketOpened { socket },
            Event::OpenFailed(socket, error) => Self::OpenFailed { socket, error },
            Event::SocketFailed(socket, failure) => Self::SocketFailed { socket, failure },
            Event::FrameReceived(socket, frame) => {
                let frame = FrameFact::of(&frame, observed);
                Self::FrameReceived { socket, frame }
            }
            Event::BytesReceived(socket) => Self::BytesReceived { socket },
            Event::WriteBlocked(socket) => Self::WriteBlocked { socket },
            Event::Flushed(socket) => Self::Flushed { socket },
            Event::ReadingPaused(socket) => Self::ReadingPaused { socket },
            Event::ReadingResumed(socket) => Self::ReadingResumed { socket },
            Event::PingHeld(socket, Backlog { bytes, idle }) => {
                Self::PingHeld { socket, bytes, idle }
            }
            Event::WriteProgressed(socket) => Self::WriteProgressed { socket },
            Event::PingHanded(socket, unproven) => Self::PingHanded { socket, unproven },
            Event::Drained(socket) => Self::Drained { socket },
            Event::WallClock(unix_ms) => Self::WallClock { unix_ms },
            Event::NetworkChanged(network) => Self::NetworkChanged { network },
            Event::Tick => Self::Tick,
        }
    }

    /// Returns the length of the event's payload in bytes.
    pub(crate) const fn payload_bytes(&self) -> u64 {
        match *self {
            Self::CloseRequested { reason_bytes, .. } => reason_bytes,
            Self::SendRequested { bytes, .. } => bytes,
            Self::FrameReceived { frame, .. } => frame.payload_bytes(),
            Self::ConnectRequested
            | Self::ReconnectRequested
            | Self::LoginAccepted
            | Self::LoginRejected { .. }
            | Self::OpenReserved { .. }
            | Self::ProviderAnswered { .. }
            | Self::ProviderFailed { .. }
            | Self::SocketOpened { .. }
            | Self::OpenFailed { .. }
            | Self::SocketFailed { .. }
            | Self::BytesReceived { .. }
            | Self::WriteBlocked { .. }
            | Self::Flushed { .. }
            | Self::ReadingPaused { .. }
            | Self::ReadingResumed { .. }
            | Self::PingHeld { .. }
            | Self::WriteProgressed { .. }
            | Self::PingHanded { .. }
            | Self::Drained { .. }
            | Self::WallClock { .. }
            | Self::NetworkChanged { .. }
            | Self::Tick => 0,
        }
    }

    /// Returns the event again, with `payload` in place of the original one.
    pub(crate) fn event<'a>(&self, payload: &'a str) -> Event<'a> {
        match *self {
            Self::ConnectRequested => Event::ConnectRequested,
            Self::ReconnectRequested => Event::ReconnectRequested,
            Self::CloseRequested { code, .. } => Event::CloseRequested(close_frame(code, payload)),
            Self::SendRequested { kind: Kind::Text, .. } => {
                Event::SendRequested(Message::Text(payload))
            }
            Self::SendRequested { kind: Kind::Binary, .. } => {
                Event::SendRequested(Message::Binary(payload.as_bytes()))
            }
            Self::LoginAccepted => Event::LoginAccepted,
            Self::LoginRejected { verdict } => Event::LoginRejected(verdict),
            Self::OpenReserved { at } => Event::OpenReserved(at),
            Self::ProviderAnswered { socket } => Event::ProviderAnswered(socket),
            Self::ProviderFailed { socket, verdict } => Event::ProviderFailed(socket, verdict),
            Self::SocketOpened { socket } => Event::SocketOpened(socket),
            Self::OpenFailed { socket, error } => Event::OpenFailed(socket, error),
            Self::SocketFailed { socket, failure } => Event::SocketFailed(socket, failure),
            Self::FrameReceived { socket, frame } => {
                Event::FrameReceived(socket, frame.frame(payload))
            }
            Self::BytesReceived { socket } => Event::BytesReceived(socket),
            Self::WriteBlocked { socket } => Event::WriteBlocked(socket),
            Self::Flushed { socket } => Event::Flushed(socket),
            Self::ReadingPaused { socket } => Event::ReadingPaused(socket),
            Self::ReadingResumed { socket } => Event::ReadingResumed(socket),
            Self::PingHeld { socket, bytes, idle } => {
                Event::PingHeld(socket, Backlog { bytes, idle })
            }
            Self::WriteProgressed { socket } => Event::WriteProgressed(socket),
            Self::PingHanded { socket, unproven } => Event::PingHanded(socket, unproven),
            Self::Drained { socket } => Event::Drained(socket),
            Self::WallClock { unix_ms } => Event::WallClock(unix_ms),
            Self::NetworkChanged { network } => Event::NetworkChanged(network),
            Self::Tick => Event::Tick,
        }
    }
}

impl FrameFact {
    fn of(frame: &Frame<'_>, observed: &Observed<'_>) -> Self {
        match frame {
            Frame::Text(text) => Self::Text {
                bytes: text.len() as u64,
                recognised: JsonHeartbeat.recognise(text),
                login: observed.login,
            },
            Frame::Binary(bytes) => Self::Binary { bytes: bytes.len() as u64 },
            Frame::Ping(bytes) => Self::Ping { bytes: bytes.len() as u64 },
            Frame::Pong(bytes) => Self::Pong {
                bytes: bytes.len() as u64,
                // The heartbeat parses it in the same way.
                number: str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()),
            },
            Frame::Close(frame) => Self::Close {
                code: frame.map(|frame| frame.code()),
                reason_bytes: frame.as_ref().map_or(0, reason_bytes),
            },
        }
    }

    const fn payload_bytes(&self) -> u64 {
        match *self {
            Self::Text { bytes, .. }
            | Self::Binary { bytes }
            | Self::Ping { bytes }
            | Self::Pong { bytes, .. } => bytes,
            Self::Close { reason_bytes, .. } => reason_bytes,
        }
    }

    fn frame<'a>(&self, payload: &'a str) -> Frame<'a> {
        match *self {
            Self::Text { .. } => Frame::Text(payload),
            Self::Binary { .. } => Frame::Binary(payload.as_bytes()),
            Self::Ping { .. } => Frame::Ping(payload.as_bytes()),
            Self::Pong { .. } => Frame::Pong(payload.as_bytes()),
            Self::Close { code, .. } => Frame::Close(code.map(|code| close_frame(code, payload))),
        }
    }
}

fn reason_bytes(frame: &CloseFrame<'_>) -> u64 {
    frame.reason().len() as u64
}

/// A frame whose reason is `payload`, cut to the longest legal reason.
fn close_frame(code: CloseCode, payload: &str) -> CloseFrame<'_> {
    let reason = payload.get(..CloseFrame::MAX_REASON).unwrap_or(payload);
    CloseFrame::new(code.number(), reason).expect("a code that was parsed, and a reason that fits")
}

const fn other() -> Recognised {
    Recognised::Other
}

const fn not_an_answer() -> LoginAnswer {
    LoginAnswer::NotAnAnswer
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

const fn is_other(recognised: &Recognised) -> bool {
    matches!(recognised, Recognised::Other)
}

const fn is_not_an_answer(answer: &LoginAnswer) -> bool {
    matches!(answer, LoginAnswer::NotAnAnswer)
}

/// A span as an integer number of nanoseconds, exact.
mod span_ns {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    const SECOND: u128 = 1_000_000_000;

    pub(super) fn serialize<S: Serializer>(
        span: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match u64::try_from(span.as_nanos()) {
            Ok(nanos) => serializer.serialize_u64(nanos),
            Err(_) => serializer.serialize_u128(span.as_nanos()),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let nanos = u128::deserialize(deserializer)?;
        let (seconds, nanos) = (u64::try_from(nanos / SECOND), u32::try_from(nanos % SECOND));
        match (seconds, nanos) {
            (Ok(seconds), Ok(nanos)) => Ok(Duration::new(seconds, nanos)),
            _ => Err(D::Error::custom("a span must be shorter than 2^64 seconds")),
        }
    }
}
