//! Facts about the messages and requests of a session, for observers. The core does not produce them.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::SendRejection;
use crate::time::{Instant, span_ns};

/// What a session has done with a message or a request, without the payload.
///
/// The session that drives the core keeps an outbox, a rate limit and requests. The core knows
/// nothing of them. Their facts are defined here because an [`Observer`](crate::Observer) receives
/// them.
///
/// Numbers are those of the session: of a message, the number in its outcome; of a request, how many
/// were made before it, plus 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum SendingFact {
    /// The application sent a message, and the session put it into the outbox.
    MessageQueued {
        /// The message.
        number: u64,
        /// The length of its payload.
        bytes: u64,
    },
    /// A message left the outbox, and is in the write buffer.
    MessageBuffered {
        /// The message.
        number: u64,
    },
    /// The socket was lost before a byte of these messages was written. They are in the outbox
    /// again.
    MessagesReturned {
        /// The first message.
        first: u64,
        /// The last message; the same as `first` if it is only one.
        last: u64,
    },
    /// These messages have an outcome. `Sent` is reported only if the application asked for it.
    MessagesSettled {
        /// The first message.
        first: u64,
        /// The last message; the same as `first` if it is only one.
        last: u64,
        /// Their common outcome.
        fate: MessageFate,
    },
    /// The session did not accept a message, and did not ask the core. The message has no number.
    MessageRefused {
        /// The length of its payload.
        bytes: u64,
        /// Why it was not accepted.
        why: SendRejection,
    },
    /// The application made a request.
    RequestMade {
        /// The request.
        request: u64,
        /// The length of its payload, without the id.
        bytes: u64,
        /// Whether it is sent again after a reconnect.
        #[serde(rename = "idempotent")]
        is_idempotent: bool,
        /// The time in which its answer must come.
        #[serde(rename = "timeout_ns", with = "span_ns")]
        timeout: Duration,
    },
    /// A request is in the write buffer. After a reconnect this may come again.
    RequestBuffered {
        /// The request.
        request: u64,
        /// The id in its message.
        id: u64,
    },
    /// A request has ended.
    RequestEnded {
        /// The request.
        request: u64,
        /// How it ended.
        end: RequestEnd,
    },
    /// A message came with the id of no pending request. The application receives the message.
    AnswerUnmatched,
    /// The rate limit allows the application's messages only from this instant on.
    RateLimited {
        /// When the next message may leave.
        #[serde(rename = "until_ns")]
        until: Instant,
    },
    /// The session accepts nothing more, and closes once everything has left.
    DrainStarted {
        /// When it closes at the latest.
        #[serde(rename = "until_ns")]
        until: Instant,
    },
}

/// The outcome of a message that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MessageFate {
    /// All its bytes were written.
    Sent,
    /// It was partly written when the socket was lost.
    MaybeSent,
    /// No byte of it was written.
    Rejected,
    /// It waited in the outbox for longer than its time to live.
    Expired,
}

impl MessageFate {
    /// Returns the name, as a journal has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::MaybeSent => "maybe_sent",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RequestEnd {
    /// Its answer came.
    Answered,
    /// Its answer did not come in time.
    TimedOut,
    /// The connection was lost before a byte of the request was written.
    NotSent,
    /// The connection was lost after the request was written, at least in part.
    MaybeSent,
    /// Its message cannot hold an id.
    Correlation,
    /// The application waits no longer for its answer.
    Forgotten,
}

impl RequestEnd {
    /// Returns the name, as a journal has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::TimedOut => "timed_out",
            Self::NotSent => "not_sent",
            Self::MaybeSent => "maybe_sent",
            Self::Correlation => "correlation",
            Self::Forgotten => "forgotten",
        }
    }
}
