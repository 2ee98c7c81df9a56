//! The mean delay in a long outage.

use core::time::Duration;

use crate::backoff::{Backoff, Range};
use crate::time::nanos;

impl Backoff {
    /// The mean delay once the delay without jitter has stopped growing: it is then `max`, or
    /// `initial` with a multiplier of 1. The mean is that of the formula, before the delays are
    /// rounded to milliseconds, and is rounded down to nanoseconds.
    ///
    /// A client that fails at once makes one attempt per mean delay in a long outage. If its
    /// attempts end by a timeout, add the timeout.
    ///
    /// With [`AwsDecorrelated`](crate::Strategy::AwsDecorrelated), each delay depends on the previous
    /// one. This method then computes the mean of a long chain of delays numerically. Its error is less
    /// than one part in 10,000.
    ///
    /// ```
    /// use core::time::Duration;
    /// use gateway_core::{Backoff, Multiplier, Strategy};
    ///
    /// let (initial, max) = (Duration::from_secs(1), Duration::from_secs(30));
    /// let double = Multiplier::from_thousandths(2_000).unwrap();
    /// let mean = |strategy| {
    ///     Backoff::new(initial, max, double, strategy).unwrap().mean_at_cap()
    /// };
    /// assert_eq!(mean(Strategy::DecorrelatedSmooth), Duration::from_millis(15_500));
    /// assert_eq!(mean(Strategy::Decorrelated).as_millis(), 25_275);
    /// ```
    #[must_use]
    pub fn mean_at_cap(&self) -> Duration {
        let mean = if self.strategy().depends_on_previous() {
            aws_mean(nanos(self.initial()), nanos(self.max()))
        } else {
            mean_of(&self.range(0, u32::MAX))
        };
        Duration::from_nanos(mean)
    }
}

/// The mean of a draw that is even from `low` to `high` and then clamped.
fn mean_of(range: &Range) -> u64 {
    let [low, high, clamp] = [range.low, range.high, range.clamp].map(u128::from);
    let mean = if high <= clamp {
        u128::midpoint(low, high)
    } else {
        // The integral of min(x, clamp) from `low` to `high`, over the width.
        (clamp * clamp - low * low + 2 * clamp * (high - clamp)) / (2 * (high - low))
    };
    u64::try_from(mean).unwrap_or(u64::MAX)
}

/// The cells in which the density is integrated, per factor of 3.
const CELLS: usize = 256;

/// The ratio of a cell's ends: 3^(1/256).
const RATIO: f64 = 1.004_300_675_728_873_3;

/// The mean of the stationary distribution of `x' = min(max, U(initial, 3·x))`.
///
/// In units of `initial`, let `q` be the density of the draw before the clamp, on `1..=3·m`. It is
/// constant up to 3, because every `x` can draw such a value. Beyond, only an `x` of at least `y/3`
/// draws `y`:
///
/// ```text
/// q'(y) = −q(y/3) / (3·(y − 1))
/// ```
///
/// The trapezoidal rule integrates it upwards in cells that grow with `y`, so `q(y/3)` is the value
/// of `CELLS` cells ago. All of `q` above `m` is the clamp's share.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the mean is between two spans of at most 365 days, and approximate"
)]
fn aws_mean(initial: u64, max: u64) -> u64 {
    let m = max as f64 / initial as f64;
    let mut sums = Sums { m, below: 0.0, moment: 0.0, above: 0.0 };
    sums.add((1.0, 1.0), (3.0, 1.0));
    let mut past = [1.0; CELLS]; // the density at a third of each `y`
    let (mut y, mut q, mut cell) = (3.0, 1.0, 0);
    while y < 3.0 * m {
        let slope = |third: f64, y: f64| -third / (3.0 * (y - 1.0));
        let (next_y, third, next_third) = (y * RATIO, past[cell], past[(cell + 1) % CELLS]);
        let next_q = q + (next_y - y) / 2.0 * (slope(third, y) + slope(next_third, next_y));
        sums.add((y, q), (next_y, next_q));
        past[cell] = q;
        (y, q, cell) = (next_y, next_q, (cell + 1) % CELLS);
    }
    (sums.mean() * initial as f64) as u64
}

/// Integrals of the density.
struct Sums {
    m: f64,
    below: f64,
    moment: f64,
    above: f64,
}

impl Sums {
    /// Adds a cell in which the density is linear. Nothing lies above `3·m`.
    fn add(&mut self, from: (f64, f64), to: (f64, f64)) {
        for end in [self.m, 3.0 * self.m] {
            if from.0 < end && end < to.0 {
                let share = (end - from.0) / (to.0 - from.0);
                let between = (end, from.1 + (to.1 - from.1) * share);
                self.add(from, between);
                return self.add(between, to);
            }
        }
        let mass = (to.0 - from.0) * f64::midpoint(from.1, to.1);
        if to.0 <= self.m {
            self.below += mass;
            self.moment += (to.0 - from.0) * f64::midpoint(from.0 * from.1, to.0 * to.1);
        } else if to.0 <= 3.0 * self.m {
            self.above += mass;
        }
    }

    fn mean(&self) -> f64 {
        (self.moment + self.above * self.m) / (self.below + self.above)
    }
}
