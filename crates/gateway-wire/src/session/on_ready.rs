//! Messages that are sent each time the connection becomes ready: subscriptions.

use gateway_core::{Action, Actions, Event, Notice, SendRejection};
use thiserror::Error;

use super::Session;
use crate::message::Message;

/// The messages that are sent on every ready, in the order in which their keys were first set.
#[derive(Default)]
pub(super) struct OnReady {
    entries: Vec<Entry>,
    /// The sum of all keys and messages.
    bytes: usize,
    /// Whether a message has to be sent on the current socket.
    is_due: bool,
}

struct Entry {
    key: Box<str>,
    message: Message,
    is_due: bool,
}

impl Entry {
    fn len(&self) -> usize {
        self.key.len() + self.message.len()
    }
}

/// A message for every ready was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OnReadyError {
    /// There would be more messages than [`Limits::on_ready`](crate::Limits::on_ready).
    #[error("on_ready: there are {most} messages, which is the limit; remove one first")]
    Count {
        /// The limit.
        most: usize,
    },
    /// Keys and messages would have more bytes than
    /// [`Limits::on_ready_bytes`](crate::Limits::on_ready_bytes).
    #[error("on_ready: all keys and messages together must be at most {most} bytes")]
    Bytes {
        /// The limit.
        most: usize,
    },
    /// The connection is CLOSED, and nobody drives the client: connect first. Only a sender of
    /// `gateway-std` gets this.
    #[error("the connection is CLOSED: connect first")]
    Closed,
    /// The client was dropped, or its runtime was shut down.
    #[error("the client is gone")]
    Gone,
    /// The call came from within an observer, a dialect or a correlator.
    #[error("an observer, a dialect or a correlator must not call a client")]
    Reentrant,
}

impl OnReady {
    fn set(
        &mut self,
        key: &str,
        message: Message,
        [count, bytes]: [usize; 2],
    ) -> Result<(), OnReadyError> {
        let place = self.entries.iter().position(|entry| *entry.key == *key);
        if place.is_none() && self.entries.len() >= count {
            return Err(OnReadyError::Count { most: count });
        }
        let entry = Entry { key: key.into(), message, is_due: true };
        let replaced = place.map_or(0, |place| self.entries[place].len());
        let total = self.bytes - replaced + entry.len();
        if total > bytes {
            return Err(OnReadyError::Bytes { most: bytes });
        }
        self.bytes = total;
        self.is_due = true;
        match place {
            Some(place) => self.entries[place] = entry,
            None => self.entries.push(entry),
        }
        Ok(())
    }

    fn remove(&mut self, key: &str) -> bool {
        let place = self.entries.iter().position(|entry| *entry.key == *key);
        let removed = place.map(|place| self.entries.remove(place));
        self.bytes -= removed.as_ref().map_or(0, Entry::len);
        removed.is_some()
    }

    /// The connection is ready: every message is to be sent.
    pub(super) fn start(&mut self) {
        self.is_due = !self.entries.is_empty();
        for entry in &mut self.entries {
            entry.is_due = true;
        }
    }

    #[inline]
    pub(super) const fn is_due(&self) -> bool {
        self.is_due
    }
}

impl Session {
    /// Sets the message of this key. It is sent each time the connection becomes ready, before the
    /// messages of the application, and now if the connection is ready. It replaces the key's earlier
    /// message, in its place. It has no number and no outcome.
    ///
    /// # Errors
    /// There are too many of them, or they are too long: see [`Limits`](crate::Limits).
    pub fn set_on_ready(
        &mut self,
        key: &str,
        message: impl Into<Message>,
    ) -> Result<(), OnReadyError> {
        let limits = [self.limits.on_ready, self.limits.on_ready_bytes];
        // A payload may be the application's own buffer, and this may drop it much later.
        self.on_ready.set(key, message.into().detached(), limits)?;
        self.advance();
        self.report_facts();
        Ok(())
    }

    /// Removes the message of this key. Returns whether there was one. Nothing is sent.
    pub fn remove_on_ready(&mut self, key: &str) -> bool {
        self.on_ready.remove(key)
    }

    /// The keys and messages that are sent on every ready, in order.
    pub fn on_ready(&self) -> impl Iterator<Item = (&str, &Message)> {
        self.on_ready.entries.iter().map(|entry| (&*entry.key, &entry.message))
    }

    /// Sends what is due, on a connection that is ready. While the write buffer is full, or the rate
    /// limit allows no message, the rest waits.
    pub(super) fn send_on_ready(&mut self) {
        for place in 0..self.on_ready.entries.len() {
            if !self.on_ready.entries[place].is_due {
                continue;
            }
            if !self.has_token() {
                return self.block_if_full();
            }
            let message = self.on_ready.entries[place].message.clone();
            let actions = self.handle(self.now, Event::SendRequested(message.borrowed()));
            if let Some(SendRejection::WriteBlocked) = rejection(&actions) {
                return;
            }
            self.on_ready.entries[place].is_due = false;
            if let Some(link) = &mut self.link {
                link.codec.encode(&message, link.output.buffer());
            }
            self.take_token();
        }
        self.on_ready.is_due = false;
        self.block_if_full();
    }
}

fn rejection(actions: &Actions) -> Option<SendRejection> {
    actions.iter().find_map(|action| match action {
        Action::Notify(Notice::SendRejected(why)) => Some(*why),
        _ => None,
    })
}
