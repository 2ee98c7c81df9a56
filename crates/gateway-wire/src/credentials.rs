//! What one attempt to open is made with beside the endpoint.

use std::fmt;

use gateway_core::{OpenError, Secret};

use crate::headers::Headers;
use crate::open_failure::OpenFailure;

/// What one attempt is made with beside the endpoint.
///
/// ```
/// use gateway_wire::LoginCredentials;
/// let credentials = LoginCredentials::new().header("Authorization", "Bearer abc").login("hello");
/// assert!(!format!("{credentials:?}").contains("abc"));
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct LoginCredentials {
    headers: Vec<(String, Secret)>,
    login: Option<Secret>,
}

impl LoginCredentials {
    /// No headers, and the configuration's login.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header to the upgrade, in place of the endpoint's of that name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends this in place of the configuration's `login.send`; a login must be configured.
    pub fn login(mut self, text: impl Into<Secret>) -> Self {
        self.login = Some(text.into());
        self
    }

    /// The headers, valid, and the login.
    ///
    /// # Errors
    /// [`OpenError::Configuration`] where a header is none.
    pub fn into_parts(self) -> Result<(Headers, Option<Secret>), OpenFailure> {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.reveal()));
        let headers = Headers::new(headers)
            .map_err(|errors| OpenFailure::new(OpenError::Configuration, errors.to_string()))?;
        Ok((headers, self.login))
    }
}

impl fmt::Debug for LoginCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginCredentials")
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

/// An error of a provider's; the attempt fails with its text, and is retried with backoff.
pub type ProviderError = Box<dyn std::error::Error + Send + Sync>;
