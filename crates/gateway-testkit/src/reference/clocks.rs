//! The wall clock that goes ahead of time, and the network that comes back.

use core::time::Duration;

use gateway_core::{
    Action, Because, ConnectionState, HeartbeatKind, Network, Notice, RetryCause, UnixMillis,
};
use rand_core::Rng;

use super::{Reference, backoff};

/// A hint is acted on once in this time.
const SELDOM: Duration = Duration::from_secs(30);

impl<R: Rng> Reference<R> {
    /// What the wall clock shows now, as far as it is known.
    pub(super) fn wall_now(&self) -> Option<UnixMillis> {
        let (at, wall) = self.wall?;
        Some(wall.saturating_add(self.now.saturating_duration_since(at)))
    }

    pub(super) fn on_wall_clock(&mut self, wall: UnixMillis) {
        let expected = self.wall_now();
        self.wall = Some((self.now, wall));
        let Some(expected) = expected else { return };
        let by = wall.saturating_duration_since(expected);
        let threshold = match self.config.heartbeat_kind() {
            HeartbeatKind::Off => SELDOM,
            _ => SELDOM.max(2 * self.config.heartbeat_interval()),
        };
        if by <= threshold || self.was_lately(self.jumped_at) {
            return;
        }
        self.jumped_at = Some(self.now);
        self.tell(Notice::ClockJumped { by });
        self.wake();
    }

    fn was_lately(&self, at: Option<gateway_core::Instant>) -> bool {
        at.is_some_and(|at| self.now.saturating_duration_since(at) < SELDOM)
    }

    /// The machine was suspended: ask, retry soon, or start the attempt anew.
    fn wake(&mut self) {
        match (self.state, self.socket) {
            (ConnectionState::Disconnected, _) => self.retry_soon(),
            (ConnectionState::Connected | ConnectionState::Authenticated, Some(_))
                if self.ready_since.is_some() =>
            {
                self.probe();
            }
            (ConnectionState::Connecting | ConnectionState::Connected, Some(id)) => {
                self.act(Action::CloseSocket(id));
                self.change(ConnectionState::Disconnected, Some(id));
                self.tell_retry(Duration::ZERO, RetryCause::ClockJump);
                self.open();
            }
            (_, _) => {}
        }
    }

    /// Within a second, and no later than it was to be.
    fn retry_soon(&mut self) {
        let Some(retry_at) = self.retry_at else { return };
        let delay = backoff::whole_millis(self.part_of(Duration::from_secs(1)));
        let soon = self.now.saturating_add(delay);
        if soon < retry_at {
            self.retry_at = Some(soon);
            self.tell_retry(delay, RetryCause::ClockJump);
        }
    }

    fn tell_retry(&mut self, delay: Duration, cause: RetryCause) {
        let (attempt, because) = (self.attempts, Because::Hint);
        self.tell(Notice::RetryScheduled { attempt, delay, cause, because });
    }

    /// Online while waiting: now. Offline is a hint that changes nothing.
    pub(super) fn on_network(&mut self, network: Network) {
        let is_waiting = self.state == ConnectionState::Disconnected && self.retry_at.is_some();
        if network == Network::Offline || !is_waiting || self.was_lately(self.online_at) {
            return;
        }
        self.online_at = Some(self.now);
        self.tell_retry(Duration::ZERO, RetryCause::Online);
        self.open();
    }
}
