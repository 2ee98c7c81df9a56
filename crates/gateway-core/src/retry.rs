//! Whether to retry, and after which delay. Randomness is an argument.

use core::time::Duration;

use rand_core::Rng;

use crate::action::{Because, Credentials};
use crate::backoff::NANOS_PER_MILLI;
use crate::config::{Config, Reconnect};
use crate::policy::Verdict;
use crate::time::{Compact, nanos, whole_millis};

/// The connect timeout grows by this factor. With 2, a fleet beyond the edge of a storm leaves the
/// server one wave more of clients that have left: docs/DESIGN.md has the figures.
const TIMEOUT_GROWTH: u64 = 4;

/// What the machine remembers between attempts, until a connection is stable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Retry {
    attempts: u32,
    /// The strategy's last delay, before any least delay. The AWS form depends on it.
    drawn: Option<Compact>,
    /// The last delay, with any least delay and its spread. How long a connection must be ready to
    /// be stable depends on it. A delay is a whole number of milliseconds.
    waited_ms: u64,
    refresh: Refresh,
    /// How often the connect timeout has grown. At its bound it does not count on.
    growths: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Refresh {
    Unspent,
    Spent,
}

/// What follows the loss of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Wait {
        delay: Duration,
        /// The part of `delay` that no hint shortens: the least delay of the server or the policy,
        /// and the random part that is added.
        least: Duration,
        because: Because,
        credentials: Credentials,
    },
    Fatal,
    AttemptsSpent,
}

impl Retry {
    pub(crate) const fn new() -> Self {
        Self { attempts: 0, drawn: None, waited_ms: 0, refresh: Refresh::Unspent, growths: 0 }
    }

    /// The number of the last retry: 1 for the first since the count was last reset.
    pub(crate) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long a connection must be ready to be stable.
    pub(crate) fn stable_after(&self, config: &Reconnect) -> Duration {
        config.stable_after.max(Duration::from_millis(self.waited_ms))
    }

    /// How long the next attempt may take to connect.
    #[inline]
    pub(crate) fn connect_timeout(&self, config: &Config) -> Duration {
        if self.growths == 0 { config.connect_timeout } else { self.grown_timeout(config) }
    }

    #[cold]
    fn grown_timeout(&self, config: &Config) -> Duration {
        let grown = nanos(config.connect_timeout)
            .saturating_mul(TIMEOUT_GROWTH.saturating_pow(self.growths.into()));
        Duration::from_nanos(grown).min(config.connect_timeout_max)
    }

    /// An attempt ended by the connect timeout.
    pub(crate) fn grow_timeout(&mut self, config: &Config) {
        if self.connect_timeout(config) < config.connect_timeout_max {
            self.growths = self.growths.saturating_add(1);
        }
    }

    /// A connection was stable, or a connect request starts afresh.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }

    /// Decides what follows. `retry_after` is the server's, already as a span from now. `unjudged`
    /// are the credentials for the next attempt, if no server has judged them yet. `spread` is zero
    /// unless a ready connection was lost.
    pub(crate) fn decide(
        &mut self,
        verdict: Verdict,
        retry_after: Option<Duration>,
        unjudged: Credentials,
        spread: Duration,
        config: &Reconnect,
        random: &mut dyn Rng,
    ) -> Decision {
        let credentials = match (verdict, self.refresh) {
            (Verdict::Fatal, _) | (Verdict::RefreshCredentials, Refresh::Spent) => {
                return Decision::Fatal;
            }
            (Verdict::RefreshCredentials, Refresh::Unspent) => Credentials::Refresh,
            (Verdict::Retry | Verdict::RetryNoSoonerThan(_), _) => unjudged,
        };
        if config.max_attempts.is_some_and(|most| self.attempts >= most) {
            return Decision::AttemptsSpent;
        }
        if verdict == Verdict::RefreshCredentials {
            self.refresh = Refresh::Spent;
        }
        let exponent = self.attempts;
        self.attempts = self.attempts.saturating_add(1);
        // Before the first draw, `previous` is below `initial`, which the strategy takes instead.
        let previous = self.drawn.map_or(0, Compact::nanos);
        let millis = config.backoff.millis_after(previous, exponent, random.next_u64());
        self.drawn = Some(Compact::new(millis.saturating_mul(NANOS_PER_MILLI)));
        let drawn = Duration::from_millis(millis);
        let floor = floor(verdict, retry_after, config);
        if floor.is_none() && spread.is_zero() {
            self.waited_ms = millis;
            let (delay, least, because) = (drawn, Duration::ZERO, Because::Backoff);
            return Decision::Wait { delay, least, because, credentials };
        }
        let (delay, least, because) = lengthen(drawn, floor, spread, random);
        self.waited_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        Decision::Wait { delay, least, because, credentials }
    }

    /// Draws a span in `0..=bound`, in whole milliseconds.
    pub(crate) fn spread(bound: Duration, random: &mut dyn Rng) -> Duration {
        let drawn = (u128::from(nanos(bound)) * u128::from(random.next_u64())) >> 64;
        whole_millis(Duration::from_nanos(u64::try_from(drawn).unwrap_or(u64::MAX)))
    }
}

/// The longer of the server's and the policy's least delay, and which of the two it is.
fn floor(
    verdict: Verdict,
    retry_after: Option<Duration>,
    config: &Reconnect,
) -> Option<(Duration, Because)> {
    let honoured = retry_after.map(|span| span.min(config.retry_after_max));
    let ruled = match verdict {
        Verdict::RetryNoSoonerThan(least) => Some(least),
        Verdict::Retry | Verdict::RefreshCredentials | Verdict::Fatal => None,
    };
    match ruled {
        Some(least) if honoured.is_none_or(|span| span <= least) => Some((least, Because::Policy)),
        Some(_) | None => honoured.map(|span| (span, Because::RetryAfter)),
    }
}

/// Applies a least delay, or the spread after a ready connection, which nearly all retries are
/// without. Returns the delay, and the part of it that no hint shortens.
///
/// Many clients may share a least delay, so a random part of up to max(1 s, 20 %) is added. With a
/// spread, the longer of the two random parts is added.
#[cold]
fn lengthen(
    drawn: Duration,
    floor: Option<(Duration, Because)>,
    spread: Duration,
    random: &mut dyn Rng,
) -> (Duration, Duration, Because) {
    let (least, because, jitter) = match floor {
        Some((least, because)) => {
            let jitter = Retry::spread((least / 5).max(Duration::from_secs(1)), random);
            (least, if least >= drawn { because } else { Because::Backoff }, jitter)
        }
        None => (Duration::ZERO, Because::Backoff, Duration::ZERO),
    };
    let spread = if spread.is_zero() { Duration::ZERO } else { Retry::spread(spread, random) };
    let because = if spread > jitter { Because::Spread } else { because };
    let longer = |span| whole_millis(span).saturating_add(jitter.max(spread));
    (longer(drawn.max(least)), longer(least), because)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Backoff;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    fn decide(retry: &mut Retry, verdict: Verdict, retry_after: Option<u64>) -> Decision {
        let config = Config::default();
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let retry_after = retry_after.map(Duration::from_secs);
        let unjudged = Credentials::Cached;
        let spread = Duration::ZERO;
        retry.decide(verdict, retry_after, unjudged, spread, &config.reconnect, &mut random)
    }

    fn spend(retry: &mut Retry, config: &Config, random: &mut ChaCha8Rng) -> Decision {
        let (unjudged, spread) = (Credentials::Cached, Duration::ZERO);
        retry.decide(Verdict::Retry, None, unjudged, spread, &config.reconnect, random)
    }

    #[test]
    fn the_first_retry_uses_exponent_zero_and_the_delay_grows_from_there() {
        let mut retry = Retry::new();
        for attempt in 0..40 {
            let Decision::Wait { delay, because, credentials, .. } =
                decide(&mut retry, Verdict::Retry, None)
            else {
                panic!("no retry");
            };
            let (low, high) = Backoff::default().bounds(attempt);
            assert!(low <= delay && delay <= high, "{attempt}: {delay:?}");
            assert_eq!((because, credentials), (Because::Backoff, Credentials::Cached));
            assert_eq!(retry.attempts(), attempt + 1);
        }
    }

    #[test]
    fn the_connect_timeout_grows_up_to_its_bound_and_is_reset() {
        let seconds = Duration::from_secs;
        let config =
            Config::builder().connect_timeout(seconds(10)).connect_timeout_max(seconds(60));
        let config = config.build().unwrap();
        let mut retry = Retry::new();
        for timeout in [10, 40, 60, 60, 60] {
            assert_eq!(retry.connect_timeout(&config), seconds(timeout));
            retry.grow_timeout(&config);
        }
        assert_eq!(retry.growths, 2, "at its bound the timeout counts no further");
        retry.reset();
        assert_eq!(retry.connect_timeout(&config), seconds(10));
    }

    #[test]
    fn the_shortest_timeout_grows_to_the_longest_and_an_equal_bound_never_grows() {
        let shortest = Duration::from_millis(1);
        let build = |most| {
            let config = Config::builder().connect_timeout(shortest).connect_timeout_max(most);
            config.build().unwrap()
        };
        let (wide, equal) = (build(Config::MAX_SPAN), build(shortest));
        let (mut grown, mut fixed) = (Retry::new(), Retry::new());
        for _ in 0..300 {
            grown.grow_timeout(&wide);
            fixed.grow_timeout(&equal);
        }
        assert_eq!(grown.connect_timeout(&wide), Config::MAX_SPAN);
        assert_eq!(fixed, Retry::new());
    }

    #[test]
    fn credentials_are_refreshed_once() {
        let mut retry = Retry::new();
        let refreshed = decide(&mut retry, Verdict::RefreshCredentials, None);
        assert!(matches!(refreshed, Decision::Wait { credentials: Credentials::Refresh, .. }));
        assert_eq!(decide(&mut retry, Verdict::RefreshCredentials, None), Decision::Fatal);
        retry.reset();
        let again = decide(&mut retry, Verdict::RefreshCredentials, None);
        assert!(matches!(again, Decision::Wait { credentials: Credentials::Refresh, .. }));
    }

    #[test]
    fn retry_after_is_honoured_up_to_its_bound_and_spread() {
        let bound = Duration::from_secs(300);
        for (seconds, least) in [(60, 60), (86_400, 300), (u64::MAX, 300)] {
            let decision = decide(&mut Retry::new(), Verdict::Retry, Some(seconds));
            let Decision::Wait { delay, because, .. } = decision else { panic!("no retry") };
            assert!(delay >= Duration::from_secs(least) && delay <= bound + bound / 5, "{delay:?}");
            assert_eq!(because, Because::RetryAfter);
        }
        let decision = decide(&mut Retry::new(), Verdict::Retry, Some(0));
        assert!(matches!(decision, Decision::Wait { because: Because::Backoff, .. }));
    }

    #[test]
    fn a_policys_least_delay_is_kept() {
        let least = Duration::from_secs(45);
        let decision = decide(&mut Retry::new(), Verdict::RetryNoSoonerThan(least), Some(10));
        let Decision::Wait { delay, because, .. } = decision else { panic!("no retry") };
        assert!(delay >= least && because == Because::Policy);
    }

    /// The delays of the same draws without a spread and with one.
    fn spread(verdict: Verdict, spread: Duration, seed: u64) -> [(Duration, Duration, Because); 2] {
        let config = Config::default();
        [Duration::ZERO, spread].map(|spread| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let (unjudged, reconnect) = (Credentials::Cached, &config.reconnect);
            let decision =
                Retry::new().decide(verdict, None, unjudged, spread, reconnect, &mut random);
            let Decision::Wait { delay, least, because, .. } = decision else { panic!("no retry") };
            (delay, least, because)
        })
    }

    #[test]
    fn a_spread_is_added_in_whole_milliseconds_and_kept() {
        let bound = Duration::from_secs(80);
        let mut longest = Duration::ZERO;
        for seed in 0..200 {
            let [(bare, _, _), (delay, least, because)] = spread(Verdict::Retry, bound, seed);
            let added = delay.saturating_sub(bare);
            assert!(added <= bound && added == least && added == whole_millis(added), "{added:?}");
            assert_eq!(because == Because::Spread, !added.is_zero());
            longest = longest.max(added);
        }
        assert!(longest > Duration::from_secs(75), "{longest:?}");
    }

    #[test]
    fn a_spread_and_the_random_part_of_a_least_delay_are_not_both_added() {
        let (floor, bound) = (Duration::from_secs(60), Duration::from_secs(20));
        let mut seen = [false; 2];
        for seed in 0..200 {
            let verdict = Verdict::RetryNoSoonerThan(floor);
            let [(bare, _, _), (delay, least, because)] = spread(verdict, bound, seed);
            assert!(bare <= delay && least == delay, "the least delay is longer than any drawn");
            assert!(delay <= floor + bound, "{delay:?}");
            let is_longer = delay > bare;
            let expected = if is_longer { Because::Spread } else { Because::Policy };
            assert_eq!(because, expected);
            seen[usize::from(is_longer)] = true;
        }
        assert_eq!(seen, [true; 2]);
    }

    #[test]
    fn attempts_are_spent_at_their_bound_and_zero_means_never() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        for most in [0, 1, 3] {
            let config = Config::builder().max_attempts(Some(most)).build().unwrap();
            let mut retry = Retry::new();
            for _ in 0..most {
                let decision = spend(&mut retry, &config, &mut random);
                assert!(matches!(decision, Decision::Wait { .. }));
            }
            assert_eq!(spend(&mut retry, &config, &mut random), Decision::AttemptsSpent);
        }
    }
}
