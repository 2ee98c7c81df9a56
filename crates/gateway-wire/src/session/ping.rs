//! The progress of the newest ping. The session reports it, so that the core starts a ping's
//! timeout at its hand-over.

use std::collections::VecDeque;

use gateway_core::{Backlog, Event, Instant, Outgoing, SocketId};

use super::Session;
use super::link::Link;
use super::perform::Payload;

/// A ping that was written at once is reported as handed over only above this number of unproven
/// bytes.
const UNPROVEN: u64 = 64 << 10;

/// The number of pings that are remembered. No pong names an older one.
const KEPT: usize = 4;

/// The pings of one socket, by their positions in its outgoing bytes.
#[derive(Debug, Default)]
pub(super) struct Pings {
    /// The newest ping, until it is flushed.
    underway: Option<Underway>,
    /// The position after the last byte of each unanswered ping, the oldest first.
    ends: VecDeque<u64>,
    /// The position after the newest answered ping. Everything before it has arrived.
    proven: u64,
    /// While bytes wait: when the transport last took some, or when they began to wait.
    moved_at: Option<Instant>,
}

#[derive(Debug)]
struct Underway {
    /// The position after its last byte.
    end: u64,
    /// The bytes that were before it when it was queued.
    behind: u64,
    /// Whether the core knows that it is held.
    is_held: bool,
}

impl Pings {
    /// A ping was encoded up to position `end`, behind `behind` pending bytes.
    pub(super) fn on_queued(&mut self, end: u64, behind: u64) {
        self.underway = Some(Underway { end, behind, is_held: false });
        if self.ends.len() == KEPT {
            self.ends.pop_front();
        }
        self.ends.push_back(end);
    }

    /// A pong was counted, and `unanswered` pings are left.
    fn on_pong(&mut self, unanswered: usize) {
        let answered = self.ends.len().saturating_sub(unanswered);
        if let Some(end) = self.ends.drain(..answered).next_back() {
            self.proven = end;
        }
        if self.ends.is_empty() {
            self.underway = None;
        }
    }

    /// No byte waits any more.
    pub(super) const fn on_drained(&mut self) {
        self.moved_at = None;
    }

    /// The transport took bytes, and may take more.
    fn on_progress(&mut self, now: Instant, id: SocketId) -> Option<Event<'static>> {
        self.moved_at = Some(now);
        let is_held = self.underway.as_ref().is_some_and(|underway| underway.is_held);
        is_held.then_some(Event::WriteProgressed(id))
    }

    /// A write has ended. The arguments say whether the transport took bytes, how much it has
    /// flushed by now, and whether bytes wait. Returns what the core must know.
    fn on_write_ended(
        &mut self,
        now: Instant,
        id: SocketId,
        wrote: bool,
        flushed: u64,
        waits: bool,
    ) -> Option<Event<'static>> {
        let moved_at = self.moved_at.filter(|_| !wrote).unwrap_or(now);
        self.moved_at = waits.then_some(moved_at);
        let underway = self.underway.as_mut()?;
        if flushed >= underway.end {
            let was_held = underway.is_held;
            let unproven = underway.end.saturating_sub(self.proven);
            self.underway = None;
            return (was_held || unproven > UNPROVEN).then_some(Event::PingHanded(id, unproven));
        }
        if underway.is_held {
            return wrote.then_some(Event::WriteProgressed(id));
        }
        underway.is_held = true;
        let idle = now.saturating_duration_since(moved_at);
        Some(Event::PingHeld(id, Backlog { bytes: underway.behind, idle }))
    }
}

impl Session {
    /// Whether the end of a write must be [reported](Self::write_ended), because a ping is not yet
    /// flushed, bytes wait, or a renewal waits for an empty buffer.
    #[must_use]
    pub fn is_write_watched(&self) -> bool {
        self.link.as_ref().is_some_and(|link| {
            link.is_draining
                || link.pings.underway.is_some()
                || link.output.is_dirty()
                || !link.output.pending().is_empty()
        })
    }

    /// Reports that a write has ended: what the transport accepts for now is written and flushed.
    /// `wrote` says whether it took any bytes.
    ///
    /// With these reports, a ping's timeout starts at its hand-over, and a renewal waits only until
    /// the buffer is empty. Without them the timeout starts when the ping is queued, and a renewal
    /// waits for `close_timeout`, unless the buffer is empty when it is due.
    pub fn write_ended(&mut self, now: Instant, id: SocketId, wrote: bool) {
        let is_open = |link: &&mut Link| link.id == id && !link.is_left;
        let Some(link) = self.link.as_mut().filter(is_open) else { return };
        let waits = link.output.is_dirty() || !link.output.pending().is_empty();
        let flushed = link.output.flushed();
        if let Some(event) = link.pings.on_write_ended(now, id, wrote, flushed, waits) {
            self.at(now, event, Payload::None);
        }
        self.report_if_drained(now);
    }

    /// Reports that no byte waits, if the core asked for that.
    pub(super) fn report_if_drained(&mut self, now: Instant) {
        let is_drained = |link: &&mut Link| {
            let is_empty = link.output.pending().is_empty() && !link.output.is_dirty();
            link.is_draining && is_empty && !link.is_left
        };
        if let Some(link) = self.link.as_mut().filter(is_drained) {
            link.is_draining = false;
            let event = Event::Drained(link.id);
            self.at(now, event, Payload::None);
        }
    }

    /// Reports that the transport took bytes while the driver still has more to offer.
    pub fn write_progressed(&mut self, now: Instant, id: SocketId) {
        let is_open = |link: &&mut Link| link.id == id && !link.is_left;
        let Some(link) = self.link.as_mut().filter(is_open) else { return };
        if let Some(event) = link.pings.on_progress(now, id) {
            self.at(now, event, Payload::None);
        }
    }

    /// A pong was counted.
    pub(super) fn on_pong(&mut self) {
        let unanswered = usize::try_from(self.connection.unanswered_pings()).unwrap_or(usize::MAX);
        if let Some(link) = &mut self.link {
            link.pings.on_pong(unanswered);
        }
    }
}

/// Whether a frame is one of our heartbeat's pings.
pub(super) const fn is_ping(outgoing: Outgoing) -> bool {
    match outgoing {
        Outgoing::Ping(_) | Outgoing::WebSocketPing(_) | Outgoing::DialectPing(_) => true,
        Outgoing::Requested
        | Outgoing::RequestedClose
        | Outgoing::Close(_)
        | Outgoing::Login
        | Outgoing::Dialect(_)
        | Outgoing::Pong(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ID: SocketId = SocketId::new(1);

    const fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_ping_that_is_written_at_once_is_reported_only_behind_many_unproven_bytes() {
        for (flushed, report) in [
            (100, None),
            (UNPROVEN, None),
            (UNPROVEN + 1, Some(Event::PingHanded(ID, UNPROVEN + 1))),
        ] {
            let mut pings = Pings::default();
            pings.on_queued(flushed, flushed - 8);
            assert_eq!(pings.on_write_ended(at(1), ID, true, flushed, false), report);
            assert_eq!(pings.on_write_ended(at(2), ID, true, flushed, false), None, "once");
        }
    }

    #[test]
    fn a_ping_that_waits_is_held_then_progresses_and_is_handed_over() {
        let mut pings = Pings::default();
        assert_eq!(pings.on_write_ended(at(1), ID, true, 40, true), None, "there is no ping yet");
        pings.on_queued(108, 60);
        let idle = Duration::from_secs(2);
        let held = Event::PingHeld(ID, Backlog { bytes: 60, idle });
        assert_eq!(pings.on_write_ended(at(3), ID, false, 40, true), Some(held));
        assert_eq!(pings.on_write_ended(at(4), ID, false, 40, true), None, "nothing was taken");
        let progressed = Some(Event::WriteProgressed(ID));
        assert_eq!(pings.on_write_ended(at(5), ID, true, 107, true), progressed);
        let handed = Some(Event::PingHanded(ID, 108)); // the bytes after it do not delay it
        assert_eq!(pings.on_write_ended(at(6), ID, true, 130, true), handed);
    }

    #[test]
    fn a_write_that_goes_on_is_progress_and_holds_no_ping() {
        let mut pings = Pings::default();
        pings.on_queued(108, 60);
        assert_eq!(pings.on_progress(at(5), ID), None);
        let idle = Duration::from_secs(1);
        let held = Event::PingHeld(ID, Backlog { bytes: 60, idle });
        assert_eq!(pings.on_write_ended(at(6), ID, false, 40, true), Some(held));
        assert_eq!(pings.on_progress(at(7), ID), Some(Event::WriteProgressed(ID)));
    }

    #[test]
    fn a_pong_proves_what_was_before_its_ping() {
        let mut pings = Pings::default();
        for end in [100_000, 200_000] {
            pings.on_queued(end, 0);
            let _ = pings.on_write_ended(at(1), ID, true, end, false);
        }
        pings.on_pong(1); // it answers the first
        pings.on_queued(300_000, 0);
        let unproven = Some(Event::PingHanded(ID, 200_000));
        assert_eq!(pings.on_write_ended(at(2), ID, true, 300_000, false), unproven);
        pings.on_pong(0);
        pings.on_queued(300_008, 0);
        assert_eq!(pings.on_write_ended(at(3), ID, true, 300_008, false), None);
    }

    #[test]
    fn a_pong_for_a_ping_that_is_held_leaves_nothing_to_report() {
        let mut pings = Pings::default();
        pings.on_queued(100_000, 0);
        assert!(pings.on_write_ended(at(1), ID, false, 0, true).is_some());
        pings.on_pong(0);
        assert_eq!(pings.on_write_ended(at(2), ID, true, 100_000, false), None);
        assert_eq!(pings.proven, 100_000);
    }
}
