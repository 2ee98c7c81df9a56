//! The builder of a client: takes anything, says at the end everything that is wrong with it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use gateway_core::{ConfigErrors, Credentials};
use gateway_wire::{
    LoginCredentials, Parts, ProviderError, Settings, settings_methods, system_resolver,
};

use crate::client::Client;
use crate::dial::{Addresses, Dial, TcpDial, TlsDial};
use crate::open::{Opener, Provider};
use crate::resolve::Lookups;

/// Collects a client's settings; [`build`](Self::build) validates them all at once. Nothing is opened before
/// the client is polled.
///
/// ```
/// use gateway_tokio::Client;
/// use gateway_tokio::core::Config;
///
/// let client = Client::builder("wss://gateway.example/feed")
///     .config(Config::default())
///     .header("X-Device", "7")
///     .credentials(|_| async { Ok(gateway_tokio::LoginCredentials::new()) })
///     .build()?;
/// assert_eq!(client.endpoint().to_string(), "wss://gateway.example/feed");
/// # Ok::<(), gateway_tokio::core::ConfigErrors>(())
/// ```
#[must_use]
pub struct Builder {
    settings: Settings,
    dial: Option<Box<dyn Dial>>,
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
        self.dial = Some(Box::new(dial));
        self
    }

    /// Asks for credentials before each attempt. An error fails the attempt, which is retried with backoff.
    pub fn credentials<F, Fut>(mut self, provider: F) -> Self
    where
        F: Fn(Credentials) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<LoginCredentials, ProviderError>> + Send + 'static,
    {
        self.provider = Some(Arc::new(move |which| Box::pin(provider(which))));
        self
    }

    /// Validates everything.
    ///
    /// # Errors
    /// Each setting that is wrong, by its name.
    pub fn build(mut self) -> Result<Client, ConfigErrors> {
        let resolver = self.settings.resolver.take();
        let wall = self.settings.wall.clone();
        let Parts { endpoint, tls, session } = self.settings.build(self.dial.is_none())?;
        let addresses = Addresses::default();
        let dial = self.dial.unwrap_or_else(|| {
            let lookups = Lookups::new(resolver.unwrap_or_else(system_resolver));
            let tls = tls.map(TlsDial::new);
            Box::new(Arc::new(TcpDial { tls, lookups, addresses: addresses.clone() }))
        });
        let opener = Arc::new(Opener { endpoint, dial, provider: self.provider, addresses });
        Ok(Client::new(session, opener, wall))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
