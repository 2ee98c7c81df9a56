//! A scenario: a peer's deeds and an application's commands at virtual times, and what must be seen of them.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Config, Instant};

use crate::script::{Attempt, Command};
use crate::sees::See;

/// What the wall clock shows at 0 ms.
pub(crate) const WALL: u64 = 1_700_000_000_000;

/// One behaviour, told as a script with what must be seen.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The behaviour, in `snake_case`: also the name of the test and of the golden trace.
    pub name: &'static str,
    /// Public complaints that it answers.
    pub links: Vec<&'static str>,
    /// The behaviour in a sentence.
    pub about: &'static str,
    /// The settings, as TOML.
    pub config: &'static str,
    /// The seed of the draws.
    pub seed: u64,
    /// With more outgoing bytes than this waiting no message is taken until they are written.
    pub high_water: usize,
    /// What happens.
    pub script: Script,
    /// What must be seen.
    pub sees: Vec<See>,
}

/// What happens, all of it at whole milliseconds.
#[derive(Clone, Debug)]
pub struct Script {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) commands: Vec<(Duration, Command)>,
    pub(crate) end: Duration,
}

/// Begins a scenario: the default settings, a connect request at 0 ms, a minute. The rest says what is different.
#[must_use]
pub fn scenario(about: &'static str) -> Scenario {
    Scenario {
        name: "",
        links: Vec::new(),
        about,
        config: "",
        seed: 7,
        high_water: 256 << 10,
        script: Script {
            attempts: Vec::new(),
            commands: vec![(Duration::ZERO, Command::Connect)],
            end: Duration::from_secs(60),
        },
        sees: Vec::new(),
    }
}

impl Scenario {
    /// The public complaints that it answers.
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

    /// The most outgoing bytes that may wait while messages are taken.
    #[must_use]
    pub fn high_water(mut self, bytes: usize) -> Self {
        self.high_water = bytes;
        self
    }

    /// How the attempts go, one after the other; the last holds for all further ones.
    #[must_use]
    pub fn attempts(mut self, attempts: impl IntoIterator<Item = Attempt>) -> Self {
        self.script.attempts.extend(attempts);
        self
    }

    /// What the application does at that time.
    #[must_use]
    pub fn at(mut self, time: Duration, command: Command) -> Self {
        self.script.commands.push((time, command));
        self
    }

    /// When the scenario ends, and the application is gone.
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
    /// They are not valid.
    #[must_use]
    pub fn settings(&self) -> Arc<Config> {
        match toml::from_str(self.config) {
            Ok(config) => Arc::new(config),
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
    /// How attempt `number` goes, counted from 1.
    pub(crate) fn attempt(&self, number: u64) -> Attempt {
        let index = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let planned = self.attempts.get(index).or(self.attempts.last());
        planned.cloned().expect("a scenario says how its attempts go")
    }
}
