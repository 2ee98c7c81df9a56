//! What a client needs from the computer that it runs on.

use std::task::Waker;

use gateway_core::Instant;
use gateway_wire::Host;

/// Sockets and clocks ([`Host`]), and a way to wait for both. [`Os`](crate::Os) is the operating
/// system. With your own implementation, such as a simulation, the same client runs on other
/// sockets and another clock: see [`Builder::build_on`](crate::Builder::build_on).
pub trait System: Host {
    /// Waits until a socket or an attempt may have made progress, until the waker was woken, or
    /// until `until`. It may return early.
    fn wait(&mut self, until: Option<Instant>);

    /// Returns a waker that ends the current wait, or else the next one. It works from any thread.
    fn waker(&self) -> Waker;
}
