//! The events that a driver yields to the application.

use std::time::Duration;

use gateway_core::{DisconnectCause, Notice, SocketId, Verdict};

use crate::message::Message;
use crate::outcome::Outcome;

/// An event for the application. A driver yields events in the order in which they happened.
///
/// Events wait until the application takes them:
///
/// - Messages are bounded by [`Limits::backlog`](crate::Limits::backlog): past it, the client stops
///   reading, or drops the oldest ones, as [`Behind`](crate::Behind) says.
/// - Notices and disconnections are bounded in number. If more than 256 of them wait, the client
///   drops some, and [`Missed`](Self::Missed) counts the dropped ones.
/// - Outcomes are never dropped. While more than 4,096 ranges of them wait, a send fails with
///   [`OutcomesUnread`](gateway_core::SendRejection::OutcomesUnread).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A message was received.
    Message(Message),
    /// A notice of the core. Two notices come as separate events: [`Notice::Disconnected`] comes
    /// as [`ClientEvent::Disconnected`], and [`Notice::LoginRefused`] as
    /// [`ClientEvent::LoginRefused`].
    Notice(Notice),
    /// A socket has ended, or an attempt to open one has failed.
    Disconnected {
        /// The socket.
        socket: SocketId,
        /// Why it ended.
        cause: DisconnectCause,
        /// The reason in the peer's Close frame, or the first 2 KiB of the error's text; empty if
        /// there is none. For [`LoginRefused`](DisconnectCause::LoginRefused) it is the refusal's
        /// text, if there is one.
        detail: Box<str>,
    },
    /// The login was refused. [`Disconnected`](Self::Disconnected) follows within `close_timeout`.
    LoginRefused {
        /// The socket.
        socket: SocketId,
        /// The verdict on the refusal. A Close frame of the peer may still soften it.
        verdict: Verdict,
        /// The first 512 bytes of the text that refused the login, with control characters escaped.
        /// If the server echoes parts of the login, or values of the URL's query or of the
        /// request's headers, they are replaced by `(hidden)`. Empty if the application refused the
        /// login.
        reason: Box<str>,
    },
    /// The outcome of messages that were accepted.
    Outcome(Outcome),
    /// The connection has not been ready for [`lost_after`](crate::Settings::lost_after). This
    /// comes once per outage, also before the first connection; the next [`Notice::Ready`] ends the
    /// outage.
    Lost {
        /// How long the connection has not been ready.
        away: Duration,
    },
    /// Received messages were dropped at this place, because the application took no events and
    /// [`Behind::DropOldest`](crate::Behind::DropOldest) is set.
    MessagesDropped {
        /// The number of messages that were dropped.
        count: u64,
    },
    /// Notices and disconnections were dropped at this place, because the application took no
    /// events for a long time.
    ///
    /// Repeated heartbeats ([`Notice::PingSent`], [`Notice::PongReceived`]) are dropped first, then
    /// the oldest events. These are never dropped:
    ///
    /// - messages and outcomes;
    /// - the newest [`Notice::Ready`];
    /// - the disconnection of a socket whose messages still wait;
    /// - the end: the newest [`Notice::StateChanged`] to CLOSED, and [`Notice::GaveUp`].
    ///
    /// If you track the state by notices, ask the client for its state after this event.
    Missed {
        /// The number of events that were dropped.
        count: u64,
    },
}
