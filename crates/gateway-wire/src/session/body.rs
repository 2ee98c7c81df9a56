//! The wait for the body of an answer that refuses the upgrade.

use std::time::Duration;

use gateway_core::{Instant, SocketId};

use super::Session;

impl Session {
    /// How long the body of a refusal is waited for: it often comes in the packet after the head's.
    pub const BODY_WAIT: Duration = Duration::from_secs(1);

    /// The server has refused attempt `id`, and the body that says why is on its way:
    /// [`deadline`](Self::deadline) includes the end of the wait for it. A driver that finds it due
    /// reports [`open_failed`](Self::open_failed) before it [ticks](Self::tick). Later calls for
    /// the same attempt change nothing.
    pub fn wait_for_body(&mut self, now: Instant, id: SocketId) {
        let is_waiting = self.body_due.is_some_and(|(socket, _)| socket == id);
        if !is_waiting && self.connection.socket() == Some(id) {
            self.body_due = Some((id, now.saturating_add(Self::BODY_WAIT)));
        }
    }

    pub(super) fn body_deadline(&self) -> Option<Instant> {
        let (id, due) = self.body_due?;
        (self.connection.socket() == Some(id)).then_some(due)
    }
}
