//! What a client needs of the machine that it runs on.

use std::task::Waker;

use gateway_core::Instant;
use gateway_wire::Host;

/// Sockets and clocks ([`Host`]), and a way to wait for both. [`Os`](crate::Os) is the operating system; another may be a
/// simulation, under which the very same client runs on a clock of its own:
/// [`Builder::build_on`](crate::Builder::build_on).
pub trait System: Host {
    /// Waits until a socket or an attempt may have brought something, until the waker was woken, or until `until`. It may
    /// return sooner, for nothing.
    fn wait(&mut self, until: Option<Instant>);

    /// Ends the wait that is under way, or else the next one; from any thread.
    fn waker(&self) -> Waker;
}
