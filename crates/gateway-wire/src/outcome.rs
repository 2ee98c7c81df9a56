//! The outcome of each message. Every accepted message has exactly one outcome.

use std::fmt;
use std::ops::Range;

use gateway_core::{SendRejection, SocketId};
use thiserror::Error;

use crate::message::Message;
use crate::name::{Name, Prefix};
use crate::queue::Queue;

/// The number of an accepted message. A client's numbers start at 1, increase, and are never
/// reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(u64);

impl MessageId {
    /// Returns the number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// The outcome of the messages `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The first message.
    pub first: MessageId,
    /// The last message; the same as `first` if it is only one.
    pub last: MessageId,
    /// Their common outcome.
    pub fate: Fate,
}

impl Outcome {
    /// Extends this range by `next`, if `next` continues it with the same fate. Returns whether it
    /// did.
    pub(crate) fn join(&mut self, next: &Self) -> bool {
        let carries_on = self.fate == next.fate && self.last.0.saturating_add(1) == next.first.0;
        if carries_on {
            self.last = next.last;
        }
        carries_on
    }

    /// Returns the number of messages in the range.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.last.0 - self.first.0 + 1
    }
}

/// The outcome of an accepted message. A message that was not accepted has none: `send` returns it
/// in a [`SendError`].
///
/// If the task of a spawned client is gone, the outcomes of its last messages are among the events
/// that are left. After a panic under its lock, messages that were about to be written are
/// [`MaybeSent`](Self::MaybeSent).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// All bytes of the message were written to the transport. The peer's kernel or application may
    /// still lose it: only an answer of the peer's application proves that it was read.
    ///
    /// The client resets the socket of a dead peer. The reset discards what the local kernel still
    /// held. Messages in it keep the outcome `Sent`, although they never left.
    Sent {
        /// The socket.
        socket: SocketId,
    },
    /// The message was partly written when the socket was lost. The peer may or may not have all of
    /// it.
    MaybeSent {
        /// The socket.
        socket: SocketId,
    },
    /// The message was accepted, but no byte of it was written. It is safe to send it again.
    Rejected,
}

/// A message was not accepted; the error returns it. `Debug` shows only its length.
#[derive(Error)]
#[error("{}the message was not accepted: {}", Prefix(.name.as_ref()), match .rejection {
    SendRejection::NotReady => "the connection is not ready; wait for the Ready notice",
    SendRejection::Closed => "the connection is closing or closed",
    SendRejection::WriteBlocked => "the write buffer is full; poll the client until it is flushed",
    SendRejection::OutcomesUnread => "too many outcomes of messages are unread; take events, then send again",
    SendRejection::Stalled => "the write buffer is full and the transport took no byte for send_stall; take events, then send again",
    SendRejection::LongerThanReserved => "it is longer than the space that was reserved",
    SendRejection::Gone => "the client is gone: its runtime was shut down, it was dropped, or its code panicked",
    SendRejection::Reentrant => "an observer or a dialect must not send",
    _ => "rejected",
})]
pub struct SendError {
    rejection: SendRejection,
    message: Message,
    name: Option<Name>,
}

impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError")
            .field("name", &self.name)
            .field("rejection", &self.rejection)
            .field("bytes", &self.message.len())
            .finish()
    }
}

impl SendError {
    /// Creates an error that returns `message`.
    #[must_use]
    pub const fn new(rejection: SendRejection, message: Message) -> Self {
        Self { rejection, message, name: None }
    }

    /// Adds the client's name to the text of the error.
    #[must_use]
    pub fn named(mut self, name: Option<Name>) -> Self {
        self.name = name;
        self
    }

    /// Returns the client's name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(Name::as_str)
    }

    /// Returns why the message was not accepted.
    #[must_use]
    pub const fn rejection(&self) -> SendRejection {
        self.rejection
    }

    /// Returns the message, so that you can send it again.
    #[must_use]
    pub fn into_message(self) -> Message {
        self.message
    }
}

/// Numbers messages, and remembers those whose bytes the transport has not flushed yet.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// The number of messages that this client has accepted so far.
    taken: u64,
    /// The positions, in the outgoing bytes, of the messages without an outcome: the last ones
    /// accepted.
    unsettled: Queue<Range<u64>>,
}

impl Ledger {
    pub(crate) const fn new() -> Self {
        Self { taken: 0, unsettled: Queue::new() }
    }

    /// Records an encoded message, and the positions of its bytes.
    pub(crate) fn take(&mut self, bytes: Range<u64>) -> MessageId {
        self.taken += 1;
        self.unsettled.push_back(bytes);
        MessageId(self.taken)
    }

    /// Settles the messages before `flushed`, which the transport has flushed.
    pub(crate) fn settle_flushed(&mut self, socket: SocketId, flushed: u64) -> Option<Outcome> {
        let count = self.unsettled.partition_point(|bytes| bytes.end <= flushed);
        self.settle(count, Fate::Sent { socket })
    }

    /// Settles all messages of a lost socket. The socket had taken the bytes before `written`, and
    /// flushed those before `flushed`.
    pub(crate) fn settle_lost(
        &mut self,
        socket: SocketId,
        flushed: u64,
        written: u64,
    ) -> [Option<Outcome>; 3] {
        let sent = self.settle_flushed(socket, flushed);
        let begun = self.unsettled.partition_point(|bytes| bytes.start < written);
        let maybe = self.settle(begun, Fate::MaybeSent { socket });
        let rejected = self.settle(self.unsettled.len(), Fate::Rejected);
        [sent, maybe, rejected]
    }

    fn settle(&mut self, count: usize, fate: Fate) -> Option<Outcome> {
        if count == 0 {
            return None;
        }
        let first = self.taken - self.unsettled.len() as u64 + 1;
        self.unsettled.drop_front(count);
        Some(Outcome { first: MessageId(first), last: MessageId(first + count as u64 - 1), fate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKET: SocketId = SocketId::new(1);

    fn ledger(ends: &[u64]) -> Ledger {
        let mut ledger = Ledger::new();
        let mut start = 0;
        for end in ends {
            ledger.take(start..*end);
            start = *end;
        }
        ledger
    }

    fn counts(outcomes: [Option<Outcome>; 3]) -> [u64; 3] {
        outcomes.map(|outcome| outcome.map_or(0, |outcome| outcome.count()))
    }

    #[test]
    fn a_flush_settles_what_it_covers_and_nothing_else() {
        let mut ledger = ledger(&[10, 20, 30]);
        assert_eq!(ledger.settle_flushed(SOCKET, 9), None);
        let outcome = ledger.settle_flushed(SOCKET, 20).unwrap();
        assert_eq!((outcome.first.number(), outcome.last.number()), (1, 2));
        assert_eq!(ledger.settle_flushed(SOCKET, 30).unwrap().first.number(), 3);
        assert!(ledger.unsettled.is_empty());
    }

    #[test]
    fn a_death_splits_what_was_flushed_from_what_was_begun_and_what_was_not() {
        for (flushed, written, expected) in [
            (0, 0, [0, 0, 3]),
            (10, 10, [1, 0, 2]),
            (10, 11, [1, 1, 1]),
            (10, 20, [1, 1, 1]),
            (5, 20, [0, 2, 1]),
            (30, 30, [3, 0, 0]),
            (0, 30, [0, 3, 0]),
            (29, 29, [2, 1, 0]),
        ] {
            let outcomes = ledger(&[10, 20, 30]).settle_lost(SOCKET, flushed, written);
            assert_eq!(counts(outcomes), expected, "flushed {flushed}, written {written}");
        }
    }
}
