//! Runs a client in a task. Handles and events share its session with the task.
//!
//! `shared.rs` has the lock, and the rules for what runs under it. `driver.rs` is the task.

mod driver;
mod error;
mod events;
mod handle;
mod member;
mod permit;
mod request;
mod send;
mod shared;
mod standing;
mod states;
mod turns;
mod users;
mod wakes;

pub(crate) use self::driver::split;
pub use self::error::{HandleError, HandleErrorKind};
pub use self::events::Events;
pub use self::handle::Handle;
pub(crate) use self::member::MemberEvents;
pub use self::permit::Permit;
pub use self::states::States;
use crate::client::Client;

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
    #[must_use = "the connection closes once the handle and the events are dropped"]
    pub fn spawn(self) -> (Handle, Events) {
        let (engine, wakers) = self.into_parts();
        let (handle, events, driver) = split(engine, wakers);
        tokio::spawn(driver);
        (handle, events)
    }
}
