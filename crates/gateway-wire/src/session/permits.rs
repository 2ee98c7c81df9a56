//! Space in the write buffer that is reserved for messages to come.

use super::Session;

impl Session {
    /// Reserves this much of the write buffer. Until it is [released](Self::release), messages
    /// without a reservation find that much less space: [`poll_space`](Self::poll_space) counts it
    /// as full. Reserve only while `poll_space` is ready. A message with a reservation is accepted
    /// even if the buffer is full: [`accept`](Self::accept) it first, then release its space.
    ///
    /// The reservation outlives the socket.
    pub const fn reserve(&mut self, bytes: usize) {
        self.reserved = self.reserved.saturating_add(bytes);
    }

    /// Releases space that was reserved.
    pub fn release(&mut self, bytes: usize) {
        self.reserved = self.reserved.saturating_sub(bytes);
        self.block_if_full();
        if self.is_held_back {
            self.advance();
        }
        self.report_facts();
    }

    /// Whether no message without a reservation is accepted until bytes are written or released, or
    /// until what waits in the outbox or for the rate limit has left.
    #[must_use]
    #[inline]
    pub fn is_full(&self) -> bool {
        self.is_held_back || self.is_buffer_full()
    }

    /// Whether the write buffer has no space that is not reserved.
    #[inline]
    pub(super) fn is_buffer_full(&self) -> bool {
        self.is_write_blocked() || self.reserved > 0 && self.is_full_with_reserved()
    }

    #[cold]
    fn is_full_with_reserved(&self) -> bool {
        self.pending().len().saturating_add(self.reserved) > self.limits.high_water
    }
}
