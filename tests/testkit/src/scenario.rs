//! A scenario: a peer's deeds and an application's commands at virtual times, with expectations.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Config, Dialect, Instant, RetryBudget};

use crate::script::{Attempt, Command};
use crate::sees::See;

/// The wall clock at 0 ms.
pub(crate) const WALL: u64 = 1_700_000_000_000;

/// A dialect of any kind.
pub type Spoken = Box<dyn Dialect + Send + Sync>;

/// One behaviour, as a script with expectations.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The behaviour, in `snake_case`: also the name of the test and of the golden trace.
    pub name: &'static str,
    /// Public bug reports about this behaviour.
    pub links: Vec<&'static str>,
    /// The behaviour in a sentence.
    pub about: &'static str,
    /// The settings, as TOML.
    pub config: &'static str,
    /// The seed of the draws.
    pub seed: u64,
    /// Above this many waiting bytes no message is accepted until they are written.
    pub high_water: usize,
    /// The retry budget that the connection shares with others, which open nothing here.
    pub budget: Option<RetryBudget>,
    /// What makes the dialect, if there is one.
    pub dialect: Option<fn() -> Spoken>,
    /// The script.
    pub script: Script,
    /// The expectations.
    pub sees: Vec<See>,
}

/// What happens, all of it at whole milliseconds.
#[derive(Clone, Debug)]
pub struct Script {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) commands: Vec<(Duration, Command)>,
    pub(crate) end: Duration,
}

/// Starts a scenario with default settings, a connect request at 0 ms, and a length of a minute.
#[must_use]
pub fn scenario(about: &'static str) -> Scenario {
    Scenario {
        name: "",
        links: Vec::new(),
        about,
        config: "",
        seed: 7,
        high_water: 256 << 10,
        budget: None,
        dialect: None,
        script: Script {
            attempts: Vec::new(),
            commands: vec![(Duration::ZERO, Command::Connect)],
            end: Duration::from_secs(60),
        },
        sees: Vec::new(),
    }
}

impl Scenario {
    /// The public bug reports about this behaviour.
    #[must_use]
    pub fn answers(mut self, links: &[&'static str]) -> Self {
        self.links.extend(links);
        self
    }

    /// The settings, as TOML.
    #[must_use]
    pub fn config(mut self, toml: &'static str) -> Self {
        self.config = toml;
        self
    }

    /// The seed of the draws.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The most waiting bytes with which messages are accepted.
    #[must_use]
    pub fn high_water(mut self, bytes: usize) -> Self {
        self.high_water = bytes;
        self
    }

    /// The retry budget that the connection shares with others.
    #[must_use]
    pub fn budget(mut self, budget: RetryBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// What makes the dialect. Its duties change the settings.
    #[must_use]
    pub fn dialect(mut self, dialect: fn() -> Spoken) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// The attempts in order. The last one applies to all further ones.
    #[must_use]
    pub fn attempts(mut self, attempts: impl IntoIterator<Item = Attempt>) -> Self {
        self.script.attempts.extend(attempts);
        self
    }

    /// A command of the application at this time.
    #[must_use]
    pub fn at(mut self, time: Duration, command: Command) -> Self {
        self.script.commands.push((time, command));
        self
    }

    /// When the scenario ends and the application drops the client.
    #[must_use]
    pub fn until(mut self, end: Duration) -> Self {
        self.script.end = end;
        self
    }

    /// What must be seen.
    #[must_use]
    pub fn sees(mut self, sees: impl IntoIterator<Item = See>) -> Self {
        self.sees.extend(sees);
        self
    }

    /// The settings.
    ///
    /// # Panics
    /// If they are not valid.
    #[must_use]
    pub fn settings(&self) -> Arc<Config> {
        match toml::from_str::<Config>(self.config) {
            Ok(config) => {
                let config = match self.dialect {
                    Some(dialect) => config.with_dialect(dialect().duties()),
                    None => config,
                };
                Arc::new(if self.budget.is_some() { config.with_shared_budget() } else { config })
            }
            Err(error) => panic!("{}: {error}", self.name),
        }
    }

    /// The last instant.
    #[must_use]
    pub fn end(&self) -> Instant {
        Instant::ZERO.saturating_add(self.script.end)
    }
}

impl Script {
    /// The script of attempt `number`, counted from 1.
    pub(crate) fn attempt(&self, number: u64) -> Attempt {
        let index = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let planned = self.attempts.get(index).or(self.attempts.last());
        planned.cloned().expect("a scenario says how its attempts go")
    }
}
