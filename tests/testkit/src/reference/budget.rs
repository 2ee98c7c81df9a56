//! Under a shared budget each attempt waits for an open, which the driver reserves.

use core::time::Duration;

use gateway_core::{Action, Because, ConnectionState, Instant, Notice, RetryCause};
use rand_core::Rng;

use super::Reference;

impl<R: Rng> Reference<R> {
    /// The next attempt is to come at this time. Under a shared budget that is not certain yet.
    pub(super) fn plan_retry(&mut self, delay: Duration, cause: RetryCause, because: Because) {
        let at = self.now.saturating_add(delay);
        self.retry_at = Some(at);
        if self.config.shares_budget() {
            self.unreserved = Some((cause, because));
            return self.act(Action::ReserveOpen(at));
        }
        self.tell_retry(delay, cause, because);
    }

    /// An attempt that has to wait for nothing else.
    pub(super) fn begin_or_reserve(&mut self, is_on_purpose: bool, cause: RetryCause) {
        if !self.config.shares_budget() {
            return self.begin_attempt(is_on_purpose);
        }
        if self.state != ConnectionState::Disconnected {
            self.change(ConnectionState::Disconnected, None);
        }
        self.is_retry_on_purpose = is_on_purpose;
        self.not_before = Instant::ZERO;
        self.plan_retry(Duration::ZERO, cause, Because::Hint);
    }

    /// The driver reserved an open, if it was asked.
    pub(super) fn on_open_reserved(&mut self, at: Instant) {
        let (Some((cause, because)), Some(planned)) = (self.unreserved.take(), self.retry_at)
        else {
            return;
        };
        let due = planned.max(at);
        self.retry_at = Some(due);
        let delay = due.saturating_duration_since(self.now);
        if due > planned {
            self.tell_retry(delay, cause, Because::Budget);
        } else if cause != RetryCause::Budget {
            self.tell_retry(delay, cause, because);
        }
        if self.is_due(self.retry_at) {
            self.begin_attempt(self.is_retry_on_purpose);
        }
    }

    /// The attempt that is planned begins, unless its open has passed unused for more than a second.
    pub(super) fn begin_planned(&mut self, is_on_purpose: bool) {
        let planned = self.retry_at.unwrap_or(self.now);
        let late = self.now.saturating_duration_since(planned);
        if self.config.shares_budget() && late > Duration::from_secs(1) {
            self.is_retry_on_purpose = is_on_purpose;
            return self.plan_retry(Duration::ZERO, RetryCause::Budget, Because::Hint);
        }
        self.begin_attempt(is_on_purpose);
    }

    /// Whether the attempt that is planned may begin now.
    pub(super) fn is_retry_due(&self) -> bool {
        self.unreserved.is_none() && self.is_due(self.retry_at)
    }

    /// No attempt follows.
    pub(super) fn forget_retry(&mut self) {
        if self.retry_at.take().is_some() && self.config.shares_budget() {
            self.act(Action::ReleaseOpen);
        }
        self.unreserved = None;
    }

    fn tell_retry(&mut self, delay: Duration, cause: RetryCause, because: Because) {
        let attempt = self.attempts;
        self.tell(Notice::RetryScheduled { attempt, delay, cause, because });
    }
}
