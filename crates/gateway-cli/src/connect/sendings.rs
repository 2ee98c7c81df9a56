//! Tracks the lines of stdin: waiting, without an outcome, not sent.

use std::collections::{BTreeMap, VecDeque};

use gateway_tokio::{Accepted, Fate, Message, Outcome};

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
    /// The sizes of accepted messages without an outcome, by their numbers. A message in the outbox
    /// may expire while an earlier one is still being written, so outcomes come in any order.
    unsettled: BTreeMap<u64, u64>,
    /// The number of the last accepted message.
    last_taken: u64,
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
                Line::Half(bytes) => {
                    tracing::error!(
                        line = line_number,
                        bytes,
                        "the reader of stdout is gone before the end of the line, which is not sent"
                    );
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

    /// The client has accepted the message in hand.
    pub(crate) fn taken(&mut self, accepted: Accepted, events: &mut Events) {
        // Otherwise its outcome has already arrived.
        let Some(bytes) = self.take_in_hand(accepted.id().number()) else { return };
        if accepted.is_queued() {
            events.queued(bytes);
        }
    }

    /// Records that the message in hand has this number. Returns its size.
    fn take_in_hand(&mut self, number: u64) -> Option<u64> {
        let bytes = self.in_hand.take()?.len() as u64;
        self.unsettled.insert(number, bytes);
        self.last_taken = number;
        Some(bytes)
    }

    /// The client has not taken the message in hand: it waits again, before all others.
    pub(crate) fn handed_back(&mut self) {
        if let Some(message) = self.in_hand.take() {
            self.waiting.push_front(message);
        }
    }

    /// Records outcomes. One may arrive before `taken` for the same message.
    pub(crate) fn settle(&mut self, outcome: Outcome, events: &mut Events) {
        let (first, last) = (outcome.first.number(), outcome.last.number());
        if last > self.last_taken {
            self.take_in_hand(last);
        }
        let name = match outcome.fate {
            Fate::Sent { .. } => "sent",
            Fate::MaybeSent { .. } => "maybe_sent",
            Fate::Rejected => "rejected",
            Fate::Expired => "expired",
            // An outcome of a later driver is not `sent`.
            _ => "rejected",
        };
        while let Some((&number, _)) = self.unsettled.range(first..=last).next() {
            let Some(bytes) = self.unsettled.remove(&number) else { return };
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
        for bytes in std::mem::take(&mut self.unsettled).into_values() {
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
