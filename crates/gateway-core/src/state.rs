//! The six states that an application sees, and the ids of sockets.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The state of a connection. `Display` and serde write the names in capitals, as in logs.
///
/// ```text
///         lost or failed: a retry is scheduled
///       ┌──────────────┬─────────────┬──────────────┐
///       ▼              │             │              │
///  DISCONNECTED ─▶ CONNECTING ─▶ CONNECTED ─▶ AUTHENTICATED
///                                    │              │
///                                    └──────┬───────┘
///                                           │ close request
///                                           ▼
///                                        CLOSING ─▶ CLOSED
/// ```
///
/// Three more transitions are not in the picture:
///
/// - A close request in DISCONNECTED or CONNECTING leads to CLOSED at once.
/// - If the machine gives up, CONNECTING, CONNECTED or AUTHENTICATED becomes CLOSED.
/// - A connect request in CLOSING or CLOSED leads to CONNECTING.
///
/// This enum is exhaustive on purpose: a driver or a dashboard may match on it without a wildcard.
/// A new state would be a breaking change.
///
/// ```
/// use gateway_core::ConnectionState;
/// assert_eq!(ConnectionState::Authenticated.to_string(), "AUTHENTICATED");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(clippy::exhaustive_enums)] // the six states are the contract
pub enum ConnectionState {
    /// There is no socket. The machine waits for a connect request or for the next retry.
    Disconnected,
    /// The provider is asked for the attempt's request, or the driver opens a socket: DNS, TCP, TLS
    /// and upgrade.
    Connecting,
    /// The WebSocket is open. If no login is configured, the connection is ready.
    Connected,
    /// The login was accepted: the connection is ready.
    Authenticated,
    /// The machine sent a Close frame on the application's request, and waits for the peer's.
    Closing,
    /// The application closed the connection, or the machine gave up. Only a connect request leaves
    /// this state.
    Closed,
}

impl ConnectionState {
    /// The name as logs show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "DISCONNECTED",
            Self::Connecting => "CONNECTING",
            Self::Connected => "CONNECTED",
            Self::Authenticated => "AUTHENTICATED",
            Self::Closing => "CLOSING",
            Self::Closed => "CLOSED",
        }
    }
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The id of one attempt to open a socket. Ids increase, and a connection never reuses one.
///
/// Every event of an attempt or of its socket carries the id. So the machine recognises late events
/// of an old attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SocketId(u64);

impl SocketId {
    /// Creates the id with this number, for tests and for reading journals. Drivers get ids from
    /// [`Action::AskProvider`](crate::Action::AskProvider) or
    /// [`Action::OpenSocket`](crate::Action::OpenSocket).
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number: 1 for the first socket of a connection.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
