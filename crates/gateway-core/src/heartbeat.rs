//! When to ping, and when silence means death. Stands alone: time is an argument.

use core::time::Duration;

use crate::time::{Instant, Shift};

/// The heartbeat of one open socket. It lives in the ready state's value and is dropped with it.
///
/// A ping goes out each interval, whatever else is sent or received. Its deadline belongs to that one
/// ping; a frame only leaves a mark, and only [`on_tick`](Self::on_tick) judges. A pong ends the asking: once an interval, and
/// the only frame that moves a deadline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Heartbeat {
    pulse: Pulse,
    /// When the newest ping left, and its stamp.
    newest: Option<(Instant, Option<u64>)>,
    /// Pings that no pong has answered.
    unanswered: u32,
}

/// The spans that a heartbeat keeps, and what counts as life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Timing {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    /// Only a pong is life.
    pub(crate) strict: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Pulse {
    /// The last ping was answered by life; the next is due.
    Resting { ping_at: Instant },
    /// A ping is out; life must be seen by `dead_at`. After a pause `ping_at` may be the earlier of the two.
    Asking { alive: bool, dead_at: Instant, ping_at: Instant },
    /// The application does not read: nothing is due. `was_asking`: a ping is out that no life has answered.
    Paused { was_asking: bool, ping_at: Instant },
}

/// What a tick asks of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing is due.
    Rest,
    /// Send a ping, and report it with [`Heartbeat::on_sent`].
    Ping,
    /// The peer is dead.
    Dead,
}

impl Heartbeat {
    /// The longest deadline of a probe after a clock jump; a shorter timeout stands.
    pub(crate) const PROBE: Duration = Duration::from_secs(5);

    /// A heartbeat whose first ping is due at `first_ping_at`.
    pub(crate) const fn new(first_ping_at: Instant) -> Self {
        Self { pulse: Pulse::Resting { ping_at: first_ping_at }, newest: None, unanswered: 0 }
    }

    /// The instant at which a tick is due, unless reading is paused.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.pulse {
            Pulse::Resting { ping_at } => Some(ping_at),
            Pulse::Asking { dead_at, ping_at, .. } => Some(dead_at.min(ping_at)),
            Pulse::Paused { .. } => None,
        }
    }

    /// When the peer is dead, unless it gives a sign of life before.
    pub(crate) fn dead_at(&self) -> Option<Instant> {
        match self.pulse {
            Pulse::Asking { alive: false, dead_at, .. } => Some(dead_at),
            Pulse::Asking { alive: true, .. } | Pulse::Resting { .. } | Pulse::Paused { .. } => {
                None
            }
        }
    }

    /// Bytes came in.
    #[inline]
    pub(crate) fn on_bytes(&mut self, timing: &Timing) {
        if !timing.strict {
            self.mark_alive();
        }
    }

    fn mark_alive(&mut self) {
        match &mut self.pulse {
            Pulse::Asking { alive, .. } => *alive = true,
            // What was read before the pause may be handed over in it.
            Pulse::Paused { was_asking, .. } => *was_asking = false,
            Pulse::Resting { .. } => {}
        }
    }

    /// Whether a pong would be ours: some ping is unanswered.
    pub(crate) const fn awaits_pong(&self) -> bool {
        self.unanswered > 0
    }

    /// Whether a WebSocket Ping of this number is unanswered. Any other Pong is none of ours: a peer may send them unasked,
    /// as a heartbeat of its own (RFC 6455 section 5.5.3).
    pub(crate) fn awaits_number(&self, number: u64) -> bool {
        let newest = self.newest_number();
        number <= newest && newest - number < u64::from(self.unanswered)
    }

    /// A pong came in while one was awaited. Returns the round trip, where it can be known.
    pub(crate) fn on_pong(&mut self, now: Instant, stamp: Option<u64>) -> Option<Duration> {
        let (_, newest) = self.newest?;
        let answers_newest = (stamp.is_some() && stamp == newest) || self.unanswered == 1;
        // Pongs come in the order of their pings: one for the newest leaves none to come.
        self.unanswered = if answers_newest { 0 } else { self.unanswered.saturating_sub(1) };
        self.on_answered();
        self.round_trip(now)
    }

    /// A Pong came in with the number of a ping that [is awaited](Self::awaits_number): it answers those before it as well. Only the
    /// newest is judged: an older Pong, which a suspend may have left in a buffer, says nothing of it.
    pub(crate) fn on_numbered_pong(&mut self, now: Instant, number: u64) -> Option<Duration> {
        let left = self.newest_number().saturating_sub(number);
        self.unanswered = u32::try_from(left).unwrap_or(u32::MAX);
        if left == 0 {
            self.on_answered();
        }
        self.round_trip(now)
    }

    /// The ping that is judged was answered: there is nothing left to judge, and an idle connection need not wake up for it.
    fn on_answered(&mut self) {
        self.mark_alive();
        if let Pulse::Asking { ping_at, .. } = self.pulse {
            self.pulse = Pulse::Resting { ping_at };
        }
    }

    /// Since the newest ping left, once no answer is to come any more.
    fn round_trip(&self, now: Instant) -> Option<Duration> {
        let (sent_at, _) = self.newest.filter(|_| self.unanswered == 0)?;
        Some(now.saturating_duration_since(sent_at))
    }

    fn newest_number(&self) -> u64 {
        self.newest.and_then(|(_, stamp)| stamp).unwrap_or(0)
    }

    /// The number for the next WebSocket Ping: the newest's plus one.
    pub(crate) fn next_number(&self) -> u64 {
        self.newest_number().wrapping_add(1)
    }

    /// Judges the deadlines that `now` has reached, the earliest first: death before the next ping.
    pub(crate) fn on_tick(&mut self, now: Instant) -> Beat {
        if let Pulse::Asking { alive, dead_at, ping_at } = self.pulse
            && now >= dead_at
        {
            if !alive {
                return Beat::Dead;
            }
            self.pulse = Pulse::Resting { ping_at };
        }
        match self.pulse {
            Pulse::Resting { ping_at } | Pulse::Asking { ping_at, .. } if now >= ping_at => {
                Beat::Ping
            }
            Pulse::Resting { .. } | Pulse::Asking { .. } | Pulse::Paused { .. } => Beat::Rest,
        }
    }

    /// A ping with this stamp was sent. The next is due an interval from now: never a burst. One that is still being judged
    /// keeps its deadline: a later ping never puts death off.
    pub(crate) fn on_sent(&mut self, timing: &Timing, now: Instant, stamp: Option<u64>) {
        let dead_at = self.dead_at().unwrap_or_else(|| now.saturating_add(timing.timeout));
        self.on_asked(timing, now, stamp, dead_at);
    }

    /// A ping was sent to probe the peer after a clock jump: the deadline is short, and its own.
    pub(crate) fn on_probe_sent(&mut self, timing: &Timing, now: Instant, stamp: Option<u64>) {
        let timeout = Self::PROBE.min(timing.timeout);
        self.on_asked(timing, now, stamp, now.saturating_add(timeout));
    }

    fn on_asked(&mut self, timing: &Timing, now: Instant, stamp: Option<u64>, dead_at: Instant) {
        self.newest = Some((now, stamp));
        self.unanswered = self.unanswered.saturating_add(1);
        let ping_at = now.saturating_add(timing.interval);
        self.pulse = Pulse::Asking { alive: false, dead_at, ping_at };
    }

    /// The application stopped reading: the deadlines stand still.
    pub(crate) fn on_paused(&mut self) {
        self.pulse = match self.pulse {
            Pulse::Resting { ping_at } => Pulse::Paused { was_asking: false, ping_at },
            Pulse::Asking { alive, ping_at, .. } => Pulse::Paused { was_asking: !alive, ping_at },
            Pulse::Paused { was_asking, ping_at } => Pulse::Paused { was_asking, ping_at },
        };
    }

    /// The application reads again: the deadline of a ping that is out restarts in full. The next ping is due when it
    /// was, or now: an application that pauses often postpones no heartbeat.
    pub(crate) fn on_resumed(&mut self, timing: &Timing, now: Instant) {
        let Pulse::Paused { was_asking, ping_at } = self.pulse else { return };
        let ping_at = ping_at.max(now);
        self.pulse = if was_asking {
            let dead_at = now.saturating_add(timing.timeout);
            Pulse::Asking { alive: false, dead_at, ping_at }
        } else {
            Pulse::Resting { ping_at }
        };
    }

    /// Moves every instant, for a model checker.
    pub(crate) fn rebase(&mut self, shift: Shift) {
        if let Some((sent_at, _)) = &mut self.newest {
            shift.apply(sent_at);
        }
        match &mut self.pulse {
            Pulse::Resting { ping_at } => shift.apply(ping_at),
            Pulse::Asking { alive: _, dead_at, ping_at } => {
                shift.apply(dead_at);
                shift.apply(ping_at);
            }
            Pulse::Paused { was_asking: _, ping_at } => shift.apply(ping_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing {
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(5),
        strict: false,
    };

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    fn asked_at_zero() -> Heartbeat {
        let mut heartbeat = Heartbeat::new(at(0));
        assert_eq!(heartbeat.on_tick(at(0)), Beat::Ping);
        heartbeat.on_sent(&TIMING, at(0), Some(7));
        heartbeat
    }

    #[test]
    fn silence_for_the_timeout_after_a_ping_is_death_and_a_byte_in_between_is_not() {
        let mut heartbeat = asked_at_zero();
        assert_eq!(heartbeat.clone().on_tick(at(4)), Beat::Rest);
        assert_eq!(heartbeat.clone().on_tick(at(5)), Beat::Dead);
        heartbeat.on_bytes(&TIMING);
        assert_eq!(heartbeat.on_tick(at(5)), Beat::Rest);
        assert_eq!(heartbeat.deadline(), Some(at(30)));
    }

    #[test]
    fn in_strict_mode_only_a_pong_is_life() {
        let strict = Timing { strict: true, ..TIMING };
        let mut heartbeat = Heartbeat::new(at(1));
        assert_eq!(heartbeat.on_tick(at(1)), Beat::Ping);
        heartbeat.on_sent(&strict, at(1), Some(7));
        heartbeat.on_bytes(&strict);
        assert_eq!(heartbeat.clone().on_tick(at(6)), Beat::Dead);
        heartbeat.on_pong(at(3), None);
        assert_eq!(heartbeat.on_tick(at(6)), Beat::Rest);
    }

    #[test]
    fn where_timeout_equals_interval_death_is_judged_before_the_next_ping() {
        let timing = Timing { timeout: Duration::from_secs(30), ..TIMING };
        let mut heartbeat = Heartbeat::new(at(1));
        assert_eq!(heartbeat.on_tick(at(1)), Beat::Ping);
        heartbeat.on_sent(&timing, at(1), Some(1));
        assert_eq!(heartbeat.clone().on_tick(at(31)), Beat::Dead);
        heartbeat.on_bytes(&timing);
        assert_eq!(heartbeat.on_tick(at(31)), Beat::Ping);
    }

    #[test]
    fn a_stall_makes_one_ping_due_and_no_burst() {
        let mut heartbeat = asked_at_zero();
        heartbeat.on_bytes(&TIMING);
        assert_eq!(heartbeat.on_tick(at(300)), Beat::Ping);
        heartbeat.on_sent(&TIMING, at(300), Some(2));
        assert_eq!(heartbeat.on_tick(at(300)), Beat::Rest);
        assert_eq!(heartbeat.deadline(), Some(at(305)));
    }

    #[test]
    fn the_round_trip_is_told_only_where_the_pong_tells_which_ping_it_answers() {
        let mut heartbeat = asked_at_zero();
        assert_eq!(heartbeat.clone().on_pong(at(1), None), Some(Duration::from_secs(1)));
        heartbeat.on_sent(&TIMING, at(30), Some(8));
        let mut two = heartbeat.clone();
        assert_eq!(two.on_pong(at(31), None), None, "two pings are out");
        assert_eq!(two.on_pong(at(32), None), Some(Duration::from_secs(2)), "one is left");
        assert_eq!(heartbeat.on_pong(at(31), Some(8)), Some(Duration::from_secs(1)));
        assert!(!heartbeat.awaits_pong(), "the answer to the newest leaves none to come");
    }

    #[test]
    fn a_pause_stops_the_deadlines_and_a_resume_restarts_the_judgement_in_full() {
        let mut heartbeat = asked_at_zero();
        heartbeat.on_paused();
        assert_eq!(heartbeat.deadline(), None);
        assert_eq!(heartbeat.on_tick(at(100)), Beat::Rest);
        heartbeat.on_resumed(&TIMING, at(100));
        assert_eq!(heartbeat.on_tick(at(100)), Beat::Ping, "the next ping is long due");
        heartbeat.on_sent(&TIMING, at(100), Some(8));
        assert_eq!(heartbeat.deadline(), Some(at(105)));
        assert_eq!(heartbeat.clone().on_tick(at(105)), Beat::Dead);
        heartbeat.on_bytes(&TIMING);
        assert_eq!(heartbeat.on_tick(at(105)), Beat::Rest);
    }

    #[test]
    fn a_ping_that_comes_due_while_one_is_judged_does_not_put_death_off() {
        let mut heartbeat = asked_at_zero();
        heartbeat.on_paused();
        heartbeat.on_resumed(&TIMING, at(28)); // judged at 33, the next ping still due at 30
        assert_eq!(heartbeat.on_tick(at(30)), Beat::Ping);
        heartbeat.on_sent(&TIMING, at(30), Some(8));
        assert_eq!(heartbeat.deadline(), Some(at(33)));
        assert_eq!(heartbeat.on_tick(at(33)), Beat::Dead);
    }

    #[test]
    fn a_reader_that_pauses_all_the_time_hears_nothing_and_still_pings() {
        let mut heartbeat = asked_at_zero();
        for second in 1..=30 {
            heartbeat.on_paused();
            heartbeat.on_resumed(&TIMING, at(second));
        }
        assert_eq!(heartbeat.on_tick(at(30)), Beat::Ping);
    }

    #[test]
    fn an_application_that_pauses_all_the_time_postpones_no_ping() {
        let mut heartbeat = asked_at_zero();
        heartbeat.on_bytes(&TIMING);
        for second in 1..30 {
            heartbeat.on_paused();
            heartbeat.on_resumed(&TIMING, at(second));
            heartbeat.on_bytes(&TIMING);
        }
        assert_eq!(heartbeat.on_tick(at(30)), Beat::Ping);
    }
}
