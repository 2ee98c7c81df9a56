//! Calls of a driver that come twice, late or out of order. They change nothing, and are counted.

use gateway_core::{Event, SocketId};

use super::Session;
use super::link::Link;
use super::perform::Payload;

impl Session {
    /// The core leaves this socket. Returns whether its outgoing bytes end in a Close frame.
    pub(super) fn leave(&mut self, id: SocketId) -> bool {
        let Some(link) = self.link.as_mut().filter(|link| link.id == id) else { return false };
        link.is_left = true;
        link.farewell
    }

    /// Counts a call that is out of order. The core itself counts the stale events that reach it.
    pub(super) fn ignore(&mut self) {
        self.stale_calls = self.stale_calls.saturating_add(1);
        self.log.ignored_call();
    }

    /// Handles bytes of a socket that is not open: the core counts them as stale.
    #[cold]
    #[inline(never)]
    pub(super) fn received_out_of_order(&mut self, id: SocketId) {
        self.at(self.now, Event::BytesReceived(id), Payload::None);
    }

    /// Returns this socket's link. A call for any other socket is ignored.
    pub(super) fn linked(&mut self, id: SocketId) -> Option<&mut Link> {
        if !self.is_linked(id) {
            self.ignore();
            return None;
        }
        self.link.as_mut()
    }

    pub(super) fn is_linked(&self, id: SocketId) -> bool {
        self.link.as_ref().is_some_and(|link| link.id == id)
    }

    /// Whether the provider cannot have been asked for this attempt yet, because the driver has not
    /// taken the order.
    pub(super) fn is_not_asked(&self, id: SocketId) -> bool {
        self.connection.socket() == Some(id) && self.asking != Some(id)
    }

    /// Whether the driver cannot know this attempt yet, because it has not taken its order.
    pub(super) fn is_not_ordered(&self, id: SocketId) -> bool {
        self.connection.socket() == Some(id) && !self.is_linked(id) && self.opening != Some(id)
    }
}
