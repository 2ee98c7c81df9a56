//! A limit of how many sockets the connections of one process open in a time, and the schedule that
//! keeps it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{ConfigError, ConfigErrors, format_duration};
use crate::time::Instant;

/// A limit of how many sockets several connections open together: at most so many in any span of this
/// length. It holds for every attempt, the first one of a connection included. Without it, a
/// process whose connections are all lost at once opens them all at once.
///
/// It counts an attempt when it begins. If a [provider](crate::ConfigBuilder::ask_provider) is slow,
/// the attempt's socket opens later. An attempt that its driver begins more than 1 s late is counted
/// again, at its new time.
///
/// The limit is a token bucket. An open takes a token. After a pause, up to [`burst`](Self::burst)
/// sockets open at once. The rest of the limit comes back evenly: one token in
/// `span / (opens + 1 - burst)`.
///
/// ```
/// use core::time::Duration;
/// use gateway_core::{Instant, RetryBudget};
///
/// let budget = RetryBudget::new(50, Duration::from_secs(1)).burst(1);
/// let mut schedule = budget.schedule()?;
/// let now = Instant::from_millis(1_000);
/// // Three connections are lost at the same instant, and want to open at once.
/// let opens = [(); 3].map(|()| schedule.reserve(now, now));
/// assert_eq!(opens, [1_000, 1_020, 1_040].map(Instant::from_millis));
/// # Ok::<(), gateway_core::ConfigErrors>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a budget does nothing until connections share its schedule"]
pub struct RetryBudget {
    opens: u32,
    span: Duration,
    burst: Option<u32>,
}

impl RetryBudget {
    /// The greatest number of opens in a span.
    pub const MOST_OPENS: u32 = 1_000_000;

    /// The shortest span.
    pub const SHORTEST_SPAN: Duration = Duration::from_millis(1);

    /// The longest span.
    pub const LONGEST_SPAN: Duration = Duration::from_secs(7 * 24 * 3_600);

    /// At most `opens` in any time of the length `span`.
    pub const fn new(opens: u32, span: Duration) -> Self {
        Self { opens, span, burst: None }
    }

    /// Sets how many sockets may open at once after a pause: 1 to `opens`. The larger it is, the slower
    /// the tokens come back. The default is a tenth of `opens`, rounded up.
    pub const fn burst(self, opens: u32) -> Self {
        Self { burst: Some(opens), ..self }
    }

    /// Returns the schedule that keeps this budget.
    ///
    /// # Errors
    /// Each wrong setting: `budget.opens` must be from 1 to 1,000,000, `budget.span` from 1 ms to 7 d,
    /// and `budget.burst` from 1 to `opens`.
    pub fn schedule(self) -> Result<OpenSchedule, ConfigErrors> {
        let mut errors = Vec::new();
        let mut check = |field: &str, value: String, is_right: bool, limit: String| {
            if !is_right {
                errors.push(ConfigError::new(format!("budget.{field}"), value, limit));
            }
        };
        let Self { opens, span, burst } = self;
        let burst = burst.unwrap_or(opens.div_ceil(10));
        let is_possible = (1..=Self::MOST_OPENS).contains(&opens);
        let limit = format!("must be from 1 to {}", Self::MOST_OPENS);
        check("opens", opens.to_string(), is_possible, limit);
        let is_span = (Self::SHORTEST_SPAN..=Self::LONGEST_SPAN).contains(&span);
        check("span", format_duration(span), is_span, "must be from 1ms to 7d".to_string());
        if is_possible {
            let limit = format!("must be from 1 to budget.opens, which is {opens}");
            check("burst", burst.to_string(), (1..=opens).contains(&burst), limit);
        }
        ConfigErrors::check(errors)?;
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let returning = u64::from(opens.saturating_sub(burst)) + 1;
        let token = Duration::from_nanos(nanos.div_ceil(returning));
        let spare = token.saturating_mul(burst.saturating_sub(1));
        Ok(OpenSchedule {
            bucket: Bucket { token, spare, full_at: Instant::ZERO },
            planned: Vec::new(),
        })
    }
}

/// The opens that several connections have reserved under one [`RetryBudget`]. It reads no clock and
/// draws nothing, so the same calls give the same instants.
///
/// A connection with [`shared_budget`](crate::ConfigBuilder::shared_budget) asks for an open with
/// [`Action::ReserveOpen`](crate::Action::ReserveOpen). Answer with what [`reserve`](Self::reserve)
/// returns. All connections that share a schedule must count their time from the same epoch, or you
/// must convert.
///
/// It holds one instant for each connection that waits, and each call takes time in proportion to
/// their number: some microseconds for a thousand. It is made for up to some ten thousand connections.
#[derive(Clone, Debug)]
pub struct OpenSchedule {
    /// The tokens after the opens before `planned`.
    bucket: Bucket,
    /// The opens that are still to come, in order.
    planned: Vec<Instant>,
}

/// A token bucket, stored as the instant at which it is full again: each token that is missing delays
/// that instant by the time that one token takes to come back. (This is the virtual scheduling form
/// of the generic cell rate algorithm, ITU-T I.371 annex A.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    /// The time that one token takes to come back.
    token: Duration,
    /// A bucket that is full within this time has a token.
    spare: Duration,
    full_at: Instant,
}

impl Bucket {
    /// When the next token can be taken.
    fn next_at(self) -> Instant {
        self.full_at.saturating_sub(self.spare)
    }

    fn take(&mut self, at: Instant) {
        self.full_at = self.full_at.max(at).saturating_add(self.token);
    }
}

impl OpenSchedule {
    /// Reserves an open: the first one at or after `earliest` that the budget allows in addition to the
    /// opens that are already reserved. Returns its instant.
    #[must_use = "the connection must not open before this instant"]
    pub fn reserve(&mut self, now: Instant, earliest: Instant) -> Instant {
        self.forget_past(now);
        let earliest = earliest.max(now);
        let mut bucket = self.bucket;
        let mut place = 0;
        loop {
            let at = earliest.max(bucket.next_at());
            let before = self.planned.get(place).is_some_and(|planned| *planned <= at);
            let taken = if before { Some(place) } else { self.clash(bucket, place, at) };
            let Some(clash) = taken else {
                self.planned.insert(place, at);
                return at;
            };
            // No instant before that open is free: a later one leaves even less time to it.
            for planned in &self.planned[place..=clash] {
                bucket.take(*planned);
            }
            place = clash + 1;
        }
    }

    /// Releases an open that was reserved for `at` and is not used. Does nothing if no open was
    /// reserved for that instant, or if the instant has come: then the connection may have opened.
    pub fn release(&mut self, now: Instant, at: Instant) {
        if at > now
            && let Ok(place) = self.planned.binary_search(&at)
        {
            self.planned.remove(place);
        }
    }

    /// How many opens are reserved and still to come, at the time of the last call.
    #[must_use]
    pub fn len(&self) -> usize {
        self.planned.len()
    }

    /// Whether no open is reserved.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.planned.is_empty()
    }

    /// Opens that are due have happened.
    fn forget_past(&mut self, now: Instant) {
        let past = self.planned.partition_point(|planned| *planned < now);
        for planned in self.planned.drain(..past) {
            self.bucket.take(planned);
        }
    }

    /// The first planned open, from `place` on, that would find no token if one more open took one at
    /// `at`. `bucket` has the tokens before `place`.
    fn clash(&self, mut bucket: Bucket, place: usize, at: Instant) -> Option<usize> {
        bucket.take(at);
        for (place, planned) in self.planned.iter().enumerate().skip(place) {
            if bucket.full_at <= *planned {
                return None; // the bucket is full again: what follows does not notice
            }
            if bucket.next_at() > *planned {
                return Some(place);
            }
            bucket.take(*planned);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn schedule(opens: u32, millis: u64, burst: u32) -> OpenSchedule {
        RetryBudget::new(opens, Duration::from_millis(millis)).burst(burst).schedule().unwrap()
    }

    #[test]
    fn an_open_that_wants_to_wait_does_not_delay_one_that_does_not() {
        let mut schedule = schedule(10, 1_000, 1);
        assert_eq!(schedule.reserve(at(0), at(30_000)), at(30_000));
        assert_eq!(schedule.reserve(at(0), at(0)), at(0));
        assert_eq!(schedule.reserve(at(0), at(0)), at(100));
        assert_eq!(schedule.reserve(at(0), at(29_950)), at(30_100)); // 29,950 would disturb 30,000
        assert_eq!(schedule.reserve(at(0), at(29_900)), at(29_900));
    }

    #[test]
    fn what_is_given_back_is_used_again_and_the_others_keep_their_instants() {
        let mut schedule = schedule(10, 1_000, 1);
        let opens = [(); 4].map(|()| schedule.reserve(at(0), at(0)));
        assert_eq!(opens, [at(0), at(100), at(200), at(300)]);
        schedule.release(at(50), at(100));
        assert_eq!(schedule.reserve(at(50), at(50)), at(100));
        assert_eq!(schedule.reserve(at(50), at(50)), at(400));
        schedule.release(at(50), at(70)); // was never reserved
        schedule.release(at(100), at(100)); // may be used
        assert_eq!(schedule.len(), 4);
    }

    #[test]
    fn a_pause_fills_the_bucket_up_to_its_burst() {
        let mut schedule = schedule(10, 1_000, 4); // a token comes back in 143 ms
        let late = at(60_000);
        let opens = [(); 5].map(|()| schedule.reserve(late, late));
        assert_eq!(opens[..4], [late; 4]);
        assert!(opens[4] > late && opens[4] <= at(60_143));
    }

    #[test]
    fn each_wrong_setting_is_an_error_with_its_limit() {
        let wrong = |budget: RetryBudget| budget.schedule().unwrap_err().to_string();
        assert_eq!(
            wrong(RetryBudget::new(0, Duration::ZERO)),
            "budget.opens = 0: must be from 1 to 1000000\nbudget.span = 0ms: must be from 1ms to 7d"
        );
        assert_eq!(
            wrong(RetryBudget::new(5, Duration::from_secs(1)).burst(6)),
            "budget.burst = 6: must be from 1 to budget.opens, which is 5"
        );
        assert!(wrong(RetryBudget::new(5, Duration::from_secs(1)).burst(0)).contains("burst = 0"));
    }

    /// One call, with the time since the call before.
    #[derive(Clone, Debug)]
    enum Call {
        Reserve { after: u64, wait: u64 },
        Release { after: u64, which: prop::sample::Index },
    }

    fn calls() -> impl Strategy<Value = Vec<Call>> {
        let after = || prop_oneof![2 => Just(0_u64), 1 => 0_u64..3_000];
        let wait = prop_oneof![2 => Just(0_u64), 1 => 0_u64..5_000];
        let call = prop_oneof![
            4 => (after(), wait).prop_map(|(after, wait)| Call::Reserve { after, wait }),
            1 => (after(), any::<prop::sample::Index>())
                .prop_map(|(after, which)| Call::Release { after, which }),
        ];
        prop::collection::vec(call, 1..60)
    }

    /// Whether a bucket with these opens never lacks a token.
    fn holds(mut bucket: Bucket, opens: &[Instant]) -> bool {
        let mut opens = opens.to_vec();
        opens.sort();
        opens.into_iter().all(|open| {
            let has_token = bucket.next_at() <= open;
            bucket.take(open);
            has_token
        })
    }

    proptest! {
        #[test]
        fn no_open_is_early_none_is_above_the_budget_and_none_waits_without_need(
            opens in 1_u32..8,
            burst in 1_u32..8,
            calls in calls(),
        ) {
            let span = Duration::from_secs(1);
            let burst = burst.min(opens);
            let mut schedule = RetryBudget::new(opens, span).burst(burst).schedule().unwrap();
            let fresh = schedule.bucket;
            let (mut now, mut kept) = (at(0), Vec::new());
            for call in calls {
                match call {
                    Call::Reserve { after, wait } => {
                        now = now.saturating_add(Duration::from_millis(after));
                        let earliest = now.saturating_add(Duration::from_millis(wait));
                        let open = schedule.reserve(now, earliest);
                        prop_assert!(open >= earliest);
                        // A schedule that tries each millisecond finds no earlier one.
                        let mut slow = earliest;
                        while slow < open {
                            let with: Vec<_> = kept.iter().copied().chain([slow]).collect();
                            prop_assert!(!holds(fresh, &with), "{slow:?} was free, {open:?} given");
                            slow = slow.saturating_add(Duration::from_millis(1));
                        }
                        kept.push(open);
                    }
                    Call::Release { after, which } => {
                        now = now.saturating_add(Duration::from_millis(after));
                        let future: Vec<_> = kept.iter().copied().filter(|at| *at > now).collect();
                        if !future.is_empty() {
                            let gone = *which.get(&future);
                            schedule.release(now, gone);
                            let place = kept.iter().position(|at| *at == gone).unwrap();
                            kept.swap_remove(place);
                        }
                    }
                }
                prop_assert!(holds(fresh, &kept));
                let mut sorted = kept.clone();
                sorted.sort();
                for window in sorted.windows(opens as usize + 1) {
                    let spread = window[opens as usize].saturating_duration_since(window[0]);
                    prop_assert!(spread >= span, "{} opens within {spread:?}", opens + 1);
                }
            }
        }
    }
}
