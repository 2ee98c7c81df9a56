//! The orders that a driver carries out.

use gateway_core::{Credentials, SocketId};

use super::Session;

/// What a driver must do to its sockets, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a driver that does not know an order must not compile
pub enum Order {
    /// Open a socket; report [`Session::opened`] or [`Session::open_failed`].
    Open {
        /// The id of the attempt.
        id: SocketId,
        /// Whether the credentials of the last attempt will do.
        credentials: Credentials,
    },
    /// Drop the socket, still opening or open; report [`Session::dropped`].
    Drop {
        /// The id of the attempt.
        id: SocketId,
        /// Whether the pending bytes are to be written first, as far as that needs no waiting: they end in a Close.
        farewell: bool,
    },
    /// Drop the socket so that the peer receives nothing of it later; report [`Session::dropped`]. A TCP socket is reset
    /// (linger 0, RST): after a plain close the kernel resends for minutes what the peer has not acknowledged.
    Abort {
        /// The id of the attempt.
        id: SocketId,
    },
}

impl Session {
    /// The next order about a socket.
    pub fn next_order(&mut self) -> Option<Order> {
        let order = self.orders.pop_front()?;
        match order {
            Order::Open { id, .. } => self.opening = Some(id),
            Order::Drop { id, .. } | Order::Abort { id } if !self.is_linked(id) => {
                self.unanswered_drops = self.unanswered_drops.saturating_add(1);
            }
            Order::Drop { .. } | Order::Abort { .. } => {} // its link waits for the answer
        }
        Some(order)
    }

    #[cfg(test)]
    pub(crate) fn push_order(&mut self, order: Order) {
        self.orders.push_back(order);
    }
}
