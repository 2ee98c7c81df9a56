//! A ready connection: when pings are sent, when the peer is dead, and when data is missing.

use core::time::Duration;

use gateway_core::{
    Action, Backlog, CloseCode, DisconnectCause, HeartbeatKind, Instant, Notice, Outgoing, Part,
    UnixMillis,
};
use rand_core::Rng;

use super::{Reference, backoff};

/// The longest timeout of a probe after a clock jump.
const PROBE: Duration = Duration::from_secs(5);

/// This many unproven bytes do not extend a timeout.
const FREE: u64 = 65_536;

/// The longest extension for unproven bytes, and the extra time that a ping may wait beyond the bytes
/// before it.
const MOST: Duration = Duration::from_secs(30);

/// An unanswered ping.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ping {
    /// 1 for the first of the socket.
    serial: u64,
    /// What the pong echoes: a number in a Ping frame, a timestamp in JSON.
    echo: Option<u64>,
    sent_at: Instant,
}

/// A ping whose answer is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    serial: u64,
    pub(super) dead_at: Instant,
    /// The part of its timeout for unproven bytes.
    allowance: Duration,
    is_probe: bool,
}

/// The newest ping, while the driver has not written all of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    since: Instant,
    moved_at: Instant,
    /// When it times out. Progress does not move this.
    pub(super) look_at: Instant,
    behind: Duration,
    is_probe: bool,
}

impl<R: Rng> Reference<R> {
    /// The connection became ready. The first ping is due after an interval, or after a random part of one.
    pub(super) fn start_beating(&mut self) {
        self.watch = None;
        self.hold = None;
        self.is_newest_ordered = false;
        self.was_heard = false;
        self.pings_sent = 0;
        self.watch_data_from(self.now);
        self.expect_anew();
        self.ping_at = match self.config.heartbeat_kind() {
            HeartbeatKind::Off => None,
            _ => Some(self.now.saturating_add(self.phase())),
        };
    }

    fn phase(&mut self) -> Duration {
        let interval = self.interval();
        if !self.config.heartbeat_phase() {
            return interval;
        }
        backoff::whole_millis(self.part_of(interval))
    }

    /// Any inbound byte is a sign of life; in strict mode only a pong.
    pub(super) fn hear(&mut self) {
        if !self.config.heartbeat_strict() {
            self.was_heard = true;
            self.last_byte = self.now;
        }
    }

    pub(super) fn hear_data(&mut self) {
        self.last_data = self.now;
    }

    fn watch_data_from(&mut self, from: Instant) {
        self.last_data = from;
        self.data_at = self.config.data_timeout().map(|span| from.saturating_add(span));
    }

    /// Checks the timeouts, the earliest first. If the peer is alive, sends a due ping.
    pub(super) fn judge_and_ask(&mut self) {
        let cause = if self.is_paused { None } else { self.cause_of_death() };
        match cause {
            Some((_, cause @ DisconnectCause::DataTimeout)) => {
                self.say_farewell();
                return self.part(CloseCode::GOING_AWAY, cause);
            }
            Some((_, cause)) => return self.abort_and_lose(cause),
            None => {}
        }
        if self.renew_if_due() {
            return;
        }
        if self.is_due(self.ping_at) {
            self.ask();
        }
    }

    /// The cause of the earliest due timeout.
    fn cause_of_death(&mut self) -> Option<(Instant, DisconnectCause)> {
        if self.is_due(self.data_at) {
            self.watch_data_from(self.last_data); // a message has only left its mark
        }
        let starves = self.data_at.map(|at| (at, DisconnectCause::DataTimeout));
        if let (true, Some(span)) = (self.is_due(self.silent_at), self.expected) {
            self.silent_at = Some(self.last_byte.saturating_add(span)); // nor has a byte
        }
        let unexpected = self.silent_at.map(|at| (at, DisconnectCause::PongTimeout));
        let (mut silent, mut stalled) = (None, None);
        if self.was_heard {
            self.spare();
        } else {
            silent = self.watch.map(|watch| (watch.dead_at, DisconnectCause::PongTimeout));
            if let Some(mut hold) = self.hold {
                hold.look_at = self.stalled_at(&hold);
                self.hold = Some(hold);
                stalled = Some((hold.look_at, DisconnectCause::WriteStall));
            }
        }
        // The order at one instant: missing data, silence, stall, silence that the dialect did not expect.
        let all = [starves, silent, stalled, unexpected].into_iter().flatten();
        all.filter(|(at, _)| *at <= self.now).min_by_key(|(at, _)| *at)
    }

    /// A sign of life came: the due timeout is cancelled.
    fn spare(&mut self) {
        if self.is_due(self.watch.map(|watch| watch.dead_at)) {
            self.watch = None;
        }
        if self.is_due(self.hold.map(|hold| hold.look_at)) {
            self.judge_hold_from_now();
        }
    }

    /// A held ping's timeout starts now. Earlier signs of life no longer count for it, and settle older pings.
    fn judge_hold_from_now(&mut self) {
        let Some(mut hold) = self.hold else { return };
        if core::mem::take(&mut self.was_heard) {
            self.watch = None;
        }
        hold.since = self.now;
        hold.look_at = self.stalled_at(&hold);
        self.hold = Some(hold);
    }

    /// No byte was accepted for interval + timeout, or the slowest link would have carried the bytes before
    /// the ping.
    fn stalled_at(&self, hold: &Hold) -> Instant {
        let timeout = self.timeout();
        let idle_since = hold.moved_at.saturating_add(self.interval());
        let stuck = idle_since.max(hold.since).saturating_add(timeout);
        let slow = hold.since.saturating_add(timeout + MOST + hold.behind);
        stuck.min(slow)
    }

    /// Sends a ping, and schedules the next one an interval later. Sends none behind a held one.
    fn ask(&mut self) {
        self.ping_at = Some(self.now.saturating_add(self.interval()));
        if self.hold.is_some() {
            if self.was_heard {
                self.judge_hold_from_now();
            }
            return;
        }
        self.is_probing = false;
        if self.config.heartbeat_kind() == HeartbeatKind::Dialect {
            return self.ask_for_ping();
        }
        self.send_ping();
        self.watch_ping();
    }

    /// The last message of the dialect's call is the ping.
    pub(super) fn send_dialects_ping(&mut self, part: Part, stamp: Option<u64>) {
        self.ping_at = Some(self.now.saturating_add(self.interval()));
        // The two highest stamps count as the same.
        self.put_ping(Outgoing::DialectPing(part), stamp.map(|stamp| stamp.min(u64::MAX - 1)));
        self.watch_ping();
    }

    /// Starts the timeout of the ping that was just sent, if no older one goes on.
    fn watch_ping(&mut self) {
        let is_older_watched = match self.watch {
            // An unanswered probe comes first.
            Some(watch) if self.is_probing => watch.is_probe && !self.was_heard,
            // The timeout of an older unanswered ping stays.
            Some(_) => !self.was_heard,
            None => false,
        };
        if !is_older_watched {
            self.watch_newest(self.is_probing, 0);
        }
    }

    /// A ping after a clock jump has a short timeout.
    pub(super) fn probe(&mut self) {
        self.expect_anew();
        if self.config.heartbeat_kind() == HeartbeatKind::Off {
            return; // there is no way to ask
        }
        if let Some(mut hold) = self.hold {
            hold.is_probe = true;
            // The peer has at least a probe's time; all of it if the last sign of life was before the suspend.
            let timeout = self.timeout();
            let spent = timeout.saturating_sub(PROBE);
            hold.since = hold.since.max(self.now.saturating_sub(spent));
            hold.look_at = self.stalled_at(&hold);
            self.hold = Some(hold);
            if self.was_heard {
                self.judge_hold_from_now();
            }
            self.watch = None;
            return;
        }
        self.ping_at = Some(self.now.saturating_add(self.interval()));
        self.is_probing = true;
        if self.config.heartbeat_kind() == HeartbeatKind::Dialect {
            return self.ask_for_ping();
        }
        self.send_ping();
        self.watch_ping();
    }

    /// Starts the timeout of the newest ping, extended for this many unproven bytes.
    fn watch_newest(&mut self, is_probe: bool, unproven: u64) {
        let allowance = self.carried_in(unproven.saturating_sub(FREE)).min(MOST);
        let dead_at = self.now.saturating_add(self.patience(is_probe) + allowance);
        self.watch = Some(Watch { serial: self.pings_sent, dead_at, allowance, is_probe });
        self.was_heard = false;
    }

    /// The timeout in force, without an allowance.
    fn patience(&self, is_probe: bool) -> Duration {
        if is_probe { self.timeout().min(PROBE) } else { self.timeout() }
    }

    /// In whole milliseconds.
    fn carried_in(&self, bytes: u64) -> Duration {
        let millis = bytes.saturating_mul(1_000) / u64::from(self.config.slowest_link());
        Duration::from_millis(millis)
    }

    /// The driver could not write the newest ping whole.
    pub(super) fn on_ping_held(&mut self, backlog: Backlog) {
        if !self.is_newest_ordered || self.ready_since.is_none() {
            return; // no ping, or it was reported before
        }
        self.is_newest_ordered = false;
        let Some(newest) = self.pings_out.last().copied() else { return };
        let since = match self.watch {
            // A resume restarted the timeout of any ping.
            Some(watch) => {
                // Counted back from its deadline, with the timeout in force.
                let span = self.patience(watch.is_probe) + watch.allowance;
                newest.sent_at.max(watch.dead_at.saturating_sub(span).min(self.now))
            }
            None if self.was_heard => newest.sent_at,
            // A sign of life cancelled it.
            None => self.now,
        };
        let judged = self.watch.filter(|watch| watch.serial == newest.serial);
        if judged.is_some() {
            self.watch = None;
        }
        let most = Duration::from_millis(u32::MAX.into());
        let mut hold = Hold {
            since,
            moved_at: self.now.saturating_sub(backlog.idle),
            look_at: self.now,
            behind: self.carried_in(backlog.bytes).min(most),
            is_probe: judged.is_some_and(|watch| watch.is_probe),
        };
        hold.look_at = self.stalled_at(&hold);
        self.hold = Some(hold);
    }

    pub(super) fn on_write_progressed(&mut self) {
        if let Some(hold) = &mut self.hold {
            hold.moved_at = self.now;
        }
    }

    /// The transport has the newest ping: its timeout starts.
    pub(super) fn on_ping_handed(&mut self, unproven: u64) {
        if self.ready_since.is_none() {
            return;
        }
        let was_ordered = core::mem::take(&mut self.is_newest_ordered);
        let held = self.hold.take();
        match (held, self.watch) {
            // An older unanswered ping comes first.
            (Some(_), Some(_)) if !self.was_heard => {}
            (Some(hold), _) => self.watch_newest(hold.is_probe, unproven),
            (None, Some(watch)) if was_ordered && watch.serial == self.pings_sent => {
                let was_heard = self.was_heard;
                self.watch_newest(watch.is_probe, unproven);
                self.was_heard = was_heard; // it came after the order, as after the hand-over
            }
            (None, _) => {}
        }
    }

    fn send_ping(&mut self) {
        if self.config.heartbeat_kind() == HeartbeatKind::Ping {
            let number = self.pings_sent + 1;
            return self.put_ping(Outgoing::WebSocketPing(number), Some(number));
        }
        let stamp = self.wall_now();
        self.put_ping(Outgoing::Ping(stamp), stamp.map(|UnixMillis(millis)| millis));
    }

    fn put_ping(&mut self, outgoing: Outgoing, echo: Option<u64>) {
        let Some(id) = self.socket else { return };
        self.pings_sent += 1;
        self.pings_out.push(Ping { serial: self.pings_sent, echo, sent_at: self.now });
        self.is_newest_ordered = true;
        self.act(Action::Send(id, outgoing));
        self.tell(Notice::PingSent { socket: id });
    }

    /// A pong that echoes an unanswered ping answers it and those before it. Any other pong answers the oldest.
    /// Send times and timestamps are kept for the last four pings.
    pub(super) fn on_pong(&mut self, echo: Option<u64>) {
        let Some(id) = self.socket else { return };
        let named = self.place_of(echo);
        let is_kept = named.is_some_and(|place| place + 4 >= self.pings_out.len());
        let is_sure = is_kept || (named.is_none() && self.pings_out.len() == 1);
        let place = named.unwrap_or(0);
        let Some(answered) = self.pings_out.get(place).copied() else { return };
        let round_trip = is_sure.then(|| self.now.saturating_duration_since(answered.sent_at));
        if round_trip.is_some() {
            self.tally.last_round_trip = round_trip;
        }
        self.pings_out.drain(..=place);
        // A pong for an older ping proves nothing. A pong without a name may be for any ping.
        let is_old = self.watch.is_some_and(|watch| answered.serial < watch.serial);
        if named.is_none() || !is_old {
            self.watch = None;
            self.was_heard = true;
        }
        if self.pings_out.is_empty() {
            self.hold = None; // who answers it has it
            self.is_newest_ordered = false;
        }
        self.tell(Notice::PongReceived { socket: id, round_trip });
    }

    /// The newest unanswered ping with this echo.
    fn place_of(&self, echo: Option<u64>) -> Option<usize> {
        let is_numbered = self.config.heartbeat_kind() == HeartbeatKind::Ping;
        let first = if is_numbered { 0 } else { self.pings_out.len().saturating_sub(4) };
        let echo = echo?;
        self.pings_out[first..]
            .iter()
            .rposition(|ping| ping.echo == Some(echo))
            .map(|at| first + at)
    }

    pub(super) fn is_ping_out(&self) -> bool {
        !self.pings_out.is_empty()
    }

    /// The number in this Pong frame, if it is that of an unanswered ping.
    pub(super) fn ping_named(&self, payload: &[u8]) -> Option<u64> {
        let mut numbers = self.pings_out.iter().filter_map(|ping| ping.echo);
        numbers.find(|number| number.to_string().as_bytes() == payload)
    }

    /// The application reads again: timeouts restart in full.
    pub(super) fn on_resumed(&mut self) {
        let was_paused = core::mem::replace(&mut self.is_paused, false);
        if !was_paused || self.ready_since.is_none() {
            return;
        }
        self.watch_data_from(self.now);
        self.expect_anew();
        if core::mem::take(&mut self.was_heard) {
            self.watch = None;
        }
        if let Some(mut watch) = self.watch {
            let span = self.patience(watch.is_probe) + watch.allowance;
            watch.dead_at = self.now.saturating_add(span);
            self.watch = Some(watch);
        }
        self.on_write_progressed();
        self.judge_hold_from_now();
    }
}
