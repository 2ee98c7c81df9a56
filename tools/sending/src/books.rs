//! What is known of each message and each request of a history.

use gateway_core::{Instant, SocketId};
use gateway_wire::{Fate, Repeat, RequestId};

/// A message that was sent, or refused.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Its number, if it was accepted.
    pub(crate) number: Option<u64>,
    pub(crate) length: usize,
    /// When it expires, if it waits in an outbox then.
    pub(crate) expires_at: Option<Instant>,
    /// The socket in whose bytes it is, or was. `None` after it returned to the outbox.
    pub(crate) placed: Option<SocketId>,
    pub(crate) fate: Option<Fate>,
}

impl Sent {
    /// Whether it waits in the outbox.
    pub(crate) const fn is_queued(&self) -> bool {
        self.number.is_some() && self.placed.is_none() && self.fate.is_none()
    }

    /// Whether its time to live is over.
    pub(crate) fn has_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|at| now >= at)
    }
}

/// A request that was accepted.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: RequestId,
    /// Its number in its text.
    pub(crate) number: usize,
    pub(crate) due: Instant,
    pub(crate) repeat: Repeat,
    pub(crate) length: usize,
    /// The socket that it was placed on last, and its id there.
    pub(crate) placed: Option<(SocketId, u64)>,
    /// Whether an earlier socket has a part of it.
    pub(crate) was_begun: bool,
    /// Whether it has ended, or was forgotten.
    pub(crate) is_over: bool,
}

impl Asked {
    /// Whether it is in the bytes of this socket.
    pub(crate) fn is_on(&self, socket: Option<SocketId>) -> bool {
        socket.is_some() && self.placed.map(|(id, _)| id) == socket
    }

    /// The bytes of its message, if the session still keeps it.
    pub(crate) fn kept(&self, socket: Option<SocketId>) -> usize {
        if !self.is_on(socket) || self.repeat != Repeat::Never { self.length } else { 0 }
    }
}

/// Everything that was sent and asked.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) sent: Vec<Sent>,
    pub(crate) asked: Vec<Asked>,
    /// The number of requests so far, also of those that were refused.
    pub(crate) tried: usize,
    /// The last number that was given to a message.
    pub(crate) accepted: u64,
    /// The last number of a message in the bytes of any socket, without those that returned.
    pub(crate) left: u64,
    /// The number of requests that waited for the connection, when it was last ready.
    pub(crate) first: usize,
    /// Since when a token is left for a message, while a request waits for it, too.
    pub(crate) left_since: Option<Instant>,
    /// When each message that counts for the rate limit left.
    pub(crate) left_at: Vec<Instant>,
}

impl Books {
    /// The messages in the outbox, oldest first.
    pub(crate) fn queued(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(|sent| sent.is_queued())
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued().map(|sent| sent.length).sum()
    }

    /// The number and the bytes of the messages in the outbox that have not expired. Only these take
    /// space: a send expires the others first, even if the tick that is due has not come.
    pub(crate) fn unexpired(&self, now: Instant) -> (usize, usize) {
        let fresh = || self.queued().filter(|sent| !sent.has_expired(now));
        (fresh().count(), fresh().map(|sent| sent.length).sum())
    }

    /// The requests that have not ended, oldest first.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Asked> {
        self.asked.iter().filter(|asked| !asked.is_over)
    }

    /// The index of the message with this number.
    pub(crate) fn index_of(&self, number: u64) -> Option<usize> {
        self.sent.iter().position(|sent| sent.number == Some(number))
    }
}
