//! The client's builder: accepts any setting, and reports all invalid ones at the end.

use std::fmt;
use std::sync::Arc;

use gateway_core::{ConfigError, ConfigErrors, Credentials};
use gateway_wire::{
    Endpoint, LoginCredentials, Parts, ProviderError, Settings, settings_methods, system_resolver,
};

use crate::client::Client;
use crate::dial::Dial;
use crate::errand::{Errands, Provider};
use crate::os::Os;
use crate::system::System;

/// Collects a client's settings. [`build`](Self::build) validates them and returns all errors at
/// once. The client opens nothing before you ask it for an event.
///
/// ```
/// use gateway_std::Client;
/// use gateway_std::core::Config;
///
/// let client = Client::builder("wss://gateway.example/feed")
///     .config(Config::default())
///     .header("X-Device", "7")
///     .credentials(|_| Ok(gateway_std::LoginCredentials::new()))
///     .build()?;
/// assert_eq!(client.endpoint().to_string(), "wss://gateway.example/feed");
/// # Ok::<(), gateway_std::core::ConfigErrors>(())
/// ```
#[must_use]
pub struct Builder {
    settings: Settings,
    dial: Option<Arc<dyn Dial>>,
    provider: Option<Provider>,
}

impl Builder {
    pub(crate) fn new(url: String) -> Self {
        Self { settings: Settings::new(url), dial: None, provider: None }
    }

    settings_methods!();

    /// Replaces TCP and TLS as the way to open the byte stream, for example with a proxy. The
    /// client then ignores the builder's `tls` and `resolver`.
    pub fn dial(mut self, dial: impl Dial) -> Self {
        self.dial = Some(Arc::new(dial));
        self
    }

    /// Sets a provider of credentials. The client calls it before each attempt, on a helper thread,
    /// so it may block. If it returns an error, the attempt fails, and the client retries with
    /// backoff.
    pub fn credentials<F>(mut self, provider: F) -> Self
    where
        F: Fn(Credentials) -> Result<LoginCredentials, ProviderError> + Send + Sync + 'static,
    {
        self.provider = Some(Arc::new(provider));
        self
    }

    /// Validates all settings, and creates the client.
    ///
    /// # Errors
    /// Each invalid setting, by its name. `poller` means that a poller could not be created, for
    /// example because the process is out of file descriptors.
    pub fn build(mut self) -> Result<Client, ConfigErrors> {
        let resolver = self.settings.resolver.take().unwrap_or_else(system_resolver);
        let wall = self.settings.wall.clone();
        let Parts { endpoint, tls, session } = self.settings.build(self.dial.is_none())?;
        let errands =
            Errands::new(endpoint.clone(), tls.clone(), self.dial, self.provider, resolver);
        let os = Os::new(endpoint.clone(), tls, errands, wall).map_err(|error| {
            let limit = format!("must be available from the operating system: {error}");
            ConfigErrors::from(ConfigError::new("poller", "", limit))
        })?;
        Ok(Client::new(session, endpoint, os))
    }

    /// Validates all settings, and creates a client that runs on your own [`System`], for example a
    /// simulation. `system` then opens sockets and reads clocks. The client ignores the builder's
    /// `tls`, `dial`, `credentials`, `resolver` and `wall_clock`.
    ///
    /// # Errors
    /// Each invalid setting, by its name.
    pub fn build_on<S: System>(
        self,
        system: impl FnOnce(&Endpoint) -> S,
    ) -> Result<Client<S>, ConfigErrors> {
        let Parts { endpoint, session, .. } = self.settings.build(false)?;
        let system = system(&endpoint);
        Ok(Client::new(session, endpoint, system))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
