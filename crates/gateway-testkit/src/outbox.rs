//! The outgoing bytes of one socket, as the core alone must see them: what the peer's socket takes and when, what waits
//! behind that, and what becomes of the messages among it. Counts, no bytes.

use std::collections::VecDeque;

use gateway_core::{Event, Instant, SocketId};

use crate::handover::{Handover, Pass};
use crate::peer::Saw;
use crate::script::Attempt;

/// The most that one write is offered.
const WRITE: u64 = 64 << 10;

/// What a client has encoded for one socket.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// Frames that the peer has not seen whole.
    unseen: VecDeque<(u64, Saw)>,
    /// Messages without an outcome, each with its line in the diary.
    unsettled: VecDeque<Unsettled>,
    /// The position after the last byte that was encoded.
    end: u64,
    /// The position after the last byte that the transport took.
    written: u64,
    /// The position after the last byte that was flushed.
    flushed: u64,
    /// The position up to which the peer's socket takes bytes.
    window: u64,
    /// How many bytes more than that the transport takes.
    buffers: u64,
    high_water: u64,
    is_blocked: bool,
    /// Whether the transport took bytes since the last report.
    has_moved: bool,
    handover: Handover,
}

#[derive(Debug)]
struct Unsettled {
    start: u64,
    end: u64,
    line: usize,
}

/// What a write has come to.
#[derive(Debug)]
pub(crate) struct Wrote {
    /// Frames that the peer has now.
    pub(crate) seen: Vec<Saw>,
    /// The lines of messages that are sent.
    pub(crate) sent: Vec<usize>,
    /// Whether nothing waits any more, and messages are taken again.
    pub(crate) is_freed: bool,
}

/// What becomes of a message that was not sent when its socket was gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    MaybeSent,
    Rejected,
}

impl Outbox {
    /// Nothing is written yet.
    pub(crate) fn new(plan: &Attempt, high_water: usize) -> Self {
        Self {
            unseen: VecDeque::new(),
            unsettled: VecDeque::new(),
            end: 0,
            written: 0,
            flushed: 0,
            window: plan.takes,
            buffers: plan.buffers,
            high_water: high_water as u64,
            is_blocked: false,
            has_moved: false,
            handover: Handover::default(),
        }
    }

    /// A frame was encoded; `line` says where the diary keeps the outcome, if it is a message of the application's.
    pub(crate) fn put(&mut self, saw: Saw, line: Option<usize>) {
        let start = self.end;
        self.end += length(&saw);
        self.unseen.push_back((self.end, saw));
        self.unsettled.extend(line.map(|line| Unsettled { start, end: self.end, line }));
    }

    /// A heartbeat's ping was encoded.
    pub(crate) fn put_ping(&mut self, saw: Saw) {
        let behind = self.end - self.written;
        self.put(saw, None);
        self.handover.on_ping(self.end, behind);
    }

    /// A pong was counted, and so many pings are still unanswered.
    pub(crate) fn on_pong(&mut self, unanswered: u32) {
        self.handover.on_pong(unanswered);
    }

    /// A write pass has ended: what a driver reports of the newest ping.
    pub(crate) fn report(&mut self, now: Instant, id: SocketId) -> Option<Event<'static>> {
        let has_moved = std::mem::take(&mut self.has_moved);
        let is_waiting = self.flushed < self.end;
        self.handover.report(id, Pass { now, has_moved, flushed: self.flushed, is_waiting })
    }

    /// Whether a message has just filled it.
    pub(crate) fn is_filled(&mut self) -> bool {
        let was_blocked = self.is_blocked;
        self.is_blocked |= self.end - self.written > self.high_water;
        self.is_blocked && !was_blocked
    }

    /// The peer's socket takes so many bytes more.
    pub(crate) fn open_by(&mut self, bytes: u64) {
        self.window = self.window.saturating_add(bytes);
    }

    /// Writes and flushes what the transport takes now.
    pub(crate) fn write(&mut self) -> Wrote {
        let written = self.end.min(self.window.saturating_add(self.buffers));
        self.has_moved |= written > self.written;
        self.written = written;
        let passed = self.written.min(self.window);
        if passed == self.written {
            self.flushed = self.written;
        }
        let whole = self.unseen.partition_point(|(end, _)| *end <= passed);
        let seen = self.unseen.drain(..whole).map(|(_, saw)| saw).collect();
        let is_freed = self.is_blocked && self.flushed == self.end;
        self.is_blocked &= !is_freed;
        Wrote { seen, sent: self.settle_sent(), is_freed }
    }

    fn settle_sent(&mut self) -> Vec<usize> {
        let sent = self.unsettled.partition_point(|message| message.end <= self.flushed);
        self.unsettled.drain(..sent).map(|message| message.line).collect()
    }

    /// A write of what waits fails. Where the transport buffers, it may have passed on what it was offered.
    pub(crate) fn fail(&mut self) {
        if self.buffers > 0 {
            self.written = self.end.min(self.written + WRITE);
        }
    }

    /// The socket is gone: what became of each message, by its line.
    pub(crate) fn lose(&mut self) -> Vec<(usize, Lost)> {
        let written = self.written;
        let lost = self.unsettled.drain(..).map(|message| {
            (message.line, if message.start < written { Lost::MaybeSent } else { Lost::Rejected })
        });
        lost.collect()
    }
}

/// The length of a client's frame: its head, the mask, and the payload (RFC 6455 section 5.2).
fn length(saw: &Saw) -> u64 {
    let payload = match saw {
        Saw::Text(text) => text.len(),
        Saw::Binary(bytes) | Saw::Ping(bytes) | Saw::Pong(bytes) => bytes.len(),
        Saw::Close(None) => 0,
        Saw::Close(Some((_, reason))) => 2 + reason.len(),
    };
    let head = match payload {
        0..126 => 2,
        126..0x1_0000 => 4,
        _ => 10,
    };
    head + 4 + payload as u64
}
