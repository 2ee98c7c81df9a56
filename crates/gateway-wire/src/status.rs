//! What a client is doing, at one instant.

use std::time::Duration;

use gateway_core::snapshot::{give_up, optional_millis};
use gateway_core::{ConnectionState, GiveUpCause, SocketId, Statistics};
use serde::Serialize;

/// A snapshot of a client. All fields are of the same instant, so they never contradict each other.
/// Use it for a health endpoint or a metric.
///
/// `Client::status` and `Handle::status` of `gateway-tokio` return it, and so do `Client::status` and
/// `Sender::status` of `gateway-std`.
///
/// Serde writes the fields by their names, as the program's JSON events do: states in capitals,
/// `retry_in` as `retry_in_ms` in whole milliseconds, and a cause as an object with `cause` and, where
/// there is one, `code` or `http_status`. A field without a value is left out. The JSON contains no
/// text of the server and no secret.
///
/// ```
/// use gateway_wire::Status;
///
/// /// The answer to `GET /health`: status and body.
/// fn health(status: &Status) -> serde_json::Result<(u16, String)> {
///     let code = if status.is_ready { 200 } else { 503 };
///     Ok((code, serde_json::to_string(status)?))
/// }
///
/// # use {gateway_core::{Config, Instant, NoDialect}, gateway_wire::Session};
/// # let session = Session::new(Config::default().into(), 7, Box::new(NoDialect));
/// # let status = session.status(Instant::ZERO);
/// let (code, body) = health(&status)?;
/// assert_eq!(code, 503);
/// assert!(body.starts_with(r#"{"state":"DISCONNECTED","is_ready":false,"is_draining":false,"#));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The state of the connection.
    pub state: ConnectionState,
    /// Whether the connection is ready, and the client does not drain.
    pub is_ready: bool,
    /// Whether the client drains: it accepts no message, and closes once everything has left.
    pub is_draining: bool,
    /// The socket that is opening or open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<SocketId>,
    /// While the client waits to retry: the time until the next attempt; zero if it is due.
    #[serde(
        rename = "retry_in_ms",
        serialize_with = "optional_millis",
        skip_serializing_if = "Option::is_none"
    )]
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
    #[serde(serialize_with = "give_up", skip_serializing_if = "Option::is_none")]
    pub gave_up: Option<GiveUpCause>,
    /// What the connection has done since it was created: the reconnects, the cause of the last
    /// disconnection, round trips and more.
    pub statistics: Statistics,
}
