//! The types that threads share. The model checker in `tools/interleavings` puts its own in their
//! place.

pub(crate) use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
pub(crate) use std::sync::{Arc, MutexGuard as Guard};
use std::sync::{Mutex, PoisonError, TryLockError};

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

    /// Locks it, unless it is locked.
    pub(crate) fn try_rescue(&self) -> Option<Guard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[inline]
    pub(crate) fn is_poisoned(&self) -> bool {
        self.0.is_poisoned()
    }
}

/// Whether this thread is inside a client's lock.
pub(crate) mod inside {
    use std::cell::Cell;

    thread_local! {
        static INSIDE: Cell<bool> = const { Cell::new(false) };
    }

    /// Sets the flag, and returns what it was.
    #[inline]
    pub(crate) fn replace(inside: bool) -> bool {
        INSIDE.with(|flag| flag.replace(inside))
    }
}
