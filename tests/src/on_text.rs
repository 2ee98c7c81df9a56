//! A dialect that calls a function with each text that it looks at.

use gateway_tokio::core::{Dialect, JsonDialect, Recognised, UnixMillis};

/// The JSON dialect, which first calls this function with each text.
#[derive(Clone, Debug)]
pub struct OnText<F>(pub F);

impl<F: Fn()> Dialect for OnText<F> {
    fn write_ping(&self, timestamp: Option<UnixMillis>, into: &mut String) {
        JsonDialect.write_ping(timestamp, into);
    }

    fn write_pong(&self, timestamp: Option<UnixMillis>, into: &mut String) {
        JsonDialect.write_pong(timestamp, into);
    }

    fn recognise(&self, text: &str) -> Recognised {
        (self.0)();
        JsonDialect.recognise(text)
    }
}
