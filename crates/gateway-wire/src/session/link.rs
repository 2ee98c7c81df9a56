//! The frames and bytes of an open socket.

use std::ops::Range;

use gateway_core::{Config, Secret, SocketId};

use super::ping::Pings;
use crate::codec::{Breach, Codec, Incoming, Role};
use crate::message::Message;
use crate::outcome::{Ledger, MessageId};
use crate::output::Output;
use crate::queue::Queue;

/// An open socket. The session keeps it until the driver has dropped the socket.
pub(super) struct Link {
    pub(super) id: SocketId,
    pub(super) codec: Codec,
    pub(super) output: Output,
    /// The positions of unsent answers to the peer's pings in the outgoing bytes.
    answers: Queue<Range<u64>>,
    /// The number of bytes in these answers.
    waiting_answers: usize,
    pub(super) writing: Writing,
    /// The highest position whose flush someone has waited for; 0 if no one has.
    pub(super) awaited: u64,
    /// Whether the outgoing bytes end in a Close frame, ours or the answer to the peer's.
    pub(super) farewell: bool,
    pub(super) breach: Option<Breach>,
    /// The core has left the socket: its last bytes may be written, and nothing is read from it.
    pub(super) is_left: bool,
    pub(super) pings: Pings,
    /// Whether the core waits for a report that no byte waits.
    pub(super) is_draining: bool,
    /// The text that refused the login.
    pub(super) refusal: Option<Box<str>>,
    /// What the dialect sent while logging in. The server's texts must not show it.
    pub(super) dialect_login: Vec<Secret>,
    /// Whether the connection has become ready on this socket.
    pub(super) was_ready: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    Free,
    /// No message is accepted before all bytes up to this position are flushed.
    Blocked {
        until: u64,
    },
}

impl Link {
    pub(super) fn new(id: SocketId, max_message_size: usize) -> Self {
        Self {
            id,
            codec: Codec::new(Role::Client, max_message_size),
            output: Output::default(),
            answers: Queue::new(),
            waiting_answers: 0,
            writing: Writing::Free,
            awaited: 0,
            farewell: false,
            breach: None,
            is_left: false,
            pings: Pings::default(),
            is_draining: false,
            refusal: None,
            dialect_login: Vec::new(),
            was_ready: false,
        }
    }

    /// Encodes a message of the application, and records its position in the ledger.
    #[inline(always)] // a call costs some 20 instructions for each message
    pub(super) fn take(
        &mut self,
        message: &Message,
        number: u64,
        ledger: &mut Ledger,
    ) -> MessageId {
        let start = self.output.end();
        self.codec.encode(message, self.output.buffer());
        ledger.take(number, start..self.output.end())
    }

    /// Remembers a text that the dialect sends before the connection is first ready, to hide it.
    pub(super) fn remember_login(&mut self, text: &str) {
        if self.was_ready {
            return;
        }
        let known: usize = self.dialect_login.iter().map(|text| text.reveal().len()).sum();
        if known + text.len() <= Config::MAX_LOGIN && self.dialect_login.len() < MOST_LOGINS {
            self.dialect_login.push(Secret::new(text));
        }
    }

    /// Answers a control frame of the peer.
    pub(super) fn answer(&mut self, incoming: &Incoming) {
        let start = self.output.end();
        self.codec.answer(incoming, self.output.buffer());
        self.farewell |= matches!(incoming, Incoming::Close(_));
        self.add_answer(start);
    }

    /// Records that the bytes from `start` on answer a ping of the peer.
    pub(super) fn add_answer(&mut self, start: u64) {
        let answer = start..self.output.end();
        if answer.is_empty() {
            return;
        }
        self.waiting_answers += length(&answer);
        match self.answers.back_mut() {
            Some(last) if last.end == answer.start => last.end = answer.end,
            _ => self.answers.push_back(answer),
        }
    }

    /// Fails the socket if a dialect's answers to one read are longer than this. `owed` stops only
    /// the next read, and one read may bring many messages.
    pub(super) fn bound_answers(&mut self, limit: usize) {
        if self.waiting_answers > limit {
            self.breach.get_or_insert(Breach::Answers { limit });
        }
    }

    /// The number of bytes in unsent answers to the peer's pings.
    pub(super) const fn waiting_answers(&self) -> usize {
        self.waiting_answers
    }

    /// The transport took `count` of the pending bytes.
    pub(super) fn on_written(&mut self, count: usize) {
        self.output.on_written(count);
        let written = self.output.written();
        while let Some(first) = self.answers.front_mut().filter(|first| first.start < written) {
            let end = first.end.min(written);
            self.waiting_answers -= length(&(first.start..end));
            first.start = end;
            if first.start < first.end {
                return;
            }
            self.answers.drop_front(1);
        }
    }
}

/// The most messages of a login that are remembered.
const MOST_LOGINS: usize = 8;

fn length(range: &Range<u64>) -> usize {
    usize::try_from(range.end - range.start).unwrap_or(usize::MAX)
}
