//! The reports that a driver must make to the core about the newest ping. It has positions, no bytes.

use std::collections::VecDeque;

use gateway_core::{Backlog, Event, Instant, SocketId};

/// A ping that was written at once is reported only behind more unproven bytes than this.
const PROVEN_ENOUGH: u64 = 64 << 10;

/// How many unanswered pings are remembered. No pong names an older one.
const KEPT: usize = 4;

/// The pings of one socket, by their positions in its outgoing bytes.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    /// The newest ping, while part of it is not flushed.
    newest: Option<Underway>,
    /// The newest unanswered pings, the oldest first: the position after each.
    unanswered: VecDeque<u64>,
    /// The position after the newest answered ping.
    proven: u64,
    /// While bytes wait: when the transport last accepted some, or when they began to wait.
    moved_at: Option<Instant>,
}

#[derive(Debug)]
struct Underway {
    /// The position after its last byte.
    end: u64,
    /// How many bytes were waiting when it was encoded.
    behind: u64,
    is_held: bool,
}

/// The end of a write pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    pub(crate) now: Instant,
    /// Whether the transport accepted bytes.
    pub(crate) has_moved: bool,
    /// The position up to which bytes are flushed.
    pub(crate) flushed: u64,
    /// Whether bytes wait that are not flushed.
    pub(crate) is_waiting: bool,
}

impl Handover {
    /// A ping was encoded up to this position, with this many bytes waiting.
    pub(crate) fn on_ping(&mut self, end: u64, behind: u64) {
        self.newest = Some(Underway { end, behind, is_held: false });
        self.unanswered.push_back(end);
        let forgotten = self.unanswered.len().saturating_sub(KEPT);
        self.unanswered.drain(..forgotten);
    }

    /// A pong was counted, with this many pings still unanswered.
    pub(crate) fn on_pong(&mut self, unanswered: u32) {
        let unanswered = usize::try_from(unanswered).unwrap_or(usize::MAX);
        while self.unanswered.len() > unanswered {
            self.proven = self.unanswered.pop_front().unwrap_or(self.proven);
        }
        if self.unanswered.is_empty() {
            self.newest = None;
        }
    }

    /// What a driver reports after a write pass.
    pub(crate) fn report(&mut self, id: SocketId, pass: Pass) -> Option<Event<'static>> {
        let moved_at = self.moved_at.filter(|_| !pass.has_moved).unwrap_or(pass.now);
        self.moved_at = pass.is_waiting.then_some(moved_at);
        let ping = self.newest.as_mut()?;
        if ping.end <= pass.flushed {
            let was_held = ping.is_held;
            let unproven = ping.end - self.proven;
            self.newest = None;
            return (was_held || unproven > PROVEN_ENOUGH)
                .then_some(Event::PingHanded(id, unproven));
        }
        if ping.is_held {
            return pass.has_moved.then_some(Event::WriteProgressed(id));
        }
        ping.is_held = true;
        let idle = pass.now.saturating_duration_since(moved_at);
        Some(Event::PingHeld(id, Backlog { bytes: ping.behind, idle }))
    }
}
