//! Counters and times of a connection since it was created.

use core::time::Duration;

use crate::action::DisconnectCause;
use crate::event::OpenError;

/// What a connection has done since it was created. This is a copy: see
/// [`Connection::statistics`](crate::Connection::statistics).
///
/// All counters saturate: `opened`, `reconnects` and `stale_events` at about four billion (2³²),
/// the others at `u64::MAX`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Attempts to open a socket: the first one and all retries. Nothing resets this number.
    pub attempts: u64,
    /// Sockets that opened.
    pub opened: u64,
    /// How many times the connection became ready after it had been ready before.
    pub reconnects: u64,
    /// Why the last socket ended.
    pub last_disconnect: Option<DisconnectCause>,
    /// Why the last failed attempt could not open a socket.
    pub last_open_error: Option<OpenError>,
    /// Round trips of heartbeats.
    pub round_trip: RoundTrip,
    /// The time spent ready, up to the instant passed to
    /// [`Connection::statistics`](crate::Connection::statistics).
    pub time_ready: Duration,
    /// Messages and control frames received.
    pub frames_in: u64,
    /// Messages and control frames sent. Frames that the codec sends by itself are not counted.
    pub frames_out: u64,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Payload bytes sent. Frames that the codec sends by itself are not counted.
    pub bytes_out: u64,
    /// [Stale events](crate#what-do-the-terms-mean) that the machine ignored.
    pub stale_events: u64,
    /// What a dialect asked for at a time when it does not apply, such as an answer to no ping, or a
    /// message while the connection is closing.
    pub effects_ignored: u64,
    /// Whether the connection was ever ready.
    pub became_ready: bool,
}

/// Round trips of heartbeats. Each is `None` before the first round trip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoundTrip {
    /// The newest round trip.
    pub last: Option<Duration>,
    /// The shortest round trip.
    pub min: Option<Duration>,
    /// The smoothed round trip, with a gain of 1/8 as in [RFC 6298 section
    /// 2](https://www.rfc-editor.org/rfc/rfc6298#section-2).
    pub smoothed: Option<Duration>,
}

impl RoundTrip {
    pub(crate) fn record(&mut self, sample: Duration) {
        self.last = Some(sample);
        self.min = Some(self.min.map_or(sample, |min| min.min(sample)));
        self.smoothed = Some(match self.smoothed {
            Some(smoothed) => smoothed.saturating_sub(smoothed / 8).saturating_add(sample / 8),
            None => sample,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_are_kept_as_last_least_and_smoothed() {
        let mut round_trip = RoundTrip::default();
        for millis in [80, 40, 120] {
            round_trip.record(Duration::from_millis(millis));
        }
        assert_eq!(round_trip.last, Some(Duration::from_millis(120)));
        assert_eq!(round_trip.min, Some(Duration::from_millis(40)));
        // 80 · 7/8 + 40/8 = 75; 75 · 7/8 + 120/8 = 80.625
        assert_eq!(round_trip.smoothed, Some(Duration::from_micros(80_625)));
    }
}
