//! Tracks the lines of stdin: waiting, without an outcome, not sent.

use std::collections::VecDeque;

use gateway_tokio::{Fate, Message, MessageId, Outcome};

use super::{
    events::Events,
    input::{Batch, Line},
};

const NO_OBJECT: &str =
    "the line is not an object {\"text\":...}, {\"json\":...} or {\"base64\":...} and is not sent";

/// Every line that was read: it waits, is being sent, or has its outcome.
#[derive(Debug, Default)]
pub(crate) struct Sendings {
    /// Lines read so far.
    read: u64,
    waiting: VecDeque<Message>,
    /// The message that the client is accepting.
    in_hand: Option<Message>,
    /// The sizes of accepted messages without an outcome. `first_unsettled` is the first one's number.
    unsettled: VecDeque<u64>,
    first_unsettled: u64,
    not_sent: u64,
    input: Reading,
    /// Whether stdin failed: the number of unread lines is unknown.
    is_broken: bool,
}

/// Whether more lines will come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reading {
    #[default]
    Open,
    Ended,
}

impl Sendings {
    /// Adds lines. A line that cannot be a message is logged and rejected.
    pub(crate) fn read(&mut self, batch: Batch, events: &mut Events) {
        for line in batch.lines {
            self.read = self.read.saturating_add(1);
            let line_number = self.read;
            match line {
                Line::Message(message) => self.waiting.push_back(message),
                Line::NoObject(bytes) => {
                    tracing::error!(line = line_number, "{NO_OBJECT}");
                    self.settle_unsent("rejected", bytes, events);
                }
                Line::NotUtf8(bytes) => {
                    tracing::error!(line = line_number, "the line is not UTF-8 and is not sent");
                    self.settle_unsent("rejected", bytes, events);
                }
                Line::TooLong(bytes) => {
                    tracing::error!(
                        line = line_number,
                        bytes,
                        "the line is longer than max-message-size and is not sent"
                    );
                    self.settle_unsent("rejected", bytes, events);
                }
            }
        }
        match batch.end {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::error!(%error, "cannot read any more of stdin");
                self.is_broken = true;
            }
        }
        self.input = Reading::Ended;
    }

    /// Whether more lines are to be read.
    pub(crate) fn wants_lines(&self) -> bool {
        self.input == Reading::Open && self.waiting.is_empty() && self.in_hand.is_none()
    }

    /// The next message to be handed to the client; [`taken`](Self::taken) or
    /// [`handed_back`](Self::handed_back) follows.
    pub(crate) fn hand_out(&mut self) -> Option<Message> {
        self.in_hand = self.waiting.pop_front();
        self.in_hand.clone()
    }

    /// The client has taken the message in hand.
    pub(crate) fn taken(&mut self, id: MessageId) {
        let Some(message) = self.in_hand.take() else { return };
        if self.unsettled.is_empty() {
            self.first_unsettled = id.number();
        }
        self.unsettled.push_back(message.len() as u64);
    }

    /// The client has not taken the message in hand: it waits again, before all others.
    pub(crate) fn handed_back(&mut self) {
        if let Some(message) = self.in_hand.take() {
            self.waiting.push_front(message);
        }
    }

    /// Records outcomes. One may arrive before `taken` for the same message.
    pub(crate) fn settle(&mut self, outcome: Outcome, events: &mut Events) {
        let last = outcome.last.number();
        if self.in_hand.is_some() && last >= self.first_unsettled + self.unsettled.len() as u64 {
            self.taken(outcome.last);
        }
        let name = match outcome.fate {
            Fate::Sent { .. } => "sent",
            Fate::MaybeSent { .. } => "maybe_sent",
            Fate::Rejected => "rejected",
            Fate::Expired => "expired",
            // An outcome of a later driver is not `sent`.
            _ => "rejected",
        };
        while self.first_unsettled <= last {
            let Some(bytes) = self.unsettled.pop_front() else { return };
            self.first_unsettled += 1;
            if name == "sent" {
                events.send(name, bytes);
            } else {
                self.settle_unsent(name, bytes, events);
            }
        }
    }

    /// Whether stdin has ended and every line has its outcome.
    pub(crate) fn is_over(&self) -> bool {
        self.input == Reading::Ended
            && self.waiting.is_empty()
            && self.in_hand.is_none()
            && self.unsettled.is_empty()
    }

    /// Whether reading stdin failed.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Gives up on lines without an outcome. Returns how many lines were not sent.
    pub(crate) fn give_up(&mut self, events: &mut Events) -> u64 {
        for bytes in std::mem::take(&mut self.unsettled) {
            self.settle_unsent("maybe_sent", bytes, events);
        }
        self.handed_back();
        for message in std::mem::take(&mut self.waiting) {
            self.settle_unsent("rejected", message.len() as u64, events);
        }
        self.not_sent
    }

    fn settle_unsent(&mut self, outcome: &'static str, bytes: u64, events: &mut Events) {
        self.not_sent = self.not_sent.saturating_add(1);
        events.send(outcome, bytes);
    }
}
