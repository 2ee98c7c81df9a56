//! The settings of a fleet.

use std::sync::Mutex;

use gateway_core::{ConfigError, ConfigErrors};
use gateway_wire::{FleetSettings, Inbox, Roster};

use super::{Fleet, FleetEvents};

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
        let mut errors = self.settings.check().map_or_else(ConfigErrors::into_vec, |()| Vec::new());
        if self.stack_size < Self::SMALLEST_STACK {
            let limit = format!("must be at least {}", Self::SMALLEST_STACK);
            errors.push(ConfigError::new("stack_size", self.stack_size.to_string(), limit));
        }
        ConfigErrors::check(errors)?;
        let (inbox, reader) = Inbox::new();
        let roster = Mutex::new(Roster::new(&self.settings));
        Ok((Fleet { roster, inbox, stack_size: self.stack_size }, FleetEvents::new(reader)))
    }
}

impl Default for FleetBuilder {
    fn default() -> Self {
        Self { settings: FleetSettings::default(), stack_size: 512 << 10 }
    }
}
