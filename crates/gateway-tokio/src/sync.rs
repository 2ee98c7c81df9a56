//! The types that threads share. The model checker in `tools/interleavings` puts its own in their
//! place.

pub(crate) use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
pub(crate) use std::sync::{Arc, MutexGuard as Guard};
use std::sync::{Mutex, PoisonError};

pub(crate) use futures_util::task::AtomicWaker;

/// A lock that is held for a short time.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Locks it. `None` if a thread has panicked while it held the lock.
    #[inline]
    pub(crate) fn lock(&self) -> Option<Guard<'_, T>> {
        self.0.lock().ok()
    }

    /// Locks it in any case.
    pub(crate) fn rescue(&self) -> Guard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    pub(crate) fn is_poisoned(&self) -> bool {
        self.0.is_poisoned()
    }

    /// What it holds can be trusted again.
    pub(crate) fn clear_poison(&self) {
        self.0.clear_poison();
    }
}

/// Whether this thread is inside a client's lock.
pub(crate) mod inside {
    use std::cell::{Cell, RefCell};

    /// What waits until the thread is outside.
    type Deferred = Box<dyn FnOnce()>;

    thread_local! {
        static INSIDE: Cell<bool> = const { Cell::new(false) };
        static HAS_DEFERRED: Cell<bool> = const { Cell::new(false) };
        static DEFERRED: RefCell<Vec<Deferred>> = const { RefCell::new(Vec::new()) };
    }

    /// Sets the flag, and returns what it was.
    #[inline]
    pub(crate) fn replace(inside: bool) -> bool {
        INSIDE.with(|flag| flag.replace(inside))
    }

    pub(crate) fn is_inside() -> bool {
        INSIDE.with(Cell::get)
    }

    /// Runs `act` once this thread is outside.
    pub(crate) fn defer(act: impl FnOnce() + 'static) {
        DEFERRED.with_borrow_mut(|deferred| deferred.push(Box::new(act)));
        HAS_DEFERRED.set(true);
    }

    /// Runs what was deferred. Call this outside.
    #[inline]
    pub(crate) fn run_deferred() {
        if HAS_DEFERRED.get() {
            run_all();
        }
    }

    #[cold]
    fn run_all() {
        HAS_DEFERRED.set(false);
        DEFERRED.take().into_iter().for_each(|act| act());
    }
}
