//! Whether the facts about messages and requests agree with those before them.

use gateway_core::{MessageFate, SendingFact};

use crate::description::Messages;
use crate::ranges::Ranges;

/// The most ranges of numbers that are kept of each kind. No session comes near it, because numbers
/// that follow each other are one range.
const MOST_RANGES: usize = 1 << 16;

/// The messages and requests of a journal so far, in bounded memory.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The greatest number of a message so far.
    greatest: u64,
    /// The messages in the outbox.
    queued: Ranges,
    /// The messages with an outcome. Past the limit, the oldest are forgotten.
    settled: Ranges,
    /// The number of the last request.
    made: u64,
    /// The requests that have not ended.
    open: Ranges,
}

impl History {
    /// Adds a fact.
    ///
    /// # Errors
    /// Describes how the fact contradicts an earlier one.
    pub(crate) fn add(&mut self, fact: &SendingFact) -> Result<(), String> {
        match *fact {
            SendingFact::MessageQueued { number, .. } => self.queue(number),
            SendingFact::MessageBuffered { number } => {
                if !self.queued.has_all(number, number) {
                    return Err(format!("message {number} leaves the outbox, but is not in it"));
                }
                self.queued.remove(number, number);
                Ok(())
            }
            SendingFact::MessagesReturned { first, last } => self.take_back(first, last),
            SendingFact::MessagesSettled { first, last, fate } => self.settle(first, last, fate),
            SendingFact::RequestMade { request, .. } => self.make(request),
            SendingFact::RequestBuffered { request, .. } => self.check_open(request),
            SendingFact::RequestEnded { request, .. } => {
                self.check_open(request)?;
                self.open.remove(request, request);
                Ok(())
            }
            // Facts without a number, and those of a later version of the core.
            _ => Ok(()),
        }
    }

    fn queue(&mut self, number: u64) -> Result<(), String> {
        let greatest = self.greatest;
        if number <= greatest {
            return Err(format!("message {number} is queued after message {greatest}"));
        }
        self.greatest = number;
        self.queued.insert(number, number);
        bounded(&self.queued, "messages in the outbox")
    }

    fn take_back(&mut self, first: u64, last: u64) -> Result<(), String> {
        check_range(first, last)?;
        let messages = Messages(first, last);
        if self.queued.has_any(first, last) {
            return Err(format!("{messages} cannot return to the outbox, because already there"));
        }
        if self.settled.has_any(first, last) {
            return Err(format!("{messages} cannot return to the outbox after an outcome"));
        }
        self.greatest = self.greatest.max(last);
        self.queued.insert(first, last);
        bounded(&self.queued, "messages in the outbox")
    }

    fn settle(&mut self, first: u64, last: u64, fate: MessageFate) -> Result<(), String> {
        check_range(first, last)?;
        let (messages, name) = (Messages(first, last), fate.name());
        if self.settled.has_any(first, last) {
            return Err(format!("second outcome of {messages}, {name}"));
        }
        let agrees = match fate {
            MessageFate::Sent | MessageFate::MaybeSent => !self.queued.has_any(first, last),
            MessageFate::Expired => self.queued.has_all(first, last),
            // Any message can be rejected. Another outcome is one of a later version of the core.
            _ => true,
        };
        if !agrees {
            let place = if fate == MessageFate::Expired { "not " } else { "" };
            return Err(format!("{messages} cannot be {name} while {place}in the outbox"));
        }
        self.greatest = self.greatest.max(last);
        self.queued.remove(first, last);
        self.settled.insert(first, last);
        if self.settled.count() > MOST_RANGES {
            self.settled.remove_lowest();
        }
        bounded(&self.queued, "messages in the outbox")
    }

    fn make(&mut self, request: u64) -> Result<(), String> {
        let made = self.made;
        if request <= made {
            return Err(format!("request {request} is made after request {made}"));
        }
        self.made = request;
        self.open.insert(request, request);
        bounded(&self.open, "pending requests")
    }

    fn check_open(&self, request: u64) -> Result<(), String> {
        if self.open.has_all(request, request) {
            return Ok(());
        }
        let why = if (1..=self.made).contains(&request) { "has ended" } else { "was never made" };
        Err(format!("request {request} {why}"))
    }
}

fn check_range(first: u64, last: u64) -> Result<(), String> {
    if first == 0 || last < first {
        return Err(format!("{first} to {last} is not a range of messages"));
    }
    Ok(())
}

fn bounded(ranges: &Ranges, what: &str) -> Result<(), String> {
    if ranges.count() > MOST_RANGES {
        return Err(format!("there are more than {MOST_RANGES} ranges of {what}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_session_does_takes_bounded_memory() {
        let mut history = History::default();
        let mut numbers = (2..).step_by(2);
        let queue = |number| SendingFact::MessageQueued { number, bytes: 0 };
        let error = numbers.find_map(|number| history.add(&queue(number)).err()).unwrap();
        assert_eq!(error, "there are more than 65536 ranges of messages in the outbox");

        let mut history = History::default();
        let fate = MessageFate::Rejected;
        for number in (2..400_000).step_by(2) {
            let settled = SendingFact::MessagesSettled { first: number, last: number, fate };
            assert_eq!(history.add(&settled), Ok(()));
        }
        assert_eq!(history.settled.count(), MOST_RANGES);
    }
}
