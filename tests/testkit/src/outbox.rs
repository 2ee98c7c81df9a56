//! The outgoing bytes of one socket for the core alone: what the peer's socket accepts and when, what waits,
//! and the outcomes of messages. It has counts, no bytes.

use std::collections::VecDeque;

use gateway_core::{Event, Instant, SocketId};

use crate::handover::{Handover, Pass};
use crate::peer::Saw;
use crate::script::Attempt;

/// The most bytes in one write.
const WRITE: u64 = 64 << 10;

/// The encoded frames for one socket.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// Frames that the peer has not seen whole.
    unseen: VecDeque<(u64, Saw)>,
    /// Messages without an outcome, each with its line in the diary.
    unsettled: VecDeque<Unsettled>,
    /// The position after the last byte that was encoded.
    end: u64,
    /// The position after the last byte that the transport accepted.
    written: u64,
    /// The position after the last byte that was flushed.
    flushed: u64,
    /// The position up to which the peer's socket accepts bytes.
    window: u64,
    /// How many more bytes the transport buffers.
    buffers: u64,
    high_water: u64,
    is_blocked: bool,
    /// Whether the transport accepted bytes since the last report.
    has_moved: bool,
    handover: Handover,
}

#[derive(Debug)]
struct Unsettled {
    start: u64,
    end: u64,
    line: usize,
}

/// The result of a write.
#[derive(Debug)]
pub(crate) struct Wrote {
    /// Frames that have reached the peer.
    pub(crate) seen: Vec<Saw>,
    /// The lines of messages that are sent.
    pub(crate) sent: Vec<usize>,
    /// Whether nothing waits, and messages are accepted again.
    pub(crate) is_freed: bool,
}

/// The outcome of a message that was not sent when its socket was lost.
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

    /// A frame was encoded. For a message of the application `line` is the place of its outcome in the diary.
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

    /// A pong was counted, with this many pings still unanswered.
    pub(crate) fn on_pong(&mut self, unanswered: u32) {
        self.handover.on_pong(unanswered);
    }

    /// What a driver reports of the newest ping after a write pass.
    pub(crate) fn report(&mut self, now: Instant, id: SocketId) -> Option<Event<'static>> {
        let has_moved = std::mem::take(&mut self.has_moved);
        let is_waiting = self.flushed < self.end;
        self.handover.report(id, Pass { now, has_moved, flushed: self.flushed, is_waiting })
    }

    /// Whether everything is written and flushed.
    pub(crate) fn is_empty(&self) -> bool {
        self.flushed == self.end
    }

    /// Whether a message has just filled it.
    pub(crate) fn is_filled(&mut self) -> bool {
        let was_blocked = self.is_blocked;
        self.is_blocked |= self.end - self.written > self.high_water;
        self.is_blocked && !was_blocked
    }

    /// The peer's socket accepts this many more bytes.
    pub(crate) fn open_by(&mut self, bytes: u64) {
        self.window = self.window.saturating_add(bytes);
    }

    /// Writes and flushes what the transport accepts now.
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

    /// A write of waiting bytes fails. A buffering transport may have passed on the offered bytes.
    pub(crate) fn fail(&mut self) {
        if self.buffers > 0 {
            self.written = self.end.min(self.written + WRITE);
        }
    }

    /// The outcomes of the messages after the loss of the socket, by line.
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
