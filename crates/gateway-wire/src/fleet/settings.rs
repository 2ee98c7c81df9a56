//! The settings of a fleet.

use gateway_core::{ConfigError, ConfigErrors};

/// The settings of a fleet, not yet validated. A driver's builder contains them.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // filled by the drivers' builders
pub struct FleetSettings {
    /// The most clients at a time.
    pub max_clients: usize,
}

impl FleetSettings {
    /// The greatest `max_clients`.
    pub const MOST_CLIENTS: usize = 1 << 20;

    /// Validates the settings.
    ///
    /// # Errors
    /// Each invalid setting, by its name.
    pub fn check(&self) -> Result<(), ConfigErrors> {
        let mut errors = Vec::new();
        if !(1..=Self::MOST_CLIENTS).contains(&self.max_clients) {
            let limit = format!("must be from 1 to {}", Self::MOST_CLIENTS);
            errors.push(ConfigError::new("max_clients", self.max_clients.to_string(), limit));
        }
        ConfigErrors::check(errors)
    }
}

impl Default for FleetSettings {
    /// 10,000 clients.
    fn default() -> Self {
        Self { max_clients: 10_000 }
    }
}
