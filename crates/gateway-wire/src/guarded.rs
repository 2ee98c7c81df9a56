//! The user's dialect, whose panics end a socket and nothing else.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gateway_core::{
    Dialect, DisconnectCause, Duties, Exchange, Interest, Message, Received, Secrets,
};

use crate::open_failure::panic_text;
use crate::session::BoxDialect;

/// Makes the dialect of a client, and makes it anew after a panic.
pub type DialectFactory = Box<dyn Fn() -> BoxDialect + Send + Sync>;

/// A dialect whose panics are caught. After a panic the socket is left with code 1011 and the
/// panic's text, and the next socket gets a fresh dialect.
pub(crate) struct Guarded {
    make: DialectFactory,
    /// `None` after a panic, until the next socket opens.
    dialect: Option<BoxDialect>,
    /// The duties and the secrets outlive a dialect.
    duties: Duties,
    secrets: Secrets,
}

impl Guarded {
    /// Makes the first dialect.
    pub(crate) fn new(make: DialectFactory) -> Self {
        let mut guarded =
            Self { make, dialect: None, duties: Duties::NONE, secrets: Secrets::default() };
        guarded.renew();
        guarded.duties = guarded.dialect.as_ref().map_or(Duties::NONE, |own| {
            catch_unwind(AssertUnwindSafe(|| own.duties())).unwrap_or_default()
        });
        guarded
    }

    fn renew(&mut self) -> Option<String> {
        match catch_unwind(AssertUnwindSafe(&self.make)) {
            Ok(dialect) => {
                self.dialect = Some(dialect);
                None
            }
            Err(panic) => Some(panic_text(&*panic).to_owned()),
        }
    }

    /// Calls the dialect. After a panic there is none, and its text is returned.
    fn guard<T>(&mut self, call: impl FnOnce(&mut BoxDialect) -> T) -> Result<Option<T>, String> {
        let Some(dialect) = &mut self.dialect else { return Ok(None) };
        match catch_unwind(AssertUnwindSafe(|| call(dialect))) {
            Ok(answer) => Ok(Some(answer)),
            Err(panic) => {
                // Its destructor may panic, too.
                let _ = catch_unwind(AssertUnwindSafe(|| self.dialect = None));
                self.dialect = None;
                Err(panic_text(&*panic).to_owned())
            }
        }
    }

    /// The same for a call with an exchange, which then leaves the socket.
    fn speak<T>(
        &mut self,
        exchange: &mut Exchange<'_>,
        call: impl FnOnce(&mut BoxDialect, &mut Exchange<'_>) -> T,
    ) -> Option<T> {
        let answer = self.guard(|dialect| call(dialect, exchange));
        answer.unwrap_or_else(|text| {
            exchange.fail(format_args!("the dialect panicked: {text}"));
            None
        })
    }
}

#[deny(clippy::missing_trait_methods, reason = "a default would call nothing of the inner one")]
impl Dialect for Guarded {
    fn duties(&self) -> Duties {
        self.duties
    }

    fn is_silent(&self) -> bool {
        false
    }

    fn interest(&self) -> Interest {
        let Some(dialect) = &self.dialect else { return Interest::NONE };
        // A dialect that panics here sees the next message, and most likely panics again.
        catch_unwind(AssertUnwindSafe(|| dialect.interest())).unwrap_or(Interest::ALL)
    }

    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        if self.dialect.is_none() {
            if let Some(text) = self.renew() {
                return exchange.fail(format_args!("the dialect panicked: {text}"));
            }
            let secrets = std::mem::take(&mut self.secrets);
            self.secrets(&secrets);
        }
        let _ = self.speak(exchange, |dialect, exchange| dialect.opened(exchange));
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        self.speak(exchange, |dialect, exchange| dialect.received(message, exchange))
            .unwrap_or(Received::Deliver)
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        let _ = self.speak(exchange, |dialect, exchange| dialect.heartbeat(exchange));
    }

    fn closing(&mut self, exchange: &mut Exchange<'_>) {
        let _ = self.speak(exchange, |dialect, exchange| dialect.closing(exchange));
    }

    fn secrets(&mut self, secrets: &Secrets) {
        self.secrets = secrets.clone();
        // The next call says that there is no dialect.
        let _ = self.guard(|dialect| dialect.secrets(secrets));
    }

    fn lost(&mut self, cause: DisconnectCause) {
        let _ = self.guard(|dialect| dialect.lost(cause));
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}
