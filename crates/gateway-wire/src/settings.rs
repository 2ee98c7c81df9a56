//! What every driver's builder collects and validates: so that who knows one driver knows the other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Config, ConfigError, ConfigErrors, JsonDialect, UnixMillis, format_duration};

use crate::endpoint::{Endpoint, EndpointBuilder};
use crate::resolver::Resolver;
use crate::session::{BoxDialect, BoxObserver, Limits, Session};
use crate::tls::Tls;

/// Reads the wall clock.
pub type WallClock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

/// The settings of a client, not yet judged. A driver's builder holds them, gets the methods that fill them by
/// [`settings_methods!`](crate::settings_methods), and adds what only it knows.
#[allow(clippy::exhaustive_structs)] // filled by the macro, in the drivers' crates
pub struct Settings {
    /// The URL, headers and subprotocols.
    pub endpoint: EndpointBuilder,
    /// The core's settings.
    pub config: Arc<Config>,
    /// The gateway's dialect.
    pub dialect: BoxDialect,
    /// Which certificates are trusted; `None` for those that the platform trusts.
    pub tls: Option<Tls>,
    /// Resolves the host's name; `None` for the system's resolver.
    pub resolver: Option<Resolver>,
    /// The seed of the jitter; `None` for one of the operating system's.
    pub seed: Option<u64>,
    /// The bounds of the buffers.
    pub limits: Limits,
    /// Whether messages that were sent are reported as well.
    pub report_sent: bool,
    /// How long the transport may take no byte while someone waits for it.
    pub send_stall: Duration,
    /// The wall clock, where it is not the system's.
    pub wall: Option<WallClock>,
    /// Who watches.
    pub observer: Option<BoxObserver>,
}

/// Settings that are valid, put together.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs)] // taken apart by drivers
pub struct Parts {
    /// Where to connect to.
    pub endpoint: Endpoint,
    /// For an endpoint that is secure, unless the driver's user opens sockets in a way of their own.
    pub tls: Option<Tls>,
    /// The session.
    pub session: Session,
}

impl Settings {
    /// The least `send_stall`: a busy machine may leave a socket alone for some tens of milliseconds.
    pub const SHORTEST_SEND_STALL: Duration = Duration::from_millis(100);

    /// The greatest `send_stall`.
    pub const LONGEST_SEND_STALL: Duration = Duration::from_secs(3_600);

    /// The defaults, and this URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            endpoint: Endpoint::builder(url),
            config: Arc::new(Config::default()),
            dialect: Box::new(JsonDialect),
            tls: None,
            resolver: None,
            seed: None,
            limits: Limits::default(),
            report_sent: false,
            send_stall: Session::SEND_STALL,
            wall: None,
            observer: None,
        }
    }

    /// Validates everything. `with_tls` says whether the driver itself shakes hands for a secure endpoint.
    ///
    /// # Errors
    /// Each setting that is wrong, by its name.
    pub fn build(self, with_tls: bool) -> Result<Parts, ConfigErrors> {
        let mut errors = Vec::new();
        let endpoint = self.endpoint.build().map_err(|wrong| errors.extend(wrong.into_vec())).ok();
        let secure = endpoint.as_ref().is_some_and(Endpoint::is_secure) && with_tls;
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
        if !(Self::SHORTEST_SEND_STALL..=Self::LONGEST_SEND_STALL).contains(&self.send_stall) {
            let given = format_duration(self.send_stall);
            errors.push(ConfigError::new("send_stall", given, "must be from 100ms to 1h"));
        }
        ConfigErrors::check(errors)?;
        let (Some(endpoint), Some(seed)) = (endpoint, seed) else {
            unreachable!("what is missing has left an error");
        };
        let mut session = Session::new(self.config, seed, self.dialect)
            .with_endpoint(&endpoint)
            .with_limits(self.limits)
            .with_sent_reported(self.report_sent)
            .with_send_stall(self.send_stall);
        if let Some(observer) = self.observer {
            session = session.with_observer(observer);
        }
        Ok(Parts { endpoint, tls, session })
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// The methods that fill [`Settings`], for a builder with a field `settings`.
#[macro_export]
macro_rules! settings_methods {
    () => {
        /// The settings of the connection; an `Arc` may be shared among many clients.
        pub fn config(mut self, config: impl Into<::std::sync::Arc<$crate::core::Config>>) -> Self {
            self.settings.config = config.into();
            self
        }

        /// The gateway's dialect, where it is not JSON.
        pub fn dialect(
            mut self,
            dialect: impl $crate::core::Dialect + Send + Sync + 'static,
        ) -> Self {
            self.settings.dialect = Box::new(dialect);
            self
        }

        /// Adds a header to the upgrade request. The name is sent as it is written here. By default
        /// the client sends `User-Agent: gateway/VERSION`; set your own to replace it.
        pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
            self.settings.endpoint = self.settings.endpoint.header(name, value);
            self
        }

        /// Offers a subprotocol, after those offered before.
        pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
            self.settings.endpoint = self.settings.endpoint.subprotocol(name);
            self
        }

        /// Refuses a server that chooses none of the offered subprotocols. By default such a
        /// connection opens, as RFC 6455 section 4.1 allows. Browsers refuse it.
        pub fn require_subprotocol(mut self, require: bool) -> Self {
            self.settings.endpoint = self.settings.endpoint.require_subprotocol(require);
            self
        }

        /// Which certificates a `wss://` server may show; by default those that the platform trusts.
        pub fn tls(mut self, tls: $crate::Tls) -> Self {
            self.settings.tls = Some(tls);
            self
        }

        /// Resolves the host's name, called with the host and the port, in place of the system's resolver. It may block: each
        /// attempt calls it on a thread of its own. While one call hangs, later attempts wait for that call.
        pub fn resolver(
            mut self,
            resolver: impl Fn(&str, u16) -> ::std::io::Result<::std::vec::Vec<::std::net::SocketAddr>>
            + Send
            + Sync
            + 'static,
        ) -> Self {
            self.settings.resolver = Some(::std::sync::Arc::new(resolver));
            self
        }

        /// The seed of the jitter; by default from the operating system. Clients that share one redial together.
        pub fn seed(mut self, seed: u64) -> Self {
            self.settings.seed = Some(seed);
            self
        }

        /// The bounds of the buffers.
        pub fn limits(mut self, limits: $crate::Limits) -> Self {
            self.settings.limits = limits;
            self
        }

        /// Whether [`ClientEvent::Outcome`](gateway_wire::ClientEvent::Outcome) also tells of messages that were
        /// sent. Those that were not are always told.
        pub fn report_sent(mut self, report: bool) -> Self {
            self.settings.report_sent = report;
            self
        }

        /// How long the transport may take no byte while `send` or a flush waits for it; 10 s by default, from 100 ms to 1 h.
        /// Then `send` returns the message with [`SendRejection::Stalled`](gateway_wire::core::SendRejection::Stalled), and a flush
        /// ends with [`FlushError::Stalled`](gateway_wire::FlushError::Stalled). The connection stays open: whether the peer is dead
        /// is for the heartbeat to find.
        pub fn send_stall(mut self, span: ::std::time::Duration) -> Self {
            self.settings.send_stall = span;
            self
        }

        /// Reads the wall clock by another way than the system's, in a simulation for example. The suspend watch reads the system's
        /// clocks, so it is off then: a suspend is noticed when the client's next deadline fires.
        pub fn wall_clock(
            mut self,
            wall: impl Fn() -> $crate::core::UnixMillis + Send + Sync + 'static,
        ) -> Self {
            self.settings.wall = Some(::std::sync::Arc::new(wall));
            self
        }

        /// Tells `observer` everything that the core is told, and what it answers: a journal, for example.
        pub fn observer(
            mut self,
            observer: impl $crate::core::Observer + Send + Sync + 'static,
        ) -> Self {
            self.settings.observer = Some(Box::new(observer));
            self
        }
    };
}
