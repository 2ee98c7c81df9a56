//! The client's builder: accepts any setting, and reports all invalid ones at the end.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use gateway_core::ConfigErrors;
use gateway_wire::{
    Attempt, Opens, Parts, Provider as HasProvider, ProviderError, Request, Settings,
    settings_methods, system_resolver,
};

use crate::client::Client;
use crate::dial::{Addresses, Bottom, Dial, TcpDial};
use crate::layers::TlsFiles;
use crate::open::{Opener, Provider};
use crate::resolve::Lookups;

/// Collects a client's settings. [`build`](Self::build) validates them and returns all errors at
/// once. The client opens nothing before you poll it.
///
/// ```
/// use gateway_tokio::Client;
/// use gateway_tokio::core::Config;
///
/// let client = Client::builder("wss://gateway.example/feed")
///     .config(Config::default())
///     .header("X-Device", "7")
///     .attempt(|_| async { Ok(gateway_tokio::Request::new().header("Authorization", "Bearer t")) })
///     .build()?;
/// assert_eq!(client.endpoint().to_string(), "wss://gateway.example/feed");
/// # Ok::<(), gateway_tokio::core::ConfigErrors>(())
/// ```
#[must_use]
pub struct Builder {
    settings: Settings,
    dial: Option<Box<dyn Dial>>,
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
        self.dial = Some(Box::new(dial));
        self.opens = Opens::User;
        self
    }

    /// Replaces TCP, but not TLS: `dial` opens a plain stream to the server, and the client performs
    /// the TLS of a `wss://` URL over it, with the builder's [`tls`](Self::tls). The client then
    /// ignores the builder's `resolver`, and must not have a `proxy`.
    pub fn dial_under_tls(mut self, dial: impl Dial) -> Self {
        self.dial = Some(Box::new(dial));
        self.opens = Opens::UserUnderTls;
        self
    }

    /// Sets a provider, which the client asks for the [`Request`] of each attempt before it opens a
    /// socket: for a new token, for another URL. What the request does not set stays as the builder
    /// sets it.
    ///
    /// The provider has `attempt_timeout` (10 s by default). If it takes longer, its future is
    /// dropped, and the attempt fails. The connect timeout starts when the request is there. The
    /// client polls the future in its own task, so it must not block. If it returns an error, the
    /// attempt fails, and the error's [verdict](ProviderError::verdict) decides what follows. If it
    /// panics, the attempt fails with the panic's text.
    ///
    /// ```
    /// use gateway_tokio::{Client, ProviderError, Request};
    /// # async fn new_token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// # async fn kept_token() -> Result<String, std::io::Error> { Ok(String::new()) }
    ///
    /// let client = Client::builder("wss://gateway.example/feed").attempt(|attempt| async move {
    ///     // `refresh`: the server has refused the last token.
    ///     let token = if attempt.refresh { new_token().await? } else { kept_token().await? };
    ///     Ok(Request::new().header("Authorization", format!("Bearer {token}")))
    /// });
    /// # let _ = client;
    /// ```
    pub fn attempt<F, Fut>(mut self, provider: F) -> Self
    where
        F: Fn(Attempt) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Request, ProviderError>> + Send + 'static,
    {
        self.provider = Some(Arc::new(move |attempt| Box::pin(provider(attempt))));
        self
    }

    /// Validates all settings, and creates the client.
    ///
    /// # Errors
    /// Each invalid setting, by its name.
    pub fn build(mut self) -> Result<Client, ConfigErrors> {
        let resolver = self.settings.resolver.take();
        let wall = self.settings.wall.clone();
        let provider = match self.provider {
            Some(_) => HasProvider::Given,
            None => HasProvider::None,
        };
        let Parts { endpoint, router, session } = self.settings.build(self.opens, provider)?;
        let addresses = Addresses::default();
        let bottom = self.dial.map_or_else(
            || {
                let lookups = Lookups::new(resolver.unwrap_or_else(system_resolver));
                Bottom::Tcp(TcpDial { lookups, addresses: addresses.clone() })
            },
            Bottom::Users,
        );
        let (tls_files, provider) = (TlsFiles::default(), self.provider);
        let opener = Arc::new(Opener { endpoint, router, bottom, tls_files, provider, addresses });
        Ok(Client::new(session, opener, wall))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
