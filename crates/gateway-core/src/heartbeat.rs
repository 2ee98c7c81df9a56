//! When to ping, and when silence means death. Stands alone: time is an argument.

mod pings;

use core::time::Duration;

use self::pings::Pings;
use crate::event::Backlog;
use crate::machine::Lane;
use crate::time::{Instant, Shift, whole_millis};

/// The heartbeat of one open socket. It lives in the ready state's value and is dropped with it.
///
/// A ping goes out each interval, whatever else is sent or received, and whether or not the application reads.
/// Its deadline belongs to that one ping. Bytes are only marked; [`death`](Self::death) judges on a Tick. A pong ends the
/// judgement: once an interval, and it is the only frame that moves a deadline.
///
/// ```text
///             ordered ──────────────────────────▶ answered: no judgement until the next ping
///   Tick ──▶ (judged as handed over) ── pong ──▶
///               │ PingHeld                           ▲
///               ▼                                    │ pong
///             held ── PingHanded ──▶ handed ─────────┘
///   (judged by what the transport takes)  (judged by what comes in)
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Heartbeat {
    ping_at: Instant,
    /// The ping whose answer is waited for; `None` where nothing is judged by what comes in.
    judged: Option<Judged>,
    /// The newest ping's way out.
    transit: Transit,
    /// Whether a sign of life came since the newest judgement began. An older judgement that it answers is dropped
    /// before a newer one begins, so one mark serves both, and a received byte costs one store.
    heard: bool,
    pings: Pings,
}

/// The spans that a heartbeat keeps, and what counts as life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Timing {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    /// Only a pong is life.
    pub(crate) strict: bool,
    /// The rate, in bytes a second, at which the slowest link carries what is before a ping.
    pub(crate) slowest_link: u32,
}

/// A ping that was handed over, or that no driver has reported as held: its answer is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Judged {
    dead_at: Instant,
    /// Time for the unproven bytes before it, in milliseconds: at most [`Timing::MOST_ALLOWANCE`].
    allowance_ms: u16,
    /// How many pings were sent after it.
    newer: u32,
    is_probe: bool,
}

/// How far the newest ping has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Transit {
    /// The driver has reported nothing: it counts as handed over when it was ordered.
    Ordered,
    /// Part of it waits in the driver's buffer. No other ping is sent before it is handed over.
    Held(Held),
    /// The transport has all of it; or it was answered, which shows the same; or there is none.
    Handed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Held {
    /// When it was queued, or later: when its judgement began again after a sign of life or a resume.
    since: Instant,
    /// When the transport last took bytes.
    moved_at: Instant,
    /// When the judgement is looked at. It moves lazily: progress only stamps `moved_at`.
    judge_at: Instant,
    /// The time that the bytes before it need on the slowest link, in milliseconds.
    behind_ms: u32,
    is_probe: bool,
}

/// What a Tick asks of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing is due.
    Rest,
    /// Send a ping, and report it with [`Heartbeat::on_sent`].
    Ping,
}

/// How a peer is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// Nothing came after a ping.
    Silent,
    /// The transport does not take a ping.
    Stalled,
}

/// What a machine that woke from a suspend does to ask the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Send a ping, and report it with [`Heartbeat::on_probe_sent`].
    Ping,
    /// The ping that waits in the driver's buffer is the probe.
    Held,
}

impl Timing {
    /// The longest timeout of a probe after a clock jump. A shorter timeout applies unchanged.
    const PROBE: Duration = Duration::from_secs(5);

    /// Unproven bytes that earn no allowance: every link carries them within the timeout.
    const PROVEN_ENOUGH: u64 = 64 << 10;

    /// The longest allowance for unproven bytes.
    const MOST_ALLOWANCE: Duration = Duration::from_secs(30);

    /// How long the answer to a ping may take that was handed over without unproven bytes before it.
    fn patience(&self, is_probe: bool) -> Duration {
        if is_probe { Self::PROBE.min(self.timeout) } else { self.timeout }
    }

    /// The time for `unproven` bytes to arrive, in whole milliseconds.
    fn allowance_ms(&self, unproven: u64) -> u16 {
        let excess = self.carried_in(unproven.saturating_sub(Self::PROVEN_ENOUGH));
        let millis = excess.min(Self::MOST_ALLOWANCE).as_millis();
        u16::try_from(millis).unwrap_or(u16::MAX)
    }

    /// How long the slowest link needs for so many bytes, in whole milliseconds.
    fn carried_in(&self, bytes: u64) -> Duration {
        let millis = bytes.saturating_mul(1_000) / u64::from(self.slowest_link.max(1));
        whole_millis(Duration::from_millis(millis))
    }
}

impl Judged {
    /// Judged from `now` on.
    fn start(now: Instant, timing: &Timing, is_probe: bool, allowance_ms: u16) -> Self {
        let mut judged = Self { dead_at: now, allowance_ms, newer: 0, is_probe };
        judged.restart(now, timing);
        judged
    }

    fn restart(&mut self, now: Instant, timing: &Timing) {
        self.dead_at = now.saturating_add(self.patience(timing));
    }

    /// When the judgement began: at the hand-over, or at the last resume.
    fn began_at(&self, timing: &Timing) -> Instant {
        self.dead_at.saturating_sub(self.patience(timing))
    }

    fn patience(&self, timing: &Timing) -> Duration {
        let allowance = Duration::from_millis(self.allowance_ms.into());
        timing.patience(self.is_probe).saturating_add(allowance)
    }
}

impl Held {
    /// When the peer is dead unless a sign of life comes: the transport took nothing for interval + timeout, or the ping has
    /// waited for as long as the slowest link needs for what is before it.
    fn dead_at(&self, timing: &Timing) -> Instant {
        let stalled_at = self
            .moved_at
            .saturating_add(timing.interval)
            .max(self.since)
            .saturating_add(timing.timeout);
        let behind = Duration::from_millis(self.behind_ms.into());
        let patience = timing.timeout.saturating_add(Timing::MOST_ALLOWANCE).saturating_add(behind);
        stalled_at.min(self.since.saturating_add(patience))
    }

    /// A sign of life came: the judgement begins again.
    fn restart(&mut self, now: Instant, timing: &Timing) {
        self.since = now;
        self.judge_at = self.dead_at(timing);
    }
}

impl Heartbeat {
    /// A heartbeat whose first ping is due at `first_ping_at`.
    pub(crate) const fn new(first_ping_at: Instant) -> Self {
        Self {
            ping_at: first_ping_at,
            judged: None,
            transit: Transit::Handed,
            heard: false,
            pings: Pings::NONE,
        }
    }

    /// The instant at which a Tick is due. While the application does not read, judgements wait and pings do not.
    #[inline]
    pub(crate) fn deadline(&self, reading: Lane) -> Instant {
        match reading {
            Lane::Held => self.ping_at,
            Lane::Free => {
                let judged = self.judged.map_or(Instant::MAX, |judged| judged.dead_at);
                let held = match self.transit {
                    Transit::Held(held) => held.judge_at,
                    Transit::Ordered | Transit::Handed => Instant::MAX,
                };
                self.ping_at.min(judged).min(held)
            }
        }
    }

    /// Bytes came in.
    #[inline]
    pub(crate) fn on_bytes(&mut self, timing: &Timing) {
        self.heard |= !timing.strict;
    }

    /// Whether a pong would be ours: some ping is unanswered.
    #[inline]
    pub(crate) const fn awaits_pong(&self) -> bool {
        self.pings.unanswered() > 0
    }

    /// How many pings no pong has answered.
    pub(crate) const fn unanswered(&self) -> u32 {
        self.pings.unanswered()
    }

    /// Which unanswered WebSocket Ping carries this number: how many are newer. Any other Pong is none of ours: a peer may
    /// send them unasked, as a heartbeat of its own (RFC 6455 section 5.5.3).
    pub(crate) fn numbered(&self, number: u64) -> Option<u32> {
        self.pings.numbered(number)
    }

    /// Which of the last unanswered pings carries this timestamp: how many are newer. `None` for any other timestamp: some
    /// servers put their own clock there.
    pub(crate) fn stamped(&self, timestamp: u64) -> Option<u32> {
        self.pings.stamped(timestamp)
    }

    /// A pong came in while one was awaited. It answers the ping with so many newer ones, and those before it; one that names
    /// none answers the oldest. Returns the round trip, where it is known which ping was answered.
    pub(crate) fn on_pong(&mut self, now: Instant, named: Option<u32>) -> Option<Duration> {
        let round_trip = self.pings.on_pong(now, named);
        // A named one that is older than what is judged, left in a buffer by a suspend, proves nothing.
        let newest_judged = self.judged.map_or(u32::MAX, |judged| judged.newer);
        if named.is_none_or(|newer| newer <= newest_judged) {
            self.judged = None;
            self.heard = true;
        }
        if self.pings.unanswered() == 0 {
            self.transit = Transit::Handed;
        }
        round_trip
    }

    /// The number for the next WebSocket Ping: the newest's plus one.
    pub(crate) fn next_number(&self) -> u64 {
        self.pings.newest_stamp().unwrap_or(0).wrapping_add(1)
    }

    /// When the peer died, and how, as far as `now` shows. It never dies while the application does not read.
    pub(crate) fn death(
        &mut self,
        now: Instant,
        timing: &Timing,
        reading: Lane,
    ) -> Option<(Instant, Death)> {
        if reading == Lane::Held {
            return None;
        }
        if self.heard {
            self.survive(now, timing);
            return None;
        }
        let silent = self.judged.map(|judged| (judged.dead_at, Death::Silent));
        let stalled = match &mut self.transit {
            Transit::Held(held) => {
                held.judge_at = held.dead_at(timing);
                Some((held.judge_at, Death::Stalled))
            }
            Transit::Ordered | Transit::Handed => None,
        };
        let dead = silent.into_iter().chain(stalled).filter(|(at, _)| now >= *at);
        dead.min_by_key(|(at, _)| *at)
    }

    /// A sign of life came: what is due is judged no more, and a ping that is still held is judged from here on.
    fn survive(&mut self, now: Instant, timing: &Timing) {
        if self.judged.is_some_and(|judged| now >= judged.dead_at) {
            self.judged = None;
        }
        if let Transit::Held(held) = &mut self.transit
            && now >= held.judge_at
        {
            held.restart(now, timing);
            self.judged = None;
            self.heard = false;
        }
    }

    /// Whether a ping is due. Behind one that is held none is sent: its place in the schedule passes.
    pub(crate) fn on_tick(&mut self, now: Instant, timing: &Timing) -> Beat {
        if now < self.ping_at {
            return Beat::Rest;
        }
        let Transit::Held(held) = &mut self.transit else { return Beat::Ping };
        self.ping_at = now.saturating_add(timing.interval);
        if self.heard {
            held.restart(now, timing);
            self.judged = None;
            self.heard = false;
        }
        Beat::Rest
    }

    /// A ping with this stamp was sent. The next is due an interval from now: never a burst. One that is still being judged
    /// keeps its deadline: a later ping never puts death off.
    pub(crate) fn on_sent(&mut self, timing: &Timing, now: Instant, stamp: Option<u64>) {
        match &mut self.judged {
            Some(judged) if !self.heard => judged.newer = judged.newer.saturating_add(1),
            Some(_) | None => self.judge_newest(Judged::start(now, timing, false, 0)),
        }
        self.on_asked(timing, now, stamp);
    }

    /// The machine woke from a suspend: how the peer is asked whether it is still there.
    pub(crate) fn probe(&mut self, timing: &Timing, now: Instant) -> Probe {
        let Transit::Held(held) = &mut self.transit else { return Probe::Ping };
        held.is_probe = true;
        // What was heard before the suspend proves nothing after it. Without it the peer has at least a probe's time left.
        let spent = timing.timeout.saturating_sub(timing.patience(true));
        let least = if self.heard { now } else { held.since.max(now.saturating_sub(spent)) };
        held.restart(least, timing);
        self.judged = None;
        self.heard = false;
        Probe::Held
    }

    /// A ping was sent to probe the peer after a clock jump: the deadline is short, and its own. A probe that is still being
    /// judged keeps its deadline, so that suspends in a row never put death off.
    pub(crate) fn on_probe_sent(&mut self, timing: &Timing, now: Instant, stamp: Option<u64>) {
        match &mut self.judged {
            Some(judged) if judged.is_probe && !self.heard => {
                judged.newer = judged.newer.saturating_add(1);
            }
            Some(_) | None => self.judge_newest(Judged::start(now, timing, true, 0)),
        }
        self.on_asked(timing, now, stamp);
    }

    fn judge_newest(&mut self, judged: Judged) {
        self.judged = Some(judged);
        self.heard = false;
    }

    fn on_asked(&mut self, timing: &Timing, now: Instant, stamp: Option<u64>) {
        self.pings.on_sent(now, stamp);
        self.transit = Transit::Ordered;
        self.ping_at = now.saturating_add(timing.interval);
    }

    /// The driver's write left part of the newest ping in its buffer.
    pub(crate) fn on_held(&mut self, timing: &Timing, now: Instant, backlog: Backlog) {
        if self.transit != Transit::Ordered {
            return; // it was reported before, handed over, or answered
        }
        let sent_at = self.pings.newest_sent_at();
        let since = match self.judged {
            // A resume began the judgement again, whichever ping's it is.
            Some(judged) => sent_at.max(judged.began_at(timing).min(now)),
            None if self.heard => sent_at,
            // A sign of life has ended it.
            None => now,
        };
        let newest = self.judged.take_if(|judged| judged.newer == 0);
        let behind = timing.carried_in(backlog.bytes);
        let mut held = Held {
            since,
            moved_at: now.saturating_sub(backlog.idle),
            judge_at: now,
            behind_ms: u32::try_from(behind.as_millis()).unwrap_or(u32::MAX),
            is_probe: newest.is_some_and(|judged| judged.is_probe),
        };
        held.judge_at = held.dead_at(timing);
        self.transit = Transit::Held(held);
    }

    /// The transport took bytes while the newest ping was held.
    pub(crate) fn on_progress(&mut self, now: Instant) {
        if let Transit::Held(held) = &mut self.transit {
            held.moved_at = now;
        }
    }

    /// The last byte of the newest ping was flushed to the transport, with so many unproven bytes before it.
    pub(crate) fn on_handed(&mut self, timing: &Timing, now: Instant, unproven: u64) {
        let allowance_ms = timing.allowance_ms(unproven);
        match self.transit {
            Transit::Ordered => {
                if let Some(judged) = self.judged.as_mut().filter(|judged| judged.newer == 0) {
                    judged.allowance_ms = allowance_ms;
                    judged.restart(now, timing);
                }
            }
            // What came while it was held does not answer it.
            Transit::Held(held) if self.judged.is_none() || self.heard => {
                self.judge_newest(Judged::start(now, timing, held.is_probe, allowance_ms));
            }
            // An older ping that nothing has answered keeps its deadline; or it was handed over before.
            Transit::Held(_) | Transit::Handed => {}
        }
        self.transit = Transit::Handed;
    }

    /// The application reads again: every judgement restarts in full. The next ping is due when it was.
    pub(crate) fn on_resumed(&mut self, timing: &Timing, now: Instant) {
        if core::mem::take(&mut self.heard) {
            self.judged = None;
        }
        if let Some(judged) = &mut self.judged {
            judged.restart(now, timing);
        }
        if let Transit::Held(held) = &mut self.transit {
            held.moved_at = now;
            held.restart(now, timing);
        }
    }

    /// Moves every instant, for a model checker. What cannot make a difference any more is cleared.
    pub(crate) fn rebase(&mut self, shift: Shift, reading: Lane) {
        shift.apply(&mut self.ping_at);
        self.pings.rebase(shift);
        // While the application does not read, nothing is judged; and the resume sets these.
        let move_judgement = |at: &mut Instant| match reading {
            Lane::Free => shift.apply(at),
            Lane::Held => *at = Instant::ZERO,
        };
        if let Some(judged) = &mut self.judged {
            move_judgement(&mut judged.dead_at);
        }
        match &mut self.transit {
            Transit::Held(held) => {
                for at in [&mut held.since, &mut held.moved_at, &mut held.judge_at] {
                    move_judgement(at);
                }
            }
            // Nothing is judged, and the next judgement resets the mark.
            Transit::Handed if self.judged.is_none() => self.heard = false,
            Transit::Ordered | Transit::Handed => {}
        }
    }

    /// The same once CLOSING: only pongs are still counted.
    pub(crate) fn rebase_closing(&mut self, shift: Shift) {
        let pings = self.pings.clone();
        *self = Self { pings, ..Self::new(Instant::ZERO) };
        self.pings.rebase(shift);
    }
}

#[cfg(test)]
mod tests;
