//! How a client ended.

use gateway_core::GiveUpCause;
use thiserror::Error;

use crate::name::{Name, Prefix};

/// How a client ended. The text begins with the client's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{kind}", Prefix(.name.as_ref()))]
pub struct End {
    kind: EndKind,
    name: Option<Name>,
}

/// Why a client is CLOSED, or can no longer be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EndKind {
    /// The application closed the connection.
    #[error("the connection was closed as requested")]
    Closed,
    /// The client gave up the connection.
    #[error("the client gave up: {0}")]
    GaveUp(GiveUpCause),
    /// What drove the client is gone: the runtime of a spawned client was shut down, the client of
    /// a sender was dropped, the client of a handle has left its fleet, or code of the application's
    /// that runs under the lock panicked, such as an observer. The client cannot connect again. The
    /// events that a spawned client has left, and the outcomes of its messages, can still be
    /// received.
    #[error(
        "the client is gone: it was dropped, it left its fleet, its runtime was shut down, or its code panicked"
    )]
    Gone,
    /// The client had to leave its fleet within a time, and was cut off when that time was over: its
    /// socket was dropped without a Close handshake. Its messages have their outcomes.
    #[error("the client was cut off, because its time to close was over")]
    CutOff,
    /// The client had to leave its fleet within a time, and its thread still runs: it hangs in code
    /// of the application's, such as an observer or a dialect. Only on `gateway-std`.
    #[error(
        "the client's thread hangs in an observer, a dialect or a transport, and was left behind"
    )]
    Hung,
    /// The client has not ended: the call came from an observer, a dialect, or other code that runs
    /// under the client's lock, and would have waited for itself.
    #[error("an observer, a dialect or a correlator must not wait for its client")]
    Reentrant,
}

impl End {
    /// Creates the end of the client with this name.
    #[must_use]
    pub const fn new(kind: EndKind, name: Option<Name>) -> Self {
        Self { kind, name }
    }

    /// Returns why the client is CLOSED, or can no longer be used.
    #[must_use]
    pub const fn kind(&self) -> EndKind {
        self.kind
    }

    /// Returns the client's name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(Name::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_the_client_and_the_code_or_status_that_ended_it() {
        let shown = |cause| {
            End::new(EndKind::GaveUp(cause), Some(Name::new("feed-7").unwrap())).to_string()
        };
        for (cause, expected) in [
            (GiveUpCause::HttpStatus(401), "feed-7: the client gave up: http_status 401"),
            (GiveUpCause::CloseCode(1008), "feed-7: the client gave up: close_code 1008"),
            (GiveUpCause::LoginRefused, "feed-7: the client gave up: login_refused"),
            (GiveUpCause::Provider, "feed-7: the client gave up: provider"),
            (GiveUpCause::AttemptsSpent, "feed-7: the client gave up: attempts_spent"),
            (GiveUpCause::Configuration, "feed-7: the client gave up: configuration"),
        ] {
            assert_eq!(shown(cause), expected);
        }
    }
}
