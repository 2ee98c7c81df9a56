//! Detects from two clocks whether the computer was suspended. Pure: the caller passes in the
//! times.

use std::time::Duration;

use gateway_core::{Instant, UnixMillis};

/// The least span that counts as a suspend. It is also the core's least threshold, and the core
/// decides what follows.
const THRESHOLD: Duration = Duration::from_secs(30);

/// A suspend, and how the clocks showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suspend {
    /// The wall clock went ahead of the monotonic clock by this span, because the monotonic clock
    /// stops in a suspend.
    Ahead(Duration),
    /// Both clocks went on. The check was due after the period, but came this much later.
    Late(Duration),
}

impl Suspend {
    /// Returns how long the computer was suspended, as far as the clocks show.
    #[must_use]
    pub const fn by(self) -> Duration {
        match self {
            Self::Ahead(by) | Self::Late(by) => by,
        }
    }
}

/// Compares a monotonic clock with the wall clock, and detects a suspend of more than 30 s.
///
/// Each check compares the clocks with those of the check before. A wall clock that drifts, or that
/// is set back, does not count as a suspend. If your host has its own timer, call
/// [`look`](Self::look), the check, every few seconds. Otherwise use
/// [`SuspendWatch`](crate::SuspendWatch), which has a thread.
///
/// ```
/// use std::time::Duration;
/// use gateway_wire::core::{Instant, UnixMillis};
/// use gateway_wire::{Suspend, SuspendDetector};
///
/// let mut detector = SuspendDetector::new();
/// assert_eq!(detector.look(Instant::from_millis(0), UnixMillis(1_000_000)), None);
/// assert_eq!(detector.look(Instant::from_millis(5_000), UnixMillis(1_005_000)), None);
/// // The computer sleeps for a minute, in which its monotonic clock stops.
/// let noticed = detector.look(Instant::from_millis(10_000), UnixMillis(1_070_000));
/// assert_eq!(noticed, Some(Suspend::Ahead(Duration::from_secs(60))));
/// ```
#[derive(Clone, Debug, Default)]
pub struct SuspendDetector {
    last: Option<(Instant, UnixMillis)>,
    /// The period of the checks, if a late check counts as a suspend.
    period: Option<Duration>,
}

impl SuspendDetector {
    /// Creates a detector for a monotonic clock that stops in a suspend, as on Linux and macOS.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: None, period: None }
    }

    /// Creates a detector for a monotonic clock that goes on in a suspend, as on Windows. There the
    /// two clocks stay together. So the detector reports a suspend if a check that was due after
    /// `period` comes more than 30 s late. It cannot tell a suspend from a process that was stopped
    /// for that long.
    #[must_use]
    pub const fn with_period(period: Duration) -> Self {
        Self { last: None, period: Some(period) }
    }

    /// Checks the times of both clocks, and returns the suspend since the last check, if there was
    /// one. The first check only records the times.
    #[must_use]
    pub fn look(&mut self, now: Instant, wall: UnixMillis) -> Option<Suspend> {
        let (then, shown) = self.last.replace((now, wall))?;
        let elapsed = now.saturating_duration_since(then);
        let ahead = wall.saturating_duration_since(shown.saturating_add(elapsed));
        if ahead > THRESHOLD {
            return Some(Suspend::Ahead(ahead));
        }
        let late = elapsed.saturating_sub(self.period?);
        (late > THRESHOLD).then_some(Suspend::Late(late))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(5);
    const DAY: i64 = 86_400;

    /// Looks every five seconds. The wall clock is set by `steps` seconds before each look.
    fn looks(mut detector: SuspendDetector, steps: &[i64]) -> Vec<Option<Suspend>> {
        let (mut now, mut wall) = (Instant::ZERO, 1_700_000_000_000_u64);
        assert_eq!(detector.look(now, UnixMillis(wall)), None);
        let step = |step: &i64| {
            now = now.saturating_add(PERIOD);
            wall = wall.saturating_add(5_000).saturating_add_signed(step * 1_000);
            detector.look(now, UnixMillis(wall))
        };
        steps.iter().map(step).collect()
    }

    #[test]
    fn only_a_wall_clock_that_goes_ahead_by_more_than_30_s_is_a_suspend() {
        let ahead = |seconds| Some(Suspend::Ahead(Duration::from_secs(seconds)));
        for (steps, expected) in [
            (vec![0, 0, 0], vec![None, None, None]),
            (vec![-DAY, 0], vec![None, None]),
            (vec![29, 0], vec![None, None]),
            (vec![30, 0], vec![None, None]),
            (vec![31, 0], vec![ahead(31), None]),
            (vec![DAY, 0], vec![ahead(86_400), None]),
            (vec![-DAY, DAY, 0], vec![None, ahead(86_400), None]),
            (vec![DAY, -DAY, 0], vec![ahead(86_400), None, None]),
        ] {
            assert_eq!(looks(SuspendDetector::new(), &steps), expected, "{steps:?}");
            assert_eq!(looks(SuspendDetector::with_period(PERIOD), &steps), expected, "{steps:?}");
        }
    }

    #[test]
    fn a_wall_clock_that_runs_fast_is_no_suspend() {
        let day = 24 * 60 * 12;
        assert!(looks(SuspendDetector::new(), &vec![1; day]).iter().all(Option::is_none));
    }

    #[test]
    fn a_late_look_counts_only_where_the_monotonic_clock_goes_on_in_a_suspend() {
        let after = |mut detector: SuspendDetector, seconds: u64| {
            let _ = detector.look(Instant::ZERO, UnixMillis(0));
            detector.look(Instant::from_millis(seconds * 1_000), UnixMillis(seconds * 1_000))
        };
        let late = |seconds| Some(Suspend::Late(Duration::from_secs(seconds)));

        assert_eq!(after(SuspendDetector::new(), 3_600), None);
        assert_eq!(after(SuspendDetector::with_period(PERIOD), 35), None);
        assert_eq!(after(SuspendDetector::with_period(PERIOD), 36), late(31));
        assert_eq!(after(SuspendDetector::with_period(PERIOD), 3_605), late(3_600));
    }

    #[test]
    fn clocks_at_their_ends_do_not_overflow() {
        let mut detector = SuspendDetector::with_period(Duration::MAX);
        let end = Instant::from_nanos(u64::MAX);
        assert_eq!(detector.look(end, UnixMillis(u64::MAX)), None);
        assert_eq!(detector.look(Instant::ZERO, UnixMillis(0)), None);
        assert!(detector.look(end, UnixMillis(u64::MAX)).is_some());
    }
}
