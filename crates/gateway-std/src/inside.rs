//! Whether this thread runs an observer or a dialect. There, a sender must not wait: the client that
//! it would wait for may be the one that called, or may wait for that one.

use std::cell::Cell;

use gateway_core::{
    Config, Dialect, Login, LoginAnswer, Observed, Observer, Recognised, UnixMillis,
};
use gateway_wire::{BoxDialect, BoxObserver};

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside an observer or a dialect of any client.
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

/// An observer or a dialect whose calls are marked.
pub(crate) struct Marked<T>(pub(crate) T);

#[deny(clippy::missing_trait_methods, reason = "a default would call nothing of the inner one")]
impl Observer for Marked<BoxObserver> {
    fn begin(&mut self, config: &Config, seed: u64) {
        let _stay = Stay::begin();
        self.0.begin(config, seed);
    }

    fn observe(&mut self, observed: &Observed<'_>, dialect: &dyn Dialect) {
        let _stay = Stay::begin();
        self.0.observe(observed, dialect);
    }
}

#[deny(clippy::missing_trait_methods, reason = "a default would call nothing of the inner one")]
impl Dialect for Marked<BoxDialect> {
    fn write_ping(&self, timestamp: Option<UnixMillis>, into: &mut String) {
        let _stay = Stay::begin();
        self.0.write_ping(timestamp, into);
    }

    fn write_pong(&self, timestamp: Option<UnixMillis>, into: &mut String) {
        let _stay = Stay::begin();
        self.0.write_pong(timestamp, into);
    }

    fn recognise(&self, text: &str) -> Recognised {
        let _stay = Stay::begin();
        self.0.recognise(text)
    }

    fn write_login(&self, login: &Login, into: &mut String) {
        let _stay = Stay::begin();
        self.0.write_login(login, into);
    }

    fn judge_login(&self, login: &Login, text: &str) -> LoginAnswer {
        let _stay = Stay::begin();
        self.0.judge_login(login, text)
    }
}
