//! The credentials of one attempt to connect.

use std::fmt;

use gateway_core::{OpenError, Secret};

use crate::headers::Headers;
use crate::open_failure::OpenFailure;

/// The credentials of one attempt to connect: headers and a login, in addition to the endpoint.
///
/// `Debug` shows no secret.
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
    /// Creates credentials without headers. The login is the one in the configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header to the upgrade request. It replaces the endpoint's headers of that name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends this text instead of the configuration's `login.send`. A login must be configured.
    pub fn login(mut self, text: impl Into<Secret>) -> Self {
        self.login = Some(text.into());
        self
    }

    /// Returns the validated headers, and the login.
    ///
    /// # Errors
    /// [`OpenError::Configuration`] if a header is invalid.
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

/// An error of a credentials provider. The attempt fails with its text, and the client retries with
/// backoff.
pub type ProviderError = Box<dyn std::error::Error + Send + Sync>;
