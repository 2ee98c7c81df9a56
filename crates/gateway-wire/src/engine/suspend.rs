//! What the engine does about a suspend that the watch of the process has noticed: it reports the clocks to the core.

use gateway_core::Instant;

use super::{Engine, Host};
use crate::suspend::{Suspend, SuspendWatch};

/// The engine's registration, from its first connect on.
#[derive(Debug, Default)]
pub(super) struct Suspends {
    watch: Option<SuspendWatch>,
    /// The watch's last look when the wall clock was last reported to the core.
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
    pub(super) fn register_for_suspends(&mut self) {
        if self.suspends.watch.is_none() {
            self.suspends.watch = self.host.suspend_waker().map(SuspendWatch::register);
        }
    }

    /// A probe is judged from now on: it does not wait for the application to take the news of it.
    pub(super) fn write_probe(&mut self) {
        if self.session.is_ready() {
            let _ = self.write();
        }
    }

    pub(super) fn report_wall_clock(&mut self, now: Instant) {
        self.suspends.mark_reported();
        self.session.wall_clock(now, self.host.wall());
    }

    /// Reports the clocks to the core if the watch of the process has noticed a suspend, and says whether it had. It costs one
    /// load of an atomic where it had not. [`look`](Self::look) does this first; call it yourself between events that wait to
    /// be taken, and [catch up](Self::catch_up) where it was so.
    pub fn check_suspend(&mut self) -> bool {
        let noticed = self.suspends.watch.as_ref().and_then(SuspendWatch::take_noticed);
        let Some(noticed) = noticed.filter(|_| !self.session.is_over()) else { return false };
        // The core compares the clocks since its last report. It sees what the watch saw where that report came after the look
        // before, or has seen it already. Where it is older, the wall clock may have been set back in between. Where both clocks
        // ran on, the core sees nothing.
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
