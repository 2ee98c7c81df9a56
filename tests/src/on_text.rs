//! A dialect that calls a function with each text that it sees.

use gateway_tokio::core::{Dialect, Exchange, Interest, Message, Received};

/// Calls this function with each text, and leaves the text to the application.
#[derive(Clone, Debug)]
pub struct OnText<F>(pub F);

impl<F: Fn()> Dialect for OnText<F> {
    fn interest(&self) -> Interest {
        Interest::TEXT
    }

    fn received(&mut self, _: Message<'_>, _: &mut Exchange<'_>) -> Received {
        (self.0)();
        Received::Deliver
    }
}
