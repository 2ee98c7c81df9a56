//! Space in the write buffer, and tokens of the rate limit, that are reserved for messages to come.

use std::ops::AddAssign;

use gateway_core::SendRejection;

use super::Session;
use crate::message::Message;
use crate::outcome::Accepted;

/// The longest header of a client's frame (RFC 6455 section 5.2).
const HEADER: usize = 14;

/// What permits reserve: for each a message's space in the write buffer, and a token of the
/// [rate limit](crate::Rate) if there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    bytes: usize,
    messages: u32,
}

impl Space {
    /// For one message of at most `bytes` bytes.
    #[must_use]
    pub const fn of(bytes: usize) -> Self {
        Self { bytes: bytes.saturating_add(HEADER), messages: 1 }
    }

    /// Whether it is for no message.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.messages == 0
    }

    /// Whether the message has space in it.
    #[must_use]
    pub fn fits(self, message: &Message) -> bool {
        Self::of(message.len()).bytes <= self.bytes
    }
}

impl AddAssign for Space {
    fn add_assign(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.messages = self.messages.saturating_add(other.messages);
    }
}

/// Permits. A driver that gives any calls [`set_time`](Self::set_time) before each of these calls if
/// the session [needs it](Self::needs_time).
impl Session {
    /// Whether [`reserve`](Self::reserve) may be called now: there is space in the write buffer, and
    /// the rate limit has a token that no other permit holds.
    #[must_use]
    pub fn may_reserve(&self) -> bool {
        !self.is_full() && self.has_token()
    }

    /// Reserves space. Until it is [used](Self::accept_reserved) or [released](Self::release),
    /// messages without a reservation find that much less: [`poll_space`](Self::poll_space) counts
    /// it as full. Call this only while [`may_reserve`](Self::may_reserve) returns true.
    ///
    /// The reservation outlives the socket.
    pub fn reserve(&mut self, space: Space) {
        let sending = self.sending_mut();
        sending.reserved = sending.reserved.saturating_add(space.bytes);
        self.hold_tokens(space.messages);
        self.note_reserved();
    }

    /// Accepts a message for which this space is reserved, also if the write buffer is full and no
    /// token is left for others. Releases the space in any case. If older messages wait in the outbox,
    /// they may use the space and the token, and this message waits behind them.
    ///
    /// # Errors
    /// The reason if the message is longer than the space, or if the connection does not accept it
    /// now.
    pub fn accept_reserved(
        &mut self,
        message: &Message,
        space: Space,
    ) -> Result<Accepted, SendRejection> {
        self.free(space); // the message takes its own
        let accepted = if !space.fits(message) {
            Err(self.refuse(message, SendRejection::LongerThanReserved))
        } else if self.events.is_full_of_outcomes() {
            Err(self.refuse(message, SendRejection::OutcomesUnread))
        } else {
            self.accept_with_care(message, true)
        };
        self.use_freed();
        self.report_facts();
        accepted
    }

    /// Releases space that was reserved and is not needed. What waited for it may leave: write what
    /// is pending, and look at the state and the deadline again.
    pub fn release(&mut self, space: Space) {
        self.free(space);
        self.use_freed();
        self.report_facts();
    }

    /// Refuses a message that must not wait, because others wait for their turns. Returns the reason:
    /// the rate limit, or the write buffer.
    pub fn refuse_to_pass(&mut self, message: &Message) -> SendRejection {
        let why = match self.has_token() {
            true => SendRejection::WriteBlocked,
            false => SendRejection::Paced,
        };
        self.refuse(message, why)
    }

    /// Frees what a permit has reserved. After this call, let other messages [use](Self::use_freed)
    /// it.
    fn free(&mut self, space: Space) {
        self.let_go_of_tokens(space.messages);
        if let Some(sending) = &mut self.sending {
            sending.reserved = sending.reserved.saturating_sub(space.bytes);
        }
    }

    /// What waited for a permit's space or token may leave.
    pub(super) fn use_freed(&mut self) {
        self.block_if_full();
        if self.is_held_back {
            self.advance();
        }
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
        self.is_write_blocked() || self.is_reserved_by_others()
    }

    /// Whether permits hold what the write buffer has left.
    #[inline]
    pub(super) fn is_reserved_by_others(&self) -> bool {
        self.sending.is_some() && self.is_full_with_reserved()
    }

    #[cold]
    fn is_full_with_reserved(&self) -> bool {
        let reserved = self.reserved();
        reserved > 0 && self.pending().len().saturating_add(reserved) > self.limits.high_water
    }

    /// The bytes of the write buffer that are reserved.
    pub(super) fn reserved(&self) -> usize {
        self.sending.as_ref().map_or(0, |sending| sending.reserved)
    }
}
