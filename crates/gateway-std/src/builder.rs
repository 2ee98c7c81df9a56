//! The client's builder: accepts any setting, and reports all invalid ones at the end.

use std::fmt;
use std::sync::Arc;

use gateway_core::{ConfigError, ConfigErrors};
use gateway_wire::{
    Attempt, DialectFactory, Endpoint, Opens, Parts, Provider as HasProvider, ProviderError,
    Request, Settings, settings_methods, system_resolver,
};

use crate::client::Client;
use crate::dial::Dial;
use crate::errand::{Errands, Provider};
use crate::inside::Marked;
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
///     .attempt(|_| Ok(gateway_std::Request::new().header("Authorization", "Bearer t")))
///     .build()?;
/// assert_eq!(client.endpoint().to_string(), "wss://gateway.example/feed");
/// # Ok::<(), gateway_std::core::ConfigErrors>(())
/// ```
#[must_use]
pub struct Builder {
    settings: Settings,
    dial: Option<Arc<dyn Dial>>,
    opens: Opens,
    provider: Option<Provider>,
}

impl Builder {
    pub(crate) fn new(url: String) -> Self {
        Self { settings: Settings::new(url), dial: None, opens: Opens::Driver, provider: None }
    }

    settings_methods!();

    /// Replaces TCP and TLS as the way to open the byte stream. The client then ignores the builder's
    /// `tls` and `resolver`, and must not have a `proxy`.
    pub fn dial(mut self, dial: impl Dial) -> Self {
        self.dial = Some(Arc::new(dial));
        self.opens = Opens::User;
        self
    }

    /// Replaces TCP, but not TLS: `dial` opens a plain stream to the server, and the client performs
    /// the TLS of a `wss://` URL over it, with the builder's [`tls`](Self::tls). The handshake with
    /// the server does not block, and has the rest of the connect timeout. The client then ignores
    /// the builder's `resolver`, and must not have a `proxy`.
    pub fn dial_under_tls(mut self, dial: impl Dial) -> Self {
        self.dial = Some(Arc::new(dial));
        self.opens = Opens::UserUnderTls;
        self
    }

    /// Sets a provider, which the client asks for the [`Request`] of each attempt before it opens a
    /// socket: for a new token, for another URL. What the request does not set stays as the builder
    /// sets it.
    ///
    /// The client calls the provider on its one helper thread, so it may block. It has
    /// `attempt_timeout` (10 s by default). If it takes longer, the attempt fails, and a request that
    /// comes later is not used. A call that never returns keeps the thread: all later attempts fail
    /// with the cause `attempt_timeout`, and their detail says so. The connect timeout starts when
    /// the request is there. If the provider returns an error, the attempt fails, and the error's
    /// [verdict](ProviderError::verdict) decides what follows. If it panics, the attempt fails with
    /// the panic's text.
    ///
    /// ```
    /// use gateway_std::{Client, ProviderError, Request};
    /// # fn new_token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// # fn kept_token() -> Result<String, std::io::Error> { Ok(String::new()) }
    ///
    /// let client = Client::builder("wss://gateway.example/feed").attempt(|attempt| {
    ///     // `refresh`: the server has refused the last token.
    ///     let token = if attempt.refresh { new_token()? } else { kept_token()? };
    ///     Ok(Request::new().header("Authorization", format!("Bearer {token}")))
    /// });
    /// # let _ = client;
    /// ```
    pub fn attempt<F>(mut self, provider: F) -> Self
    where
        F: Fn(Attempt) -> Result<Request, ProviderError> + Send + Sync + 'static,
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
        let provider = match self.provider {
            Some(_) => HasProvider::Given,
            None => HasProvider::None,
        };
        let Parts { endpoint, router, session } =
            marked(self.settings).build(self.opens, provider)?;
        let proxy = router.proxy(&endpoint).cloned();
        let errands = Errands::new(endpoint.clone(), router, self.dial, self.provider, resolver);
        let os = Os::new(endpoint.clone(), errands, wall).map_err(|error| {
            let limit = format!("must be available from the operating system: {error}");
            ConfigErrors::from(ConfigError::new("poller", "", limit))
        })?;
        Ok(Client::new(session, endpoint, proxy, os))
    }

    /// Validates all settings, and creates a client that runs on your own [`System`], for example a
    /// simulation. `system` then opens sockets and reads clocks. The client ignores the builder's
    /// `tls`, `dial`, `attempt`, `resolver` and `wall_clock`, and must not have a `proxy`. If the
    /// configuration's `ask_provider` is set, it asks the system, by
    /// [`Host::ask`](gateway_wire::Host::ask).
    ///
    /// # Errors
    /// Each invalid setting, by its name.
    pub fn build_on<S: System>(
        self,
        system: impl FnOnce(&Endpoint) -> S,
    ) -> Result<Client<S>, ConfigErrors> {
        let Parts { endpoint, session, .. } =
            marked(self.settings).build(Opens::User, HasProvider::OfSystem)?;
        let system = system(&endpoint);
        Ok(Client::new(session, endpoint, None, system))
    }
}

/// A sender must know whether it is called from within an observer, a dialect or a correlator.
fn marked(settings: Settings) -> Settings {
    Settings {
        observer: settings.observer.map(|own| Box::new(Marked(own)) as _),
        requests: settings.requests.map(|own| Box::new(Marked(own)) as _),
        dialect: settings
            .dialect
            .map(|make| -> DialectFactory { Box::new(move || Box::new(Marked(make()))) }),
        ..settings
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
