//! Whether this thread runs an observer, a dialect or a correlator. There, a sender must not wait:
//! the client that it would wait for may be the one that called, or may wait for that one.

use std::cell::Cell;

use gateway_core::{
    Config, Dialect, DisconnectCause, Duties, Exchange, Instant, Interest, Message, Observed,
    Observer, Received, Secrets, SendingFact,
};
use gateway_wire::{BoxDialect, BoxObserver, CorrelationError, Correlator, Message as SentMessage};

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside an observer, a dialect or a correlator of any client.
pub(crate) fn is_inside() -> bool {
    INSIDE.get()
}

/// Marks this thread as inside. Restores what was before, also if the code panics.
struct Stay {
    was_inside: bool,
}

impl Stay {
    fn begin() -> Self {
        Self { was_inside: INSIDE.replace(true) }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        INSIDE.set(self.was_inside);
    }
}

/// An observer, a dialect or a correlator whose calls are marked.
pub(crate) struct Marked<T>(pub(crate) T);

#[deny(clippy::missing_trait_methods, reason = "a default would call nothing of the inner one")]
impl Observer for Marked<BoxObserver> {
    fn begin(&mut self, config: &Config, seed: u64) {
        let _stay = Stay::begin();
        self.0.begin(config, seed);
    }

    fn observe(&mut self, observed: &Observed<'_>) {
        let _stay = Stay::begin();
        self.0.observe(observed);
    }

    fn sending(&mut self, now: Instant, fact: &SendingFact) {
        let _stay = Stay::begin();
        self.0.sending(now, fact);
    }
}

#[deny(clippy::missing_trait_methods, reason = "a default would call nothing of the inner one")]
impl Dialect for Marked<BoxDialect> {
    fn duties(&self) -> Duties {
        let _stay = Stay::begin();
        self.0.duties()
    }

    fn is_silent(&self) -> bool {
        let _stay = Stay::begin();
        self.0.is_silent()
    }

    fn interest(&self) -> Interest {
        let _stay = Stay::begin();
        self.0.interest()
    }

    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        let _stay = Stay::begin();
        self.0.opened(exchange);
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        let _stay = Stay::begin();
        self.0.received(message, exchange)
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        let _stay = Stay::begin();
        self.0.heartbeat(exchange);
    }

    fn closing(&mut self, exchange: &mut Exchange<'_>) {
        let _stay = Stay::begin();
        self.0.closing(exchange);
    }

    fn secrets(&mut self, secrets: &Secrets) {
        let _stay = Stay::begin();
        self.0.secrets(secrets);
    }

    fn lost(&mut self, cause: DisconnectCause) {
        let _stay = Stay::begin();
        self.0.lost(cause);
    }
}

#[deny(clippy::missing_trait_methods, reason = "a default would call nothing of the inner one")]
impl Correlator for Marked<Box<dyn Correlator>> {
    fn attach(&mut self, id: u64, message: &SentMessage) -> Result<SentMessage, CorrelationError> {
        let _stay = Stay::begin();
        self.0.attach(id, message)
    }

    fn answered(&mut self, message: &SentMessage) -> Option<u64> {
        let _stay = Stay::begin();
        self.0.answered(message)
    }

    fn greatest_id(&self) -> u64 {
        let _stay = Stay::begin();
        self.0.greatest_id()
    }
}
