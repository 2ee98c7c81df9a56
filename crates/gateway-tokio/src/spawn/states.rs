//! A watch of the connection's state.

use std::fmt;
use std::future::poll_fn;
use std::task::Poll;

use gateway_core::ConnectionState;
use gateway_wire::Session;

use super::shared::Shared;
use super::standing::Watch;
use crate::sync::Arc;

/// A watch of the connection's state; see [`Handle::states`](crate::Handle::states). It shows the
/// newest state: if you look late, you miss those in between. It does not keep the client's task
/// running.
pub struct States {
    shared: Arc<Shared>,
    /// The number of changes that were seen.
    seen: Option<u64>,
}

impl States {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, seen: None }
    }

    /// Returns the state now; CLOSED if the client's task is gone.
    #[must_use]
    pub fn current(&self) -> ConnectionState {
        self.shared.standing().state()
    }

    /// Waits until the state may have changed since the last call, and returns it. The first call
    /// returns at once. Returns `None` once the client's task is gone. Under the
    /// [lock](crate::Handle), it waits until the caller is outside.
    ///
    /// Cancel-safe: if you drop the future, the next call returns the change.
    pub async fn changed(&mut self) -> Option<ConnectionState> {
        let seen = self.seen;
        let mut watch = Watch::new(&self.shared);
        let look = |looked: Option<(&Session, u64)>| match looked {
            None => Some(None),
            Some((_, changes)) if seen == Some(changes) => None,
            Some((session, changes)) => Some(Some((session.state(), changes))),
        };
        let changed = poll_fn(|cx| match watch.poll(cx, &look) {
            Poll::Ready(None) => {
                cx.waker().wake_by_ref(); // looks again from outside of the lock
                Poll::Pending
            }
            Poll::Ready(Some(changed)) => Poll::Ready(changed),
            Poll::Pending => Poll::Pending,
        });
        let (state, changes) = changed.await?;
        self.seen = Some(changes);
        Some(state)
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("States").field("current", &self.current()).finish_non_exhaustive()
    }
}
