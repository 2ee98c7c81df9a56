//! Runs a client in a task. Handles and events share its session with the task.
//!
//! `shared.rs` has the lock, and the rules for what runs under it. `driver.rs` is the task.

mod driver;
mod error;
mod events;
mod handle;
mod permit;
mod send;
mod shared;
mod standing;
mod states;
mod turns;
mod wakes;

use self::driver::Driver;
pub use self::error::{HandleError, HandleErrorKind};
pub use self::events::Events;
pub use self::handle::Handle;
pub use self::permit::Permit;
use self::shared::Shared;
pub use self::states::States;
use crate::client::Client;
use crate::sync::Arc;

impl Client {
    /// Runs the client in a new task on the current runtime.
    ///
    /// Handles and events use the same client as the task, so nothing is queued twice: the bounds
    /// are those of [`Limits`](crate::Limits) and [`ClientEvent`](crate::ClientEvent). The task
    /// keeps the client's deadlines even while you take no events.
    ///
    /// The task runs as long as a [`Handle`] or the [`Events`] exist, also while the connection is
    /// CLOSED. When the last of them is dropped, the client closes the connection with 1000, and the
    /// task ends. Its log lines, and those of your provider and `Dial`, are in the client's span.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime, as [`tokio::spawn`] does.
    pub fn spawn(self) -> (Handle, Events) {
        let (mut engine, wakers) = self.into_parts();
        engine.end_wait(); // of a future that was dropped before the client was spawned
        engine.register_for_suspends(); // this may log, which must not be under the lock
        engine.host_mut().poll_outside();
        let mut log = engine.session_mut().defer_log();
        let _ = log.span(); // its parent is the current span
        let (clock, waker) = (engine.host().clock().clone(), engine.host().waker().clone());
        let shared = Shared::new(engine, wakers);
        tokio::spawn(Driver::new(Arc::clone(&shared), log, clock, waker));
        (Handle::first(Arc::clone(&shared)), Events::only(shared))
    }
}
