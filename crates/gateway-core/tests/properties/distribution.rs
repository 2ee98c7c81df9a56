//! How delays are distributed: mean, share at the cap and evenness against what the formulas say, with a fixed seed.

use core::time::Duration;

use gateway_core::{Backoff, Multiplier, Strategy, Uniform};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

const DRAWS: u32 = 200_000;
const INITIAL: f64 = 1.0;
const CAP: f64 = 30.0;

/// An attempt whose delay has long grown to the cap.
const GROWN: u32 = 10;

fn backoff(strategy: Strategy) -> Backoff {
    let multiplier = Multiplier::from_thousandths(2_000).unwrap();
    let (initial, cap) = (Duration::from_secs(1), Duration::from_secs(30));
    Backoff::new(initial, cap, multiplier, strategy).unwrap()
}

/// A delay after another, as a client in one long outage has them, in seconds.
fn delays(strategy: Strategy, attempt: u32) -> Vec<f64> {
    let backoff = backoff(strategy);
    let mut random = ChaCha8Rng::seed_from_u64(0xd157);
    let mut previous = backoff.initial();
    let mut next = || {
        previous = backoff.delay_after(previous, attempt, random.next_u64());
        previous.as_secs_f64()
    };
    (0..DRAWS).map(|_| next()).collect()
}

fn mean(delays: &[f64]) -> f64 {
    delays.iter().sum::<f64>() / f64::from(DRAWS)
}

fn share(delays: &[f64], of: impl Fn(f64) -> bool) -> f64 {
    let count = delays.iter().filter(|delay| of(**delay)).count();
    f64::from(u32::try_from(count).unwrap()) / f64::from(DRAWS)
}

/// The mean of min(U(low, high), cap): the draws beyond the cap all count as the cap.
fn clamped_mean(low: f64, high: f64, cap: f64) -> f64 {
    let beyond = (high - cap).max(0.0) / (high - low);
    let top = high.min(cap);
    (1.0 - beyond) * f64::midpoint(low, top) + beyond * cap
}

#[track_caller]
fn is_near(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
}

#[test]
fn a_grown_delay_has_the_mean_and_the_share_at_the_cap_that_its_formula_says() {
    let clamped = (90.0 - CAP) / (90.0 - INITIAL); // 67 %
    for (strategy, mean_expected, share_expected) in [
        (Strategy::Decorrelated, clamped_mean(INITIAL, 3.0 * CAP, CAP), clamped),
        (Strategy::DecorrelatedSmooth, f64::midpoint(INITIAL, CAP), 0.0),
        (Strategy::DecorrelatedFloored, CAP * 0.75, 0.0),
        (Strategy::DecorrelatedUnclamped, f64::midpoint(INITIAL, 3.0 * CAP), 0.0),
        (Strategy::Full, CAP / 2.0, 0.0),
        (Strategy::Equal, CAP * 0.75, 0.0),
        (Strategy::None, CAP, 1.0),
    ] {
        let delays = delays(strategy, GROWN);

        // Four standard errors of a uniform span of 89 s over 200,000 draws are 0.23 s.
        is_near(&format!("mean of {strategy:?}"), mean(&delays), mean_expected, 0.23);
        let at_cap = share(&delays, |delay| (delay - CAP).abs() < f64::EPSILON);
        is_near(&format!("share at the cap of {strategy:?}"), at_cap, share_expected, 0.005);
    }
}

/// Every named strategy, and general forms with and without an atom.
#[test]
fn the_mean_of_grown_delays_is_the_one_that_the_backoff_says() {
    let general = [(0, 1_500, true), (250, 2_000, true), (700, 3_000, false), (1_000, 1_000, true)];
    let general = general.map(|(floor, ceiling, is_clamped)| {
        Strategy::Uniform(Uniform::new(floor, ceiling, is_clamped).unwrap())
    });
    for strategy in Strategy::ALL.into_iter().chain(general) {
        let expected = backoff(strategy).mean_at_cap().as_secs_f64();
        let found = mean(&delays(strategy, GROWN));

        // Delays are rounded down to milliseconds, which takes half of one.
        is_near(&format!("mean of {strategy}"), found + 0.0005, expected, 0.15);
    }
}

#[test]
fn the_exact_means_are_those_of_the_formulas() {
    let millis = |strategy| backoff(strategy).mean_at_cap().as_nanos();
    assert_eq!(millis(Strategy::Decorrelated), 25_275_280_898); // (30² − 1 + 60 · 60) / 178 s
    assert_eq!(millis(Strategy::DecorrelatedSmooth), 15_500_000_000);
    assert_eq!(millis(Strategy::DecorrelatedFloored), 22_500_000_000);
    assert_eq!(millis(Strategy::DecorrelatedUnclamped), 45_500_000_000);
    assert_eq!(millis(Strategy::Full), 15_000_000_000);
    assert_eq!(millis(Strategy::Equal), 22_500_000_000);
    assert_eq!(millis(Strategy::None), 30_000_000_000);
}

/// The default makes no more attempts in a long outage than the former one, and has no atom.
#[test]
fn the_default_delays_are_as_long_as_the_former_ones_on_average() {
    let (default, former) = (Backoff::default(), backoff(Strategy::Decorrelated));

    assert_eq!(default.mean_at_cap(), Duration::from_millis(25_500));
    assert!(default.mean_at_cap() >= former.mean_at_cap());
    let longest = default.bounds(u32::MAX).1;
    let mut random = ChaCha8Rng::seed_from_u64(0xd157);
    let at_cap = (0..DRAWS).filter(|_| default.delay(GROWN, random.next_u64()) == longest).count();
    assert!(at_cap < 100, "{at_cap} of {DRAWS} delays are the longest");
}

/// From a delay that cannot grow to one that grows for a year. A chain of draws has the same mean.
#[test]
fn the_mean_of_the_aws_form_is_that_of_a_long_chain() {
    for (initial, max) in [(1_000, 1_000), (1_000, 2_000), (1_000, 2_999), (100, 60_000)] {
        let span = Duration::from_millis;
        let multiplier = Multiplier::from_thousandths(2_000).unwrap();
        let aws = Strategy::AwsDecorrelated;
        let backoff = Backoff::new(span(initial), span(max), multiplier, aws).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(0xd157);
        let mut previous = backoff.initial();
        let mut sum = 0.0;
        for _ in 0..DRAWS {
            previous = backoff.delay_after(previous, GROWN, random.next_u64());
            sum += previous.as_secs_f64();
        }
        let expected = backoff.mean_at_cap().as_secs_f64();
        is_near(
            &format!("from {initial} to {max}"),
            sum / f64::from(DRAWS) + 0.0005,
            expected,
            0.01 * expected,
        );
    }
}

#[test]
fn the_first_delay_has_the_mean_that_its_formula_says() {
    for (strategy, expected) in [
        (Strategy::Decorrelated, 2.0), // between 1 s and 3 s
        (Strategy::DecorrelatedSmooth, 2.0),
        (Strategy::DecorrelatedFloored, 2.0),
        (Strategy::DecorrelatedUnclamped, 2.0),
        (Strategy::Full, 0.5),
        (Strategy::Equal, 0.75),
        (Strategy::None, 1.0),
    ] {
        is_near(&format!("first of {strategy:?}"), mean(&delays(strategy, 0)), expected, 0.01);
    }
}

/// In a long outage, of a chain that draws each delay from the one before.
#[test]
fn the_aws_form_settles_with_38_percent_of_its_delays_at_the_cap_and_67_percent_after_one() {
    let delays = delays(Strategy::AwsDecorrelated, GROWN);
    let is_cap = |delay: f64| (delay - CAP).abs() < f64::EPSILON;

    let at_cap = share(&delays, is_cap);
    let pairs = delays.windows(2).filter(|pair| is_cap(pair[0]));
    let (after, again) = pairs.fold((0.0, 0.0), |(after, again), pair| {
        (after + 1.0, again + if is_cap(pair[1]) { 1.0 } else { 0.0 })
    });

    is_near("share at the cap", at_cap, 0.38, 0.01);
    is_near("share at the cap after the cap", again / after, 60.0 / 89.0, 0.01);
    is_near("mean", mean(&delays), 18.6, 0.2);
}

#[test]
fn draws_below_the_cap_are_even_over_the_whole_range() {
    const BINS: usize = 20;
    for (strategy, low, high) in [
        (Strategy::Decorrelated, INITIAL, CAP), // what is not at the cap
        (Strategy::DecorrelatedSmooth, INITIAL, CAP),
        (Strategy::DecorrelatedFloored, CAP / 2.0, CAP),
        (Strategy::DecorrelatedUnclamped, INITIAL, 3.0 * CAP),
        (Strategy::Full, 0.0, CAP),
        (Strategy::Equal, CAP / 2.0, CAP),
    ] {
        let delays: Vec<_> =
            delays(strategy, GROWN).into_iter().filter(|delay| *delay < high).collect();
        let mut bins = [0_u32; BINS];
        for delay in &delays {
            let place = (delay - low) / (high - low) * 20.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from `low` to below `high`, so that the place is one of the bins"
            )]
            let bin = place as usize;
            bins[bin] += 1;
        }
        let expected = f64::from(u32::try_from(delays.len()).unwrap()) / 20.0;
        let chi_square: f64 =
            bins.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();

        // 19 degrees of freedom: 43.8 is passed by one in a thousand even distributions; the seed is fixed.
        assert!(chi_square < 43.8, "{strategy:?}: {chi_square}, {bins:?}");
    }
}

/// The mean by another integration, in even steps.
#[test]
fn the_mean_of_the_aws_form_is_exact_to_one_part_in_100_000() {
    for ratio in [1, 2, 3, 5, 7, 10, 20, 30] {
        let (initial, max) = (Duration::from_secs(1), Duration::from_secs(ratio));
        let multiplier = Multiplier::from_thousandths(2_000).unwrap();
        let aws = Backoff::new(initial, max, multiplier, Strategy::AwsDecorrelated).unwrap();
        let expected = aws_mean_in_even_steps(usize::try_from(ratio).unwrap());

        let mean = aws.mean_at_cap().as_secs_f64();

        is_near(&format!("{ratio} s"), mean, expected, 0.000_01 * expected);
    }
}

/// Where the longest delay is at most three times the first, the mean has a closed form.
#[test]
fn the_mean_of_the_aws_form_is_that_of_its_formula() {
    for percent in [100, 120, 150, 200, 225, 280, 300] {
        let (initial, max) = (Duration::from_secs(100), Duration::from_secs(percent));
        let multiplier = Multiplier::from_thousandths(2_000).unwrap();
        let aws = Backoff::new(initial, max, multiplier, Strategy::AwsDecorrelated).unwrap();
        let m = max.as_secs_f64() / 100.0;
        // The density before the clamp is 1 up to 3, and 1 − ln((y − 1) / 2) / 3 beyond.
        let log = ((3.0 * m - 1.0) / 2.0).ln();
        let above = 2.0 * m - ((3.0 * m - 1.0) * (log - 1.0) + 2.0) / 3.0;
        let expected = 100.0 * (m.mul_add(m, -1.0) / 2.0 + above * m) / (m - 1.0 + above);

        let mean = aws.mean_at_cap().as_secs_f64();

        is_near(&format!("{percent} s"), mean, expected, 0.000_000_1 * expected);
    }
}

/// The mean of the chain `x' = min(m, U(1, 3·x))`.
///
/// The density of a draw before the clamp is constant up to 3, and falls by
/// `q(y/3) / (3·(y − 1))` beyond.
fn aws_mean_in_even_steps(m: usize) -> f64 {
    const STEPS: usize = 1_000; // in each unit
    let count = |steps: usize| f64::from(u32::try_from(steps).unwrap());
    let at = |step: usize| 1.0 + count(step) / count(STEPS);
    let last = (3 * m - 1) * STEPS;
    let mut density: Vec<f64> = vec![1.0; 2 * STEPS + 1];
    for step in 2 * STEPS..last {
        // The step of y/3 is (y/3 − 1)·STEPS, between two steps in two of three cases.
        let slope = |step: usize| {
            let (third, rest) = ((step - 2 * STEPS) / 3, count(step % 3) / 3.0);
            let at_third = density[third] + rest * (density[third + 1] - density[third]);
            -at_third / (3.0 * (at(step) - 1.0))
        };
        let next = density[step] + (slope(step) + slope(step + 1)) / 2.0 / count(STEPS);
        density.push(next);
    }
    let (mut mass, mut moment) = (0.0, 0.0);
    for step in 0..last {
        let share = f64::midpoint(density[step], density[step + 1]);
        mass += share;
        moment += share * f64::midpoint(at(step), at(step + 1)).min(count(m));
    }
    moment / mass
}
