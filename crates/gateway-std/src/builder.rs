//! The builder of a client: takes anything, says at the end everything that is wrong with it.

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

/// Collects a client's settings; [`build`](Self::build) validates them all at once. Nothing is opened before
/// the client is asked for an event.
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

    /// Opens the byte stream in another way than TCP and TLS: through a proxy, for example. The builder's
    /// `tls` is then not used.
    pub fn dial(mut self, dial: impl Dial) -> Self {
        self.dial = Some(Arc::new(dial));
        self
    }

    /// Asks for credentials before each attempt, on a helper thread: it may take its time. An error fails the attempt,
    /// which is retried with backoff.
    pub fn credentials<F>(mut self, provider: F) -> Self
    where
        F: Fn(Credentials) -> Result<LoginCredentials, ProviderError> + Send + Sync + 'static,
    {
        self.provider = Some(Arc::new(provider));
        self
    }

    /// Validates everything.
    ///
    /// # Errors
    /// Each setting that is wrong, by its name. `poller`: the operating system gives none, for want of file
    /// descriptors for example.
    pub fn build(mut self) -> Result<Client, ConfigErrors> {
        let resolver = self.settings.resolver.take().unwrap_or_else(system_resolver);
        let wall = self.settings.wall.clone();
        let Parts { endpoint, tls, session } = self.settings.build(self.dial.is_none())?;
        let errands =
            Errands::new(endpoint.clone(), tls.clone(), self.dial, self.provider, resolver);
        let os = Os::new(endpoint.clone(), tls, errands, wall).map_err(|error| {
            let limit = format!("must be had from the operating system: {error}");
            ConfigErrors::from(ConfigError::new("poller", "", limit))
        })?;
        Ok(Client::new(session, endpoint, os))
    }

    /// Validates everything, and makes a client that runs on a system of the caller's own: a simulation, for example. It is
    /// `system` that opens sockets and reads clocks then; the builder's `tls`, `dial`, `credentials`, `resolver` and `wall_clock`
    /// are not used.
    ///
    /// # Errors
    /// Each setting that is wrong, by its name.
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
