//! A limit of how many messages are sent in a time: a token bucket.

use std::time::Duration;

use gateway_core::{ConfigError, Instant, format_duration};

/// A limit of the rate at which messages are sent: at most so many in any span of this length. Set
/// it if your server closes the connection of a client that sends faster.
///
/// The limit is a token bucket. A message takes a token, and waits while there is none. After a
/// pause, up to [`burst`](Self::burst) messages leave at once. The rest of the limit comes back
/// evenly: one token in `span / (messages + 1 - burst)`. So a steady flow has
/// `messages + 1 - burst` messages in each `span`. By default that is about half of the limit. With
/// `burst(1)` it is all of it, at an even pace.
///
/// A permit of `reserve` holds a token from the time that it is given until it sends or is dropped.
/// Others find one token less meanwhile.
///
/// Pings, the login and a dialect's own messages also take tokens, but never wait. The
/// [`reserve`](Self::reserve) keeps tokens for them. Pongs and Close frames take none. If the server
/// makes the client send more of these than the reserve holds, more than `messages` may leave in a
/// span. A heartbeat that is faster than the limit takes every token, so no message leaves: choose an
/// interval that is several times `span / messages`.
///
/// The limit holds when messages are handed to the transport. The network may deliver them closer
/// together, so stay some messages below your server's limit.
///
/// ```
/// use std::time::Duration;
/// use gateway_wire::Rate;
///
/// // Discord allows 120 messages in 60 seconds.
/// let rate = Rate::new(115, Duration::from_secs(60)).burst(60).reserve(5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "pass it to a builder"]
pub struct Rate {
    messages: u32,
    span: Duration,
    burst: Option<u32>,
    reserve: Option<u32>,
}

impl Rate {
    /// The greatest number of messages in a span.
    pub const MOST_MESSAGES: u32 = 1_000_000;

    /// The shortest span.
    pub const SHORTEST_SPAN: Duration = Duration::from_millis(1);

    /// The longest span.
    pub const LONGEST_SPAN: Duration = Duration::from_secs(24 * 3_600);

    /// At most `messages` in any time of the length `span`.
    pub const fn new(messages: u32, span: Duration) -> Self {
        Self { messages, span, burst: None, reserve: None }
    }

    /// Sets how many messages may leave at once after a pause: 1 to `messages`. The larger it is, the
    /// slower the tokens come back. The default is half of `messages`, rounded up.
    pub const fn burst(self, messages: u32) -> Self {
        Self { burst: Some(messages), ..self }
    }

    /// Sets how many tokens of the burst are kept for pings, the login and a dialect's own messages.
    /// It must be less than the burst. The default is an eighth of the burst, rounded down.
    pub const fn reserve(self, messages: u32) -> Self {
        Self { reserve: Some(messages), ..self }
    }

    const fn full(self) -> u32 {
        match self.burst {
            Some(burst) => burst,
            None => self.messages.div_ceil(2),
        }
    }

    /// Returns the bucket, or each wrong setting.
    pub(crate) fn bucket(self, errors: &mut Vec<ConfigError>) -> TokenBucket {
        let mut check = |field: &str, value: String, is_right: bool, limit: String| {
            if !is_right {
                errors.push(ConfigError::new(format!("rate.{field}"), value, limit));
            }
        };
        let (messages, burst) = (self.messages, self.full());
        let reserve = self.reserve.unwrap_or(burst / 8);
        let is_possible = (1..=Self::MOST_MESSAGES).contains(&messages);
        let limit = format!("must be from 1 to {}", Self::MOST_MESSAGES);
        check("messages", messages.to_string(), is_possible, limit);
        let is_span = (Self::SHORTEST_SPAN..=Self::LONGEST_SPAN).contains(&self.span);
        check("span", format_duration(self.span), is_span, "must be from 1ms to 24h".into());
        if is_possible {
            let limit = format!("must be from 1 to rate.messages, which is {messages}");
            check("burst", burst.to_string(), (1..=messages).contains(&burst), limit);
            let limit = format!("must be less than rate.burst, which is {burst}");
            check("reserve", reserve.to_string(), reserve < burst, limit);
        }
        TokenBucket::new(self.span, messages, burst, reserve)
    }
}

/// The tokens of a [`Rate`].
///
/// The bucket is stored as the instant at which it is full again: each token that is missing delays
/// that instant by the time that one token takes to come back. (This is the virtual scheduling form
/// of the generic cell rate algorithm, ITU-T I.371 annex A.)
#[derive(Debug)]
pub(crate) struct TokenBucket {
    /// The time that one token takes to come back.
    token: Duration,
    /// The time in which an empty bucket becomes full.
    whole: Duration,
    /// A message of the application needs the bucket to be full within this time.
    usable: Duration,
    full_at: Instant,
    /// The tokens that permits hold.
    held: u32,
}

impl TokenBucket {
    fn new(span: Duration, messages: u32, burst: u32, reserve: u32) -> Self {
        let returning = u64::from(messages.saturating_sub(burst)) + 1;
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let token = Duration::from_nanos(nanos.div_ceil(returning));
        let free = burst.saturating_sub(reserve).saturating_sub(1);
        let (whole, usable) = (token.saturating_mul(burst), token.saturating_mul(free));
        Self { token, whole, usable, full_at: Instant::ZERO, held: 0 }
    }

    /// When the next message without a permit may leave. `None` while permits hold too many tokens.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        let held = self.token.saturating_mul(self.held);
        Some(self.full_at.saturating_sub(self.usable.checked_sub(held)?))
    }

    /// Whether a message without a permit may leave.
    pub(crate) fn allows(&self, now: Instant) -> bool {
        self.next_at().is_some_and(|next_at| now >= next_at)
    }

    /// Keeps so many tokens for permits.
    pub(crate) fn hold(&mut self, tokens: u32) {
        self.held = self.held.saturating_add(tokens);
    }

    /// So many permits were used or dropped.
    pub(crate) fn let_go(&mut self, tokens: u32) {
        self.held = self.held.saturating_sub(tokens);
    }

    /// Takes a token, also if there is none. The bucket is at most empty: what never waits delays
    /// the application's messages by at most one whole bucket.
    pub(crate) fn take(&mut self, now: Instant) {
        let full_at = self.full_at.max(now).saturating_add(self.token);
        self.full_at = full_at.min(now.saturating_add(self.whole));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(rate: Rate) -> TokenBucket {
        let mut errors = Vec::new();
        let bucket = rate.bucket(&mut errors);
        assert!(errors.is_empty(), "{errors:?}");
        bucket
    }

    fn errors(rate: Rate) -> Vec<String> {
        let mut errors = Vec::new();
        let _ = rate.bucket(&mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_burst_leaves_at_once_and_then_one_message_at_a_time() {
        let mut bucket = bucket(Rate::new(5, Duration::from_secs(3)).burst(3).reserve(0));
        let at = Instant::from_millis;
        for _ in 0..3 {
            assert!(bucket.allows(at(10_000)));
            bucket.take(at(10_000));
        }
        assert!(!bucket.allows(at(10_999)));
        assert_eq!(bucket.next_at(), Some(at(11_000)));
        bucket.take(at(11_000));
        assert_eq!(bucket.next_at(), Some(at(12_000)));
    }

    #[test]
    fn the_reserve_is_for_what_never_waits() {
        let mut bucket = bucket(Rate::new(4, Duration::from_secs(1)).burst(4).reserve(2));
        let now = Instant::from_millis(5_000);
        bucket.take(now); // a ping
        assert!(bucket.allows(now));
        bucket.take(now);
        assert!(!bucket.allows(now), "two tokens are left, and kept");
    }

    #[test]
    fn what_never_waits_delays_messages_by_at_most_one_whole_bucket() {
        let mut bucket = bucket(Rate::new(4, Duration::from_secs(1)).burst(4).reserve(0));
        let now = Instant::from_millis(5_000);
        for _ in 0..1_000 {
            bucket.take(now);
        }
        assert_eq!(bucket.next_at(), Some(now.saturating_add(Duration::from_secs(1))));
    }

    #[test]
    fn each_wrong_setting_is_named() {
        let second = Duration::from_secs(1);
        assert_eq!(
            errors(Rate::new(0, Duration::ZERO)),
            [
                "rate.messages = 0: must be from 1 to 1000000",
                "rate.span = 0ms: must be from 1ms to 24h",
            ]
        );
        let wrong = Rate::new(10, second).burst(11).reserve(11);
        assert_eq!(
            errors(wrong),
            [
                "rate.burst = 11: must be from 1 to rate.messages, which is 10",
                "rate.reserve = 11: must be less than rate.burst, which is 11",
            ]
        );
        assert!(errors(Rate::new(1, second)).is_empty());
        assert_eq!(errors(Rate::new(1, second).reserve(1)).len(), 1);
    }

    proptest! {
        /// The limit itself: no span of this length has more messages, wherever it begins.
        #[test]
        fn no_span_has_more_messages_than_the_limit(
            messages in 1_u32..40,
            burst_of_messages in 0.0_f64..1.0,
            span in 1_u64..5_000,
            pauses in prop::collection::vec(0_u64..2_000, 1..200),
        ) {
            let burst = 1 + (f64::from(messages - 1) * burst_of_messages) as u32;
            let span = Duration::from_millis(span);
            let mut bucket = bucket(Rate::new(messages, span).burst(burst).reserve(0));
            let mut now = Instant::from_millis(1);
            let mut sent = Vec::new();
            for pause in pauses {
                now = now.saturating_add(Duration::from_millis(pause)).max(bucket.next_at().unwrap());
                while bucket.allows(now) {
                    bucket.take(now);
                    sent.push(now);
                }
            }
            for (index, first) in sent.iter().enumerate() {
                let end = first.saturating_add(span);
                let within = sent[index..].iter().take_while(|at| **at < end).count();
                prop_assert!(within <= messages as usize, "{within} of {messages} in {span:?}");
            }
        }
    }
}
