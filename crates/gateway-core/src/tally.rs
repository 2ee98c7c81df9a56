//! The counters of a connection, in little memory. [`Statistics`] is made from them on request.

use core::time::Duration;

use crate::action::DisconnectCause;
use crate::event::OpenError;
use crate::statistics::{RoundTrip, Statistics};
use crate::time::nanos;

/// The counters and times of a connection, in less memory than [`Statistics`].
///
/// The number of attempts is not stored: it is the number of the last socket. Rare events are
/// counted in 32 bits. All counters saturate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    frames_in: u64,
    frames_out: u64,
    bytes_in: u64,
    bytes_out: u64,
    time_ready_ns: u64,
    last_ns: u64,
    min_ns: u64,
    smoothed_ns: u64,
    last_open_error: Option<OpenError>,
    last_disconnect: Option<DisconnectCause>,
    opened: u32,
    readies: u32,
    stale_events: u32,
    /// How many were measured. While this is 0, `last_ns`, `min_ns` and `smoothed_ns` mean nothing.
    round_trips: u32,
}

impl Tally {
    #[inline]
    pub(crate) fn count_in(&mut self, bytes: usize) {
        self.frames_in = self.frames_in.saturating_add(1);
        self.bytes_in = self.bytes_in.saturating_add(bytes as u64);
    }

    pub(crate) fn count_frame_out(&mut self) {
        self.frames_out = self.frames_out.saturating_add(1);
    }

    pub(crate) fn count_bytes_out(&mut self, bytes: usize) {
        self.bytes_out = self.bytes_out.saturating_add(bytes as u64);
    }

    pub(crate) fn count_opened(&mut self) {
        self.opened = self.opened.saturating_add(1);
    }

    pub(crate) fn count_ready(&mut self) {
        self.readies = self.readies.saturating_add(1);
    }

    pub(crate) fn count_stale(&mut self) {
        self.stale_events = self.stale_events.saturating_add(1);
    }

    pub(crate) fn count_time_ready(&mut self, span: Duration) {
        self.time_ready_ns = self.time_ready_ns.saturating_add(nanos(span));
    }

    pub(crate) fn count_round_trip(&mut self, sample: Duration) {
        let mut round_trip = self.round_trip();
        round_trip.record(sample);
        self.round_trips = self.round_trips.saturating_add(1);
        let kept = |span: Option<Duration>| span.map_or(0, nanos);
        self.last_ns = kept(round_trip.last);
        self.min_ns = kept(round_trip.min);
        self.smoothed_ns = kept(round_trip.smoothed);
    }

    pub(crate) fn count_end(&mut self, cause: DisconnectCause) {
        self.last_disconnect = Some(cause);
        if let DisconnectCause::OpenFailed(error) = cause {
            self.last_open_error = Some(error);
        }
    }

    /// The statistics of a connection that has made this many attempts.
    pub(crate) fn statistics(&self, attempts: u64) -> Statistics {
        Statistics {
            attempts,
            opened: self.opened.into(),
            reconnects: self.readies.saturating_sub(1).into(),
            last_disconnect: self.last_disconnect,
            last_open_error: self.last_open_error,
            round_trip: self.round_trip(),
            time_ready: Duration::from_nanos(self.time_ready_ns),
            frames_in: self.frames_in,
            frames_out: self.frames_out,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            stale_events: self.stale_events.into(),
            effects_ignored: 0, // the dialect's
            became_ready: self.readies > 0,
        }
    }

    fn round_trip(&self) -> RoundTrip {
        let told = |kept| (self.round_trips > 0).then_some(Duration::from_nanos(kept));
        RoundTrip {
            last: told(self.last_ns),
            min: told(self.min_ns),
            smoothed: told(self.smoothed_ns),
        }
    }
}
