//! The clocks that the watch compares. They are the standard library's, whatever clock the driver
//! runs on.
#![allow(
    clippy::disallowed_methods,
    reason = "the watch compares real clocks; this is its clock file"
)]

use std::time::{Instant as StdInstant, SystemTime};

use gateway_core::{Instant, UnixMillis};

/// The system's two clocks. Monotonic time counts from when this was created.
#[derive(Clone, Copy, Debug)]
pub(super) struct SystemClocks(StdInstant);

impl SystemClocks {
    pub(super) fn start() -> Self {
        Self(StdInstant::now())
    }

    /// Reads both clocks.
    pub(super) fn read(&self) -> (Instant, UnixMillis) {
        let nanos = self.0.elapsed().as_nanos();
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let millis = since_epoch.unwrap_or_default().as_millis();
        let now = Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        (now, UnixMillis(u64::try_from(millis).unwrap_or(u64::MAX)))
    }
}
