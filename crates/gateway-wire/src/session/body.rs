//! The wait for the body of an answer that refuses the upgrade.

use std::time::Duration;

use gateway_core::{Instant, SocketId};

use super::Session;

impl Session {
    /// How long a driver waits for a refusal's body. It often comes in the packet after the head.
    pub const BODY_WAIT: Duration = Duration::from_secs(1);

    /// Starts the wait for the body of a refusal. Call this when the server has refused attempt
    /// `id`, and the body with the reason is still to come. [`deadline`](Self::deadline) then
    /// includes the end of the wait. If that is due, report [`open_failed`](Self::open_failed)
    /// before you [tick](Self::tick).
    ///
    /// Later calls for the same attempt change nothing.
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
