//! Space in the write buffer, reserved for a message to come.

use std::fmt;
use std::sync::Arc;

use gateway_core::SendRejection;
use gateway_wire::{Accepted, Message, Name, Prefix, SendError, Space};
use thiserror::Error;

use crate::inside::is_inside;
use crate::mailbox::{Letter, Mailbox};
use crate::sender::Receipt;

/// Space in a client's write buffer for one message; see [`Sender::reserve`](crate::Sender::reserve).
///
/// The space stays reserved until the permit sends or is dropped, also over a reconnect. Other
/// messages find that much less space meanwhile.
#[must_use = "a permit that is dropped has only held up others"]
pub struct Permit {
    mailbox: Arc<Mailbox>,
    /// The longest message.
    bytes: usize,
    is_used: bool,
}

impl Permit {
    pub(crate) const fn new(mailbox: Arc<Mailbox>, bytes: usize) -> Self {
        Self { mailbox, bytes, is_used: false }
    }

    /// Returns the length in bytes of the longest message that the permit may send.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sends a message, and returns its number. It never waits for space, only until another thread
    /// asks the client for an event, as [`Sender::send`](crate::Sender::send) does. The message
    /// follows all that were sent before this call. It overtakes messages that wait for space.
    ///
    /// # Errors
    /// Each error returns the message. The permit is used up in any case.
    ///
    /// - The connection is not ready, is closing, or is CLOSED.
    /// - [`Gone`](SendRejection::Gone): the client was dropped. Or an observer panicked
    ///   while the client accepted the message; then the message is lost.
    /// - [`OutcomesUnread`](SendRejection::OutcomesUnread): more than 4,096 ranges of outcomes are
    ///   unread.
    /// - [`OutboxFull`](SendRejection::OutboxFull): the outbox is full and
    ///   [refuses](crate::Outbox::refuse_newest) new messages, or the message is longer than all of
    ///   it.
    /// - [`LongerThanReserved`](SendRejection::LongerThanReserved): the message is longer than
    ///   [`bytes`](Self::bytes).
    /// - [`Reentrant`](SendRejection::Reentrant): the call came from within an observer, a dialect or a
    ///   correlator.
    pub fn send(mut self, message: impl Into<Message>) -> Result<Accepted, SendError> {
        let message = message.into();
        if message.len() > self.bytes {
            return Err(self.mailbox.refusal(SendRejection::LongerThanReserved, message));
        }
        if is_inside() {
            return Err(self.mailbox.refusal(SendRejection::Reentrant, message));
        }
        self.is_used = true; // from here on, the mailbox releases the space
        let (letter, outcome) = Letter::new(message);
        self.mailbox.post_reserved(letter, Space::of(self.bytes))?;
        Receipt::new(Arc::clone(&self.mailbox), outcome).wait()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.is_used {
            self.mailbox.release(Space::of(self.bytes));
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// No space was reserved. The error's text begins with the client's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{kind}", Prefix(.name.as_ref()))]
pub struct ReserveError {
    kind: ReserveErrorKind,
    name: Option<Name>,
}

/// Why no space was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReserveErrorKind {
    /// The client was dropped.
    #[error("the client was dropped")]
    Gone,
    /// The connection is closing or closed.
    #[error("the connection is closing or closed")]
    Closed,
    /// The write buffer is full, and the transport took no byte for
    /// [`send_stall`](crate::Builder::send_stall).
    #[error("the write buffer is full and the transport took no byte for send_stall")]
    Stalled,
    /// The call came from within an observer, a dialect or a correlator, which must not wait.
    #[error("an observer, a dialect or a correlator must not wait for a client")]
    Reentrant,
}

impl ReserveError {
    pub(crate) const fn new(kind: ReserveErrorKind, name: Option<Name>) -> Self {
        Self { kind, name }
    }

    /// Returns why no space was reserved.
    #[must_use]
    pub const fn kind(&self) -> ReserveErrorKind {
        self.kind
    }

    /// Returns the client's name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(Name::as_str)
    }
}
