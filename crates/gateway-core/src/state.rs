//! The six states that an application sees, and the ids of sockets.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Where a connection stands. `Display` and serde write the names in capitals, as logs show them.
///
/// ```text
///                     ┌──────────────── lost, retry ────────────────┐
///                     ▼                                             │
///  DISCONNECTED ─▶ CONNECTING ─▶ CONNECTED ─▶ AUTHENTICATED ─▶ CLOSING ─▶ CLOSED
/// ```
///
/// The set is complete by design: a driver or a dashboard may match on it without a wildcard.
///
/// ```
/// use gateway_core::ConnectionState;
/// assert_eq!(ConnectionState::Authenticated.to_string(), "AUTHENTICATED");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(clippy::exhaustive_enums)] // the six states are the contract
pub enum ConnectionState {
    /// No socket: not yet asked to connect, or waiting for the next retry.
    Disconnected,
    /// A socket is being opened: DNS, TCP, TLS and upgrade.
    Connecting,
    /// The WebSocket is open. With no login configured it is ready for application messages.
    Connected,
    /// The login was accepted: ready for application messages.
    Authenticated,
    /// A Close frame was sent on the application's request; the peer's is awaited.
    Closing,
    /// Ended: closed as asked, or given up. Only a new connect request leaves it.
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

/// The id of one attempt to open a socket: increasing, never reused by the same connection.
///
/// Every event about a socket carries it, so that what an old socket still reports can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SocketId(u64);

impl SocketId {
    /// The id with this number. Drivers take ids from [`Action::OpenSocket`](crate::Action); this is
    /// for tests and for journals that are read back.
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
