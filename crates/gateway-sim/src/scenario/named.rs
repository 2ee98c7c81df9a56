//! The scenarios that the crate brings along.

use std::fmt;
use std::str::FromStr;

use gateway_core::ConfigError;

/// A scenario that the crate brings along. Its text is TOML, to be printed and changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NamedScenario {
    /// All connections of a fleet are lost at once. The accept queue is the bottleneck.
    Drop,
    /// The server is away for two minutes, and returns.
    Outage,
    /// The server returns after two minutes, and loses all connections again 20 s later.
    SecondDrop,
    /// The server accepts every connection and closes it at once.
    AcceptThenDrop,
    /// All connections are lost at once. The login queue is the bottleneck.
    LoginQueue,
    /// Ten nodes restart one after the other.
    RollingRestart,
    /// A server that crashes under the load of the reconnects.
    Crash,
    /// A server that answers 429 with `Retry-After` above a rate.
    RateLimited,
    /// The server becomes silent, and the heartbeats must find out.
    HalfOpen,
    /// The server goes away and comes back, again and again.
    Flapping,
    /// Ten minutes of refused connections.
    Refused,
}

impl NamedScenario {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Drop,
        Self::Outage,
        Self::SecondDrop,
        Self::AcceptThenDrop,
        Self::LoginQueue,
        Self::RollingRestart,
        Self::Crash,
        Self::RateLimited,
        Self::HalfOpen,
        Self::Flapping,
        Self::Refused,
    ];

    /// The name, such as `second-drop`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Outage => "outage",
            Self::SecondDrop => "second-drop",
            Self::AcceptThenDrop => "accept-then-drop",
            Self::LoginQueue => "login-queue",
            Self::RollingRestart => "rolling-restart",
            Self::Crash => "crash",
            Self::RateLimited => "rate-limited",
            Self::HalfOpen => "half-open",
            Self::Flapping => "flapping",
            Self::Refused => "refused",
        }
    }

    /// The text. [`ScenarioBuilder::from_toml`](crate::ScenarioBuilder::from_toml) reads it.
    #[must_use]
    pub const fn toml(self) -> &'static str {
        match self {
            Self::Drop => include_str!("../scenarios/drop.toml"),
            Self::Outage => include_str!("../scenarios/outage.toml"),
            Self::SecondDrop => include_str!("../scenarios/second-drop.toml"),
            Self::AcceptThenDrop => include_str!("../scenarios/accept-then-drop.toml"),
            Self::LoginQueue => include_str!("../scenarios/login-queue.toml"),
            Self::RollingRestart => include_str!("../scenarios/rolling-restart.toml"),
            Self::Crash => include_str!("../scenarios/crash.toml"),
            Self::RateLimited => include_str!("../scenarios/rate-limited.toml"),
            Self::HalfOpen => include_str!("../scenarios/half-open.toml"),
            Self::Flapping => include_str!("../scenarios/flapping.toml"),
            Self::Refused => include_str!("../scenarios/refused.toml"),
        }
    }
}

impl fmt::Display for NamedScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for NamedScenario {
    type Err = ConfigError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let all = Self::ALL.iter().copied();
        all.clone().find(|scenario| scenario.name() == name).ok_or_else(|| {
            let names: Vec<_> = all.map(Self::name).collect();
            ConfigError::new(
                "scenario",
                name,
                format!("must be a file, or one of {}", names.join(", ")),
            )
        })
    }
}
