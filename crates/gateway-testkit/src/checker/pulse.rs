//! What must hold of a ready connection's deadlines, told from outside: who was asked when, and who was heard.

use core::time::Duration;

use gateway_core::{Config, HeartbeatKind, Instant};

/// The longest deadline of a probe after a clock jump.
const PROBE: Duration = Duration::from_secs(5);

/// One stay in the ready state.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    pub(crate) since: Instant,
    reading: bool,
    /// The last sign of life, ready or resume.
    heard_at: Instant,
    /// No later than this the next ping leaves.
    ping_by: Instant,
    ping: Option<Ping>,
    data_at: Instant,
    /// Whether no event came later than an armed deadline.
    punctual: bool,
}

#[derive(Clone, Copy, Debug)]
struct Ping {
    answered: bool,
    dead_at: Instant,
}

impl Pulse {
    pub(crate) fn new(now: Instant, reading: bool, config: &Config) -> Self {
        let ping_by = now.saturating_add(config.heartbeat_interval());
        let punctual = true;
        Self { since: now, reading, heard_at: now, ping_by, ping: None, data_at: now, punctual }
    }

    pub(crate) fn came_late(&mut self) {
        self.punctual = false;
    }

    pub(crate) fn on_ping(&mut self, now: Instant, is_probe: bool, config: &Config) {
        let interval = config.heartbeat_interval();
        let timeout = config.heartbeat_timeout();
        let timeout = if is_probe { PROBE.min(timeout) } else { timeout };
        let dead_at = match self.ping {
            // A ping that is still judged keeps its deadline: no later one puts death off.
            Some(Ping { answered: false, dead_at }) if !is_probe => dead_at,
            Some(_) | None => now.saturating_add(timeout),
        };
        self.ping = Some(Ping { answered: false, dead_at });
        self.ping_by = now.saturating_add(interval);
    }

    pub(crate) fn on_life(&mut self, now: Instant) {
        self.heard_at = now;
        if let Some(ping) = &mut self.ping {
            ping.answered = true;
        }
    }

    pub(crate) fn on_data(&mut self, now: Instant) {
        self.data_at = now;
    }

    pub(crate) fn on_paused(&mut self) {
        self.reading = false;
    }

    pub(crate) fn on_resumed(&mut self, now: Instant, config: &Config) {
        if self.reading {
            return; // nothing was paused
        }
        self.data_at = now;
        self.reading = true;
        self.heard_at = now;
        // The next ping is due when it was, or now; the judgement of one that is out starts again.
        self.ping_by = self.ping_by.max(now);
        if let Some(ping) = &mut self.ping {
            ping.dead_at = now.saturating_add(config.heartbeat_timeout());
        }
    }

    /// Whether the peer may be declared dead now.
    pub(crate) fn may_die(&self, now: Instant, config: &Config) -> Result<(), String> {
        let Some(ping) = self.ping else { return Err("dead without a ping".to_string()) };
        if !self.reading || ping.answered || now < ping.dead_at {
            return Err(format!("dead at {now:?} with {self:?}"));
        }
        match self.data_due(config) {
            Some(data) if data < ping.dead_at && data <= now => {
                Err(format!("the data deadline {data:?} was earlier than {ping:?}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the connection may be given up for want of application data now.
    pub(crate) fn may_starve(&self, now: Instant, config: &Config) -> Result<(), String> {
        let due = self.data_due(config);
        if !self.reading || due.is_none_or(|due| now < due) {
            return Err(format!("starved at {now:?}, due at {due:?}"));
        }
        match self.ping {
            Some(ping) if !ping.answered && ping.dead_at <= now && Some(ping.dead_at) < due => {
                Err(format!("the peer was dead before, {ping:?}, and data due at {due:?}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What must hold of the deadline while the connection stays ready; `ticked` if the event was a Tick.
    pub(crate) fn check(
        &self,
        now: Instant,
        ticked: bool,
        deadline: Option<Instant>,
        config: &Config,
    ) -> Result<(), String> {
        if !self.reading {
            return match deadline {
                Some(at) => Err(format!("a deadline at {at:?} while reading is paused")),
                None => Ok(()),
            };
        }
        let due = self.data_due(config).into_iter().chain(self.beat_due(config)).min();
        let Some(due) = due else {
            return match deadline {
                Some(at) => Err(format!("a deadline at {at:?} with nothing to watch")),
                None => Ok(()),
            };
        };
        if deadline.is_none_or(|at| at > due) {
            return Err(format!("deadline {deadline:?} is later than {due:?}: {self:?}"));
        }
        if ticked && now >= due && now < Instant::MAX {
            return Err(format!("a Tick at {now:?} left {due:?} unheeded: {self:?}"));
        }
        Ok(())
    }

    /// The latest instant at which something is due for the heartbeat's sake.
    fn beat_due(&self, config: &Config) -> Option<Instant> {
        if config.heartbeat_kind() == HeartbeatKind::Off {
            return None;
        }
        let due = match self.ping {
            Some(Ping { answered: false, dead_at }) => dead_at.min(self.ping_by),
            Some(Ping { answered: true, .. }) | None => self.ping_by,
        };
        Some(due)
    }

    /// With Ticks on time: silence is death no later than interval + timeout after the last sign of life.
    pub(crate) fn check_silence(
        &self,
        now: Instant,
        ticked: bool,
        config: &Config,
    ) -> Result<(), String> {
        if !self.reading || !self.punctual || config.heartbeat_kind() == HeartbeatKind::Off {
            return Ok(());
        }
        let span = config.heartbeat_interval().saturating_add(config.heartbeat_timeout());
        let probe = self.ping.map_or(Instant::ZERO, |ping| ping.dead_at);
        let dead_by = self.heard_at.saturating_add(span).max(probe);
        if ticked && now >= dead_by && now < Instant::MAX {
            return Err(format!("not dead by {dead_by:?}, now {now:?}: {self:?}"));
        }
        Ok(())
    }

    fn data_due(&self, config: &Config) -> Option<Instant> {
        config.data_timeout().map(|timeout| self.data_at.saturating_add(timeout))
    }
}
