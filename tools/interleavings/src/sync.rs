//! loom's types under the names of `crates/gateway-tokio/src/sync.rs`.

use std::task::Waker;

pub(crate) use loom::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
pub(crate) use loom::sync::{Arc, MutexGuard as Guard};

/// A lock. In these scenarios no thread panics while it holds one.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(loom::sync::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> Option<Guard<'_, T>> {
        self.0.lock().ok()
    }

    pub(crate) fn rescue(&self) -> Guard<'_, T> {
        self.0.lock().expect("loom's locks are never poisoned")
    }

    #[allow(clippy::unused_self)]
    pub(crate) fn is_poisoned(&self) -> bool {
        false
    }

    #[allow(clippy::unused_self)]
    pub(crate) fn clear_poison(&self) {}
}

/// Registers and wakes in one step each, as an `AtomicWaker` appears to. loom's own prints each.
#[derive(Debug, Default)]
pub(crate) struct AtomicWaker(loom::sync::Mutex<Option<Waker>>);

impl AtomicWaker {
    pub(crate) fn register(&self, waker: &Waker) {
        *self.0.lock().expect("never poisoned") = Some(waker.clone());
    }

    pub(crate) fn wake(&self) {
        let waker = self.0.lock().expect("never poisoned").take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Whether this thread is inside a client's lock.
pub(crate) mod inside {
    use std::cell::{Cell, RefCell};

    loom::thread_local! {
        static INSIDE: Cell<bool> = Cell::new(false);
        static DEFERRED: RefCell<Vec<Box<dyn FnOnce()>>> = RefCell::new(Vec::new());
    }

    /// Sets the flag, and returns what it was.
    pub(crate) fn replace(inside: bool) -> bool {
        INSIDE.with(|flag| flag.replace(inside))
    }

    pub(crate) fn is_inside() -> bool {
        INSIDE.with(Cell::get)
    }

    /// Runs `act` once this thread is outside.
    pub(crate) fn defer(act: impl FnOnce() + 'static) {
        DEFERRED.with(|deferred| deferred.borrow_mut().push(Box::new(act)));
    }

    /// Runs what was deferred. Call this outside.
    pub(crate) fn run_deferred() {
        let deferred = DEFERRED.with(|deferred| deferred.take());
        deferred.into_iter().for_each(|act| act());
    }
}
