//! Why a call of a handle fails.

use gateway_wire::{Name, Prefix};
use thiserror::Error;

/// A call of a [`Handle`](crate::Handle) failed. The error's text begins with the client's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{kind}", Prefix(.name.as_ref()))]
pub struct HandleError {
    kind: HandleErrorKind,
    name: Option<Name>,
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandleErrorKind {
    /// The client's task is gone: it left its [`Fleet`](crate::Fleet), its runtime was shut down, or
    /// code of the application's that [runs under the lock](crate::Handle) panicked. The client cannot
    /// connect again. Each message that it had accepted has its outcome, which
    /// [`Events`](crate::Events) still yields.
    #[error(
        "the client's task is gone: it left its fleet, its runtime was shut down, or its code panicked"
    )]
    Gone,
    /// The call came from within an observer, a dialect, or other code that
    /// [runs under the lock](crate::Handle), on the thread that runs it.
    #[error("an observer, a dialect or a correlator must not call a handle")]
    Reentrant,
    /// The connection is closing or closed.
    #[error("the connection is closing or closed")]
    Closed,
    /// The write buffer is full, and the transport took no byte for
    /// [`send_stall`](crate::Builder::send_stall).
    #[error("the write buffer is full and the transport took no byte for send_stall")]
    Stalled,
}

impl HandleError {
    pub(crate) const fn new(kind: HandleErrorKind, name: Option<Name>) -> Self {
        Self { kind, name }
    }

    /// Returns why the call failed.
    #[must_use]
    pub const fn kind(&self) -> HandleErrorKind {
        self.kind
    }

    /// Returns the client's name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(Name::as_str)
    }
}
