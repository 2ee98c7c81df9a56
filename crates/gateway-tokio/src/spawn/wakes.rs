//! What is done after a client is unlocked: tasks are woken, and wakers dropped.

use std::task::Waker;

/// The tasks to wake.
pub(crate) trait Due {
    /// Wakes the driver later.
    fn wake_driver(&mut self);

    /// Whether the driver is to be woken.
    fn wakes_driver(&self) -> bool;

    /// Wakes all tasks but the driver.
    fn wake(&mut self);
}

/// Whether the driver is to be woken, where no other task may be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WakeDriver(bool);

impl Due for WakeDriver {
    #[inline]
    fn wake_driver(&mut self) {
        self.0 = true;
    }

    #[inline]
    fn wakes_driver(&self) -> bool {
        self.0
    }

    #[inline]
    fn wake(&mut self) {}
}

/// All tasks to wake. A waker may run a task at once, or drop one: never under the lock.
#[derive(Debug, Default)]
#[must_use = "a task that is not woken waits without end"]
pub(crate) struct Wakes {
    driver: WakeDriver,
    first: Option<Waker>,
    others: Vec<Waker>,
    /// Wakers that are only dropped: their tasks have given another one, or wait no longer.
    spent: Vec<Waker>,
}

impl Wakes {
    /// Wakes this task.
    pub(crate) fn push(&mut self, waker: Option<Waker>) {
        match waker {
            None => {}
            first if self.first.is_none() => self.first = first,
            Some(other) => self.others.push(other),
        }
    }

    /// Drops a waker outside of the lock, and wakes no one.
    pub(crate) fn spend(&mut self, waker: Option<Waker>) {
        self.spent.extend(waker);
    }

    /// Keeps `waker` in `place`, in place of an older one.
    pub(crate) fn renew(&mut self, place: &mut Option<Waker>, waker: &Waker) {
        if !place.as_ref().is_some_and(|own| own.will_wake(waker)) {
            self.spend(place.replace(waker.clone()));
        }
    }
}

impl Due for Wakes {
    fn wake_driver(&mut self) {
        self.driver.wake_driver();
    }

    fn wakes_driver(&self) -> bool {
        self.driver.wakes_driver()
    }

    fn wake(&mut self) {
        if let Some(first) = self.first.take() {
            first.wake();
            self.others.drain(..).for_each(Waker::wake);
        }
    }
}
