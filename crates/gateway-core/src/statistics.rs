//! Counters and times of a connection's whole life.

use core::time::Duration;

use crate::action::DisconnectCause;
use crate::event::OpenError;

/// What a connection has done since it was made. A copy: see
/// [`Connection::statistics`](crate::Connection::statistics).
///
/// All counters stop at their end in place of wrapping: `opened`, `reconnects` and `stale_events` after some four billion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Attempts to open a socket.
    pub attempts: u64,
    /// Sockets that opened.
    pub opened: u64,
    /// How often the connection became ready again after it had been ready before.
    pub reconnects: u64,
    /// Why the last socket is gone.
    pub last_disconnect: Option<DisconnectCause>,
    /// Why a socket last could not be opened.
    pub last_open_error: Option<OpenError>,
    /// Round trips of heartbeats.
    pub round_trip: RoundTrip,
    /// Time spent ready, up to the instant asked for.
    pub time_ready: Duration,
    /// Messages and control frames received.
    pub frames_in: u64,
    /// Messages and control frames sent, those that the codec answers by itself not counted.
    pub frames_out: u64,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Payload bytes sent.
    pub bytes_out: u64,
    /// Events of old sockets that were ignored, and a driver's calls that came twice or out of order.
    pub stale_events: u64,
    /// Whether the connection was ever ready.
    pub became_ready: bool,
}

/// Round trips of heartbeats: `None` before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoundTrip {
    /// The last.
    pub last: Option<Duration>,
    /// The shortest.
    pub min: Option<Duration>,
    /// Smoothed with a gain of 1/8, as [RFC 6298 section 2](https://www.rfc-editor.org/rfc/rfc6298#section-2) does.
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
