//! After the loss of a socket: whether there is another attempt, when, and with which credentials.

use core::time::Duration;

use gateway_core::{
    Action, Because, CloseCode, ConnectionState, DisconnectCause, GiveUpCause, Notice, OpenError,
    Outgoing, RetryAfter, RetryCause, Verdict,
};

use crate::unlisted::unlisted;
use rand_core::Rng;

use super::{Reference, backoff};

impl<R: Rng> Reference<R> {
    /// Tables decide on most causes. A timeout of the client and a protocol error are always retried.
    pub(super) fn lose(&mut self, cause: DisconnectCause) {
        let (verdict, gives_up) = match cause {
            DisconnectCause::OpenFailed(OpenError::Http { status, .. }) => {
                (self.judge(status), GiveUpCause::HttpStatus(status))
            }
            DisconnectCause::OpenFailed(OpenError::Configuration | OpenError::ProxyCredentials) => {
                (Verdict::Fatal, GiveUpCause::Configuration)
            }
            DisconnectCause::CloseReceived(code) => {
                let code = code.map_or(1005, CloseCode::number);
                (self.judge(code), GiveUpCause::CloseCode(code))
            }
            DisconnectCause::Lost(_) => (self.judge(1006), GiveUpCause::CloseCode(1006)),
            DisconnectCause::OpenFailed(_)
            | DisconnectCause::ProtocolError(_)
            | DisconnectCause::AttemptTimeout
            | DisconnectCause::ConnectTimeout
            | DisconnectCause::PongTimeout
            | DisconnectCause::WriteStall
            | DisconnectCause::DataTimeout
            | DisconnectCause::LoginTimeout => (Verdict::Retry, GiveUpCause::AttemptsSpent),
            // Other functions report these.
            DisconnectCause::Provider
            | DisconnectCause::Dialect
            | DisconnectCause::LoginRefused(_)
            | DisconnectCause::CloseTimeout
            | DisconnectCause::Requested
            | DisconnectCause::Reconnect
            | DisconnectCause::Renewal => (Verdict::Retry, GiveUpCause::AttemptsSpent),
            unknown => unlisted(file!(), &unknown),
        };
        self.lose_by(cause, verdict, gives_up);
    }

    /// The provider's error has a verdict of its own.
    pub(super) fn on_provider_failed(&mut self, verdict: Verdict) {
        self.lose_by(DisconnectCause::Provider, verdict, GiveUpCause::Provider);
    }

    /// After a refused login the client waits up to the close timeout for the peer's Close.
    pub(super) fn refuse_login(&mut self, verdict: Verdict) {
        let Some(socket) = self.socket else { return };
        self.tell(Notice::LoginRefused { socket, verdict });
        self.refusal = Some(verdict);
        self.too_late_at = Some(self.now.saturating_add(self.config.close_timeout()));
    }

    /// An accepted login is no longer valid: the client closes at once.
    pub(super) fn refuse_when_ready(&mut self, verdict: Verdict) {
        let Some(socket) = self.socket else { return };
        self.tell(Notice::LoginRefused { socket, verdict });
        self.refusal = Some(verdict);
        self.end_refusal(None, Some(CloseCode::GOING_AWAY));
    }

    /// The Close of a restarting server, or with a code of the user's rules, makes the verdict milder, never
    /// harsher.
    pub(super) fn soften_refusal(&mut self, code: u16) {
        let policy = self.config.policy();
        let has_rule = policy.rules().any(|rule| (rule.first()..=rule.last()).contains(&code));
        if !has_rule && ![1012, 1013, 1014].contains(&code) {
            return;
        }
        let by = self.judge(code);
        let from_mild_to_harsh = |verdict| match verdict {
            Verdict::Retry => 1,
            Verdict::RetryNoSoonerThan(_) => 2,
            Verdict::RefreshCredentials => 3,
            Verdict::Fatal => 4,
        };
        self.refusal = self.refusal.map(|verdict| {
            if from_mild_to_harsh(by) < from_mild_to_harsh(verdict) { by } else { verdict }
        });
    }

    /// Leaves the socket of a refused login, with a Close if the peer is still connected.
    pub(super) fn end_refusal(&mut self, received: Option<CloseCode>, ours: Option<CloseCode>) {
        let (Some(id), Some(verdict)) = (self.socket, self.refusal.take()) else { return };
        if let Some(code) = ours {
            self.act(Action::Send(id, Outgoing::Close(code)));
        }
        self.act(Action::CloseSocket(id));
        let cause = DisconnectCause::LoginRefused(received);
        self.lose_by(cause, verdict, GiveUpCause::LoginRefused);
    }

    pub(super) fn lose_by(
        &mut self,
        cause: DisconnectCause,
        verdict: Verdict,
        gives_up: GiveUpCause,
    ) {
        let Some(id) = self.socket.take() else { return };
        self.tally.last_disconnect = Some(cause);
        self.tell(Notice::Disconnected { socket: id, cause });
        let was_ready = self.ready_since.is_some();
        self.end_stay();
        let refreshes = verdict == Verdict::RefreshCredentials;
        let is_fatal = verdict == Verdict::Fatal || (refreshes && self.is_refreshed);
        let is_spent = self.config.max_attempts().is_some_and(|most| self.attempts >= most);
        if is_fatal || is_spent {
            self.change(ConnectionState::Closed, Some(id));
            let cause = if is_fatal { gives_up } else { GiveUpCause::AttemptsSpent };
            return self.tell(Notice::GaveUp { cause });
        }
        self.change(ConnectionState::Disconnected, Some(id));

        let (delay, least, because) = self.next_delay(cause, verdict, was_ready);
        self.attempts += 1;
        self.last_delay = delay;
        self.is_refreshed |= refreshes;
        // New credentials that no server has seen are requested again.
        let reached_no_server = match cause {
            DisconnectCause::OpenFailed(error) => !matches!(error, OpenError::Http { .. }),
            DisconnectCause::Provider
            | DisconnectCause::AttemptTimeout
            | DisconnectCause::ConnectTimeout => true,
            _ => false,
        };
        self.wants_refresh = refreshes || (self.wants_refresh && reached_no_server);
        self.is_retry_on_purpose = false;
        self.not_before = self.now.saturating_add(least);
        self.plan_retry(delay, RetryCause::Disconnected(cause), because);
    }

    /// The strategy's delay, or the least delay of the server or the policy. The random part of a
    /// least delay is added, or the spread after a ready connection, whichever is longer.
    fn next_delay(
        &mut self,
        cause: DisconnectCause,
        verdict: Verdict,
        was_ready: bool,
    ) -> (Duration, Duration, Because) {
        let draw = self.rng.next_u64();
        let strategys = backoff::delay(self.config.backoff(), self.last_drawn, self.attempts, draw);
        self.last_drawn = strategys;
        let header = match cause {
            DisconnectCause::OpenFailed(OpenError::Http { retry_after: Some(after), .. }) => {
                self.span_of(after).map(|span| span.min(self.config.retry_after_max()))
            }
            _ => None,
        };
        let policys = match verdict {
            Verdict::RetryNoSoonerThan(least) => Some(least),
            _ => None,
        };
        let least = header.max(policys);
        let reason = match least {
            Some(least) if strategys > least => Because::Backoff,
            Some(least) if policys == Some(least) => Because::Policy,
            Some(_) => Because::RetryAfter,
            None => Because::Backoff,
        };
        let jitter = least.map(|least| self.part_of((least / 5).max(Duration::from_secs(1))));
        let spread = self.config.spread();
        let spread = (was_ready && spread > Duration::ZERO).then(|| self.part_of(spread));
        let (jitter, spread) = (millis(jitter), millis(spread));
        let because = if spread > jitter { Because::Spread } else { reason };
        let least = least.unwrap_or_default();
        let longer = |span| backoff::whole_millis(span).saturating_add(jitter.max(spread));
        (longer(strategys.max(least)), longer(least), because)
    }

    /// The wait of a `Retry-After`. A date needs the wall clock.
    fn span_of(&self, after: RetryAfter) -> Option<Duration> {
        match after {
            RetryAfter::Seconds(seconds) => Some(Duration::from_secs(seconds)),
            RetryAfter::Date(date) => {
                self.wall_now().map(|wall| date.saturating_duration_since(wall))
            }
        }
    }

    /// The connection is no longer ready. A stable one resets the count.
    pub(super) fn end_stay(&mut self) {
        let Some(since) = self.ready_since.take() else { return };
        let stay = self.now.saturating_duration_since(since);
        self.tally.time_ready = self.tally.time_ready.saturating_add(stay);
        self.unready_since = self.now;
        if stay >= self.config.stable_after().max(self.last_delay) {
            self.reset_attempts();
        }
    }

    pub(super) fn reset_attempts(&mut self) {
        self.attempts = 0;
        self.timeouts = 0;
        self.last_delay = Duration::ZERO;
        self.last_drawn = Duration::ZERO;
        self.is_refreshed = false;
        self.wants_refresh = false;
    }

    /// The timeout grows fourfold with each attempt that it has ended.
    pub(super) fn connect_timeout(&self) -> Duration {
        let (mut timeout, most) =
            (self.config.connect_timeout(), self.config.connect_timeout_max());
        for _ in 0..self.timeouts {
            if timeout >= most {
                break;
            }
            timeout *= 4;
        }
        timeout.min(most)
    }

    fn judge(&self, code: u16) -> Verdict {
        self.config.policy().judge(code).verdict()
    }
}

fn millis(span: Option<Duration>) -> Duration {
    backoff::whole_millis(span.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gateway_core::{Config, every};

    use super::*;
    use crate::Fixed;

    #[test]
    fn every_cause_and_every_failure_is_known() {
        for cause in every::disconnect_causes() {
            Reference::new(Arc::new(Config::default()), Fixed::HALF).lose(cause);
        }
        for failure in every::failures() {
            Reference::new(Arc::new(Config::default()), Fixed::HALF).on_failed(failure);
        }
    }
}
