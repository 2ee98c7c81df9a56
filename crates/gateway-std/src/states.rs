//! A watch of the connection's state.

use std::fmt;
use std::sync::Arc;

use gateway_core::ConnectionState;

use crate::mailbox::{Mailbox, Standing};

/// A watch of the connection's state; see [`Sender::states`](crate::Sender::states). It shows the
/// newest state: if you look late, you miss those in between. The client shows its state whenever it
/// has done something, so another thread must ask it for events.
pub struct States {
    mailbox: Arc<Mailbox>,
    /// The number of changes that were seen.
    seen: Option<u64>,
}

impl States {
    pub(crate) const fn new(mailbox: Arc<Mailbox>) -> Self {
        Self { mailbox, seen: None }
    }

    /// Returns the state now; CLOSED if the client was dropped.
    #[must_use]
    pub fn current(&self) -> ConnectionState {
        self.mailbox.lock().standing.state
    }

    /// Waits until the state may have changed since the last call, and returns it. The first call
    /// returns at once. Returns `None` once the client was dropped, and if it would have to wait
    /// within an observer, a dialect or a correlator.
    pub fn changed(&mut self) -> Option<ConnectionState> {
        let seen = self.seen;
        let (standing, changes) = self.mailbox.wait_until(|standing, changes| {
            (standing == Standing::GONE || seen != Some(changes)).then_some((standing, changes))
        })?;
        self.seen = Some(changes);
        (standing != Standing::GONE).then_some(standing.state)
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("States").field("current", &self.current()).finish_non_exhaustive()
    }
}
