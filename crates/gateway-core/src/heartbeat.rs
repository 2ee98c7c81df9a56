//! When to ping, and when a silent peer is dead. Time is an argument, so tests need no clock.

mod pings;

use core::time::Duration;

use self::pings::Pings;
use crate::event::Backlog;
use crate::machine::Lane;
use crate::time::{Instant, Shift, whole_millis};

/// The heartbeat of one open socket. The ready state owns it.
///
/// A ping leaves each interval, whatever either side sends, and also while the application does not
/// read. Each timeout belongs to one ping. Received bytes only set `heard`; [`death`](Self::death)
/// evaluates the timeouts on a Tick. A pong clears the timeout of its ping. It is the only frame
/// that moves a deadline, at most once an interval.
///
/// ```text
///             ordered ──────────────────────────▶ answered: no timeout until the next ping
///   Tick ──▶ (counts as handed over) ── pong ──▶
///               │ PingHeld                           ▲
///               ▼                                    │ pong
///             held ── PingHanded ──▶ handed ─────────┘
///   (dead if the transport takes too little)  (dead if no sign of life comes)
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Heartbeat {
    ping_at: Instant,
    /// The ping whose timeout runs. `None` if no answer is due.
    judged: Option<Judged>,
    /// How far the newest ping has come.
    transit: Transit,
    /// Whether a sign of life came since the newest timeout started. A sign of life clears an older
    /// timeout before a newer one starts. So one flag serves both, and a received byte costs one
    /// store.
    heard: bool,
    pings: Pings,
}

/// The configured spans, and what counts as a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Timing {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    /// Only a pong counts as a sign of life.
    pub(crate) strict: bool,
    /// The rate of the slowest link that must not look dead, in bytes a second.
    pub(crate) slowest_link: u32,
}

/// A ping whose timeout runs: it was handed over, or no driver has reported it as held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Judged {
    dead_at: Instant,
    /// The allowance for the unproven bytes, in milliseconds: at most [`Timing::MOST_ALLOWANCE`].
    allowance_ms: u16,
    /// How many pings were sent after it.
    newer: u32,
    is_probe: bool,
}

/// How far the newest ping has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Transit {
    /// The driver has reported nothing. The ping counts as handed over when it was ordered.
    Ordered,
    /// Part of it waits in the driver's buffer. No other ping leaves before its hand-over.
    Held(Held),
    /// The transport has all of it, a pong answered it, or there is no ping.
    Handed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Held {
    /// When the ping was queued. A sign of life or a resume restarts the timeouts, and moves this.
    since: Instant,
    /// When the transport last took bytes.
    moved_at: Instant,
    /// When a Tick evaluates the timeouts. Progress only sets `moved_at`; the next Tick moves this.
    judge_at: Instant,
    /// How long the slowest link needs for the bytes before the ping, in milliseconds.
    behind_ms: u32,
    is_probe: bool,
}

/// What the machine must do on a Tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing is due.
    Rest,
    /// Send a ping, and report it with [`Heartbeat::on_sent`].
    Ping,
}

/// Why a peer is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// No sign of life came within a ping's timeout.
    Silent,
    /// The transport did not take a ping in time.
    Stalled,
}

/// How the machine probes the peer after a suspend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Send a ping, and report it with [`Heartbeat::on_probe_sent`].
    Ping,
    /// The held ping is the probe.
    Held,
}

impl Timing {
    /// The longest timeout of a probe after a suspend. A shorter timeout applies unchanged.
    const PROBE: Duration = Duration::from_secs(5);

    /// Up to this many unproven bytes earn no allowance: every link carries them within the
    /// timeout.
    const PROVEN_ENOUGH: u64 = 64 << 10;

    /// The longest allowance.
    const MOST_ALLOWANCE: Duration = Duration::from_secs(30);

    /// How long the answer to a ping may take after its hand-over, without an allowance.
    fn patience(&self, is_probe: bool) -> Duration {
        if is_probe { Self::PROBE.min(self.timeout) } else { self.timeout }
    }

    /// The allowance for `unproven` bytes, in whole milliseconds.
    fn allowance_ms(&self, unproven: u64) -> u16 {
        let excess = self.carried_in(unproven.saturating_sub(Self::PROVEN_ENOUGH));
        let millis = excess.min(Self::MOST_ALLOWANCE).as_millis();
        u16::try_from(millis).unwrap_or(u16::MAX)
    }

    /// How long the slowest link needs for these bytes, in whole milliseconds.
    fn carried_in(&self, bytes: u64) -> Duration {
        let millis = bytes.saturating_mul(1_000) / u64::from(self.slowest_link.max(1));
        whole_millis(Duration::from_millis(millis))
    }
}

impl Judged {
    /// Starts the timeout at `now`.
    fn start(now: Instant, timing: &Timing, is_probe: bool, allowance_ms: u16) -> Self {
        let mut judged = Self { dead_at: now, allowance_ms, newer: 0, is_probe };
        judged.restart(now, timing);
        judged
    }

    fn restart(&mut self, now: Instant, timing: &Timing) {
        self.dead_at = now.saturating_add(self.patience(timing));
    }

    /// When the timeout started: at the hand-over, or at the last resume.
    fn began_at(&self, timing: &Timing) -> Instant {
        self.dead_at.saturating_sub(self.patience(timing))
    }

    fn patience(&self, timing: &Timing) -> Duration {
        let allowance = Duration::from_millis(self.allowance_ms.into());
        timing.patience(self.is_probe).saturating_add(allowance)
    }
}

impl Held {
    /// When the peer is dead, unless a sign of life comes. It is the earlier of two instants:
    ///
    /// - The transport has taken nothing for interval + timeout. The timeout must also have passed
    ///   since `since`.
    /// - The ping has waited for timeout + 30 s + the time that the slowest link needs for the
    ///   bytes before it.
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

    /// Restarts the timeouts after a sign of life.
    fn restart(&mut self, now: Instant, timing: &Timing) {
        self.since = now;
        self.judge_at = self.dead_at(timing);
    }
}

impl Heartbeat {
    /// Creates a heartbeat whose first ping is due at `first_ping_at`.
    pub(crate) const fn new(first_ping_at: Instant) -> Self {
        Self {
            ping_at: first_ping_at,
            judged: None,
            transit: Transit::Handed,
            heard: false,
            pings: Pings::NONE,
        }
    }

    /// The instant at which a Tick is due. While the application does not read, pings leave but no
    /// timeout fires.
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

    #[inline]
    pub(crate) fn on_bytes(&mut self, timing: &Timing) {
        self.heard |= !timing.strict;
    }

    /// Whether any ping is unanswered.
    #[inline]
    pub(crate) const fn awaits_pong(&self) -> bool {
        self.pings.unanswered() > 0
    }

    /// The dialect set a shorter interval: the next ping is due at `at`, unless it is due before.
    pub(crate) fn ping_by(&mut self, at: Instant) {
        self.ping_at = self.ping_at.min(at);
    }

    /// No ping is sent now. The next one is due an interval later.
    pub(crate) fn skip(&mut self, timing: &Timing, now: Instant) {
        self.ping_at = now.saturating_add(timing.interval);
    }

    /// How many pings are unanswered.
    pub(crate) const fn unanswered(&self) -> u32 {
        self.pings.unanswered()
    }

    /// Finds the unanswered WebSocket Ping with this number, and returns how many pings are newer.
    /// The caller ignores any other Pong: a peer may send Pongs unasked, as its heartbeat (RFC 6455
    /// section 5.5.3).
    pub(crate) fn numbered(&self, number: u64) -> Option<u32> {
        self.pings.numbered(number)
    }

    /// Finds the ping with this timestamp among the last unanswered ones, and returns how many
    /// pings are newer. Some servers put their own clock there, so any other timestamp is `None`.
    pub(crate) fn stamped(&self, timestamp: u64) -> Option<u32> {
        self.pings.stamped(timestamp)
    }

    /// A pong came while a ping was unanswered. `named` is the number of pings that are newer than
    /// the answered one; the pong also answers all older pings. `None` answers the oldest. Returns
    /// the round trip if it is known which ping was answered.
    pub(crate) fn on_pong(&mut self, now: Instant, named: Option<u32>) -> Option<Duration> {
        let round_trip = self.pings.on_pong(now, named);
        // A pong for a ping older than the one whose timeout runs proves nothing. It may have
        // waited in a buffer through a suspend.
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

    /// When and why the peer died, if a timeout has passed at `now`. No timeout fires while the
    /// application does not read.
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

    /// A sign of life came: clears a timeout that is due, and restarts the timeouts of a held ping.
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

    /// Returns whether a ping is due. Behind a held ping, the second ping is skipped.
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

    /// A ping with this stamp was sent. The next one is due an interval from now, so pings never
    /// come in a burst. A timeout that runs keeps its deadline: a later ping never delays it.
    pub(crate) fn on_sent(&mut self, timing: &Timing, now: Instant, stamp: Option<u64>) {
        match &mut self.judged {
            Some(judged) if !self.heard => judged.newer = judged.newer.saturating_add(1),
            Some(_) | None => self.judge_newest(Judged::start(now, timing, false, 0)),
        }
        self.on_asked(timing, now, stamp);
    }

    /// The computer woke from a suspend. Returns how to probe the peer.
    pub(crate) fn probe(&mut self, timing: &Timing, now: Instant) -> Probe {
        let Transit::Held(held) = &mut self.transit else { return Probe::Ping };
        held.is_probe = true;
        // A sign of life from before the suspend proves nothing after it, so the timeouts restart.
        // Otherwise they continue, but leave the peer at least a probe's timeout.
        let spent = timing.timeout.saturating_sub(timing.patience(true));
        let least = if self.heard { now } else { held.since.max(now.saturating_sub(spent)) };
        held.restart(least, timing);
        self.judged = None;
        self.heard = false;
        Probe::Held
    }

    /// A probe was sent after a suspend. Its timeout is short. An earlier probe that is still
    /// unanswered keeps its deadline, so suspends in a row never delay it.
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

    /// The newest ping is held: the driver's write left part of it in the buffer.
    pub(crate) fn on_held(&mut self, timing: &Timing, now: Instant, backlog: Backlog) {
        if self.transit != Transit::Ordered {
            return; // already reported, handed over, or answered
        }
        let sent_at = self.pings.newest_sent_at();
        let since = match self.judged {
            // A resume restarted the timeout, whichever ping it belongs to.
            Some(judged) => sent_at.max(judged.began_at(timing).min(now)),
            None if self.heard => sent_at,
            // A sign of life has cleared the timeout.
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

    /// The newest ping was handed over, with this many unproven bytes.
    pub(crate) fn on_handed(&mut self, timing: &Timing, now: Instant, unproven: u64) {
        let allowance_ms = timing.allowance_ms(unproven);
        match self.transit {
            Transit::Ordered => {
                if let Some(judged) = self.judged.as_mut().filter(|judged| judged.newer == 0) {
                    judged.allowance_ms = allowance_ms;
                    judged.restart(now, timing);
                }
            }
            // Bytes that came while the ping was held do not answer it.
            Transit::Held(held) if self.judged.is_none() || self.heard => {
                self.judge_newest(Judged::start(now, timing, held.is_probe, allowance_ms));
            }
            // An older, unanswered ping keeps its deadline, or the hand-over was already reported.
            Transit::Held(_) | Transit::Handed => {}
        }
        self.transit = Transit::Handed;
    }

    /// The application reads again: every timeout restarts in full. The next ping stays due when it
    /// was.
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

    /// Moves every instant, for a model checker. Clears what can no longer make a difference.
    pub(crate) fn rebase(&mut self, shift: Shift, reading: Lane) {
        shift.apply(&mut self.ping_at);
        self.pings.rebase(shift);
        // While the application does not read, no timeout fires, and the resume sets these
        // instants.
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
            // No timeout runs, and the next one resets the flag.
            Transit::Handed if self.judged.is_none() => self.heard = false,
            Transit::Ordered | Transit::Handed => {}
        }
    }

    /// The same in CLOSING, where the heartbeat only counts pongs.
    pub(crate) fn rebase_closing(&mut self, shift: Shift) {
        let pings = self.pings.clone();
        *self = Self { pings, ..Self::new(Instant::ZERO) };
        self.pings.rebase(shift);
    }
}

#[cfg(test)]
mod tests;
