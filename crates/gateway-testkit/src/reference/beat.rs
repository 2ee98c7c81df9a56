//! A ready connection: when the peer is asked, when it is dead, and when the feed is dry.

use core::time::Duration;

use gateway_core::{
    Action, CloseCode, DisconnectCause, HeartbeatKind, Instant, Notice, Outgoing, UnixMillis,
};
use rand_core::Rng;

use super::{Reference, backoff};

/// The longest that a probe after a clock jump may stay unanswered.
const PROBE: Duration = Duration::from_secs(5);

/// A ping that no pong has answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ping {
    /// What the pong echoes: a number in a Ping frame, a timestamp in JSON.
    echo: Option<u64>,
    sent_at: Instant,
}

impl<R: Rng> Reference<R> {
    /// The connection became ready: it is asked at once, or after its phase.
    pub(super) fn start_beating(&mut self) {
        self.dead_at = None;
        self.was_heard = false;
        self.pings_sent = 0;
        self.watch_data_from(self.now);
        self.ping_at = match self.config.heartbeat_kind() {
            HeartbeatKind::Off => None,
            _ => Some(self.now.saturating_add(self.phase())),
        };
        // As soon as it is ready; what a phase puts off the Tick asks, and in a pause nothing is due.
        if self.is_due(self.ping_at) && !self.is_paused {
            self.ask();
        }
    }

    /// What the first ping waits: a part of the interval where a fleet is to be spread, in whole milliseconds.
    fn phase(&mut self) -> Duration {
        if !self.config.heartbeat_phase() {
            return Duration::ZERO;
        }
        let interval = self.config.heartbeat_interval();
        backoff::whole_millis(self.part_of(interval))
    }

    /// Any inbound byte is life; in strict mode a pong is.
    pub(super) fn hear(&mut self) {
        if !self.config.heartbeat_strict() {
            self.was_heard = true;
        }
    }

    pub(super) fn hear_data(&mut self) {
        self.last_data = self.now;
    }

    fn watch_data_from(&mut self, from: Instant) {
        self.last_data = from;
        self.data_at = self.config.data_timeout().map(|span| from.saturating_add(span));
    }

    /// The judgements first, the earlier of the two before the other; a peer that still lives is asked.
    pub(super) fn judge_and_ask(&mut self) {
        if self.was_heard && self.is_due(self.dead_at) {
            self.dead_at = None;
        }
        if self.is_due(self.data_at) {
            self.watch_data_from(self.last_data); // a message has only left its mark
        }
        let starves = self.is_due(self.data_at);
        let dies = self.is_due(self.dead_at);
        if starves && (!dies || self.data_at <= self.dead_at) {
            return self.part(CloseCode::GOING_AWAY, DisconnectCause::DataTimeout);
        }
        if dies {
            return self.drop_and_lose(DisconnectCause::PongTimeout);
        }
        if self.is_due(self.ping_at) {
            self.ask();
        }
    }

    /// A ping, and the next one an interval later. The judgement of an older one that is still out stands.
    fn ask(&mut self) {
        self.send_ping();
        if self.dead_at.is_none() || self.was_heard {
            self.dead_at = Some(self.now.saturating_add(self.config.heartbeat_timeout()));
            self.was_heard = false;
        }
    }

    /// A ping after a clock jump: it is to be answered soon, whatever was due before.
    pub(super) fn probe(&mut self) {
        if self.config.heartbeat_kind() == HeartbeatKind::Off || self.is_paused {
            return; // there is no way to ask, or nobody to hear the answer
        }
        self.send_ping();
        let timeout = self.config.heartbeat_timeout().min(PROBE);
        self.dead_at = Some(self.now.saturating_add(timeout));
        self.was_heard = false;
    }

    fn send_ping(&mut self) {
        let Some(id) = self.socket else { return };
        self.pings_sent += 1;
        let (outgoing, echo) = if self.config.heartbeat_kind() == HeartbeatKind::Ping {
            (Outgoing::WebSocketPing(self.pings_sent), Some(self.pings_sent))
        } else {
            let stamp = self.wall_now();
            (Outgoing::Ping(stamp), stamp.map(|UnixMillis(millis)| millis))
        };
        self.pings_out.push(Ping { echo, sent_at: self.now });
        self.ping_at = Some(self.now.saturating_add(self.config.heartbeat_interval()));
        self.act(Action::Send(id, outgoing));
        self.tell(Notice::PingSent { socket: id });
    }

    /// The round trip is known where the pong echoes the last ping, or one ping alone is out.
    pub(super) fn on_pong(&mut self, echo: Option<u64>) {
        let (Some(id), Some(last)) = (self.socket, self.pings_out.last().copied()) else { return };
        let names_last = echo.is_some() && echo == last.echo;
        let is_sure = names_last || self.pings_out.len() == 1;
        let round_trip = is_sure.then(|| self.now.saturating_duration_since(last.sent_at));
        if round_trip.is_some() {
            self.tally.last_round_trip = round_trip;
        }
        // Who answers one has passed over those before it: a stream keeps its order. A timestamp tells only whether it is the
        // last's; otherwise it is the oldest.
        let is_exact = names_last || self.config.heartbeat_kind() == HeartbeatKind::Ping;
        let named = self.pings_out.iter().rposition(|ping| is_exact && ping.echo == echo);
        self.pings_out.drain(..=named.unwrap_or(0));
        // With numbers it is known which ping was answered: an older one than the last says nothing of the last.
        if names_last || self.config.heartbeat_kind() == HeartbeatKind::Json {
            self.was_heard = true;
            self.dead_at = None;
        }
        self.tell(Notice::PongReceived { socket: id, round_trip });
    }

    pub(super) fn is_ping_out(&self) -> bool {
        !self.pings_out.is_empty()
    }

    /// The number in this Pong frame, where it is that of a ping that is out.
    pub(super) fn ping_named(&self, payload: &[u8]) -> Option<u64> {
        let is_named = |number: &u64| number.to_string().as_bytes() == payload;
        self.pings_out.iter().filter_map(|ping| ping.echo).find(is_named)
    }

    /// The application reads again: judgements restart in full, the next ping is due when it was or now.
    pub(super) fn on_resumed(&mut self) {
        let was_paused = core::mem::replace(&mut self.is_paused, false);
        if !was_paused || self.ready_since.is_none() {
            return;
        }
        self.watch_data_from(self.now);
        self.ping_at = self.ping_at.map(|at| at.max(self.now));
        self.dead_at = match self.dead_at {
            Some(_) if !self.was_heard => {
                Some(self.now.saturating_add(self.config.heartbeat_timeout()))
            }
            _ => None,
        };
    }
}
