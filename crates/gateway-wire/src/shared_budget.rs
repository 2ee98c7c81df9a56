//! A retry budget that the sessions of several clients share.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_core::{ConfigErrors, Instant, OpenSchedule, RetryBudget};

/// A function that reads the monotonic clock of a [`SharedBudget`].
pub type BudgetClock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// A [`RetryBudget`] that several clients share. Its clones share it, too. Each client's session
/// reserves its opens in it, and releases those that it does not use.
///
/// The instants of two clients cannot be compared, because each client counts its time from its own
/// start. So the budget has a clock of its own, and a session passes spans.
#[derive(Clone)]
pub struct SharedBudget {
    schedule: Arc<Mutex<OpenSchedule>>,
    clock: BudgetClock,
}

impl SharedBudget {
    /// Creates the shared form of a budget. `clock` must run as the clocks of the clients do, from any
    /// epoch.
    ///
    /// # Errors
    /// Each wrong setting of the budget.
    pub fn new(budget: RetryBudget, clock: BudgetClock) -> Result<Self, ConfigErrors> {
        Ok(Self { schedule: Arc::new(Mutex::new(budget.schedule()?)), clock })
    }

    /// How many opens are reserved and still to come.
    #[must_use]
    pub fn reserved(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, OpenSchedule> {
        // The schedule does not panic, so a poisoned lock cannot hold a torn one.
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SharedBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBudget").field("reserved", &self.reserved()).finish_non_exhaustive()
    }
}

/// One client's place in a shared budget. Dropping it releases the reserved open.
#[derive(Debug)]
pub(crate) struct Place {
    budget: SharedBudget,
    /// By the budget's clock.
    reserved: Option<Instant>,
}

impl Place {
    pub(crate) const fn new(budget: SharedBudget) -> Self {
        Self { budget, reserved: None }
    }

    /// Reserves an open at or after `earliest`, in place of the one that was reserved before. Both
    /// times and the result are the client's.
    pub(crate) fn reserve(&mut self, now: Instant, earliest: Instant) -> Instant {
        let shared_now = (self.budget.clock)();
        let wanted = shared_now.saturating_add(earliest.saturating_duration_since(now));
        let mut schedule = self.budget.lock();
        if let Some(before) = self.reserved.take() {
            schedule.release(shared_now, before);
        }
        let at = schedule.reserve(shared_now, wanted);
        self.reserved = Some(at);
        earliest.max(now).saturating_add(at.saturating_duration_since(wanted))
    }

    /// Gives back what is reserved, if its time has not come.
    pub(crate) fn release(&mut self) {
        if let Some(at) = self.reserved.take() {
            let now = (self.budget.clock)();
            self.budget.lock().release(now, at);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn clients_whose_clocks_start_at_different_times_share_one_rate() {
        let clock = Arc::new(AtomicU64::new(5_000));
        let read = Arc::clone(&clock);
        let budget = RetryBudget::new(10, Duration::from_secs(1)).burst(1);
        let clock: BudgetClock = Arc::new(move || at(read.load(Ordering::Relaxed)));
        let budget = SharedBudget::new(budget, clock).unwrap();
        let (mut old, mut new) = (Place::new(budget.clone()), Place::new(budget.clone()));
        assert_eq!(old.reserve(at(90_000), at(90_000)), at(90_000));
        assert_eq!(new.reserve(at(0), at(0)), at(100));
        assert_eq!(budget.reserved(), 2);
        assert_eq!(new.reserve(at(0), at(0)), at(100)); // in place of the first
        assert_eq!(budget.reserved(), 2);
        drop(new);
        assert_eq!(budget.reserved(), 1);
        old.release();
        assert_eq!(budget.reserved(), 1, "its time has come, so it may have opened");
    }
}
