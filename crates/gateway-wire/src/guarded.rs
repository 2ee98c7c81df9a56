//! The user's dialect, whose panics end a socket and nothing else.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gateway_core::{
    Dialect, DisconnectCause, Duties, Exchange, Interest, Message, Received, Secrets,
};

use crate::open_failure::panic_text;
use crate::session::BoxDialect;

/// Makes the dialect of a client, and another one after a panic.
pub type DialectFactory = Box<dyn Fn() -> BoxDialect + Send + Sync>;

/// A dialect whose panics are caught. After a panic the socket is left with code 1011 and the
/// panic's text, and the next socket gets a fresh dialect.
pub(crate) struct Guarded {
    make: DialectFactory,
    /// `None` after a panic, until the next socket opens.
    dialect: Option<BoxDialect>,
    /// The text of a panic that no exchange has reported yet.
    panic: Option<String>,
    /// The duties and the secrets outlive a dialect.
    duties: Duties,
    secrets: Secrets,
}

impl Guarded {
    /// Makes the first dialect.
    ///
    /// # Errors
    /// Returns the panic's text if the factory or [`Dialect::duties`] panics.
    pub(crate) fn new(make: DialectFactory) -> Result<Self, String> {
        let first = catch_unwind(AssertUnwindSafe(|| {
            let dialect = make();
            let duties = dialect.duties();
            (dialect, duties)
        }));
        let (dialect, duties) = first.map_err(|panic| panic_text(&*panic).to_owned())?;
        let secrets = Secrets::default();
        Ok(Self { make, dialect: Some(dialect), panic: None, duties, secrets })
    }

    /// Makes a dialect in place of one that panicked.
    fn renew(&mut self) {
        match catch_unwind(AssertUnwindSafe(&self.make)) {
            Ok(dialect) => {
                self.dialect = Some(dialect);
                self.panic = None;
                let secrets = std::mem::take(&mut self.secrets);
                self.secrets(&secrets);
            }
            Err(panic) => self.panic = Some(panic_text(&*panic).to_owned()),
        }
    }

    /// Calls the dialect. After a panic there is none, and the panic's text is kept.
    fn guard<T>(&mut self, call: impl FnOnce(&mut BoxDialect) -> T) -> Option<T> {
        let dialect = self.dialect.as_mut()?;
        match catch_unwind(AssertUnwindSafe(|| call(dialect))) {
            Ok(answer) => Some(answer),
            Err(panic) => {
                let broken = self.dialect.take();
                // Its destructor may panic, too.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(broken)));
                self.panic = Some(panic_text(&*panic).to_owned());
                None
            }
        }
    }

    /// The same for a call with an exchange. It leaves the socket if a call has panicked.
    fn speak<T>(
        &mut self,
        exchange: &mut Exchange<'_>,
        call: impl FnOnce(&mut BoxDialect, &mut Exchange<'_>) -> T,
    ) -> Option<T> {
        let answer = self.guard(|dialect| call(dialect, exchange));
        if let Some(text) = self.panic.take() {
            exchange.fail(format_args!("the dialect panicked: {text}"));
        }
        answer
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
        // The panic of a call that could not leave the socket ends this one.
        if self.dialect.is_none() && self.panic.is_none() {
            self.renew();
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
        // `opened` follows, and reports a panic.
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
