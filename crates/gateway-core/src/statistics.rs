//! Counters and times of a connection since it was created.

use core::time::Duration;

use serde::Serialize;

use crate::action::DisconnectCause;
use crate::event::OpenError;
use crate::snapshot::{disconnect, fraction, millis, open_error};

/// What a connection has done since it was created. This is a copy: see
/// [`Connection::statistics`](crate::Connection::statistics).
///
/// All counters saturate: `opened`, `reconnects` and `stale_events` at about four billion (2³²),
/// the others at `u64::MAX`.
///
/// Serde writes the fields by their names. `time_ready` becomes `time_ready_ms`, in whole
/// milliseconds. A cause is an object with the fields of the program's event `disconnected`: `cause`,
/// and `code`, `http_status` or `failure`. A field without a value is left out.
///
/// ```
/// use gateway_core::{Config, Connection, Event, Instant};
///
/// let mut connection = Connection::from_seed(Config::default().into(), 7);
/// let _ = connection.handle(Instant::ZERO, Event::ConnectRequested);
/// let json = serde_json::to_value(connection.statistics(Instant::ZERO))?;
/// assert_eq!((&json["attempts"], &json["time_ready_ms"]), (&1.into(), &0.into()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Statistics {
    /// Attempts to open a socket: the first one and all retries. Nothing resets this number.
    pub attempts: u64,
    /// Sockets that opened.
    pub opened: u64,
    /// How many times the connection became ready after it had been ready before.
    pub reconnects: u64,
    /// Why the last socket ended.
    #[serde(serialize_with = "disconnect", skip_serializing_if = "Option::is_none")]
    pub last_disconnect: Option<DisconnectCause>,
    /// Why the last failed attempt could not open a socket.
    #[serde(serialize_with = "open_error", skip_serializing_if = "Option::is_none")]
    pub last_open_error: Option<OpenError>,
    /// Round trips of heartbeats.
    pub round_trip: RoundTrip,
    /// The time spent ready, up to the instant passed to
    /// [`Connection::statistics`](crate::Connection::statistics).
    #[serde(rename = "time_ready_ms", serialize_with = "millis")]
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
///
/// Serde writes `last_ms`, `min_ms` and `smoothed_ms`: milliseconds to the microsecond, such as
/// `1.235`. They are left out before the first round trip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RoundTrip {
    /// The newest round trip.
    #[serde(
        rename = "last_ms",
        serialize_with = "fraction",
        skip_serializing_if = "Option::is_none"
    )]
    pub last: Option<Duration>,
    /// The shortest round trip.
    #[serde(
        rename = "min_ms",
        serialize_with = "fraction",
        skip_serializing_if = "Option::is_none"
    )]
    pub min: Option<Duration>,
    /// The smoothed round trip, with a gain of 1/8 as in [RFC 6298 section
    /// 2](https://www.rfc-editor.org/rfc/rfc6298#section-2).
    #[serde(
        rename = "smoothed_ms",
        serialize_with = "fraction",
        skip_serializing_if = "Option::is_none"
    )]
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

    #[test]
    fn a_snapshot_names_its_units_and_leaves_out_what_it_does_not_know() {
        let mut round_trip = RoundTrip::default();
        round_trip.record(Duration::from_nanos(1_234_567));
        let statistics = Statistics {
            attempts: 2,
            opened: 1,
            last_disconnect: Some(DisconnectCause::OpenFailed(OpenError::Refused)),
            last_open_error: Some(OpenError::Refused),
            time_ready: Duration::from_micros(1_500_900),
            round_trip,
            ..Statistics::default()
        };

        let json = serde_json::to_string(&statistics).unwrap();

        let expected = concat!(
            r#"{"attempts":2,"opened":1,"reconnects":0,"#,
            r#""last_disconnect":{"cause":"open_failed","failure":"refused"},"#,
            r#""last_open_error":{"failure":"refused"},"#,
            r#""round_trip":{"last_ms":1.235,"min_ms":1.235,"smoothed_ms":1.235},"#,
            r#""time_ready_ms":1500,"frames_in":0,"frames_out":0,"bytes_in":0,"bytes_out":0,"#,
            r#""stale_events":0,"effects_ignored":0,"became_ready":false}"#
        );
        assert_eq!(json, expected);
        let json = serde_json::to_string(&Statistics::default()).unwrap();
        assert!(!json.contains("null") && json.contains(r#""round_trip":{}"#), "{json}");
    }
}
