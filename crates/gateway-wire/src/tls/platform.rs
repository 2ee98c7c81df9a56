//! The platform's TLS configuration, which all clients of a process share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use gateway_core::ConfigError;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::Verifier;
use tracing::warn;

use super::clock::Clocks;
use super::validity::Dated;
use super::wrong;

/// An older configuration is built again, because the trust store may have changed.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an older configuration stays in use after it could not be built again.
const RETRY: Duration = Duration::from_secs(60 * 60);

static PLATFORM: Shared = Shared::new();

/// The configuration of this process. Builds it if there is none, or none that is young enough.
///
/// # Errors
/// There was none so far, and the platform's trust store cannot be read.
pub(super) fn config() -> Result<Arc<ClientConfig>, ConfigError> {
    PLATFORM.at(Clocks::now(), build)
}

/// The configuration of this process, if there is one that is young enough. Never blocks.
pub(super) fn try_config() -> Option<Arc<ClientConfig>> {
    PLATFORM.try_at(Clocks::now())
}

fn build() -> Result<ClientConfig, ConfigError> {
    let verifier = Verifier::new(Arc::new(ring::default_provider()))
        .map_err(|error| wrong("tls", format!("needs the platform's trust store: {error}")))?;
    super::config(Arc::new(Dated(verifier)))
}

struct Shared {
    /// Locked only briefly.
    built: Mutex<Option<Built>>,
    /// Locked while a new one is built.
    building: Mutex<()>,
}

struct Built {
    config: Arc<ClientConfig>,
    /// When it was built, or last could not be built again.
    at: Clocks,
    /// How long it stays in use after that.
    used_for: Duration,
}

impl Shared {
    const fn new() -> Self {
        Self { built: Mutex::new(None), building: Mutex::new(()) }
    }

    /// Returns a configuration that is young enough. While another thread builds a new one, returns
    /// the older one, so that many clients do not all wait.
    fn try_at(&self, now: Clocks) -> Option<Arc<ClientConfig>> {
        let is_being_built = matches!(self.building.try_lock(), Err(TryLockError::WouldBlock));
        let built = locked(&self.built);
        let built = built.as_ref()?;
        let is_young = now.since(built.at) <= built.used_for;
        (is_young || is_being_built).then(|| Arc::clone(&built.config))
    }

    fn at(
        &self,
        now: Clocks,
        build: impl FnOnce() -> Result<ClientConfig, ConfigError>,
    ) -> Result<Arc<ClientConfig>, ConfigError> {
        if let Some(config) = self.try_at(now) {
            return Ok(config);
        }
        let _building = locked(&self.building);
        let old = match &*locked(&self.built) {
            Some(built) if now.since(built.at) <= built.used_for => {
                return Ok(Arc::clone(&built.config)); // another thread was faster
            }
            built => built.as_ref().map(|built| Arc::clone(&built.config)),
        };
        let (config, used_for) = match (build(), old) {
            (Ok(config), _) => (Arc::new(config), MAX_AGE),
            (Err(error), Some(old)) => {
                warn!(%error, "the platform's TLS configuration is older than 24 h and cannot be built again; it is used for another hour");
                (old, RETRY)
            }
            (Err(error), None) => return Err(error),
        };
        *locked(&self.built) = Some(Built { config: Arc::clone(&config), at: now, used_for });
        Ok(config)
    }
}

/// The data is consistent even if a thread panicked.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tls;

    const SECOND: Duration = Duration::from_secs(1);

    fn given() -> Result<ClientConfig, ConfigError> {
        Ok(Arc::unwrap_or_clone(Tls::insecure()?.config().unwrap()))
    }

    fn failing() -> Result<ClientConfig, ConfigError> {
        Err(wrong("tls", "unreadable".to_owned()))
    }

    /// Both clocks, `span` after `start`.
    fn after(start: Clocks, span: Duration) -> Clocks {
        Clocks { monotonic: start.monotonic + span, wall: start.wall + span }
    }

    #[test]
    fn a_configuration_is_shared_for_24_hours_and_then_built_again() {
        let (shared, start) = (Shared::new(), Clocks::now());
        let at = |span| after(start, span);
        let first = shared.at(start, given).unwrap();

        let same = shared.at(at(MAX_AGE), || panic!("it is young enough")).unwrap();
        let second = shared.at(at(MAX_AGE + SECOND), given).unwrap();
        let again = shared.at(at(2 * MAX_AGE), || panic!("it is young enough")).unwrap();

        assert!(Arc::ptr_eq(&first, &same) && Arc::ptr_eq(&second, &again));
        assert!(!Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn a_trust_store_that_cannot_be_read_again_leaves_the_configuration_as_it_is_for_an_hour() {
        let (shared, start) = (Shared::new(), Clocks::now());
        let at = |span| after(start, span);
        assert!(shared.at(start, failing).is_err(), "there is none yet");
        let first = shared.at(start, given).unwrap();

        let failed = 2 * MAX_AGE;
        let old = shared.at(at(failed), failing).unwrap();
        let same = shared.at(at(failed + RETRY), || panic!("not at every handshake")).unwrap();
        let new = shared.at(at(failed + RETRY + SECOND), given).unwrap();

        assert!(Arc::ptr_eq(&first, &old) && Arc::ptr_eq(&first, &same));
        assert!(!Arc::ptr_eq(&first, &new));
    }

    #[test]
    fn the_age_counts_suspends_and_a_wall_clock_that_is_set_back_makes_nothing_young() {
        let start = Clocks::now();
        let old = after(start, MAX_AGE + SECOND);
        for now in [
            Clocks { monotonic: start.monotonic, ..old },
            Clocks { wall: start.wall - MAX_AGE, ..old },
        ] {
            let shared = Shared::new();
            let first = shared.at(start, given).unwrap();
            let second = shared.at(now, given).unwrap();
            assert!(!Arc::ptr_eq(&first, &second), "{now:?}");
        }
    }

    #[test]
    fn while_one_thread_builds_a_new_one_the_others_take_the_old_one() {
        let (shared, start) = (Shared::new(), Clocks::now());
        let old = shared.at(start, given).unwrap();
        let later = after(start, 2 * MAX_AGE);

        let rebuilding = || {
            assert!(Arc::ptr_eq(&shared.try_at(later).unwrap(), &old));
            let waits_for_none = || panic!("one builds already");
            assert!(Arc::ptr_eq(&shared.at(later, waits_for_none).unwrap(), &old));
            given()
        };
        let new = shared.at(later, rebuilding).unwrap();

        assert!(!Arc::ptr_eq(&new, &old));
        assert!(Arc::ptr_eq(&shared.try_at(later).unwrap(), &new));
    }

    #[test]
    fn what_may_not_block_neither_builds_nor_waits_for_one_that_does() {
        let (shared, start) = (Shared::new(), Clocks::now());
        assert!(shared.try_at(start).is_none());

        let building = || {
            assert!(shared.try_at(start).is_none());
            given()
        };
        let config = shared.at(start, building).unwrap();

        assert!(Arc::ptr_eq(&shared.try_at(after(start, MAX_AGE)).unwrap(), &config));
        assert!(shared.try_at(after(start, MAX_AGE + SECOND)).is_none());
    }

    #[test]
    fn the_second_client_of_a_process_costs_nothing_of_it() {
        let first = Tls::platform().unwrap();
        let mut second = None;
        let spent = allocation_counter::measure(|| {
            let tls = Tls::platform().unwrap();
            second = Some((tls.config().unwrap(), tls));
        });
        assert!(spent.bytes_total < 1 << 10, "{spent:?}");
        assert!(Arc::ptr_eq(&first.config().unwrap(), &second.unwrap().0));
    }
}
