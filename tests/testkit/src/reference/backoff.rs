//! The delays by their formula, in whole nanoseconds as `u128`.

use core::time::Duration;

use gateway_core::{Backoff, Strategy};

/// The delay before retry number `attempt`, counted from 0, after a delay of `previous`.
pub(super) fn delay(backoff: &Backoff, previous: Duration, attempt: u32, draw: u64) -> Duration {
    let initial = backoff.initial().as_nanos();
    let max = backoff.max().as_nanos();
    let thousandths = u128::from(backoff.multiplier().thousandths());

    // base = initial · multiplier^attempt, stopped at max
    let mut base = initial;
    for _ in 0..attempt {
        if base >= max {
            break;
        }
        base = base * thousandths / 1_000;
    }
    let capped = base.min(max);

    let (low, high) = match backoff.strategy() {
        Strategy::Decorrelated | Strategy::DecorrelatedUnclamped => (initial, 3 * capped),
        Strategy::DecorrelatedSmooth => (initial, (3 * capped).min(max)),
        Strategy::DecorrelatedFloored => (initial.max(capped / 2), (3 * capped).min(max)),
        Strategy::Uniform(uniform) => {
            let (floor, ceiling) = (u128::from(uniform.floor()), u128::from(uniform.ceiling()));
            (initial.max(floor * capped / 1_000), (3 * capped).min(ceiling * max / 1_000))
        }
        Strategy::AwsDecorrelated => (initial, 3 * previous.as_nanos().clamp(initial, max)),
        Strategy::Full => (0, capped),
        Strategy::Equal => (capped / 2, capped),
        Strategy::None => (capped, capped),
        other => panic!("no formula for {other:?}"),
    };
    let sample = low + (((high - low) * u128::from(draw)) >> 64);
    let clamped = match backoff.strategy() {
        Strategy::DecorrelatedUnclamped => sample,
        Strategy::Uniform(uniform) if !uniform.is_clamped() => sample,
        _ => sample.min(max),
    };
    whole_millis(from_nanos(clamped))
}

/// The part of a span for a draw over 2^64.
pub(super) fn part(span: Duration, draw: u64) -> Duration {
    from_nanos((span.as_nanos() * u128::from(draw)) >> 64)
}

pub(super) fn whole_millis(span: Duration) -> Duration {
    from_nanos(span.as_nanos() / 1_000_000 * 1_000_000)
}

fn from_nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
