//! The builder: accepts any value, and reports every error at the end.

use alloc::vec::Vec;
use core::time::Duration;

use super::check::Check;
use super::{Config, ConfigError, ConfigErrors, HeartbeatConfig, HeartbeatKind, Reconnect};
use crate::backoff::{Backoff, Multiplier, Strategy};
use crate::heartbeat::Timing;
use crate::login::Login;
use crate::policy::Rule;

/// Collects settings. [`build`](Self::build) validates all of them at once. [`Config`] lists the
/// default and the limits of each setting.
///
/// ```
/// use core::time::Duration;
/// use gateway_core::Config;
///
/// let config = Config::builder()
///     .max_delay(Duration::from_secs(60))
///     .heartbeat_interval(Duration::from_secs(15))
///     .build()?;
/// assert_eq!(config.backoff().max(), Duration::from_secs(60));
///
/// let errors = Config::builder()
///     .initial_delay(Duration::ZERO)
///     .heartbeat_timeout(Duration::from_secs(60))
///     .build()
///     .unwrap_err();
/// assert_eq!(errors.iter().count(), 2);
/// # Ok::<(), gateway_core::ConfigErrors>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ConfigBuilder {
    pub(super) initial_delay: Duration,
    pub(super) max_delay: Duration,
    pub(super) multiplier: Multiplier,
    pub(super) jitter: Strategy,
    pub(super) max_attempts: Option<u32>,
    pub(super) stable_after: Duration,
    pub(super) retry_after_max: Duration,
    pub(super) renew_after: Option<Duration>,
    pub(super) spread: Duration,
    pub(super) heartbeat_kind: Option<HeartbeatKind>,
    pub(super) heartbeat_interval: Duration,
    /// `None`: 5 s, or the interval if that is shorter.
    pub(super) heartbeat_timeout: Option<Duration>,
    pub(super) heartbeat_strict: bool,
    pub(super) heartbeat_phase: bool,
    pub(super) slowest_link: u32,
    pub(super) deliver_pongs: bool,
    pub(super) answer_pings: bool,
    pub(super) login: Login,
    pub(super) rules: Vec<Rule>,
    pub(super) ask_provider: bool,
    pub(super) shared_budget: bool,
    pub(super) attempt_timeout: Duration,
    /// `None`: 10 s.
    pub(super) connect_timeout: Option<Duration>,
    /// `None`: 60 s, or the connect timeout if that is set.
    pub(super) connect_timeout_max: Option<Duration>,
    pub(super) close_timeout: Duration,
    pub(super) data_timeout: Option<Duration>,
    pub(super) max_message_size: usize,
    /// Errors of fields that could not be read. No check uses the values of these fields.
    pub(super) unread: Vec<ConfigError>,
}

impl Default for ConfigBuilder {
    fn default() -> Self {
        let backoff = Backoff::default();
        Self {
            initial_delay: backoff.initial(),
            max_delay: backoff.max(),
            multiplier: backoff.multiplier(),
            jitter: backoff.strategy(),
            max_attempts: None,
            stable_after: Duration::from_secs(10),
            retry_after_max: Duration::from_secs(300),
            renew_after: None,
            spread: Duration::ZERO,
            heartbeat_kind: None,
            heartbeat_interval: Duration::from_secs(30),
            heartbeat_timeout: None,
            heartbeat_strict: false,
            heartbeat_phase: false,
            slowest_link: 32 << 10,
            deliver_pongs: false,
            answer_pings: false,
            login: Login::None,
            rules: Vec::new(),
            ask_provider: false,
            shared_budget: false,
            attempt_timeout: Duration::from_secs(10),
            connect_timeout: None,
            connect_timeout_max: None,
            close_timeout: Duration::from_secs(2),
            data_timeout: None,
            max_message_size: 16 << 20,
            unread: Vec::new(),
        }
    }
}

impl ConfigBuilder {
    /// Sets the delay of the first retry, before jitter.
    pub fn initial_delay(mut self, span: Duration) -> Self {
        self.initial_delay = span;
        self
    }

    /// Sets the longest delay before jitter. It is also the longest delay after jitter, except for
    /// [`DecorrelatedUnclamped`](Strategy::DecorrelatedUnclamped) and a
    /// [`Uniform`](crate::Uniform) that is not clamped.
    pub fn max_delay(mut self, span: Duration) -> Self {
        self.max_delay = span;
        self
    }

    /// Sets the factor by which the delay before jitter grows with each retry, up to `max_delay`.
    pub fn multiplier(mut self, multiplier: Multiplier) -> Self {
        self.multiplier = multiplier;
        self
    }

    /// Sets the jitter: the random strategy for a delay.
    pub fn jitter(mut self, strategy: Strategy) -> Self {
        self.jitter = strategy;
        self
    }

    /// Sets how many retries the machine makes before it gives up: `None` for no limit, 0 for no
    /// retry. The first attempt is not a retry. A stable connection resets the count.
    pub fn max_attempts(mut self, attempts: Option<u32>) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets how long a connection must be ready to be stable. If the last delay was longer, a
    /// connection must be ready for that long. A stable connection resets the retry count, and with
    /// it the delay.
    pub fn stable_after(mut self, span: Duration) -> Self {
        self.stable_after = span;
        self
    }

    /// Sets the cap on a server's `Retry-After`.
    pub fn retry_after_max(mut self, span: Duration) -> Self {
        self.retry_after_max = span;
        self
    }

    /// Sets after which time in the ready state a connection is renewed: the machine leaves the socket
    /// with a Close frame and opens the next one. A random part of up to 10 % is subtracted, so that
    /// clients which connected together are not renewed together. `None` means never.
    ///
    /// The machine first waits until the write buffer is empty, at most for `close_timeout`. Use this
    /// if your server ends each connection after a fixed time.
    pub fn renew_after(mut self, span: Option<Duration>) -> Self {
        self.renew_after = span;
        self
    }

    /// Sets the span over which the first retries of many clients are spread after a ready connection
    /// is lost. The machine adds a random part of this span, in whole milliseconds, to the delay of
    /// the first retry. A failed attempt, a renewal and a reconnect on purpose add nothing. Zero, the
    /// default, turns it off.
    ///
    /// Set it if a server disconnects more clients at once than it can accept within the connect
    /// timeout. A span of clients / (accepts a second) − `connect_timeout` is then enough. A client
    /// that loses its connection alone waits for half of the span on average.
    ///
    /// If there is a least delay, the longer of the spread and the random part of the least delay is
    /// added, not both. No hint shortens the spread, but a connect request ends the wait.
    pub fn spread(mut self, span: Duration) -> Self {
        self.spread = span;
        self
    }

    /// Sets how the machine checks that the peer is alive. If you do not set it, it is
    /// [`Dialect`](HeartbeatKind::Dialect) with a dialect that has a heartbeat, and
    /// [`Ping`](HeartbeatKind::Ping) otherwise.
    pub fn heartbeat(mut self, kind: HeartbeatKind) -> Self {
        self.heartbeat_kind = Some(kind);
        self
    }

    /// Sets the span from one ping to the next.
    pub fn heartbeat_interval(mut self, span: Duration) -> Self {
        self.heartbeat_interval = span;
        self
    }

    /// Sets how long after a ping's hand-over a sign of life must come. It is at most the interval.
    /// If you do not set it, it is 5 s, or the interval if that is shorter.
    pub fn heartbeat_timeout(mut self, span: Duration) -> Self {
        self.heartbeat_timeout = Some(span);
        self
    }

    /// Sets whether only a pong counts as a sign of life. By default any received byte does.
    pub fn heartbeat_strict(mut self, strict: bool) -> Self {
        self.heartbeat_strict = strict;
        self
    }

    /// Sets whether the first ping leaves after a random part of the interval. This spreads the
    /// pings of many clients. By default the first ping leaves after one interval.
    pub fn heartbeat_phase(mut self, phase: bool) -> Self {
        self.heartbeat_phase = phase;
        self
    }

    /// Sets the rate, in bytes a second, of the slowest link that must not look dead.
    ///
    /// The allowance of a ping is (unproven bytes − 64 KiB) / `slowest_link`, from 0 to 30 s.
    ///
    /// A held ping may wait for at most timeout + 30 s + *B* / `slowest_link`, where *B* is the
    /// number of bytes before it. If the transport takes no byte, the limit for the ping can be
    /// shorter. At the limit the connection ends with
    /// [`WriteStall`](crate::DisconnectCause::WriteStall); see there for the whole rule.
    pub fn slowest_link(mut self, bytes_a_second: u32) -> Self {
        self.slowest_link = bytes_a_second;
        self
    }

    /// Sets whether the machine also delivers the pongs of [`HeartbeatKind::Json`] to the
    /// application.
    pub fn deliver_pongs(mut self, deliver: bool) -> Self {
        self.deliver_pongs = deliver;
        self
    }

    /// Sets whether the machine answers the peer's application-level pings, and does not deliver
    /// them.
    pub fn answer_pings(mut self, answer: bool) -> Self {
        self.answer_pings = answer;
        self
    }

    /// Sets how the connection logs in.
    pub fn login(mut self, login: Login) -> Self {
        self.login = login;
        self
    }

    /// Adds a rule for close codes or HTTP statuses. It takes precedence over the default rules.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Sets whether a provider is asked for each attempt's request before its socket opens. The
    /// machine then returns [`AskProvider`](crate::Action::AskProvider) first. The builders of
    /// `gateway-tokio` and `gateway-std` set this if they have a provider.
    pub fn ask_provider(mut self, ask: bool) -> Self {
        self.ask_provider = ask;
        self
    }

    /// Sets whether several connections share a [`RetryBudget`](crate::RetryBudget). The machine then
    /// returns [`ReserveOpen`](crate::Action::ReserveOpen) before each attempt. A fleet sets this for
    /// its clients if it has a budget.
    pub fn shared_budget(mut self, is_shared: bool) -> Self {
        self.shared_budget = is_shared;
        self
    }

    /// Sets how long the provider may take to give an attempt's request. `connect_timeout` starts
    /// after that.
    pub fn attempt_timeout(mut self, span: Duration) -> Self {
        self.attempt_timeout = span;
        self
    }

    /// Sets how long DNS, TCP, TLS and upgrade may take together. The default is 10 s, and grows to
    /// 60 s while attempts take longer. A timeout that you set does not grow, unless you also set
    /// [`connect_timeout_max`](Self::connect_timeout_max).
    pub fn connect_timeout(mut self, span: Duration) -> Self {
        self.connect_timeout = Some(span);
        self
    }

    /// Sets the longest connect timeout. Each attempt that ends by the timeout makes it four times as
    /// long for the following attempts, up to this span, until the retry count is reset. If it equals
    /// `connect_timeout`, the timeout never grows. If you do not set it, it is `connect_timeout`, or
    /// 60 s if you did not set that either.
    ///
    /// When many clients reconnect together, a server may answer each of them too late. A timeout
    /// that grows ends that: the clients start fewer attempts which come to nothing.
    pub fn connect_timeout_max(mut self, span: Duration) -> Self {
        self.connect_timeout_max = Some(span);
        self
    }

    /// Sets how long the peer has to answer our Close frame. After a refused login, the machine
    /// waits this long for the peer's Close.
    pub fn close_timeout(mut self, span: Duration) -> Self {
        self.close_timeout = span;
        self
    }

    /// Sets how long a ready connection may go without an application message. `None` means without
    /// limit.
    pub fn data_timeout(mut self, span: Option<Duration>) -> Self {
        self.data_timeout = span;
        self
    }

    /// Sets the largest message that is accepted, in bytes.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// Validates all settings.
    ///
    /// # Errors
    /// Returns an error for every setting that is outside its limits.
    pub fn build(self) -> Result<Config, ConfigErrors> {
        let heartbeat_timeout = self
            .heartbeat_timeout
            .unwrap_or_else(|| Duration::from_secs(5).min(self.heartbeat_interval));
        let mut check = Check { errors: self.unread };
        check.span("reconnect.initial_delay", self.initial_delay);
        check.span("reconnect.max_delay", self.max_delay);
        check.order(
            ("reconnect.initial_delay", self.initial_delay),
            ("reconnect.max_delay", self.max_delay),
        );
        check.span("reconnect.stable_after", self.stable_after);
        check.span("reconnect.retry_after_max", self.retry_after_max);
        if let Some(span) = self.renew_after {
            check.span("reconnect.renew_after", span);
        }
        check.spread(self.spread);
        check.span("heartbeat.interval", self.heartbeat_interval);
        if self.heartbeat_timeout.is_some() {
            check.span("heartbeat.timeout", heartbeat_timeout);
            check.order(
                ("heartbeat.timeout", heartbeat_timeout),
                ("heartbeat.interval", self.heartbeat_interval),
            );
        }
        check.slowest_link(self.slowest_link);
        check.login(&self.login);
        check.span("attempt_timeout", self.attempt_timeout);
        let connect_timeout = self.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        check.span("connect_timeout", connect_timeout);
        // Who sets the timeout alone wants this timeout, at each attempt.
        let connect_timeout_max =
            self.connect_timeout_max.or(self.connect_timeout).unwrap_or(CONNECT_TIMEOUT_MAX);
        if self.connect_timeout_max.is_some() {
            check.span("connect_timeout_max", connect_timeout_max);
            check.order(
                ("connect_timeout", connect_timeout),
                ("connect_timeout_max", connect_timeout_max),
            );
        }
        check.span("close_timeout", self.close_timeout);
        if let Some(span) = self.data_timeout {
            check.span("data_timeout", span);
        }
        check.message_size(self.max_message_size);
        let policy = check.policy(self.rules);
        let backoff =
            Backoff::new(self.initial_delay, self.max_delay, self.multiplier, self.jitter);
        let Some(backoff) = backoff else {
            // The span and order checks above have reported why.
            return Err(ConfigErrors(check.errors));
        };
        ConfigErrors::check(check.errors)?;
        Ok(Config {
            reconnect: Reconnect {
                backoff,
                max_attempts: self.max_attempts,
                stable_after: self.stable_after,
                retry_after_max: self.retry_after_max,
                renew_after: self.renew_after,
                spread: self.spread,
            },
            heartbeat: HeartbeatConfig {
                kind: self.heartbeat_kind,
                timing: Timing {
                    interval: self.heartbeat_interval,
                    timeout: heartbeat_timeout,
                    strict: self.heartbeat_strict,
                    slowest_link: self.slowest_link,
                },
                phase: self.heartbeat_phase,
                deliver_pongs: self.deliver_pongs,
                answer_pings: self.answer_pings,
            },
            login: self.login,
            policy,
            ask_provider: self.ask_provider,
            shared_budget: self.shared_budget,
            attempt_timeout: self.attempt_timeout,
            connect_timeout,
            connect_timeout_max,
            close_timeout: self.close_timeout,
            data_timeout: self.data_timeout,
            max_message_size: self.max_message_size,
        })
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(60);
