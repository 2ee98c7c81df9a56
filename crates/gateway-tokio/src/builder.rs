//! The builder of a client: takes anything, says at the end everything that is wrong with it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use gateway_core::{
    Config, ConfigError, ConfigErrors, Credentials, Dialect, JsonDialect, Observer, UnixMillis,
};
use gateway_wire::{BoxDialect, BoxObserver, Endpoint, EndpointBuilder, Limits, Session};

use crate::client::Client;
use crate::clock::WallClock;
use crate::dial::{Dial, TcpDial};
use crate::open::{LoginCredentials, Opener, Provider, ProviderError};
use crate::tls::Tls;

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
    endpoint: EndpointBuilder,
    config: Arc<Config>,
    dialect: BoxDialect,
    tls: Option<Tls>,
    dial: Option<Box<dyn Dial>>,
    provider: Option<Provider>,
    seed: Option<u64>,
    limits: Limits,
    report_sent: bool,
    wall: Option<WallClock>,
    observer: Option<BoxObserver>,
}

impl Builder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            endpoint: Endpoint::builder(url),
            config: Arc::new(Config::default()),
            dialect: Box::new(JsonDialect),
            tls: None,
            dial: None,
            provider: None,
            seed: None,
            limits: Limits::default(),
            report_sent: false,
            wall: None,
            observer: None,
        }
    }

    /// The settings of the connection; an `Arc` may be shared among many clients.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// The gateway's dialect, where it is not JSON.
    pub fn dialect(mut self, dialect: impl Dialect + Send + Sync + 'static) -> Self {
        self.dialect = Box::new(dialect);
        self
    }

    /// Adds a header to the upgrade request.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.endpoint = self.endpoint.header(name, value);
        self
    }

    /// Offers a subprotocol, after those offered before.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.endpoint = self.endpoint.subprotocol(name);
        self
    }

    /// Which certificates a `wss://` server may show; by default those that the platform trusts.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

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

    /// The seed of the jitter; by default from the operating system. Clients that share one redial together.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The bounds of the buffers.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether [`ClientEvent::Outcome`](gateway_wire::ClientEvent::Outcome) also tells of messages that were
    /// sent. Those that were not are always told.
    pub fn report_sent(mut self, report: bool) -> Self {
        self.report_sent = report;
        self
    }

    /// Reads the wall clock by another way than the system's, in a simulation for example.
    pub fn wall_clock(mut self, wall: impl Fn() -> UnixMillis + Send + Sync + 'static) -> Self {
        self.wall = Some(Arc::new(wall));
        self
    }

    /// Tells `observer` everything that the core is told, and what it answers: a journal, for example.
    pub fn observer(mut self, observer: impl Observer + Send + Sync + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Validates everything.
    ///
    /// # Errors
    /// Each setting that is wrong, by its name.
    pub fn build(self) -> Result<Client, ConfigErrors> {
        let mut errors = Vec::new();
        let endpoint = self.endpoint.build().map_err(|wrong| errors.extend(wrong.into_vec())).ok();
        let secure = endpoint.as_ref().is_some_and(Endpoint::is_secure) && self.dial.is_none();
        let tls = match self.tls {
            None if secure => Tls::platform().map_err(|wrong| errors.push(wrong)).ok(),
            given => given.filter(|_| secure),
        };
        let seed = self.seed.or_else(|| {
            getrandom::u64()
                .map_err(|error| {
                    let limit = format!("must be given: the system has no randomness: {error}");
                    errors.push(ConfigError::new("seed", "", limit));
                })
                .ok()
        });
        ConfigErrors::check(errors)?;
        let (Some(endpoint), Some(seed)) = (endpoint, seed) else {
            unreachable!("what is missing has left an error");
        };
        let dial = self.dial.unwrap_or_else(|| Box::new(TcpDial { tls }));
        let opener = Arc::new(Opener { endpoint, dial, provider: self.provider });
        let mut session = Session::new(self.config, seed, self.dialect)
            .with_limits(self.limits)
            .with_sent_reported(self.report_sent);
        if let Some(observer) = self.observer {
            session = session.with_observer(observer);
        }
        Ok(Client::new(session, opener, self.wall))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
