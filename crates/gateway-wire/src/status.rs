//! What a client is doing, at one instant.

use std::time::Duration;

use gateway_core::{ConnectionState, GiveUpCause, SocketId, Statistics};

/// A snapshot of a client. All fields are of the same instant, so they never contradict each other.
/// Use it for a health endpoint or a metric.
///
/// `Client::status` and `Handle::status` of `gateway-tokio` return it, and so do `Client::status` and
/// `Sender::status` of `gateway-std`.
///
/// ```
/// use gateway_wire::Status;
///
/// fn health(status: &Status) -> (u16, String) {
///     let code = if status.is_ready { 200 } else { 503 };
///     let next = match (status.gave_up, status.retry_in) {
///         (Some(cause), _) => format!("gave up: {cause}"),
///         (None, Some(wait)) => format!("retry in {} s", wait.as_secs()),
///         (None, None) => "no retry scheduled".to_owned(),
///     };
///     (code, format!("{}, {} reconnects, {next}", status.state, status.statistics.reconnects))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The state of the connection.
    pub state: ConnectionState,
    /// Whether the connection is ready, and the client does not drain.
    pub is_ready: bool,
    /// Whether the client drains: it accepts no message, and closes once everything has left.
    pub is_draining: bool,
    /// The socket that is opening or open.
    pub socket: Option<SocketId>,
    /// While the client waits to retry: the time until the next attempt; zero if it is due.
    pub retry_in: Option<Duration>,
    /// Messages in the [`Outbox`](crate::Outbox).
    pub queued_messages: usize,
    /// The bytes of their payloads.
    pub queued_bytes: usize,
    /// Requests that have not ended.
    pub unanswered_requests: usize,
    /// Answers that came for no request, or too late. They were ordinary messages.
    pub unmatched_answers: u64,
    /// Received messages that were dropped, because the application took none and
    /// [`Behind::DropOldest`](crate::Behind::DropOldest) is set.
    pub dropped_messages: u64,
    /// Why the client gave up, if it did.
    pub gave_up: Option<GiveUpCause>,
    /// What the connection has done since it was created: the reconnects, the cause of the last
    /// disconnection, round trips and more.
    pub statistics: Statistics,
}
