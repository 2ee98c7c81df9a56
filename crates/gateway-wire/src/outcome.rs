//! The outcome of each message. Every accepted message has exactly one outcome.

use std::fmt;
use std::ops::Range;

use gateway_core::{MessageFate, SendRejection, SendingFact, SocketId};
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
    pub(crate) const fn of(first: u64, last: u64, fate: Fate) -> Self {
        Self { first: MessageId(first), last: MessageId(last), fate }
    }

    /// Extends this range by `next`, if `next` continues it with the same fate. Returns whether it
    /// did.
    pub(crate) fn join(&mut self, next: &Self) -> bool {
        let carries_on = self.fate == next.fate && self.last.0.saturating_add(1) == next.first.0;
        if carries_on {
            self.last = next.last;
        }
        carries_on
    }

    /// What an observer receives.
    pub(crate) const fn fact(&self) -> SendingFact {
        let fate = match self.fate {
            Fate::Sent { .. } => MessageFate::Sent,
            Fate::MaybeSent { .. } => MessageFate::MaybeSent,
            Fate::Rejected => MessageFate::Rejected,
            Fate::Expired => MessageFate::Expired,
        };
        SendingFact::MessagesSettled { first: self.first.0, last: self.last.0, fate }
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
    /// The message has waited in the [`Outbox`](crate::Outbox) for longer than its time to live. No
    /// byte of it was written.
    Expired,
}

/// What became of a message that `send` has accepted. Both have an [outcome](Fate) later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a message is in one of the two buffers
pub enum Accepted {
    /// The message is in the write buffer of an open socket.
    Buffered(MessageId),
    /// The message is in the [`Outbox`](crate::Outbox), until the connection is ready.
    Queued(MessageId),
}

impl Accepted {
    /// Returns the message's number.
    #[must_use]
    pub const fn id(self) -> MessageId {
        match self {
            Self::Buffered(id) | Self::Queued(id) => id,
        }
    }

    /// Whether the message waits in the outbox.
    #[must_use]
    pub const fn is_queued(self) -> bool {
        matches!(self, Self::Queued(_))
    }
}

/// A message was not accepted; the error returns it. `Debug` shows only its length.
#[derive(Error)]
#[error("{}the message was not accepted: {}", Prefix(.name.as_ref()), match .rejection {
    SendRejection::NotReady => "the connection is not ready; wait for the Ready notice",
    SendRejection::Closed => "the connection is draining, closing or closed",
    SendRejection::WriteBlocked => "the write buffer is full; poll the client until it is flushed",
    SendRejection::OutcomesUnread => "too many outcomes of messages are unread; take events, then send again",
    SendRejection::Stalled => "the write buffer is full and the transport took no byte for send_stall; take events, then send again",
    SendRejection::LongerThanReserved => "it is longer than the space that was reserved",
    SendRejection::Gone => "the client is gone: it was dropped, it left its fleet, its runtime was shut down, or its code panicked",
    SendRejection::Reentrant => "an observer, a dialect or a correlator must not send",
    SendRejection::OutboxFull => "the outbox is full; wait for the Ready notice, or raise its limits",
    SendRejection::Paced => "the rate limit allows no message now; poll the client, then send again",
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
    /// The messages without an outcome that are in the outgoing bytes, in the order of their bytes.
    unsettled: Queue<Unsettled>,
}

/// A message in the outgoing bytes. The numbers of two neighbours are not always consecutive: a
/// message from the outbox got its number earlier.
#[derive(Debug)]
struct Unsettled {
    number: u64,
    bytes: Range<u64>,
}

impl Ledger {
    pub(crate) const fn new() -> Self {
        Self { taken: 0, unsettled: Queue::new() }
    }

    /// The next message's number, until it is given or taken.
    pub(crate) const fn next_number(&self) -> u64 {
        self.taken + 1
    }

    /// The number of messages that were accepted so far.
    pub(crate) const fn taken(&self) -> u64 {
        self.taken
    }

    /// The number of messages in the outgoing bytes that have no outcome yet.
    pub(crate) fn unsettled(&self) -> usize {
        self.unsettled.len()
    }

    /// Gives the next number to a message that is not encoded yet.
    pub(crate) const fn give_number(&mut self) -> MessageId {
        self.taken += 1;
        MessageId(self.taken)
    }

    /// Records the positions of an encoded message. Its number is the next one, or was given before.
    pub(crate) fn take(&mut self, number: u64, bytes: Range<u64>) -> MessageId {
        self.taken = self.taken.max(number);
        self.unsettled.push_back(Unsettled { number, bytes });
        MessageId(number)
    }

    /// Settles messages before `flushed`, which the transport has flushed. Call it until it returns
    /// `None`: each call settles messages with consecutive numbers.
    pub(crate) fn settle_flushed(&mut self, socket: SocketId, flushed: u64) -> Option<Outcome> {
        self.settle(Fate::Sent { socket }, |message| message.bytes.end <= flushed)
    }

    /// Forgets the messages before `flushed`, if no one wants to know that they were sent.
    pub(crate) fn forget_flushed(&mut self, flushed: u64) {
        let count = self.unsettled.partition_point(|message| message.bytes.end <= flushed);
        self.unsettled.drop_front(count);
    }

    /// Settles messages of a lost socket, which had taken the bytes before `written`. Settle those
    /// that were flushed first. Call it until it returns `None`.
    pub(crate) fn settle_lost(&mut self, socket: SocketId, written: u64) -> Option<Outcome> {
        let is_begun = |message: &Unsettled| message.bytes.start < written;
        let maybe = self.settle(Fate::MaybeSent { socket }, is_begun);
        maybe.or_else(|| self.settle(Fate::Rejected, |_| true))
    }

    /// Settles messages at the front, for which `is_settled`, and whose numbers are consecutive.
    fn settle(&mut self, fate: Fate, is_settled: impl Fn(&Unsettled) -> bool) -> Option<Outcome> {
        let first = self.unsettled.front()?.number;
        let is_next = |(message, number): &(&Unsettled, u64)| {
            message.number == *number && is_settled(message)
        };
        let count = self.unsettled.iter().zip(first..).take_while(is_next).count();
        (count > 0).then(|| {
            self.unsettled.drop_front(count);
            Outcome::of(first, first + count as u64 - 1, fate)
        })
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
            ledger.take(ledger.next_number(), start..*end);
            start = *end;
        }
        ledger
    }

    /// Settles what is left of a lost socket, and counts those that were sent, maybe sent, rejected.
    fn lose(mut ledger: Ledger, flushed: u64, written: u64) -> [u64; 3] {
        let mut counts = [0; 3];
        loop {
            let outcome = ledger.settle_flushed(SOCKET, flushed);
            let Some(outcome) = outcome.or_else(|| ledger.settle_lost(SOCKET, written)) else {
                return counts;
            };
            let place = match outcome.fate {
                Fate::Sent { .. } => 0,
                Fate::MaybeSent { .. } => 1,
                Fate::Rejected | Fate::Expired => 2,
            };
            counts[place] += outcome.count();
        }
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
            let counts = lose(ledger(&[10, 20, 30]), flushed, written);
            assert_eq!(counts, expected, "flushed {flushed}, written {written}");
        }
    }

    #[test]
    fn an_outcome_covers_only_consecutive_numbers() {
        let mut ledger = Ledger::new();
        for (number, start) in [(4, 0), (5, 10), (2, 20), (7, 30), (8, 40)] {
            ledger.take(number, start..start + 10);
        }
        let mut ranges = Vec::new();
        while let Some(outcome) = ledger.settle_flushed(SOCKET, 40) {
            ranges.push((outcome.first.number(), outcome.last.number()));
        }
        assert_eq!(ranges, [(4, 5), (2, 2), (7, 7)]);
        assert_eq!(
            ledger.settle_lost(SOCKET, 41),
            Some(Outcome::of(8, 8, Fate::MaybeSent { socket: SOCKET }))
        );
        assert_eq!(ledger.settle_lost(SOCKET, 41), None);
    }
}
