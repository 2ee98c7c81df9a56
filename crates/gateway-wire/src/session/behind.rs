//! What a client does while its application takes no messages.

use super::Session;
use super::perform::weight;

/// What a client does while the messages that its application has not taken reach
/// [`Limits::backlog`](crate::Limits::backlog).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behind {
    /// It stops reading. The server's messages wait in the network, and then at the server. No
    /// message is lost, but the server may close the connection. The default.
    #[default]
    StopReading,
    /// It goes on reading, and drops the oldest messages that the application has not taken, but
    /// never the newest:
    /// [`MessagesDropped`](crate::ClientEvent::MessagesDropped) counts them. For feeds, where only
    /// the newest message matters.
    DropOldest,
}

impl Session {
    /// Sets what the session does while the application takes no messages.
    #[must_use]
    pub const fn with_behind(mut self, behind: Behind) -> Self {
        self.behind = behind;
        self
    }

    /// Returns how many received messages were dropped because the application took none.
    #[must_use]
    pub const fn dropped_messages(&self) -> u64 {
        self.dropped_messages
    }

    /// Drops the oldest messages until three quarters of the limit are left, or only the newest
    /// message. A drop walks through the whole queue, so it drops many at once. Messages that are
    /// lent are no longer in the queue, so they do not count.
    #[cold]
    pub(super) fn drop_oldest_messages(&mut self) {
        let keeps = (self.limits.backlog / 4 * 3).saturating_add(self.lent);
        let backlog = &mut self.backlog;
        let dropped = self.events.drop_messages(|message| {
            let drops = *backlog > keeps;
            if drops {
                *backlog -= weight(message);
            }
            drops
        });
        self.dropped_messages = self.dropped_messages.saturating_add(dropped);
        if dropped > 0 {
            self.log.messages_dropped(dropped);
        }
    }
}
