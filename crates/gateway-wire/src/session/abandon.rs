//! The end of a session whose driver is gone: its messages get their outcomes, and its events wait for
//! the application.

use super::Session;
use crate::event::ClientEvent;
use crate::event_queue::EventQueue;

/// The events that the application has not taken yet, of a session whose driver is gone.
#[derive(Debug)]
#[must_use = "outcomes of messages are among these events"]
pub struct Unread(EventQueue);

impl Unread {
    /// Whether no event is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for Unread {
    fn default() -> Self {
        Self(EventQueue::new())
    }
}

impl Iterator for Unread {
    type Item = ClientEvent;

    fn next(&mut self) -> Option<ClientEvent> {
        self.0.pop_front(|_| {})
    }
}

impl Session {
    /// Settles all messages as if their socket were lost, and returns the events that the
    /// application has not taken. `offered` is how many of the pending bytes the transport may have
    /// taken without a report: zero, unless code has panicked during a write.
    ///
    /// Call this if the driver ends while the connection is not CLOSED, and drop the session then.
    pub fn abandon(&mut self, offered: usize) -> Unread {
        if let Some(mut link) = self.link.take() {
            link.output.on_failed(offered);
            self.settle_lost(&link);
        }
        self.settle_closing();
        Unread(std::mem::replace(&mut self.events, EventQueue::new()))
    }
}
