//! Why a call of a fleet fails.

use std::io;

use gateway_core::ConfigErrors;
use thiserror::Error;

use crate::name::Name;

/// A call of a fleet failed. The text says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FleetError {
    /// The client's settings are wrong, or the fleet has a client of this name: then the error is in
    /// the field `name`.
    #[error(transparent)]
    Configuration(#[from] ConfigErrors),
    /// The fleet has as many clients as `max_clients` allows.
    #[error(
        "the fleet has {limit} clients, which is its limit; remove one, or raise `max_clients`"
    )]
    Full {
        /// The limit.
        limit: usize,
    },
    /// The fleet has no client of this name.
    #[error("the fleet has no client {name:?}; `names` returns those that it has")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The fleet is shut down.
    #[error("the fleet is shut down; build a new one")]
    ShutDown,
    /// The client cannot start again: its runtime was shut down, or the application's code panicked
    /// in it.
    #[error(
        "{name}: the client is gone: its runtime was shut down, or its code panicked; remove it, then add it again"
    )]
    Gone {
        /// The client.
        name: Name,
    },
    /// The call came from within an observer or a dialect, which must not wait for a client.
    #[error("an observer or a dialect must not use a fleet; call it from another task or thread")]
    Reentrant,
    /// The operating system has no thread for the client.
    #[error(
        "{name}: cannot start a thread; run fewer clients, or raise the limit of threads: {source}"
    )]
    Thread {
        /// The client.
        name: Name,
        /// The operating system's error.
        source: io::Error,
    },
}
