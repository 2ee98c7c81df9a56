//! How long to wait before the next attempt. Every delay is computed here.

use core::fmt;
use core::time::Duration;

use crate::thousandths;
use crate::time::{nanos, whole_millis};
use crate::uniform::Uniform;

/// Exponential backoff with jitter. It uses integers only, so delays are exact on every platform.
///
/// Let n be the number of the retry, counted from 0. Its delay without jitter is `capped`:
///
/// ```text
/// capped = min(initial · multiplier^n, max)
/// ```
///
/// `initial` is multiplied by `multiplier` n times, and each product is rounded down to whole
/// nanoseconds. The delay itself is computed in three steps:
///
/// 1. Draw: `low + (high − low) · draw / 2^64`. The [`Strategy`] defines `low` and `high`. The
///    result is at least `low` and less than `high`, unless both are equal.
/// 2. Clamp the result to `max`. Only
///    [`DecorrelatedUnclamped`](Strategy::DecorrelatedUnclamped) and a [`Uniform`] that is not
///    clamped skip this step.
/// 3. Round down to whole milliseconds.
///
/// Every method is a pure function. The randomness is `draw`, one `u64` from your generator.
///
/// Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. The
/// formulas of [`Full`](Strategy::Full), [`Equal`](Strategy::Equal) and
/// [`AwsDecorrelated`](Strategy::AwsDecorrelated) are the three there. The other decorrelated
/// strategies have `capped` where that article has the previous delay.
///
/// ```
/// use core::time::Duration;
/// use gateway_core::{Backoff, Multiplier, Strategy};
///
/// let backoff = Backoff::new(
///     Duration::from_secs(1),
///     Duration::from_secs(30),
///     Multiplier::from_thousandths(2_000).unwrap(),
///     Strategy::Decorrelated,
/// )
/// .unwrap();
/// assert_eq!(backoff.delay(0, u64::MAX / 2), Duration::from_millis(1_999));
/// for attempt in [0, 1, 10, u32::MAX] {
///     let (low, high) = backoff.bounds(attempt);
///     assert!(low <= backoff.delay(attempt, 12_345) && backoff.delay(attempt, 12_345) <= high);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    multiplier: Multiplier,
    strategy: Strategy,
}

impl Backoff {
    /// The longest span that may be configured: 365 days.
    pub const MAX_SPAN: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    /// Creates a backoff. Returns `None` unless `initial` and `max` are whole milliseconds with
    /// 1 ms ≤ `initial` ≤ `max` ≤ [`Backoff::MAX_SPAN`].
    #[must_use]
    pub fn new(
        initial: Duration,
        max: Duration,
        multiplier: Multiplier,
        strategy: Strategy,
    ) -> Option<Self> {
        let whole = |span: Duration| whole_millis(span) == span;
        let valid = whole(initial)
            && whole(max)
            && initial >= Duration::from_millis(1)
            && initial <= max
            && max <= Self::MAX_SPAN;
        valid.then_some(Self { initial, max, multiplier, strategy })
    }

    /// The delay of the first retry, before jitter.
    #[must_use]
    pub const fn initial(&self) -> Duration {
        self.initial
    }

    /// The longest delay before jitter. It is also the longest delay after jitter, except for
    /// [`DecorrelatedUnclamped`](Strategy::DecorrelatedUnclamped) and a [`Uniform`] that is not
    /// clamped.
    #[must_use]
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// The factor by which the delay before jitter grows with each retry, up to [`max`](Self::max).
    #[must_use]
    pub const fn multiplier(&self) -> Multiplier {
        self.multiplier
    }

    /// How a delay is drawn.
    #[must_use]
    pub const fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// The delay before a retry. `attempt` is 0 for the first retry: one less than in
    /// [`Notice::RetryScheduled`](crate::Notice::RetryScheduled).
    ///
    /// [`AwsDecorrelated`](Strategy::AwsDecorrelated) depends on the previous delay, not on
    /// `attempt`. This method assumes that the previous delay was `initial`. See
    /// [`delay_after`](Self::delay_after).
    #[must_use]
    pub fn delay(&self, attempt: u32, draw: u64) -> Duration {
        self.delay_after(self.initial, attempt, draw)
    }

    /// The delay before a retry. `attempt` counts from 0, as in [`delay`](Self::delay). `previous`
    /// is the delay of the previous retry. Pass `initial` for the first retry.
    #[must_use]
    pub fn delay_after(&self, previous: Duration, attempt: u32, draw: u64) -> Duration {
        Duration::from_millis(self.millis_after(nanos(previous), attempt, draw))
    }

    /// The same in whole milliseconds. `previous` is in nanoseconds.
    #[inline]
    pub(crate) fn millis_after(&self, previous: u64, attempt: u32, draw: u64) -> u64 {
        let range = self.range(previous, attempt);
        let width = u128::from(range.high.saturating_sub(range.low));
        // At most 2^64 · 2^64 >> 64, so it fits in a u64.
        let offset = u64::try_from((width * u128::from(draw)) >> 64).unwrap_or(u64::MAX);
        let sample = range.low.saturating_add(offset).min(range.clamp);
        sample / NANOS_PER_MILLI
    }

    /// The shortest and the longest delay before a retry, for any draw and any previous delays.
    /// `attempt` counts from 0, as in [`delay`](Self::delay).
    #[must_use]
    pub fn bounds(&self, attempt: u32) -> (Duration, Duration) {
        let previous = if self.strategy.depends_on_previous() {
            self.longest_aws(attempt)
        } else {
            self.initial
        };
        let range = self.range(nanos(previous), attempt);
        let millis = |nanos: u64| Duration::from_millis(nanos / NANOS_PER_MILLI);
        (millis(range.low), millis(range.high.min(range.clamp)))
    }

    /// `previous` is in nanoseconds.
    pub(crate) fn range(&self, previous: u64, attempt: u32) -> Range {
        let initial = nanos(self.initial);
        let max = nanos(self.max);
        let capped = self.capped(attempt);
        let of = |uniform: Uniform| uniform.range(initial, capped, max);
        match self.strategy {
            Strategy::Decorrelated => of(Uniform::CLAMPED),
            Strategy::DecorrelatedSmooth => of(Uniform::SMOOTH),
            Strategy::DecorrelatedFloored => of(Uniform::FLOORED),
            Strategy::DecorrelatedUnclamped => of(Uniform::UNCLAMPED),
            Strategy::Uniform(uniform) => of(uniform),
            Strategy::AwsDecorrelated => {
                let previous = previous.clamp(initial, max);
                Range { low: initial, high: previous.saturating_mul(3), clamp: max }
            }
            Strategy::Full => Range { low: 0, high: capped, clamp: max },
            Strategy::Equal => Range { low: capped / 2, high: capped, clamp: max },
            Strategy::None => Range { low: capped, high: capped, clamp: max },
        }
    }

    /// `min(initial · multiplier^attempt, max)` in nanoseconds. It is multiplied step by step, and
    /// rounded down each time.
    fn capped(&self, attempt: u32) -> u64 {
        let max = nanos(self.max);
        let mut base = nanos(self.initial);
        if self.multiplier == Multiplier::ONE {
            return base;
        }
        // Ends early: a base is at least 1 ms and grows by at least a thousandth each time.
        for _ in 0..attempt {
            if base >= max {
                return max;
            }
            let thousandths = u64::from(self.multiplier.thousandths());
            let (whole, rest) = (base / 1_000, base % 1_000);
            base = whole.saturating_mul(thousandths).saturating_add(rest * thousandths / 1_000);
        }
        base.min(max)
    }

    /// The longest delay that the retry before number `attempt` can have had with
    /// [`AwsDecorrelated`](Strategy::AwsDecorrelated).
    fn longest_aws(&self, attempt: u32) -> Duration {
        let mut longest = self.initial;
        for _ in 0..attempt {
            if longest >= self.max {
                break;
            }
            longest = longest.saturating_mul(3).min(self.max);
        }
        longest
    }
}

impl Default for Backoff {
    /// From 1 s to 34 s, ×2, [`DecorrelatedFloored`](Strategy::DecorrelatedFloored). In a long outage
    /// the mean delay is 25.5 s.
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(34),
            multiplier: Multiplier(2_000),
            strategy: Strategy::DecorrelatedFloored,
        }
    }
}

pub(crate) const NANOS_PER_MILLI: u64 = 1_000_000;

/// What a delay is drawn from, in nanoseconds.
pub(crate) struct Range {
    pub(crate) low: u64,
    pub(crate) high: u64,
    pub(crate) clamp: u64,
}

/// The factor by which the delay before jitter grows with each retry. It is a decimal from 1 to
/// 1000, with at most three digits after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Multiplier(u32);

impl Multiplier {
    /// ×1: the delay before jitter does not grow.
    pub const ONE: Self = Self(1_000);

    /// Creates a multiplier from thousandths, from 1,000 to 1,000,000. Returns `None` for any other
    /// number.
    #[must_use]
    pub const fn from_thousandths(thousandths: u32) -> Option<Self> {
        match thousandths {
            1_000..=1_000_000 => Some(Self(thousandths)),
            _ => None,
        }
    }

    /// The multiplier in thousandths.
    #[must_use]
    pub const fn thousandths(self) -> u32 {
        self.0
    }

    /// Parses a decimal such as `2`, `1.5` or `1.125`, exactly. Returns `None` if it has more than
    /// three digits after the point, not counting trailing zeros, or is out of range.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_thousandths(thousandths::parse(text)?)
    }
}

impl fmt::Display for Multiplier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        thousandths::write(f, self.0)
    }
}

/// How a delay is drawn. [`Backoff`] explains `low`, `high` and `capped`. `previous` is the delay
/// of the previous retry, or `initial` for the first retry.
///
/// | strategy | low | high | clamp after the draw |
/// |---|---|---|---|
/// | `decorrelated` | initial | 3·capped | max |
/// | `decorrelated-smooth` | initial | min(3·capped, max) | max, without effect |
/// | `decorrelated-floored` | max(initial, capped/2) | min(3·capped, max) | max, without effect |
/// | `decorrelated-unclamped` | initial | 3·capped | none |
/// | `uniform:FLOOR:CEILING` | max(initial, FLOOR·capped) | min(3·capped, CEILING·max) | none |
/// | `uniform:FLOOR:CEILING:clamped` | the same | the same | max |
/// | `aws-decorrelated` | initial | 3·previous | max |
/// | `full` | 0 | capped | max, without effect |
/// | `equal` | capped/2 | capped | max, without effect |
/// | `none` | capped | capped | max, without effect |
///
/// `decorrelated` draws first, and then clamps. `decorrelated-smooth` clamps `high` first, and then
/// draws. That makes a difference once `capped` has reached `max`: at least two thirds of the
/// `decorrelated` delays then equal `max` exactly. Those of `decorrelated-smooth` are spread evenly
/// from `initial` to `max`.
///
/// The first four are cases of [`Uniform`], in this order: `uniform:0:3:clamped`, `uniform:0:1`,
/// `uniform:0.5:1` and `uniform:0:3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// `random() · (3·capped − initial) + initial`, clamped to `max`. `random()` is at least 0 and
    /// less than 1.
    Decorrelated,
    /// Like `Decorrelated`, but `high` is clamped to `max` before the draw. So delays do not pile
    /// up at `max`.
    DecorrelatedSmooth,
    /// Like `DecorrelatedSmooth`, but no delay is shorter than half of `capped`. The default.
    DecorrelatedFloored,
    /// Like `Decorrelated`, but without a clamp. Delays may be up to `3·max`.
    DecorrelatedUnclamped,
    /// `random() · (3·previous − initial) + initial`, clamped to `max`.
    AwsDecorrelated,
    /// Any delay from zero to `capped`.
    Full,
    /// Half of `capped`, plus a random part of the other half.
    Equal,
    /// No jitter. Clients that lose their connections together also retry together.
    None,
    /// The general form of the first four, with its own floor, ceiling and clamp.
    Uniform(Uniform),
}

impl Strategy {
    /// Every strategy that has a name of its own: all but [`Uniform`](Self::Uniform).
    pub const ALL: [Self; 8] = [
        Self::Decorrelated,
        Self::DecorrelatedSmooth,
        Self::DecorrelatedFloored,
        Self::DecorrelatedUnclamped,
        Self::AwsDecorrelated,
        Self::Full,
        Self::Equal,
        Self::None,
    ];

    /// The name in a configuration. It is `uniform` for every [`Uniform`](Self::Uniform): its text
    /// form, with the numbers, is that of [`Display`](core::fmt::Display).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decorrelated => "decorrelated",
            Self::DecorrelatedSmooth => "decorrelated-smooth",
            Self::DecorrelatedFloored => "decorrelated-floored",
            Self::DecorrelatedUnclamped => "decorrelated-unclamped",
            Self::AwsDecorrelated => "aws-decorrelated",
            Self::Full => "full",
            Self::Equal => "equal",
            Self::None => "none",
            Self::Uniform(_) => "uniform",
        }
    }

    /// Returns the strategy with this name, or of this text form of a [`Uniform`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let named = Self::ALL.into_iter().find(|strategy| strategy.name() == name);
        named.or_else(|| Uniform::parse(name).map(Self::Uniform))
    }

    /// Whether a delay depends on the previous one.
    pub(crate) const fn depends_on_previous(self) -> bool {
        match self {
            Self::AwsDecorrelated => true,
            Self::Decorrelated
            | Self::DecorrelatedSmooth
            | Self::DecorrelatedFloored
            | Self::DecorrelatedUnclamped
            | Self::Full
            | Self::Equal
            | Self::None
            | Self::Uniform(_) => false,
        }
    }

    /// The general form of this strategy. `None` if it is not a case of [`Uniform`].
    #[must_use]
    pub const fn uniform(self) -> Option<Uniform> {
        match self {
            Self::Decorrelated => Some(Uniform::CLAMPED),
            Self::DecorrelatedSmooth => Some(Uniform::SMOOTH),
            Self::DecorrelatedFloored => Some(Uniform::FLOORED),
            Self::DecorrelatedUnclamped => Some(Uniform::UNCLAMPED),
            Self::Uniform(uniform) => Some(uniform),
            Self::AwsDecorrelated | Self::Full | Self::Equal | Self::None => None,
        }
    }
}

/// The name, or the text form of a [`Uniform`].
impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform(uniform) => uniform.fmt(f),
            named => f.write_str(named.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn multiplier_parses_three_digits_exactly_and_no_more() {
        for (text, thousandths) in
            [("2", 2_000), ("1.5", 1_500), ("1.125", 1_125), ("1.0500", 1_050)]
        {
            assert_eq!(Multiplier::parse(text).map(Multiplier::thousandths), Some(thousandths));
        }
        for text in
            ["", ".", "1.", ".5", "0.999", "1.0005", "-2", "2x", "1e3", "99999999999", "1000.001"]
        {
            assert_eq!(Multiplier::parse(text), None, "{text}");
        }
        assert_eq!(Multiplier(1_050).to_string(), "1.05");
        assert_eq!(Multiplier(2_000).to_string(), "2");
    }

    #[test]
    fn spans_that_are_no_whole_milliseconds_or_out_of_order_make_no_backoff() {
        let new = |initial, max| Backoff::new(initial, max, Multiplier::ONE, Strategy::None);
        let ms = Duration::from_millis;
        assert!(new(ms(1), ms(1)).is_some());
        assert!(new(ms(0), ms(1)).is_none());
        assert!(new(ms(2), ms(1)).is_none());
        assert!(new(Duration::from_micros(1_500), ms(2)).is_none());
        assert!(new(ms(1), Backoff::MAX_SPAN).is_some());
        assert!(new(ms(1), Backoff::MAX_SPAN + ms(1)).is_none());
    }
}
