//! The plan of a history: settings, a seed and steps. Fuzzer bytes, texts and property draws become plans.

use core::time::Duration;

use gateway_core::{
    AcceptanceRule, Config, Failure, HeartbeatKind, JsonRule, Login, Multiplier, OpenError,
    RefusalRule, Rule, Strategy, Uniform, Verdict,
};
use serde::{Deserialize, Serialize};

use super::listed::Listed as _;
use super::speech::Speech;
use crate::listed;

const HEARTBEATS: [HeartbeatKind; 4] =
    [HeartbeatKind::Json, HeartbeatKind::Ping, HeartbeatKind::Off, HeartbeatKind::Dialect];

pub(super) const FAILURES: [Failure; 7] = [
    Failure::Eof,
    Failure::Reset,
    Failure::Io,
    Failure::Tls,
    Failure::Protocol,
    Failure::InvalidUtf8,
    Failure::TooBig,
];

pub(super) const TROUBLES: [OpenError; 10] = [
    OpenError::Dns,
    OpenError::Refused,
    OpenError::Unreachable,
    OpenError::Io,
    OpenError::Certificate,
    OpenError::Tls,
    OpenError::NotHttp,
    OpenError::Upgrade,
    OpenError::Proxy,
    OpenError::ProxyCredentials,
];

listed!(Jitter, Strategy::ALL, strategy => strategy.name().to_owned());
listed!(Heartbeat, HEARTBEATS, kind => format!("{kind:?}"));
listed!(SocketFailure, FAILURES, failure => format!("{failure:?}"));
listed!(OpenFailure, TROUBLES, error => format!("{error:?}"));

/// The plan of a history.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// The numbers for the configuration.
    pub settings: Settings,
    /// The seed of the draws.
    pub seed: u64,
    /// Whether a Tick also comes at each deadline, as in a driver.
    pub is_punctual: bool,
    /// What happens.
    pub steps: Vec<Step>,
    /// What the dialect asks for.
    pub speech: Speech,
}

/// Raw numbers. [`Settings::config`] maps them into their limits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "each field becomes the setting of that name")]
pub struct Settings {
    pub initial_delay: u16,
    pub longer_by: u32,
    pub multiplier: u16,
    #[serde(with = "Jitter")]
    pub strategy: u8,
    /// The general form, in place of a strategy with a name: floor, ceiling and clamp.
    pub uniform: Option<(u16, u16, bool)>,
    pub max_attempts: Option<u8>,
    pub stable_after: u16,
    pub retry_after_max: u32,
    pub spread: u32,
    #[serde(with = "Heartbeat")]
    pub heartbeat: u8,
    pub interval: u16,
    pub timeout: u16,
    pub is_strict: bool,
    pub has_phase: bool,
    pub delivers_pongs: bool,
    pub answers_pings: bool,
    pub login: LoginKind,
    pub rules: Vec<(u16, Ruling)>,
    pub connect_timeout: u16,
    /// By how much the connect timeout may grow.
    pub connect_longer_by: u32,
    pub close_timeout: u16,
    pub data_timeout: Option<u16>,
    pub renew_after: Option<u16>,
    pub asks_provider: bool,
    pub shares_budget: bool,
    pub attempt_timeout: u16,
}

/// How the connection logs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as the logins of the configuration are named")]
pub enum LoginKind {
    #[default]
    #[serde(rename = "NoLogin")]
    None,
    Message,
    MessageWithoutRules,
    External,
    Dialect,
    /// A message whose answer the dialect judges.
    MessageToDialect,
}

/// A verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as the verdicts are named")]
pub enum Ruling {
    Retry,
    NoSoonerThan(u16),
    Refresh,
    Fatal,
}

impl Ruling {
    /// The verdict.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Retry => Verdict::Retry,
            Self::NoSoonerThan(millis) => Verdict::RetryNoSoonerThan(span(millis)),
            Self::Refresh => Verdict::RefreshCredentials,
            Self::Fatal => Verdict::Fatal,
        }
    }
}

/// A span of a millisecond to a minute or so.
fn span(millis: u16) -> Duration {
    Duration::from_millis(u64::from(millis) + 1)
}

fn longer(millis: u32) -> Duration {
    Duration::from_millis(u64::from(millis))
}

impl Settings {
    /// The configuration.
    #[must_use]
    pub fn config(&self) -> Config {
        let initial = span(self.initial_delay);
        let interval = span(self.interval);
        let connect_timeout = span(self.connect_timeout);
        let timeout = span(self.timeout).min(interval);
        let multiplier = Multiplier::from_thousandths(1_000 + u32::from(self.multiplier));
        let named = Strategy::ALL[usize::from(self.strategy) % Strategy::ALL.len()];
        let uniform = self.uniform.and_then(|(floor, ceiling, is_clamped)| {
            Uniform::new(floor % 1_001, 1_000 + ceiling % 2_001, is_clamped)
        });
        let strategy = uniform.map_or(named, Strategy::Uniform);
        let mut builder = Config::builder()
            .initial_delay(initial)
            .max_delay(initial + longer(self.longer_by))
            .multiplier(multiplier.unwrap_or(Multiplier::ONE))
            .jitter(strategy)
            .max_attempts(self.max_attempts.map(u32::from))
            .stable_after(span(self.stable_after))
            .retry_after_max(Duration::from_millis(u64::from(self.retry_after_max) + 1))
            .spread(longer(self.spread))
            .heartbeat(HEARTBEATS[usize::from(self.heartbeat) % HEARTBEATS.len()])
            .heartbeat_interval(interval)
            .heartbeat_timeout(timeout)
            .heartbeat_strict(self.is_strict)
            .heartbeat_phase(self.has_phase)
            .slowest_link(1 << (10 + self.multiplier % 8))
            .deliver_pongs(self.delivers_pongs)
            .answer_pings(self.answers_pings)
            .login(self.login(timeout))
            .ask_provider(self.asks_provider)
            .shared_budget(self.shares_budget)
            .attempt_timeout(span(self.attempt_timeout))
            .connect_timeout(connect_timeout)
            .connect_timeout_max(connect_timeout + longer(self.connect_longer_by))
            .close_timeout(span(self.close_timeout))
            .data_timeout(self.data_timeout.map(span))
            .renew_after(self.renew_after.map(span));
        let mut taken = Vec::new();
        for (code, ruling) in &self.rules {
            let code = if *code < 500 { 100 + code } else { 1_000 + code % 4_000 };
            let rule = Rule::new(code, code, ruling.verdict());
            if let Some(rule) = rule.filter(|_| !taken.contains(&code)) {
                taken.push(code);
                builder = builder.rule(rule);
            }
        }
        match builder.build() {
            Ok(config) => config,
            Err(errors) => panic!("the settings are within their limits: {errors}"),
        }
    }

    fn login(&self, timeout: Duration) -> Login {
        let send = "open sesame".into();
        match self.login {
            LoginKind::None => Login::None,
            LoginKind::Message => Login::Message {
                send,
                accepted: AcceptanceRule::parse("/type=welcome").unwrap_or(AcceptanceRule::Any),
                refused: self.refusals(),
                timeout,
            },
            LoginKind::MessageWithoutRules => {
                Login::Message { send, accepted: AcceptanceRule::Any, refused: Vec::new(), timeout }
            }
            LoginKind::External => Login::External { timeout },
            LoginKind::Dialect => Login::Dialect { timeout },
            LoginKind::MessageToDialect => Login::Message {
                send,
                accepted: AcceptanceRule::Dialect,
                refused: self.refusals(),
                timeout,
            },
        }
    }

    /// The verdict is drawn with the connect timeout, so that no input needs another number.
    fn refusals(&self) -> Vec<RefusalRule> {
        let verdict = match self.connect_timeout / 1_000 % 4 {
            0 => Verdict::RefreshCredentials,
            1 => Verdict::Retry,
            2 => Verdict::RetryNoSoonerThan(span(self.connect_timeout)),
            _ => Verdict::Fatal,
        };
        let rule = JsonRule::parse("/type=refused");
        rule.map(|rule| RefusalRule { rule, verdict }).into_iter().collect()
    }
}

/// Time passes, or goes back. Then an event happens.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    /// How time goes on.
    pub advance: Advance,
    /// What happens then.
    pub fact: Fact,
}

/// How time goes on.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Advance {
    ToDeadline,
    #[default]
    Stay,
    Nanos(u16),
    Millis(u16),
    Long(u32),
    JustBeforeDeadline,
    PastDeadline(u16),
    Back(u32),
    /// To any instant there is.
    Leap(u64),
}

/// The kind of event. Its details depend on the state of the connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Fact {
    /// The most likely next event in the current state.
    #[default]
    Next,
    Connect,
    Reconnect,
    Close(u8),
    Send(Content),
    LoginAccepted,
    LoginRejected(Ruling),
    Opened(Whose),
    OpenFailed(Whose, Trouble),
    Failed(Whose, #[serde(with = "SocketFailure")] u8),
    Frame(Whose, Content),
    Bytes(Whose),
    WriteBlocked(Whose),
    Flushed(Whose),
    Paused(Whose),
    Resumed(Whose),
    Wall(Wall),
    Online,
    Offline,
    Tick,
    /// The newest ping waits behind this many bytes. The transport has accepted none for this many milliseconds.
    PingHeld(Whose, u32, u16),
    WriteProgressed(Whose),
    /// The newest ping is handed over, with this many unproven bytes.
    PingHanded(Whose, u32),
    /// The write buffer is empty.
    Drained(Whose),
    /// An open is reserved, this many milliseconds from now.
    OpenReserved(u16),
    ProviderAnswered(Whose),
    ProviderFailed(Whose, Ruling),
}

/// Which socket an event is about.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Whose {
    /// The last one.
    Current,
    /// The one this many before it.
    Older(u8),
    /// One that was never opened.
    Never,
}

/// Why a socket cannot be opened.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Trouble {
    Network(#[serde(with = "OpenFailure")] u8),
    Http(u16),
    HttpRetryAfter(u16, u32),
    HttpRetryAt(u16, i32),
    Configuration,
}

/// What a message holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Content {
    Data,
    Binary(u8),
    /// A pong of the dialect: which ping it echoes, and how it is written.
    Pong(Echo, u8),
    /// The peer's own ping.
    PeerPing(Option<u64>),
    WebSocketPing,
    WebSocketPong(Echo),
    Welcome,
    Refused,
    Close(Option<u16>),
    Text(String),
}

/// The timestamp or stamp of a pong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Echo {
    #[serde(rename = "NoEcho")]
    None,
    Newest,
    Other(u64),
}

/// The wall-clock time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Wall {
    /// It runs with the monotonic clock.
    Even,
    /// It has gone ahead by this many milliseconds.
    Ahead(u32),
    /// It was set back.
    Back(u32),
    At(u64),
}
