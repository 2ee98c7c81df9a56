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
    #[error("the client gave up: {}", .0.name())]
    GaveUp(GiveUpCause),
    /// What drove the client is gone: the runtime of a spawned client was shut down, the client of
    /// a sender was dropped, or an observer or a dialect panicked. The client cannot connect again.
    #[error("the client is gone: its runtime was shut down, it was dropped, or its code panicked")]
    Gone,
    /// There is no end: a sender would have had to wait, and was called from within an observer or a
    /// dialect. It would have waited for itself.
    #[error("an observer or a dialect must not wait for a client")]
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
