//! Space in the write buffer, reserved for a message to come.

use std::fmt;

use gateway_wire::{Accepted, Message, SendError, Space};

use super::handle::Handle;

/// Space in a client's write buffer for one message; see [`Handle::reserve`].
///
/// The space stays reserved until the permit sends or is dropped, also over a reconnect. Other
/// messages find that much less space meanwhile.
#[must_use = "a permit that is dropped has only held up others"]
pub struct Permit {
    handle: Handle,
    /// The longest message.
    bytes: usize,
    is_used: bool,
}

impl Permit {
    pub(super) const fn new(handle: Handle, bytes: usize) -> Self {
        Self { handle, bytes, is_used: false }
    }

    /// Returns the length in bytes of the longest message that the permit may send.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sends a message, and returns its number. It never waits. The message follows all that were
    /// sent before this call, also those that were sent after the permit was reserved.
    ///
    /// # Errors
    /// Each error returns the message. The permit is used up in any case.
    ///
    /// - `NotReady`, `Closed`, `OutcomesUnread`, `OutboxFull`, `Gone` and `Reentrant`: as for
    ///   [`Handle::try_send`].
    /// - [`LongerThanReserved`](gateway_core::SendRejection::LongerThanReserved): the message is
    ///   longer than [`bytes`](Self::bytes).
    pub fn send(mut self, message: impl Into<Message>) -> Result<Accepted, SendError> {
        let message = message.into(); // if this panics, the drop releases the space
        self.is_used = true;
        let shared = self.handle.shared();
        shared
            .send_reserved(&message, Space::of(self.bytes))
            .map_err(|why| SendError::new(why, message).named(shared.name().cloned()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.is_used {
            self.handle.shared().release(Space::of(self.bytes));
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("handle", &self.handle)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
