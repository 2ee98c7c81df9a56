//! Flow control: when the session stops reading, and how it reports this to the core.

use gateway_core::{ConnectionState, Event, Instant};

use super::link::Link;
use super::perform::Payload;
use super::{Behind, Session};

impl Session {
    /// Sets whether the application has stopped taking messages. While it has (`held`), only the
    /// answer to a login is read. The timers keep running.
    pub const fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Whether an [`update_flow`](Self::update_flow) is due, because the application has stopped or
    /// resumed taking messages since the last one.
    #[must_use]
    pub fn is_flow_changed(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.is_left) && self.paused == self.has_space()
    }

    /// Reports to the core that the application has stopped or resumed taking messages.
    pub fn update_flow(&mut self, now: Instant) {
        let Some(id) = self.connection.socket().filter(|_| self.is_flow_changed()) else {
            return self.ignore();
        };
        self.paused = !self.has_space();
        let event = if self.paused { Event::ReadingPaused(id) } else { Event::ReadingResumed(id) };
        self.at(now, event, Payload::None);
    }

    /// Whether the driver should read from the socket.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        // A peer that does not read our answers may be dead: reading stops, but its deadlines keep
        // running.
        let answers = self.link.as_ref().map_or(0, Link::waiting_answers);
        answers <= self.limits.owed && self.has_space()
    }

    /// Whether another message may be read.
    fn has_space(&self) -> bool {
        // The login has a deadline. So its answer is read even if the application takes no
        // messages, up to twice the backlog.
        let logging_in = self.state() == ConnectionState::Connected && !self.is_connection_ready();
        // Answers that their callers have not taken count, too, and are never dropped.
        let answers = self.untaken_answers();
        let backlog = self.backlog.saturating_add(answers);
        if logging_in {
            return backlog <= self.limits.backlog.saturating_mul(2);
        }
        let has_space = match self.behind {
            Behind::StopReading => backlog <= self.limits.backlog,
            Behind::DropOldest => answers <= self.limits.backlog,
        };
        !self.held && !self.is_breached() && has_space
    }
}
