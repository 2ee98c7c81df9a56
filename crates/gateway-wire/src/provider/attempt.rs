//! What a provider is told about the attempt.

use gateway_core::{Credentials, DisconnectCause, SocketId};

/// An attempt to connect, for which a provider gives the [`Request`](crate::Request).
///
/// ```
/// use gateway_wire::Attempt;
/// let attempt = Attempt::new(1);
/// assert_eq!((attempt.number, attempt.last_cause, attempt.refresh), (1, None, false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The attempt's number: 1 for the client's first, then one more for each. Events and log lines
    /// give the same number as `socket`.
    pub number: u64,
    /// Why the last attempt failed, or why its socket ended. `None` for the first attempt.
    pub last_cause: Option<DisconnectCause>,
    /// Whether the server has refused the last request's credentials, so that new ones are needed.
    /// It stays `true` until an attempt has reached the server.
    pub refresh: bool,
}

impl Attempt {
    /// Creates the attempt with this number, for tests of a provider.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self { number, last_cause: None, refresh: false }
    }

    pub(crate) fn of(
        id: SocketId,
        credentials: Credentials,
        last_cause: Option<DisconnectCause>,
    ) -> Self {
        let refresh = credentials == Credentials::Refresh;
        Self { number: id.number(), last_cause, refresh }
    }
}
