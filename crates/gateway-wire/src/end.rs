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
    /// a sender was dropped, or an observer or a dialect panicked. The client cannot connect again.
    #[error("the client is gone: its runtime was shut down, it was dropped, or its code panicked")]
    Gone,
}
