//! The backoff as a pure function: bounds, growth and clamps for every strategy, attempt and draw.

use core::time::Duration;

use gateway_core::{Backoff, Multiplier, Strategy as Jitter, Uniform};
use proptest::prelude::*;

use crate::cases;

const MILLISECOND: Duration = Duration::from_millis(1);

/// A strategy with a name, or any general form.
pub(crate) fn jitter() -> impl Strategy<Value = Jitter> {
    let named = prop::sample::select(Jitter::ALL.to_vec());
    prop_oneof![2 => named, 1 => uniform().prop_map(Jitter::Uniform)]
}

fn uniform() -> impl Strategy<Value = Uniform> {
    let floor = prop_oneof![4 => 0..=1_000_u16, 1 => Just(0), 1 => Just(1_000)];
    let ceiling = prop_oneof![4 => 1_000..=3_000_u16, 1 => Just(1_000), 1 => Just(3_000)];
    (floor, ceiling, any::<bool>())
        .prop_map(|(floor, ceiling, is_clamped)| Uniform::new(floor, ceiling, is_clamped).unwrap())
}

/// A part of a span in thousandths, of whole nanoseconds.
fn share(span: Duration, thousandths: u16) -> Duration {
    let nanos = span.as_nanos() * u128::from(thousandths) / 1_000;
    Duration::from_nanos(u64::try_from(nanos).unwrap())
}

/// Any valid backoff, of milliseconds and of a year.
fn backoff() -> impl Strategy<Value = Backoff> {
    let most = u64::try_from(Backoff::MAX_SPAN.as_millis()).unwrap_or(u64::MAX);
    let spans = prop_oneof![(1..5_000_u64, 0..120_000_u64), (1..=most / 2, 0..=most / 2)];
    (spans, 1_000..=1_000_000_u32, jitter()).prop_map(|((initial, more), thousandths, jitter)| {
        let millis = Duration::from_millis;
        let multiplier = Multiplier::from_thousandths(thousandths).unwrap();
        Backoff::new(millis(initial), millis(initial + more), multiplier, jitter).unwrap()
    })
}

fn attempt() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0..40_u32, 1 => any::<u32>(), 1 => Just(u32::MAX)]
}

fn draw() -> impl Strategy<Value = u64> {
    prop_oneof![4 => any::<u64>(), 1 => Just(0), 1 => Just(u64::MAX)]
}

fn is_whole(span: Duration) -> bool {
    span.subsec_nanos().is_multiple_of(1_000_000)
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn every_delay_lies_within_its_bounds_and_is_whole_milliseconds(
        backoff in backoff(), attempt in attempt(), draw in draw(),
    ) {
        let delay = backoff.delay(attempt, draw);
        let (low, high) = backoff.bounds(attempt);
        prop_assert!(low <= delay && delay <= high, "{delay:?} not in {low:?}..={high:?}");
        prop_assert!(is_whole(delay) && is_whole(low) && is_whole(high));
    }

    #[test]
    fn every_delay_of_a_chain_lies_within_its_bounds(
        backoff in backoff(), draws in prop::collection::vec(draw(), 1..50),
    ) {
        let mut previous = backoff.initial();
        for (attempt, draw) in draws.into_iter().enumerate() {
            let attempt = u32::try_from(attempt).unwrap();
            let delay = backoff.delay_after(previous, attempt, draw);
            let (low, high) = backoff.bounds(attempt);
            prop_assert!(low <= delay && delay <= high, "{delay:?} not in {low:?}..={high:?}");
            previous = delay;
        }
    }

    #[test]
    fn bounds_never_shrink_from_one_attempt_to_the_next(backoff in backoff(), attempt in attempt()) {
        let (low, high) = backoff.bounds(attempt);
        let (next_low, next_high) = backoff.bounds(attempt.saturating_add(1));
        prop_assert!(low <= next_low && high <= next_high);
        prop_assert!(low <= high);
    }

    #[test]
    fn a_greater_draw_is_no_shorter_delay(
        backoff in backoff(), attempt in attempt(), one in draw(), other in draw(),
    ) {
        let shorter = backoff.delay(attempt, one.min(other));
        prop_assert!(shorter <= backoff.delay(attempt, one.max(other)));
    }

    #[test]
    fn no_bound_passes_the_strategys_own(backoff in backoff(), attempt in attempt()) {
        let (low, high) = backoff.bounds(attempt);
        let (initial, max) = (backoff.initial(), backoff.max());
        let capped = Backoff::new(initial, max, backoff.multiplier(), Jitter::None).unwrap();
        let capped = capped.bounds(attempt).0;
        match backoff.strategy() {
            Jitter::Decorrelated | Jitter::DecorrelatedSmooth => {
                prop_assert_eq!(low, initial);
                prop_assert!(high <= max && high >= capped);
            }
            Jitter::AwsDecorrelated => {
                prop_assert_eq!(low, initial);
                prop_assert!(high <= max);
            }
            Jitter::DecorrelatedUnclamped => {
                prop_assert_eq!(low, initial);
                // `capped` is rounded down to whole milliseconds here, and not there.
                prop_assert!(high >= capped * 3 && high <= capped * 3 + Duration::from_millis(3));
            }
            Jitter::DecorrelatedFloored => {
                prop_assert!(low >= initial && low <= initial.max(capped / 2 + MILLISECOND));
                prop_assert!(low + MILLISECOND > capped / 2);
                prop_assert!(high <= max && high >= capped);
            }
            Jitter::Uniform(uniform) => {
                // Bounds and `capped` are rounded down to whole milliseconds here.
                let most = if uniform.is_clamped() { max } else { share(max, uniform.ceiling()) };
                let floor = uniform.floor();
                prop_assert!(low >= initial && low + MILLISECOND > share(capped, floor));
                prop_assert!(low <= initial.max(share(capped + MILLISECOND, floor)));
                prop_assert!(high <= most && high <= (capped + MILLISECOND) * 3);
                prop_assert!(high + MILLISECOND > most.min(capped * 3));
            }
            Jitter::Full => prop_assert_eq!((low, high), (Duration::ZERO, capped)),
            Jitter::Equal => {
                prop_assert_eq!(high, capped);
                let half = capped / 2;
                prop_assert!(low <= half + MILLISECOND && low + MILLISECOND > half);
            }
            Jitter::None => prop_assert_eq!((low, high), (capped, capped)),
            other => prop_assert!(false, "no bounds are known for {other:?}"),
        }
    }

    #[test]
    fn a_named_case_delays_as_its_general_form_does(
        backoff in backoff(), attempt in attempt(), draw in draw(),
    ) {
        let (initial, max) = (backoff.initial(), backoff.max());
        let with = |jitter| Backoff::new(initial, max, backoff.multiplier(), jitter).unwrap();
        let named = Jitter::ALL.into_iter().filter_map(|named| Some((named, named.uniform()?)));
        let mut found = 0;
        for (named, uniform) in named {
            let (one, other) = (with(named), with(Jitter::Uniform(uniform)));
            prop_assert_eq!(one.delay(attempt, draw), other.delay(attempt, draw));
            prop_assert_eq!(one.bounds(attempt), other.bounds(attempt));
            prop_assert_eq!(one.mean_at_cap(), other.mean_at_cap());
            found += 1;
        }
        prop_assert_eq!(found, 4);
    }

    #[test]
    fn a_general_form_reads_back_as_it_was_written(uniform in uniform()) {
        let text = uniform.to_string();
        prop_assert_eq!(Uniform::parse(&text), Some(uniform));
        prop_assert_eq!(Jitter::parse(&text), Some(Jitter::Uniform(uniform)));
        let general = Jitter::Uniform(uniform);
        prop_assert_eq!(general.to_string(), text);
        prop_assert_eq!((general.name(), general.uniform()), ("uniform", Some(uniform)));
    }

    #[test]
    fn the_mean_lies_within_the_bounds(backoff in backoff()) {
        let (mean, (low, high)) = (backoff.mean_at_cap(), backoff.bounds(u32::MAX));
        prop_assert!(low <= mean && mean <= high + Duration::from_millis(1), "{mean:?}");
    }
}

/// The names are computed by the general form, and this says which numbers they have in it.
#[test]
fn the_named_cases_have_these_numbers() {
    for (jitter, text) in [
        (Jitter::Decorrelated, "uniform:0:3:clamped"),
        (Jitter::DecorrelatedSmooth, "uniform:0:1"),
        (Jitter::DecorrelatedFloored, "uniform:0.5:1"),
        (Jitter::DecorrelatedUnclamped, "uniform:0:3"),
    ] {
        assert_eq!(jitter.uniform().unwrap().to_string(), text);
    }
}

#[test]
fn the_extremes_of_the_draw_reach_both_bounds() {
    for jitter in Jitter::ALL {
        let multiplier = Multiplier::from_thousandths(2_000).unwrap();
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let backoff = Backoff::new(second, minute, multiplier, jitter).unwrap();
        for attempt in [0, 1, 2, 3] {
            let (low, high) = backoff.bounds(attempt);
            // The AWS form goes by the delay before: here it is the longest there can be.
            let previous = (second * 3_u32.pow(attempt)).min(minute);
            let most = backoff.delay_after(previous, attempt, u64::MAX);
            assert_eq!(backoff.delay(attempt, 0), low, "{jitter:?}");
            assert!(high - most <= Duration::from_millis(1), "{jitter:?}: {most:?} of {high:?}");
        }
    }
}

#[test]
fn the_last_attempt_there_is_has_a_delay_like_any_other() {
    let year = Backoff::MAX_SPAN;
    for jitter in Jitter::ALL {
        for thousandths in [1_000, 1_001, 1_000_000] {
            let multiplier = Multiplier::from_thousandths(thousandths).unwrap();
            let backoff = Backoff::new(Duration::from_millis(1), year, multiplier, jitter).unwrap();
            let (low, high) = backoff.bounds(u32::MAX);
            for draw in [0, 1 << 63, u64::MAX] {
                let delay = backoff.delay(u32::MAX, draw);
                assert!(low <= delay && delay <= high, "{jitter:?}, {thousandths}: {delay:?}");
            }
        }
    }
}

#[test]
fn clamping_the_sample_heaps_two_thirds_at_the_cap_and_clamping_the_bound_does_not() {
    let at_cap = |jitter| {
        let (second, cap) = (Duration::from_secs(1), Duration::from_secs(30));
        let multiplier = Multiplier::from_thousandths(2_000).unwrap();
        let backoff = Backoff::new(second, cap, multiplier, jitter).unwrap();
        let draws = (0..10_000_u64).map(|step| step * (u64::MAX / 10_000));
        draws.filter(|draw| backoff.delay(10, *draw) == cap).count()
    };
    assert_eq!(at_cap(Jitter::Decorrelated) / 100, 67);
    assert!(at_cap(Jitter::DecorrelatedSmooth) < 5);
    assert!(at_cap(Jitter::DecorrelatedFloored) < 5);
}
