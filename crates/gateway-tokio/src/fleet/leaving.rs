//! Clients that leave their fleet within a time.

use std::pin::pin;
use std::time::Duration;

use gateway_wire::{Account, Departure, Name};
use tokio::task::coop;

use crate::clock::after;
use crate::spawn::Handle;

/// Clients that drain and close. If this is dropped, those that have not ended are cut off.
pub(super) struct Leaving {
    members: Vec<(Name, Handle)>,
    departure: Departure,
}

impl Leaving {
    /// All of them start to drain.
    pub(super) fn begin(
        members: impl IntoIterator<Item = (Name, Handle)>,
        within: Duration,
    ) -> Self {
        let leaving =
            Self { members: members.into_iter().collect(), departure: Departure::new(within) };
        for (_, handle) in &leaving.members {
            handle.leave(Some(leaving.departure.drain));
        }
        leaving
    }

    /// Waits until all have ended, or until it is time to cut them off.
    pub(super) async fn accounts(self) -> Vec<Account> {
        let mut cut = pin!(after(self.departure.cut));
        let mut is_late = false;
        let mut accounts = Vec::with_capacity(self.members.len());
        for (name, handle) in &self.members {
            if !is_late {
                // Cancel-safe: a client that has ended stays so.
                tokio::select! {
                    biased;
                    _ = handle.closed() => {}
                    () = &mut cut => is_late = true,
                }
            }
            accounts.push(handle.cut(name.clone()));
            coop::consume_budget().await; // there may be thousands
        }
        accounts
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        for (name, handle) in self.members.drain(..) {
            let _ = handle.cut(name);
        }
    }
}
