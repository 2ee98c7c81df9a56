//! Why a provider gave no request, and what follows.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use gateway_core::{Config, Verdict};

use crate::open_failure::panic_text;

/// An error of a provider, with its verdict. The attempt fails with the cause `provider`, and the
/// error's text is in the disconnection and in the log. So it must not contain a secret. An error of
/// the crate `reqwest` shows its URL with the query: call its `without_url` before `?`.
///
/// `?` converts any error, and a text, into one that is retried with backoff. As with
/// `Box<dyn Error>`, this type itself is no [`Error`].
///
/// ```
/// use std::time::Duration;
/// use gateway_wire::{ProviderError, core::Verdict};
///
/// fn token(answer: &str) -> Result<u64, ProviderError> {
///     match answer {
///         "busy" => Err(ProviderError::not_before(Duration::from_secs(30), "the service is busy")),
///         "closed" => Err(ProviderError::fatal("the account is closed")),
///         token => Ok(token.parse()?), // any other error is retried
///     }
/// }
/// assert_eq!(token("closed").unwrap_err().verdict(), Verdict::Fatal);
/// assert_eq!(token("x").unwrap_err().verdict(), Verdict::Retry);
/// ```
pub struct ProviderError {
    verdict: Verdict,
    error: Box<dyn Error + Send + Sync>,
}

impl ProviderError {
    /// Creates an error that is retried with backoff.
    pub fn retry(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { verdict: Verdict::Retry, error: error.into() }
    }

    /// Creates an error that is retried with backoff, but not before `delay` has passed, which is at
    /// most 365 days. The client adds a random spread of up to max(1 s, 20 %).
    pub fn not_before(delay: Duration, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let verdict = Verdict::RetryNoSoonerThan(delay.min(Config::MAX_SPAN));
        Self { verdict, error: error.into() }
    }

    /// Creates an error that ends the connection: the client gives up.
    pub fn fatal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { verdict: Verdict::Fatal, error: error.into() }
    }

    /// The error of a provider that panicked, from what `catch_unwind` returned. It has the panic's
    /// text, and is retried.
    #[must_use]
    pub fn panicked(panic: &(dyn Any + Send)) -> Self {
        Self::retry(format!("the provider panicked: {}", panic_text(panic)))
    }

    /// Returns this error with only the text of the application's error. To show and to drop it then
    /// runs no code of the application's.
    #[must_use]
    pub fn into_text(self) -> Self {
        Self { verdict: self.verdict, error: self.to_string().into() }
    }

    /// Returns what follows.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }
}

/// Writes the error and its sources on one line.
impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::open_failure::chain(&*self.error))
    }
}

impl fmt::Debug for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderError")
            .field("verdict", &self.verdict)
            .field("error", &self.to_string())
            .finish()
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for ProviderError {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}
