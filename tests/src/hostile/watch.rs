//! An observer that checks a client's invariants and records nothing else.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_testkit::{Checker, Violation};
use gateway_wire::core::{Config, Observed, Observer};

/// A checker that clones share.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    checker: Option<Checker>,
    violation: Option<Violation>,
    events: usize,
}

impl Watch {
    /// The first invariant that did not hold.
    #[must_use]
    pub fn violation(&self) -> Option<Violation> {
        self.lock().violation.clone()
    }

    /// How many events were observed.
    #[must_use]
    pub fn events(&self) -> usize {
        self.lock().events
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Watch {
    fn begin(&mut self, config: &Config, _: u64) {
        self.lock().checker = Some(Checker::new(Arc::new(config.clone())));
    }

    fn observe(&mut self, observed: &Observed<'_>) {
        let mut books = self.lock();
        books.events += 1;
        if books.violation.is_none() {
            let judged = books.checker.as_mut().map(|checker| checker.observe(observed));
            books.violation = judged.and_then(Result::err);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("violation", &self.violation()).finish_non_exhaustive()
    }
}
