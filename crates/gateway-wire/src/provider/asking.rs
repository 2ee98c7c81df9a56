//! A provider that is asked for one attempt.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use gateway_core::{ConfigErrors, Login};

use super::request::AttemptPlan;
use super::{ProviderError, Request};
use crate::endpoint::Endpoint;

/// A provider that is asked for an attempt's request. A driver makes one for each attempt, and the
/// engine polls it. Dropping it ends the question: what the provider still gives is not used.
pub struct Asking(Option<Question>);

struct Question {
    /// The client's endpoint, which the request changes.
    endpoint: Endpoint,
    poll: Box<dyn FnMut() -> Poll<Result<Request, ProviderError>> + Send>,
    delay: Box<dyn Fn() -> Option<String> + Send>,
}

impl Asking {
    /// Asks a provider. `poll` must not block, and must wake the task or thread that drives the engine
    /// once the request is there. It may panic: the attempt then fails with the panic's text.
    pub fn new(
        endpoint: Endpoint,
        poll: impl FnMut() -> Poll<Result<Request, ProviderError>> + Send + 'static,
    ) -> Self {
        let (poll, delay) = (Box::new(poll), Box::new(|| None));
        Self(Some(Question { endpoint, poll, delay }))
    }

    /// Sets what says why the provider has not begun yet. The text is in the disconnection if
    /// `attempt_timeout` expires.
    #[must_use]
    pub fn with_delay(mut self, delay: impl Fn() -> Option<String> + Send + 'static) -> Self {
        if let Some(question) = &mut self.0 {
            question.delay = Box::new(delay);
        }
        self
    }

    /// For a host without a provider: the request is there at once, and changes nothing.
    #[must_use]
    pub const fn nobody() -> Self {
        Self(None)
    }

    /// Returns the validated request, or why there is none.
    pub(crate) fn poll(&mut self, login: &Login) -> Poll<Result<AttemptPlan, ProviderError>> {
        let Some(Question { endpoint, poll, .. }) = &mut self.0 else {
            return Poll::Ready(Ok(AttemptPlan::default()));
        };
        // After a panic nothing is called again.
        let polled = catch_unwind(AssertUnwindSafe(poll));
        let polled =
            polled.unwrap_or_else(|panic| Poll::Ready(Err(ProviderError::panicked(&*panic))));
        polled.map(|given| {
            let refused = |errors| ProviderError::retry(Refused(errors));
            given.and_then(|request| request.plan(endpoint, login).map_err(refused))
        })
    }

    /// Why the provider has not begun yet.
    pub(crate) fn delay(&self) -> Option<String> {
        self.0.as_ref().and_then(|question| (question.delay)())
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").finish_non_exhaustive()
    }
}

/// The errors of a request, on one line.
#[derive(Debug)]
struct Refused(ConfigErrors);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the provider's request is refused")?;
        let errors = self.0.iter().enumerate();
        errors.into_iter().try_for_each(|(index, error)| {
            write!(f, "{} {error}", if index == 0 { ":" } else { ";" })
        })
    }
}

impl std::error::Error for Refused {}
