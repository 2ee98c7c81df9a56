//! How many messages and requests a client has accepted, and what became of them.

use std::ops::AddAssign;

use gateway_core::RequestEnd;

use crate::outcome::{Fate, Outcome};

/// How many messages a client has accepted since it was created, and what became of them. A
/// reconnect does not reset the counters. They saturate at `u64::MAX`.
///
/// ```
/// use gateway_wire::Counts;
///
/// fn report(counts: &Counts) -> String {
///     let Counts { accepted, sent, maybe_sent, rejected, expired, .. } = counts;
///     format!("{accepted} = {sent} + {maybe_sent} + {rejected} + {expired} + {}", counts.unsettled())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that `send` has accepted. Requests are not among them.
    pub accepted: u64,
    /// Of these: messages with the outcome [`Sent`](Fate::Sent), whether it was reported or not.
    pub sent: u64,
    /// Of these: messages with the outcome [`MaybeSent`](Fate::MaybeSent).
    pub maybe_sent: u64,
    /// Of these: messages with the outcome [`Rejected`](Fate::Rejected).
    pub rejected: u64,
    /// Of these: messages with the outcome [`Expired`](Fate::Expired).
    pub expired: u64,
    /// Requests.
    pub requests: RequestCounts,
}

/// How many requests a client has made since it was created, and how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestCounts {
    /// Requests that were made. A request that failed at once, for example because there were too
    /// many, is not among them.
    pub made: u64,
    /// Of these: requests whose answer came.
    pub answered: u64,
    /// Of these: requests whose answer did not come in time.
    pub timed_out: u64,
    /// Of these: requests whose connection was lost before a byte of them was written.
    pub not_sent: u64,
    /// Of these: requests whose connection was lost after a byte of them was written.
    pub maybe_sent: u64,
    /// Of these: requests whose message cannot hold an id. Nothing was sent.
    pub uncorrelated: u64,
    /// Of these: requests that the application stopped waiting for.
    pub forgotten: u64,
}

impl Counts {
    /// Returns the number of messages that have no outcome yet. It is 0 once the client is CLOSED.
    #[must_use]
    pub const fn unsettled(&self) -> u64 {
        let left = self.accepted.saturating_sub(self.sent).saturating_sub(self.maybe_sent);
        left.saturating_sub(self.rejected).saturating_sub(self.expired)
    }
}

impl RequestCounts {
    /// Returns the number of requests that have not ended yet. It is 0 once the client is CLOSED.
    #[must_use]
    pub const fn pending(&self) -> u64 {
        let left = self.made.saturating_sub(self.answered).saturating_sub(self.timed_out);
        let left = left.saturating_sub(self.not_sent).saturating_sub(self.maybe_sent);
        left.saturating_sub(self.uncorrelated).saturating_sub(self.forgotten)
    }

    /// A request has ended.
    pub(crate) const fn count(&mut self, end: RequestEnd) {
        match end {
            RequestEnd::Answered => add(&mut self.answered, 1),
            RequestEnd::TimedOut => add(&mut self.timed_out, 1),
            RequestEnd::NotSent => add(&mut self.not_sent, 1),
            RequestEnd::Correlation => add(&mut self.uncorrelated, 1),
            RequestEnd::Forgotten => add(&mut self.forgotten, 1),
            // `RequestEnd` may grow: what this crate does not know may have been sent.
            RequestEnd::MaybeSent | _ => add(&mut self.maybe_sent, 1),
        }
    }
}

/// The counts of several clients together.
impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let Self { accepted, sent, maybe_sent, rejected, expired, requests } = other;
        self.accepted = self.accepted.saturating_add(accepted);
        self.sent = self.sent.saturating_add(sent);
        self.maybe_sent = self.maybe_sent.saturating_add(maybe_sent);
        self.rejected = self.rejected.saturating_add(rejected);
        self.expired = self.expired.saturating_add(expired);
        self.requests += requests;
    }
}

/// The counts of several clients together.
impl AddAssign for RequestCounts {
    fn add_assign(&mut self, other: Self) {
        let Self { made, answered, timed_out, not_sent, maybe_sent, uncorrelated, forgotten } =
            other;
        self.made = self.made.saturating_add(made);
        self.answered = self.answered.saturating_add(answered);
        self.timed_out = self.timed_out.saturating_add(timed_out);
        self.not_sent = self.not_sent.saturating_add(not_sent);
        self.maybe_sent = self.maybe_sent.saturating_add(maybe_sent);
        self.uncorrelated = self.uncorrelated.saturating_add(uncorrelated);
        self.forgotten = self.forgotten.saturating_add(forgotten);
    }
}

const fn add(counter: &mut u64, count: u64) {
    *counter = counter.saturating_add(count);
}

/// The messages of a session that were not sent, by their outcomes. The others are sent or wait, so
/// a send need not be counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unsent {
    maybe_sent: u64,
    rejected: u64,
    expired: u64,
}

impl Unsent {
    /// These messages have an outcome.
    pub(crate) const fn count(&mut self, outcome: &Outcome) {
        let count = outcome.count();
        match outcome.fate {
            Fate::Sent { .. } => {}
            Fate::MaybeSent { .. } => add(&mut self.maybe_sent, count),
            Fate::Rejected => add(&mut self.rejected, count),
            Fate::Expired => add(&mut self.expired, count),
        }
    }

    /// The counts of a session that has accepted so many messages, of which so many wait.
    pub(crate) const fn counts(
        self,
        accepted: u64,
        waiting: u64,
        requests: RequestCounts,
    ) -> Counts {
        let Self { maybe_sent, rejected, expired } = self;
        let settled = accepted.saturating_sub(waiting);
        let sent =
            settled.saturating_sub(maybe_sent).saturating_sub(rejected).saturating_sub(expired);
        Counts { accepted, sent, maybe_sent, rejected, expired, requests }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_neither_sent_nor_settled() {
        let mut unsent = Unsent::default();
        unsent.count(&Outcome::of(3, 4, Fate::Rejected));
        unsent.count(&Outcome::of(5, 5, Fate::Expired));

        let counts = unsent.counts(10, 4, RequestCounts::default());

        assert_eq!((counts.sent, counts.rejected, counts.expired), (3, 2, 1));
        assert_eq!(counts.unsettled(), 4);
    }

    #[test]
    fn counts_of_two_clients_add_up() {
        let requests = RequestCounts { made: 3, answered: 1, ..RequestCounts::default() };
        let mut one = Unsent::default().counts(5, 0, requests);
        one += Unsent::default().counts(2, 1, requests);

        assert_eq!((one.accepted, one.sent, one.unsettled()), (7, 6, 1));
        assert_eq!((one.requests.made, one.requests.pending()), (6, 4));
    }
}
