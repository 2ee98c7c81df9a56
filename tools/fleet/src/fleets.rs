//! The fleets of both drivers, as this program uses them.

use std::error::Error;
use std::time::Duration;

use gateway_std as blocking;
use gateway_tokio as spawned;
use gateway_tokio::core::{Config, RetryBudget};
use gateway_tokio::{Counts, FleetAccount, Status};

/// A driver's fleet.
pub(crate) enum AnyFleet {
    Tokio(spawned::Fleet),
    Std(blocking::Fleet),
}

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Reconnects as fast as the budget allows: the backoff must not be what keeps the rate down.
fn config() -> Outcome<Config> {
    Ok(Config::builder()
        .initial_delay(Duration::from_millis(10))
        .max_delay(Duration::from_millis(100))
        .build()?)
}

impl AnyFleet {
    /// Starts a fleet of so many clients. Nobody takes its events.
    pub(crate) fn start(
        is_std: bool,
        clients: usize,
        budget: RetryBudget,
        url: &str,
    ) -> Outcome<Self> {
        let name = |number: usize| format!("client-{number:05}");
        if is_std {
            let (fleet, _) = blocking::Fleet::builder().budget(budget).build()?;
            for number in 0..clients {
                let client = blocking::Client::builder(url).config(config()?);
                fleet.add(name(number), client.outbox(blocking::Outbox::default()))?;
            }
            return Ok(Self::Std(fleet));
        }
        let (fleet, _) = spawned::Fleet::builder().budget(budget).build()?;
        for number in 0..clients {
            let client = spawned::Client::builder(url).config(config()?);
            fleet.add(name(number), client.outbox(spawned::Outbox::default()))?;
        }
        Ok(Self::Tokio(fleet))
    }

    fn statuses(&self) -> Outcome<Vec<Status>> {
        let statuses = match self {
            Self::Tokio(fleet) => fleet.statuses()?,
            Self::Std(fleet) => fleet.statuses()?,
        };
        Ok(statuses.into_values().collect())
    }

    /// The number of clients that are ready, and of all their attempts.
    pub(crate) fn ready(&self) -> Outcome<(usize, u64)> {
        let statuses = self.statuses()?;
        let ready = statuses.iter().filter(|status| status.is_ready).count();
        Ok((ready, statuses.iter().map(|status| status.statistics.attempts).sum()))
    }

    /// Each client sends a message. Returns how many were accepted.
    pub(crate) async fn send_one_each(&self) -> Outcome<u64> {
        let mut accepted = 0;
        match self {
            Self::Tokio(fleet) => {
                for name in fleet.names() {
                    accepted += u64::from(fleet.handle(name.as_str())?.send("done").await.is_ok());
                }
            }
            Self::Std(fleet) => {
                for name in fleet.names() {
                    accepted += u64::from(fleet.handle(name.as_str())?.send("done").is_ok());
                }
            }
        }
        Ok(accepted)
    }

    /// Shuts the fleet down. Returns how many clients there were, and what became of their messages.
    pub(crate) async fn shutdown(self, within: Duration) -> Outcome<(usize, Counts)> {
        let account: FleetAccount = match self {
            Self::Tokio(fleet) => fleet.shutdown(within).await,
            Self::Std(fleet) => tokio::task::spawn_blocking(move || fleet.shutdown(within)).await?,
        };
        Ok((account.clients.len(), account.total()))
    }
}
