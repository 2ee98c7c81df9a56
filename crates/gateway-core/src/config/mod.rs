//! The configuration. It is validated when it is made: every [`Config`] that exists is valid.

mod build;
mod check;
mod duration;
mod error;
mod parse;
mod settings;
mod write;

use core::time::Duration;

pub use build::ConfigBuilder;
pub use duration::{format_duration, parse_duration};
pub use error::{ConfigError, ConfigErrors};
pub use settings::Setting;
use settings::{rows, table, with_settings};

use crate::backoff::Backoff;
use crate::dialect::Duties;
use crate::heartbeat::Timing;
use crate::login::Login;
use crate::policy::Policy;

/// The settings of a connection. Connections can share one, as an `Arc<Config>`.
///
/// Create one with [`Config::builder`], or read one with serde from TOML or JSON. There a duration
/// is a string such as `"30s"`, or a number of milliseconds. All errors are reported at once, and
/// an unknown field is an error. A configuration that you write and read again is equal to the
/// first. The exception is a login message: its text and rules are never written.
///
#[doc = with_settings!(table)]
///
/// ```
/// use gateway_core::Config;
///
/// let config: Config = toml::from_str(r#"
///     [heartbeat]
///     interval = "15s"
///     timeout = 2500
/// "#)?;
/// assert_eq!(config.connect_timeout().as_secs(), 10);
///
/// let errors = toml::from_str::<Config>(r#"
///     close_timeout = "soon"
///     [heartbeat]
///     interval = "1s"
///     timeout = "5s"
///     colour = "red"
/// "#).unwrap_err().to_string();
/// for field in ["close_timeout", "heartbeat.timeout", "heartbeat.colour"] {
///     assert!(errors.contains(field), "{errors}");
/// }
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub(crate) reconnect: Reconnect,
    pub(crate) heartbeat: HeartbeatConfig,
    pub(crate) login: Login,
    pub(crate) policy: Policy,
    pub(crate) ask_provider: bool,
    pub(crate) shared_budget: bool,
    pub(crate) attempt_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) connect_timeout_max: Duration,
    pub(crate) close_timeout: Duration,
    pub(crate) data_timeout: Option<Duration>,
    pub(crate) max_message_size: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reconnect {
    pub(crate) backoff: Backoff,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) stable_after: Duration,
    pub(crate) retry_after_max: Duration,
    pub(crate) renew_after: Option<Duration>,
    pub(crate) spread: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeartbeatConfig {
    /// `None`: the dialect's, if it has a heartbeat, otherwise WebSocket Pings.
    pub(crate) kind: Option<HeartbeatKind>,
    pub(crate) timing: Timing,
    pub(crate) phase: bool,
    pub(crate) deliver_pongs: bool,
    pub(crate) answer_pings: bool,
}

impl HeartbeatConfig {
    pub(crate) const fn kind(&self) -> HeartbeatKind {
        match self.kind {
            Some(kind) => kind,
            None => HeartbeatKind::Ping,
        }
    }
}

/// How the machine checks that the peer is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeartbeatKind {
    /// A text message in JSON: see [`JsonHeartbeat`](crate::JsonHeartbeat).
    Json,
    /// The messages of the [`Dialect`](crate::Dialect). This is the default with a dialect that has a
    /// heartbeat.
    Dialect,
    /// A WebSocket Ping frame. Every server must answer it (RFC 6455 section 5.5.2). This is the
    /// default.
    Ping,
    /// No heartbeat. The machine may never notice a peer that vanished without closing the
    /// connection, unless you set `data_timeout`.
    Off,
}

impl HeartbeatKind {
    /// The name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Dialect => "dialect",
            Self::Ping => "ping",
            Self::Off => "off",
        }
    }
}

impl Config {
    /// Every setting, in the order of the table above.
    pub const SETTINGS: &'static [Setting] = with_settings!(rows);

    /// The longest span that may be configured: 365 days.
    pub const MAX_SPAN: Duration = Backoff::MAX_SPAN;

    /// The largest `max_message_size` that may be configured: 1 GiB.
    pub const MAX_MESSAGE_SIZE: usize = 1 << 30;

    /// The limits of `heartbeat.slowest_link`, in bytes a second: 1 KiB to 1 GiB.
    pub const SLOWEST_LINK: core::ops::RangeInclusive<u32> = 1 << 10..=1 << 30;

    /// The longest login message in bytes.
    pub const MAX_LOGIN: usize = 64 << 10;

    /// Creates a builder with the defaults.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// The backoff between attempts.
    #[must_use]
    pub const fn backoff(&self) -> &Backoff {
        &self.reconnect.backoff
    }

    /// The rules for close codes and HTTP statuses.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How the connection logs in: [`Login::None`] if no login is configured.
    #[must_use]
    pub const fn login(&self) -> &Login {
        &self.login
    }

    /// How many retries the machine makes before it gives up, not counting the first attempt.
    /// `None` means no limit.
    #[must_use]
    pub const fn max_attempts(&self) -> Option<u32> {
        self.reconnect.max_attempts
    }

    /// How long a connection must be ready to be stable. If the last delay was longer, a connection
    /// must be ready for that long.
    #[must_use]
    pub const fn stable_after(&self) -> Duration {
        self.reconnect.stable_after
    }

    /// The cap on a server's `Retry-After`.
    #[must_use]
    pub const fn retry_after_max(&self) -> Duration {
        self.reconnect.retry_after_max
    }

    /// After which time in the ready state a connection is renewed. `None` means never.
    #[must_use]
    pub const fn renew_after(&self) -> Option<Duration> {
        self.reconnect.renew_after
    }

    /// The span over which first retries are spread after a ready connection is lost. Zero means off.
    #[must_use]
    pub const fn spread(&self) -> Duration {
        self.reconnect.spread
    }

    /// How the machine checks that the peer is alive.
    #[must_use]
    pub const fn heartbeat_kind(&self) -> HeartbeatKind {
        self.heartbeat.kind()
    }

    /// The span from one ping to the next.
    #[must_use]
    pub const fn heartbeat_interval(&self) -> Duration {
        self.heartbeat.timing.interval
    }

    /// How long after a ping's hand-over a sign of life must come.
    #[must_use]
    pub const fn heartbeat_timeout(&self) -> Duration {
        self.heartbeat.timing.timeout
    }

    /// Whether only a pong counts as a sign of life.
    #[must_use]
    pub const fn heartbeat_strict(&self) -> bool {
        self.heartbeat.timing.strict
    }

    /// Whether the first ping leaves after a random part of the interval.
    #[must_use]
    pub const fn heartbeat_phase(&self) -> bool {
        self.heartbeat.phase
    }

    /// The rate, in bytes a second, of the slowest link that must not look dead.
    #[must_use]
    pub const fn slowest_link(&self) -> u32 {
        self.heartbeat.timing.slowest_link
    }

    /// Whether the machine also delivers the pongs of [`HeartbeatKind::Json`] to the application.
    #[must_use]
    pub const fn deliver_pongs(&self) -> bool {
        self.heartbeat.deliver_pongs
    }

    /// Whether the machine answers the peer's application-level pings.
    #[must_use]
    pub const fn answer_pings(&self) -> bool {
        self.heartbeat.answer_pings
    }

    /// Whether a provider is asked for each attempt's request before its socket opens.
    #[must_use]
    pub const fn asks_provider(&self) -> bool {
        self.ask_provider
    }

    /// Returns the same settings with `ask_provider` set. A driver uses them if it has a provider.
    #[must_use]
    pub fn with_provider(&self) -> Self {
        Self { ask_provider: true, ..self.clone() }
    }

    /// Whether each attempt waits for a budget that several connections share.
    #[must_use]
    pub const fn shares_budget(&self) -> bool {
        self.shared_budget
    }

    /// Returns the same settings with `shared_budget` set. A fleet uses them if it has a budget.
    #[must_use]
    pub fn with_shared_budget(&self) -> Self {
        Self { shared_budget: true, ..self.clone() }
    }

    /// Returns the same settings for a dialect with these duties. A driver uses them if it has a
    /// dialect. The dialect sends the pings unless another kind of heartbeat was set, and logs in
    /// unless another login was set. Its login's timeout is clamped to 1 ms – 365 d.
    #[must_use]
    pub fn with_dialect(&self, duties: Duties) -> Self {
        let mut config = self.clone();
        let own = if duties.heartbeat { HeartbeatKind::Dialect } else { HeartbeatKind::Ping };
        config.heartbeat.kind = config.heartbeat.kind.or(Some(own));
        if let (Some(timeout), Login::None) = (duties.login, &config.login) {
            let timeout = timeout.clamp(Duration::from_millis(1), Self::MAX_SPAN);
            config.login = Login::Dialect { timeout };
        }
        config
    }

    /// How long the provider may take to give an attempt's request.
    #[must_use]
    pub const fn attempt_timeout(&self) -> Duration {
        self.attempt_timeout
    }

    /// How long DNS, TCP, TLS and upgrade may take together, until an attempt takes longer.
    #[must_use]
    pub const fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// The longest connect timeout. Each attempt that ends by the timeout makes it four times as
    /// long, up to this span. If it equals `connect_timeout`, the timeout does not grow.
    #[must_use]
    pub const fn connect_timeout_max(&self) -> Duration {
        self.connect_timeout_max
    }

    /// How long the peer has to answer our Close frame.
    #[must_use]
    pub const fn close_timeout(&self) -> Duration {
        self.close_timeout
    }

    /// How long a ready connection may go without an application message. `None` means without
    /// limit.
    #[must_use]
    pub const fn data_timeout(&self) -> Option<Duration> {
        self.data_timeout
    }

    /// The largest message that is accepted, in bytes.
    #[must_use]
    pub const fn max_message_size(&self) -> usize {
        self.max_message_size
    }

    /// If the wall clock is ahead of monotonic time by more than this, the computer was suspended.
    /// It is the longer of two intervals and 30 s.
    pub(crate) fn suspend_threshold(&self) -> Duration {
        match self.heartbeat.kind() {
            HeartbeatKind::Json | HeartbeatKind::Ping | HeartbeatKind::Dialect => {
                Self::suspend_threshold_of(self.heartbeat.timing.interval)
            }
            HeartbeatKind::Off => Self::LEAST_SUSPEND,
        }
    }

    /// The same for a heartbeat with this interval.
    pub(crate) fn suspend_threshold_of(interval: Duration) -> Duration {
        interval.saturating_mul(2).max(Self::LEAST_SUSPEND)
    }

    const LEAST_SUSPEND: Duration = Duration::from_secs(30);
}

impl Default for Config {
    fn default() -> Self {
        // Local invariant: the defaults are valid. A test builds them.
        ConfigBuilder::default().build().expect("the default configuration is valid")
    }
}
