//! The platform's TLS configuration, which all clients of a process share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gateway_core::ConfigError;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tracing::warn;

use super::{builder, clock, wrong};

/// A configuration that is older is built again: the trust store may have changed.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

static PLATFORM: Shared = Shared::new();

/// The configuration of this process; built where there is none, or none that is young enough.
///
/// # Errors
/// There was none so far, and the platform's trust store cannot be read.
pub(super) fn config() -> Result<Arc<ClientConfig>, ConfigError> {
    PLATFORM.at(clock::now(), build)
}

fn build() -> Result<ClientConfig, ConfigError> {
    let config = builder()?
        .with_platform_verifier()
        .map_err(|error| wrong("tls", format!("needs the platform's trust store: {error}")))?;
    Ok(config.with_no_client_auth())
}

struct Shared(Mutex<Option<Built>>);

struct Built {
    config: Arc<ClientConfig>,
    at: Instant,
}

impl Shared {
    const fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn at(
        &self,
        now: Instant,
        build: impl FnOnce() -> Result<ClientConfig, ConfigError>,
    ) -> Result<Arc<ClientConfig>, ConfigError> {
        // What a build that panicked left is whole.
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = match &*shared {
            Some(built) if now.saturating_duration_since(built.at) <= MAX_AGE => {
                return Ok(Arc::clone(&built.config));
            }
            old => old.as_ref().map(|built| Arc::clone(&built.config)),
        };
        match (build(), old) {
            (Ok(config), _) => {
                let config = Arc::new(config);
                *shared = Some(Built { config: Arc::clone(&config), at: now });
                Ok(config)
            }
            (Err(error), Some(old)) => {
                warn!(%error, "the platform's TLS configuration is older than 24 h and cannot be built again");
                Ok(old)
            }
            (Err(error), None) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tls;

    const SECOND: Duration = Duration::from_secs(1);

    fn given() -> Result<ClientConfig, ConfigError> {
        Ok(Arc::unwrap_or_clone(Tls::insecure()?.config()))
    }

    #[test]
    fn a_configuration_is_shared_for_24_hours_and_then_built_again() {
        let (shared, start) = (Shared::new(), clock::now());
        let first = shared.at(start, given).unwrap();

        let same = shared.at(start + MAX_AGE, || panic!("it is young enough")).unwrap();
        let second = shared.at(start + MAX_AGE + SECOND, given).unwrap();
        let again = shared.at(start + 2 * MAX_AGE, || panic!("it is young enough")).unwrap();

        assert!(Arc::ptr_eq(&first, &same) && Arc::ptr_eq(&second, &again));
        assert!(!Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn a_trust_store_that_cannot_be_read_again_leaves_the_configuration_as_it_is() {
        let (shared, start) = (Shared::new(), clock::now());
        let failing = || Err(wrong("tls", "unreadable".to_owned()));
        assert!(shared.at(start, failing).is_err(), "there is none yet");
        let first = shared.at(start, given).unwrap();
        let old = shared.at(start + 2 * MAX_AGE, failing).unwrap();
        let new = shared.at(start + 2 * MAX_AGE, given).unwrap();
        assert!(Arc::ptr_eq(&first, &old) && !Arc::ptr_eq(&old, &new));
    }

    #[test]
    fn the_second_client_of_a_process_costs_nothing_of_it() {
        let first = Tls::platform().unwrap();
        let mut second = None;
        let spent = allocation_counter::measure(|| {
            let tls = Tls::platform().unwrap();
            second = Some((tls.config(), tls));
        });
        assert!(spent.bytes_total < 1 << 10, "{spent:?}");
        assert!(Arc::ptr_eq(&first.config(), &second.unwrap().0));
    }
}
