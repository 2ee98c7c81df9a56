//! The settings of a fleet.

use std::sync::{Arc, Mutex};

use gateway_core::{ConfigError, ConfigErrors, RetryBudget};
use gateway_wire::{FleetSettings, Inbox, Roster};

use super::{Fleet, FleetEvents};
use crate::clock::Clock;

/// Collects a fleet's settings. [`build`](Self::build) validates them and returns all errors at once.
#[derive(Clone, Debug)]
#[must_use]
pub struct FleetBuilder {
    settings: FleetSettings,
    stack_size: usize,
}

impl FleetBuilder {
    /// The least stack of a client's thread: 128 KiB.
    pub const SMALLEST_STACK: usize = 128 << 10;

    /// Sets how many clients the fleet may have at a time: 1 to 2^20. The default is 10,000.
    pub const fn max_clients(mut self, clients: usize) -> Self {
        self.settings.max_clients = clients;
        self
    }

    /// Sets how many sockets all clients may open in a time, the first ones included. By default
    /// there is no limit.
    ///
    /// Without it, the clients of a server that restarts come back as their own backoff says: with the
    /// default, within one to three seconds. With it, an attempt first waits for its own delay, and
    /// then for the budget. A client that waits is DISCONNECTED.
    ///
    /// It replaces the [`shared_budget`](crate::Builder::shared_budget) of a client's builder.
    pub const fn budget(mut self, budget: RetryBudget) -> Self {
        self.settings.budget = Some(budget);
        self
    }

    /// Sets the stack of each client's thread, in bytes: at least
    /// [`SMALLEST_STACK`](Self::SMALLEST_STACK). The default is 512 KiB. Your observers and dialects
    /// run on it. The operating system allots memory only to the part that is used.
    pub const fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// Validates all settings, and creates a fleet without clients, and the events of its clients.
    ///
    /// # Errors
    /// Each invalid setting, by its name.
    pub fn build(self) -> Result<(Fleet, FleetEvents), ConfigErrors> {
        let clock = Clock::start(None);
        let (budget, mut errors) = match self.settings.build(Arc::new(move || clock.now())) {
            Ok(budget) => (budget, Vec::new()),
            Err(wrong) => (None, wrong.into_vec()),
        };
        if self.stack_size < Self::SMALLEST_STACK {
            let limit = format!("must be at least {}", Self::SMALLEST_STACK);
            errors.push(ConfigError::new("stack_size", self.stack_size.to_string(), limit));
        }
        ConfigErrors::check(errors)?;
        let (inbox, reader) = Inbox::new();
        let roster = Mutex::new(Roster::new(&self.settings));
        let fleet = Fleet { roster, inbox, budget, stack_size: self.stack_size };
        Ok((fleet, FleetEvents::new(reader)))
    }
}

impl Default for FleetBuilder {
    fn default() -> Self {
        Self { settings: FleetSettings::default(), stack_size: 512 << 10 }
    }
}
