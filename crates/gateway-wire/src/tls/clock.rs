//! The one clock of TLS: how old the platform's configuration is.
#![allow(
    clippy::disallowed_methods,
    reason = "the age of a process-wide value, which no driver owns"
)]

use std::time::Instant;

pub(super) fn now() -> Instant {
    Instant::now()
}
