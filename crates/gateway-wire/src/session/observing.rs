//! The observer of a session, and the facts that it has not received yet.

use std::thread;

use gateway_core::{Instant, Observed, SendingFact};

use super::{BoxObserver, Session};

/// The greatest capacity that is kept for facts. A call seldom has more.
const KEPT: usize = 16;

/// An observer. It receives a fact only once the session is consistent again: if the observer
/// panicked earlier, messages would lose their outcomes.
pub(super) struct Observing {
    observer: BoxObserver,
    facts: Vec<(Instant, SendingFact)>,
    /// Whether the observer is called now. If it panics, this stays true, and it is not called again.
    is_called: bool,
}

impl Observing {
    pub(super) const fn new(observer: BoxObserver) -> Self {
        Self { observer, facts: Vec::new(), is_called: false }
    }

    /// Passes on an event, after the facts before it.
    pub(super) fn observe(&mut self, observed: &Observed<'_>) {
        if self.is_called {
            return;
        }
        self.is_called = true;
        self.observer.observe(observed);
        self.is_called = false;
    }

    #[cold]
    fn report(&mut self) {
        let mut facts = std::mem::take(&mut self.facts);
        if self.is_called {
            return;
        }
        self.is_called = true;
        for (now, fact) in facts.drain(..) {
            self.observer.sending(now, &fact);
        }
        self.is_called = false;
        if facts.capacity() <= KEPT {
            self.facts = facts;
        }
    }
}

/// A session that is abandoned settles its messages under its driver's lock. The observer receives
/// these facts here, when no lock is held.
impl Drop for Observing {
    fn drop(&mut self) {
        if !self.is_called && !thread::panicking() {
            self.report();
        }
    }
}

/// Takes facts for the observer, if there is one.
pub(crate) struct Facts<'a> {
    observing: Option<&'a mut Observing>,
    now: Instant,
}

impl<'a> Facts<'a> {
    pub(super) fn new(observing: &'a mut Option<Box<Observing>>, now: Instant) -> Self {
        Self { observing: observing.as_deref_mut(), now }
    }

    pub(crate) fn note(&mut self, fact: SendingFact) {
        if let Some(observing) = &mut self.observing {
            observing.facts.push((self.now, fact));
        }
    }
}

impl Session {
    /// Notes a fact. The public method that runs now [reports](Self::report_facts) it.
    pub(super) fn note(&mut self, fact: SendingFact) {
        Facts::new(&mut self.observer, self.now).note(fact);
    }

    /// Passes the facts to the observer and to the metrics. Call this where the session is consistent.
    #[inline]
    pub(super) fn report_facts(&mut self) {
        self.measure();
        if let Some(observing) = &mut self.observer
            && !observing.facts.is_empty()
        {
            observing.report();
        }
    }
}
