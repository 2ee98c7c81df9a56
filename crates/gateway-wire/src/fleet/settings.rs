//! The settings of a fleet.

use gateway_core::{ConfigError, ConfigErrors, RetryBudget};

use crate::shared_budget::{BudgetClock, SharedBudget};

/// The settings of a fleet, not yet validated. A driver's builder contains them.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // filled by the drivers' builders
pub struct FleetSettings {
    /// The most clients at a time.
    pub max_clients: usize,
    /// How many sockets the clients may open in a time, all together; `None` for any number.
    pub budget: Option<RetryBudget>,
}

impl FleetSettings {
    /// The greatest `max_clients`.
    pub const MOST_CLIENTS: usize = 1 << 20;

    /// Validates the settings, and returns the budget that the clients share. `clock` is the driver's
    /// clock, from any epoch.
    ///
    /// # Errors
    /// Each invalid setting, by its name.
    pub fn build(&self, clock: BudgetClock) -> Result<Option<SharedBudget>, ConfigErrors> {
        let mut errors = Vec::new();
        if !(1..=Self::MOST_CLIENTS).contains(&self.max_clients) {
            let limit = format!("must be from 1 to {}", Self::MOST_CLIENTS);
            errors.push(ConfigError::new("max_clients", self.max_clients.to_string(), limit));
        }
        let budget = match self.budget.map(|budget| SharedBudget::new(budget, clock)) {
            Some(Err(wrong)) => {
                errors.extend(wrong.into_vec());
                None
            }
            Some(Ok(budget)) => Some(budget),
            None => None,
        };
        ConfigErrors::check(errors)?;
        Ok(budget)
    }
}

impl Default for FleetSettings {
    /// 10,000 clients, and no budget.
    fn default() -> Self {
        Self { max_clients: 10_000, budget: None }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use gateway_core::Instant;

    use super::*;

    #[test]
    fn each_wrong_setting_is_reported() {
        let fields = |settings: FleetSettings| match settings.build(Arc::new(|| Instant::ZERO)) {
            Ok(_) => Vec::new(),
            Err(wrong) => wrong.iter().map(|error| error.field().to_owned()).collect(),
        };
        for (max_clients, is_right) in [(0, false), (1, true), (1 << 20, true), (1 << 21, false)] {
            let found = fields(FleetSettings { max_clients, budget: None });
            assert_eq!(found.is_empty(), is_right, "{max_clients}: {found:?}");
        }
        let budget = Some(RetryBudget::new(0, Duration::ZERO));
        let found = fields(FleetSettings { max_clients: 0, budget });
        assert_eq!(found, ["max_clients", "budget.opens", "budget.span"]);
    }
}
