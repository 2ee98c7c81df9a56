//! What a dialect asked for.

use core::time::Duration;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use crate::close::CloseCode;
use crate::policy::Verdict;
use crate::time::span_ns;

/// Something that a dialect asked for, in a call of one of its methods. The
/// [`Exchange`](crate::Exchange) makes it. A journal records it, so a replay needs no dialect.
///
/// A text or a message is named by its [`Part`] of the connection's buffer, and is never in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Effect {
    /// Send a message.
    Send(Part),
    /// Names the ping that this call sends, for a later [`Pong`](Self::Pong).
    Stamp(u64),
    /// The server accepted the login.
    LoginAccepted,
    /// The server refused the login, or no longer accepts it.
    LoginRefused {
        /// What follows.
        verdict: Verdict,
        /// Why, if the dialect says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Part>,
    },
    /// The server answered the ping with this stamp; with `None`, the oldest unanswered one.
    Pong(Option<u64>),
    /// The heartbeat's interval and timeout on this socket, not yet clamped.
    SetHeartbeat {
        /// The span from one ping to the next.
        #[serde(rename = "interval_ns", with = "span_ns")]
        interval: Duration,
        /// How long a ping may be unanswered. `None`: as it is.
        #[serde(
            rename = "timeout_ns",
            with = "span_ns::option",
            default,
            skip_serializing_if = "Option::is_none"
        )]
        timeout: Option<Duration>,
    },
    /// The server sends something at least this often. Zero: no longer.
    #[serde(with = "span_ns", rename = "expect_within_ns")]
    ExpectWithin(Duration),
    /// Leave the server with this close code.
    Leave {
        /// The code of the Close frame.
        code: CloseCode,
        /// What follows.
        verdict: Verdict,
        /// Why, if the dialect says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Part>,
    },
    /// Open the next socket at this URL. An empty text: at the endpoint again.
    ResumeAt(Part),
}

/// A part of the connection's buffer, which [`Connection::part`](crate::Connection::part) returns
/// until the next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Part {
    /// Whether it is text, and no binary message.
    #[serde(rename = "text")]
    pub is_text: bool,
    /// Where it starts in the buffer.
    #[serde(rename = "at")]
    pub start: u32,
    /// Its length in bytes.
    #[serde(rename = "bytes")]
    pub len: u32,
}

impl Part {
    /// These bytes of the buffer. Empty for a part of another buffer.
    pub(crate) fn of(self, buffer: &[u8]) -> &[u8] {
        let start = self.start as usize;
        buffer.get(start..start.saturating_add(self.len as usize)).unwrap_or_default()
    }
}

/// Which method of a dialect was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // a replay must make every call
pub enum DialectCallKind {
    /// [`opened`](crate::Dialect::opened).
    Opened,
    /// [`received`](crate::Dialect::received), and the application gets the message.
    Delivered,
    /// [`received`](crate::Dialect::received), and the application does not get the message.
    Consumed,
    /// [`heartbeat`](crate::Dialect::heartbeat).
    Heartbeat,
    /// [`closing`](crate::Dialect::closing).
    Closing,
}

/// One call of a dialect, and what it asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DialectCall {
    /// Which method was called.
    pub call: DialectCallKind,
    /// What it asked for, in order.
    #[serde(default, skip_serializing_if = "ArrayVec::is_empty")]
    pub effects: ArrayVec<Effect, { Spoken::MAX_EFFECTS }>,
}

/// The calls of a dialect during one event, in order. Nearly always there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spoken(pub(super) ArrayVec<DialectCall, { Spoken::MAX_CALLS }>);

impl Spoken {
    /// No call.
    pub const NONE: Self = Self(ArrayVec::new_const());

    /// The most calls during one event.
    pub const MAX_CALLS: usize = 2;

    /// The most effects of one call. A dialect that asks for more is in error: the socket is left
    /// with code 1011 and cause [`Dialect`](crate::DisconnectCause::Dialect).
    pub const MAX_EFFECTS: usize = 4;

    /// The most bytes that one call may send, in all its messages and texts. A dialect that writes
    /// more is in error, too. It is the same limit as that of a login message.
    pub const MAX_BYTES: usize = crate::Config::MAX_LOGIN;

    /// The calls, in order.
    pub fn iter(&self) -> core::slice::Iter<'_, DialectCall> {
        self.0.iter()
    }

    /// Why the dialect refused the login or left the server, if it said so. The first of these
    /// counts, because the machine ignores what follows, and what the dialect asks for in
    /// [`closing`](crate::Dialect::closing).
    #[must_use]
    pub fn reason(&self) -> Option<Part> {
        let calls = self.iter().filter(|call| call.call != DialectCallKind::Closing);
        let ends = calls.flat_map(|call| &call.effects).find_map(|effect| match effect {
            Effect::LoginRefused { reason, .. } | Effect::Leave { reason, .. } => Some(*reason),
            Effect::Send(_)
            | Effect::Stamp(_)
            | Effect::LoginAccepted
            | Effect::Pong(_)
            | Effect::SetHeartbeat { .. }
            | Effect::ExpectWithin(_)
            | Effect::ResumeAt(_) => None,
        });
        ends.flatten()
    }

    /// Whether the dialect was not called.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Spoken {
    type Item = &'a DialectCall;
    type IntoIter = core::slice::Iter<'a, DialectCall>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
