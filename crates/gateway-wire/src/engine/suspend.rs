//! Reports the clocks to the core after the process-wide suspend watch has noticed a suspend.

use gateway_core::Instant;

use super::{Engine, Host, WRITE};
use crate::suspend::{Suspend, SuspendWatch};

/// The engine's registration with the watch, from its first connect on.
#[derive(Debug, Default)]
pub(super) struct Suspends {
    watch: Option<SuspendWatch>,
    /// The number of the watch's last look when the wall clock was last reported to the core.
    reported: u64,
}

impl Suspends {
    fn mark_reported(&mut self) {
        if let Some(watch) = &self.watch {
            self.reported = watch.last_look();
        }
    }
}

impl<H: Host> Engine<H> {
    /// Registers with the process-wide suspend watch, which may start its thread. The first connect
    /// does this, unless you have called it before.
    pub fn register_for_suspends(&mut self) {
        if self.suspends.watch.is_none() {
            self.suspends.watch = self.host.suspend_waker().map(SuspendWatch::register);
        }
    }

    /// Writes the probe at once. Its timeout must not wait for the application to read an event.
    pub(super) fn write_probe(&mut self) {
        if self.session.is_connection_ready() {
            let _ = self.write_some(WRITE);
        }
    }

    pub(super) fn report_wall_clock(&mut self, now: Instant) {
        self.suspends.mark_reported();
        self.session.wall_clock(now, self.host.wall());
    }

    /// Reports the clocks to the core if the process-wide suspend watch has noticed a suspend.
    /// Returns whether it has. Without a suspend this costs one atomic load.
    ///
    /// [`look`](Self::look) calls this first. Call it yourself between events that are waiting for
    /// the application, and [catch up](Self::catch_up) if it returns true.
    pub fn check_suspend(&mut self) -> bool {
        let noticed = self.suspends.watch.as_ref().and_then(SuspendWatch::take_noticed);
        let Some(noticed) = noticed.filter(|_| !self.session.is_over()) else { return false };
        // The core compares the clocks since its last report. If that report came after the watch's
        // previous look, the core sees the same suspend, or has already seen it. If the report is
        // older, the wall clock may have been set back in between. If both clocks went on during
        // the suspend, the core sees nothing.
        let is_seen_by_core = match noticed.suspend {
            Suspend::Ahead(_) => self.suspends.reported.saturating_add(1) >= noticed.look,
            Suspend::Late(_) => false,
        };
        let now = self.host.now();
        if is_seen_by_core {
            self.report_wall_clock(now);
        } else {
            self.suspends.mark_reported();
            self.session.suspended(now, self.host.wall(), noticed.suspend.by());
        }
        self.write_probe();
        true
    }
}

#[cfg(test)]
mod tests;
