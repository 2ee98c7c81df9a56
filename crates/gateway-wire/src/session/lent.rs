//! Events that a driver takes from the session some at a time, and passes on one by one.

use super::Session;
use super::perform::weight;
use crate::event::ClientEvent;

impl Session {
    /// Returns the next event, as [`next_event`](Self::next_event) does. A message still counts as
    /// waiting, until [`end_loan`](Self::end_loan): so reading pauses, and a violation of the
    /// protocol waits, as if the application took its events directly.
    #[inline]
    pub fn lend_event(&mut self) -> Option<ClientEvent> {
        let lent = &mut self.lent;
        self.events.pop_front(|message| *lent += weight(message))
    }

    /// Returns the backlog cost of the messages that are lent, in bytes.
    #[must_use]
    #[inline]
    pub const fn lent(&self) -> usize {
        self.lent
    }

    /// The application has taken all events that were lent, or never will.
    #[inline]
    pub const fn end_loan(&mut self) {
        self.backlog -= self.lent;
        self.lent = 0;
    }
}
