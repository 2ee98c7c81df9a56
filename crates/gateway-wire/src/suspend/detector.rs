//! Whether two clocks have moved apart as they do in a suspend. Pure: the caller passes in what the clocks show.

use std::time::Duration;

use gateway_core::{Instant, UnixMillis};

/// The least that counts as a suspend. It is also the least threshold of the core, which decides what to do about it.
const THRESHOLD: Duration = Duration::from_secs(30);

/// A suspend, as the clocks showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suspend {
    /// The wall clock went ahead of the monotonic clock by this span, because that one stops in a suspend.
    Ahead(Duration),
    /// Both clocks went on, and the look came later than its period by this span.
    Late(Duration),
}

impl Suspend {
    /// How long the machine was suspended, as far as the clocks show.
    #[must_use]
    pub const fn by(self) -> Duration {
        match self {
            Self::Ahead(by) | Self::Late(by) => by,
        }
    }
}

/// Compares a monotonic clock with the wall clock, look by look, and reports a suspend of more than 30 s.
///
/// Each look is compared with the one before it. A wall clock that drifts, or that is set back, is no suspend. A host with a
/// timer of its own asks this every few seconds; [`SuspendWatch`](crate::SuspendWatch) does so on a thread.
///
/// ```
/// use std::time::Duration;
/// use gateway_wire::core::{Instant, UnixMillis};
/// use gateway_wire::{Suspend, SuspendDetector};
///
/// let mut detector = SuspendDetector::new();
/// assert_eq!(detector.look(Instant::from_millis(0), UnixMillis(1_000_000)), None);
/// assert_eq!(detector.look(Instant::from_millis(5_000), UnixMillis(1_005_000)), None);
/// // The machine sleeps for a minute, in which its monotonic clock stops.
/// let noticed = detector.look(Instant::from_millis(10_000), UnixMillis(1_070_000));
/// assert_eq!(noticed, Some(Suspend::Ahead(Duration::from_secs(60))));
/// ```
#[derive(Clone, Debug, Default)]
pub struct SuspendDetector {
    last: Option<(Instant, UnixMillis)>,
    /// The span between two looks, where a look that comes late counts.
    period: Option<Duration>,
}

impl SuspendDetector {
    /// A detector for a monotonic clock that stops in a suspend, as on Linux and macOS.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: None, period: None }
    }

    /// A detector for a monotonic clock that goes on in a suspend, as on Windows. There the two clocks stay together, but a
    /// look that was due after `period` comes more than 30 s late. A process that was stopped for as long looks the same.
    #[must_use]
    pub const fn with_period(period: Duration) -> Self {
        Self { last: None, period: Some(period) }
    }

    /// Takes what both clocks show, and says whether the machine was suspended since the last look. The first look only
    /// takes note.
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

    /// Looks every five seconds while the wall clock is set by so many seconds before each look.
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
