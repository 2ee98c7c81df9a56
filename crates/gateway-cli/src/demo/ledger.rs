//! Accounts for every message of the demo: handed over, its outcome, and its number of echoes.

use gateway_tokio::{Fate, Outcome, core::SocketId};

/// Every message by its number, from 1, as in the client.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
    /// Received messages that were never sent, or have no number.
    strangers: u64,
    /// Outcomes of messages that already have one, or were never handed over.
    doubtful: u64,
}

#[derive(Debug)]
struct Entry {
    socket: SocketId,
    outcome: Option<Fate>,
    echoes: u64,
    /// The socket was lost before an echo came.
    is_cut_off: bool,
}

/// The number of messages by their result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) handed_over: u64,
    pub(crate) sent: u64,
    pub(crate) maybe_sent: u64,
    pub(crate) rejected: u64,
    /// Without an outcome.
    pub(crate) unsettled: u64,
    pub(crate) back_once: u64,
    pub(crate) back_more_often: u64,
    /// Sent or maybe sent, but the socket ended before the echo.
    pub(crate) unanswered: u64,
    /// Still expected back.
    pub(crate) awaited: u64,
}

impl Ledger {
    /// The number of the next message.
    pub(crate) fn next_number(&self) -> u64 {
        self.entries.len() as u64 + 1
    }

    /// The next message was handed over while this socket was ready.
    pub(crate) fn hand_over(&mut self, socket: SocketId) {
        self.entries.push(Entry { socket, outcome: None, echoes: 0, is_cut_off: false });
    }

    /// Records a received message: an echo, which begins with its number.
    pub(crate) fn echo(&mut self, text: &str) {
        let number = text.split(' ').next().and_then(|number| number.parse::<u64>().ok());
        match number.and_then(|number| self.entry(number)) {
            Some(entry) => entry.echoes = entry.echoes.saturating_add(1),
            None => self.strangers = self.strangers.saturating_add(1),
        }
    }

    /// Records outcomes.
    pub(crate) fn settle(&mut self, outcome: Outcome) {
        for number in outcome.first.number()..=outcome.last.number() {
            match self.entry(number) {
                Some(entry) if entry.outcome.is_none() => entry.outcome = Some(outcome.fate),
                Some(_) | None => self.doubtful = self.doubtful.saturating_add(1),
            }
        }
    }

    /// Records the loss of a socket: its missing echoes will not come.
    pub(crate) fn cut_off(&mut self, socket: SocketId) {
        for entry in self.entries.iter_mut().filter(|entry| entry.socket == socket) {
            entry.is_cut_off = entry.echoes == 0;
        }
    }

    /// Counts the messages from this number on by their result.
    pub(crate) fn counts_from(&self, number: u64) -> Counts {
        let mut counts = Counts::default();
        let first = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        for entry in self.entries.get(first..).unwrap_or_default() {
            counts.handed_over += 1;
            let is_on_the_wire = match entry.outcome {
                Some(Fate::Sent { .. }) => {
                    counts.sent += 1;
                    true
                }
                Some(Fate::MaybeSent { .. }) => {
                    counts.maybe_sent += 1;
                    true
                }
                Some(Fate::Rejected) => {
                    counts.rejected += 1;
                    false
                }
                // An outcome of a later driver is unknown here.
                Some(_) | None => {
                    counts.unsettled += 1;
                    true
                }
            };
            match entry.echoes {
                0 if entry.is_cut_off => counts.unanswered += u64::from(is_on_the_wire),
                0 => counts.awaited += u64::from(is_on_the_wire),
                1 => counts.back_once += 1,
                _ => counts.back_more_often += 1,
            }
        }
        counts
    }

    /// Every inconsistency. `unanswered` messages were in flight when a socket was reset.
    pub(crate) fn objections(&self, unanswered: u64) -> Vec<String> {
        let all = self.counts_from(1);
        let settled = all.sent + all.maybe_sent + all.rejected;
        let lots = all.back_once + all.unanswered + all.rejected;
        let checks = [
            (all.unsettled, "without an outcome"),
            (all.awaited, "never came back, without a fault"),
            (all.back_more_often, "came back more than once"),
            (self.strangers, "received, but never sent"),
            (self.doubtful, "have more than one outcome"),
            (all.handed_over.abs_diff(settled), "with outcomes that do not add up"),
            (all.handed_over.abs_diff(lots), "with echoes that do not add up"),
            (all.unanswered.abs_diff(unanswered), "unanswered, not in flight at a fault"),
        ];
        let wrong = checks.into_iter().filter(|(count, _)| *count > 0);
        wrong.map(|(count, what)| format!("messages {what}: {count}")).collect()
    }

    fn entry(&mut self, number: u64) -> Option<&mut Entry> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.entries.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKET: SocketId = SocketId::new(1);

    fn ledger(messages: u64) -> Ledger {
        let mut ledger = Ledger::default();
        for _ in 0..messages {
            ledger.hand_over(SOCKET);
        }
        for entry in &mut ledger.entries {
            entry.outcome = Some(Fate::Sent { socket: SOCKET });
        }
        ledger
    }

    #[test]
    fn what_came_back_once_is_in_order() {
        let mut ledger = ledger(2);
        ledger.echo("1");
        assert_eq!(ledger.counts_from(1).awaited, 1);
        ledger.echo("2 xxx");
        ledger.cut_off(SOCKET);
        assert_eq!(ledger.objections(0), [""; 0]);
    }

    #[test]
    fn what_was_cut_off_is_in_order_where_it_was_expected_only() {
        let mut ledger = ledger(3);
        ledger.echo("1");
        ledger.cut_off(SOCKET);
        assert_eq!(ledger.counts_from(2).unanswered, 2);
        assert_eq!(ledger.objections(2), [""; 0]);
        assert_eq!(ledger.objections(0).len(), 1);
    }

    #[test]
    fn a_rejected_message_is_in_order_unless_it_comes_back() {
        let mut ledger = ledger(1);
        ledger.entries[0].outcome = Some(Fate::Rejected);
        ledger.cut_off(SOCKET);
        assert_eq!(ledger.objections(0), [""; 0]);
        ledger.echo("1");
        assert!(!ledger.objections(0).is_empty());
    }

    #[test]
    fn a_message_twice_missing_strange_or_unsettled_is_told() {
        for spoil in [
            (|ledger| ledger.echo("1")) as fn(&mut Ledger),
            |ledger| ledger.echo("7"),
            |ledger| ledger.echo("hello"),
            |ledger| ledger.entries[0].echoes = 0,
            |ledger| ledger.entries[0].outcome = None,
        ] {
            let mut ledger = ledger(1);
            ledger.echo("1");
            spoil(&mut ledger);
            assert!(!ledger.objections(0).is_empty(), "{ledger:?}");
        }
    }
}
