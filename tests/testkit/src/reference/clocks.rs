//! Jumps of the wall clock, and hints about the network.

use core::time::Duration;

use gateway_core::{
    Action, Because, CloseCode, ConnectionState, HeartbeatKind, Instant, Network, Notice,
    RetryCause, UnixMillis,
};
use rand_core::Rng;

use super::{Reference, backoff};

/// A hint is honoured once in this time.
const SELDOM: Duration = Duration::from_secs(30);

impl<R: Rng> Reference<R> {
    /// The wall-clock time now, if known.
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
            _ if self.ready_since.is_some() => SELDOM.max(2 * self.interval()),
            _ => SELDOM.max(2 * self.config.heartbeat_interval()),
        };
        if by <= threshold {
            return;
        }
        let is_waiting = self.state == ConnectionState::Disconnected && self.retry_at.is_some();
        let last = self.jumped_at.filter(|_| self.was_lately(self.jumped_at));
        let soonest = match last {
            Some(_) if !is_waiting => return,
            Some(last) => last.saturating_add(SELDOM),
            None => self.now,
        };
        self.jumped_at = last.or(Some(self.now));
        self.tell(Notice::ClockJumped { by });
        self.wake(by, soonest);
    }

    fn was_lately(&self, at: Option<Instant>) -> bool {
        at.is_some_and(|at| self.now.saturating_duration_since(at) < SELDOM)
    }

    /// The machine was suspended: probe, retry soon, or replace the attempt.
    fn wake(&mut self, by: Duration, soonest: Instant) {
        match (self.state, self.socket) {
            (ConnectionState::Disconnected, _) => self.retry_soon(by, soonest),
            (ConnectionState::Connected | ConnectionState::Authenticated, Some(_))
                if self.ready_since.is_some() =>
            {
                self.probe();
            }
            (ConnectionState::Connected, Some(_)) if self.refusal.is_some() => {
                self.end_refusal(None, Some(CloseCode::GOING_AWAY));
            }
            (ConnectionState::Connecting | ConnectionState::Connected, Some(id)) => {
                let is_asked = self.state == ConnectionState::Connecting && self.is_asked;
                // Before its socket opens, an attempt has nothing to abort.
                let leaves = if is_asked { Action::CloseSocket } else { Action::AbortSocket };
                self.act(leaves(id));
                self.socket = None;
                self.change(ConnectionState::Disconnected, Some(id));
                self.is_retry_on_purpose = false;
                self.not_before = Instant::ZERO;
                self.plan_retry(Duration::ZERO, RetryCause::ClockJump, Because::Hint);
                if self.is_retry_due() {
                    self.begin_attempt(false);
                }
            }
            (_, _) => {}
        }
    }

    /// Within a second after `soonest`, but no later than before.
    fn retry_soon(&mut self, slept: Duration, soonest: Instant) {
        if self.retry_at.is_none() {
            return;
        }
        self.not_before = self.not_before.saturating_sub(slept);
        let delay = backoff::whole_millis(self.part_of(Duration::from_secs(1)));
        self.retry_by(soonest.saturating_add(delay), RetryCause::ClockJump);
    }

    /// A hint moves the attempt forward, but not before a least delay is over.
    pub(super) fn retry_by(&mut self, at: Instant, cause: RetryCause) {
        let at = at.max(self.not_before);
        if self.retry_at.is_some_and(|retry_at| at < retry_at) {
            self.is_retry_on_purpose = false;
            self.plan_retry(at.saturating_duration_since(self.now), cause, Because::Hint);
        }
    }

    /// Online while waiting retries now. Offline changes nothing.
    pub(super) fn on_network(&mut self, network: Network) {
        let is_waiting = self.state == ConnectionState::Disconnected && self.retry_at.is_some();
        if network == Network::Offline || !is_waiting || self.was_lately(self.online_at) {
            return;
        }
        let was_to_be = self.retry_at;
        self.retry_by(self.now, RetryCause::Online);
        // A hint without effect does not block the next one.
        if self.retry_at != was_to_be || self.is_retry_due() {
            self.online_at = Some(self.now);
        }
        if self.is_retry_due() {
            self.begin_planned(false);
        }
    }
}
