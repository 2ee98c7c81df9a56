//! What a driver yields to the application.

use gateway_core::{DisconnectCause, Notice, SocketId, Verdict};

use crate::message::Message;
use crate::outcome::Outcome;

/// What a driver yields to the application, in the order in which it happened.
///
/// Events wait until the application takes them. The messages among them are bounded by [`Limits::backlog`](crate::Limits::backlog).
/// Notices and disconnections are bounded in number: past 256 of them some are dropped, and [`Missed`](Self::Missed) says how many.
/// Outcomes are never dropped: while more than 4,096 ranges of them wait, a send is refused with
/// [`OutcomesUnread`](gateway_core::SendRejection::OutcomesUnread).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A message came in.
    Message(Message),
    /// News of the connection. [`Notice::Disconnected`] comes as [`ClientEvent::Disconnected`], and
    /// [`Notice::LoginRefused`] as [`ClientEvent::LoginRefused`].
    Notice(Notice),
    /// A socket, open or still opening, is gone.
    Disconnected {
        /// The socket.
        socket: SocketId,
        /// Why.
        cause: DisconnectCause,
        /// The reason in the peer's Close frame, or the first 2 KiB of the error's text; empty where there is none.
        /// For [`LoginRefused`](DisconnectCause::LoginRefused): the refusal's text if there is one.
        detail: Box<str>,
    },
    /// The login was refused. Up to `close_timeout` later follows [`Disconnected`](Self::Disconnected).
    LoginRefused {
        /// The socket.
        socket: SocketId,
        /// What follows, unless a Close of the peer's softens it.
        verdict: Verdict,
        /// The first 512 bytes of the text that refused, with control characters escaped and without the login; empty where the
        /// embedder refused.
        reason: Box<str>,
    },
    /// What became of messages that were taken.
    Outcome(Outcome),
    /// From here on, notices and disconnections are missing: the application took no events for so long that they were dropped.
    ///
    /// Repeated heartbeats ([`Notice::PingSent`], [`Notice::PongReceived`]) are dropped first, then the oldest. Never dropped are
    /// messages, outcomes, the newest [`Notice::Ready`], the disconnection of a socket whose messages still wait, and the end
    /// (the newest [`Notice::StateChanged`] to CLOSED and [`Notice::GaveUp`]). After this event, ask the client for its state
    /// if you follow it by notices.
    Missed {
        /// How many were dropped.
        count: u64,
    },
}
