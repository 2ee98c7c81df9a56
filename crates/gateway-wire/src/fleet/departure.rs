//! How the time of a shutdown is divided.

use std::time::Duration;

/// The most time that is kept for the Close handshakes.
const CLOSING: Duration = Duration::from_secs(2);

/// The most time that is kept to cut clients off.
const CUTTING: Duration = Duration::from_millis(500);

/// What a client does in the time that it has to leave its fleet. It first
/// [drains](crate::Session::drain), then it sends its Close and waits for the peer's, and in the end
/// it is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // taken apart by drivers
pub struct Departure {
    /// How long the client may drain.
    pub drain: Duration,
    /// When the client is cut off, if it has not ended by then.
    pub cut: Duration,
    /// When the caller no longer waits for a thread that hangs: at least 500 ms, so that a thread that
    /// does not hang has time to end.
    pub leave_behind: Duration,
}

impl Departure {
    /// Divides `within`. A quarter of it, at most 2 s, is kept for the Close handshake. A tenth of it,
    /// at most 500 ms, is kept to cut clients off.
    #[must_use]
    pub fn new(within: Duration) -> Self {
        let drain = within.saturating_sub(CLOSING.min(within / 4));
        let cut = within.saturating_sub(CUTTING.min(within / 10));
        Self { drain, cut, leave_behind: within.max(CUTTING) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_time_and_none_is_past_the_end() {
        for [within, drain, cut, leave_behind] in [
            [0, 0, 0, 500],
            [100, 75, 90, 500],
            [4_000, 3_000, 3_600, 4_000],
            [60_000, 58_000, 59_500, 60_000],
        ] {
            let expected = Departure {
                drain: Duration::from_millis(drain),
                cut: Duration::from_millis(cut),
                leave_behind: Duration::from_millis(leave_behind),
            };
            assert_eq!(Departure::new(Duration::from_millis(within)), expected);
        }
        let longest = Departure::new(Duration::MAX);
        assert!(longest.drain < longest.cut && longest.cut < longest.leave_behind);
    }
}
