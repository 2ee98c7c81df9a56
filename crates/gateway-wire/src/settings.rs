//! The settings of every driver's builder, collected and validated in one place. So all drivers
//! have the same settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{
    Config, ConfigError, ConfigErrors, Dialect as _, HeartbeatKind, Login, NoDialect, UnixMillis,
    format_duration,
};

use crate::correlation::Correlator;
use crate::endpoint::{Endpoint, EndpointBuilder};
use crate::guarded::{DialectFactory, Guarded};
use crate::message::Message;
use crate::name::Name;
use crate::outbox::Outbox;
use crate::proxy::Proxy;
use crate::rate::Rate;
use crate::resolver::Resolver;
use crate::route::Router;
use crate::session::{Behind, BoxObserver, Limits, Session};
use crate::shared_budget::SharedBudget;
use crate::tls::Tls;

/// A function that reads the wall clock.
pub type WallClock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

/// A client's settings, not yet validated. A driver's builder contains them, gets their methods
/// from [`settings_methods!`](crate::settings_methods), and adds its own settings.
#[allow(clippy::exhaustive_structs)] // filled by the macro, in the drivers' crates
pub struct Settings {
    /// The client's name, not yet validated.
    pub name: Option<String>,
    /// The URL, headers and subprotocols.
    pub endpoint: EndpointBuilder,
    /// The core's settings.
    pub config: Arc<Config>,
    /// The keys and messages that are sent on every ready.
    pub on_ready: Vec<(String, Message)>,
    /// Makes the server's dialect, if it has one.
    pub dialect: Option<DialectFactory>,
    /// Which server certificates are trusted; `None` for those that the platform trusts.
    pub tls: Option<Tls>,
    /// The proxy, if there is one.
    pub proxy: Option<Proxy>,
    /// Resolves the host's name; `None` for the system's resolver.
    pub resolver: Option<Resolver>,
    /// The seed of the jitter; `None` for a random one from the operating system.
    pub seed: Option<u64>,
    /// The limits of the buffers.
    pub limits: Limits,
    /// Keeps messages while the connection is not ready, if it is set.
    pub outbox: Option<Outbox>,
    /// Limits the rate of messages, if it is set.
    pub rate: Option<Rate>,
    /// How requests and answers find each other, if the client makes requests.
    pub requests: Option<Box<dyn Correlator>>,
    /// After how long without a ready connection this is reported, if it is set.
    pub lost_after: Option<Duration>,
    /// What the client does while its application takes no messages.
    pub behind: Behind,
    /// Whether an outcome is also reported for messages that were sent.
    pub report_sent: bool,
    /// After how long without progress a waiting `send` or flush gives up.
    pub send_stall: Duration,
    /// The budget that the client's attempts share with those of others, if there is one.
    pub budget: Option<SharedBudget>,
    /// The wall clock; `None` for the system's.
    pub wall: Option<WallClock>,
    /// The observer of the core's events and actions, if there is one.
    pub observer: Option<BoxObserver>,
    /// Whether the client reports metrics.
    #[cfg(feature = "metrics")]
    pub metrics: bool,
}

/// Whether a driver has a provider, which it asks for each attempt's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // there is no third case
pub enum Provider {
    /// It has none: each attempt is made with the builder's settings.
    None,
    /// It has one. The client asks it whatever `ask_provider` is.
    Given,
    /// The user's own system may have one. `ask_provider` says so.
    OfSystem,
}

/// What opens the byte streams of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // there is no fourth case
pub enum Opens {
    /// The driver: TCP, the proxy's tunnel, TLS.
    Driver,
    /// The user's own code, up to a stream to the server. The driver performs TLS over it.
    UserUnderTls,
    /// The user's own code, with TLS.
    User,
}

/// Validated settings, ready for a driver.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs)] // taken apart by drivers
pub struct Parts {
    /// The server's address and the headers of the upgrade.
    pub endpoint: Endpoint,
    /// Finds the route of each attempt.
    pub router: Router,
    /// The session.
    pub session: Session,
}

impl Settings {
    /// The least `send_stall`. A busy computer may not serve a socket for some tens of
    /// milliseconds.
    pub const SHORTEST_SEND_STALL: Duration = Duration::from_millis(100);

    /// The least `lost_after`.
    pub const SHORTEST_LOST_AFTER: Duration = Duration::from_millis(1);

    /// The greatest `send_stall`.
    pub const LONGEST_SEND_STALL: Duration = Duration::from_secs(3_600);

    /// Creates default settings with this URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            name: None,
            endpoint: Endpoint::builder(url),
            config: Arc::new(Config::default()),
            on_ready: Vec::new(),
            dialect: None,
            tls: None,
            proxy: None,
            resolver: None,
            seed: None,
            limits: Limits::default(),
            outbox: None,
            rate: None,
            requests: None,
            lost_after: None,
            behind: Behind::default(),
            report_sent: false,
            send_stall: Session::SEND_STALL,
            budget: None,
            wall: None,
            observer: None,
            #[cfg(feature = "metrics")]
            metrics: false,
        }
    }

    /// Validates all settings. `opens` says what opens the streams, and `provider` whether the driver
    /// has a provider.
    ///
    /// # Errors
    /// Each invalid setting, by its name.
    pub fn build(self, opens: Opens, provider: Provider) -> Result<Parts, ConfigErrors> {
        let mut errors = Vec::new();
        let name =
            self.name.and_then(|name| Name::new(name).map_err(|wrong| errors.push(wrong)).ok());
        let endpoint = self.endpoint.build().map_err(|wrong| errors.extend(wrong.into_vec())).ok();
        let secure = endpoint.as_ref().is_some_and(Endpoint::is_secure);
        let may_move = provider == Provider::Given || self.dialect.is_some();
        let proxies = match self.proxy {
            Some(proxy) if opens == Opens::Driver => {
                Some(proxy.check(self.tls.as_ref(), &mut errors))
            }
            Some(_) => {
                let limit = "must not be set if your own code opens the streams (`dial`)";
                errors.push(ConfigError::new("proxy", "", limit));
                None
            }
            None => None,
        };
        let tls = match self.tls {
            _ if opens == Opens::User => None,
            None if secure => Tls::platform().map_err(|wrong| errors.push(wrong)).ok(),
            // The URL of a provider's request or of the dialect may be `wss://`.
            None => may_move.then(Tls::platform_later),
            given => given.filter(|_| secure || may_move),
        };
        let config = match (provider, self.config.asks_provider()) {
            (Provider::None, true) => {
                let limit =
                    "must not be set without a provider; give the builder one with `attempt`";
                errors.push(ConfigError::new("ask_provider", "true", limit));
                self.config
            }
            (Provider::Given, false) => Arc::new(self.config.with_provider()),
            (Provider::Given, true) | (Provider::None, false) | (Provider::OfSystem, _) => {
                self.config
            }
        };
        let config = match (&self.budget, config.shares_budget()) {
            (None, true) => {
                let limit =
                    "must not be set without a budget; add the client to a fleet that has one";
                errors.push(ConfigError::new("shared_budget", "true", limit));
                config
            }
            (Some(_), false) => Arc::new(config.with_shared_budget()),
            (Some(_), true) | (None, false) => config,
        };
        let has_dialect = self.dialect.is_some();
        let dialect = self.dialect.and_then(|make| {
            let wrong = |panic| {
                let limit = format!("must be made without a panic, but panicked: {panic}");
                errors.push(ConfigError::new("dialect", "", limit));
            };
            Guarded::new(make).map_err(wrong).ok()
        });
        if !has_dialect {
            let limit = "must not be set without a dialect";
            if config.heartbeat_kind() == HeartbeatKind::Dialect {
                errors.push(ConfigError::new("heartbeat.kind", "dialect", limit));
            }
            if let Login::Dialect { .. } = config.login() {
                errors.push(ConfigError::new("login.dialect", "true", limit));
            }
        }
        let has_heartbeat = dialect.as_ref().is_none_or(|own| own.duties().heartbeat);
        if !has_heartbeat && config.heartbeat_kind() == HeartbeatKind::Dialect {
            let limit = "must not be set, because the dialect has no heartbeat";
            errors.push(ConfigError::new("heartbeat.kind", "dialect", limit));
        }
        let seed = self.seed.or_else(|| {
            getrandom::u64()
                .map_err(|error| {
                    let limit =
                        format!("must be set, because the system has no randomness: {error}");
                    errors.push(ConfigError::new("seed", "", limit));
                })
                .ok()
        });
        if !(Self::SHORTEST_SEND_STALL..=Self::LONGEST_SEND_STALL).contains(&self.send_stall) {
            let given = format_duration(self.send_stall);
            errors.push(ConfigError::new("send_stall", given, "must be from 100ms to 1h"));
        }
        if let Some(outbox) = self.outbox {
            outbox.check(&mut errors);
        }
        if let Some(span) = self.lost_after.filter(|span| *span < Self::SHORTEST_LOST_AFTER) {
            let (given, limit) = (format_duration(span), "must be at least 1ms");
            errors.push(ConfigError::new("lost_after", given, limit));
        }
        let bucket = self.rate.map(|rate| rate.bucket(&mut errors));
        ConfigErrors::check(std::mem::take(&mut errors))?;
        let (Some(endpoint), Some(seed)) = (endpoint, seed) else {
            unreachable!("each missing part has left an error");
        };
        let session = match dialect {
            Some(dialect) => {
                let config = Arc::new(config.with_dialect(dialect.duties()));
                Session::new(config, seed, Box::new(dialect)).with_resumable(endpoint.clone())
            }
            None => Session::new(config, seed, Box::new(NoDialect)),
        };
        let mut session = session
            .with_identity(name, &endpoint)
            .with_limits(self.limits)
            .with_sent_reported(self.report_sent)
            .with_send_stall(self.send_stall)
            .with_behind(self.behind);
        if let Some(outbox) = self.outbox {
            session = session.with_outbox(outbox, &endpoint);
        }
        if let Some(bucket) = bucket {
            session = session.with_rate(bucket);
        }
        if let Some(correlator) = self.requests {
            session = session.with_requests(correlator);
            if self.outbox.is_none() {
                session = session.with_places(&endpoint);
            }
        }
        if let Some(limit) = self.lost_after {
            session = session.with_lost_after(limit);
        }
        if let Some(budget) = self.budget {
            session = session.with_shared_budget(budget);
        }
        for (key, message) in self.on_ready {
            if let Err(wrong) = session.set_on_ready(&key, message) {
                errors.push(ConfigError::new("on_ready", key, wrong.to_string()));
            }
        }
        ConfigErrors::check(errors)?;
        if let Some(observer) = self.observer {
            session = session.with_observer(observer);
        }
        #[cfg(feature = "metrics")]
        if self.metrics {
            session = session.with_metrics();
        }
        Ok(Parts { endpoint, router: Router::new(tls, proxies), session })
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Defines the methods that fill [`Settings`], for a builder with a field `settings`.
#[macro_export]
macro_rules! settings_methods {
    () => {
        /// Names the client. Its log lines and errors show the name, so that you can distinguish the
        /// clients of one process. A name has 1 to 64 visible ASCII characters. The default is none.
        pub fn name(mut self, name: impl Into<String>) -> Self {
            self.settings.name = Some(name.into());
            self
        }

        /// Sets the core's configuration. Many clients may share one `Arc`.
        pub fn config(mut self, config: impl Into<::std::sync::Arc<$crate::core::Config>>) -> Self {
            self.settings.config = config.into();
            self
        }

        /// Sets what makes the server's dialect: its greeting, login, heartbeat and answers. By
        /// default the server expects nothing beyond RFC 6455.
        ///
        /// The client makes one dialect and keeps it over reconnects. If the dialect panics, the
        /// client leaves the socket with the cause
        /// [`Dialect`](gateway_wire::core::DisconnectCause::Dialect) and the panic's text, and the next
        /// socket gets a new dialect.
        ///
        /// The dialect's [`duties`](gateway_wire::core::Dialect::duties) change the configuration: see
        /// [`Config::with_dialect`](gateway_wire::core::Config::with_dialect).
        pub fn dialect<D>(mut self, dialect: impl Fn() -> D + Send + Sync + 'static) -> Self
        where
            D: $crate::core::Dialect + Send + Sync + 'static,
        {
            self.settings.dialect = Some(Box::new(move || Box::new(dialect())));
            self
        }

        /// Sends this message each time the connection becomes ready, before your other messages:
        /// a subscription, for example. `key` names it, so that you can change or remove it later. A
        /// second message of the same key replaces the first. The message has no outcome.
        pub fn on_ready(
            mut self,
            key: impl Into<String>,
            message: impl Into<$crate::Message>,
        ) -> Self {
            self.settings.on_ready.push((key.into(), message.into()));
            self
        }

        /// Adds a header to the upgrade request. The client sends the name as you write it. By
        /// default the client sends `User-Agent: gateway/VERSION`; set your own to replace it.
        pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
            self.settings.endpoint = self.settings.endpoint.header(name, value);
            self
        }

        /// Offers a subprotocol (RFC 6455 section 1.9), after those offered before.
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

        /// Sets which certificates a `wss://` server may present. The default is those that the
        /// platform trusts.
        pub fn tls(mut self, tls: $crate::Tls) -> Self {
            self.settings.tls = Some(tls);
            self
        }

        /// Reaches the server through a proxy: a URL, or a [`Proxy`](gateway_wire::Proxy). By
        /// default the client uses no proxy, and reads no environment variable. To use the usual
        /// variables, pass [`Proxy::from_env`](gateway_wire::Proxy::from_env).
        ///
        /// If the proxy asks for a user and a password, or does not accept those of its URL, the
        /// client gives up. It retries after any other failure of the proxy.
        pub fn proxy(mut self, proxy: impl Into<$crate::Proxy>) -> Self {
            self.settings.proxy = Some(proxy.into());
            self
        }

        /// Replaces the system's resolver. The client calls `resolver` with the host and the port,
        /// on a separate thread, so it may block. If a call hangs, later attempts wait for that
        /// call. If the server is reached through a proxy, `resolver` gets the proxy's host and port.
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

        /// Sets the seed of the jitter. By default it is random, from the operating system. Clients
        /// with the same seed reconnect at the same time.
        pub fn seed(mut self, seed: u64) -> Self {
            self.settings.seed = Some(seed);
            self
        }

        /// Sets the limits of the buffers.
        pub fn limits(mut self, limits: $crate::Limits) -> Self {
            self.settings.limits = limits;
            self
        }

        /// Keeps messages while the connection is not ready, and sends them when it is. Without an
        /// outbox, `send` fails meanwhile.
        pub fn outbox(mut self, outbox: $crate::Outbox) -> Self {
            self.settings.outbox = Some(outbox);
            self
        }

        /// Limits how many messages are sent in a time. By default there is no limit. While the rate
        /// limit allows no message, `send` waits, and `try_send` fails with
        /// [`Paced`](gateway_wire::core::SendRejection::Paced).
        pub fn rate(mut self, rate: $crate::Rate) -> Self {
            self.settings.rate = Some(rate);
            self
        }

        /// Sets how requests and their answers find each other. Without it, a request fails with
        /// [`NoCorrelator`](gateway_wire::RequestErrorKind::NoCorrelator).
        pub fn requests(mut self, correlator: impl $crate::Correlator) -> Self {
            self.settings.requests = Some(Box::new(correlator));
            self
        }

        /// Reports [`ClientEvent::Lost`](gateway_wire::ClientEvent::Lost) once the connection has
        /// not been ready for this long, at least 1 ms: to show that the application is offline,
        /// for example. It comes once per outage, also before the first connection. By default it
        /// is not reported.
        pub fn lost_after(mut self, span: ::std::time::Duration) -> Self {
            self.settings.lost_after = Some(span);
            self
        }

        /// Sets what the client does while its application takes no messages. By default it stops
        /// reading.
        pub fn behind(mut self, behind: $crate::Behind) -> Self {
            self.settings.behind = behind;
            self
        }

        /// Sets whether [`ClientEvent::Outcome`](gateway_wire::ClientEvent::Outcome) is also
        /// reported for messages that were sent. The default is `false`. All other outcomes are
        /// always reported.
        pub fn report_sent(mut self, report: bool) -> Self {
            self.settings.report_sent = report;
            self
        }

        /// Sets after how long without progress a waiting `send` or flush gives up. Progress means
        /// that the transport takes a byte. It may take an eighth longer. The default is 10 s, the
        /// limits are 100 ms and 1 h.
        ///
        /// Then `send` returns the message with
        /// [`SendRejection::Stalled`](gateway_wire::core::SendRejection::Stalled), and a flush ends
        /// with [`FlushError::Stalled`](gateway_wire::FlushError::Stalled). The connection stays
        /// open: the heartbeat decides whether the peer is dead.
        pub fn send_stall(mut self, span: ::std::time::Duration) -> Self {
            self.settings.send_stall = span;
            self
        }

        /// Lets this client share a retry budget with other clients: together they open no more
        /// sockets than the budget allows. Give each of them a clone of `budget`. Without it, each
        /// client opens its sockets when its own backoff says so.
        ///
        /// An attempt first waits for its delay, then for the budget. Meanwhile the client is
        /// DISCONNECTED, and no timeout runs. [`Because::Budget`]($crate::core::Because::Budget) says
        /// that the budget determined the delay.
        pub fn shared_budget(mut self, budget: $crate::SharedBudget) -> Self {
            self.settings.budget = Some(budget);
            self
        }

        /// Replaces the system's wall clock, for example in a simulation. The client then does not
        /// use the suspend watch, which reads the system's clocks. It notices a suspend when its
        /// next deadline fires.
        ///
        /// The function must not block. A spawned client calls it under its lock, so the function
        /// must not call a handle, and the client is gone if it panics.
        pub fn wall_clock(
            mut self,
            wall: impl Fn() -> $crate::core::UnixMillis + Send + Sync + 'static,
        ) -> Self {
            self.settings.wall = Some(::std::sync::Arc::new(wall));
            self
        }

        /// Sets an observer, for example a journal. It receives every event that the core receives,
        /// and the core's actions. It also receives what the client does with messages and requests.
        ///
        /// The client waits for the observer, so it must not block. In a spawned client it runs
        /// under the client's lock, as the dialect does, and must not use a handle. In a blocking
        /// client, calls of a sender that would wait fail as `Reentrant` there.
        pub fn observer(
            mut self,
            observer: impl $crate::core::Observer + Send + Sync + 'static,
        ) -> Self {
            self.settings.observer = Some(Box::new(observer));
            self
        }

        /// Reports metrics through the facade of the crate [`metrics`](https://docs.rs/metrics), such
        /// as `gateway_ready` and `gateway_disconnects_total`.
        /// [`METRICS`](gateway_wire::METRICS) lists them. By default the client reports none.
        ///
        /// [`build`](Self::build) registers them with the recorder of the calling thread or of the
        /// process, so install a recorder before. Their labels are `name`, if the client has a
        /// [`name`](Self::name), and `cause` or `state`. What a server sends is never a label. Give each
        /// client its own name: clients of the same name share their counters, and overwrite each
        /// other's gauges.
        ///
        /// Disconnections, retries, outcomes and round trips are reported as they happen. Bytes,
        /// frames and buffers are not reported with each message, but with each notice, and otherwise
        /// when the client does something and the last report is a second old. So after a burst they
        /// are complete at the next heartbeat. When the client is CLOSED or dropped, its state is
        /// CLOSED and its buffers are empty.
        ///
        /// A spawned client calls the recorder outside of its lock. A polled or blocking client calls
        /// it while you drive the client, so it must not block.
        #[cfg(feature = "metrics")]
        pub fn metrics(mut self) -> Self {
            self.settings.metrics = true;
            self
        }
    };
}

#[cfg(test)]
mod tests {
    use gateway_core::{Duties, HeartbeatKind, Login};

    use super::*;

    #[test]
    fn what_only_a_dialect_does_is_an_error_without_one() {
        let config = Config::builder()
            .heartbeat(HeartbeatKind::Dialect)
            .login(Login::Dialect { timeout: Login::TIMEOUT });
        let mut settings = Settings::new("ws://gateway.example");
        settings.config = Arc::new(config.build().unwrap());

        let errors = settings.build(Opens::Driver, Provider::None).unwrap_err();

        let fields: Vec<_> = errors.iter().map(ConfigError::field).collect();
        assert_eq!(fields, ["heartbeat.kind", "login.dialect"]);

        let config = Config::builder().heartbeat(HeartbeatKind::Dialect).build().unwrap();
        let mut settings = Settings::new("ws://gateway.example");
        settings.config = Arc::new(config);
        settings.dialect = Some(Box::new(|| Box::new(NoDialect)));
        let errors = settings.build(Opens::Driver, Provider::None).unwrap_err();
        let limit = "must not be set, because the dialect has no heartbeat";
        assert_eq!(errors.iter().next().map(ConfigError::limit), Some(limit));
    }

    #[test]
    fn the_duties_of_a_dialect_set_what_is_not_set() {
        let duties = Duties::NONE.with_heartbeat().with_login(Duration::from_secs(3));
        let config = |builder: gateway_core::ConfigBuilder| builder.build().unwrap();

        let own = config(Config::builder()).with_dialect(duties);
        assert_eq!(own.heartbeat_kind(), HeartbeatKind::Dialect);
        assert_eq!(own.login(), &Login::Dialect { timeout: Duration::from_secs(3) });

        let external = Login::External { timeout: Login::TIMEOUT };
        let set = Config::builder().heartbeat(HeartbeatKind::Ping).login(external.clone());
        let set = config(set).with_dialect(duties);
        assert_eq!((set.heartbeat_kind(), set.login()), (HeartbeatKind::Ping, &external));
    }
}
