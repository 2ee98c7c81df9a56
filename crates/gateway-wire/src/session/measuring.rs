//! When a session takes a sample of its metrics.

use gateway_core::Instant;

use super::Session;
use crate::metrics::Sample;

impl Session {
    /// From now on reports metrics through the facade of the crate `metrics`. The handles are
    /// registered now, with the recorder of this thread or process. Set the name before.
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn with_metrics(mut self) -> Self {
        self.metering = crate::metrics::Metering::start(self.name.as_ref());
        self
    }

    /// Takes a sample if something was noted. Call this where the session is consistent.
    #[inline]
    pub(super) fn measure(&mut self) {
        if self.metering.is_due() {
            self.take_sample(self.now);
        }
    }

    /// Takes the last sample of an abandoned session.
    pub(crate) fn measure_end(&mut self) {
        self.metering.touch();
        self.measure();
    }

    /// Takes a sample if the last one is a second old. Reads the clock only with metrics.
    #[inline]
    pub(crate) fn measure_if_old(&mut self, now: impl Fn() -> Instant) {
        if self.metering.is_old(&now) {
            self.take_sample(now());
        }
    }

    #[cold]
    #[inline(never)]
    fn take_sample(&mut self, now: Instant) {
        let sample = Sample {
            status: self.status(now),
            unread_events: self.waiting_events(),
            unread_bytes: self.backlog,
            write_buffer_bytes: self.pending().len(),
        };
        self.metering.take(now, &sample);
    }
}
