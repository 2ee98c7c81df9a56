//! The number of attempts, their credentials, and the bounds of their delays.

use core::time::Duration;

use gateway_core::{
    Because, Config, Credentials, DisconnectCause, Instant, OpenError, RetryAfter, UnixMillis,
    Verdict,
};

use crate::unlisted::unlisted;

#[derive(Clone, Debug, Default)]
pub(crate) struct Retries {
    pub(crate) attempts: u32,
    /// How many attempts have ended by the connect timeout.
    timeouts: u32,
    last_delay: Duration,
    is_refreshed: bool,
    wants_refresh: bool,
    wall: Option<(Instant, UnixMillis)>,
    /// No hint starts an attempt before this: the least delay without its spread, and with all of it.
    pub(crate) not_before: Instant,
    pub(crate) not_before_most: Instant,
}

/// A lost socket, and the expected retry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) cause: DisconnectCause,
    verdict: Verdict,
    /// The least delay that the server or the policy demands.
    floor: Option<Duration>,
    /// The bound of the spread: zero unless a ready connection was lost.
    spread: Duration,
}

impl Retries {
    /// A new connection: counts start from zero.
    pub(crate) fn reset(&mut self) {
        *self = Self { wall: self.wall, ..Self::default() };
    }

    /// The machine was suspended, and the least delay ran on meanwhile.
    pub(crate) fn slept(&mut self, by: Duration) {
        self.not_before = self.not_before.saturating_sub(by);
        self.not_before_most = self.not_before_most.saturating_sub(by);
    }

    /// A socket was replaced on purpose. A server that let the client be ready has judged its credentials.
    pub(crate) fn replaced(&mut self, was_ready: bool) {
        self.wants_refresh &= !was_ready;
    }

    /// An attempt starts, which ends any least delay.
    pub(crate) fn tried(&mut self) {
        self.not_before = Instant::ZERO;
        self.not_before_most = Instant::ZERO;
    }

    pub(crate) fn told_wall(&mut self, now: Instant, wall: UnixMillis) {
        self.wall = Some((now, wall));
    }

    /// A connection that was ready for this long is lost.
    pub(crate) fn lost_after(&mut self, ready_for: Duration, config: &Config) {
        if ready_for >= config.stable_after().max(self.last_delay) {
            self.reset();
        }
    }

    /// An attempt ended by the connect timeout.
    pub(crate) fn timed_out(&mut self) {
        self.timeouts = self.timeouts.saturating_add(1);
    }

    /// How long the next attempt may take: it grows fourfold with each timeout, up to its bound.
    pub(crate) fn connect_timeout(&self, config: &Config) -> Duration {
        let grown = config.connect_timeout().as_nanos() << (2 * self.timeouts.min(32));
        let grown = u64::try_from(grown).map_or(Duration::MAX, Duration::from_nanos);
        grown.min(config.connect_timeout_max())
    }

    pub(crate) fn credentials(&self) -> Credentials {
        if self.wants_refresh { Credentials::Refresh } else { Credentials::Cached }
    }

    /// The expected retry after this loss.
    pub(crate) fn loss(
        &self,
        now: Instant,
        cause: DisconnectCause,
        verdict: Verdict,
        was_ready: bool,
        config: &Config,
    ) -> Loss {
        let header = match cause {
            DisconnectCause::OpenFailed(OpenError::Http { retry_after, .. }) => {
                retry_after.and_then(|header| self.span(now, header))
            }
            _ => None,
        };
        let header = header.map(|span| span.min(config.retry_after_max()));
        let ruled = match verdict {
            Verdict::RetryNoSoonerThan(least) => Some(least),
            Verdict::Retry | Verdict::RefreshCredentials | Verdict::Fatal => None,
        };
        let spread = if was_ready { config.spread() } else { Duration::ZERO };
        Loss { cause, verdict, floor: header.max(ruled), spread }
    }

    fn span(&self, now: Instant, header: RetryAfter) -> Option<Duration> {
        match header {
            RetryAfter::Seconds(seconds) => Some(Duration::from_secs(seconds)),
            RetryAfter::Date(date) => {
                let (at, wall) = self.wall?;
                let wall = wall.saturating_add(now.saturating_duration_since(at));
                Some(date.saturating_duration_since(wall))
            }
        }
    }

    /// Whether this loss may not be retried, and why.
    pub(crate) fn is_final(&self, loss: &Loss, config: &Config) -> Result<bool, &'static str> {
        match loss.verdict {
            Verdict::Fatal => Ok(true),
            Verdict::RefreshCredentials if self.is_refreshed => Ok(true),
            Verdict::Retry | Verdict::RetryNoSoonerThan(_) | Verdict::RefreshCredentials => {
                if self.is_spent(config) { Err("the attempts are spent") } else { Ok(false) }
            }
        }
    }

    pub(crate) fn is_spent(&self, config: &Config) -> bool {
        config.max_attempts().is_some_and(|most| self.attempts >= most)
    }

    /// Counts a retry.
    pub(crate) fn count(&mut self, loss: &Loss, now: Instant, delay: Duration, config: &Config) {
        let floor = loss.floor.unwrap_or_default();
        let jitter = loss.floor.map(jitter).unwrap_or_default();
        let most = floor.saturating_add(jitter.max(loss.spread));
        // What the strategy cannot have drawn of the delay was added, and is kept. Delays are whole
        // milliseconds, rounded down.
        let (_, high) = config.backoff().bounds(self.attempts);
        let added = delay.saturating_sub(high.max(floor));
        let least = floor.saturating_add(added).saturating_sub(Duration::from_millis(1));
        self.not_before = now.saturating_add(least);
        self.not_before_most = now.saturating_add(most);
        self.attempts = self.attempts.saturating_add(1);
        self.last_delay = delay;
        let is_new = loss.verdict == Verdict::RefreshCredentials;
        self.is_refreshed |= is_new;
        // New credentials that no server has seen are requested again.
        let is_unjudged = match loss.cause {
            DisconnectCause::OpenFailed(error) => !matches!(error, OpenError::Http { .. }),
            cause => matches!(
                cause,
                DisconnectCause::Provider
                    | DisconnectCause::AttemptTimeout
                    | DisconnectCause::ConnectTimeout
            ),
        };
        self.wants_refresh = is_new || (self.wants_refresh && is_unjudged);
    }

    /// The least gap between two attempts, by the strategy alone.
    pub(crate) fn least_gap(&self, config: &Config) -> Duration {
        config.backoff().bounds(self.attempts.saturating_sub(1)).0
    }

    /// Whether the delay of the counted retry is within its bounds.
    pub(crate) fn check_delay(
        &self,
        loss: &Loss,
        delay: Duration,
        because: Because,
        config: &Config,
    ) -> Result<(), String> {
        let (low, high) = config.backoff().bounds(self.attempts.saturating_sub(1));
        let floor = loss.floor.unwrap_or_default();
        let (low, high) = match (loss.floor, because) {
            (_, Because::Spread) if !loss.spread.is_zero() => {
                (low.max(floor), high.max(floor).saturating_add(loss.spread))
            }
            (None, Because::Backoff) => (low, high),
            (Some(floor), Because::Backoff) => {
                (low.max(floor), high.max(floor).saturating_add(jitter(floor)))
            }
            (Some(floor), Because::RetryAfter | Because::Policy) => {
                (low.max(floor), floor.saturating_add(jitter(floor)))
            }
            (None, Because::RetryAfter | Because::Policy)
            | (_, Because::Hint | Because::Budget | Because::Spread) => {
                return Err(format!("{because:?} decided on {loss:?}"));
            }
            (_, unknown) => unlisted(file!(), &unknown),
        };
        // Delays are whole milliseconds, rounded down.
        if delay.saturating_add(Duration::from_millis(1)) <= low || delay > high {
            return Err(format!("{delay:?} is not within {low:?} and {high:?} on {loss:?}"));
        }
        if !delay.subsec_nanos().is_multiple_of(1_000_000) {
            return Err(format!("{delay:?} is no whole number of milliseconds"));
        }
        Ok(())
    }
}

/// The policy's verdict on this cause. A refused login, a provider's failure and
/// a dialect that leaves have their own verdicts.
pub(crate) fn verdict_on(cause: DisconnectCause, config: &Config) -> Verdict {
    let judge = |code| config.policy().judge(code).verdict();
    match cause {
        DisconnectCause::OpenFailed(OpenError::Http { status, .. }) => judge(status),
        DisconnectCause::OpenFailed(OpenError::Configuration | OpenError::ProxyCredentials) => {
            Verdict::Fatal
        }
        DisconnectCause::CloseReceived(code) => judge(code.map_or(1005, |code| code.number())),
        DisconnectCause::Lost(_) => judge(1006),
        DisconnectCause::OpenFailed(_)
        | DisconnectCause::ProtocolError(_)
        | DisconnectCause::Provider
        | DisconnectCause::Dialect
        | DisconnectCause::AttemptTimeout
        | DisconnectCause::ConnectTimeout
        | DisconnectCause::PongTimeout
        | DisconnectCause::WriteStall
        | DisconnectCause::DataTimeout
        | DisconnectCause::LoginTimeout
        | DisconnectCause::LoginRefused(_)
        | DisconnectCause::CloseTimeout
        | DisconnectCause::Requested
        | DisconnectCause::Reconnect
        | DisconnectCause::Renewal => Verdict::Retry,
        unknown => unlisted(file!(), &unknown),
    }
}

fn jitter(floor: Duration) -> Duration {
    (floor / 5).max(Duration::from_secs(1))
}
