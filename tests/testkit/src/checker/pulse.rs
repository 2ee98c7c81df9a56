//! The deadlines of a ready connection, derived from its pings and the signs of life.

use core::time::Duration;

use super::speech::Terms;
use gateway_core::{
    Backlog, Config, DisconnectCause, Event, Frame, HeartbeatKind, Instant, JsonHeartbeat,
    Recognised, UnixMillis,
};

/// The longest deadline of a probe after a clock jump.
const PROBE: Duration = Duration::from_secs(5);

/// This many unproven bytes do not extend a ping's timeout.
const PROVEN_ENOUGH: u64 = 64 << 10;

/// The longest extension for unproven bytes, and the extra time that a ping may wait beyond the bytes
/// before it.
const MOST: Duration = Duration::from_secs(30);

/// One stay in the ready state.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    pub(crate) since: Instant,
    /// The heartbeat's spans in force.
    interval: Duration,
    timeout: Duration,
    /// When they were last set.
    paced_at: Instant,
    /// When the dialect was asked for a ping that it has not sent.
    asked_at: Option<Instant>,
    /// How many pings were due.
    turns: u32,
    /// Within which time the dialect expects something, and since when it waits.
    expected: Option<(Duration, Instant)>,
    reading: bool,
    /// The last sign of life, ready or resume.
    heard_at: Instant,
    /// Ready, or the last resume.
    reading_since: Instant,
    /// The next ping is sent no later than this, unless one is held.
    ping_by: Instant,
    /// The unanswered pings, the oldest first, each with its number and timestamp.
    unanswered: Vec<(u32, Option<u64>)>,
    sent: u32,
    /// When the newest ping was sent by the core.
    ordered_at: Instant,
    /// Whether the newest ping was reported as neither held nor handed over.
    is_ordered: bool,
    ping: Option<Ping>,
    held: Option<Held>,
    data_at: Instant,
    /// Whether no event came later than an armed deadline.
    punctual: bool,
}

/// A ping whose answer is due.
#[derive(Clone, Copy, Debug)]
struct Ping {
    number: u32,
    is_probe: bool,
    answered: bool,
    allowance: Duration,
    dead_at: Instant,
}

/// A ping that the driver holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// Its order, or the last resume.
    since: Instant,
    /// The last sign of life after that. Within an interval after it the timeout restarts.
    lived_at: Option<Instant>,
    moved_at: Instant,
    behind: Duration,
    is_probe: bool,
    /// The interval and timeout with which its deadline was last computed.
    pace: (Duration, Duration),
}

impl Pulse {
    pub(super) fn new(now: Instant, reading: bool, terms: &Terms, config: &Config) -> Self {
        let interval = terms.interval(config);
        Self {
            since: now,
            interval,
            timeout: terms.timeout(config),
            paced_at: now,
            asked_at: None,
            turns: 0,
            expected: terms.expected.map(|span| (span, now)),
            reading,
            heard_at: now,
            reading_since: now,
            ping_by: now.saturating_add(interval),
            unanswered: Vec::new(),
            sent: 0,
            ordered_at: now,
            is_ordered: false,
            ping: None,
            held: None,
            data_at: now,
            punctual: true,
        }
    }

    pub(crate) fn came_late(&mut self) {
        self.punctual = false;
    }

    /// A ping was sent, on a Tick unless it is a probe.
    ///
    /// # Errors
    /// If another ping is held, or no ping is due.
    pub(crate) fn on_ping(
        &mut self,
        now: Instant,
        stamp: Option<u64>,
        is_probe: bool,
        config: &Config,
    ) -> Result<(), String> {
        if self.held.is_some() {
            return Err(format!("a ping behind one that is held: {self:?}"));
        }
        if config.heartbeat_kind() == HeartbeatKind::Dialect {
            if self.asked_at.take().is_none() {
                return Err(format!("a ping that it was not asked for: {self:?}"));
            }
        } else {
            self.on_turn(now, is_probe, config)?;
        }
        self.sent += 1;
        self.unanswered.push((self.sent, stamp));
        self.ordered_at = now;
        self.is_ordered = true;
        self.ping_by = now.saturating_add(self.interval);
        // An unanswered ping keeps its deadline, so that no later ping postpones it. Only a probe replaces
        // the deadline of a ping that is not a probe.
        if self.ping.is_none_or(|ping| ping.answered || (is_probe && !ping.is_probe)) {
            self.judge_newest(now, is_probe, 0, config);
        }
        Ok(())
    }

    /// A ping is due, or a probe. A dialect is asked for it, and may send none.
    ///
    /// # Errors
    /// If no ping is due.
    pub(crate) fn on_turn(
        &mut self,
        now: Instant,
        is_probe: bool,
        config: &Config,
    ) -> Result<(), String> {
        // The first ping may be earlier, with a phase.
        let has_phase = self.turns == 0 && config.heartbeat_phase();
        if self.held.is_some() || (!is_probe && now < self.ping_by && !has_phase) {
            return Err(format!("a ping at {now:?}, out of turn: {self:?}"));
        }
        self.turns += 1;
        self.asked_at = Some(now);
        self.ping_by = now.saturating_add(self.interval);
        Ok(())
    }

    /// The dialect has set the heartbeat's spans. A timeout that runs keeps its deadline.
    pub(super) fn set_pace(&mut self, now: Instant, interval: Duration, timeout: Duration) {
        (self.interval, self.timeout) = (interval, timeout);
        self.paced_at = now;
        self.ping_by = self.ping_by.min(now.saturating_add(interval));
    }

    /// The dialect expects something within this time.
    pub(super) fn expect(&mut self, now: Instant, span: Option<Duration>) {
        self.expected = span.map(|span| (span, now));
    }

    /// The time of the expectation starts again.
    pub(super) fn on_byte(&mut self, now: Instant) {
        if let Some((_, since)) = &mut self.expected {
            *since = now;
        }
    }

    fn expected_by(&self) -> Option<Instant> {
        self.expected.map(|(span, since)| since.saturating_add(span))
    }

    fn judge_newest(&mut self, now: Instant, is_probe: bool, unproven: u64, config: &Config) {
        let timeout = self.timeout;
        let patience = if is_probe { PROBE.min(timeout) } else { timeout };
        let allowance = carried_in(unproven.saturating_sub(PROVEN_ENOUGH), config).min(MOST);
        let dead_at = now.saturating_add(patience + allowance);
        self.ping = Some(Ping { number: self.sent, is_probe, answered: false, allowance, dead_at });
    }

    /// A clock jump: a ping that is held becomes the probe.
    pub(crate) fn on_jump(&mut self, now: Instant) {
        self.on_byte(now);
        let timeout = self.timeout;
        if let Some(held) = &mut self.held {
            held.is_probe = true;
            // The peer has a probe's time left, or more after a sign of life.
            let spent = timeout.saturating_sub(PROBE);
            held.since = held.since.max(now.saturating_sub(spent));
            held.pace = (self.interval, self.timeout);
            self.ping = None;
        }
    }

    /// The driver's write left part of the newest ping in its buffer.
    pub(crate) fn on_held(&mut self, now: Instant, backlog: Backlog, config: &Config) {
        if !core::mem::take(&mut self.is_ordered) {
            return;
        }
        let has_lived = self.ping.is_none_or(|ping| ping.answered);
        let newest = self.ping.take_if(|ping| ping.number == self.sent);
        // Counted back from the deadline that runs, with the timeout in force.
        let began_at = self.ping.filter(|ping| !ping.answered).or(newest).map(|ping| {
            let patience = if ping.is_probe { PROBE.min(self.timeout) } else { self.timeout };
            ping.dead_at.saturating_sub(patience + ping.allowance).min(now)
        });
        let began_at = began_at.filter(|_| self.paced_at > self.ordered_at);
        self.held = Some(Held {
            pace: (self.interval, self.timeout),
            since: self.ordered_at.max(self.reading_since).max(began_at.unwrap_or_default()),
            lived_at: has_lived.then_some(self.heard_at),
            moved_at: now.saturating_sub(backlog.idle),
            behind: carried_in(backlog.bytes, config),
            is_probe: newest.is_some_and(|ping| ping.is_probe),
        });
    }

    pub(crate) fn on_progress(&mut self, now: Instant) {
        if let Some(held) = &mut self.held {
            held.moved_at = now;
        }
    }

    /// The transport has the newest ping.
    pub(crate) fn on_handed(&mut self, now: Instant, unproven: u64, config: &Config) {
        let was_ordered = core::mem::take(&mut self.is_ordered);
        let is_older_judged = self.ping.is_some_and(|ping| !ping.answered);
        match (self.held.take(), self.ping) {
            (Some(held), _) if !is_older_judged => {
                self.judge_newest(now, held.is_probe, unproven, config);
            }
            (None, Some(ping)) if was_ordered && ping.number == self.sent => {
                self.judge_newest(now, ping.is_probe, unproven, config);
                if let Some(newest) = &mut self.ping {
                    newest.answered = ping.answered;
                }
            }
            (Some(_) | None, _) => {}
        }
    }

    /// A due Tick. Behind a held ping none is sent, and the scheduled time passes.
    pub(crate) fn on_tick(&mut self, now: Instant) {
        if self.held.is_some() && now >= self.ping_by {
            self.ping_by = now.saturating_add(self.interval);
        }
        if let Some(held) = self.held.as_mut().filter(|_| self.reading) {
            held.pace = (self.interval, self.timeout);
        }
    }

    /// A pong with this timestamp was counted.
    pub(crate) fn on_pong(&mut self, now: Instant, echo: Option<u64>, config: &Config) {
        // Timestamps are kept for the last four pings, numbers for all.
        let is_numbered = config.heartbeat_kind() == HeartbeatKind::Ping;
        let first = if is_numbered { 0 } else { self.unanswered.len().saturating_sub(4) };
        let stamps = &self.unanswered[first..];
        let named = echo.and_then(|_| stamps.iter().rposition(|(_, stamp)| *stamp == echo));
        let place = named.map_or(0, |place| first + place);
        let Some((number, _)) = self.unanswered.get(place).copied() else { return };
        self.unanswered.drain(..=place);
        if self.unanswered.is_empty() {
            self.held = None;
            self.is_ordered = false;
        }
        // A pong for an older ping, for example from a buffer after a suspend, proves nothing.
        if named.is_none() || self.ping.is_none_or(|ping| ping.number <= number) {
            self.on_life(now);
        }
    }

    pub(crate) fn on_life(&mut self, now: Instant) {
        self.heard_at = now;
        if let Some(ping) = &mut self.ping {
            ping.answered = true;
        }
        if let Some(held) = &mut self.held {
            held.lived_at = Some(now);
        }
    }

    pub(crate) fn on_data(&mut self, now: Instant) {
        self.data_at = now;
    }

    pub(crate) fn on_paused(&mut self) {
        self.reading = false;
    }

    pub(crate) fn on_resumed(&mut self, now: Instant) {
        if self.reading {
            return; // nothing was paused
        }
        self.data_at = now;
        self.on_byte(now);
        self.reading = true;
        self.heard_at = now;
        self.reading_since = now;
        let timeout = self.timeout;
        if let Some(ping) = &mut self.ping {
            let patience = if ping.is_probe { PROBE.min(timeout) } else { timeout };
            ping.dead_at = now.saturating_add(patience + ping.allowance);
        }
        if let Some(held) = &mut self.held {
            (held.since, held.lived_at, held.moved_at) = (now, None, now);
            held.pace = (self.interval, timeout);
        }
    }

    /// Whether the connection may be left for this cause now.
    ///
    /// # Errors
    /// Why it may not.
    pub(crate) fn may_end(
        &self,
        now: Instant,
        cause: DisconnectCause,
        config: &Config,
    ) -> Result<(), String> {
        let silent = self.ping.filter(|ping| !ping.answered).map(|ping| ping.dead_at);
        let silent = [silent, self.expected_by()].into_iter().flatten().min();
        let due = match cause {
            DisconnectCause::PongTimeout => silent,
            DisconnectCause::WriteStall => self.held.map(|held| held.earliest_death()),
            DisconnectCause::DataTimeout => self.data_due(config),
            other => return Err(format!("{other:?} is no deadline of a ready connection")),
        };
        let Some(due) = due.filter(|due| self.reading && *due <= now) else {
            return Err(format!("{cause:?} at {now:?}, due at {due:?}: {self:?}"));
        };
        // If two are due, the earlier one is the cause.
        let all = [silent, self.stalled_by(), self.data_due(config)].into_iter().flatten();
        match all.min().filter(|other| *other < due) {
            Some(other) => Err(format!("{cause:?} due at {due:?}, another at {other:?}: {self:?}")),
            None => Ok(()),
        }
    }

    /// What must hold of the deadline while the connection stays ready; `ticked` if the event was a Tick,
    /// `renew_by` if the connection is renewed.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn check(
        &self,
        now: Instant,
        ticked: bool,
        deadline: Option<Instant>,
        renew_by: Option<Instant>,
        config: &Config,
    ) -> Result<(), String> {
        let ping_by = (config.heartbeat_kind() != HeartbeatKind::Off).then_some(self.ping_by);
        let expected = self.expected_by();
        let judgements = [self.data_due(config), self.silent_by(), self.stalled_by(), expected];
        let judged = judgements.into_iter().flatten().filter(|_| self.reading).min();
        // Behind a held ping none is sent, and the scheduled time passes.
        let next_ping = ping_by.filter(|_| self.held.is_none());
        let due = [judged, next_ping, renew_by].into_iter().flatten().min();
        let is_asked = ping_by.is_some();
        if deadline.is_none() && (is_asked || due.is_some()) {
            return Err(format!("no deadline: {self:?}"));
        }
        if deadline.is_some() && !is_asked && due.is_none() {
            return Err(format!("a deadline at {deadline:?} with nothing to watch"));
        }
        let Some(due) = due else { return Ok(()) };
        if deadline.is_some_and(|at| at > due) {
            return Err(format!("deadline {deadline:?} is later than {due:?}: {self:?}"));
        }
        if ticked && now >= due && now < Instant::MAX {
            return Err(format!("a Tick at {now:?} left {due:?} undone: {self:?}"));
        }
        Ok(())
    }

    /// Whether a ping waits in the driver's buffer.
    pub(crate) const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    fn silent_by(&self) -> Option<Instant> {
        self.ping.filter(|ping| !ping.answered).map(|ping| ping.dead_at)
    }

    /// When a held ping ends the connection, unless a sign of life moves this.
    fn stalled_by(&self) -> Option<Instant> {
        let held = self.held.filter(|held| held.lived_at.is_none())?;
        Some(held.death_from(held.since))
    }

    /// With Ticks on time a silent peer is dead within the bound of I6.
    ///
    /// # Errors
    /// If the connection outlives the bound.
    pub(crate) fn check_silence(
        &self,
        now: Instant,
        ticked: bool,
        config: &Config,
    ) -> Result<(), String> {
        if let Some((span, since)) = self.expected.filter(|_| self.reading && self.punctual) {
            let dead_by = since.saturating_add(span);
            if ticked && now >= dead_by && now < Instant::MAX {
                return Err(format!("expected something by {dead_by:?}, now {now:?}: {self:?}"));
            }
        }
        if !self.reading || !self.punctual || config.heartbeat_kind() == HeartbeatKind::Off {
            return Ok(());
        }
        let span = self.interval.saturating_add(self.timeout);
        let probe = self.ping.map_or(Instant::ZERO, |ping| ping.dead_at);
        // Without a ping, nothing is due for an interval.
        let skipped_at =
            self.asked_at.filter(|_| config.heartbeat_kind() == HeartbeatKind::Dialect);
        let heard_at = self.heard_at.max(self.paced_at).max(skipped_at.unwrap_or_default());
        let by_what_came = heard_at.saturating_add(span);
        let dead_by = match self.held {
            Some(held) => {
                let by_progress = held.moved_at.max(heard_at).saturating_add(span);
                let by_patience = by_what_came.saturating_add(MOST + held.behind);
                by_progress.min(by_patience).max(held.death_from(held.since))
            }
            None => {
                let allowance = self.ping.map_or(Duration::ZERO, |ping| ping.allowance);
                by_what_came.saturating_add(allowance).max(probe)
            }
        };
        if ticked && now >= dead_by && now < Instant::MAX {
            return Err(format!("not dead by {dead_by:?}, now {now:?}: {self:?}"));
        }
        Ok(())
    }

    fn data_due(&self, config: &Config) -> Option<Instant> {
        config.data_timeout().map(|timeout| self.data_at.saturating_add(timeout))
    }
}

impl Held {
    /// When a peer that is silent since `since` is dead.
    fn death_from(&self, since: Instant) -> Instant {
        let (interval, timeout) = self.pace;
        let idle = self.moved_at.saturating_add(interval);
        let patience = timeout + MOST + self.behind;
        idle.max(since).saturating_add(timeout).min(since.saturating_add(patience))
    }

    /// The earliest end of any timeout.
    fn earliest_death(&self) -> Instant {
        self.death_from(self.lived_at.map_or(self.since, |at| at.max(self.since)))
    }
}

/// How long the slowest link needs for this many bytes, in whole milliseconds.
fn carried_in(bytes: u64, config: &Config) -> Duration {
    let millis = bytes.saturating_mul(1_000) / u64::from(config.slowest_link());
    Duration::from_millis(millis.min(u32::MAX.into()))
}

/// What a pong echoes: a Ping frame's number, or a timestamp in JSON.
pub(crate) fn echo(event: &Event<'_>) -> Option<u64> {
    match event {
        Event::FrameReceived(_, Frame::Pong(payload)) => {
            core::str::from_utf8(payload).ok().and_then(|digits| digits.parse().ok())
        }
        Event::FrameReceived(_, Frame::Text(text)) => match JsonHeartbeat.recognise(text) {
            Recognised::Pong(stamp) => stamp.map(|UnixMillis(millis)| millis),
            Recognised::Ping(_) | Recognised::Other => None,
        },
        _ => None,
    }
}
