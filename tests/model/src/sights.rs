//! What was seen on the way: a law that holds of histories in which nothing happens says nothing.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gateway_core::{Action, Actions, Notice};

/// A kind of news, and which: `("disconnected", "pong_timeout")`.
pub(crate) type Sight = (&'static str, &'static str);

/// How often each was seen, over all steps of the search.
#[derive(Debug, Default)]
pub(crate) struct Sights(Mutex<BTreeMap<Sight, u64>>);

impl Sights {
    pub(crate) fn take(&self, actions: &Actions) {
        for action in actions {
            if let Action::Notify(notice) = action
                && let Some(sight) = sight(notice)
            {
                *self.book().entry(sight).or_default() += 1;
            }
        }
    }

    /// Those of `expected` that were never seen.
    pub(crate) fn missing(&self, expected: &[Sight]) -> Vec<Sight> {
        let book = self.book();
        expected.iter().filter(|sight| !book.contains_key(*sight)).copied().collect()
    }

    fn book(&self) -> MutexGuard<'_, BTreeMap<Sight, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // counters are whole at any time
    }
}

impl fmt::Display for Sights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ((kind, which), times)) in self.book().iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{kind} {which} {times}")?;
        }
        Ok(())
    }
}

fn sight(notice: &Notice) -> Option<Sight> {
    match notice {
        Notice::Disconnected { cause, .. } => Some(("disconnected", cause.name())),
        Notice::GaveUp { cause } => Some(("gave_up", cause.name())),
        Notice::Stale { what, .. } => Some(("stale", what.name())),
        Notice::RetryScheduled { because, .. } => Some(("retry", because.name())),
        Notice::SendRejected(why) => Some(("rejected", why.name())),
        Notice::ClockJumped { .. } => Some(("notice", "clock_jumped")),
        Notice::Ready { .. } => Some(("notice", "ready")),
        Notice::PongReceived { .. } => Some(("notice", "pong_received")),
        _ => None,
    }
}
