//! How a client ended.

use gateway_core::GiveUpCause;
use thiserror::Error;

/// Why a client is CLOSED, or can no longer be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum End {
    /// The application closed the connection.
    #[error("the connection was closed as requested")]
    Closed,
    /// The client gave up the connection.
    #[error("the client gave up: {}", .0.name())]
    GaveUp(GiveUpCause),
    /// What drove the client is gone: the runtime of a spawned client was shut down, the client of
    /// a sender was dropped, or code of the application's that runs under the lock panicked, such as
    /// an observer. The client cannot connect again. The events that a spawned client has left, and
    /// the outcomes of its messages, can still be received.
    #[error("the client is gone: its runtime was shut down, it was dropped, or its code panicked")]
    Gone,
}
