//! The orders that a driver carries out.

use gateway_core::{Credentials, SocketId};

use super::Session;
use crate::provider::Attempt;

/// What a driver must do with its sockets. Carry out the orders in sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a driver that does not handle an order must not compile
pub enum Order {
    /// Ask the provider for the request of this attempt, and open nothing yet. Then report
    /// [`Session::provider_answered`] or [`Session::provider_failed`].
    Ask {
        /// The id of the attempt.
        id: SocketId,
        /// What the provider is told.
        attempt: Attempt,
    },
    /// Open a socket. Then report [`Session::opened`] or [`Session::open_failed`].
    Open {
        /// The id of the attempt.
        id: SocketId,
        /// Whether to reuse the last attempt's credentials or to refresh them.
        credentials: Credentials,
    },
    /// Drop the socket, whether it is open or still opening, or stop asking the provider for it. Then
    /// report [`Session::dropped`].
    Drop {
        /// The id of the attempt.
        id: SocketId,
        /// Whether to write the pending bytes first, as far as possible without blocking. They end
        /// in a Close frame.
        farewell: bool,
    },
    /// Drop the socket so that the peer receives nothing more from it. Then report
    /// [`Session::dropped`]. Reset a TCP socket (linger 0, RST): after a plain close, the kernel
    /// resends unacknowledged bytes for minutes.
    Abort {
        /// The id of the attempt.
        id: SocketId,
    },
}

impl Session {
    /// Returns the next order about a socket.
    pub fn next_order(&mut self) -> Option<Order> {
        let order = self.orders.pop_front()?;
        match order {
            Order::Ask { id, .. } => self.asking = Some(id),
            Order::Open { id, .. } => self.opening = Some(id),
            Order::Drop { id, .. } | Order::Abort { id } if !self.is_linked(id) => {
                self.unanswered_drops = self.unanswered_drops.saturating_add(1);
            }
            Order::Drop { .. } | Order::Abort { .. } => {} // the link stays until `dropped`
        }
        Some(order)
    }

    #[cfg(test)]
    pub(crate) fn push_order(&mut self, order: Order) {
        self.orders.push_back(order);
    }
}
